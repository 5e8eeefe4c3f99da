"""What a reply says, piece by piece: its text, its end, and which of its bytes the receipt covers.

Takes a stream of server-sent events or one whole completion. Keeps the bytes: the receipt's salt, and with it the hash
over them, comes only afterwards.
"""

import re
from typing import Any, Final

import msgspec

from dgrid.core.errors import NodeMisbehaved, Unavailable
from dgrid.wire.answers import Answer as AnswerText
from dgrid.wire.decoding import decode_with
from dgrid.wire.openai import Chunk, CompletionUsage, decode_chunk

RECEIPT_COMMENT = b": receipt "
EVENT_BYTES_MAX = 1024 * 1024
AMOUNT: Final = re.compile(r"[0-9]{1,78}")  # Python reads no number of thousands of digits


class StreamBroken(Unavailable):
    """The answer ended before its end: what came is a part of an answer, perhaps without a receipt."""

    code = "stream_broken"


class Billing(msgspec.Struct):
    """What the gateway says of the bill beside the usage; the receipt is what counts."""

    receipt_id: str = ""
    fee_wei: str = "0"
    node: str = ""
    attempts: int = 1


class BilledUsage(CompletionUsage):
    dgrid: Billing | None = None


class _Head(msgspec.Struct):
    model: str = ""
    usage: BilledUsage | None = None
    error: dict[str, Any] | None = None


_head_decoder = msgspec.json.Decoder(_Head)


class Transcript:
    """One reply, taken in as it comes."""

    def __init__(self, *, streamed: bool) -> None:
        self.streamed = streamed
        self.answer = AnswerText()
        self.model = ""
        self.usage = BilledUsage()
        self.receipt_id = ""
        self.ended = False
        self.received = bytearray()
        self._covered: int | None = None
        self._at = 0
        self._passed = 0

    @property
    def covered(self) -> bytes:
        """The bytes under the receipt's `wire` hash: all before the comment that names the receipt."""
        return bytes(self.received if self._covered is None else self.received[: self._covered])

    def feed(self, piece: bytes) -> str:
        """Takes bytes in; the text of the first choice that they add. Raises DGridError for an error in the stream."""
        self.received += piece
        if not self.streamed:
            return ""
        said = []
        while (end := self.received.find(b"\n\n", self._at)) >= 0:
            said.append(self._event(bytes(self.received[self._at : end])))
            self._at = end + 2
        if len(self.received) - self._at > EVENT_BYTES_MAX:
            raise NodeMisbehaved(f"an event of the stream has more than {EVENT_BYTES_MAX} bytes")
        return "".join(said)

    def passable(self) -> bytes:
        """Whole events that were not passed on yet. The end, from the receipt's name on, waits for `rest`."""
        end = self._at if self._covered is None else self._covered
        data, self._passed = bytes(self.received[self._passed : end]), max(end, self._passed)
        return data

    def rest(self) -> bytes:
        """All that was not passed on: for when the receipt has been checked."""
        data, self._passed = bytes(self.received[self._passed :]), len(self.received)
        return data

    def finish(self) -> str:
        """The reply has ended: the text of a whole completion. Raises StreamBroken for a stream without its end."""
        if self.streamed:
            if not self.ended:
                raise StreamBroken("the stream broke off", hint="ask again; what was not signed is not billed")
            return ""
        self.ended = True
        return self._take(bytes(self.received))

    def _event(self, event: bytes) -> str:
        if event.startswith(RECEIPT_COMMENT):
            self.receipt_id = event[len(RECEIPT_COMMENT) :].strip().decode("ascii", "replace")
            self._covered = self._at
            return ""
        if not event.startswith(b"data:"):
            return ""
        data = event[5:].strip()
        if data == b"[DONE]":
            self.ended = True
            return ""
        return self._take(data)

    def _take(self, data: bytes) -> str:
        try:
            chunk, head = decode_chunk(data), decode_with(_head_decoder, data)
        except ValueError as error:
            raise NodeMisbehaved(f"the gateway sent what is no completion: {error}") from None
        if head.error is not None:
            raise StreamBroken(str(head.error.get("message") or "the stream ended with an error"))
        self.answer.add(chunk)
        self.model = head.model or self.model
        self._take_usage(head.usage)
        return _text_of(chunk)

    def _take_usage(self, usage: BilledUsage | None) -> None:
        if usage is not None:
            if usage.dgrid is not None and not AMOUNT.fullmatch(usage.dgrid.fee_wei):
                raise NodeMisbehaved("the gateway states a fee that is no amount")
            self.usage = usage
            if usage.dgrid is not None:
                self.receipt_id = usage.dgrid.receipt_id or self.receipt_id


def _text_of(chunk: Chunk) -> str:
    said = [choice.delta or choice.message for choice in chunk.choices if choice.index == 0]
    return "".join(one.content for one in said if one is not None and one.content)
