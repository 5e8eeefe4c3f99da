"""Talking to a server over real sockets, byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from dgrid.wire.server import Reply, Request, Server, ServerLimits, json_reply

TIGHT = ServerLimits(
    header_deadline_s=0.2,
    body_deadline_s=0.2,
    idle_s=1.0,
    header_bytes=2048,
    header_count=20,
    body_bytes=1000,
    connections=4,
)
GET = b"GET /x?a=1 HTTP/1.1\r\nhost: x\r\n\r\n"
Talk = Callable[[int], Awaitable[None]]
seen: list[Request] = []


async def echo(request: Request) -> Reply:
    seen.append(request)
    return json_reply({"path": request.path, "query": request.query.decode(), "size": len(request.body)})


def served(talk: Talk, handler: Callable[[Request], Awaitable[Reply]] = echo, limits: ServerLimits = TIGHT) -> None:
    async def run() -> None:
        seen.clear()
        server = Server(handler, host="127.0.0.1", port=0, limits=limits)
        await server.start()
        try:
            async with asyncio.timeout(10):
                await talk(server.port)
        finally:
            await server.stop()

    asyncio.run(run())


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def exchange(port: int, data: bytes) -> bytes:
    """Sends bytes, reads until the server closes."""
    async with connected(port) as (reader, writer):
        writer.write(data)
        return await reader.read()


def post(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"POST /x HTTP/1.1", b"host: x", b"content-length: %d" % len(body), *headers, b"", body])
