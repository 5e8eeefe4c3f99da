"""A settling network with a watcher beside it, whose key may do nothing but pay gas."""

import time
from dataclasses import dataclass

from tests.devnet import Devnet
from tests.network.dishonest.gateway import Liar
from tests.settlement.books import Close
from tests.settlement.network import STAKE_WEI, Settling, settling

from dgrid.chain.funding import fund_dev
from dgrid.chain.view import ChainView
from dgrid.core.money import BPS, WEI
from dgrid.core.places import Place
from dgrid.processes.chain_side import ChainSide
from dgrid.processes.life import now_ms
from dgrid.processes.watcher import Timing, Watch, opened_watch
from dgrid.settlement.closing import ClosedEpoch, close_epoch
from dgrid.watcher.evidence import HeldReceipt
from dgrid.wire.blob import decode_record
from dgrid.wire.messages import ChannelConfig, InferenceReceipt

WATCHDOG = "watchdog"
EPOCHS = (100, 101, 103)
LIAR_EPOCH = 104
PATIENCE_MS = 10_000


@dataclass
class Later:
    """The clock on the wall, moved on by hand."""

    ahead_ms: int = 0

    def now_ms(self) -> int:
        return now_ms() + self.ahead_ms


@dataclass
class Watched:
    """A settling network, what its payers opened, and the watcher."""

    network: Settling
    watch: Watch
    channels: dict[str, ChannelConfig]
    clock: Later

    @property
    def net(self) -> Devnet:
        return self.network.net

    def work(self, epoch: int, *, lanes: tuple[int, ...] = (0, 2)) -> None:
        """Four answers in each lane, by two nodes to two payers."""
        for lane in lanes:
            for index in range(4):
                config = self.channels[f"payer-{index % 2 + 1}"]
                node = f"node-{index // 2 + 1}"
                work = self.network.work(config, node, tokens_in=10_000 + 7 * index + epoch, tokens_out=100 * index)
                self.network.books.answer(epoch, work, lane=lane)

    async def anchor(self, epoch: int, *, close: Close = close_epoch) -> ClosedEpoch:
        vouchers = [self.network.voucher(name, config, 90 * WEI) for name, config in self.channels.items()]
        return await self.network.anchor(epoch, *vouchers, close=close)

    async def history(self) -> None:
        """Three honest epochs of lanes 0 and 2; in the second lane 2 is idle."""
        for epoch in EPOCHS:
            self.work(epoch, lanes=(0,) if epoch == EPOCHS[1] else (0, 2))
            await self.anchor(epoch)

    async def lie(self, lie: str) -> ClosedEpoch:
        """An epoch that is closed with a lie."""
        self.work(LIAR_EPOCH)
        return await self.anchor(LIAR_EPOCH, close=Liar(lie, self.network.books.key, []).close)

    def held(self, place: Place) -> HeldReceipt:
        """The receipt that the gateway signed and its client keeps."""
        for row in self.network.books.rows[place.epoch]:
            if (row.lane, row.sequence) == (place.lane, place.sequence):
                record = decode_record(row.record)
                return HeldReceipt(InferenceReceipt.unpacked(record.receipt), record.seal)
        raise AssertionError(f"nothing was signed for {place}")

    async def step(self) -> ChainView:
        """One step of the watcher, over all that is anchored; the chain after it."""
        side = self.watch.side
        block = self.network.watcher.block
        await side.watcher.until(lambda view: side.watcher.block >= block, timeout_s=30)
        await self.watch.step()
        head = int(await self.net.rpc.call("eth_blockNumber", []), 16)
        await self.net.rpc.call("anvil_mine", ["0x3"])
        for watcher in (self.network.watcher, side.watcher):
            await watcher.until(lambda view, seen=watcher: seen.block >= head, timeout_s=30)  # type: ignore[misc]
        return side.watcher.finalized

    async def pass_time(self, seconds: int) -> None:
        """On the wall and on the chain."""
        self.clock.ahead_ms += 1000 * seconds
        await self.net.pass_time(seconds)

    def withhold(self, closed: ClosedEpoch) -> None:
        """The archives forget what they promised to keep."""
        for store in self.network.stores:
            store.forget(closed.blob_id)

    async def fund_deposit(self) -> None:
        """The watcher's key gets what one demand takes."""
        deposit = self.network.watcher.finalized.parameters.last.demand_deposit_wei
        await fund_dev(self.net.rpc, self.net.contracts, address=self.net.key(WATCHDOG).address, dgai_wei=deposit)

    async def reward(self) -> int:
        return await self.net.balance(self.net.key(WATCHDOG).address)

    async def bond(self) -> int:
        gateway = self.network.books.key.address
        found: int = await self.net.contracts.settlement.read(self.net.rpc, "bondOf", [gateway])
        return found

    async def supply(self) -> int:
        found: int = await self.net.contracts.dgai.read(self.net.rpc, "totalSupply")
        return found


async def watched(net: Devnet) -> Watched:
    network, clock = await settling(net), Later()
    channels = {name: await network.open_channel(name, amount_wei=100 * WEI) for name in ("payer-1", "payer-2")}
    return Watched(network, await a_watch(net, network, clock), channels, clock)


async def a_watch(net: Devnet, network: Settling, clock: Later, *, name: str = WATCHDOG) -> Watch:
    """A watcher with money for gas and one deposit, over its folder; called twice, as after a restart."""
    sender, eyes = await net.sender(name, dgai_wei=0), await net.watcher(f"{name}-eyes-{time.time_ns()}")
    side = ChainSide(net.rpc, net.contracts, eyes, sender)
    timing = Timing(clock.now_ms, PATIENCE_MS)
    return opened_watch(side, net.folder / name, archives=network.archives, stack=net.stack, timing=timing)


@dataclass(frozen=True)
class Before:
    """What there was before the conviction."""

    supply_wei: int
    bond_wei: int

    @classmethod
    async def of(cls, stage: Watched) -> "Before":
        return cls(await stage.supply(), await stage.bond())


async def assert_convicted(stage: Watched, *, epoch: int, before: Before) -> None:
    """Half of bond and stake is gone: a fifth of it to the watcher, the rest burned."""
    view = stage.watch.side.watcher.finalized
    assert view.convicted == {stage.network.books.key.address: epoch}
    slashed = (before.bond_wei + STAKE_WEI) * 5_000 // BPS
    assert await stage.bond() == before.bond_wei // 2
    assert await stage.reward() == slashed * 2_000 // BPS
    assert before.supply_wei - await stage.supply() == slashed - slashed * 2_000 // BPS
