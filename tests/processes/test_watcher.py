import asyncio
from dataclasses import replace
from typing import Any

import msgspec
from tests.devnet import Devnet, OnDevnet
from tests.network.dishonest.gateway import Liar, second_root
from tests.processes.role_process import RoleProcess, role_config, running
from tests.watcher.stage import LIAR_EPOCH, Watched, watched

from dgrid.config import WatcherConfig
from dgrid.core.identity import to_hex
from dgrid.core.places import Place
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.wire.documents import seal_to_json
from dgrid.wire.seals import seal

FOUND_S = 20
LAST = Place(LIAR_EPOCH, 2, 3)


def receipt_json(stage: Watched, place: Place) -> bytes:
    held = stage.held(place)
    return msgspec.json.encode({"receipt": held.receipt.to_json(), "seal": seal_to_json(held.seal)})


async def convicted(stage: Watched) -> None:
    gateway = stage.network.books.key.address
    await stage.network.watcher.until(lambda view: view.convicted == {gateway: LIAR_EPOCH}, timeout_s=FOUND_S)


def test_a_watcher_convicts_once_whenever_it_is_killed(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.history()
        async with running(net, "watcher", name="watcher-9") as watcher:
            watcher.kill()
            await stage.lie("forgetful-node")
            await watcher.start()
            await asyncio.sleep(0.5)  # anywhere between fetching, journal, broadcast and receipt
            watcher.kill()
            await watcher.start()
            await convicted(stage)
            address = (await watcher.ask("GET", "/healthz"))[1]["address"]
            slashed = await net.contracts.settlement.read(net.rpc, "bondOf", [stage.network.books.key.address])
            assert slashed > 0
            found: list[Any] = []
            for _ in range(100):
                found = (await watcher.ask("GET", "/v1/findings"))[1]["findings"]
                if [one["outcome"] for one in found] == ["convicted"]:
                    break
                await asyncio.sleep(0.1)
            assert [(one["challenge"], one["epoch"]) for one in found] == [(3, LIAR_EPOCH)]
            assert address == to_hex(net.key("watcher-9").address)
            assert watcher.stop() == 0

    on_devnet(main)


def test_receipts_come_by_the_door_and_from_a_folder(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        config = role_config(net, "watcher", "watcher-9")
        assert isinstance(config, WatcherConfig)
        folder = net.folder / "handed-in"
        folder.mkdir()
        watcher = RoleProcess(net, "watcher", replace(config, receipts_folder=str(folder)))
        stage.work(LIAR_EPOCH)
        stage.held(LAST)
        try:
            await watcher.start()
            status, said = await watcher.ask("POST", "/v1/receipts", receipt_json(stage, Place(LIAR_EPOCH, 0, 1)))
            assert (status, said["state"]) == (202, "held")
            folder.joinpath("receipt.json").write_bytes(receipt_json(stage, LAST))
            folder.joinpath("notes.json").write_bytes(b"{}")
            lie = Liar("altered", stage.network.books.key, [])
            await stage.anchor(LIAR_EPOCH, close=lie.close)
            await convicted(stage)
            assert watcher.stop() == 0
        finally:
            if watcher.process is not None and watcher.process.poll() is None:
                watcher.kill()

    on_devnet(main)


def test_the_door_takes_only_what_a_registered_gateway_signed(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        stage.work(LIAR_EPOCH)
        good, books = msgspec.json.decode(receipt_json(stage, LAST)), stage.network.books
        async with running(net, "watcher", name="watcher-9") as watcher:

            async def status(path: str, body: object) -> int:
                data = body if isinstance(body, bytes) else msgspec.json.encode(body)
                return (await watcher.ask("POST", path, data))[0]

            held = stage.held(LAST)
            (forged,) = seal(net.key("stranger"), net.domain, [held.receipt.struct_hash()])
            assert await status("/v1/receipts", {**good, "seal": seal_to_json(forged)}) == 401
            parties = msgspec.structs.replace(held.receipt.parties, gateway=net.key("stranger").address)
            foreign = msgspec.structs.replace(held.receipt, parties=parties)
            (own,) = seal(net.key("stranger"), net.domain, [foreign.struct_hash()])
            assert await status("/v1/receipts", {"receipt": foreign.to_json(), "seal": seal_to_json(own)}) == 401
            later = msgspec.structs.replace(held.receipt.place, epoch=10**9)
            ahead = msgspec.structs.replace(held.receipt, place=later)
            (own,) = seal(books.key, net.domain, [ahead.struct_hash()])
            assert await status("/v1/receipts", {"receipt": ahead.to_json(), "seal": seal_to_json(own)}) == 400
            assert await status("/v1/receipts", {**good, "settlement": to_hex(bytes(20))}) == 401
            bodies: list[object] = [
                b"\xff",
                b"{}",
                b"[" * 1000,
                {"receipt": [], "seal": []},
                {"receipt": good["receipt"]},
            ]
            for body in bodies:
                assert await status("/v1/receipts", body) == 400
                assert await status("/v1/roots", body) == 400
            assert await status("/v1/receipts", b" " * 70_000) == 413
            assert await status("/v1/receipts", good) == 202
            assert await status("/v1/nothing", good) == 404
            root = second_root((await stage.anchor(LIAR_EPOCH)).root)
            stranger = SignedRoot.by(net.key("stranger"), root, domain=net.domain).signature
            assert await status("/v1/roots", {"root": root.to_json(), "signature": to_hex(stranger)}) == 401
            signature = SignedRoot.by(books.key, root, domain=net.domain).signature
            assert await status("/v1/roots", {"root": root.to_json(), "signature": to_hex(signature)}) == 202
            await convicted(stage)
            metrics = await net.http.request("GET", watcher.config.url + "/metrics")
            assert b'dgrid_watcher_findings_total{outcome="convicted"} 1' in await metrics.read()

    on_devnet(main)
