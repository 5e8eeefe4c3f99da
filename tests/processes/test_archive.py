from dataclasses import dataclass

import msgspec
import pytest
from tests.devnet import Devnet, OnDevnet, free_port
from tests.network.dishonest.gateway import Liar
from tests.processes.role_process import running
from tests.settlement.books import Close
from tests.settlement.network import STAKE_WEI, Settling, settling

from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.core.errors import InvalidSignature
from dgrid.core.identity import to_hex
from dgrid.processes.archive import ArchiveService
from dgrid.settlement.archives import ArchiveDoor, Archives, stored_digest, upload_digest
from dgrid.settlement.closing import close_epoch
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.store.blobs import BlobStore
from dgrid.wire.blob import blob_id
from dgrid.wire.quality import Canaries, Disclosure, QualityBlob, QualityTable, Reports, encode_quality
from dgrid.wire.server import Request, Server
from dgrid.wire.signatures import SigningKey, recover


@dataclass
class Answer:
    status: int
    body: bytes


async def epoch_of(network: Settling, epoch: int = 60, *, close: Close = close_epoch) -> tuple[bytes, SignedRoot]:
    """An epoch's blob and signed root."""
    config = await network.open_channel("payer-1", amount_wei=10**18)
    network.books.answer(epoch, network.work(config, "node-1", tokens_in=1000, tokens_out=10))
    closed = network.books.close(epoch, close=close)
    assert closed is not None
    return closed.blob, SignedRoot.by(network.books.key, closed.root, domain=network.net.domain)


def test_an_archive_process_enrols_promises_serves_and_stops_cleanly(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=0)
        blob, root = await epoch_of(network)
        name, key = blob_id(blob), network.books.key
        async with running(net, "archive", name="archive-9") as archive:
            address = net.key("archive-9").address
            await network.watcher.until(lambda view: (Role.ARCHIVE, address) in view.members, timeout_s=30)
            (promise,) = await network.archives.put(blob, key=key, root=root)
            assert promise.archive == address
            assert recover(stored_digest(net.domain, address, blob_id=name), promise.signature) == address
            assert await network.archives.fetch(name) == blob
            assert await network.archives.put(blob, key=key, root=root) == [promise]

            archive.kill()
            await archive.start()
            assert await network.archives.fetch(name) == blob
            assert archive.stop() == 0

            await net.chain.stop()  # it serves what it has, chain or no chain
            await archive.start()
            assert await network.archives.fetch(name) == blob

    on_devnet(main)


def test_strangers_and_foreign_blobs_are_refused(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        blob, root = await epoch_of(network)
        name, stranger = blob_id(blob), net.key("stranger")
        door = f"http://127.0.0.1:{network.servers[0].port}/v1/blobs/"

        async def put(body: bytes, signature: str, of: bytes = name) -> Answer:
            headers = {"x-dgrid-signature": signature, "x-dgrid-root": root.to_header()}
            reply = await net.http.request("PUT", door + to_hex(of), body=body, headers=headers)
            return Answer(reply.status, await reply.read())

        good = to_hex(network.books.key.sign(upload_digest(net.domain, name)))
        assert (await put(blob, to_hex(stranger.sign(upload_digest(net.domain, name))))).status == 401
        assert (await put(blob, "0x")).status == 401
        assert (await put(blob, "zz")).status == 401
        assert (await put(blob[:-1] + b"!", good)).status == 422
        assert (await put(b"garbage", good)).status == 422
        foreign = blob.replace(net.contracts.settlement.address, b"\x01" * 20, 1)
        signed = to_hex(network.books.key.sign(upload_digest(net.domain, blob_id(foreign))))
        assert b"another network" in (await put(foreign, signed, blob_id(foreign))).body
        assert not list(network.stores[0].ids())
        assert (await put(blob, good)).status == 201
        assert (await put(blob, good)).status == 200

        for path, status in (("0x12", 400), (to_hex(bytes(32)), 404)):
            reply = await net.http.request("GET", door + path)
            await reply.read()
            assert reply.status == status

    on_devnet(main)


@pytest.mark.parametrize(
    "lie", ["unrelated", "more-pot", "more-fee", "more-lane", "misplaced", "repeated", "unsigned", "unordered"]
)
def test_nothing_is_promised_for_what_could_not_be_shown(on_devnet: OnDevnet, lie: str) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        await epoch_of(network)
        blob, root = await epoch_of(network, close=Liar(lie, network.books.key, []).close)
        assert await network.archives.put(blob, key=network.books.key, root=root) == []
        assert list(network.stores[0].ids()) == []

    on_devnet(main)


def test_an_epochs_blob_comes_with_its_own_root(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        blob, root = await epoch_of(network)
        key = network.books.key
        assert await network.archives.put(blob, key=key) == []
        strangers = SignedRoot(root.root, net.key("stranger").sign(net.domain.digest(root.digest)))
        assert await network.archives.put(blob, key=key, root=strangers) == []
        other = msgspec.structs.replace(root.root, epoch=61)
        assert await network.archives.put(blob, key=key, root=SignedRoot.by(key, other, domain=net.domain)) == []
        assert len(await network.archives.put(blob, key=key, root=root)) == 1
        again = msgspec.structs.replace(root.root, previous=b"\x01" * 32)
        assert await network.archives.put(blob, key=key, root=SignedRoot.by(key, again, domain=net.domain)) == []

    on_devnet(main)


def test_a_blob_altered_on_disk_is_fetched_from_another_archive(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=2)
        blob, root = await epoch_of(network)
        await network.archives.put(blob, key=network.books.key, root=root)
        (path,) = network.stores[0].folder.glob("*/*")
        path.write_bytes(blob[:-1] + b"!")
        assert await network.archives.fetch(blob_id(blob)) == blob
        assert network.stores[0].get(blob_id(blob)) is None  # set aside
        await network.archives.put(blob, key=network.books.key, root=root)
        assert network.stores[0].get(blob_id(blob)) == blob

    on_devnet(main)


def test_an_archive_that_signs_for_another_or_sends_other_bytes_is_not_believed(
    on_devnet: OnDevnet, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        blob, root = await epoch_of(network)
        store, court = BlobStore(net.folder / "impostor", capacity_bytes=10**6), net.contracts.quality_court.address
        impostor = ArchiveService(store, net.key("impostor"), network.watcher, net.domain, court)

        async def handle(request: Request) -> object:
            reply = await impostor.handle(request)
            return reply if request.method == "PUT" else type(reply)(200, b"other bytes")

        server = Server(handle, host="127.0.0.1", port=0)  # type: ignore[arg-type]
        await server.start()
        registered = net.key("archive-1").address
        doors = [ArchiveDoor(f"http://127.0.0.1:{server.port}", registered)]
        archives = Archives(net.http, lambda: doors, domain=net.domain)
        assert await archives.put(blob, key=network.books.key, root=root) == []
        assert "not signed by the archive" in caplog.text
        doors += [ArchiveDoor(f"http://127.0.0.1:{free_port()}"), ArchiveDoor("not a url")]
        doors += [ArchiveDoor(f"http://127.0.0.1:{network.servers[0].port}")]
        await network.archives.put(blob, key=network.books.key, root=root)
        assert await archives.fetch(blob_id(blob)) == blob
        await server.stop()

    on_devnet(main)


def uploaded(net: Devnet, blob: bytes, root: SignedRoot, *, by: SigningKey) -> Request:
    name = blob_id(blob)
    signature = to_hex(by.sign(upload_digest(net.domain, name)))
    headers = {b"x-dgrid-signature": signature.encode(), b"x-dgrid-root": root.to_header().encode()}
    return Request("PUT", f"/v1/blobs/{to_hex(name)}", b"", headers, blob, "")


def test_a_gateway_out_of_service_brings_what_it_had_begun_and_no_more_than_so_many_bytes(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        watcher, key = network.watcher, network.books.key
        blob, root = await epoch_of(network, watcher.clock.epoch_at(1000 * await net.rpc.now_s()))
        await net.pass_time(4 * net.epoch_seconds)
        sender = await net.sender("gateway", dgai_wei=0)
        await sender.send(net.contracts.registry, "unbond", [Role.GATEWAY, STAKE_WEI], label="gone")
        await watcher.until(lambda _: not watcher.latest.members[Role.GATEWAY, key.address].active, timeout_s=30)
        store, court = BlobStore(net.folder / "archive-9", capacity_bytes=10**6), net.contracts.quality_court.address
        archive = ArchiveService(store, net.key("archive-9"), watcher, net.domain, court)
        archive.finishing[key.address] = len(blob) - 1
        with pytest.raises(InvalidSignature, match="out of service"):
            await archive.handle(uploaded(net, blob, root, by=key))
        archive.finishing[key.address] = len(blob)
        for status in (201, 200):  # sent again it costs nothing
            assert (await archive.handle(uploaded(net, blob, root, by=key))).status == status
        assert archive.finishing[key.address] == 0
        later = await epoch_of(network, watcher.clock.epoch_at(1000 * watcher.latest_s) + 2)
        with pytest.raises(InvalidSignature, match="out of service"):
            await archive.handle(uploaded(net, *later, by=key))

    on_devnet(main)


def test_it_keeps_what_the_judging_roles_publish_and_nobody_elses(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        network_of = net.contracts.chain_id, net.contracts.quality_court.address
        evaluator = Enroller(net.rpc, net.contracts, await net.sender("evaluator", dgai_wei=0), dev=True)
        await evaluator.enroll(Enrolment(Role.EVALUATOR, "http://127.0.0.1:2", STAKE_WEI), network.watcher.latest)
        member = Role.EVALUATOR, net.key("evaluator").address
        await network.watcher.until(lambda view: member in view.members and bool(view.authors), timeout_s=30)

        def by(name: str) -> tuple[int, bytes, bytes]:
            return *network_of, net.key(name).address

        table = QualityTable(*network_of, 1, bytes(32), (), (), (), (), (), (), (), ())
        blobs: dict[str, tuple[QualityBlob, ...]] = {
            "gateway": (Disclosure(*by("gateway"), 60, bytes(32), ()),),
            "evaluator": (Reports(*by("evaluator"), 1, (), bytes(65)), table),
            "author": (Canaries(*by("author"), bytes(20), 60, 1, ()),),
        }
        for name, own in blobs.items():
            for blob in map(encode_quality, own):
                for other in blobs.keys() - {name}:
                    assert await network.archives.put(blob, key=net.key(other)) == []
                assert len(await network.archives.put(blob, key=net.key(name))) == 1
                assert await network.archives.fetch(blob_id(blob)) == blob
        foreign = encode_quality(msgspec.structs.replace(table, chain_id=1))
        assert await network.archives.put(foreign, key=net.key("evaluator")) == []

    on_devnet(main)
