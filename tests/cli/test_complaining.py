"""`dgrid receipts complain`: from what `dgrid connect` kept to a gateway that is convicted."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.cli.conftest import Dgrid
from tests.devnet import Devnet, OnDevnet
from tests.watcher.stage import LIAR_EPOCH, Watched, watched
from tests.watcher.test_lies import proven
from tests.watcher.test_overcharges import LANE, charged

from dgrid.client.kept import keep_receipt, keep_refused, keep_request
from dgrid.config import WalletConfig, to_toml
from dgrid.core.identity import to_hex
from dgrid.core.places import Place
from dgrid.watcher.challenges import Number
from dgrid.wire.blob import decode_record
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.server import Server

NO_ID = "0x" + "00" * 32


def home_of(net: Devnet, folder: Path) -> Path:
    """A home that knows the chain, and no gateway."""
    home = folder / "home"
    home.mkdir()
    (home / "config.toml").write_text(to_toml(WalletConfig((), home / "api.key", home / "user.key", net.config)))
    return home


def document_at(stage: Watched, place: Place) -> ReceiptDocument:
    row = next(row for row in stage.network.books.rows[place.epoch] if (row.lane, row.sequence) == place[1:])
    return ReceiptDocument.of(decode_record(row.record), domain=stage.net.domain)


def keep(stage: Watched, home: Path, *, allowed_of: int, epochs: tuple[int, ...] = (LIAR_EPOCH,)) -> str:
    """What the proxy kept of one request that was charged in each of these epochs; its id."""
    user = home / "roles" / "user"
    overcharge = charged(stage, epochs, allowed_of=allowed_of)
    first, *others = (document_at(stage, Place(epoch, LANE, 0)) for epoch in epochs)
    keep_request(user, first.receipt.request_id, request=overcharge.request)
    keep_receipt(user, first)
    for document in others:
        keep_refused(user, document)
    return to_hex(first.receipt.request_id)


@pytest.mark.parametrize("epochs", [(LIAR_EPOCH,), (100, LIAR_EPOCH)])
def test_what_was_charged_above_the_signed_maximum_convicts(
    on_devnet: OnDevnet, dgrid: Dgrid, tmp_path: Path, epochs: tuple[int, ...]
) -> None:
    async def main(net: Devnet) -> None:
        stage, home = await watched(net), home_of(net, tmp_path)
        door = Server(stage.watch.service.handle, host="127.0.0.1", port=0)
        await door.start()
        net.stack.push_async_callback(door.stop)
        name = keep(stage, home, allowed_of=len(epochs) - 1, epochs=epochs)
        urls = ("--watcher", "http://127.0.0.1:1", "--watcher", f"http://127.0.0.1:{door.port}")
        shown = await asyncio.to_thread(dgrid, "receipts", "complain", name, *urls, "--home", str(home), "--json")
        assert shown.code == 0, shown.err
        assert shown.data["watchers"] == [urls[-1]]
        assert int(shown.data["charged_wei"]) > int(shown.data["allowed_wei"])
        stage.work(LIAR_EPOCH)
        for epoch in epochs:
            await stage.anchor(epoch)
        await proven(stage, Number.BAD_SPLIT)

    on_devnet(main)


def test_what_would_not_convict_is_said_and_not_sent(on_devnet: OnDevnet, dgrid: Dgrid, tmp_path: Path) -> None:
    async def main(net: Devnet) -> None:
        stage, home = await watched(net), home_of(net, tmp_path)
        within = keep(stage, home, allowed_of=1)

        async def typed(*words: str) -> tuple[int, str]:
            shown = await asyncio.to_thread(dgrid, "receipts", "complain", *words, "--home", str(home), "--json")
            return shown.code, shown.error["message"]

        code, message = await typed(within, "--watcher", "http://127.0.0.1:1")
        assert code == 2
        assert "there is nothing to prove" in message
        assert await typed(NO_ID) == (5, f"no signed request {NO_ID} is kept here")

    on_devnet(main)


def test_without_a_watcher_it_says_how_to_name_one_or_writes_a_file(
    on_devnet: OnDevnet, dgrid: Dgrid, tmp_path: Path
) -> None:
    async def main(net: Devnet) -> None:
        stage, home = await watched(net), home_of(net, tmp_path)
        name = keep(stage, home, allowed_of=0)
        shown = await asyncio.to_thread(dgrid, "receipts", "complain", name, "--home", str(home), "--json")
        assert (shown.code, shown.error["hint"]) == (2, "name one with --watcher URL")
        file = tmp_path / "complaint.json"
        words = "receipts", "complain", name, "-o", str(file), "--home", str(home)
        assert (await asyncio.to_thread(dgrid, *words)).code == 0
        assert msgspec.json.decode(file.read_bytes()).keys() == {"request", "receipts"}

    on_devnet(main)
