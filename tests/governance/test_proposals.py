"""A proposal's state at a moment, and its name at the Timelock."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.chain.ballots import (
    BallotEvent,
    BallotView,
    Call,
    OperationCancelled,
    OperationExecuted,
    ProposalCancelled,
    ProposalExecuted,
    ProposalQueued,
    Proposed,
    Voted,
    VoteExtended,
    change_ballots,
)
from dgrid.chain.moments import Moment
from dgrid.core.identity import Address
from dgrid.governance.proposals import (
    Proposal,
    ProposalState,
    Support,
    Tally,
    operation_id,
    proposals,
)

AT = Moment(1, 0, 77_000, bytes(32))
GOVERNOR, TARGET = Address(b"\x0a" * 20), Address(b"\x0b" * 20)
VOTERS = [Address(bytes([at]) * 20) for at in range(1, 5)]
QUORUM = 40
PROPOSED = Proposed(AT, 7, VOTERS[0], (Call(TARGET, 0, b"\x01\x02"),), 100, 130, "# Pay the judges\n\nWhy not.")


def told(*events: BallotEvent) -> Proposal:
    view = BallotView()
    for event in (PROPOSED, *events):
        change_ballots(view, event)
    (found,) = proposals(view, governor=GOVERNOR)
    return found


def voted(support: Support, weight_wei: int, *, voter: int = 0) -> Voted:
    return Voted(AT, 7, VOTERS[voter], support, weight_wei, "")


WON = voted(Support.FOR, QUORUM)
OPERATION = operation_id(PROPOSED, governor=GOVERNOR)
QUEUED = ProposalQueued(AT, 7, 200)


@pytest.mark.parametrize(
    ("events", "now_s", "state"),
    [
        ((), 100, ProposalState.PENDING),
        ((), 101, ProposalState.ACTIVE),
        ((), 130, ProposalState.ACTIVE),
        ((), 131, ProposalState.DEFEATED),
        ((WON,), 130, ProposalState.ACTIVE),
        ((WON,), 131, ProposalState.SUCCEEDED),
        ((voted(Support.FOR, QUORUM - 1),), 131, ProposalState.DEFEATED),
        ((voted(Support.FOR, 1), voted(Support.ABSTAIN, QUORUM - 1, voter=1)), 131, ProposalState.SUCCEEDED),
        ((WON, voted(Support.AGAINST, QUORUM, voter=1)), 131, ProposalState.DEFEATED),
        ((WON, VoteExtended(AT, 7, 150)), 140, ProposalState.ACTIVE),
        ((WON, VoteExtended(AT, 7, 150)), 151, ProposalState.SUCCEEDED),
        ((WON, QUEUED), 199, ProposalState.QUEUED),
        ((WON, QUEUED), 200, ProposalState.READY),
        ((WON, QUEUED, ProposalExecuted(AT, 7)), 200, ProposalState.EXECUTED),
        ((WON, QUEUED, OperationExecuted(AT, OPERATION)), 200, ProposalState.EXECUTED),
        ((WON, QUEUED, OperationExecuted(AT, bytes(32))), 200, ProposalState.READY),
        (
            (WON, QUEUED, OperationCancelled(AT, operation_id(PROPOSED, governor=GOVERNOR))),
            200,
            ProposalState.CANCELLED,
        ),
        ((ProposalCancelled(AT, 7),), 101, ProposalState.CANCELLED),
    ],
)
def test_its_state_follows_from_the_events_and_the_time(
    events: tuple[BallotEvent, ...], now_s: int, state: ProposalState
) -> None:
    assert told(*events).state_at(now_s, quorum_wei=QUORUM) is state


def test_its_title_is_the_descriptions_first_line() -> None:
    assert told().title == "Pay the judges"


weights = st.lists(st.tuples(st.sampled_from(Support), st.integers(0, 2**100)), max_size=4)


@given(weights)
def test_every_vote_counts_once_and_only_where_it_was_cast(cast: list[tuple[Support, int]]) -> None:
    found = told(*(voted(support, weight, voter=at) for at, (support, weight) in enumerate(cast)))
    sums = {side: sum(weight for support, weight in cast if support is side) for side in Support}
    assert found.tally == Tally(sums[Support.FOR], sums[Support.AGAINST], sums[Support.ABSTAIN])


def test_votes_on_another_proposal_are_not_its_own() -> None:
    view = BallotView()
    for event in (PROPOSED, replace(PROPOSED, proposal=8), Voted(AT, 8, VOTERS[0], Support.FOR, 5, "")):
        change_ballots(view, event)
    assert [one.tally.for_wei for one in proposals(view, governor=GOVERNOR)] == [0, 5]


def test_a_copied_view_is_its_own() -> None:
    view = BallotView()
    copy = view.copy()
    change_ballots(view, PROPOSED)
    assert copy == BallotView()
    assert json.dumps(sorted(view.proposals)) == "[7]"
