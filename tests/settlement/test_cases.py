"""What a case is named by, and whom its conviction refunds: the same for whoever computes it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.settlement.judged import BLANK

from dgrid.chain.case_events import Outcome, Refund, Subject
from dgrid.chain.case_view import Case, Ending, Hearing
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.settlement.cases import (
    REFUNDS_MAX,
    case_about,
    due_refunds,
    exceeds,
    leaf_matter,
    refunds_of,
    root_charge,
    was_convicted,
)
from dgrid.wire.quality import LeafKey

NODE, MODEL = Address(b"n" * 20), b"m" * 32
PAYERS = st.binary(min_size=20, max_size=20).map(Address)
PAID = st.dictionaries(PAYERS, st.integers(0, 10**20), max_size=40)
CHARGE = Subject.IDENTITY, NODE, MODEL


def ended(outcome: Outcome, *, opened_ms: int, number: int = 0) -> Case:
    hearing = Hearing(opened_ms)
    ending = Ending(outcome, 0, 0, 0, 0, opened_ms + 1)
    return Case(bytes((number,)) * 32, *CHARGE, bytes(32), Address(b"o" * 20), (), opened_ms, (hearing,), None, ending)


@given(PAID, st.integers(1, 10**19))
def test_refunds_are_few_and_bounded_and_their_order_is_one(paid: dict[Address, int], most: int) -> None:
    found = refunds_of(paid, most_wei=most)
    assert found == refunds_of(dict(reversed(paid.items())), most_wei=most)
    assert len(found) <= REFUNDS_MAX
    assert all(0 < one.amount_wei == min(paid[one.payer], most) for one in found)
    assert len({one.payer for one in found}) == len(found)
    assert not exceeds(found, found)


@given(PAID, PAYERS)
def test_nobody_gets_more_than_is_due_nor_twice(paid: dict[Address, int], stranger: Address) -> None:
    due = refunds_of(paid, most_wei=10**18)
    assert exceeds((*due, Refund(stranger, 1)), due)
    if due:
        assert exceeds((*due, due[0]), due)
        assert not exceeds(due[1:], due)


def test_who_was_refunded_by_a_conviction_is_not_by_the_next() -> None:
    paid = {Address(b"p" * 20): 10}
    view = replace(
        BLANK, cases={b"1": ended(Outcome.CONVICTED, opened_ms=5), b"2": ended(Outcome.ACQUITTED, opened_ms=9)}
    )
    assert was_convicted(view, CHARGE, before_ms=6)
    assert not was_convicted(view, CHARGE, before_ms=5)
    assert due_refunds(view, CHARGE, paid_wei=paid, most_wei=99, before_ms=5) == (Refund(Address(b"p" * 20), 10),)
    assert due_refunds(view, CHARGE, paid_wei=paid, most_wei=99) == ()
    known = case_about(view, CHARGE)
    assert known is not None
    assert known.opened_ms == 9


def test_a_leaf_and_a_root_have_one_name() -> None:
    key = LeafKey(b"g" * 20, 7, 1, 2)
    word = bytes(12) + b"g" * 20 + (7).to_bytes(32, "big") + (1).to_bytes(32, "big") + (2).to_bytes(32, "big")
    assert leaf_matter(key) == keccak(word)
    assert root_charge(258) == (Subject.QUALITY_ROOT, Address(bytes(20)), bytes(30) + b"\x01\x02")
