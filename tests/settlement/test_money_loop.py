"""Deposits → receipts → closed epochs → archives → anchors → collection → claims, on a real chain, to the unit."""

from tests.devnet import Devnet, OnDevnet
from tests.settlement.network import BOND_WEI, CREATORS, Settling, base_of, settling

from dgrid.chain.channels import channel_id, finalize_withdraw, request_withdraw
from dgrid.chain.events import Kind
from dgrid.core.money import WEI
from dgrid.settlement import claims
from dgrid.settlement.claims import Claimable


async def due(network: Settling) -> list[Claimable]:
    block = await network.net.rpc.block("latest")
    assert block is not None
    net = network.net
    return await claims.claimable(network.records, net.rpc, contracts=net.contracts, now_s=block.timestamp_s)


async def claim_all(network: Settling) -> claims.ClaimOutcome:
    anyone = await network.net.sender("anyone", dgai_wei=0)
    return await claims.claim(anyone, network.net.contracts, rows=await due(network))


def test_every_party_gets_exactly_its_share_and_nothing_is_lost(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net)
        await network.list_model()
        before = {name: await net.balance(net.key(name).address) for name in (*CREATORS, "node-1", "node-2", "gateway")}
        treasury = network.watcher.facts.treasury
        deposits = {"payer-1": 40 * WEI, "payer-2": 7 * WEI}
        channels = {name: await network.open_channel(name, amount_wei=amount) for name, amount in deposits.items()}
        # Everything that is not a bond or a stake: payers' money only.
        for epoch in (100, 101, 103):
            for index in range(5):
                config = channels["payer-1" if index % 3 else "payer-2"]
                node = "node-1" if index % 2 else "node-2"
                work = network.work(config, node, tokens_in=12_345 + 17 * index, tokens_out=7 * epoch + index)
                network.books.answer(epoch, work)
            vouchers = [network.voucher(name, channels[name], deposits[name]) for name in channels]
            await network.anchor(epoch, *vouchers)
            await network.loop.step()
        await network.loop.step()
        totals = dict.fromkeys(("fee", "node", "listing", "protocol", "gateway"), 0)
        for receipt in network.books.receipts:
            for kind in totals:
                totals[kind] += getattr(receipt.shares, kind)
        escrow, settlement = net.contracts.channel_escrow.address, net.contracts.settlement.address
        assert await net.balance(escrow) == sum(deposits.values()) - totals["fee"]
        assert await net.balance(settlement) == BOND_WEI + totals["fee"]

        assert all(row.due_wei == 0 and row.waiting_wei for row in await due(network))
        await net.pass_time(20)
        outcome = await claim_all(network)
        assert outcome.refused == ()

        by_node: dict[bytes, int] = {}
        for receipt in network.books.receipts:
            by_node[receipt.parties.node] = by_node.get(receipt.parties.node, 0) + receipt.shares.node
        for name in ("node-1", "node-2"):
            address = net.key(name).address
            assert await net.balance(address) - before[name] == base_of(by_node[address])
        withheld = totals["node"] - sum(map(base_of, by_node.values()))
        listing = [await net.balance(net.key(name).address) - before[name] for name in CREATORS]
        assert sum(listing) == totals["listing"]
        assert listing[0] == totals["listing"] * CREATORS["creator-1"] // 10_000
        assert await net.balance(net.key("gateway").address) - before["gateway"] == totals["gateway"]
        assert await net.balance(treasury) == totals["protocol"]

        paid = sum(event.amount_wei for event in outcome.paid)
        funds = await net.contracts.settlement.read(net.rpc, "fundsOf", [network.books.key.address])
        assert await net.balance(escrow) + funds + paid == sum(deposits.values())
        assert funds == withheld  # until the court takes it
        assert await net.balance(settlement) == BOND_WEI + withheld
        assert all(row.total_due_wei == 0 for row in await due(network))

    on_devnet(main)


def test_totals_that_grow_are_claimed_again_by_the_difference(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        config = await network.open_channel("payer-1", amount_wei=50 * WEI)
        node = net.key("node-1").address
        paid = []
        for epoch in (10, 20):
            network.books.answer(epoch, network.work(config, "node-1", tokens_in=10_000, tokens_out=epoch))
            await network.anchor(epoch, network.voucher("payer-1", config, 50 * WEI))
            await network.loop.step()
            await net.pass_time(20)
            before = await net.balance(node)
            await claim_all(network)
            paid.append(await net.balance(node) - before)
        first, second = (receipt.totals.node for receipt in network.books.receipts)
        assert paid == [base_of(first), base_of(second) - base_of(first)]

    on_devnet(main)


def test_a_payer_who_leaves_before_collection_takes_nobodys_money(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net)
        config = await network.open_channel("payer-1", amount_wei=10 * WEI)
        payer = await net.sender("payer-1", dgai_wei=0)
        receipt = network.books.answer(50, network.work(config, "node-1", tokens_in=400_000, tokens_out=100_000))
        await request_withdraw(payer, net.contracts, config=config, amount_wei=10 * WEI)
        name = channel_id(net.contracts, config)
        view = await network.watcher.until(lambda view: view.channels[name].withdraw_wei > 0, timeout_s=30)
        assert view.channels[name].withdraw_available_ms is not None
        await network.anchor(50, network.voucher("payer-1", config, receipt.totals.payer))
        await network.loop.step()  # collected inside the channel's delay, though the payer has announced to leave
        await net.pass_time(200)
        await finalize_withdraw(payer, net.contracts, config=config)
        assert await net.balance(payer.address) == 10 * WEI - receipt.shares.fee
        await claim_all(network)
        assert await net.balance(net.key("node-1").address) == base_of(receipt.shares.node)
        assert await net.balance(net.contracts.channel_escrow.address) == 0

    on_devnet(main)


def test_a_deposit_gone_before_any_root_is_made_good_by_the_bond(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net)
        config = await network.open_channel("payer-1", amount_wei=10 * WEI)
        payer = await net.sender("payer-1", dgai_wei=0)
        receipt = network.books.answer(50, network.work(config, "node-1", tokens_in=400_000, tokens_out=100_000))
        await request_withdraw(payer, net.contracts, config=config, amount_wei=10 * WEI)
        await net.pass_time(200)
        await finalize_withdraw(payer, net.contracts, config=config)  # the gateway slept through the whole delay
        assert await net.balance(payer.address) == 10 * WEI
        await network.anchor(50, network.voucher("payer-1", config, receipt.totals.payer))
        await network.loop.step()
        await net.pass_time(20)
        outcome = await claim_all(network)
        assert await net.balance(net.key("node-1").address) == base_of(receipt.shares.node)
        assert {event.kind for event in outcome.paid} == {Kind.NODE}  # gateway and protocol wait for the payer
        bond = await net.contracts.settlement.read(net.rpc, "bondOf", [network.books.key.address])
        assert bond == BOND_WEI - base_of(receipt.shares.node)

    on_devnet(main)
