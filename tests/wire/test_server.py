"""What strangers can do to a server: real sockets, real bytes."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from tests.wire.talking import GET, TIGHT, connected, echo, exchange, post, seen, served

from dgrid.core.errors import ModelNotFound, RateLimited
from dgrid.wire.server import PortTaken, Reply, Request, Server, json_reply


def name_in(reply: bytes) -> str:
    """What a reply calls its request, in its header and in its body."""
    head, _, body = reply.partition(b"\r\n\r\n")
    name: str = json.loads(body)["error"]["request_id"]
    assert f"\r\nx-request-id: {name}\r\n".encode() in head
    return name


def test_a_request_arrives_whole() -> None:
    async def talk(port: int) -> None:
        reply = await exchange(port, post(b"x" * 1000, b"X-Name: value", b"connection: close"))
        assert reply.startswith(b"HTTP/1.1 200")
        assert seen[0].body == b"x" * 1000
        assert seen[0].header(b"x-name") == "value"
        assert seen[0].header(b"absent") == ""

    served(talk)


def test_two_requests_share_a_connection() -> None:
    async def talk(port: int) -> None:
        reply = await exchange(port, GET + GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        assert reply.count(b"HTTP/1.1 200") == 2

    served(talk)


@pytest.mark.parametrize(
    "sent", [b"", b"GET /x HTT", b"GET /x HTTP/1.1\r\nhost: x\r\n"], ids=["nothing", "a bit", "most"]
)
def test_slow_headers_are_cut_at_the_deadline(sent: bytes) -> None:
    async def talk(port: int) -> None:
        reply = await exchange(port, sent)
        assert b" 408 " in reply
        assert json.loads(reply.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"

    served(talk)
    assert not seen


def test_headers_that_trickle_win_no_time() -> None:
    async def talk(port: int) -> None:
        async with connected(port) as (reader, writer):
            reply = asyncio.create_task(reader.read())
            for byte in b"GET /x HTTP/1.1\r\nx-slow: " + b"a" * 100:
                writer.write(bytes((byte,)))
                await asyncio.sleep(0.02)
                if reply.done():
                    break
            assert b" 408 " in await reply

    served(talk)


def test_a_slow_body_is_cut_at_the_deadline() -> None:
    async def talk(port: int) -> None:
        assert b" 408 " in await exchange(port, b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab")

    served(talk)
    assert not seen


@pytest.mark.parametrize("size", [1001, 100_000, 3_000_000])
def test_a_huge_body_is_refused_before_any_handler_sees_it(size: int) -> None:
    async def talk(port: int) -> None:
        assert b" 413 " in await exchange(port, post(b"x" * size))

    served(talk)
    assert not seen


@pytest.mark.parametrize("length", [b"1001", b"9" * 15])
def test_a_body_announced_as_huge_is_refused_before_it_comes(length: bytes) -> None:
    async def talk(port: int) -> None:
        assert b" 413 " in await exchange(
            port, b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: " + length + b"\r\n\r\n"
        )

    served(talk)
    assert not seen


def test_a_huge_chunked_body_is_refused() -> None:
    async def talk(port: int) -> None:
        chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
        head = b"POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        assert b" 413 " in await exchange(port, head + chunk * 2 + b"0\r\n\r\n")

    served(talk)
    assert not seen


@pytest.mark.parametrize(
    "headers",
    [b"".join(b"x-%d: 1\r\n" % at for at in range(50)), b"x: " + b"a" * 5000 + b"\r\n", b"x" * 5000 + b": 1\r\n"],
    ids=["too many", "too long a value", "too long a name"],
)
def test_headers_beyond_the_caps_are_refused(headers: bytes) -> None:
    async def talk(port: int) -> None:
        reply = await exchange(port, b"GET /x HTTP/1.1\r\nhost: x\r\n" + headers + b"\r\n")
        assert b" 413 " in reply
        assert reply.count(b"HTTP/1.1") == 1

    served(talk)
    assert not seen


def test_a_path_beyond_the_cap_is_refused() -> None:
    async def talk(port: int) -> None:
        assert b" 413 " in await exchange(port, b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nhost: x\r\n\r\n")

    served(talk)


@pytest.mark.parametrize("data", [b"\x00\x01\x02\r\n\r\n", b"NONSENSE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00"])
def test_what_is_no_http_is_refused(data: bytes) -> None:
    async def talk(port: int) -> None:
        assert b" 400 " in await exchange(port, data)

    served(talk)


def test_connections_beyond_the_cap_are_closed() -> None:
    async def talk(port: int) -> None:
        async with AsyncExitStack() as held:
            for _ in range(TIGHT.connections):
                await held.enter_async_context(connected(port))
            await asyncio.sleep(0.05)
            reader, _ = await held.enter_async_context(connected(port))
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)

    served(talk)


def test_an_idle_connection_is_closed() -> None:
    async def talk(port: int) -> None:
        async with connected(port) as (reader, writer):
            writer.write(GET)
            assert b"200" in await reader.readuntil(b"\r\n\r\n")
            assert (await reader.read()).endswith(b"}")  # ends with the body and the server's closing

    served(talk)


def test_a_typed_error_becomes_an_openai_error_object() -> None:
    async def refuse(_request: Request) -> Reply:
        raise ModelNotFound("no model x", hint="GET /v1/models lists them", param="model")

    async def talk(port: int) -> None:
        reply = await exchange(port, GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        error = json.loads(reply.partition(b"\r\n\r\n")[2])["error"]
        assert (error["code"], error["param"], error["type"]) == ("model_not_found", "model", "invalid_request_error")
        assert b"x-should-retry: false" in reply
        assert reply.startswith(b"HTTP/1.1 404")

    served(talk, refuse)


def test_waiting_is_advised_in_whole_seconds() -> None:
    async def refuse(_request: Request) -> Reply:
        raise RateLimited("slow down", retry_after_ms=1500)

    async def talk(port: int) -> None:
        reply = await exchange(port, GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        assert b"retry-after: 2\r\n" in reply
        assert b"x-should-retry" not in reply

    served(talk, refuse)


def test_an_unforeseen_error_says_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_request: Request) -> Reply:
        raise RuntimeError("a secret")

    async def talk(port: int) -> None:
        reply = await exchange(port, GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        assert b" 500 " in reply
        assert b"secret" not in reply
        assert f"unhandled error in request {name_in(reply)}" in caplog.text

    with caplog.at_level(logging.ERROR):
        served(talk, fail)


@pytest.mark.parametrize(
    ("sent", "code"),
    [(post(b"x" * 1001), "413 request_too_large"), (GET[:9], "408 request_timeout"), (b"\0", "400 invalid_request")],
    ids=["too large", "too slow", "no request"],
)
def test_what_no_handler_sees_has_a_name_in_the_reply_and_in_the_log(
    caplog: pytest.LogCaptureFixture, sent: bytes, code: str
) -> None:
    async def talk(port: int) -> None:
        reply = await exchange(port, sent)
        assert f"request {name_in(reply)} failed: {code}" in caplog.messages

    with caplog.at_level(logging.INFO):
        served(talk)


def test_pieces_are_sent_as_they_come() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"data: %d\n\n" % number
            await asyncio.sleep(0.01)

    async def stream(_request: Request) -> Reply:
        return Reply(200, pieces(), content_type=b"text/event-stream")

    async def talk(port: int) -> None:
        async with connected(port) as (reader, writer):
            writer.write(GET)
            assert b"text/event-stream" in await reader.readuntil(b"\r\n\r\n")
            assert b"data: 0" in await reader.readuntil(b"\n\n")
            assert b"data: 2" in await reader.readuntil(b"0\r\n\r\n")

    served(talk, stream)


def test_a_client_that_hangs_up_is_told_to_the_handler() -> None:
    told: list[bool] = []

    async def slow(request: Request) -> Reply:
        gone = asyncio.Event()
        request.on_gone.append(gone.set)
        await gone.wait()
        told.append(request.gone)
        return json_reply({})

    async def talk(port: int) -> None:
        async with connected(port) as (_, writer):
            writer.write(GET)
            await asyncio.sleep(0.05)
        while not told:
            await asyncio.sleep(0.01)

    served(talk, slow)
    assert told == [True]


def test_a_port_in_use_is_said_with_the_remedy() -> None:
    async def talk(port: int) -> None:
        with pytest.raises(PortTaken) as raised:
            Server(echo, host="127.0.0.1", port=port)
        assert "another port" in raised.value.hint

    served(talk)
