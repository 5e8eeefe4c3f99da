"""A watcher's whole life: the chain followed, every anchored epoch recomputed, what is wrong taken to the contracts.

Anyone may run one, with any key that holds gas money: it needs no stake and no leave, and is paid by convictions. It is
trusted with nothing: what it says counts only as far as a contract agrees.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from dgrid.chain.events import ChainEvent
from dgrid.chain.funding import fund_dev
from dgrid.chain.view import ChainView
from dgrid.config import WatcherConfig
from dgrid.core.errors import ChainUnavailable, DGridError, StorageUnavailable
from dgrid.processes.chain_side import ChainSide, chain_side, until_done
from dgrid.processes.life import now_ms, run_until_signal
from dgrid.settlement.archives import LIMITS, Archives, doors_of
from dgrid.settlement.audit import AuditTerms
from dgrid.settlement.demands import SPREAD_MS, Answerer
from dgrid.settlement.records import Records
from dgrid.telemetry import Gauge, WatcherMetrics
from dgrid.watcher.backing_off import Backoff
from dgrid.watcher.challenges import Prosecutor
from dgrid.watcher.comparing import Comparer
from dgrid.watcher.demanding import Demander
from dgrid.watcher.door import LIMITS as DOOR_LIMITS
from dgrid.watcher.door import WatcherService
from dgrid.watcher.evidence import DOCUMENT_BYTES_MAX, Evidence
from dgrid.watcher.findings import Findings
from dgrid.watcher.memory import Memory
from dgrid.watcher.penalizing import Penalizer
from dgrid.watcher.sending import Accuser
from dgrid.watcher.watching import EpochWatch
from dgrid.wire.http import HttpClient
from dgrid.wire.server import Server

logger = logging.getLogger(__name__)

TICK_S = 1.0
ANSWER_AFTER_MS = 5_000  # archives come first: they are paid to keep
FILES_MAX = 10_000  # of a folder at one look

FileKey = tuple[str, int]  # name and time


def run(config: WatcherConfig) -> None:
    """Serves until SIGTERM or SIGINT. Raises DGridError when it cannot start."""
    run_until_signal(_live(config))


async def _live(config: WatcherConfig) -> None:
    async with chain_side(config) as side, AsyncExitStack() as stack:
        http = HttpClient(LIMITS)
        stack.push_async_callback(http.close)
        archives = Archives(http, lambda: doors_of(side.watcher.latest, urls=config.archive_urls), domain=side.domain)
        timing = Timing(patience_ms=1000 * config.patience_s)
        watch = opened_watch(side, config.folder, archives=archives, stack=stack, timing=timing)
        server = Server(watch.service.handle, host=config.host, port=config.port, limits=DOOR_LIMITS)
        stack.push_async_callback(server.stop)
        await server.start()
        logger.info("watcher at %s", config.url)
        if config.dev:
            address = side.sender.address
            await until_done(
                lambda: fund_dev(side.rpc, side.contracts, address=address, dgai_wei=int(config.purse_wei)),
                what="gas money",
            )
        await watch.run(Path(config.receipts_folder) if config.receipts_folder else None)


def opened_watch(
    side: ChainSide, folder: Path, *, archives: Archives, stack: AsyncExitStack, timing: "Timing | None" = None
) -> "Watch":
    """A watcher's parts over its folder, to be closed with `stack`."""
    timing, woken = timing or Timing(), asyncio.Event()
    backoff = Backoff(timing.now_ms)
    memory, evidence = Memory(folder / "epochs.sqlite"), Evidence(folder / "evidence.sqlite")
    findings, metrics = Findings(folder / "findings.sqlite"), WatcherMetrics()
    for kept in (memory, evidence, findings):
        stack.callback(kept.close)

    def view() -> ChainView:
        return side.watcher.finalized

    def terms(epoch: int) -> AuditTerms:
        return AuditTerms.of(view(), epoch, domain=side.domain)

    prosecutor = Prosecutor(side.contracts, Records(view, archives), view=view)
    accuser = Accuser(side.sender, findings, metrics, timing.now_ms)
    demander = Demander(side.rpc, side.contracts, accuser, metrics, view, backoff, secrets.randbelow)
    work = archives, memory, evidence, prosecutor, accuser, demander, metrics
    epochs = EpochWatch(*work, terms, side.domain, timing.now_ms, timing.patience_ms, backoff)
    metrics.gauges += _gauges(epochs)
    comparer = Comparer(evidence, prosecutor, accuser, side.rpc, side.contracts, side.domain, backoff)
    answerer = Answerer(
        archives.fetch, side.sender, side.contracts, side.domain, timing.now_ms, ANSWER_AFTER_MS, SPREAD_MS
    )
    service = WatcherService(evidence, findings, epochs, side.watcher, side.domain, metrics, timing.now_ms, woken.set)
    penalizer = Penalizer(side.rpc, side.contracts, side.sender, metrics, backoff, lambda: side.watcher.attendance)
    return Watch(side, epochs, comparer, answerer, penalizer, service, woken, backoff)


def _gauges(epochs: EpochWatch) -> list[Gauge]:
    return [
        Gauge("dgrid_watcher_epochs_away", "Epochs whose records nobody gives.", lambda: len(epochs.away)),
        Gauge("dgrid_watcher_receipts_held", "Handed in, not compared yet.", epochs.evidence.count),
    ]


@dataclass(frozen=True, slots=True)
class Timing:
    """A watcher's clock, and how long records may stay away before it demands them."""

    now_ms: Callable[[], int] = now_ms
    patience_ms: int = 30_000


@dataclass
class Watch:
    """Looks whenever something happened, and at every tick."""

    side: ChainSide
    epochs: EpochWatch
    comparer: Comparer
    answerer: Answerer
    penalizer: Penalizer
    service: WatcherService
    woken: asyncio.Event
    backoff: Backoff
    _read: set[FileKey] = field(default_factory=set)

    async def run(self, receipts: Path | None) -> None:
        """Runs until cancelled; takes receipts from a folder too."""
        self.side.watcher.on_finalized(self._on_event)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self.woken.wait()
            self.woken.clear()
            if receipts is not None and self.backoff.is_due(receipts):
                with self.backoff.trying(receipts, f"{receipts} is not read"):
                    self._take_files(await asyncio.to_thread(self._new_files, receipts))
            await self.step()

    async def step(self) -> None:
        """Compares what was handed in, checks what is new, demands and shows what is missing, reports who is silent."""
        steps = self.comparer.step, self.epochs.step, self._end_demands, self.answerer.step, self.penalizer.step
        for work in steps:
            name = work.__qualname__
            if not self.backoff.is_due(name):
                continue
            try:
                with self.backoff.trying(name, f"{name} did not end"):
                    await work(self.side.watcher.finalized)
            except ChainUnavailable as error:
                logger.debug("the chain is away: %s", error.message)

    async def _end_demands(self, view: ChainView) -> None:
        await self.epochs.demander.step(view, now_ms=self.epochs.now_ms())

    def _new_files(self, folder: Path) -> dict[FileKey, bytes]:
        """The documents in a folder that were not read before; they stay where they are."""
        found = {}
        for path in sorted(folder.glob("*.json"))[:FILES_MAX]:
            with contextlib.suppress(OSError):  # taken away meanwhile
                status = path.stat()
                key = path.name, status.st_mtime_ns
                if key not in self._read and status.st_size <= DOCUMENT_BYTES_MAX:
                    found[key] = path.read_bytes()
        return found

    def _take_files(self, documents: dict[FileKey, bytes]) -> None:
        """Keeps receipts from files; one that is none is said so and left, and no other is read again."""
        for key, document in documents.items():
            try:
                self.service.take_receipt(document)
            except StorageUnavailable as error:
                logger.debug("a file in the receipts' folder waits: %s", error.message)
                continue
            except DGridError as error:
                logger.warning("a file in the receipts' folder is left out: %s", error.message)
            self._read.add(key)

    def _on_event(self, _event: ChainEvent) -> None:
        self.woken.set()
