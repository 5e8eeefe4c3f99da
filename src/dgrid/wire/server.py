"""The HTTP server of every role: uvicorn's httptools protocol with absolute deadlines and hard limits.

A handler takes a `Request` and returns a `Reply`; ASGI stays inside this file, so that the hot path can leave it later.
Deadlines are absolute, one for the headers and one for the body, however bytes trickle, and are enforced where
bytes arrive: a slow client is cut before any handler sees it. Refuses: WebSockets, upgrades, bodies over the limit.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httptools
import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dgrid.core.errors import DGridError, RequestTimeout, RequestTooLarge
from dgrid.wire.problems import problem_body

logger = logging.getLogger(__name__)

Headers = list[tuple[bytes, bytes]]
BODY_DIGITS_MAX = 20  # of an announced length that are looked at: more are far beyond any limit
_LINGER_S = 2.0  # how long a refused client may take to notice


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one server takes from strangers."""

    header_deadline_s: float = 10.0  # from the connection's opening (a later request's first byte) to the last header
    body_deadline_s: float = 30.0  # from the last header to the last byte of the body
    idle_s: float = 30.0  # between requests of one connection
    header_bytes: int = 32 * 1024
    header_count: int = 100
    body_bytes: int = 4 * 1024 * 1024
    connections: int = 2048


@dataclass(slots=True)
class Request:
    """One complete request: the body has arrived whole."""

    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]  # names in lower case; of a repeated header the last
    body: bytes
    client: str
    on_gone: list[Callable[[], None]] = field(default_factory=list)  # called when the client hangs up before the end
    gone: bool = False

    def header(self, name: bytes) -> str:
        """A header's value, or the empty string."""
        return self.headers.get(name, b"").decode("latin-1")


@dataclass(slots=True)
class Reply:
    """Status, headers, and a body: bytes, or pieces as they come."""

    status: int
    body: bytes | AsyncIterator[bytes]
    headers: Headers = field(default_factory=list)
    content_type: bytes = b"application/json"


Handler = Callable[[Request], Awaitable[Reply]]


def json_reply(value: object, status: int = 200) -> Reply:
    """A reply with `value` as JSON."""
    return Reply(status, msgspec.json.encode(value))


def problem_reply(error: DGridError) -> Reply:
    """The OpenAI-style error object of `error`, with retry-after where waiting helps."""
    headers: Headers = []
    if error.status in (429, 503):
        headers.append((b"retry-after", str(max(1, -(-error.retry_after_ms // 1000))).encode()))
    if not error.retryable:
        headers.append((b"x-should-retry", b"false"))
    return Reply(error.status, problem_body(error), headers)


class Server:
    """One listening server. `start` returns once it accepts; `stop` lets running requests end within a grace."""

    def __init__(self, handler: Handler, *, host: str, port: int, limits: ServerLimits | None = None) -> None:
        self.limits = limits or ServerLimits()
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            _Application(handler),
            http=_protocol_class(self.limits),
            loop="none",
            ws="none",
            lifespan="off",
            access_log=False,
            proxy_headers=False,  # who the client is, it does not tell us
            log_config=None,
            server_header=False,
            date_header=False,
            timeout_keep_alive=int(self.limits.idle_s),
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accepts connections from now on. Raises DGridError when it cannot."""
        serving = self._server._serve(sockets=[self._socket])  # noqa: SLF001 `serve` would take the role's signals
        self._task = asyncio.create_task(serving)
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise DGridError("the server stopped while starting")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Stops accepting, waits for running requests (at most 5 s), closes."""
        self._server.should_exit = True
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortTaken(
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint="another program uses the port; stop it, or move all ports with --port-base",
        ) from error
    listening.setblocking(False)
    return listening


class PortTaken(DGridError):
    code = "port_in_use"


class _Application:
    """The bridge between ASGI and a handler."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        protocol: _DeadlineProtocol = scope["dgrid.protocol"]
        try:
            request = await _read_request(scope, receive, protocol)
            reply = await self._handler(request)
        except DGridError as error:
            reply = problem_reply(error)
        except ConnectionError:
            return
        except Exception:
            logger.exception("unhandled error", extra={"path": scope["path"]})
            reply = problem_reply(DGridError("internal error"))
        await _send(reply, send)


async def _read_request(scope: Any, receive: Any, protocol: "_DeadlineProtocol") -> Request:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ConnectionResetError
    client = scope["client"]
    request = Request(
        scope["method"], scope["path"], scope["query_string"], dict(scope["headers"]), body, client[0] if client else ""
    )
    if protocol.refusal is not None:
        raise protocol.refusal
    protocol.request = request
    return request


async def _send(reply: Reply, send: Any) -> None:
    headers = [(b"content-type", reply.content_type), *reply.headers]
    if isinstance(reply.body, bytes):
        headers.append((b"content-length", str(len(reply.body)).encode()))
        cycle = send.__self__  # uvicorn's record of this exchange
        cycle.transport = cork = _Cork(cycle.transport)
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})
        cork.flush()
        return
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    async for piece in reply.body:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


class _Cork:
    """Holds a reply's head back until its body is there too: one write to the kernel, one read for the client."""

    __slots__ = ("_held", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._held.append(data)

    def flush(self) -> None:
        if self._held:
            self._transport.write(b"".join(self._held))
            self._held.clear()

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


def _protocol_class(limits: ServerLimits) -> type[HttpToolsProtocol]:
    return type("LimitedProtocol", (_DeadlineProtocol,), {"limits": limits})


class _DeadlineProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with deadlines and caps on what arrives."""

    limits: ServerLimits
    request: Request | None = None
    refusal: DGridError | None = None
    _deadline: asyncio.TimerHandle | None = None
    _header_bytes: int = 0
    _body_bytes: int = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
            return
        self._arm(self.limits.header_deadline_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)
        request = self.request
        if request is not None and not self.cycle.response_complete:
            request.gone = True
            for callback in request.on_gone:
                callback()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["dgrid.protocol"] = self  # type: ignore[typeddict-unknown-key]
        self.refusal = None
        self._header_bytes = self._body_bytes = 0
        self._arm(self.limits.header_deadline_s)

    def on_url(self, url: bytes) -> None:
        self._count_header(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_header(len(name) + len(value) + 4)
        if len(name) == 14 and name.lower() == b"content-length" and value.isdigit():
            self._check_body_bytes(int(value[:BODY_DIGITS_MAX]))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._arm(self.limits.body_deadline_s)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        self._check_body_bytes(self._body_bytes)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.request = None
        super().on_response_complete()

    def _check_body_bytes(self, size: int) -> None:
        if size > self.limits.body_bytes:
            self._refuse(RequestTooLarge(f"a body has at most {self.limits.body_bytes} bytes"))
            raise httptools.HttpParserCallbackError("body too large")

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self.limits.header_bytes or len(self.headers) >= self.limits.header_count:
            self._refuse(RequestTooLarge(f"headers have at most {self.limits.header_bytes} bytes"))
            raise httptools.HttpParserCallbackError("headers too large")

    def data_received(self, data: bytes) -> None:
        if self.refusal is None:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        if self.refusal is None and not self.transport.is_closing():
            super().send_400_response(msg)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._refuse(RequestTimeout("the request did not arrive in time"))

    def _refuse(self, error: DGridError) -> None:
        """Answers at once, whatever the client is still sending, and reads no more of it.

        Closing with bytes unread would reset the connection and lose the answer on its way: so only our side ends
        here, and what still comes is thrown away for a moment.
        """
        self.refusal = error
        self._disarm()
        if self.transport.is_closing():
            return
        body = problem_body(error)
        head = f"HTTP/1.1 {error.status} \r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"x-should-retry: false\r\nconnection: close\r\n\r\n" + body)
        self.transport.write_eof()
        self.flow.resume_reading()
        self._deadline = self.loop.call_later(_LINGER_S, self.transport.abort)
