"""An author's whole life: appointed, with wallets and channels of its own, asking what it knows the answers to.

It needs gas and the governor's word, no stake. What it shows of itself says nothing of which requests are its own.
"""

import asyncio
import logging
import random
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from dgrid.author.accounts import Channels, accounts_of
from dgrid.author.chance import Chance
from dgrid.author.journal import FILE_NAME, Journal
from dgrid.author.stock import Stock, read_questions
from dgrid.author.traffic import TrafficReader
from dgrid.author.working import AuthorLoop, Desk, Luck
from dgrid.chain.funding import fund_dev
from dgrid.chain.watcher import ChainWatcher
from dgrid.config import AuthorConfig
from dgrid.core.errors import DGridError, RouteNotFound
from dgrid.core.identity import Address, to_hex
from dgrid.processes.author_asking import PRICE_LIMITS, Asker, write_body
from dgrid.processes.chain_side import ChainSide, background, chain_side, until_done
from dgrid.processes.life import now_ms, run_until_signal
from dgrid.settlement.archives import LIMITS, Archives, doors_of
from dgrid.settlement.records import Records
from dgrid.wire.http import HttpClient, any_address, loopback_only
from dgrid.wire.server import Reply, Request, Server, json_reply

logger = logging.getLogger(__name__)

CHANNELS_LOOK_S: Final = 5.0
NONCE_BYTES, NAME_BYTES = 32, 16
WORTHS: Final = 10  # times what the network takes a request to be worth, and a canary is too dear


def run(config: AuthorConfig) -> None:
    """Serves until SIGTERM or SIGINT. Raises DGridError when it cannot start."""
    run_until_signal(_live(config, stock_of(config)))


async def _live(config: AuthorConfig, stock: Stock) -> None:
    async with chain_side(config) as side, AsyncExitStack() as stack:
        journal = Journal(config.folder / FILE_NAME)
        stack.callback(journal.close)
        if stock.questions:
            fresh = len(stock.fresh(journal.own_questions()))
            logger.info("%d own questions, %d of them never asked", len(stock.questions), fresh)
        loop = opened_loop(config, side, stock=stock, journal=journal, stack=stack)
        service = AuthorService(side.sender.address, journal, side.watcher)
        server = Server(service.handle, host=config.host, port=config.port)
        stack.push_async_callback(server.stop)
        await server.start()
        logger.info("author at %s, %d accounts", config.url, len(loop.accounts))
        async with background(partial(_prepare, config, side)):
            await loop.run()


def stock_of(config: AuthorConfig) -> Stock:
    """The author's own questions, all of them checked. Raises ConfigError."""
    return Stock(read_questions(Path(config.questions)) if config.questions else (), config.questions_bps)


def opened_loop(
    config: AuthorConfig, side: ChainSide, *, stock: Stock, journal: Journal, stack: AsyncExitStack
) -> AuthorLoop:
    """All that works together, to be closed with `stack`."""
    watcher, key = side.watcher, config.key()
    allow = loopback_only if config.dev else any_address
    http, prices = HttpClient(LIMITS, allow=allow), HttpClient(PRICE_LIMITS, allow=allow)
    for client in (http, prices):
        stack.push_async_callback(client.close)
    asker = Asker(prices, lambda: WORTHS * watcher.finalized.parameters_at(now_ms()).request_value_max_wei)
    stack.push_async_callback(asker.close)
    archives = Archives(http, lambda: doors_of(watcher.latest, urls=config.archive_urls), domain=side.domain)
    records = Records(lambda: watcher.finalized, archives)
    accounts = accounts_of(key, config.accounts)
    own = {account.address for account in accounts}
    return AuthorLoop(
        Desk(key, side.court, watcher, side.sender, side.contracts, archives),
        journal,
        TrafficReader(records, domain=side.domain, own=own),
        accounts,
        Luck(
            Chance(random.SystemRandom()),
            partial(secrets.token_bytes, NONCE_BYTES),
            partial(secrets.token_hex, NAME_BYTES),
        ),
        write_body,
        asker.ask,
        now_ms,
        stock,
    )


async def _prepare(config: AuthorConfig, side: ChainSide) -> None:
    """Gas money where it can be had, then channels, as gateways come. Who writes canaries the members decide."""
    if config.dev:
        address = side.sender.address
        await until_done(lambda: fund_dev(side.rpc, side.contracts, address=address), what="gas money")
    accounts = accounts_of(config.key(), config.accounts)
    channels = Channels(side.rpc, config.chain, config.folder, accounts, int(config.deposit_wei))
    while True:
        try:
            await channels.open_missing(side.watcher.latest)
        except DGridError as error:
            logger.warning("no channel yet: %s %s", error.message, error.hint)
        await asyncio.sleep(CHANNELS_LOOK_S)


@dataclass(frozen=True, slots=True)
class AuthorService:
    """What an author answers: that it lives, and no more than the chain says anyway."""

    author: Address
    journal: Journal
    watcher: ChainWatcher

    async def handle(self, request: Request) -> Reply:
        """One request. Raises RouteNotFound."""
        if request.path != "/healthz" or request.method != "GET":
            raise RouteNotFound(f"an author has no {request.method} {request.path[:80]}")
        return json_reply(
            {
                "role": "author",
                "address": to_hex(self.author),
                "is_appointed": self.author in self.watcher.finalized.authors,
                "chain_block": self.watcher.block,
                "chain_is_stale": self.watcher.is_stale,
            }
        )
