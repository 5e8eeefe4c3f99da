"""When the disk is full: nothing is half done, nobody is sent out for work that could not be billed."""

import asyncio
import os
import sqlite3
from pathlib import Path

import msgspec
import pytest
from tests.store.test_ledger import AMOUNT, charge, hold, play, request_id, state

from dgrid.core.errors import StorageUnavailable
from dgrid.store.ledger import Ledger
from dgrid.store.ledger_rows import BudgetExceeded
from dgrid.wire.messages import InferenceReceipt


def test_a_full_disk_half_bills_nothing_and_recovers(tmp_path: Path) -> None:
    async def scenes(ledger: Ledger) -> None:
        await ledger.hold(hold(1))
        before = state(ledger)
        pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
        ledger._db.execute(f"PRAGMA max_page_count = {pages}")
        big = msgspec.structs.replace(charge(1), salt=os.urandom(200_000))
        with pytest.raises(StorageUnavailable):
            await ledger.bill(big)[1]
        assert state(ledger) == before
        ledger._db.execute("PRAGMA max_page_count = 1000000")
        receipt = await ledger_bill(ledger, 1)
        assert receipt.place.sequence == 0
        assert state(ledger) == (receipt.shares.fee, 0)

    async def ledger_bill(ledger: Ledger, number: int) -> InferenceReceipt:
        result, committed = ledger.bill(charge(number))
        await committed
        return result.receipt

    play(tmp_path, scenes)


def test_when_a_tick_fails_its_holds_are_gone_and_those_before_it_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenes(ledger: Ledger) -> None:
        await ledger.hold(hold(1))
        monkeypatch.setattr("dgrid.store.ledger.write", full)
        ended = ledger.bill(charge(1))[1]
        begun = ledger.hold(hold(2))
        for failed in (ended, begun):
            with pytest.raises(StorageUnavailable):
                await failed
        monkeypatch.undo()
        assert (ledger.open_holds, state(ledger)) == (1, (0, AMOUNT))
        with pytest.raises(KeyError):
            ledger.bill(charge(2))
        await ledger.bill(charge(1))[1]
        assert (ledger.open_holds, state(ledger)) == (0, (charge(1).split.fee_wei, 0))

    play(tmp_path, scenes)


def test_a_hold_writes_nothing_until_a_write_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenes(ledger: Ledger) -> None:
        changes = ledger._db.total_changes
        await ledger.hold(hold(1))
        assert (ledger._db.total_changes, state(ledger)) == (changes, (0, AMOUNT))
        monkeypatch.setattr("dgrid.store.ledger.write", full)
        with pytest.raises(StorageUnavailable):
            await ledger.bill(charge(1))[1]
        with pytest.raises(StorageUnavailable):
            await ledger.hold(hold(2))
        monkeypatch.undo()
        await ledger.hold(hold(3))
        changes = ledger._db.total_changes
        await ledger.hold(hold(4))
        assert (ledger._db.total_changes, state(ledger)) == (changes, (0, 3 * AMOUNT))

    play(tmp_path, scenes)


def test_a_fee_that_could_not_be_written_gives_way_to_a_hold_that_took_its_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenes(ledger: Ledger) -> None:
        fee_wei = charge(1).split.fee_wei
        for other in (8, 9):  # else the bill would be written at once
            await ledger.hold(hold(other, channel=2))
        await ledger.hold(hold(1, AMOUNT))
        monkeypatch.setattr("dgrid.store.ledger.write", full)
        failing = ledger.bill(charge(1))[1]
        await ledger.hold(hold(2, AMOUNT, amount_wei=AMOUNT - fee_wei))
        with pytest.raises(StorageUnavailable):
            await failing
        monkeypatch.undo()
        with pytest.raises(BudgetExceeded):
            ledger.hold(hold(3, AMOUNT))
        assert state(ledger) == (0, AMOUNT - fee_wei)
        await ledger.release(request_id(1))  # it is gone, which is no error
        await ledger.bill(charge(2))[1]
        assert (ledger.open_holds, state(ledger), state(ledger, 2)) == (2, (fee_wei, 0), (0, 2 * AMOUNT))

    play(tmp_path, scenes)


def full(*_: object, **_named: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


def test_a_hold_that_could_not_be_released_is_released_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenes(ledger: Ledger) -> None:
        await ledger.hold(hold(1))
        monkeypatch.setattr("dgrid.store.ledger.write", full)
        with pytest.raises(StorageUnavailable):
            await ledger.release(request_id(1))
        assert state(ledger) == (0, AMOUNT)
        monkeypatch.undo()
        async with asyncio.timeout(30):
            while state(ledger) != (0, 0):
                await asyncio.sleep(0.02)

    play(tmp_path, scenes)
