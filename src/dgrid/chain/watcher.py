"""Follows our contracts' events: a view of what is final, which alone credits money, and one of the latest, to show.

Final logs are kept on disk, so that a role starts while the chain is away. What is not final yet is read anew whenever
the chain's head changes, and thrown away: a reorganization leaves no trace. If even a final block changes (a dev chain
that was killed, or a chain that broke its promise), all is read again from the first block, and the log says so; until
that is done the old view stays, so that nobody is refused in between.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from dgrid.chain.abi import AbiError
from dgrid.chain.attendance import Attendance
from dgrid.chain.contracts import Contracts
from dgrid.chain.cursor import Cursor, Timed
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.events import ChainEvent
from dgrid.chain.facts import Facts, read_facts
from dgrid.chain.reading import event_of
from dgrid.chain.rpc import Block, RawLog, Rpc, RpcError
from dgrid.chain.view import ChainView, fold
from dgrid.core.epochs import EpochClock
from dgrid.core.errors import ChainUnavailable, NotYet

logger = logging.getLogger(__name__)

FILE_NAME = "chain.sqlite"
BLOCKS_AT_ONCE = 2_000
STALE_POLLS = 20
Callback = Callable[[ChainEvent], None]


class ChainWatcher:
    """One role's eyes on the chain. `start` it, read `finalized`; `stop` it."""

    def __init__(self, rpc: Rpc, contracts: Contracts, folder: Path | None, *, poll_ms: int = 500) -> None:
        """Without a folder it keeps nothing and reads everything anew."""
        self._rpc, self._contracts, self._poll_ms = rpc, contracts, poll_ms
        self._cursor = Cursor(None if folder is None else folder / FILE_NAME)
        self._cursor.bind(contracts.chain_id.to_bytes(8, "big") + contracts.settlement.address)
        self._addresses = [contract.address for contract in contracts.watched]
        self._first_block = contracts.first_block
        self._facts = self._cursor.facts
        if self._facts is None:  # nothing was seen yet, or by an earlier version that kept other facts
            self._cursor.forget()
        self._last = self._cursor.last
        self._head: Block | None = None
        self._callbacks: list[Callback] = []
        self._changed, self._polling = asyncio.Event(), asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._seen_s: float | None = None
        self.unreachable_since_ms: int | None = None
        self.attendance = Attendance()  # when the chain was followed
        self.version = 0  # grows whenever the final view changes
        self._draft = self._empty_view()  # what is read and not shown yet
        self._news: list[ChainEvent] = []
        self.finalized = self.latest = self._draft
        self.block = -1  # the final block `finalized` stands at
        self.final_s = 0  # its time, Unix seconds

    # --- what others read ---------------------------------------------------------------------------------------------

    @property
    def facts(self) -> Facts:
        """The deployment's terms. Raises NotYet before the chain was seen for the first time."""
        if self._facts is None:
            raise NotYet("the chain has not been seen yet")
        return self._facts

    @property
    def clock(self) -> EpochClock:
        """The network's epochs. Raises NotYet before the chain was seen for the first time."""
        return self.facts.clock

    @property
    def latest_s(self) -> int:
        """The newest block's time, Unix seconds, as of the last poll: what a contract would have been told."""
        return self.final_s if self._head is None else max(self.final_s, self._head.timestamp_s)

    @property
    def is_stale(self) -> bool:
        """Whether the views may be old: the chain has not answered for many polls."""
        return self._seen_s is None or (time.monotonic() - self._seen_s) * 1000 > STALE_POLLS * self._poll_ms

    def on_finalized(self, callback: Callback) -> None:
        """Calls back with each event that becomes final from now on. The view is the truth; this only wakes."""
        self._callbacks.append(callback)

    async def until(self, holds: Callable[[ChainView], bool], *, timeout_s: float) -> ChainView:
        """The final view once it `holds`. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not holds(self.finalized):
                await self._changed.wait()
        return self.finalized

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Loads what was seen, reads on, and follows. Waits for the chain only if the network was never seen on it."""
        self.load()
        await self._try_poll()
        while self._last is None or self.finalized.parameters.is_empty:
            await asyncio.sleep(self._poll_ms / 1000)
            await self._try_poll()
        self._task = asyncio.create_task(self._follow())

    def load(self) -> None:
        """The view as it was last kept."""
        if self._last is not None:
            self._draft = fold(self._empty_view(), self._events(self._cursor.logs()))
            self.finalized = self.latest = self._draft
            self.block, self.final_s = self._last.number, self._last.timestamp_s

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._cursor.close()

    async def poll(self) -> None:
        """Reads what is new, once; of two at a time the second after the first. Raises ChainUnavailable, RpcError."""
        async with self._polling:
            await self._read_on()

    async def _read_on(self) -> None:
        final, head = await self._rpc.heads()
        if self._last is not None and not await self._still_holds(self._last, final):
            self._start_over()
        if self._facts is None or self._last is None:
            self._facts = await read_facts(self._rpc, self._contracts)
            self._cursor.keep_facts(self._facts)
            self._draft = self._empty_view()
        await self._advance(final)
        if self._last is None:
            raise ChainUnavailable(f"the chain has not come to block {self._first_block}, the contracts' first")
        self._publish(self._last)
        await self._show(head)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll_ms / 1000)
            await self._try_poll()

    async def _try_poll(self) -> None:
        try:
            await self.poll()
        except (ChainUnavailable, RpcError, AbiError, sqlite3.Error) as error:  # a full disk passes too
            if self.unreachable_since_ms is None:
                logger.warning("the chain cannot be read, or what was read cannot be kept: %s", error)
                self.unreachable_since_ms = int(time.time() * 1000)
            return
        if self.unreachable_since_ms is not None:
            logger.info("the chain is read again, up to block %d", self.block)
        self.unreachable_since_ms = None
        self._seen_s, wall_s = time.monotonic(), time.time()
        self.attendance = self.attendance.looked(max(self.latest_s, int(wall_s)), wall_s=wall_s)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # --- final blocks -------------------------------------------------------------------------------------------------

    async def _still_holds(self, last: Block, final: Block) -> bool:
        if final.number == last.number:
            return final.hash == last.hash
        found = await self._rpc.agreed_block(last.number)  # no single endpoint may make us forget
        if found is None and self._contracts.chain_id != DEV_CHAIN_ID:
            raise ChainUnavailable(f"the endpoint does not know block {last.number}, which was final: it lags")
        return found is not None and found.hash == last.hash

    def _start_over(self) -> None:
        logger.error("the chain lost block %d, which was final; all is read again from the first block", self.block)
        self._cursor.forget()
        self._last = self._head = None
        self._news.clear()

    async def _advance(self, final: Block) -> None:
        span = BLOCKS_AT_ONCE
        while (first := self._first_block if self._last is None else self._last.number + 1) <= final.number:
            until = final if final.number - first < span else (await self._rpc.blocks([first + span - 1]))[0]
            try:
                logs = await self._rpc.logs(first, until, self._addresses)
            except RpcError:
                if span == 1:
                    raise
                span = max(1, span // 2)  # endpoints limit how much they answer at once, each differently
                continue
            self._take(await self._timed(logs), until)

    def _take(self, logs: list[Timed], until: Block) -> None:
        self._cursor.append(logs, until)
        self._last = until
        if events := list(self._events(logs)):
            self._draft = fold(self._draft, events)
            self._news += events

    def _publish(self, final: Block) -> None:
        self.block, self.final_s = final.number, final.timestamp_s
        if self._draft is self.finalized:
            return
        self.finalized, news = self._draft, self._news
        self._news = []
        self.version += 1
        for event in news:
            for callback in self._callbacks:
                callback(event)

    async def _timed(self, logs: Sequence[RawLog]) -> list[Timed]:
        numbers = sorted({log.block_number for log in logs})
        blocks = {block.number: block for block in await self._rpc.blocks(numbers)}
        if any(blocks[log.block_number].hash != log.block_hash for log in logs):
            raise ChainUnavailable("the chain was reorganized while it was read")
        return [Timed(log, blocks[log.block_number].timestamp_s) for log in logs]

    # --- the latest blocks --------------------------------------------------------------------------------------------

    async def _show(self, head: Block) -> None:
        if self._head is not None and head.hash == self._head.hash:
            return
        logs = [] if head.number <= self.block else await self._rpc.logs(self.block + 1, head, self._addresses)
        events = list(self._events(await self._timed(logs)))
        self.latest = fold(self.finalized, events) if events else self.finalized
        self._head = head

    def _events(self, logs: Iterable[Timed]) -> Iterator[ChainEvent]:
        for one in logs:
            decoded = self._contracts.decode_log(one.log)
            if decoded is not None and (event := event_of(decoded, timestamp_s=one.timestamp_s)) is not None:
                yield event

    def _empty_view(self) -> ChainView:
        return ChainView() if self._facts is None else ChainView(facts=self._facts)
