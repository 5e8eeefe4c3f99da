"""What every role's process shares: a life that ends on a signal, a door opened with its service, the chain in view."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import uvloop

from dgrid.chain.contracts import Contracts
from dgrid.chain.rpc import Rpc
from dgrid.chain.watcher import ChainWatcher
from dgrid.config import RoleConfig
from dgrid.wire.http import HttpClient
from dgrid.wire.server import Reply, Request, Server
from dgrid.wire.typed import Domain, dgrid_domain

logger = logging.getLogger(__name__)


def run_until_signal(life: Coroutine[Any, Any, None]) -> None:
    """Runs a role's life; SIGTERM and SIGINT end it in order. Raises what it raises."""
    uvloop.run(_until_signal(life))


async def _until_signal(life: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(life)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    logger.info("stopped")


@dataclass(frozen=True, slots=True)
class ChainAccess:
    """A process's ways to the chain."""

    rpc: Rpc
    contracts: Contracts
    watcher: ChainWatcher

    @property
    def domain(self) -> Domain:
        """The domain of receipts, roots and what else the settlement checks."""
        return dgrid_domain(self.contracts.chain_id, self.contracts.settlement.address)


async def opened_chain(config: RoleConfig, stack: AsyncExitStack) -> ChainAccess:
    """The chain's parts, to be closed with `stack`; the watcher is not started."""
    contracts, http = Contracts(config.chain), HttpClient()
    stack.push_async_callback(http.close)
    rpc = Rpc.of(config.chain, http)
    watcher = ChainWatcher(rpc, contracts, config.folder, poll_ms=config.chain.poll_ms)
    stack.push_async_callback(watcher.stop)
    return ChainAccess(rpc, contracts, watcher)


class Door:
    """The listening server. It takes its port at once, so that a port in use is said before anything slow begins."""

    def __init__(self, host: str, port: int) -> None:
        self._handler: Callable[[Request], Awaitable[Reply]] | None = None
        self.server = Server(self._handle, host=host, port=port)

    async def open(self, handler: Callable[[Request], Awaitable[Reply]]) -> None:
        """Answers with `handler` from now on."""
        self._handler = handler
        await self.server.start()

    def _handle(self, request: Request) -> Awaitable[Reply]:
        assert self._handler is not None, "the door is opened with its service"
        return self._handler(request)


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000
