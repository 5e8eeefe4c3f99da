"""The HTTP server of every role.

A handler takes a `Request` and returns a `Reply`; what strangers may send, and until when, is `conversation`'s.
"""

import asyncio
import contextlib
import errno
import socket

from dgrid.core.errors import DGridError
from dgrid.wire.conversation import Conversation, House, ServerLimits
from dgrid.wire.exchange import Handler, Headers, Reply, Request, json_reply, problem_reply

__all__ = [
    "Handler",
    "Headers",
    "PortTaken",
    "Reply",
    "Request",
    "Server",
    "ServerLimits",
    "json_reply",
    "problem_reply",
]

BACKLOG = 2048
GRACE_S = 5.0  # for running requests, when the server stops
LISTEN_HINTS = {
    errno.EADDRINUSE: "another program uses the port: stop it, or take another port (--port, --listen, its file)",
    errno.EACCES: "ports below 1024 are not for everybody: take another port",
}


class PortTaken(DGridError):
    code = "port_in_use"


class Server:
    """One listening server. `start` returns once it accepts; `stop` lets running requests end within a grace."""

    def __init__(self, handler: Handler, *, host: str, port: int, limits: ServerLimits | None = None) -> None:
        self._house = House(handler, limits or ServerLimits())
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._listening: asyncio.Server | None = None

    async def start(self) -> None:
        """Accepts connections from now on."""
        loop, house = asyncio.get_running_loop(), self._house
        self._listening = await loop.create_server(lambda: Conversation(house), sock=self._socket, backlog=BACKLOG)

    async def stop(self) -> None:
        """Stops accepting, waits for running requests (at most 5 s), closes."""
        if self._listening is None:
            self._socket.close()
            return
        self._listening.close()
        house = self._house
        for conversation in list(house.open):
            conversation.finish()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                while house.open or house.leaving:
                    house.empty.clear()
                    await house.empty.wait()
        await asyncio.gather(*(left.abandon() for left in [*house.open, *house.leaving]))

    def drop(self) -> None:
        """Hangs up on everybody, as a process does that is killed."""
        for conversation in list(self._house.open):
            conversation.drop()


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        hint = LISTEN_HINTS.get(error.errno or 0, "name an address of this machine and a free port")
        raise PortTaken(f"cannot listen on {host}:{port}: {error.strerror}", hint=hint) from error
    listening.setblocking(False)
    return listening
