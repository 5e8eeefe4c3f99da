"""One client's connection to a server: HTTP/1.1 on httptools, requests answered one at a time in their order.

Deadlines are absolute, one for the headers and one for the body, however bytes trickle, and are enforced where bytes
arrive: a slow client is cut before any handler sees it. Refuses: WebSockets, upgrades, bodies over the limit, headers
of a reply that would break out of their line.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import unquote

import httptools

from dgrid.core.errors import DGridError, InvalidRequest, RequestTimeout, RequestTooLarge
from dgrid.wire.exchange import Handler, Reply, Request, problem_reply
from dgrid.wire.failures import Failures, new_request_id

logger = logging.getLogger(__name__)

BODY_DIGITS_MAX: Final = 20  # of an announced length that are looked at: more are far beyond any limit
TARGETS_REMEMBERED: Final = 64
PIPELINED_MAX: Final = 64  # requests of one connection that may wait for their turn
LINGER_S: Final = 2.0  # how long a refused client may take to notice
BETWEEN, HEAD, BODY = range(3)  # what a connection is waiting for
NEVER: Final = float("inf")
REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


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


@dataclass(frozen=True, slots=True)
class House:
    """What the conversations of one server share."""

    handler: Handler
    limits: ServerLimits
    open: set["Conversation"] = field(default_factory=set)
    leaving: set["Conversation"] = field(default_factory=set)  # the client is gone, its request not yet at its end
    empty: asyncio.Event = field(default_factory=asyncio.Event)
    failures: Failures = field(default_factory=Failures)

    def left(self, conversation: "Conversation") -> None:
        """A conversation has come to its end."""
        self.open.discard(conversation)
        self.leaving.discard(conversation)
        if not self.open and not self.leaving:
            self.empty.set()


class Conversation(asyncio.Protocol):
    """One client's connection: what it may send and until when, and the replies to it."""

    def __init__(self, house: House) -> None:
        self._house, self._limits = house, house.limits
        self._loop = asyncio.get_running_loop()
        self._header_count_max = house.limits.header_count
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._request: Request | None = None  # the one that is being answered
        self._task: asyncio.Task[None] | None = None
        self._refusal: DGridError | None = None  # said when the requests before it are answered; nothing is read then
        self._room: asyncio.Future[None] | None = None  # the client reads too slowly: until there is room again
        self._is_lost = self._is_last = False
        self._stage, self._timed_stage, self._due_s = HEAD, BETWEEN, NEVER
        self._timer: asyncio.TimerHandle | None = None
        self._client = ""
        self._begin_head()

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass of it
        if len(self._house.open) >= self._limits.connections:
            self._is_lost = True
            self._transport.abort()
            return
        self._house.open.add(self)
        self._client = str((transport.get_extra_info("peername") or ("",))[0])
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        self.resume_writing()
        if (request := self._request) is not None:
            self._house.open.discard(self)
            self._house.leaving.add(self)
            request.gone = True
            for callback in request.on_gone:
                callback()
        else:
            self._house.left(self)

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def finish(self) -> None:
        """Ends the connection after the request that is being answered."""
        self._is_last = True
        if self._task is None:
            self._transport.close()

    def drop(self) -> None:
        """Hangs up without a word."""
        self._transport.abort()

    async def abandon(self) -> None:
        """Ends it now, whatever is being answered."""
        self.drop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- what arrives ---

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # the request itself is answered; what follows it is not read as anything else
        except httptools.HttpParserError as error:
            if self._refusal is None:
                too_long = "Content-Length overflow" in str(error)
                self._refuse(self._too_large_body() if too_long else InvalidRequest("this is no HTTP request"))
        if self._stage != self._timed_stage:
            self._watch()

    def on_message_begin(self) -> None:
        if self._stage == BETWEEN:
            self._begin_head()

    def _begin_head(self) -> None:
        self._stage = HEAD
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._header_room = self._limits.header_bytes
        self._header_count = self._body_bytes = 0
        self._body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._header_room -= len(url)
        if self._header_room < 0:
            raise self._refuse(self._too_long_head())

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._header_room -= len(name) + len(value) + 4
        if self._header_room < 0 or self._header_count > self._header_count_max:
            raise self._refuse(self._too_long_head())
        self._headers[name.lower()] = value

    def _too_long_head(self) -> DGridError:
        return RequestTooLarge(f"headers have at most {self._limits.header_bytes} bytes")

    def on_headers_complete(self) -> None:
        self._stage = BODY
        announced = self._headers.get(b"content-length")
        if announced is not None and announced.isdigit() and int(announced[:BODY_DIGITS_MAX]) > self._limits.body_bytes:
            raise self._refuse(self._too_large_body())
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and self._task is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.body_bytes:
            raise self._refuse(self._too_large_body())
        self._body.append(body)

    def _too_large_body(self) -> DGridError:
        return RequestTooLarge(f"a body has at most {self._limits.body_bytes} bytes")

    def on_message_complete(self) -> None:
        self._stage = self._timed_stage = BETWEEN
        self._due_s = NEVER
        parser = self._parser
        path, query = _target(self._url)
        request = Request(
            parser.get_method().decode("ascii"), path, query, self._headers, b"".join(self._body), self._client
        )
        if parser.get_http_version() == "1.0":
            request.keep_alive = request.knows_chunks = False
        else:
            request.keep_alive = parser.should_keep_alive()
        if self._task is None:
            self._begin(request)
        elif len(self._waiting) < PIPELINED_MAX:
            self._waiting.append(request)
            self._transport.pause_reading()
        else:
            raise self._refuse(RequestTooLarge(f"at most {PIPELINED_MAX} requests of one connection may wait"))

    # --- deadlines ---

    def _watch(self) -> None:
        """Sets the deadline of what is awaited now. The timer is left alone where it rings early enough."""
        limits = self._limits
        self._timed_stage = self._stage
        if self._waiting:  # nothing is read until their turn has come
            self._due_s = NEVER
            return
        seconds = (limits.idle_s, limits.header_deadline_s, limits.body_deadline_s)[self._stage]
        self._due_s = self._loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= self._due_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(self._due_s, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._due_s == NEVER or self._is_lost:
            return
        if self._loop.time() < self._due_s:
            self._timer = self._loop.call_at(self._due_s, self._ring)
        elif self._stage == BETWEEN:
            self._transport.close()
        else:
            self._refuse(RequestTimeout("the request did not arrive in time"))

    def _refuse(self, error: DGridError) -> DGridError:
        """Reads no more; says why as soon as the requests before are answered."""
        self._refusal = error
        self._due_s = NEVER
        self._stage = self._timed_stage
        if self._task is None:
            self._say_refusal(error)
        return error

    def _say_refusal(self, error: DGridError) -> None:
        """The last words of a conversation.

        Closing with bytes unread would reset the connection and lose the answer on its way: so only our side ends
        here, and what still comes is thrown away for a moment.
        """
        if self._transport.is_closing():
            return
        reply = self._house.failures.reply(error)
        body = cast(bytes, reply.body)
        self._transport.write(_head(reply, b"connection: close\r\ncontent-length: %d" % len(body)) + body)
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(LINGER_S, self._transport.abort)

    # --- what is answered ---

    def _begin(self, request: Request) -> None:
        self._request = request
        self._task = self._loop.create_task(self._serve(request))

    async def _serve(self, request: Request) -> None:
        try:
            try:
                reply = await self._house.handler(request)
            except DGridError as error:
                reply = problem_reply(error, error.request_id)
            except ConnectionError:
                raise
            except Exception:
                request_id = request.order_name or new_request_id()
                logger.exception("unhandled error in request %s", request_id, extra={"path": request.path})
                reply = problem_reply(DGridError("internal error", hint="the log has it by request_id"), request_id)
            body = b"" if request.method == "HEAD" else reply.body
            if isinstance(body, bytes):
                self._write(_head(reply, _framing(request, reply.body)) + body)
            else:
                await self._send_pieces(request, reply, body)
            if self._room is not None:
                await self._room
        except ConnectionError:
            self._transport.abort()
        except Exception:
            logger.exception("a reply broke off: %s", request.order_name or "no order", extra={"path": request.path})
            self._transport.abort()
        finally:
            self._next(request)

    async def _send_pieces(self, request: Request, reply: Reply, pieces: AsyncIterator[bytes]) -> None:
        """A stream; it is taken to its end even when the client is gone, for its maker has an end to come to."""
        self._write(_head(reply, _framing(request, pieces)))
        async for piece in pieces:
            if self._room is not None:
                await self._room
            if piece:
                self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if request.knows_chunks else piece)
        if request.knows_chunks:
            self._write(b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        if not self._is_lost:
            self._transport.write(data)

    def _next(self, request: Request) -> None:
        self._task = self._request = None
        request.on_gone.clear()  # or what it asks for would hold it, and it that: left for the garbage collector
        if self._is_lost:
            self._house.left(self)
        elif self._is_last or not request.keep_alive:
            self._transport.close()
        elif self._waiting:
            self._begin(self._waiting.popleft())
            if not self._waiting:
                self._transport.resume_reading()
        elif self._refusal is not None:
            self._say_refusal(self._refusal)
        else:
            self._watch()


@lru_cache(maxsize=TARGETS_REMEMBERED)
def _target(url: bytes) -> tuple[str, bytes]:
    """A request target's path and query. Raises HttpParserInvalidURLError, UnicodeDecodeError."""
    if not url.startswith(b"/") or b"#" in url:
        parts = httptools.parse_url(url)
        path, query = parts.path or b"/", parts.query or b""
    else:
        path, _, query = url.partition(b"?")
    name = path.decode("ascii")
    return unquote(name) if "%" in name else name, query


def _framing(request: Request, body: bytes | AsyncIterator[bytes]) -> bytes:
    """The headers that say where a reply ends."""
    closing = b"" if request.keep_alive else b"connection: close\r\n"
    if isinstance(body, bytes):
        return closing + b"content-length: %d" % len(body)
    return closing + b"transfer-encoding: chunked" if request.knows_chunks else b"connection: close"


_NAME_AND_VALUE = b": ".join


@lru_cache(maxsize=256)
def _opening(status: int, content_type: bytes) -> bytes:
    return f"HTTP/1.1 {status} {REASONS.get(status, '')}\r\n".encode() + b"content-type: " + content_type + b"\r\n"


def _head(reply: Reply, framing: bytes) -> bytes:
    """Everything before the body. Raises ValueError for a header that holds a line break."""
    lines = list(map(_NAME_AND_VALUE, reply.headers))
    lines.append(framing)
    head = b"\r\n".join(lines)
    breaks = len(lines) - 1 + framing.count(b"\n")
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
        raise ValueError("a header of a reply holds a line break")
    return _opening(reply.status, reply.content_type) + head + b"\r\n\r\n"
