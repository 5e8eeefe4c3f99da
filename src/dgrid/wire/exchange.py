"""A request and its reply, as every handler sees them: HTTP without its bytes."""

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from dgrid.core.errors import DGridError, MethodNotAllowed
from dgrid.wire.problems import problem_body

Headers = list[tuple[bytes, bytes]]


class Request(msgspec.Struct):
    """One complete request: the body has arrived whole."""

    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]  # names in lower case; of a repeated header the last
    body: bytes
    client: str
    on_gone: list[Callable[[], None]] = []  # its own, not shared; called when the client hangs up before the end
    gone: bool = False
    keep_alive: bool = True  # whether the connection outlives the reply
    knows_chunks: bool = True  # not before HTTP/1.1
    order_id: bytes = b""  # of the order that it became: its receipt's

    def header(self, name: bytes) -> str:
        """A header's value, or the empty string."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def order_name(self) -> str:
        """What its receipt will be called; empty while it is no order."""
        return "0x" + self.order_id.hex() if self.order_id else ""


class Reply(msgspec.Struct):
    """Status, headers, and a body: bytes, or pieces as they come."""

    status: int
    body: bytes | AsyncIterator[bytes]
    headers: Headers = []
    content_type: bytes = b"application/json"


REQUEST_ID = b"x-request-id"  # where OpenAI's clients look for a request's name
Handler = Callable[[Request], Awaitable[Reply]]


def json_reply(value: object, status: int = 200) -> Reply:
    """A reply with `value` as JSON."""
    return Reply(status, msgspec.json.encode(value))


def problem_reply(error: DGridError, request_id: str = "") -> Reply:
    """The OpenAI-style error object of `error`, with retry-after where waiting helps."""
    headers: Headers = [(REQUEST_ID, request_id.encode())] if request_id else []
    if error.status in (429, 503):
        headers.append((b"retry-after", str(max(1, -(-error.retry_after_ms // 1000))).encode()))
    if not error.retryable:
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allow.encode()))
    return Reply(error.status, problem_body(error, request_id), headers)
