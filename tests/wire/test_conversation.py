"""One connection: turns, back pressure, and the corners of HTTP that clients do use."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from tests.wire.talking import GET, TIGHT, connected, exchange, post, seen, served

from dgrid.wire.server import Reply, Request, Server, json_reply


def test_requests_in_one_go_are_answered_in_their_order() -> None:
    async def slower_at_first(request: Request) -> Reply:
        await asyncio.sleep(0.03 if request.path == "/0" else 0)
        return Reply(200, request.path.encode())

    async def talk(port: int) -> None:
        asked = [b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % at for at in range(5)]
        reply = await exchange(port, b"".join(asked) + GET.replace(b"host: x", b"connection: close"))
        bodies = [part.partition(b"\r\n\r\n")[2] for part in reply.split(b"HTTP/1.1 200 OK")[1:]]
        assert bodies == [b"/0", b"/1", b"/2", b"/3", b"/4", b"/x"]

    served(talk, slower_at_first)


def test_a_refusal_waits_for_the_answers_before_it() -> None:
    async def slow(_request: Request) -> Reply:
        await asyncio.sleep(0.03)
        return json_reply({})

    async def talk(port: int) -> None:
        reply = await exchange(port, GET + post(b"x" * 2000))
        assert reply.index(b" 200 ") < reply.index(b" 413 ")

    served(talk, slow)


def test_too_many_requests_in_one_go_are_refused() -> None:
    async def talk(port: int) -> None:
        assert b" 413 " in await exchange(port, GET * 100)

    served(talk)


def test_a_client_is_told_to_go_on_with_its_body() -> None:
    async def talk(port: int) -> None:
        async with connected(port) as (reader, writer):
            writer.write(post(b"", b"expect: 100-continue").replace(b"length: 0", b"length: 3"))
            assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
            writer.write(b"abc")
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")

    served(talk)
    assert seen[0].body == b"abc"


def test_a_reply_to_head_has_no_body() -> None:
    async def talk(port: int) -> None:
        reply = await exchange(port, b"HEAD /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert b" 200 " in reply
        assert reply.endswith(b"\r\n\r\n")

    served(talk)


def test_a_reply_to_old_http_ends_with_the_connection() -> None:
    async def stream(_request: Request) -> Reply:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"one "
            yield b"two"

        return Reply(200, pieces())

    async def talk(port: int) -> None:
        reply = await exchange(port, b"GET /x HTTP/1.0\r\n\r\n")
        assert reply.endswith(b"\r\n\r\none two")

    served(talk, stream)


def test_a_header_that_breaks_its_line_is_never_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def break_out(_request: Request) -> Reply:
        return Reply(200, b"{}", [(b"x-name", b"a\r\nset-cookie: b")])

    async def talk(port: int) -> None:
        assert await exchange(port, GET) == b""

    with caplog.at_level(logging.ERROR):
        served(talk, break_out)
    assert "line break" in caplog.text


def test_a_client_that_does_not_read_makes_the_stream_wait() -> None:
    sent: list[int] = []

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(400):
            sent.append(at)
            yield bytes(100_000)

    async def stream(_request: Request) -> Reply:
        return Reply(200, pieces())

    async def talk(port: int) -> None:
        async with connected(port) as (reader, writer):
            writer.write(GET.replace(b"host: x", b"connection: close"))
            await asyncio.sleep(0.1)
            assert len(sent) < 200
            assert len(await reader.read()) > 400 * 100_000

    served(talk, stream)


def test_stopping_waits_for_the_request_that_is_being_answered() -> None:
    async def slow(_request: Request) -> Reply:
        await asyncio.sleep(0.1)
        return json_reply({})

    async def run() -> None:
        server = Server(slow, host="127.0.0.1", port=0, limits=TIGHT)
        await server.start()
        asked = asyncio.create_task(exchange(server.port, GET))
        await asyncio.sleep(0.03)
        await server.stop()
        assert b" 200 " in await asked

    asyncio.run(run())
