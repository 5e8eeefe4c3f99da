"""What a case is named by, and whom its conviction refunds: the same for whoever computes it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.settlement.judged import BLANK, ROUND, Judged, a_judged_epoch, a_table, evaluators, reading, signed
from tests.wire.making import GATEWAY, NODE

from dgrid.chain.case_events import REFUNDS_MAX, Outcome, Refund, Subject
from dgrid.chain.case_view import Case, Ending, Hearing, Vote
from dgrid.core.identity import Address, model_id
from dgrid.core.keccak import keccak
from dgrid.settlement.cases import (
    ChargeReader,
    Flag,
    Hidden,
    case_about,
    due_refunds,
    exceeds,
    leaf_matter,
    refunds_of,
    root_charge,
    was_convicted,
)
from dgrid.wire.quality import Change, LeafKey, SuspicionRow, Verdict

ACCUSED, MODEL = Address(b"n" * 20), b"m" * 32
Found = TypeVar("Found")
PAYERS = st.binary(min_size=20, max_size=20).map(Address)
PAID = st.dictionaries(PAYERS, st.integers(0, 10**20), max_size=40)
CHARGE = Subject.IDENTITY, ACCUSED, MODEL


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


# --- what the tables and reports charge members with ------------------------------------------------------------------


def reported(verdicts: Iterable[Verdict]) -> Judged:
    """A judged epoch in which evaluators, one after the other, say the same of all their duties."""
    judged = Judged()
    judged.anchor()
    judged.draw()
    for key, verdict in zip(evaluators(), verdicts, strict=True):
        reports = judged.reports_of(key)
        changed = tuple(msgspec.structs.replace(one, verdict=int(verdict)) for one in reports.reports)
        judged.open(key, signed(key, ROUND, changed))
    return judged


def read(judged: Judged, work: Callable[[ChargeReader], Awaitable[Found]]) -> Found:
    async def main() -> Found:
        async with reading(judged) as found:
            return await work(ChargeReader(found.quality))

    return asyncio.run(main())


def hidden_in(judged: Judged) -> list[Hidden]:
    judged.post(a_table())
    posted = judged.view.quality_roots[ROUND]
    return read(judged, lambda reader: reader.hidden(posted))


def test_a_leaf_that_most_of_its_members_were_not_shown_is_hidden_and_its_payer_is_refunded() -> None:
    judged = reported([Verdict.UNDISCLOSED] * 4)
    hidden = hidden_in(judged)
    assert {one.leaf.key for one in hidden} == {duty.leaf.key for duty in judged.duties()}
    one = hidden[0]
    assert one.charge == (Subject.UNDISCLOSED, GATEWAY.address, leaf_matter(one.leaf.key))
    assert one.refunds(most_wei=10**30) == (Refund(Address(one.leaf.payer), one.leaf.fee_wei),)
    assert one.evidence in judged.blobs


@pytest.mark.parametrize(
    ("outcome", "late_ms", "other", "answered"),
    [
        (Outcome.OPEN, -1, {"evidence": b"x" * 32}, True),
        (Outcome.CONVICTED, -1, {"refunds": ()}, True),
        (Outcome.ACQUITTED, 0, {}, True),
        (Outcome.ACQUITTED, -1, {}, False),  # no root stood: nobody could convict
        (Outcome.ACQUITTED, 0, {"hearings": (Hearing(0),)}, False),  # nobody's silence clears it
        (Outcome.DISMISSED, 0, {}, False),
        (Outcome.ACQUITTED, 0, {"evidence": b"x" * 32}, False),
        (Outcome.ACQUITTED, 0, {"refunds": ()}, False),
        (Outcome.ACQUITTED, 0, {"matter": b"x" * 32}, False),
    ],
)
def test_only_a_case_that_could_convict_clears_a_gateway_of_hiding(
    outcome: Outcome, late_ms: int, other: dict[str, Any], *, answered: bool
) -> None:
    most_wei = 10**30
    one = hidden_in(reported([Verdict.UNDISCLOSED] * 4))[0]
    subject, accused, matter = one.charge
    case = replace(
        ended(outcome, opened_ms=one.posted_ms + late_ms),
        subject=subject,
        accused=accused,
        matter=matter,
        evidence=one.evidence,
        refunds=one.refunds(most_wei=most_wei),
        hearings=(Hearing(0, votes={Address(b"j" * 20): Vote(guilty=False, evidence=b"")}),),
    )
    assert one.is_answered(replace(case, **other), most_wei=most_wei) is answered


def test_a_leaf_that_one_member_could_read_was_shown() -> None:
    """Two liars of three take no stake from an honest gateway."""
    judged = reported([Verdict.UNDISCLOSED, Verdict.UNDISCLOSED, Verdict.UNDISCLOSED, Verdict.JUDGED])
    honest = evaluators()[3].address
    read_by = {duty.leaf.key for duty in judged.duties() if duty.evaluator == honest}
    hidden = {one.leaf.key for one in hidden_in(judged)}
    assert not hidden & read_by


def flagged_table(judged: Judged, *, gaps: tuple[int, ...], round_: int = -1) -> None:
    keys = [duty.leaf.key for duty in judged.duties()][:3]
    moved = tuple(Change(NODE.address, model_id("dgrid-mini"), "", "judgement", key, 5_000, 1) for key in keys)
    row = SuspicionRow(NODE.address, model_id("dgrid-mini"), (), round_, gaps)
    judged.view.quality_roots.clear()
    judged.post(a_table(suspicions=(row,), changes=moved))


def flags_in(judged: Judged) -> list[Flag]:
    posted = judged.view.quality_roots[ROUND]
    return read(judged, lambda reader: reader.flags(posted))


def test_who_is_in_doubt_or_flagged_is_asked_and_those_who_paid_for_what_was_judged_are_known() -> None:
    judged = a_judged_epoch()
    flagged_table(judged, gaps=(300_000,) * 5)
    (flag,) = flags_in(judged)
    assert (flag.node, flag.model) == (NODE.address, "dgrid-mini")
    assert sum(flag.paid_wei.values()) > 0
    flagged_table(judged, gaps=(), round_=ROUND)
    assert len(flags_in(judged)) == 1
    flagged_table(judged, gaps=(5_000,) * 20)
    assert flags_in(judged) == []
