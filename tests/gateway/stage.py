"""A whole small network in one event loop: a real gateway, real nodes with scripted engines, a chain on paper."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from tests.gateway.staged_court import StagedCourt

from dgrid.chain.parameter_history import ParameterHistory
from dgrid.chain.parameters import Parameters
from dgrid.core.epochs import EpochClock
from dgrid.core.errors import NetworkUnreachable
from dgrid.core.identity import NO_LISTING, ZERO_ADDRESS, api_key_tag, channel_salt
from dgrid.core.keccak import keccak
from dgrid.core.money import FREE, WEI, Price
from dgrid.engines.scripted import Script, ScriptedEngine
from dgrid.gateway.closing import Partners
from dgrid.gateway.facts import ChainState, Channel, Member
from dgrid.gateway.orders import Listing
from dgrid.gateway.service import GatewayService, Settings
from dgrid.node.admit import Sold, Stand
from dgrid.node.books import Books
from dgrid.node.metering import Meter, MeterTerms
from dgrid.node.offer import ModelTerms, Place, PublishedOffer
from dgrid.node.presence import Presence
from dgrid.node.serve import NodeService
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.store.ledger_rows import Promise
from dgrid.wire.blob import blob_id
from dgrid.wire.http import HttpClient, loopback_only
from dgrid.wire.messages import ChannelConfig, EpochRoot, Stored
from dgrid.wire.server import Handler, Server
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import channel_domain, dgrid_domain

DOMAIN = dgrid_domain(31337, b"\x11" * 20)
CHANNELS = channel_domain(31337, b"\x12" * 20)
TOKEN = b"\x22" * 20
GATEWAY_KEY = SigningKey(b"\x02" * 32)
PAYER_KEY = SigningKey(b"\x03" * 32)
API_KEY = "dg-test"
PRICE = Price(50 * WEI, 100 * WEI)
LISTED_PRICE = Price(5 * WEI, 10 * WEI)
MARGIN_BPS, PROTOCOL_BPS = 500, 200
PARAMETERS = Parameters(protocol_bps=PROTOCOL_BPS, stored_quorum=2)
DEPOSIT_WEI = 1000 * WEI


class StagedTokenizer:
    """Counts words: what a scripted answer's tokens are."""

    def count_reply(self, text: str) -> int:
        return len(text.split())

    def count_prompt(self, messages: Sequence[tuple[str, str]]) -> int | None:
        return sum(len(text.split()) for _, text in messages)


@dataclass(slots=True)
class StagedChain:
    """The finalized chain, to be changed by a test."""

    members: dict[bytes, Member] = field(default_factory=dict)
    channels: dict[bytes, Channel] = field(default_factory=dict)
    listings: dict[bytes, Listing] = field(default_factory=dict)
    roots: dict[int, EpochRoot] = field(default_factory=dict)
    line_wei: int = 10_000 * WEI
    lines_wei: int = 0  # of all gateways together; nought: only this one's
    history: ParameterHistory = field(default_factory=lambda: ParameterHistory.of(PARAMETERS))
    checked: int = -1  # the last epoch past doubt
    degraded: bool = False
    version: int = 0

    @property
    def state(self) -> ChainState:
        return ChainState(self.degraded, 7)

    def nodes(self) -> Sequence[Member]:
        return list(self.members.values())

    def channel(self, channel_id: bytes) -> Channel | None:
        return self.channels.get(channel_id)

    def channel_of_salt(self, salt: bytes) -> Channel | None:
        for channel in self.channels.values():
            if channel.config.salt == salt and channel.config.payer_authorizer == GATEWAY_KEY.address:
                return channel
        return None

    def listing(self, model_id: bytes) -> Listing:
        return self.listings.get(model_id, Listing(NO_LISTING, 0, FREE))

    def credit_line_wei(self, _node: bytes) -> int:
        return self.line_wei

    def credit_lines_wei(self, _node: bytes) -> int:
        return self.lines_wei or self.line_wei

    def parameters(self, epoch: int) -> Parameters:
        return self.history.at(epoch)

    def is_checked(self, epoch: int, *, now_ms: int) -> bool:
        return epoch <= self.checked

    def anchored_root(self, epoch: int) -> EpochRoot | None:
        return self.roots.get(epoch)

    # --- as a node asks it ---

    def is_gateway(self, gateway: bytes) -> bool:
        return gateway == GATEWAY_KEY.address

    def anchored_epoch(self, _gateway: bytes) -> int:
        return max(self.roots, default=-1)

    def protocol_bps(self, epoch: int) -> int:
        return self.history.at(epoch).protocol_bps

    # --- what a test does ---

    def open_channel(self, tag: bytes, *, authorizer: bytes, deposited_wei: int = DEPOSIT_WEI) -> Channel:
        salt = channel_salt(GATEWAY_KEY.address, tag)
        settlement = DOMAIN.verifying_contract
        config = ChannelConfig(PAYER_KEY.address, authorizer, settlement, settlement, TOKEN, 600, salt)
        channel = Channel(CHANNELS.digest(config.struct_hash()), config, deposited_wei, is_leaving=False)
        self.put_channel(channel)
        return channel

    def put_channel(self, channel: Channel) -> None:
        self.channels[channel.channel_id] = channel
        self.version += 1


@dataclass(slots=True)
class StagedArchives:
    """Three archives in memory."""

    keys: list[SigningKey] = field(default_factory=lambda: [SigningKey(bytes([9, at]) + bytes(30)) for at in (1, 2, 3)])
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    down: int = 0
    refused: bytes = b""  # what a blob begins with that nobody takes

    async def fetch(self, blob_id: bytes) -> bytes:
        if blob_id not in self.blobs:
            raise NetworkUnreachable("no archive answers")
        return self.blobs[blob_id]

    async def put(
        self, blob: bytes, *, key: SigningKey, root: SignedRoot | None = None, enough: int = 1
    ) -> list[Promise]:
        if self.refused and blob.startswith(self.refused):
            return []
        name = blob_id(blob)
        self.blobs[name] = blob
        promises = []
        for archive in sorted(self.keys, key=lambda one: one.address)[self.down :]:
            digest = DOMAIN.digest(Stored(archive.address, name).struct_hash())
            promises.append(Promise(archive.address, archive.sign(digest)))
        return promises


@dataclass(slots=True)
class StagedSettlers:
    """A settler that anchors at once, or not at all."""

    chain: StagedChain
    court: StagedCourt
    down: bool = False
    anchors: bool = True
    taken: list[EpochRoot] = field(default_factory=list)

    async def hand_over(self, root: EpochRoot, signature: bytes, *, promises: Sequence[Promise]) -> None:
        if self.down:
            raise NetworkUnreachable("the settler is away")
        self.taken.append(root)
        if self.anchors:
            self.chain.roots[root.epoch] = root
            self.court.anchored(root)


@dataclass(slots=True)
class Time:
    """The wall clock, moved by a test."""

    ahead_ms: int = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


@dataclass(slots=True)
class StagedNode:
    """A node on a port of its own."""

    key: SigningKey
    service: NodeService
    server: Server
    engine: ScriptedEngine
    stand: Stand

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"


@dataclass(slots=True)
class Answered:
    """What a client got."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        code: str = self.json["error"]["code"]
        return code

    @property
    def events(self) -> list[Any]:
        """The data of a stream's events, decoded, without [DONE]."""
        lines = [line[6:] for line in self.body.split(b"\n") if line.startswith(b"data: ")]
        return [msgspec.json.decode(line) for line in lines if line != b"[DONE]"]

    @property
    def receipt_id(self) -> str:
        return self.headers[b"x-dgrid-receipt-id"].decode()


@dataclass(slots=True)
class Stage:
    """The network a test plays on."""

    folder: Path
    clock: EpochClock
    chain: StagedChain = field(default_factory=StagedChain)
    archives: StagedArchives = field(default_factory=StagedArchives)
    now_ms: Time = field(default_factory=Time)
    nodes: list[StagedNode] = field(default_factory=list)
    servers: list[Server] = field(default_factory=list)
    timeout_s: float = 10.0
    client: HttpClient = field(default_factory=HttpClient)
    court: StagedCourt = field(init=False)
    settlers: StagedSettlers = field(init=False)
    service: GatewayService = field(init=False)
    server: Server = field(init=False)

    def __post_init__(self) -> None:
        self.court = StagedCourt(GATEWAY_KEY.address, self.now_ms, self.clock)
        self.settlers = StagedSettlers(self.chain, self.court)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def add_node(
        self, script: Script | None = None, *, model: str = "tiny", price: Price = PRICE, capacity: int = 32
    ) -> StagedNode:
        """A real node with a scripted engine, registered."""
        key = SigningKey(keccak(b"node" + bytes([len(self.servers)])))
        engine = ScriptedEngine(script)
        books = Books(None)
        meter = Meter(MeterTerms(DOMAIN, key.address, TOKEN), self.chain, books)
        terms = ModelTerms(model, keccak(b"weights"), price, context=4096, tokenizer="words")
        sold = Sold(terms, engine, StagedTokenizer())  # type: ignore[arg-type]
        node_terms = MeterTerms(DOMAIN, key.address, TOKEN)
        stand = Stand(node_terms, {bytes(terms.id): sold}, meter, books, Presence(capacity), self.now_ms)
        offer = PublishedOffer.sign(key, Place(31337, "scripted", "here", capacity), models=(terms,), now_ms=1)
        service = NodeService(stand, key, offer)
        node = StagedNode(key, service, await self.listen(service.handle), engine, stand)
        self.nodes.append(node)
        self.register(key.address, node.url)
        return node

    async def listen(self, handler: Handler) -> Server:
        server = Server(handler, host="127.0.0.1", port=0)
        await server.start()
        self.servers.append(server)
        return server

    def register(self, address: bytes, url: str) -> None:
        self.chain.members[address] = Member(address, url, 1000 * WEI, active=True)
        self.chain.version += 1

    async def start(self) -> None:
        """Starts the gateway, and waits until it knows the nodes."""
        settings = Settings(
            GATEWAY_KEY,
            self.folder,
            DOMAIN,
            CHANNELS,
            TOKEN,
            {},
            self.clock,
            MARGIN_BPS,
            self.timeout_s,
            allow=loopback_only,
        )
        partners = Partners(self.chain, self.archives, self.settlers, self.court)
        self.service = GatewayService(
            settings,
            partners,
            tokenizers=lambda name: StagedTokenizer() if name == "words" else None,
            now_ms=self.now_ms,
        )
        await self.service.start()
        self.server = await self.listen(self.service.handle)
        active = {address for address, member in self.chain.members.items() if member.active}
        await until(lambda: active <= {address for address, node in self.service.presence.nodes.items() if node.offer})

    async def stop_gateway(self) -> None:
        self.servers.remove(self.server)
        await self.server.stop()
        await self.service.stop()

    async def restart_gateway(self) -> None:
        await self.stop_gateway()
        await self.start()

    async def stop(self) -> None:
        await self.client.close()
        await asyncio.gather(*(server.stop() for server in self.servers))
        await self.service.stop()

    async def ask(self, text: str = "Who lives in Oslo?", *, key: str = API_KEY, **fields: Any) -> Answered:
        headers = fields.pop("headers", {})
        body = fields.pop("body", None) or msgspec.json.encode(
            {"model": "tiny", "messages": [{"role": "user", "content": text}], "max_tokens": 64, **fields}
        )
        return await self.request(
            "POST", "/v1/chat/completions", body, {**({"authorization": f"Bearer {key}"} if key else {}), **headers}
        )

    async def get(self, path: str, *, key: str = "") -> Answered:
        return await self.request("GET", path, b"", {"authorization": f"Bearer {key}"} if key else {})

    async def request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answered:
        reply = await self.client.request(method, self.url + path, body=body, headers=headers)
        return Answered(reply.status, dict(reply.headers), await reply.read())

    def account(self) -> Any:
        channel = self.chain.channel_of_salt(channel_salt(GATEWAY_KEY.address, api_key_tag(API_KEY)))
        assert channel is not None
        return self.service.ledger.account_state(channel.channel_id)

    def deposit(self, deposited_wei: int) -> None:
        """Changes what the API key's channel holds."""
        channel = self.chain.channel_of_salt(channel_salt(GATEWAY_KEY.address, api_key_tag(API_KEY)))
        assert channel is not None
        self.chain.put_channel(replace(channel, deposited_wei=deposited_wei))


async def until(holds: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Waits for something that will happen by itself."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def staged(
    folder: Path, *scripts: Script, clock: EpochClock | None = None, timeout_s: float = 10.0
) -> AsyncIterator[Stage]:
    """A running stage with a node for each script."""
    stage = Stage(folder, clock or EpochClock(int(time.time()) - 5, 3600), timeout_s=timeout_s)
    stage.chain.open_channel(api_key_tag(API_KEY), authorizer=GATEWAY_KEY.address)
    for script in scripts:
        await stage.add_node(script)
    await stage.start()
    try:
        yield stage
    finally:
        await stage.stop()


def play(folder: Path, scenes: Callable[[Stage], Awaitable[None]], *scripts: Script, **options: Any) -> None:
    """Runs a test's scenes on a stage."""

    async def main() -> None:
        async with staged(folder, *(scripts or (Script(),)), **options) as stage:
            await scenes(stage)

    asyncio.run(main())


NOBODY = ZERO_ADDRESS
