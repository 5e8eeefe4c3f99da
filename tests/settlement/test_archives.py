"""Archives that answer late, or never: whoever runs one must not hold up those who have others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.devnet import Devnet, OnDevnet
from tests.settlement.network import settling

from dgrid.core.errors import NetworkUnreachable
from dgrid.core.keccak import keccak
from dgrid.settlement import archives as client
from dgrid.settlement.archives import ArchiveDoor, Archives, doors_of
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.wire.blob import blob_id
from dgrid.wire.server import Reply, Request, Server

EPOCH, LATE_S = 60, 30  # within which what others hold is there; the silent one is waited for much longer


@asynccontextmanager
async def silent() -> AsyncIterator[ArchiveDoor]:
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


def test_one_archive_that_never_answers_holds_neither_up_who_stores_nor_who_fetches(
    on_devnet: OnDevnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_S", 10 * LATE_S)
    monkeypatch.setattr(client, "TAKE_S", 10 * LATE_S)

    async def main(net: Devnet) -> None:
        network = await settling(net)
        config = await network.open_channel("payer-1", amount_wei=10**18)
        network.books.answer(EPOCH, network.work(config, "node-1", tokens_in=1000, tokens_out=10))
        closed = network.books.close(EPOCH)
        assert closed is not None
        root = SignedRoot.by(network.books.key, closed.root, domain=net.domain)
        async with silent() as door, asyncio.timeout(LATE_S):
            doors = [door, *doors_of(network.watcher.latest)]
            archives = Archives(net.http, lambda: doors, domain=net.domain)
            assert len(await archives.put(closed.blob, key=network.books.key, root=root)) == len(doors) - 1
            assert await archives.fetch(blob_id(closed.blob)) == closed.blob
            assert await archives.find(blob_id(closed.blob)) == closed.blob

    on_devnet(main)


def test_what_none_holds_is_absent_only_once_more_than_half_have_said_so(
    on_devnet: OnDevnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_S", 0.3)

    async def main(net: Devnet) -> None:
        network = await settling(net)
        async with silent() as door, silent() as other:
            doors = [door, *doors_of(network.watcher.latest)]
            archives = Archives(net.http, lambda: doors, domain=net.domain)
            assert await archives.find(keccak(b"nothing")) is None
            doors.append(other)
            with pytest.raises(NetworkUnreachable, match="2 of 4"):
                await archives.find(keccak(b"nothing"))

    on_devnet(main)
