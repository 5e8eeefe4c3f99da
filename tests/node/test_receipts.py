import asyncio

import pytest
from tests.node.conftest import DOMAIN, NODE_KEY

from dgrid.core.errors import StorageUnavailable
from dgrid.node.receipts import Delivered, Sealer
from dgrid.wire.seals import SEAL_MESSAGES_MAX, sealed_by


def test_all_that_is_ready_in_one_turn_shares_a_signature() -> None:
    async def run() -> None:
        flushes: list[int] = []
        sealer = Sealer(NODE_KEY, DOMAIN, before=lambda: flushes.append(1))
        hashes = [bytes((n,)) * 32 for n in range(SEAL_MESSAGES_MAX + 6)]
        seals = await asyncio.gather(*map(sealer.seal, hashes))
        for struct_hash, seal in zip(hashes, seals, strict=True):
            assert sealed_by(DOMAIN, struct_hash, seal) == NODE_KEY.address
        assert len({seal.signature for seal in seals}) == 2
        assert len(flushes) == 1

    asyncio.run(run())


def test_nothing_is_signed_that_the_books_do_not_hold() -> None:
    def full() -> None:
        raise StorageUnavailable("no space left")

    async def run() -> None:
        sealer = Sealer(NODE_KEY, DOMAIN, before=full)
        results = await asyncio.gather(*(sealer.seal(bytes(32)) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(result, StorageUnavailable) for result in results)

    asyncio.run(run())


def test_who_gave_up_waiting_is_left_out() -> None:
    async def run() -> None:
        sealer = Sealer(NODE_KEY, DOMAIN, before=lambda: None)
        gone, stays = asyncio.create_task(sealer.seal(bytes(32))), asyncio.create_task(sealer.seal(b"\1" * 32))
        await asyncio.sleep(0)
        gone.cancel()
        assert (await stays).count >= 1
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(run())


def test_a_count_beyond_the_messages_range_is_cut() -> None:
    receipt = Delivered(bytes(32), bytes(32), "a", b"", 2**40, 2**40).receipt()
    assert (receipt.tokens_in, receipt.tokens_out) == (2**32 - 1, 2**32 - 1)
