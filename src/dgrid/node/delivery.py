"""One admitted dispatch on its way: the engine's pieces in, frames out, the signed receipt at the end.

It ends in one of three ways: complete; cut (cancelled, late, or the engine broke off), with a receipt for what was
delivered; or with nothing delivered, which is an error and costs nothing. Nobody is asked to pay for what a gone
gateway did not get: then nothing is signed.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from dgrid.core.errors import DGridError, EngineError
from dgrid.engines.engine import EngineUnavailable, EngineUsage, Event, Finish, Piece
from dgrid.node.admit import Admitted
from dgrid.node.books import Work
from dgrid.node.completions import Counts, Heading, StreamWriter, WholeWriter
from dgrid.node.evidence import EvidenceCollector
from dgrid.node.metering import Meter, MeterTerms
from dgrid.node.receipts import Delivered, Sealer
from dgrid.wire.answers import CHOICE_SEPARATOR, Answer

logger = logging.getLogger(__name__)


class Interrupted(Exception):
    """The wait for the engine was ended from outside."""


class Leash:
    """Waits for events until a deadline, or until someone pulls."""

    __slots__ = ("_deadline_s", "_scope", "pulled")

    def __init__(self, deadline_s: float) -> None:
        """`deadline_s` in the event loop's own time."""
        self._deadline_s = deadline_s
        self._scope: asyncio.Timeout | None = None
        self.pulled = False

    def pull(self) -> None:
        """Ends the wait that runs, and every later one."""
        self.pulled = True
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def next(self, events: AsyncGenerator[Event, None]) -> Event:
        """The next event. Raises Interrupted, EngineError."""
        if self.pulled:
            raise Interrupted
        try:
            async with asyncio.timeout_at(self._deadline_s) as self._scope:
                return await anext(events)
        except TimeoutError:
            raise Interrupted from None
        except StopAsyncIteration:
            raise EngineError("the engine ended without an end") from None
        finally:
            self._scope = None


@dataclass(frozen=True, slots=True)
class Desk:
    """What signing and recording need."""

    terms: MeterTerms
    meter: Meter
    sealer: Sealer


class Delivery:
    """Serves one dispatch."""

    def __init__(self, admitted: Admitted, desk: Desk, *, now_ms: int) -> None:
        loop = asyncio.get_running_loop()
        self.admitted = admitted
        self.leash = Leash(loop.time() + (admitted.dispatch.deadline - now_ms) / 1000)
        self.gone = False
        self._desk, self._now_ms = desk, now_ms
        self._events = admitted.sold.engine.generate(admitted.request)
        self._heading = Heading(admitted.dispatch.request_id, admitted.sold.terms.model, now_ms // 1000)
        self._evidence = EvidenceCollector(admitted.request.choices)
        self._pieces = 0
        self._ended = False
        self._usage: EngineUsage | None = None

    def hang_up(self) -> None:
        """The gateway is gone: the work stops, and nothing is signed."""
        self.gone = True
        self.leash.pull()

    async def close(self) -> None:
        """Ends the engine's work, if it still goes on."""
        await self._events.aclose()

    async def whole(self) -> bytes:
        """All frames of an answer that travels in one piece. Raises DGridError; then nothing was delivered."""
        writer = WholeWriter(self._heading, self.admitted.chat)
        while True:
            event = await self._next()
            if isinstance(event, Finish):
                body = self._finish(writer, event)
                return body + await self._signed(writer)
            self._take(writer, event)

    async def opening(self) -> tuple[StreamWriter, bytes]:
        """The first frames of a stream. Raises DGridError while nothing has been sent."""
        writer = StreamWriter(self._heading, self.admitted.chat)
        while True:
            event = await self._next()
            if isinstance(event, Finish):
                return writer, self._finish(writer, event) + await self._signed(writer)
            if frames := self._take(writer, event):
                return writer, frames

    async def rest(self, writer: StreamWriter) -> AsyncIterator[bytes]:
        """The other frames of a stream. It ends without a receipt only when none can be given."""
        try:
            while not self._ended:
                event = await self.leash.next(self._events)
                if isinstance(event, Finish):
                    yield self._finish(writer, event) + await self._signed(writer)
                elif frames := self._take(writer, event):
                    yield frames
        except (Interrupted, EngineError) as error:
            if self.gone:
                return
            logger.info("an answer was cut", extra={"cause": type(error).__name__})
            await self.close()
            yield await self._cut(writer)

    async def _next(self) -> Event:
        try:
            return await self.leash.next(self._events)
        except Interrupted:
            if self.gone:
                raise ConnectionResetError("the gateway hung up") from None
            raise EngineUnavailable("the dispatch was cancelled, or its deadline passed") from None

    def _take(self, writer: StreamWriter | WholeWriter, event: Piece) -> bytes:
        self._pieces += 1
        self._evidence.add(event.choice, event.tokens)
        return writer.take(event)

    def _finish(self, writer: StreamWriter | WholeWriter, end: Finish) -> bytes:
        self._usage, self._ended = end.usage, True
        return writer.finish(end, self._counts)

    def _counts(self, answer: Answer) -> Counts:
        """This node's own counts, bounded by what was asked for."""
        admitted = self.admitted
        tokens_in = admitted.tokens_in
        if tokens_in is None:
            tokens_in = min(self._usage.tokens_in, admitted.sold.terms.context) if self._usage is not None else 0
        bound = admitted.request.tokens_max * admitted.request.choices
        return Counts(tokens_in, min(self._tokens_out(answer), bound))

    def _tokens_out(self, answer: Answer) -> int:
        """The answer's tokens, as the gateway will count them; never more than the engine chose.

        A forced format makes an engine spell words in more tokens than they need. Whoever checks the bill sees only the
        text, so the text is what is billed. Where nobody can count it: the evidence, else the engine's word, else a
        bound from below.
        """
        chosen = self._evidence.count or (self._pieces if self._usage is None else self._usage.tokens_out)
        tokenizer = self.admitted.sold.tokenizer
        if tokenizer is None or self.admitted.chat.tools or answer.has_calls:
            return chosen
        texts = answer.text().split(CHOICE_SEPARATOR)
        return min(chosen, sum(tokenizer.count_reply(text) for text in texts))

    async def _cut(self, writer: StreamWriter) -> bytes:
        try:
            return await self._signed(writer, partial=True)
        except DGridError as error:
            logger.warning("what was delivered could not be signed", extra={"cause": error.code})
            return b""

    async def _signed(self, writer: StreamWriter | WholeWriter, *, partial: bool = False) -> bytes:
        """The last frame, with the receipt, which the books hold before it is signed."""
        counts = Counts(0, 0) if partial and writer.answer.is_empty else self._counts(writer.answer)
        admitted, evidence = self.admitted, self._evidence.encode()
        delivered = Delivered(
            admitted.dispatch_hash,
            admitted.salt,
            writer.answer.text(),
            evidence,
            counts.tokens_in,
            counts.tokens_out,
            partial,
        )
        receipt = delivered.receipt()
        self._desk.meter.record(self._work(receipt.struct_hash(), counts))
        return delivered.done(receipt, await self._desk.sealer.seal(receipt.struct_hash()))

    def _work(self, receipt_hash: bytes, counts: Counts) -> Work:
        price = self.admitted.price
        value_wei = price.gross(counts.tokens_in, counts.tokens_out)  # at most: the cut is its receipt's epoch's
        counted, prices = (counts.tokens_in, counts.tokens_out), (price.in_wei, price.out_wei)
        return Work(receipt_hash, self.admitted.dispatch.gateway, value_wei, *counted, *prices, self._now_ms)
