"""What roles that send transactions share: a chain they watch, a key that sends, work tried until it succeeds."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from dgrid.chain.sender import Sender
from dgrid.config import RoleConfig
from dgrid.core.errors import DGridError
from dgrid.machine.lasting import lasting
from dgrid.processes.life import ChainAccess, opened_chain
from dgrid.wire.typed import Domain, court_domain

logger = logging.getLogger(__name__)

AGAIN_S, AGAIN_S_MAX = 1.0, 30.0


@dataclass(frozen=True, slots=True)
class ChainSide(ChainAccess):
    """A role's ways to the chain and its key's. The watcher runs; the sender has begun to tend its journal."""

    sender: Sender

    @property
    def court(self) -> Domain:
        """The domain of what evaluators and authors sign."""
        return court_domain(self.contracts.chain_id, self.contracts.quality_court.address)


@asynccontextmanager
async def chain_side(config: RoleConfig) -> AsyncIterator[ChainSide]:
    """Opens a role's chain side; waits for the chain only if it was never seen."""
    async with AsyncExitStack() as stack:
        access = await opened_chain(config, stack)
        await access.watcher.start()
        sender = Sender(access.rpc, config.key(), folder=config.folder, chain_id=config.chain.chain_id)
        stack.push_async_callback(sender.close)
        await sender.start()
        yield ChainSide(access.rpc, access.contracts, access.watcher, sender)


async def until_done(work: Callable[[], Awaitable[None]], *, what: str) -> None:
    """Does something that needs the chain, or another server, again and again until it succeeds."""
    pause_s = AGAIN_S
    while True:
        try:
            await work()
        except DGridError as error:
            logger.warning("%s: not yet: %s %s", what, error.message, error.hint)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, AGAIN_S_MAX)
        else:
            logger.info("%s: done", what)
            return


@asynccontextmanager
async def background(*works: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Does works beside the block, and ends them with it. One that fails ends nothing else, and begins anew."""
    tasks = [asyncio.create_task(lasting(work)) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
