"""An upstream that answers every POST at once with the canned completion: `python -m benchmarks.mock PORT`.

Lean on purpose, so that it is not what is measured: it reads requests only as far as their length, and refuses what
it does not expect by closing. Not for anything but benchmarks on loopback.
"""

import asyncio
import sys
from typing import cast

import uvloop

from benchmarks.exchange import REPLY_BYTES, Reply

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % REPLY_BYTES


class LeanServer(asyncio.Protocol):
    """HTTP/1.1 with keep-alive for requests that state their length. `answer` is called once for each of them."""

    transport: asyncio.Transport
    _rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        while data:
            head_end = data.find(b"\r\n\r\n")
            if head_end < 0:
                break
            end = head_end + 4 + body_length(data, head_end)
            if len(data) < end:
                break
            self.answer(data[:head_end], data[head_end + 4 : end])
            data = data[end:]
        self._rest = data

    def answer(self, head: bytes, body: bytes) -> None:
        raise NotImplementedError


def body_length(data: bytes, head_end: int) -> int:
    """What a message's content-length says; 0 when it says nothing. The name may be written in any case."""
    at = data.find(b"ontent-", 0, head_end)
    while at > 0:
        if data[at + 7 : at + 14].lower() == b"length:":
            line_end = data.find(b"\r\n", at)
            return int(data[at + 14 : line_end])
        at = data.find(b"ontent-", at + 7, head_end)
    return 0


class MockOpenAI(LeanServer):
    """The canned completion for every POST, an empty list for every GET."""

    reply = Reply()
    number = 0

    def answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST"):
            MockOpenAI.number += 1
            self.transport.write(HEAD + self.reply.body(MockOpenAI.number))
        else:
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]")


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(MockOpenAI, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
