"""A node's whole life: engine, chain, door; registration while it serves; and a stop that loses nothing."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import uvloop

from dgrid.chain.contracts import Contracts
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.chain.watcher import ChainWatcher
from dgrid.config import NodeConfig
from dgrid.core.errors import DGridError
from dgrid.core.identity import Address
from dgrid.engines.engine import Engine
from dgrid.node.admit import Sold, Stand
from dgrid.node.books import Books
from dgrid.node.metering import Meter, MeterTerms
from dgrid.node.offer import Place, PublishedOffer
from dgrid.node.presence import Presence
from dgrid.node.serve import NodeService
from dgrid.processes.node_models import sold_model
from dgrid.wire.http import HttpClient
from dgrid.wire.server import Reply, Request, Server
from dgrid.wire.typed import dgrid_domain

logger = logging.getLogger(__name__)

BOOKS_NAME: Final = "node.sqlite"
OFFER_NAME: Final = "offer.json"
PROTOCOL_BPS_ACCEPTED: Final = 200  # what the protocol may take of this node's price
ENROL_AGAIN_S: Final = 2.0
ENROL_AGAIN_S_MAX: Final = 60.0


def run(config: NodeConfig) -> None:
    """Serves until SIGTERM or SIGINT. Raises DGridError when it cannot start."""
    uvloop.run(live(config))


async def live(config: NodeConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running_node(config) as node:
        logger.info("serving %s at %s", config.model, node.url)
        await stop.wait()
        logger.info("stopping")


@dataclass(frozen=True, slots=True)
class RunningNode:
    """A node that serves."""

    url: str
    service: NodeService
    engine: Engine


class ChainCredit:
    """What the final chain says of gateways' credit with this node."""

    def __init__(self, watcher: ChainWatcher, node: Address) -> None:
        self._watcher, self._node = watcher, node

    def is_gateway(self, gateway: bytes) -> bool:
        member = self._watcher.finalized.members.get((Role.GATEWAY, Address(gateway)))
        return member is not None and member.active

    def credit_line_wei(self, gateway: bytes) -> int:
        return self._watcher.finalized.lines.get((Address(gateway), self._node), 0)

    def anchored_epoch(self, gateway: bytes) -> int:
        """The latest epoch with a root that stands: a conviction takes its epoch and all later ones away."""
        view, address = self._watcher.finalized, Address(gateway)
        anchored = view.last_epochs.get(address, -1)
        return min(anchored, view.convicted.get(address, anchored + 1) - 1)


@dataclass(frozen=True, slots=True)
class ChainAccess:
    """This process's ways to the chain."""

    rpc: Rpc
    contracts: Contracts
    watcher: ChainWatcher


class Door:
    """The listening server. It takes its port at once, so that a port in use is said before anything slow begins."""

    def __init__(self, host: str, port: int) -> None:
        self._service: NodeService | None = None
        self.server = Server(self._handle, host=host, port=port)

    async def open(self, service: NodeService) -> None:
        self._service = service
        await self.server.start()

    async def _handle(self, request: Request) -> Reply:
        assert self._service is not None, "the door is opened with its service"
        return await self._service.handle(request)


@asynccontextmanager
async def running_node(config: NodeConfig) -> AsyncIterator[RunningNode]:
    """Starts everything, in an order that fails early; ends everything in the other order."""
    key, sold, door = config.key(), sold_model(config), Door(config.host, config.port)
    async with AsyncExitStack() as stack:
        access = await opened_chain(config, stack)
        stack.push_async_callback(sold.engine.stop)
        await asyncio.gather(sold.engine.start(), access.watcher.start())
        books = Books(config.folder / BOOKS_NAME)
        stack.callback(books.close)
        offer = offer_of(config, sold)
        service = NodeService(stand_of(config, sold, access=access, books=books), key, offer)
        stack.push_async_callback(door.server.stop)
        await door.open(service)
        stack.push_async_callback(ended, asyncio.create_task(enrol(config, access, offer=offer)))
        stack.callback(service.drain)
        yield RunningNode(f"http://{config.host}:{door.server.port}", service, sold.engine)


async def opened_chain(config: NodeConfig, stack: AsyncExitStack) -> ChainAccess:
    """The chain's parts, to be closed with `stack`; the watcher is not started."""
    contracts, http = Contracts(config.chain), HttpClient()
    stack.push_async_callback(http.close)
    rpc = Rpc(config.chain.rpc_urls, http, chain_id=config.chain.chain_id)
    watcher = ChainWatcher(rpc, contracts, config.folder, poll_ms=config.chain.poll_ms)
    stack.push_async_callback(watcher.stop)
    return ChainAccess(rpc, contracts, watcher)


def stand_of(config: NodeConfig, sold: Sold, *, access: ChainAccess, books: Books) -> Stand:
    node, chain = config.key().address, config.chain
    domain = dgrid_domain(chain.chain_id, chain.address("settlement"))
    terms = MeterTerms(domain, node, chain.address("dgai"), PROTOCOL_BPS_ACCEPTED)
    meter = Meter(terms, ChainCredit(access.watcher, node), books)
    return Stand(terms, {bytes(sold.terms.id): sold}, meter, books, Presence(config.parallel), now_ms)


def offer_of(config: NodeConfig, sold: Sold) -> PublishedOffer:
    """The signed offer: the one of the last start where nothing changed, so that the registry need not change."""
    key, path = config.key(), config.folder / OFFER_NAME
    place = Place(config.chain.chain_id, sold.engine.build, config.region, config.parallel)
    offer = PublishedOffer.sign(key, place, models=(sold.terms,), now_ms=now_ms())
    with contextlib.suppress(FileNotFoundError):
        offer = offer.kept(key, path.read_bytes())
    path.write_bytes(offer.document)
    return offer


async def enrol(config: NodeConfig, access: ChainAccess, *, offer: PublishedOffer) -> None:
    """Registers the node and its offer, however long that takes: it serves meanwhile."""
    sender = Sender(access.rpc, config.key(), folder=config.folder, chain_id=config.chain.chain_id)
    enroller = Enroller(access.rpc, access.contracts, sender, dev=config.dev)
    enrolment = Enrolment(Role.NODE, config.url, int(config.stake_wei), offer.digest)
    delay_s = ENROL_AGAIN_S
    try:
        while True:
            try:
                await enroller.enroll(enrolment, access.watcher.latest)
            except DGridError as error:
                logger.warning("not registered yet: %s %s", error.message, error.hint)
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, ENROL_AGAIN_S_MAX)
            else:
                logger.info("registered on chain as %s", config.url)
                return
    finally:
        await sender.close()


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
