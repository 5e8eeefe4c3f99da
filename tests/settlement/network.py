"""A small settling network in one test: a gateway with books, archives and a settler behind real HTTP, a real chain."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.devnet import Devnet
from tests.settlement.books import MODEL, Books, Close, Work, voucher

from dgrid.chain.channels import ChannelTerms, channel_config, channel_id, deposit
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.chain.listings import list_model
from dgrid.chain.sender import Sender
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.identity import model_id
from dgrid.core.money import BPS, WEI, Price
from dgrid.processes.archive import ArchiveService
from dgrid.processes.chain_side import ChainSide
from dgrid.processes.settler import SettlerLoop
from dgrid.settlement.anchoring import AnchorOrder, AnchorQueue
from dgrid.settlement.archives import ArchiveDoor, Archives, Promise, doors_of, stored_digest
from dgrid.settlement.closing import ClosedEpoch, close_epoch
from dgrid.settlement.collecting import Collector
from dgrid.settlement.collection import Collections
from dgrid.settlement.records import Records
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.store.blobs import BlobStore
from dgrid.wire.blob import SignedVoucher
from dgrid.wire.messages import ChannelConfig
from dgrid.wire.server import Reply, Request, Server
from dgrid.wire.typed import Domain, channel_domain

STAKE_WEI = 1000 * WEI
BOND_WEI = 2000 * WEI
LINE_WEI = 500 * WEI
BASE_BPS = 8_000
CREATORS = {"creator-1": 6001, "creator-2": 3999}
CREATORS_PRICE = Price(WEI, 2 * WEI)


def base_of(node_wei: int) -> int:
    """What of a node's running total is paid at once; the rest waits for its quality."""
    return node_wei * BASE_BPS // BPS


@dataclass
class Settling:
    """Everything a test of settlement touches."""

    net: Devnet
    watcher: ChainWatcher
    books: Books
    archives: Archives
    records: Records
    queue: AnchorQueue
    collections: Collections
    loop: SettlerLoop
    stores: list[BlobStore] = field(default_factory=list)
    servers: list[Server] = field(default_factory=list)

    @property
    def escrow_domain(self) -> Domain:
        return channel_domain(DEV_CHAIN_ID, self.net.contracts.channel_escrow.address)

    async def open_channel(self, name: str, *, amount_wei: int) -> ChannelConfig:
        """A payer's channel to the gateway, vouchers by the payer's own key; waits until it is final."""
        sender = await self.net.sender(name, dgai_wei=amount_wei)
        terms = ChannelTerms(self.books.key.address, sender.address, b"t" * 12)
        config = await channel_config(self.net.rpc, self.net.contracts, payer=sender.address, terms=terms)
        await deposit(sender, self.net.contracts, config=config, amount_wei=amount_wei)
        name_of = channel_id(self.net.contracts, config)
        await self.watcher.until(lambda view: name_of in view.channels, timeout_s=30)
        return config

    async def list_model(self) -> None:
        """Two creators list the model; the gateway's books follow."""
        sender = await self.net.sender("creator-1")
        shares = {self.net.key(name).address: bps for name, bps in CREATORS.items()}
        await list_model(sender, self.net.contracts, model=MODEL, price=CREATORS_PRICE, shares_bps=shares)
        await self.net.rpc.call("anvil_mine", ["0x3"])
        view = await self.watcher.until(lambda view: model_id(MODEL) in view.listings, timeout_s=30)
        listing = view.listings[model_id(MODEL)]
        self.books.listing = listing.id, listing.version, listing.price

    async def raise_bond(self, amount_wei: int) -> None:
        """The gateway's bond becomes so much."""
        sender = await self.net.sender("gateway", dgai_wei=0)
        await Enroller(self.net.rpc, self.net.contracts, sender, dev=True).ensure_bond(amount_wei)

    def work(self, config: ChannelConfig, node: str, *, tokens_in: int, tokens_out: int) -> Work:
        name = channel_id(self.net.contracts, config)
        return Work(config, name, self.net.key(node), tokens_in, tokens_out)

    def voucher(self, payer: str, config: ChannelConfig, ceiling_wei: int) -> SignedVoucher:
        return voucher(self.escrow_domain, config, self.net.key(payer), ceiling_wei)

    def colluding(self, closed: ClosedEpoch) -> list[Promise]:
        """The promises of archives that sign whatever they are given."""
        found = []
        for number, store in enumerate(self.stores, start=1):
            store.put(closed.blob_id, closed.blob)
            key = self.net.key(f"archive-{number}")
            digest = stored_digest(self.net.domain, key.address, blob_id=closed.blob_id)
            found.append(Promise(key.address, key.sign(digest)))
        return sorted(found, key=lambda promise: promise.archive)

    async def _stored(self, closed: ClosedEpoch, signed: SignedRoot, *, honest: bool) -> list[Promise]:
        """The archives' promises. Each follows the chain by itself, so one may meet the gateway a little later."""
        async with asyncio.timeout(30):
            while True:
                promises = await self.archives.put(closed.blob, key=self.books.key, root=signed)
                if len(promises) == len(self.stores):
                    return promises
                if not honest and not promises:
                    return self.colluding(closed)
                await asyncio.sleep(0.1)

    async def anchor(self, epoch: int, *vouchers: SignedVoucher, close: Close = close_epoch) -> ClosedEpoch:
        """Closes an epoch, stores its blob, hands its root to the settler, and waits until it is final."""
        closed = self.books.close(epoch, vouchers=vouchers, close=close)
        assert closed is not None
        signed = SignedRoot.by(self.books.key, closed.root, domain=self.net.domain)
        promises = await self._stored(closed, signed, honest=close is close_epoch)
        assert len(promises) == len(self.stores)
        self.queue.accept(AnchorOrder(closed.root, signed.signature, tuple(promises)))
        await self.loop.step()
        await self._until_anchored(epoch)
        return closed

    async def anchor_through_a_contract(self, closed: ClosedEpoch, signed: SignedRoot) -> None:
        """Anchors a root in a call that no transaction shows."""
        promises = await self._stored(closed, signed, honest=True)
        order = AnchorOrder(closed.root, signed.signature, tuple(promises))
        await self.net.call_through_another(self.net.contracts.settlement, "anchor", order.arguments())
        await self._until_anchored(signed.root.epoch)

    async def _until_anchored(self, epoch: int) -> None:
        key = self.books.key.address, epoch
        await self.watcher.until(lambda view: key in view.roots, timeout_s=30)


async def settling(net: Devnet, *, archives: int = 2) -> Settling:
    """Enrols a gateway with bond and lines, archives and a settler."""
    watcher = await net.watcher("watcher")
    await _enroll(net, watcher, "gateway", Enrolment(Role.GATEWAY, "http://127.0.0.1:1", STAKE_WEI, margin_bps=500))
    gateway = Enroller(net.rpc, net.contracts, await net.sender("gateway", dgai_wei=0), dev=True)
    await gateway.ensure_bond(BOND_WEI)
    await gateway.ensure_lines({net.key(node).address: LINE_WEI for node in ("node-1", "node-2")}, watcher.latest)
    stores, servers = [], []
    for index in range(archives):
        store, server = await _archive(net, watcher, f"archive-{index + 1}")
        stores.append(store)
        servers.append(server)
    await watcher.until(lambda view: len(view.active(Role.ARCHIVE)) == archives, timeout_s=30)
    clients = Archives(net.http, lambda: doors_of(watcher.latest), domain=net.domain)
    records = Records(lambda: watcher.finalized, clients)
    sender = await net.sender("settler", dgai_wei=0)
    queue = AnchorQueue(net.folder / "anchors.sqlite")
    net.stack.callback(queue.close)
    escrow = channel_domain(DEV_CHAIN_ID, net.contracts.channel_escrow.address)
    collections = Collections(net.folder / "collections.sqlite", domain=escrow)
    net.stack.callback(collections.close)
    collector = Collector(collections, records, sender=sender, contracts=net.contracts)
    loop = SettlerLoop(ChainSide(net.rpc, net.contracts, watcher, sender), queue, collector)
    books = Books(net.key("gateway"), net.domain, net.contracts.dgai.address, net.genesis_s, net.epoch_seconds)
    return Settling(net, watcher, books, clients, records, queue, collections, loop, stores, servers)


async def _enroll(net: Devnet, watcher: ChainWatcher, name: str, enrolment: Enrolment) -> Sender:
    sender = await net.sender(name, dgai_wei=0)
    await Enroller(net.rpc, net.contracts, sender, dev=True).enroll(enrolment, watcher.latest)
    return sender


async def _archive(net: Devnet, watcher: ChainWatcher, name: str) -> tuple[BlobStore, Server]:
    store = BlobStore(net.folder / name / "blobs", capacity_bytes=10**8)
    service = ArchiveService(store, net.key(name), watcher, net.domain, net.contracts.quality_court.address)
    server = Server(service.handle, host="127.0.0.1", port=0)
    await server.start()
    net.stack.push_async_callback(server.stop)
    await _enroll(net, watcher, name, Enrolment(Role.ARCHIVE, f"http://127.0.0.1:{server.port}", STAKE_WEI))
    return store, server


@asynccontextmanager
async def silent_archive() -> AsyncIterator[ArchiveDoor]:
    """An archive that takes every request and answers none."""
    is_over = asyncio.Event()

    async def handle(_request: Request) -> Reply:
        await is_over.wait()
        return Reply(503, b"")

    server = Server(handle, host="127.0.0.1", port=0)
    await server.start()
    try:
        yield ArchiveDoor(f"http://127.0.0.1:{server.port}")
    finally:
        is_over.set()
        await server.stop()
