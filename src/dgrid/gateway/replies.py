"""The bytes a client receives: completions and event streams, with what only the gateway knows put in."""

from collections.abc import Mapping

import msgspec

from dgrid.core.errors import DGridError, NodeMisbehaved
from dgrid.wire.problems import problem_body

STREAM_TYPE = b"text/event-stream; charset=utf-8"
STREAM_END = b"data: [DONE]\n\n"

_encode = msgspec.json.Encoder().encode


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    dgrid: dict[str, object]


class _Heading(msgspec.Struct):
    id: str = ""
    created: int = 0
    model: str = ""


_read_heading = msgspec.json.Decoder(_Heading).decode
_read_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Bill(msgspec.Struct, frozen=True, gc=False):
    """What the client is told of the bill."""

    receipt_id: str
    fee_wei: int
    node: str
    attempts: int
    tokens_in: int
    tokens_out: int
    route: bytes = b""  # the decision's document, where the caller asked to see it

    def usage(self) -> bytes:
        """The usage object."""
        told: dict[str, object] = {
            "receipt_id": self.receipt_id,
            "fee_wei": str(self.fee_wei),
            "node": self.node,
            "attempts": self.attempts,
        }
        if self.route:
            told["route"] = msgspec.Raw(self.route)
        return _encode(_Usage(self.tokens_in, self.tokens_out, self.tokens_in + self.tokens_out, told))


def whole_body(payload: bytes, bill: Bill) -> bytes:
    """A completion as the node sent it, with the usage that is billed. Raises NodeMisbehaved."""
    try:
        fields: Mapping[str, msgspec.Raw] = _read_fields(payload)
    except ValueError as error:
        raise NodeMisbehaved(f"malformed completion: {error}") from None
    return _encode({**fields, "usage": msgspec.Raw(bill.usage())})


def event(payload: bytes) -> bytes:
    """One event of a stream."""
    return b"data: " + payload + b"\n\n"


def usage_event(first_payload: bytes, bill: Bill) -> bytes:
    """The stream's usage chunk, under the heading of its first chunk."""
    heading = _read_heading(first_payload)
    chunk = {
        "id": heading.id,
        "object": "chat.completion.chunk",
        "created": heading.created,
        "model": heading.model,
        "choices": [],
        "usage": msgspec.Raw(bill.usage()),
    }
    return event(_encode(chunk))


def stream_tail(receipt_id: str) -> bytes:
    """A stream's last bytes: where the receipt is found, and the end."""
    return b": receipt " + receipt_id.encode() + b"\n\n" + STREAM_END


def error_event(error: DGridError, request_id: str) -> bytes:
    """A clean end of a stream that cannot go on."""
    return event(problem_body(error, request_id))
