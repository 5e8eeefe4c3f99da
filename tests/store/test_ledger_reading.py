"""What the ledger gives back: receipts by request, by channel, and those that wait for a signature."""

from pathlib import Path

import pytest
from tests.store.test_ledger import CLOCK, START_MS, Clock, billed, charge, funds, hold, play, request_id

from dgrid.core.errors import CheckFailed
from dgrid.store.ledger import Ledger
from dgrid.store.ledger_reading import LedgerReader
from dgrid.store.ledger_rows import SealedBatch
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.seals import seals_under


def test_a_receipt_is_found_whether_or_not_its_request_is_indexed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dgrid.store.ledger_group.INDEX_EVERY", 3)

    async def scenes(ledger: Ledger) -> None:
        reader, receipts = LedgerReader(ledger.path), [await billed(ledger, number) for number in range(1, 9)]
        for receipt in receipts:  # their ids begin alike
            stored = reader.receipt(receipt.request_id)
            assert stored is not None
            assert InferenceReceipt.unpacked(stored.record.receipt) == receipt
        assert reader.receipt(request_id(99)) is None
        assert ledger._db.execute("SELECT count(*), max(up_to) FROM receipts_by_request, indexed").fetchone() == (6, 6)
        reader.close()

    async def opened_again(ledger: Ledger) -> None:
        assert ledger._db.execute("SELECT count(*), max(up_to) FROM receipts_by_request, indexed").fetchone() == (8, 8)

    play(tmp_path, scenes)
    play(tmp_path, opened_again)


def test_a_channel_s_list_follows_its_own_receipts(tmp_path: Path) -> None:
    clock = Clock()

    async def scenes(ledger: Ledger) -> None:
        for number in range(1, 8):
            await ledger.hold(hold(number, channel=number % 2))
            await ledger.bill(charge(number))[1]
            clock.now_ms += 4_000  # over several epochs
        reader = LedgerReader(ledger.path)
        listed = [[one.request_id for one in reader.receipts_of(funds(channel=at).channel_id, 3)] for at in (0, 1, 2)]
        assert listed == [[request_id(at) for at in latest] for latest in ([6, 4, 2], [7, 5, 3], [])]
        assert len(reader.receipts_of(funds().channel_id, 20)) == 4
        reader.close()

    play(tmp_path, scenes, clock)


def test_unsealed_receipts_are_found_again_and_sealed_ones_are_not(tmp_path: Path) -> None:
    clock = Clock()

    async def scenes(ledger: Ledger) -> None:
        reader = LedgerReader(ledger.path)
        for number in range(1, 4):
            await billed(ledger, number)
        clock.now_ms += 10_000
        await billed(ledger, 4)
        assert [one.sequence for one in reader.unsealed()] == [0, 1, 2, 0]
        epoch = CLOCK.epoch_at(START_MS)
        await ledger.keep_batches([SealedBatch(epoch, 0, 2, bytes(65))])
        assert [(one.epoch, one.sequence) for one in reader.unsealed()] == [(epoch, 2), (epoch + 1, 0)]
        await ledger.keep_batches([SealedBatch(epoch, 2, 1, bytes(65)), SealedBatch(epoch + 1, 0, 1, bytes(65))])
        assert reader.unsealed() == []
        reader.close()

    play(tmp_path, scenes, clock)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_an_epoch_s_records_are_given_only_when_every_one_is_sealed(tmp_path: Path, missing: int) -> None:
    epoch = CLOCK.epoch_at(START_MS)
    batches = [
        SealedBatch(epoch, 0, 2, bytes(65)),
        SealedBatch(epoch, 2, 1, bytes(65)),
        SealedBatch(epoch, 3, 1, bytes(65)),
    ]

    async def scenes(ledger: Ledger) -> None:
        reader, receipts = LedgerReader(ledger.path), [await billed(ledger, number) for number in range(1, 5)]
        await ledger.keep_batches([batch for at, batch in enumerate(batches) if at != missing])
        with pytest.raises(CheckFailed, match="not sealed yet"):
            list(reader.records(epoch))
        await ledger.keep_batches([batches[missing]])
        records = list(reader.records(epoch))
        assert [InferenceReceipt.unpacked(one.record.receipt) for one in records] == receipts
        hashes = [one.leaf.struct_hash for one in records]
        assert [one.record.seal for one in records[:2]] == seals_under(bytes(65), hashes[:2])
        reader.close()

    play(tmp_path, scenes, Clock())
