"""The HTTP client against peers that are slow, greedy or broken."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgrid.core.errors import NodeMisbehaved, NodeUnreachable
from dgrid.wire.http import JOINED_BYTES_MAX, ClientLimits, HttpClient, Origin, loopback_only
from dgrid.wire.server import Reply, Request, Server, json_reply

LIMITS = ClientLimits(
    connect_s=1, first_byte_s=0.3, gap_s=0.2, total_s=0.8, header_bytes=1000, reply_bytes=5000, buffered_bytes=2000
)
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Talk = Callable[[HttpClient, str], Awaitable[None]]


def against(peer: Peer, talk: Talk, limits: ClientLimits = LIMITS) -> int:
    """Runs `talk` against a peer of raw bytes; how many connections it took."""
    accepted: set[asyncio.Task[None] | None] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.add(asyncio.current_task())
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await peer(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def run() -> None:
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        client = HttpClient(limits)
        async with server, asyncio.timeout(10):
            try:
                await talk(client, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")
            finally:
                await client.close()
                tasks = [task for task in accepted if task is not None]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks)

    asyncio.run(run())
    return len(accepted)


def answering(*replies: bytes, then_close: bool = False) -> Peer:
    """A peer that answers each request of a connection with the next reply."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
            await writer.drain()
        if not then_close:
            await reader.read()

    return peer


@pytest.mark.parametrize("size", [0, 1, JOINED_BYTES_MAX, JOINED_BYTES_MAX + 1, 3_000_000])
def test_a_body_of_any_length_arrives_whole_behind_its_head(size: int) -> None:
    body, arrived = bytes(range(256)) * (size // 256) + bytes(size % 256), list[bytes]()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"content-length: %d\r\n" % size in head
        arrived.append(await reader.readexactly(size))
        writer.write(OK)
        await reader.read()

    async def talk(client: HttpClient, url: str) -> None:
        reply = await client.request("POST", url, body=body)
        assert await reply.read() == b"ok"

    against(peer, talk)
    assert arrived == [body]


def test_a_connection_is_used_again() -> None:
    async def talk(client: HttpClient, url: str) -> None:
        for _ in range(3):
            reply = await client.request("GET", url)
            assert (reply.status, await reply.read()) == (200, b"ok")

    assert against(answering(OK, OK, OK), talk) == 1


def test_requests_at_the_same_time_take_connections_of_their_own() -> None:
    async def talk(client: HttpClient, url: str) -> None:
        replies = await asyncio.gather(*(client.request("GET", url) for _ in range(3)))
        assert [await reply.read() for reply in replies] == [b"ok"] * 3

    assert against(answering(OK), talk) == 3


def test_a_kept_connection_that_the_peer_closed_is_replaced_unseen() -> None:
    async def talk(client: HttpClient, url: str) -> None:
        for _ in range(3):
            assert await (await client.request("POST", url, body=b"")).read() == b"ok"

    assert against(answering(OK, then_close=True), talk) == 3


@pytest.mark.parametrize("header", [b"connection: close", b"connection: Close"])
def test_a_connection_that_is_to_be_closed_is_not_kept(header: bytes) -> None:
    async def talk(client: HttpClient, url: str) -> None:
        for _ in range(2):
            assert await (await client.request("GET", url)).read() == b"ok"

    assert against(answering(OK.replace(b"content", header + b"\r\ncontent")), talk) == 2


def test_a_reply_that_is_not_read_to_its_end_takes_its_connection_along() -> None:
    async def talk(client: HttpClient, url: str) -> None:
        first = await client.request("GET", url)
        first.abort()
        second = await client.request("GET", url)
        first.abort()  # must not touch the connection of the second
        assert await second.read() == b"ok"

    replies = iter([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", OK])

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(next(replies))(reader, writer)

    assert against(peer, talk) == 2


def test_bytes_after_a_replys_end_never_become_the_next_reply() -> None:
    async def talk(client: HttpClient, url: str) -> None:
        await (await client.request("GET", url)).read()
        await asyncio.sleep(0.05)
        assert await (await client.request("GET", url)).read() == b"ok"

    async def smuggling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad")
        await reader.read()

    assert against(smuggling, talk) == 2


def test_redirects_are_not_followed() -> None:
    async def talk(client: HttpClient, url: str) -> None:
        reply = await client.request("GET", url)
        assert reply.status == 302
        assert await reply.read() == b""

    moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    assert against(answering(moved), talk) == 1


async def fails(client: HttpClient, url: str, kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        await (await client.request("GET", url)).read()


@pytest.mark.parametrize(
    ("reply", "kind", "match"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nok", NodeUnreachable, "broke before"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", NodeUnreachable, "broke before"),
        (b"HTTP/1.1 20", NodeUnreachable, "broke before"),
        (b"", NodeUnreachable, "broke before"),
        (b"HELLO\r\n\r\n", NodeMisbehaved, "malformed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: zwei\r\n\r\n", NodeMisbehaved, "malformed"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 2000 + b"\r\ncontent-length: 2\r\n\r\nok", NodeMisbehaved, "headers"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 6000\r\n\r\n" + b"a" * 6000, NodeMisbehaved, "at most 5000"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nok", NodeMisbehaved, "compressed"),
        (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", NodeMisbehaved, "malformed"),
    ],
    ids=["cut", "cut chunk", "cut head", "nothing", "no HTTP", "bad length", "headers", "body", "gzip", "upgrade"],
)
def test_a_broken_or_greedy_reply_is_an_error_never_a_short_answer(
    reply: bytes, kind: type[Exception], match: str
) -> None:
    against(answering(reply, then_close=True), lambda client, url: fails(client, url, kind, match))


def test_a_reply_without_a_length_ends_with_the_connection() -> None:
    async def talk(client: HttpClient, url: str) -> None:
        assert await (await client.request("GET", url)).read() == b"all of it"

    against(answering(b"HTTP/1.1 200 OK\r\n\r\nall of it", then_close=True), talk)


def test_silence_is_an_error_at_the_deadline() -> None:
    against(answering(b""), lambda client, url: fails(client, url, NodeUnreachable, "in time"))


def test_a_gap_in_a_body_is_an_error_at_the_deadline() -> None:
    silent = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nok")
    against(silent, lambda client, url: fails(client, url, NodeUnreachable, "in time"))


def test_a_body_that_never_ends_is_cut_at_the_deadline_of_the_whole() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1\r\na\r\n")
            await asyncio.sleep(0.05)

    against(endless, lambda client, url: fails(client, url, NodeUnreachable, "in time"))


def test_a_flood_is_not_read_faster_than_it_is_consumed() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while True:
            writer.write(bytes(100_000))
            await writer.drain()
            sent += 100_000

    async def talk(client: HttpClient, url: str) -> None:
        reply = await client.request("GET", url)
        await asyncio.sleep(0.3)
        reply.abort()

    against(flood, talk, replace(LIMITS, reply_bytes=2**40))
    assert sent < 50_000_000


def test_nobody_there_is_an_error() -> None:
    async def run() -> None:
        with pytest.raises(NodeUnreachable, match="cannot connect"):
            await HttpClient(LIMITS).request("GET", "http://127.0.0.1:1/")

    asyncio.run(run())


def test_an_address_that_is_not_allowed_gets_no_byte() -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    async def talk(_client: HttpClient, url: str) -> None:
        with pytest.raises(NodeUnreachable, match="not allowed"):
            await HttpClient(LIMITS, allow=lambda _address: False).request("GET", url)
        await asyncio.sleep(0.05)

    against(listen, talk)
    assert heard in ([], [b""])


def test_loopback_is_told_from_other_addresses() -> None:
    assert loopback_only(ipaddress.ip_address("127.0.0.9"))
    assert not loopback_only(ipaddress.ip_address("10.0.0.1"))


@pytest.mark.parametrize("url", ["ftp://x/", "x", "http://", "file:///etc/passwd"])
def test_only_http_urls_are_taken(url: str) -> None:
    with pytest.raises(ValueError, match="not an http URL"):
        Origin.of(url)


NO_URLS = ("", "x", "ftp://x/", "http://", "http://[::1", "http://x:99999", "http://x:abc", "http://.")


@pytest.mark.parametrize("url", [*NO_URLS, "http://\ud800", "http://" + "a" * 99, "x" * 100_000])
def test_whatever_somebody_registers_as_its_endpoint_is_at_worst_not_reached(url: str) -> None:
    async def main() -> None:
        client = HttpClient(LIMITS)
        with pytest.raises(NodeUnreachable) as refused:
            await client.request("GET", url + "/v1/offer")
        assert len(refused.value.message) < 500
        await client.close()

    asyncio.run(main())


def test_a_header_cannot_smuggle_a_second_one() -> None:
    async def talk(client: HttpClient, url: str) -> None:
        with pytest.raises(ValueError, match="line break"):
            await client.request("GET", url, headers={"x": "a\r\ny: b"})

    against(answering(OK), talk)


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=20_000), st.integers(1, 5000))
def test_our_server_and_our_client_understand_each_other(body: bytes, size: int) -> None:
    async def echo(request: Request) -> Reply:
        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(request.body), size):
                yield request.body[start : start + size]

        return Reply(200, pieces()) if request.path == "/stream" else json_reply(len(request.body))

    async def run() -> None:
        server = Server(echo, host="127.0.0.1", port=0)
        await server.start()
        client = HttpClient()
        url = f"http://127.0.0.1:{server.port}"
        assert await (await client.request("POST", url + "/stream", body=body)).read() == body
        assert await (await client.request("POST", url + "/size", body=body)).read() == str(len(body)).encode()
        await client.close()
        await server.stop()

    asyncio.run(run())
