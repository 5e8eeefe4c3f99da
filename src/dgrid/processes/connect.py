"""`dgrid connect`: an OpenAI-compatible proxy on loopback that pays by vouchers and passes on only what it has checked.

It holds the user's key, one channel a gateway, and a book of what was used. A whole answer is passed on once its
receipt holds; of a stream, everything but its end is passed on as it comes, and the end once the receipt holds.
"""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from dgrid.chain.channels import ChannelTerms, channel_config, channel_id, channel_state, open_channel
from dgrid.chain.contracts import Contracts
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.rpc import Rpc
from dgrid.client.asynchronous import AsyncClient, AsyncStream
from dgrid.client.book import held
from dgrid.client.flow import Opened, Order, Piece
from dgrid.client.kept import forget_requests, keep_receipt, keep_refused, kept_receipt
from dgrid.client.payments import ChannelDomains, ChannelWallet, Wallets
from dgrid.config import WalletConfig
from dgrid.core.errors import (
    ChainUnavailable,
    CheckFailed,
    DGridError,
    InsufficientBudget,
    NetworkUnreachable,
    RouteNotFound,
)
from dgrid.core.identity import Address, ChannelId, address_from_hex, to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import amount_text
from dgrid.processes.chain_side import background
from dgrid.processes.home import HOST
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.exchange import REQUEST_ID
from dgrid.wire.failures import Failures, new_request_id
from dgrid.wire.http import ClientLimits, HttpClient
from dgrid.wire.openai import decode_chat
from dgrid.wire.problems import problem_body
from dgrid.wire.server import Reply, Request, Server, json_reply
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import channel_domain, dgrid_domain

logger = logging.getLogger(__name__)

TAG = keccak(b"dgrid connect")[:12]  # tells this proxy's channels from the payer's others
FINAL_S_MAX = 60.0  # how long a new deposit may take to be final: before that no gateway credits it
FINAL_POLL_S = 0.25
NOTICE_S = 1.0  # how long a gateway may take to notice
TRY_AGAIN_S = 15.0
REQUESTS_KEPT = 50_000
TIDY_S = 600.0
WHAT_IS_PASSED = "it passes on POST /v1/chat/completions and GET /v1/models; a base URL ends with /v1"
PASSED_HEADERS = ("idempotency-key",)
Announce = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """Where the network is, where the books are kept, and what may be spent."""

    wallet: WalletConfig
    folder: Path
    port: int
    deposit_wei: int
    max_fee_wei: int
    note: Callable[[str], None] = logger.info  # says what takes a while


def run_connect(options: ConnectOptions, *, say: Announce) -> int:
    """Serves until it is told to stop. Raises DGridError when it cannot start."""
    asyncio.run(_run(options, say))
    return 0


async def _run(options: ConnectOptions, say: Announce) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(connected(options))
        url = f"http://{HOST}:{server.port}/v1"
        say(
            f"ready {url}\nPoint any OpenAI client at this base URL; the API key may be anything.\n"
            f'  OpenAI(base_url="{url}", api_key="any")',
            {"base_url": url, "gateway_urls": list(options.wallet.gateway_urls)},
        )
        await stop.wait()


@contextlib.asynccontextmanager
async def connected(options: ConnectOptions) -> AsyncIterator[Server]:
    """A proxy that serves. Gateways that do not answer yet are tried again while it runs."""
    options.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    wallets = Wallets({})
    client = AsyncClient(options.wallet.gateway_urls, KeepingWallets(wallets, options.folder))
    server = Server(Proxy(client).handle, host=HOST, port=options.port)  # a taken port is found before money is sent
    async with AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        stack.push_async_callback(server.stop)
        stack.enter_context(held(options.folder))
        missing = await open_wallets(options, wallets, urls=options.wallet.gateway_urls)
        if len(missing) == len(options.wallet.gateway_urls):
            raise next(iter(missing.values()), NetworkUnreachable("no gateway is configured"))
        await server.start()
        opening = partial(_open_missing, options, wallets, list(missing))
        async with background(opening, partial(keep_bounded, options.folder)):
            yield server


async def keep_bounded(folder: Path, *, most: int = REQUESTS_KEPT, every_s: float = TIDY_S) -> None:
    """Forgets the oldest signed requests, from time to time, where they keep nobody waiting."""
    while True:
        await asyncio.to_thread(forget_requests, folder, most=most)
        await asyncio.sleep(every_s)


# --- channels ---------------------------------------------------------------------------------------------------------


async def _open_missing(options: ConnectOptions, wallets: Wallets, missing: Sequence[str]) -> None:
    while missing:
        await asyncio.sleep(TRY_AGAIN_S)
        missing = list(await open_wallets(options, wallets, urls=missing))


async def open_wallets(options: ConnectOptions, wallets: Wallets, *, urls: Sequence[str]) -> dict[str, DGridError]:
    """Adds a channel wallet for each gateway that answers; the errors of the others.

    On the dev chain a channel that is missing is opened and funded.
    """
    key = options.wallet.key()
    http = HttpClient(ClientLimits(first_byte_s=10.0))
    failures: dict[str, DGridError] = {}
    try:
        for url in urls:
            try:
                wallets.add(url, await _open_wallet(options, key, url=url, http=http))
            except DGridError as error:
                logger.warning("%s", error.message)
                failures[url] = error
    finally:
        await http.close()
    return failures


async def _open_wallet(options: ConnectOptions, key: SigningKey, *, url: str, http: HttpClient) -> ChannelWallet:
    chain = options.wallet.chain
    contracts, rpc = Contracts(chain), Rpc.of(chain, http)
    terms = ChannelTerms(await _gateway_at(url, http), key.address, TAG)
    config = await channel_config(rpc, contracts, payer=key.address, terms=terms)
    state = await channel_state(rpc, contracts, config=config)
    if state.deposited_wei == 0:
        if chain.chain_id != DEV_CHAIN_ID:
            raise InsufficientBudget(
                f"there is no channel to the gateway at {url}",
                hint="on this chain deposit into one with your own wallet; only dev channels open themselves",
            )
        amount = options.deposit_wei
        options.note(f"opening a channel to {url}; its deposit is final in a few seconds …")
        await open_channel(rpc, chain, payer=key, terms=terms, amount_wei=amount, journal=options.folder)
        await _until_final(rpc, contracts, channel_id(contracts, config))
    escrow, settlement = contracts.channel_escrow.address, contracts.settlement.address
    domains = ChannelDomains(dgrid_domain(chain.chain_id, settlement), channel_domain(chain.chain_id, escrow))
    folder, max_fee_wei = options.folder, options.max_fee_wei
    wallet = ChannelWallet(key, config, domains=domains, folder=folder, now_ms=_now_ms, max_fee_wei=max_fee_wei)
    wallet.raise_used(state.drawn_wei)
    return wallet


async def _until_final(rpc: Rpc, contracts: Contracts, name: ChannelId) -> None:
    """Until a new deposit is final and gateways have seen it. Raises ChainUnavailable after a minute."""
    deadline_s = time.monotonic() + FINAL_S_MAX
    while not (await contracts.channel_escrow.read(rpc, "channel", [name], block="finalized"))[0]:
        if time.monotonic() > deadline_s:
            raise ChainUnavailable("the deposit was sent and is not final yet", hint="try again in a minute")
        await asyncio.sleep(FINAL_POLL_S)
    await asyncio.sleep(NOTICE_S)


async def _gateway_at(url: str, http: HttpClient) -> Address:
    """The address of the gateway behind a URL. Vouchers name it, so a false one gains nothing."""
    try:
        reply = await http.request("GET", f"{url}/v1/network/parameters")
        found = msgspec.json.decode(await reply.read())
        return address_from_hex(found["gateway"])
    except (DGridError, ValueError, KeyError, TypeError) as error:
        raise NetworkUnreachable(f"no gateway answers at {url}: {error}") from None


def _now_ms() -> int:
    return int(time.time() * 1000)


class KeepingWallets:
    """Wallets that also keep each settled receipt, so that it can be fetched and audited later."""

    def __init__(self, wallets: Wallets, folder: Path) -> None:
        self._wallets, self._folder = wallets, folder
        self.headers = wallets.headers

    def own(self, gateway_url: str, document: ReceiptDocument) -> ReceiptDocument:
        """With the salt that was chosen for the request, or for the earlier one that an idempotency key repeats."""
        kept = self._kept(document)
        return self._wallets.own(gateway_url, document) if kept is None else replace(document, salt=kept.salt)

    def settle(self, gateway_url: str, document: ReceiptDocument) -> None:
        """Pays once: a repeated request's receipt is the one that was taken into the book before.

        Raises CheckFailed when it bills what is not owed; then the receipt is kept as evidence.
        """
        if self._kept(document) is not None:
            return
        try:
            self._wallets.settle(gateway_url, document)
        except CheckFailed:
            keep_refused(self._folder, document)
            raise
        keep_receipt(self._folder, document)

    def _kept(self, document: ReceiptDocument) -> ReceiptDocument | None:
        """The receipt of the same request, if it is the same in every field."""
        data = kept_receipt(self._folder, to_hex(document.receipt.request_id))
        kept = None if data is None else ReceiptDocument.decode(data)
        return kept if kept is not None and kept.receipt == document.receipt else None


# --- the proxy -------------------------------------------------------------------------------------------------------


class Proxy:
    """Answers OpenAI requests by asking gateways; refuses paths that no payment covers."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._failures = Failures()

    async def handle(self, request: Request) -> Reply:
        """One request of a local client. Whatever key it sends is ignored. An error keeps the gateway's request id."""
        try:
            return await self._answer(request)
        except DGridError as error:
            return self._failures.reply(error, request)

    async def _answer(self, request: Request) -> Reply:
        if (request.method, request.path) == ("POST", "/v1/chat/completions"):
            return await self._chat(request)
        if request.method == "GET" and (request.path == "/v1/models" or request.path.startswith("/v1/models/")):
            return Reply(200, await self._client.fetch(request.path), [(REQUEST_ID, new_request_id().encode())])
        if request.method == "GET" and request.path == "/healthz":
            return json_reply({"status": "ok"})
        raise RouteNotFound(f"this proxy has no {request.method} {request.path[:80]}", hint=WHAT_IS_PASSED)

    async def _chat(self, request: Request) -> Reply:
        chat = decode_chat(request.body)
        headers = {name: value for name in PASSED_HEADERS if (value := request.header(name.encode()))}
        stream = self._client.relay(Order(request.body, chat.model, bool(chat.stream), headers=headers))
        steps = stream.steps()
        opened = await anext(steps)
        assert isinstance(opened, Opened)
        passed = [(name.encode(), value.encode()) for name, value in opened.headers.items() if name.startswith("x-")]
        if chat.stream:
            request_id = opened.headers.get(REQUEST_ID.decode(), "")
            return Reply(200, _relayed(steps, stream, request_id=request_id), passed, b"text/event-stream")
        body = b"".join([step.data async for step in steps if isinstance(step, Piece)])
        _log(stream)
        return Reply(200, body, passed)


async def _relayed(
    steps: AsyncIterator[Opened | Piece], stream: AsyncStream, *, request_id: str
) -> AsyncIterator[bytes]:
    """The stream as it comes; a receipt that does not hold ends it with an error instead of [DONE]."""
    try:
        async for step in steps:
            if isinstance(step, Piece) and step.data:
                yield step.data
    except DGridError as error:
        name = error.request_id or request_id
        logger.warning("request %s failed: %s: %s", name, error.code, error.message)
        yield b"data: " + problem_body(error, name) + b"\n\n"
        return
    _log(stream)


def _log(stream: AsyncStream) -> None:
    answer = stream.answer
    logger.info("receipt %s, %s DGAI, by %s", answer.receipt_id, amount_text(answer.fee_wei), answer.gateway_url)
