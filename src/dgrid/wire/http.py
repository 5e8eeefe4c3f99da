"""The HTTP client of every role: HTTP/1.1 on httptools, pooled, lean, and suspicious of what comes back.

Refuses: redirects, compressed replies, replies over the limits, connections to addresses the caller does not allow
(checked on the connected socket, after the name was resolved). Every wait has a deadline.
"""

import asyncio
import contextlib
import ipaddress
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast
from urllib.parse import urlsplit

import httptools
import msgspec

from dgrid.core.errors import NodeMisbehaved, NodeUnreachable
from dgrid.wire.reasons import reason_of

URL_SHOWN = 200
ORIGINS_KNOWN = 1024  # URLs whose parts are remembered: a role asks the same few again and again
HEADERS_KNOWN = 64
JOINED_BYTES_MAX = 64 * 1024  # a longer body is written behind its head: to join them would copy it
AddressRule = Callable[[ipaddress.IPv4Address | ipaddress.IPv6Address], bool]


def any_address(_address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return True


def loopback_only(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_loopback


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What one client waits for and takes."""

    connect_s: float = 2.0
    first_byte_s: float = 30.0
    gap_s: float = 30.0  # between two reads of a body
    total_s: float = 300.0
    header_bytes: int = 32 * 1024
    reply_bytes: int = 64 * 1024 * 1024
    idle_connections: int = 256  # kept for one host
    buffered_bytes: int = 256 * 1024  # unread bytes at which reading pauses


class Origin(msgspec.Struct, frozen=True):
    """Scheme, host and port."""

    secure: bool
    host: str
    port: int
    authority: bytes

    @classmethod
    @lru_cache(maxsize=ORIGINS_KNOWN)
    def of(cls, url: str) -> "tuple[Origin, bytes]":
        """The origin of a URL, and its path with the query. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http URL: {url[:URL_SHOWN]}")
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(secure, parts.hostname, port, parts.netloc.rpartition("@")[2].encode()), target.encode()


class Connection(asyncio.Protocol):
    """One connection, one reply at a time."""

    def __init__(self, limits: ClientLimits) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._timer: asyncio.TimerHandle | None = None  # one for all waits: moved only when it would ring too late
        self._due_s = 0.0
        self.transport: asyncio.Transport | None = None
        self.closed = False
        self.reusable = True
        self._reset()

    def _reset(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.pieces: deque[bytes] = deque()
        self.complete = False
        self.failure: Exception | None = None
        self._buffered = self._received = self._header_bytes = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._ends_at = 0.0
        self.head_complete = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass of it

    def begin(self, head: bytes, body: bytes) -> None:
        """Sends a request; the reply before it must be complete."""
        assert self.transport is not None
        self._reset()
        self._ends_at = self._loop.time() + self._limits.total_s
        if len(body) <= JOINED_BYTES_MAX:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))

    def data_received(self, data: bytes) -> None:
        if self.complete:  # bytes after the reply's end belong to nothing
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(NodeMisbehaved(f"malformed HTTP reply: {error}"))
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > self._limits.header_bytes:
            self._fail(NodeMisbehaved(f"a reply's headers have at most {self._limits.header_bytes} bytes"))
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self.failure is not None:
            return
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            self._fail(NodeMisbehaved("the reply is compressed, which was not asked for"))
            return
        self.status = self._parser.get_status_code()
        self.reusable = self._parser.should_keep_alive()
        self.head_complete = self.status >= 200

    def on_body(self, body: bytes) -> None:
        self._received += len(body)
        if self._received > self._limits.reply_bytes:
            self._fail(NodeMisbehaved(f"a reply has at most {self._limits.reply_bytes} bytes"))
            return
        self.pieces.append(body)
        self._buffered += len(body)
        if self._buffered > self._limits.buffered_bytes and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        if self.head_complete and self.failure is None:
            self.complete = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        if not self.complete and self.failure is None:
            if (
                self.head_complete
                and b"content-length" not in self.headers
                and b"transfer-encoding" not in self.headers
            ):
                self.complete = True
            else:
                self.failure = NodeUnreachable("the connection broke before the reply's end")
        self._wake()

    def arrival(self, seconds: float) -> asyncio.Future[None]:
        """Done when something arrives. It raises NodeUnreachable at the deadline, or at the whole exchange's."""
        waiter = self._waiter = self._loop.create_future()
        if self.failure is not None:
            self._wake()
        else:
            self._watch(min(self._loop.time() + seconds, self._ends_at))
        return waiter

    def _watch(self, due_s: float) -> None:
        self._due_s = due_s
        if self._timer is not None:
            if self._timer.when() <= due_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due_s, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() < self._due_s:
            self._timer = self._loop.call_at(self._due_s, self._ring)
        else:
            self._fail(NodeUnreachable("no answer in time"))

    def take(self) -> bytes:
        """All unread bytes."""
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self._buffered = 0
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()
        return data

    def close(self) -> None:
        self.closed = True
        if self.transport is not None:
            self.transport.abort()

    def _fail(self, error: Exception) -> None:
        if self.failure is None:
            self.failure = error
        self.close()
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if self.failure is not None and not self.pieces:
            waiter.set_exception(self.failure)
        else:
            waiter.set_result(None)


class ClientReply:
    """A reply whose headers have arrived. Read it to the end, or abort it."""

    def __init__(self, connection: Connection, pool: "HttpClient", origin: Origin) -> None:
        self._connection, self._pool, self._origin = connection, pool, origin
        self._released = False
        self.status = connection.status
        self.headers = connection.headers

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes; the connection goes back to the pool after the last piece."""
        connection = self._connection
        try:
            while True:
                if connection.pieces:
                    yield connection.take()
                elif connection.complete:
                    break
                else:
                    await connection.arrival(self._pool.limits.gap_s)
        finally:
            self.release()

    async def read(self, bytes_max: int | None = None) -> bytes:
        """The whole body. Raises NodeMisbehaved when it is longer than the caller can use."""
        found: list[bytes] = []
        connection, size = self._connection, 0
        try:
            while True:
                if connection.pieces:
                    found.append(connection.take())
                    size += len(found[-1])
                    if bytes_max is not None and size > bytes_max:
                        raise NodeMisbehaved(f"the reply has more than {bytes_max} bytes")
                elif connection.complete:
                    return found[0] if len(found) == 1 else b"".join(found)
                else:
                    await connection.arrival(self._pool.limits.gap_s)
        finally:
            self.release()

    def release(self) -> None:
        """Gives the connection back if the reply is complete, else closes it: what is left is not wanted."""
        if not self._released:  # a second call would touch a connection that serves another request by now
            self._released = True
            self._pool.give_back(self._connection, self._origin)

    abort = release


class HttpClient:
    """A pool of connections to any number of hosts."""

    def __init__(self, limits: ClientLimits | None = None, *, allow: AddressRule = any_address) -> None:
        self.limits = limits or ClientLimits()
        self._allow = allow
        self._idle: dict[Origin, deque[Connection]] = {}

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        first_byte_s: float | None = None,
    ) -> ClientReply:
        """Sends a request; returns once the reply's headers are here. Raises NodeUnreachable or NodeMisbehaved; the
        first also for what is no URL, since who registers an endpoint may write any text.

        A request on a kept connection that the peer has just closed is sent once more on a fresh one, if no byte of a
        reply had come.
        """
        try:
            origin, target = Origin.of(url)
        except ValueError as error:
            raise NodeUnreachable(str(error)) from None
        data = _head(method, target, origin, headers, len(body)), body
        wait_s = first_byte_s or self.limits.first_byte_s
        if (kept := self._kept(origin)) is not None:
            try:
                return await self._exchange(kept, origin, data, wait_s)
            except NodeUnreachable:
                if kept.status or not kept.closed or (kept.failure and "in time" in str(kept.failure)):
                    raise
        return await self._exchange(await self._connect(origin), origin, data, wait_s)

    async def _exchange(
        self, connection: Connection, origin: Origin, data: tuple[bytes, bytes], wait_s: float
    ) -> ClientReply:
        connection.begin(*data)
        try:
            while not connection.head_complete:
                await connection.arrival(wait_s)
        except BaseException:
            connection.close()
            raise
        return ClientReply(connection, self, origin)

    def _kept(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if not connection.closed:
                return connection
        return None

    async def _connect(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        context = ssl.create_default_context() if origin.secure else None
        try:
            async with asyncio.timeout(self.limits.connect_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(self.limits), origin.host, origin.port, ssl=context
                )
        except (OSError, TimeoutError, UnicodeError) as error:
            raise NodeUnreachable(f"cannot connect to {origin.host}:{origin.port}: {reason_of(error)}") from error
        self._check_address(connection, origin)
        return connection

    def _check_address(self, connection: Connection, origin: Origin) -> None:
        assert connection.transport is not None
        peer = connection.transport.get_extra_info("peername")
        if peer is not None and not self._allow(ipaddress.ip_address(peer[0])):
            connection.close()
            raise NodeUnreachable(f"{origin.host} leads to the address {peer[0]}, which is not allowed")

    def give_back(self, connection: Connection, origin: Origin) -> None:
        """Keeps a connection whose reply is complete for the next request; closes any other."""
        if connection.closed:
            return
        idle = self._idle.setdefault(origin, deque())
        if not connection.complete or not connection.reusable or len(idle) >= self.limits.idle_connections:
            connection.close()
        else:
            idle.append(connection)

    async def close(self) -> None:
        """Closes all kept connections."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)


def _head(method: str, target: bytes, origin: Origin, headers: Mapping[str, str] | None, body_bytes: int) -> bytes:
    """All that goes before a body."""
    opening = _opening(method, target, origin.authority)
    told = _rendered(tuple(headers.items())) if headers else b""
    if body_bytes or method not in ("GET", "HEAD"):
        return b"%b%bcontent-length: %d\r\n\r\n" % (opening, told, body_bytes)
    return b"%b%b\r\n" % (opening, told)


@lru_cache(maxsize=ORIGINS_KNOWN)
def _opening(method: str, target: bytes, authority: bytes) -> bytes:
    return b"%b %b HTTP/1.1\r\nhost: %b\r\naccept-encoding: identity\r\n" % (method.encode(), target, authority)


@lru_cache(maxsize=HEADERS_KNOWN)
def _rendered(headers: tuple[tuple[str, str], ...]) -> bytes:
    for name, value in headers:
        if "\r" in value or "\n" in value:
            raise ValueError(f"header {name} holds a line break")
    return "".join([f"{name}: {value}\r\n" for name, value in headers]).encode("latin-1")
