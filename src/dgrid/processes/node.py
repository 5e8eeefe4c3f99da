"""A node's whole life: engine, chain, door; registration while it serves; and a stop that loses nothing."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from dgrid.chain.case_events import Subject
from dgrid.chain.cases import unjail
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Kind, Role
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
from dgrid.processes.chain_side import background, until_done
from dgrid.processes.life import ChainAccess, Door, now_ms, opened_chain, run_until_signal
from dgrid.processes.node_models import sold_model
from dgrid.settlement.appealing import Appellant, BondPurse
from dgrid.settlement.overdue import DefaultClaims, SealedReceipt
from dgrid.wire.typed import dgrid_domain

logger = logging.getLogger(__name__)

BOOKS_NAME: Final = "node.sqlite"
OFFER_NAME: Final = "offer.json"
ENROL_AGAIN_S: Final = 2.0
ENROL_AGAIN_S_MAX: Final = 60.0


def run(config: NodeConfig) -> None:
    """Serves until SIGTERM or SIGINT. Raises DGridError when it cannot start."""
    run_until_signal(live(config))


async def live(config: NodeConfig) -> None:
    async with running_node(config) as node:
        logger.info("serving %s at %s", config.model, node.url)
        await asyncio.Event().wait()


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
        return self._watcher.finalized.is_active(Role.GATEWAY, Address(gateway))

    def credit_line_wei(self, gateway: bytes) -> int:
        return self._watcher.finalized.lines.get((Address(gateway), self._node), 0)

    def anchored_epoch(self, gateway: bytes) -> int:
        """The latest epoch with a root that stands: a conviction takes its epoch and all later ones away."""
        view, address = self._watcher.finalized, Address(gateway)
        anchored = view.last_epochs.get(address, -1)
        return min(anchored, view.convicted.get(address, anchored + 1) - 1)

    def protocol_bps(self, epoch: int) -> int:
        return self._watcher.finalized.parameters.at(epoch).protocol_bps


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
        await door.open(service.handle)
        taking_part = partial(take_part, config, access, engine=sold.engine, books=books, offer=offer)
        await stack.enter_async_context(background(taking_part))
        stack.callback(service.drain)
        yield RunningNode(f"http://{config.host}:{door.server.port}", service, sold.engine)


def stand_of(config: NodeConfig, sold: Sold, *, access: ChainAccess, books: Books) -> Stand:
    node, chain = config.key().address, config.chain
    domain = dgrid_domain(chain.chain_id, chain.address("settlement"))
    terms = MeterTerms(domain, node, chain.address("dgai"))
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


async def take_part(
    config: NodeConfig, access: ChainAccess, *, engine: Engine, books: Books, offer: PublishedOffer
) -> None:
    """Registers the node once its engine answers, however long that takes (it serves meanwhile): a stake brings work at
    once. All the time it answers for the node in court, and claims what gateways that never close owe it.
    """
    sender = Sender(access.rpc, config.key(), folder=config.folder, chain_id=config.chain.chain_id)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(default_claims(config, access, books=books, sender=sender).run())
            if config.appeals:
                purse = BondPurse(access.rpc, access.contracts, sender, config.dev)
                tasks.create_task(Appellant(Subject.IDENTITY, purse, access.watcher).run())
            await until_done(engine.probe, what="the engine's first answer, before which the node does not register")
            await enrol(config, access, sender=sender, offer=offer)
    finally:
        await sender.close()


def default_claims(config: NodeConfig, access: ChainAccess, *, books: Books, sender: Sender) -> DefaultClaims:
    """What the node claims by the receipts in its books: its own, and its models' creators' if its operator lets it."""

    def receipts() -> Iterator[SealedReceipt]:
        return (SealedReceipt(held.receipt, held.signed.seal) for held in books.receipts())

    kinds = (Kind.NODE, Kind.LISTING) if config.claims_for_creators else (Kind.NODE,)
    return DefaultClaims(receipts, kinds, access.rpc, access.contracts, access.watcher, sender)


async def enrol(config: NodeConfig, access: ChainAccess, *, sender: Sender, offer: PublishedOffer) -> None:
    """Registers the node and its offer, or brings them up to date. A node in jail is let out when its time is over and
    its operator starts it again.
    """
    enroller = Enroller(access.rpc, access.contracts, sender, dev=config.dev)
    enrolment = Enrolment(Role.NODE, config.url, int(config.stake_wei), offer.digest)
    delay_s = ENROL_AGAIN_S
    while True:
        try:
            await enroller.enroll(enrolment, access.watcher.latest)
            known = access.watcher.latest.members.get((Role.NODE, sender.address))
            if known is not None and known.jailed_until_s:
                await unjail(sender, access.contracts, role=Role.NODE)
        except DGridError as error:
            logger.warning("not registered yet: %s %s", error.message, error.hint)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, ENROL_AGAIN_S_MAX)
        else:
            logger.info("registered on chain as %s", config.url)
            return
