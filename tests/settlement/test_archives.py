"""Archives that answer late, or never: whoever runs one must not hold up those who have others."""

import asyncio

import pytest
from tests.devnet import Devnet, OnDevnet
from tests.settlement.network import settling, silent_archive

from dgrid.core.errors import NetworkUnreachable, StorageUnavailable
from dgrid.core.keccak import keccak
from dgrid.settlement import archives as client
from dgrid.settlement.archives import Archives, doors_of
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.wire.blob import blob_id

EPOCH, LATE_S = 60, 30  # within which what others hold is there; the silent one is waited for much longer


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
        async with silent_archive() as door, asyncio.timeout(LATE_S):
            doors = [door, *doors_of(network.watcher.latest)]
            archives = Archives(net.http, lambda: doors, domain=net.domain)
            assert len(await archives.put(closed.blob, key=network.books.key, root=root)) == len(doors) - 1
            assert await archives.fetch(blob_id(closed.blob)) == closed.blob
            assert await archives.find(blob_id(closed.blob)) == closed.blob

    on_devnet(main)


def test_silent_archives_are_waited_for_as_long_as_there_is_time(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        async with silent_archive() as door, silent_archive() as other, asyncio.timeout(LATE_S):
            archives = Archives(net.http, lambda: [door, other], domain=net.domain)
            with pytest.raises(StorageUnavailable, match="no archive takes the words"):
                await archives.lay(b"said", key=net.key("evaluator"), what="words", within_s=1)

    on_devnet(main)


def test_what_none_holds_is_absent_only_once_more_than_half_have_said_so(
    on_devnet: OnDevnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_S", 0.3)

    async def main(net: Devnet) -> None:
        network = await settling(net)
        async with silent_archive() as door, silent_archive() as other:
            doors = [door, *doors_of(network.watcher.latest)]
            archives = Archives(net.http, lambda: doors, domain=net.domain)
            assert await archives.find(keccak(b"nothing")) is None
            doors.append(other)
            with pytest.raises(NetworkUnreachable, match="2 of 4"):
                await archives.find(keccak(b"nothing"))

    on_devnet(main)
