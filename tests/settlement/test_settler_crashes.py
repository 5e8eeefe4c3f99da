"""A settler that dies at every step of an epoch, and a gateway that never closes one: the money comes out right."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from tests.chain.test_sender_crashes import Killed, Mortal, Step
from tests.devnet import Devnet, OnDevnet
from tests.settlement.network import LINE_WEI, Settling, base_of, settling

from dgrid.chain.channels import channel_id
from dgrid.chain.contracts import Contract, Reverted
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.events import Kind
from dgrid.chain.sender import Before, TransactionReceipt
from dgrid.core.money import WEI
from dgrid.processes.chain_side import ChainSide
from dgrid.processes.settler import SettlerLoop
from dgrid.settlement import claims
from dgrid.settlement.anchoring import AnchorOrder, AnchorQueue
from dgrid.settlement.collecting import Collector
from dgrid.settlement.collection import Collections
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.wire.seals import seal

DEPOSIT_WEI = 40 * WEI
STEPS_MAX = 40
FINAL_S = 0.15  # what becoming final and being seen takes


class Doomed(Mortal):
    """A settler's sender that dies at one step of one call, once."""

    function = ""

    async def send(
        self,
        contract: Contract,
        function: str,
        arguments: Sequence[Any] = (),
        *,
        label: str,
        value: int = 0,
        before: Before | None = None,
    ) -> TransactionReceipt:
        if function != self.function:
            step, self.step = self.step, None
            try:
                return await super().send(contract, function, arguments, label=label, value=value, before=before)
            finally:
                self.step = step
        return await super().send(contract, function, arguments, label=label, value=value, before=before)


class Life:
    """One life of a settler: everything but its files is new."""

    def __init__(self, network: Settling, *, function: str = "", step: Step | None = None) -> None:
        net = network.net
        self.sender = Doomed(net.rpc, net.key("settler"), folder=net.folder / "settler", chain_id=DEV_CHAIN_ID)
        self.sender.function, self.sender.step = function, step
        self.queue = AnchorQueue(net.folder / "anchors.sqlite")
        self.collections = Collections(net.folder / "collections.sqlite", domain=network.escrow_domain)
        collector = Collector(self.collections, network.records, sender=self.sender, contracts=net.contracts)
        side = ChainSide(net.rpc, net.contracts, network.watcher, self.sender)
        self.loop = SettlerLoop(side, self.queue, collector)

    async def live(self, steps: int = STEPS_MAX) -> None:
        """Works on for so many steps."""
        for _ in range(steps):
            await self.loop.step()
            await asyncio.sleep(FINAL_S)

    async def end(self) -> None:
        await self.sender.close()
        self.queue.close()
        self.collections.close()


async def accepted_epochs(network: Settling, *epochs: int) -> int:
    """Closes epochs, hands their roots to the settler; what their receipts come to."""
    config = await network.open_channel("payer-1", amount_wei=DEPOSIT_WEI)
    for epoch in epochs:
        for node in ("node-1", "node-2"):
            network.books.answer(epoch, network.work(config, node, tokens_in=40_000 + epoch, tokens_out=900))
        closed = network.books.close(epoch, vouchers=(network.voucher("payer-1", config, DEPOSIT_WEI),))
        assert closed is not None
        signed = SignedRoot.by(network.books.key, closed.root, domain=network.net.domain)
        promises = await network.archives.put(closed.blob, key=network.books.key, root=signed)
        network.queue.accept(AnchorOrder(closed.root, signed.signature, tuple(promises)))
    return sum(receipt.shares.fee for receipt in network.books.receipts)


def is_settled(network: Settling, total_wei: int) -> bool:
    view = network.watcher.finalized
    return [channel.drawn_wei for channel in view.channels.values()] == [total_wei]


async def live_until_settled(network: Settling, total_wei: int) -> None:
    life = Life(network)
    for _ in range(STEPS_MAX):
        await life.loop.step()
        if is_settled(network, total_wei):
            break
        await asyncio.sleep(FINAL_S)
    await life.end()
    assert is_settled(network, total_wei)


async def claim_everything(network: Settling) -> None:
    net = network.net
    await net.pass_time(20)
    block = await net.rpc.block("latest")
    assert block is not None
    due = await claims.claimable(network.records, net.rpc, contracts=net.contracts, now_s=block.timestamp_s)
    outcome = await claims.claim(await net.sender("anyone", dgai_wei=0), net.contracts, rows=due)
    assert outcome.refused == ()


async def check_to_the_unit(network: Settling, total_wei: int) -> None:
    """The ledger is the gateway's receipts: each party got its shares, the payer paid the fees, and no unit more."""
    net, receipts = network.net, network.books.receipts
    for node in ("node-1", "node-2"):
        earned = sum(one.shares.node for one in receipts if one.parties.node == net.key(node).address)
        assert await net.balance(net.key(node).address) == base_of(earned)
    assert await net.balance(net.contracts.channel_escrow.address) == DEPOSIT_WEI - total_wei
    view = network.watcher.finalized
    assert [epoch for _, epoch in view.roots] == [40, 41]
    (channel,) = view.channels.values()
    assert view.drawn_in_lane[(channel_id(net.contracts, channel.config), 0)] == total_wei


@pytest.mark.parametrize("step", list(Step), ids=str)
@pytest.mark.parametrize("function", ["anchor", "collect"])
def test_a_settler_killed_at_any_step_of_an_epoch_settles_it_once(
    on_devnet: OnDevnet, function: str, step: Step
) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net)
        total = await accepted_epochs(network, 40, 41)
        doomed = Life(network, function=function, step=step)
        with pytest.raises(Killed):
            await doomed.live()
        await doomed.end()
        await live_until_settled(network, total)
        await claim_everything(network)
        await check_to_the_unit(network, total)

    on_devnet(main)


def test_a_settler_killed_at_every_step_in_turn_settles_once(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net)
        total = await accepted_epochs(network, 40, 41)
        deaths = 0
        for function, step in itertools.product(("anchor", "collect"), Step):
            doomed = Life(network, function=function, step=step)
            try:
                await doomed.live(4)
            except Killed:  # not by what was done in an earlier life
                deaths += 1
            await doomed.end()
        assert deaths >= 5
        await live_until_settled(network, total)
        await claim_everything(network)
        await check_to_the_unit(network, total)

    on_devnet(main)


def test_a_gateway_that_never_closes_its_epoch_pays_from_its_bond_up_to_the_line(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net)
        config = await network.open_channel("payer-1", amount_wei=DEPOSIT_WEI)
        large = network.work(config, "node-1", tokens_in=200_000_000, tokens_out=50_000_000)
        small = network.work(config, "node-2", tokens_in=50_000, tokens_out=10_000)
        receipts = [network.books.answer(40, work) for work in (large, small)]
        assert base_of(receipts[0].shares.node) > LINE_WEI
        seals = seal(network.books.key, net.domain, [receipt.struct_hash() for receipt in receipts])
        anyone = await net.sender("anyone", dgai_wei=0)

        async def claim(at: int) -> None:
            await claims.claim_by_default(anyone, net.contracts, kind=Kind.NODE, receipt=receipts[at], seal=seals[at])

        await net.pass_time(180)
        opened = await net.contracts.settlement.read(net.rpc, "bondOf", [network.books.key.address])
        for at in (0, 1):
            await claim(at)
        node_1, node_2 = net.key("node-1").address, net.key("node-2").address
        assert await net.balance(node_1) == LINE_WEI
        assert await net.balance(node_2) == base_of(receipts[1].shares.node)
        left = await net.contracts.settlement.read(net.rpc, "bondOf", [network.books.key.address])
        assert opened - left == LINE_WEI + base_of(receipts[1].shares.node)
        other = await net.sender("another", dgai_wei=0)
        with pytest.raises(Reverted):  # twice is refused, by whoever asks
            await claims.claim_by_default(other, net.contracts, kind=Kind.NODE, receipt=receipts[1], seal=seals[1])
        assert await net.balance(node_2) == base_of(receipts[1].shares.node)

    on_devnet(main)
