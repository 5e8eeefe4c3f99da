"""Signs receipts off the hot path: batches of at most 64, at most 50 ms after billing (at once when somebody asks for a
receipt), and only what is safe on disk: one sync for all that wait.

A place is signed only after its row has been synced, so that no power cut can lead to another receipt at the same
place. The signature is stored before it leaves. After a crash the rows without a signature are signed as they stand.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from dgrid.core.errors import DGridError
from dgrid.gateway.outbox import Outbox
from dgrid.store.ledger import Ledger
from dgrid.store.ledger_rows import SealedBatch, Unsealed
from dgrid.wire.frames import SignedReceipt
from dgrid.wire.seals import SEAL_MESSAGES_MAX, Seal, seal
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

DELAY_S = 0.05
WAITING_MAX = 2 * SEAL_MESSAGES_MAX  # then without delay; far below what a node lets stand without a signed receipt
AGAIN_S = 0.5


class ReceiptSealer:
    """Seals one lane's receipts in the order of their places."""

    def __init__(self, ledger: Ledger, outbox: Outbox, *, key: SigningKey, domain: Domain) -> None:
        self.on_sealed: Callable[[int], None] = lambda count: None
        self.before_signing: Callable[[], None] = lambda: (
            None
        )  # in a thread; brings to the disk what belongs to a receipt
        self._ledger, self._outbox, self._key, self._domain = ledger, outbox, key, domain
        self._pending: list[Unsealed] = []
        self._due = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-sync")

    def start(self, unsealed: list[Unsealed]) -> None:
        """Takes over what a crash left unsigned, then whatever is billed."""
        self._ledger.on_billed = self.add
        self._task = asyncio.create_task(self._run(), name="seal receipts")
        if unsealed:
            self.add(unsealed)

    def add(self, unsealed: list[Unsealed]) -> None:
        """Receipts that were just committed, in the order of their places."""
        self._pending += unsealed
        self._idle.clear()
        if len(self._pending) >= WAITING_MAX:
            self._due.set()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY_S, self._due.set)

    async def settled(self) -> None:
        """Until everything billed so far is signed, which begins now."""
        if self._pending:
            self._due.set()
        await self._idle.wait()

    async def stop(self) -> None:
        """Signs what is left, then ends."""
        if self._pending:
            self._due.set()
            try:
                await asyncio.wait_for(self.settled(), 2.0)
            except TimeoutError:
                logger.warning("%d receipts will be signed after the next start", len(self._pending))
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown()

    async def _run(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            batch, self._pending = self._pending, []
            try:
                await self._seal(batch)
            except DGridError as error:
                logger.error("receipts could not be signed yet: %s", error.message)
                self._pending = batch + self._pending
                await asyncio.sleep(AGAIN_S)
                self._due.set()
            if not self._pending:
                self._idle.set()

    async def _seal(self, unsealed: list[Unsealed]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._sync)
        batches: list[SealedBatch] = []
        sealed: list[tuple[Unsealed, Seal]] = []
        for part in neighbours(unsealed):
            seals = seal(self._key, self._domain, [one.struct_hash for one in part])
            batches.append(SealedBatch(part[0].epoch, part[0].sequence, len(part), seals[0].signature))
            sealed += zip(part, seals, strict=True)
        await self._ledger.keep_batches(batches)
        for one, made in sealed:
            self._outbox.post(one.node, one.struct_hash, receipt=SignedReceipt(one.packed, made))
        self.on_sealed(len(sealed))
        if self._ledger.log_is_long:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._ledger.checkpoint)

    def _sync(self) -> None:
        self.before_signing()
        self._ledger.sync()


def neighbours(unsealed: list[Unsealed]) -> list[list[Unsealed]]:
    """Runs of one epoch, at most 64 long: what one signature may cover."""
    runs: list[list[Unsealed]] = []
    for _, group in groupby(unsealed, key=lambda one: one.epoch):
        run = list(group)
        runs += [run[at : at + SEAL_MESSAGES_MAX] for at in range(0, len(run), SEAL_MESSAGES_MAX)]
    return runs
