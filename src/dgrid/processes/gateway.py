"""A gateway's whole life: chain, ledger, door; registration, bond and credit lines while it serves; a stop that loses
nothing.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

from dgrid.chain.case_events import Subject
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView
from dgrid.config import GatewayConfig
from dgrid.core.errors import DGridError
from dgrid.core.identity import Address
from dgrid.core.money import BPS, amount_text
from dgrid.engines.catalog import Catalog
from dgrid.engines.tokenizers import Tokenizer, load_tokenizer
from dgrid.gateway.chain_facts import WatchedChain
from dgrid.gateway.closing import Partners
from dgrid.gateway.court import WatchedCourt
from dgrid.gateway.handover import SettlerDoors
from dgrid.gateway.service import GatewayService, Settings
from dgrid.processes.chain_side import background
from dgrid.processes.life import ChainAccess, Door, now_ms, opened_chain, run_until_signal
from dgrid.settlement.appealing import Appellant, BondPurse
from dgrid.settlement.archives import LIMITS, Archives, doors_of
from dgrid.web.status import status_reply
from dgrid.wire.http import HttpClient, any_address, loopback_only
from dgrid.wire.typed import channel_domain, dgrid_domain

logger = logging.getLogger(__name__)

ENROL_AGAIN_S: Final = 1.0
LINES_LOOK_S: Final = 1.0
COLLECT_AFTER: Final = (20_000, 20, 50)  # objects, then generations


def run(config: GatewayConfig) -> None:
    """Serves until SIGTERM or SIGINT. Raises DGridError when it cannot start."""
    run_until_signal(live(config))


async def live(config: GatewayConfig) -> None:
    async with running_gateway(config) as gateway:
        logger.info("serving at %s", gateway.url)
        await asyncio.Event().wait()


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A gateway that serves."""

    url: str
    service: GatewayService


@asynccontextmanager
async def running_gateway(config: GatewayConfig) -> AsyncIterator[RunningGateway]:
    """Starts everything, in an order that fails early; ends everything in the other order."""
    door = Door(config.host, config.port)
    async with AsyncExitStack() as stack:
        access = await opened_chain(config, stack)
        known_tokenizers()  # read now, not while the first request waits
        await access.watcher.start()
        sender = await opened_sender(config, access, stack=stack)
        service = await opened_service(config, access, sender=sender, stack=stack)
        await service.start()
        stack.push_async_callback(service.stop)
        await door.open(service.handle)
        stack.push_async_callback(door.server.stop)
        works: list[Callable[[], Awaitable[None]]] = [partial(enrol, config, access, sender=sender)]
        if config.appeals:
            purse = BondPurse(access.rpc, access.contracts, sender, config.dev)
            appellant = Appellant(Subject.UNDISCLOSED, purse, access.watcher)
            works.append(appellant.run)
        await stack.enter_async_context(background(*works))
        spare_the_collector()
        yield RunningGateway(f"http://{config.host}:{door.server.port}", service)


def spare_the_collector() -> None:
    """What exists now lives as long as the process, and requests leave few cycles: look for them less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def opened_sender(config: GatewayConfig, access: ChainAccess, *, stack: AsyncExitStack) -> Sender:
    """The gateway's one way to send transactions."""
    sender = Sender(access.rpc, config.key(), folder=config.folder, chain_id=config.chain.chain_id)
    stack.push_async_callback(sender.close)
    await sender.start()
    return sender


async def opened_service(
    config: GatewayConfig, access: ChainAccess, *, sender: Sender, stack: AsyncExitStack
) -> GatewayService:
    """The gateway's service over its chain, archives and settlers; what it opens is closed with `stack`."""
    settings = settings_of(config, access)
    chain = WatchedChain(
        access.watcher,
        gateway=settings.key.address,
        token=settings.token,
        settlement=config.chain.address("settlement"),
    )
    http = HttpClient(LIMITS, allow=settings.allow)
    stack.push_async_callback(http.close)
    archives = Archives(http, lambda: doors_of(access.watcher.finalized), domain=settings.domain)
    court = WatchedCourt(access.watcher, access.contracts, sender=sender)
    partners = Partners(chain, archives, SettlerDoors(http, config.settler_urls), court)
    return GatewayService(settings, partners, tokenizers=tokenizer_named, now_ms=now_ms, pages=(status_reply,))


def settings_of(config: GatewayConfig, access: ChainAccess) -> Settings:
    """What the service is told of its configuration. Raises NotYet before the chain was seen for the first time."""
    chain = config.chain
    return Settings(
        config.key(),
        config.folder,
        dgrid_domain(chain.chain_id, chain.address("settlement")),
        channel_domain(chain.chain_id, chain.address("channel_escrow")),
        chain.address("dgai"),
        chain.contracts,
        access.watcher.clock,
        config.margin_bps,
        config.request_timeout_s,
        config.attempts,
        loopback_only if config.dev else any_address,
        measured_quality(),
    )


@cache
def known_tokenizers() -> dict[str, Tokenizer]:
    """The tokenizers of the built-in models, by the name that offers use."""
    try:
        models = Catalog.built_in().models
    except DGridError as error:
        logger.warning("no tokens can be counted here: %s", error.message)
        return {}
    found = (load_tokenizer(model.path) for model in models)
    return {tokenizer.name: tokenizer for tokenizer in found if tokenizer is not None}


def tokenizer_named(name: str) -> Tokenizer | None:
    return known_tokenizers().get(name)


def measured_quality() -> dict[str, int]:
    """What the models' catalogue says of their quality, in basis points; nothing where it was not measured."""
    try:
        models = Catalog.built_in().models
    except DGridError:
        return {}
    return {model.id: round(model.entry.quality * BPS) for model in models if model.entry.quality is not None}


async def enrol(config: GatewayConfig, access: ChainAccess, *, sender: Sender) -> None:
    """Registers the gateway, fills its bond, and gives every node a credit line; goes on as nodes come."""
    enroller = Enroller(access.rpc, access.contracts, sender, dev=config.dev)
    is_registered, is_active = False, True
    while True:
        try:
            if not is_registered:
                await enroller.enroll(enrolment_of(config, access.watcher.latest), access.watcher.latest)
                await enroller.ensure_bond(int(config.bond_wei))
                is_registered = True
                logger.info("registered on chain as %s", config.url)
            is_active = say_if_out_of_service(access.watcher.latest, gateway=sender.address, was_active=is_active)
            await give_lines(config, access, enroller=enroller)
        except DGridError as error:
            logger.warning("not enrolled yet: %s %s", error.message, error.hint)
            await asyncio.sleep(ENROL_AGAIN_S)
        await asyncio.sleep(LINES_LOOK_S)


def enrolment_of(config: GatewayConfig, view: ChainView) -> Enrolment:
    """What the gateway declares: its margin as far as the members allow it now."""
    margin_bps = min(config.margin_bps, view.parameters_at(now_ms()).maximum_margin_bps)
    return Enrolment(Role.GATEWAY, config.url, int(config.stake_wei), margin_bps=margin_bps)


def say_if_out_of_service(view: ChainView, *, gateway: Address, was_active: bool) -> bool:
    """Whether it is in service; says once, when it no longer is, what that means and what to do."""
    own = view.members.get((Role.GATEWAY, gateway))
    is_active = own is None or own.active
    if was_active and own is not None and not is_active:
        why, remedy = f"its stake of {amount_text(own.stake_wei)} DGAI is below the least", "dgrid stake gateway"
        if own.jailed_until_s:
            why, remedy = "it is jailed", "dgrid unjail gateway"
        logger.error("out of service, for %s: what it begins now is not settled until `%s` mends it", why, remedy)
    return is_active


async def give_lines(config: GatewayConfig, access: ChainAccess, *, enroller: Enroller) -> None:
    """A line for every active node, as far as the bond reaches; none while it leaves, or is jailed, itself."""
    view, line_wei = access.watcher.latest, int(config.credit_line_wei)
    own = view.members.get((Role.GATEWAY, enroller.sender.address))
    if own is not None and not own.active:
        return
    most = int(config.bond_wei) // max(1, line_wei)
    nodes = sorted(member.address for member in view.active(Role.NODE))[:most]
    await enroller.ensure_lines(dict.fromkeys(nodes, line_wei), view)
