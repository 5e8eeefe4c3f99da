"""The ledger's laws: money is held before it is spent, nothing is half done, no place is taken twice."""

import asyncio
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.epochs import EpochClock
from dgrid.core.errors import IdempotencyConflict, SignatureReplayed
from dgrid.core.money import Price, Terms, split_fee
from dgrid.core.places import NO_PLACE
from dgrid.store.ledger import Ledger
from dgrid.store.ledger_reading import LedgerReader
from dgrid.store.ledger_rows import (
    BudgetExceeded,
    Charge,
    Funds,
    HoldRequest,
    IdempotencyKey,
    LaneLost,
    OrderDigest,
    Proof,
    StoredAnswer,
    UsageFacts,
    Work,
)
from dgrid.wire.documents import Label
from dgrid.wire.messages import Dispatch, Hashes, InferenceReceipt, NodeReceipt
from dgrid.wire.seals import Seal

GATEWAY, NODE, PAYER, TOKEN = (bytes([at]) * 20 for at in (1, 2, 3, 4))
CLOCK = EpochClock(1_000, 10)
START_MS = 1_000_000
TERMS = Terms(Price(10**12, 3 * 10**12), Price(10**11, 10**11), 200, 500)
SEAL = Seal(bytes(65), 0, 1, ())
DISPATCH = Dispatch(
    *(bytes(32),) * 2, GATEWAY, NODE, *(bytes(32),) * 2, TOKEN, 1, 2, 3, 4, 5, *(bytes(32),) * 2
).packed()
NODE_RECEIPT = NodeReceipt(*(bytes(32),) * 3, 5, 7)
AMOUNT = split_fee(TERMS, tokens_in=100, tokens_out=100).fee_wei


class Clock:
    def __init__(self) -> None:
        self.now_ms = START_MS

    def __call__(self) -> int:
        return self.now_ms


def request_id(number: int) -> bytes:
    return number.to_bytes(32, "big")


def funds(deposited_wei: int = 100 * AMOUNT, channel: int = 1, **voucher: Any) -> Funds:
    return Funds(channel.to_bytes(32, "big"), PAYER, TOKEN, b"config", deposited_wei, **voucher)


def hold(number: int, deposited_wei: int = 100 * AMOUNT, *, amount_wei: int = AMOUNT, **more: Any) -> HoldRequest:
    channel = more.pop("channel", 1)
    return HoldRequest(request_id(number), funds(deposited_wei, channel), amount_wei, **more)


def charge(number: int, *, tokens_in: int = 5, tokens_out: int = 7, node: bytes = NODE, **more: Any) -> Charge:
    split = split_fee(TERMS, tokens_in=tokens_in, tokens_out=tokens_out)
    usage = UsageFacts(tokens_in, tokens_out, 0, 0, 0, 1, 2)
    proof = Proof(DISPATCH, SEAL, NODE_RECEIPT.packed(), NODE_RECEIPT.struct_hash(), SEAL)
    work = Work(node, "tiny", bytes(32), bytes(32), 1)
    return Charge(request_id(number), work, usage, split, Hashes(*(bytes(32),) * 4), proof, Label(), bytes(32), **more)


def opened(folder: Path, now_ms: Callable[[], int] | None = None) -> Ledger:
    return Ledger(folder, gateway=GATEWAY, clock=CLOCK, now_ms=now_ms or Clock())


def play(folder: Path, scenes: Callable[[Ledger], Awaitable[None]], now_ms: Callable[[], int] | None = None) -> None:
    async def main() -> None:
        ledger = opened(folder, now_ms)
        try:
            await scenes(ledger)
        finally:
            ledger.close()

    asyncio.run(main())


async def billed(ledger: Ledger, number: int, **more: Any) -> InferenceReceipt:
    await ledger.hold(hold(number))
    result, committed = ledger.bill(charge(number, **more))
    await committed
    return result.receipt


def state(ledger: Ledger, channel: int = 1) -> tuple[int, int]:
    found = ledger.account_state(channel.to_bytes(32, "big"))
    return found.spent_wei, found.held_wei


def test_a_bill_releases_its_hold_and_writes_its_receipt_in_one_step(tmp_path: Path) -> None:
    async def scenes(ledger: Ledger) -> None:
        receipt = await billed(ledger, 1)
        assert state(ledger) == (receipt.shares.fee, 0)
        reader = LedgerReader(ledger.path)
        stored = reader.receipt(request_id(1))
        assert stored is not None
        assert InferenceReceipt.unpacked(stored.record.receipt) == receipt
        reader.close()

    play(tmp_path, scenes)


def test_receipts_of_a_lane_carry_running_totals_and_name_the_one_before(tmp_path: Path) -> None:
    async def scenes(ledger: Ledger) -> None:
        first, second = [await billed(ledger, number) for number in (1, 2)]
        assert (first.previous.payer, first.previous.node) == (NO_PLACE, NO_PLACE)
        assert second.previous.payer == second.previous.node == first.place.position.packed()
        for name in ("payer", "node", "listing", "protocol", "gateway"):
            share = second.shares.fee if name == "payer" else getattr(second.shares, name)
            assert getattr(second.totals, name) == getattr(first.totals, name) + share
        assert (second.place.epoch, second.place.sequence) == (first.place.epoch, first.place.sequence + 1)

    play(tmp_path, scenes)


def test_requests_at_once_never_hold_more_than_the_deposit(tmp_path: Path) -> None:
    async def scenes(ledger: Ledger) -> None:
        held = []
        for number in range(50):
            try:
                held.append(ledger.hold(hold(number, 3 * AMOUNT + 1)))
            except BudgetExceeded:
                continue
        await asyncio.gather(*held)
        assert len(held) == 3
        assert state(ledger) == (0, 3 * AMOUNT)

    play(tmp_path, scenes)


def test_a_voucher_s_ceiling_binds_what_is_spent_and_held(tmp_path: Path) -> None:
    async def scenes(ledger: Ledger) -> None:
        def signed(number: int, ceiling_wei: int) -> HoldRequest:
            paid = funds(ceiling_wei=ceiling_wei, voucher_signature=bytes(65))
            return HoldRequest(request_id(number), paid, AMOUNT)

        await ledger.hold(signed(1, AMOUNT))
        with pytest.raises(BudgetExceeded):
            ledger.hold(signed(2, 2 * AMOUNT - 1))
        await ledger.hold(signed(3, 2 * AMOUNT))
        with pytest.raises(BudgetExceeded):
            ledger.hold(signed(4, AMOUNT))  # an older voucher does not lower the ceiling, nor raise it

    play(tmp_path, scenes)


def test_the_schema_refuses_what_the_code_should_have_refused(tmp_path: Path) -> None:
    async def scenes(ledger: Ledger) -> None:
        await billed(ledger, 1)
        with sqlite3.connect(ledger.path) as db:
            for change, constraint in (
                ("committed = zeroblob(17)", "channel_amounts_are_wide"),
                ("committed = x'ffffffffffffffffffffffffffffffff'", "committed_is_funded"),
                ("spent = x'ffffffffffffffffffffffffffffffff'", "spent_is_committed"),
                ("ceiling = zeroblob(16)", "committed_is_promised"),
            ):
                with pytest.raises(sqlite3.IntegrityError, match=constraint):
                    db.execute(f"UPDATE channels SET {change}")
        db.close()

    play(tmp_path, scenes)


def test_a_signed_request_is_taken_once(tmp_path: Path) -> None:
    async def scenes(ledger: Ledger) -> None:
        order = OrderDigest(b"d" * 32, START_MS + 1000)
        await ledger.hold(hold(1, order=order))
        await ledger.release(request_id(1))
        with pytest.raises(SignatureReplayed):
            ledger.hold(hold(2, order=order))

    play(tmp_path, scenes)


def test_an_idempotency_key_answers_once_and_forgets_after_a_day(tmp_path: Path) -> None:
    clock = Clock()

    async def scenes(ledger: Ledger) -> None:
        key, answer = IdempotencyKey("k", b"h" * 32), StoredAnswer(200, b"text", ((b"a", b"b"),), b"body")
        await ledger.hold(hold(1, idempotency=key))
        with pytest.raises(IdempotencyConflict):
            ledger.hold(hold(2, idempotency=key))
        await ledger.bill(charge(1, answer=answer))[1]
        known = ledger.known_answer(funds().channel_id, "k")
        assert known is not None
        assert known.stored == answer
        clock.now_ms += 24 * 3600 * 1000 + 1
        assert ledger.known_answer(funds().channel_id, "k") is None
        await ledger.hold(hold(3, idempotency=key))
        await ledger.forget_expired()

    play(tmp_path, scenes, clock)


def test_the_moment_of_serving_never_goes_back(tmp_path: Path) -> None:
    clock = Clock()

    async def scenes(ledger: Ledger) -> None:
        first = await billed(ledger, 1)
        clock.now_ms -= 50_000
        second = await billed(ledger, 2)
        assert second.usage.served_at == first.usage.served_at
        await ledger.shut_epoch(first.place.epoch)
        third = await billed(ledger, 3)
        assert (third.place.epoch, third.place.sequence) == (first.place.epoch + 1, 0)
        assert third.usage.served_at == CLOCK.closes_at_ms(first.place.epoch)

    play(tmp_path, scenes, clock)


def test_a_second_process_cannot_have_the_lane(tmp_path: Path) -> None:
    async def scenes(ledger: Ledger) -> None:
        with pytest.raises(LaneLost):
            opened(tmp_path)
        with sqlite3.connect(ledger.path) as db:  # one that was presumed dead, and is not
            db.execute("UPDATE lanes SET fence = fence + 1")
        db.close()
        await ledger.hold(hold(1))
        with pytest.raises(LaneLost):
            await ledger.bill(charge(1))[1]

    play(tmp_path, scenes)


def test_the_log_is_moved_into_the_file_once_it_has_grown_and_not_again_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dgrid.store.ledger.CHECKPOINT_ROWS", 12)

    async def scenes(ledger: Ledger) -> None:
        count = 0
        for _ in range(3):
            while not ledger.log_is_long:
                count += 1
                await billed(ledger, count)
            ledger.checkpoint()
            assert not ledger.log_is_long
            with sqlite3.connect(f"file:{ledger.path}?immutable=1", uri=True) as db:  # looks at no log
                assert db.execute("SELECT count(*) FROM receipts").fetchone()[0] == count
            db.close()

    play(tmp_path, scenes)


def test_what_a_killed_process_left_in_flight_is_released_and_what_it_billed_stands(tmp_path: Path) -> None:
    script = f"""
import asyncio, os, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from tests.store.test_ledger import *
async def main():
    ledger = opened(Path({str(tmp_path)!r}))
    await billed(ledger, 1)
    key = IdempotencyKey("k", b"h" * 32)
    await ledger.hold(hold(2, idempotency=key))
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    died = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr

    async def scenes(ledger: Ledger) -> None:
        fee_wei = charge(1).split.fee_wei
        assert state(ledger) == (fee_wei, 0)
        assert ledger.known_answer(funds().channel_id, "k") is None
        receipt = await billed(ledger, 3)
        assert (receipt.place.sequence, receipt.totals.payer) == (1, 2 * fee_wei)

    play(tmp_path, scenes)


Step = tuple[str, int, int]


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["hold", "bill", "release", "crash"]), st.integers(0, 7), st.integers(0, 100)),
        max_size=40,
    )
)
def test_money_and_places_hold_through_any_sequence_of_steps_and_crashes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    """Against a plain model. A crash is a copy of the files, opened anew."""
    folder = tmp_path_factory.mktemp("ledger")

    async def main() -> None:
        ledger, model, spent_wei, places = opened(folder), set[int](), 0, list[tuple[int, int]]()
        copies, number = 0, 0
        names: dict[int, int] = {}
        for kind, slot, tokens in steps:
            if kind == "hold" and slot not in model:
                number += 1
                try:
                    await ledger.hold(hold(number, 4 * AMOUNT))
                except BudgetExceeded:
                    assert spent_wei + (len(model) + 1) * AMOUNT > 4 * AMOUNT
                    continue
                model.add(slot)
                names[slot] = number
            elif kind == "bill" and slot in model:
                result, committed = ledger.bill(charge(names[slot], tokens_in=tokens, tokens_out=tokens))
                await committed
                model.discard(slot)
                spent_wei += result.fee_wei
                assert result.receipt.totals.payer == spent_wei
                places.append((result.receipt.place.epoch, result.receipt.place.sequence))
            elif kind == "release" and slot in model:
                await ledger.release(request_id(names[slot]))
                model.discard(slot)
            elif kind == "crash":
                copies += 1
                copy = folder / f"copy-{copies}"
                shutil.copytree(ledger.path.parent, copy, ignore=shutil.ignore_patterns("copy-*"))
                ledger.close()
                ledger = opened(copy)
                model.clear()
            assert state(ledger) == (spent_wei, len(model) * AMOUNT)
        assert places == [(places[0][0], at) for at in range(len(places))] if places else True
        ledger.close()

    asyncio.run(main())
