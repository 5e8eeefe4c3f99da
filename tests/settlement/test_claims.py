import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.devnet import Devnet, OnDevnet
from tests.settlement.network import LINE_WEI, base_of, settling

from dgrid.chain.contracts import Reverted
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.enroll import Enroller
from dgrid.chain.events import Kind
from dgrid.chain.sender import Sender
from dgrid.core.identity import Address
from dgrid.core.money import WEI
from dgrid.settlement import claims
from dgrid.settlement.claims import Claimable, Party, party_key
from dgrid.wire.blob import decode_record

PARTY = Party(Address(b"\x01" * 20), Kind.LISTING, 0, bytes(32))


@given(st.lists(st.integers(1, 9_999), min_size=1, max_size=5), st.integers(0, 2**120))
def test_a_listings_parts_sum_to_the_whole(weights: list[int], amount_wei: int) -> None:
    total = sum(weights)
    bps = [weight * 10_000 // total for weight in weights[:-1]]
    table = tuple((Address(bytes((at,)) * 20), one) for at, one in enumerate([*bps, 10_000 - sum(bps)]))
    row = Claimable(PARTY, table, amount_wei, 0, 0, None)
    assert sum(row.share_of(payee, amount_wei) for payee, _ in table) == amount_wei


def test_who_is_named_twice_in_a_listing_has_both_parts() -> None:
    one, other = Address(b"\x01" * 20), Address(b"\x02" * 20)
    row = Claimable(PARTY, ((one, 3_333), (other, 3_333), (one, 3_334)), 10, 0, 0, None)
    assert (row.share_of(one, 10), row.share_of(other, 10)) == (7, 3)


@given(st.integers(0, 2**100), st.integers(0, 2**100), st.integers(0, 2**100))
def test_nothing_below_zero_is_due(earned: int, waiting: int, claimed: int) -> None:
    row = Claimable(PARTY, (), earned, waiting, claimed, None)
    assert 0 <= row.due_wei <= row.total_due_wei


def test_without_a_root_a_node_claims_by_its_sealed_receipt_from_the_bond(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        config = await network.open_channel("payer-1", amount_wei=10 * WEI)
        epoch = network.watcher.clock.epoch_at((net.genesis_s + 3600) * 1000)
        receipt = network.books.answer(epoch, network.work(config, "node-1", tokens_in=50_000, tokens_out=500))
        seal = decode_record(network.books.rows[epoch][0].record).seal
        node = await net.sender("node-1", dgai_wei=0)
        with pytest.raises(Reverted, match="RootExpected"):
            await claims.claim_by_default(node, net.contracts, kind=Kind.NODE, receipt=receipt, seal=seal)
        await net.pass_time(200)  # the gateway never closes the epoch
        forged = msgspec.structs.replace(receipt, totals=msgspec.structs.replace(receipt.totals, node=WEI))
        with pytest.raises(Reverted, match="NotSealed"):
            await claims.claim_by_default(node, net.contracts, kind=Kind.NODE, receipt=forged, seal=seal)
        await claims.claim_by_default(node, net.contracts, kind=Kind.NODE, receipt=receipt, seal=seal)
        assert await net.balance(node.address) == base_of(receipt.shares.node)
        gateway = network.books.key.address
        view = await network.watcher.until(lambda view: view.lines[(gateway, node.address)] < LINE_WEI, timeout_s=30)
        assert view.lines[(gateway, node.address)] == LINE_WEI - base_of(receipt.shares.node)

    on_devnet(main)


def test_the_view_knows_the_line_that_is_left_when_collected_money_paid_by_default(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        config, key = await network.open_channel("payer-1", amount_wei=10 * WEI), network.books.key.address
        node = net.key("node-1").address
        works = [network.work(config, name, tokens_in=50_000, tokens_out=500) for name in ("node-1", "node-2")]
        network.books.answer(8, works[1])
        await network.anchor(8, network.voucher("payer-1", config, 10 * WEI))
        await network.loop.step()
        assert await net.contracts.settlement.read(net.rpc, "fundsOf", [key]) > 0

        receipt = network.books.answer(9, works[0])
        seal = decode_record(network.books.rows[9][0].record).seal
        sender = await net.sender("anyone", dgai_wei=0)
        paid = await claims.claim_by_default(sender, net.contracts, kind=Kind.NODE, receipt=receipt, seal=seal)
        assert [(one.payee, one.amount_wei) for one in paid] == [(node, base_of(receipt.totals.node))]
        view = await network.watcher.until(lambda view: view.lines[(key, node)] < LINE_WEI, timeout_s=30)
        assert view.lines[(key, node)] == await net.contracts.settlement.read(net.rpc, "lineOf", [key, node])
        gateway = Sender(net.rpc, network.books.key, folder=net.folder / "gateway-again", chain_id=DEV_CHAIN_ID)
        sent = await gateway.next_nonce()
        await Enroller(net.rpc, net.contracts, gateway, dev=True).ensure_lines({node: LINE_WEI}, view)
        assert await gateway.next_nonce() == sent  # a line that was used is as high as it was promised
        await gateway.close()

    on_devnet(main)


def test_the_keys_of_parties_are_the_contracts(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        config = await network.open_channel("payer-1", amount_wei=10 * WEI)
        receipt = network.books.answer(9, network.work(config, "node-1", tokens_in=50_000, tokens_out=500))
        await network.anchor(9, network.voucher("payer-1", config, 10 * WEI))
        await network.loop.step()
        node, part_wei = net.key("node-1").address, base_of(receipt.shares.node)

        async def accounts() -> list[Claimable]:
            block = await net.rpc.block("latest")
            assert block is not None
            return await claims.claimable(
                network.records, net.rpc, contracts=net.contracts, now_s=block.timestamp_s, address=node
            )

        (early,) = await accounts()
        assert (early.earned_wei, early.waiting_wei, early.proof) == (0, part_wei, None)
        await net.pass_time(20)
        mine = await accounts()
        assert [(row.party.kind, row.due_wei, row.waiting_wei) for row in mine] == [(Kind.NODE, part_wei, 0)]
        await claims.claim(await net.sender("anyone", dgai_wei=0), net.contracts, rows=mine)
        key = party_key(receipt, Kind.NODE)
        claimed = await net.contracts.settlement.read(
            net.rpc, "claimedOf", [network.books.key.address, Kind.NODE, 0, key]
        )
        assert claimed == part_wei

    on_devnet(main)
