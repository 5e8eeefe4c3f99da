"""Cases, jail and slashes as the chain's events leave them."""

from hypothesis import given
from hypothesis import strategies as st

from dgrid.chain.case_events import (
    CaseAppealed,
    CaseEnrolled,
    CaseExecuted,
    CaseOpened,
    CaseSeeded,
    CaseUnseated,
    Outcome,
    Subject,
    VoteCommitted,
    VoteRevealed,
)
from dgrid.chain.events import ChainEvent, Jailed, MemberRegistered, Moment, Role, Slashed, StakeChanged, Unjailed
from dgrid.chain.view import ChainView, apply, fold
from dgrid.core.identity import Address

AT = Moment(1, 0, 5_000, bytes(32))
A, B, NODE = Address(b"\x01" * 20), Address(b"\x02" * 20), Address(b"\x03" * 20)
CASE = b"c" * 32
JOINED = MemberRegistered(AT, Role.NODE, NODE, 10, "http://a", bytes(32), bytes(32), 0)
OPENED = CaseOpened(AT, CASE, Subject.IDENTITY, NODE, b"m" * 32, b"e" * 32, A, ())
SEEDED = CaseSeeded(AT, CASE, 0, b"s" * 32, 20, 1)


def hearing(*events: ChainEvent) -> ChainView:
    return fold(ChainView(), (OPENED, SEEDED, *events))


def test_who_is_unseated_by_a_lower_lot_sits_no_more() -> None:
    events = CaseEnrolled(AT, CASE, 0, A), CaseUnseated(AT, CASE, 0, A), CaseEnrolled(AT, CASE, 0, B)
    case = hearing(*events).cases[CASE]
    assert case.hearing.seats == (B,)
    assert case.hearing.is_complete


def test_an_appeal_begins_a_hearing_and_leaves_the_first_as_it_was() -> None:
    votes = VoteCommitted(AT, CASE, 0, B), VoteRevealed(AT, CASE, 0, B, True, b"e" * 32)
    view = hearing(CaseEnrolled(AT, CASE, 0, B), *votes, CaseAppealed(AT, CASE, NODE, True))
    case = view.cases[CASE]
    assert (case.stage, case.appellant) == (1, NODE)
    assert case.hearings[0].guilty == 1
    assert not case.hearing.seed
    assert view.open_cases() == [case]


def test_only_members_that_voted_acquit() -> None:
    end = CaseExecuted(AT, CASE, Outcome.ACQUITTED, 0, 0, 0, 0)
    silent = hearing(CaseEnrolled(AT, CASE, 0, B), end).cases[CASE]
    heard = hearing(CaseEnrolled(AT, CASE, 0, B), VoteRevealed(AT, CASE, 0, B, False, b"e" * 32), end).cases[CASE]
    assert (silent.outcome, silent.is_acquittal, heard.is_acquittal) == (Outcome.ACQUITTED, False, True)
    assert not heard.is_open


def test_who_is_in_jail_is_not_active_until_it_asks_to_be_let_out() -> None:
    view = fold(ChainView(), (JOINED, Jailed(AT, Role.NODE, NODE, 99)))
    assert (view.active(Role.NODE), view.members[Role.NODE, NODE].jailed_until_s) == ([], 99)
    raised = apply(view, StakeChanged(AT, Role.NODE, NODE, 1_000))
    assert not raised.active(Role.NODE)
    assert apply(raised, Unjailed(AT, Role.NODE, NODE)).active(Role.NODE)


@given(st.lists(st.integers(0, 10**20), max_size=5))
def test_slashes_add_up(amounts: list[int]) -> None:
    view = fold(ChainView(), [JOINED, *(Slashed(AT, Role.NODE, NODE, wei, A) for wei in amounts)])
    assert view.slashed.get((Role.NODE, NODE), 0) == sum(amounts)


def test_nothing_happens_to_a_case_that_was_not_opened() -> None:
    assert fold(ChainView(), (SEEDED, CaseAppealed(AT, CASE, NODE, True))).cases == {}
