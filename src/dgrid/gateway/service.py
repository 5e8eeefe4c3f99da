"""One gateway in one event loop: every part built once, started in order, stopped in the other order.

It is given its chain facts, archives and settlers, so the same gateway runs in a process, in a test and in a
simulation.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from dgrid.core.epochs import EpochClock
from dgrid.core.money import BPS
from dgrid.gateway.admit import Admission, Door
from dgrid.gateway.api import GatewayApi, Rooms
from dgrid.gateway.bill import Cashier
from dgrid.gateway.closing import EpochCloser, Office, Partners
from dgrid.gateway.counting import Counts, TokenizerSource
from dgrid.gateway.credibility import CredibilityReader
from dgrid.gateway.debts import Debts
from dgrid.gateway.disclosing import Bureau, Discloser
from dgrid.gateway.dispatch import Desk, Dispatcher
from dgrid.gateway.exposure import Exposure
from dgrid.gateway.judging_views import JudgingViews
from dgrid.gateway.outbox import Outbox
from dgrid.gateway.pipeline import Limits, Parts, Pipeline
from dgrid.gateway.presence import Presence
from dgrid.gateway.quality_views import QualityViews
from dgrid.gateway.route import Router
from dgrid.gateway.route.market import Market
from dgrid.gateway.route.standing import Credibility
from dgrid.gateway.sealing import ReceiptSealer
from dgrid.gateway.signing import GroupSealer
from dgrid.gateway.tariff import Tariff
from dgrid.gateway.views import Sources, Views
from dgrid.machine.lasting import lasting
from dgrid.poq.tasks import task_of
from dgrid.store.contents import Contents
from dgrid.store.ledger import Ledger
from dgrid.store.ledger_reading import LedgerReader
from dgrid.store.ledger_rows import EpochState
from dgrid.telemetry import Gauge, Metrics
from dgrid.wire.failures import Failures
from dgrid.wire.frames import SignedReceipt
from dgrid.wire.http import AddressRule, ClientLimits, HttpClient, any_address
from dgrid.wire.server import Reply, Request
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

REMEMBERED_MAIL = 64
CONTENTS_BYTES_MAX = 16 * 1024**3
TIDY_S = 60.0
EXPOSURE_LOOK_S = 0.5
DOUBTFUL_EPOCHS_MAX = 256
Page = Callable[[str], Reply | None]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a gateway is told."""

    key: SigningKey
    folder: Path
    domain: Domain
    channels: Domain
    token: bytes
    contracts: Mapping[str, str]
    clock: EpochClock
    margin_bps: int
    timeout_s: float = 120.0
    attempts: int = 3
    allow: AddressRule = any_address
    quality: Mapping[str, int] = field(default_factory=dict)


class GatewayService:
    """A gateway, ready to be asked once it has started."""

    def __init__(
        self,
        settings: Settings,
        partners: Partners,
        *,
        tokenizers: TokenizerSource,
        now_ms: Callable[[], int],
        pages: Sequence[Page] = (),
    ) -> None:
        self._settings, self._partners, self._now_ms, self._pages = settings, partners, now_ms, pages
        self.metrics, self.failures = Metrics(), Failures()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stack = AsyncExitStack()
        key, chain = settings.key, partners.chain
        limits = ClientLimits(first_byte_s=settings.timeout_s, gap_s=settings.timeout_s, total_s=settings.timeout_s)
        self.http = HttpClient(limits, allow=settings.allow)
        self.ledger = Ledger(settings.folder, gateway=key.address, clock=settings.clock, now_ms=now_ms)
        self._stack.callback(self.ledger.close)
        self.contents = Contents(settings.folder / "contents", capacity_bytes=CONTENTS_BYTES_MAX)
        self._stack.callback(self.contents.close)
        self.ledger.before_commit = self.contents.flush
        self.reader = LedgerReader(self.ledger.path)
        self._stack.callback(self.reader.close)
        self.outbox = Outbox(self._history)
        self.sealer = ReceiptSealer(self.ledger, self.outbox, key=key, domain=settings.domain)
        self.counts = Counts(tokenizers)
        self.debts = Debts(self.ledger.node_total, lambda: self.presence.nodes)
        self.exposure = Exposure(self.ledger.node_total, lambda: self.presence.nodes)
        self.tariff = Tariff(settings.margin_bps, chain.parameters, self._epoch_now)
        owed_wei, exposed_wei = self.debts.owed_wei, self.exposure.exposed_wei
        self.router = Router(self.counts, owed_wei, exposed_wei, self._new_share, now_ms, task_of)
        self.presence = Presence(
            chain, self.http, settings.domain.chain_id, self.tariff, settings.quality, self._publish
        )
        self.credibility = CredibilityReader(partners.court, partners.archives, publish=self._believe)
        self.closer = self._closer()
        self.discloser = self._discloser()
        self.api = self._api()

    def handle(self, request: Request) -> Awaitable[Reply]:
        """Answers one HTTP request."""
        return self.api.handle(request)

    async def start(self) -> None:
        """Takes over what an earlier process left, then watches nodes and epochs."""
        self._stack.push_async_callback(self.http.close)
        self.sealer.on_sealed = self.metrics.receipts.add
        self.sealer.before_signing = self.contents.sync
        self.sealer.start(self.reader.unsealed())
        self._stack.push_async_callback(self.sealer.stop)
        self._restore_exposure()
        judged = self.discloser.run, self.credibility.run
        for work in (self.presence.run, self.closer.run, *judged, self._watch_exposure, self._tidy):
            self._stack.push_async_callback(ended, self.spawn(lasting(work)))

    async def stop(self) -> None:
        """Ends everything; what is billed is signed first."""
        await self._stack.aclose()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        """Runs something beside the requests; it ends with the gateway."""
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a background task failed", exc_info=error)

    def _epoch_now(self) -> int:
        return self._settings.clock.epoch_at(self._now_ms())

    def _quorum(self) -> int:
        return self.tariff.now.stored_quorum

    def _new_share(self) -> float:
        return self.tariff.now.exploration_bps / BPS

    def _publish(self, market: Market) -> None:
        self.router.see(market=market)

    def _believe(self, credibility: Credibility) -> None:
        self.router.see(credibility=credibility)

    def _history(self, node: bytes) -> list[tuple[bytes, SignedReceipt]]:
        found = self.reader.of_node(node, REMEMBERED_MAIL)
        return [(struct_hash, SignedReceipt(packed, seal)) for struct_hash, packed, seal in found]

    def _cheapest_wei(self, model: str) -> int:
        market = self.router.market.models.get(model)
        return 0 if market is None else market.sellers[0].blended_wei

    def _closer(self) -> EpochCloser:
        settings = self._settings
        office = Office(
            settings.key,
            settings.domain,
            settings.channels,
            settings.token,
            settings.clock,
            self._quorum,
            settings.folder,
            self._now_ms,
        )
        closer = EpochCloser(self.ledger, self.sealer, office=office, partners=self._partners)
        closer.on_step = self._epoch_step
        self._stack.callback(closer.close)
        return closer

    def _discloser(self) -> Discloser:
        settings, partners = self._settings, self._partners
        bureau = Bureau(
            settings.key,
            settings.domain,
            settings.clock,
            self._quorum,
            settings.folder,
            self.ledger.path,
            self._now_ms,
        )
        discloser = Discloser(self.contents, bureau=bureau, court=partners.court, archives=partners.archives)
        discloser.on_step = lambda epoch, step: self.metrics.disclosures.add(1, step.value)
        self._stack.callback(discloser.close)
        return discloser

    def _epoch_step(self, epoch: int, state: EpochState) -> None:
        self.metrics.epochs.add(1, state.value)
        if state is EpochState.CLOSED:
            self.debts.closed(epoch)
            self.exposure.closed(epoch)
        elif state is EpochState.ANCHORED:
            self.debts.anchored(epoch)

    def _api(self) -> GatewayApi:
        settings, chain = self._settings, self._partners.chain
        gateway, fence = settings.key.address, self.ledger.fence
        sealer = GroupSealer(settings.key, settings.domain, lambda: self.ledger.open_holds)
        timeout_ms = int(settings.timeout_s * 1000)
        desk = Desk(gateway, self.http, sealer, self.outbox, fence, timeout_ms, self._now_ms, self.spawn)
        admission = Admission(Door(gateway, settings.domain, settings.channels, chain, fence, self._now_ms))
        parts = Parts(
            admission,
            self.router,
            Dispatcher(desk),
            self.counts,
            Cashier(self.ledger, self.contents, tariff=self.tariff, cheapest=self._cheapest_wei),
            self.ledger,
            settings.domain,
            self.metrics,
            self.failures,
            self._now_ms,
            self.spawn,
        )
        self.metrics.gauges += self._gauges()
        pipeline = Pipeline(parts, Limits(attempts=settings.attempts))
        sources = self._sources()
        rooms = Rooms(
            pipeline,
            admission,
            Views(sources),
            QualityViews(sources),
            JudgingViews(sources, self._partners.archives),
            chain,
            self.metrics,
            self._is_ready,
            self.failures,
            self._pages,
        )
        return GatewayApi(rooms)

    def _gauges(self) -> list[Gauge]:
        return [
            Gauge("dgrid_holds_open", "Requests in flight.", lambda: self.ledger.open_holds),
            Gauge("dgrid_contents_bytes", "Contents kept for the judges.", lambda: self.contents.used_bytes),
            Gauge("dgrid_contents_dropped", "Contents given up for want of room.", lambda: self.contents.dropped),
            Gauge("dgrid_credibility_round", "Routing's round.", lambda: self.router.picture.credibility.round),
        ]

    def _sources(self) -> Sources:
        settings = self._settings
        return Sources(
            settings.key.address,
            settings.domain,
            settings.token,
            settings.contracts,
            settings.clock,
            self.tariff,
            self._partners.chain,
            self.router,
            self.presence,
            self.ledger,
            self.reader,
            self.contents,
            self.sealer,
            self._partners.court,
            self.credibility,
            self._now_ms,
        )

    def _is_ready(self) -> bool:
        return self.router.can_serve()

    def _restore_exposure(self) -> None:
        closed = [row.epoch for row in self.reader.epochs(DOUBTFUL_EPOCHS_MAX) if not self._is_checked(row.epoch)]
        since = min(closed, default=self._epoch_now())
        self.exposure.restore(self.reader.totals_before(since), closed=sorted(closed))

    async def _watch_exposure(self) -> None:
        while True:
            self.exposure.look(self._is_checked)
            await asyncio.sleep(EXPOSURE_LOOK_S)

    def _is_checked(self, epoch: int) -> bool:
        return self._partners.chain.is_checked(epoch, now_ms=self._now_ms())

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_S)
            await self.ledger.forget_expired()


async def ended(task: "asyncio.Task[None]") -> None:
    """Cancels a task and waits for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
