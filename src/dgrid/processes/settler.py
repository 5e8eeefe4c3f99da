"""A settler's whole life: signed roots in, anchored on chain in order; then what payers owe is collected.

It is trusted with nothing: roots are signed by gateways, money goes where receipts say. It needs gas, no stake. Several
may run at once; the chain takes each root and each unit of money once.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from dgrid.chain.events import ChainEvent, Role
from dgrid.chain.funding import fund_dev
from dgrid.chain.watcher import ChainWatcher
from dgrid.config import SettlerConfig
from dgrid.core.errors import (
    AuthenticationError,
    ChainUnavailable,
    IdempotencyConflict,
    InvalidRequest,
    InvalidSignature,
    NotYet,
    RouteNotFound,
)
from dgrid.core.identity import Address, address_from_hex, to_hex
from dgrid.processes.chain_side import ChainSide, chain_side, until_done
from dgrid.processes.life import now_ms, run_until_signal
from dgrid.settlement.anchoring import Anchorer, AnchorOrder, AnchorQueue, AnchorRow
from dgrid.settlement.archives import LIMITS, Archives, doors_of
from dgrid.settlement.collecting import Collector
from dgrid.settlement.collection import Collections
from dgrid.settlement.demands import SPREAD_MS, Answerer
from dgrid.settlement.finishing import may_finish
from dgrid.settlement.records import Records
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.settlement.watchers import WatcherDoors
from dgrid.wire.http import HttpClient
from dgrid.wire.server import Reply, Request, Server, json_reply
from dgrid.wire.typed import Domain, channel_domain

logger = logging.getLogger(__name__)

ANCHORS = "/v1/anchors"
TICK_S = 1.0
ANSWER_AFTER_MS = 2_000  # archives come first: they are paid to keep
FINAL_S = 30.0
EPOCH_DIGITS_MAX = 18  # that are looked at: more are no epoch, and no database takes them


def run(config: SettlerConfig) -> None:
    """Serves until SIGTERM or SIGINT. Raises DGridError when it cannot start."""
    run_until_signal(_live(config))


async def _live(config: SettlerConfig) -> None:
    async with chain_side(config) as side, contextlib.AsyncExitStack() as stack:
        http = HttpClient(LIMITS)
        stack.push_async_callback(http.close)
        queue = AnchorQueue(config.folder / "anchors.sqlite")
        stack.callback(queue.close)
        escrow = channel_domain(config.chain.chain_id, side.contracts.channel_escrow.address)
        collections = Collections(config.folder / "collections.sqlite", domain=escrow)
        stack.callback(collections.close)
        archives = Archives(http, lambda: doors_of(side.watcher.latest, urls=config.archive_urls), domain=side.domain)
        records = Records(lambda: side.watcher.finalized, archives)
        collector = Collector(collections, records, sender=side.sender, contracts=side.contracts)
        answerer = Answerer(
            archives.fetch, side.sender, side.contracts, side.domain, now_ms, ANSWER_AFTER_MS, SPREAD_MS
        )
        loop = SettlerLoop(side, queue, collector, answerer=answerer)
        watchers = WatcherDoors(http, config.watcher_urls)
        service = SettlerService(queue, side.watcher, side.domain, loop.wake, watchers)
        server = Server(service.handle, host=config.host, port=config.port)
        stack.push_async_callback(server.stop)
        await server.start()
        logger.info("settler at %s, %d roots waiting", config.url, len(queue.waiting()))
        await loop.run(is_dev=config.dev)


class SettlerLoop:
    """Anchors and collects whenever something happened, and at every tick; answers demands where it can."""

    def __init__(
        self, side: ChainSide, queue: AnchorQueue, collector: Collector, *, answerer: Answerer | None = None
    ) -> None:
        self._side, self._collector, self._answerer = side, collector, answerer
        self._anchorer = Anchorer(queue, side.sender, side.contracts)
        self._woken = asyncio.Event()
        side.watcher.on_finalized(self._on_event)

    def wake(self) -> None:
        """There is something to do."""
        self._woken.set()

    async def run(self, *, is_dev: bool) -> None:
        """Runs until cancelled."""
        if is_dev:
            side = self._side
            address = side.sender.address
            await until_done(lambda: fund_dev(side.rpc, side.contracts, address=address), what="gas money")
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._woken.wait()
            self._woken.clear()
            await self.step()

    async def step(self) -> None:
        """Anchors what waits, then collects what is due."""
        watcher = self._side.watcher
        try:
            await self._anchorer.send_waiting(watcher.finalized)
            if self._answerer is not None:
                await self._answerer.step(watcher.finalized)
            await self._collector.absorb_new()
            block = await self._collector.collect(watcher.finalized)
        except ChainUnavailable as error:
            logger.debug("the chain is away: %s", error.message)
            return
        if block is not None:  # until the drawing is final, the view would call the same rows due
            with contextlib.suppress(TimeoutError):
                await watcher.until(lambda _view: watcher.block >= block, timeout_s=FINAL_S)

    def _on_event(self, _event: ChainEvent) -> None:
        self.wake()


class OutOfService(AuthenticationError):
    """A registered gateway that may not take part now."""

    code = "out_of_service"


@dataclass(frozen=True, slots=True)
class SettlerService:
    """What a settler answers."""

    queue: AnchorQueue
    watcher: ChainWatcher
    domain: Domain
    wake: Callable[[], None]
    watchers: WatcherDoors | None = None

    async def handle(self, request: Request) -> Reply:
        """One request. Raises DGridError, which becomes an error reply."""
        if request.path == "/healthz":
            return self._health()
        if request.path == ANCHORS and request.method == "POST":
            return await self._accept(request.body)
        if request.path.startswith(ANCHORS + "/") and request.method == "GET":
            return self._show(request.path.removeprefix(ANCHORS + "/"))
        raise RouteNotFound(f"a settler has no {request.method} {request.path}")

    async def _accept(self, body: bytes) -> Reply:
        order = AnchorOrder.from_json(body, domain=self.domain)
        member = self.watcher.latest.members.get((Role.GATEWAY, Address(order.root.gateway)))
        if member is None:
            raise InvalidSignature(f"{to_hex(order.root.gateway)} is not a registered gateway")
        if not may_finish(self.watcher.latest, member.address, epoch=order.root.epoch, now_s=self.watcher.latest_s):
            raise OutOfService(
                f"{to_hex(order.root.gateway)} is out of service: its stake is below the least, or it is jailed",
                hint="`dgrid stake gateway` adds to its stake, `dgrid unjail gateway` ends a jail whose time is over; "
                "what it began later, or too long ago, waits meanwhile",
            )
        self._require_begun(order.root.epoch)
        try:
            row = self.queue.accept(order)
        except IdempotencyConflict:
            await self._report(order)
            raise
        self.wake()
        return json_reply(_row_json(row), 202)

    def _require_begun(self, epoch: int) -> None:
        """A root that no chain takes for years would be kept, and looked at, all that while: as many as it likes."""
        if epoch > self.watcher.clock.epoch_at(max(now_ms(), 1000 * self.watcher.latest_s)):
            raise NotYet(f"epoch {epoch} has not begun")

    async def _report(self, order: AnchorOrder) -> None:
        """A gateway that signed two roots for one epoch gave both away here."""
        known = self.queue.row(Address(order.root.gateway), order.root.epoch)
        if known is not None and self.watchers is not None:
            both = [SignedRoot(one.root, one.signature) for one in (known.order, order)]
            await self.watchers.hand_over(both)

    def _show(self, path: str) -> Reply:
        try:
            gateway, _, epoch = path.partition("/")
            row = self.queue.row(address_from_hex(gateway), int(epoch[:EPOCH_DIGITS_MAX]))
        except ValueError as error:
            raise InvalidRequest(f"not a gateway and an epoch: {error}") from None
        if row is None:
            raise RouteNotFound("this settler knows no such root")
        return json_reply(_row_json(row))

    def _health(self) -> Reply:
        return json_reply(
            {
                "role": "settler",
                "waiting": len(self.queue.waiting()),
                "chain_block": self.watcher.block,
                "chain_is_stale": self.watcher.is_stale,
            }
        )


def _row_json(row: AnchorRow) -> dict[str, object]:
    root = row.order.root
    return {
        "gateway": to_hex(root.gateway),
        "epoch": root.epoch,
        "digest": to_hex(row.order.digest),
        "state": row.state.value,
        "reason": row.reason,
    }
