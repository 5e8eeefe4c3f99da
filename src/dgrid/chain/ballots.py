"""What the members proposed and decided, as the governor and the Timelock tell it, and what that comes to.

A pure fold, as all of `view`. It only remembers: what a proposal would change, and whether it has passed at some
moment, is `dgrid.governance`'s to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import assert_never

from dgrid.chain.moments import Moment
from dgrid.core.identity import Address


@dataclass(frozen=True, slots=True)
class Call:
    """One call that a proposal makes when it is executed."""

    target: Address
    value_wei: int
    data: bytes


def columns_of(calls: Sequence[Call]) -> tuple[list[Address], list[int], list[bytes]]:
    """Targets, values and data, each by itself, as the governor and the Timelock take calls."""
    return [one.target for one in calls], [one.value_wei for one in calls], [one.data for one in calls]


@dataclass(frozen=True, slots=True)
class Proposed:
    at: Moment
    proposal: int
    proposer: Address
    calls: tuple[Call, ...]
    vote_start_s: int  # who held votes then may vote, from the second after it
    vote_end_s: int  # the last second of the vote
    description: str


@dataclass(frozen=True, slots=True)
class Voted:
    at: Moment
    proposal: int
    voter: Address
    support: int  # 0 against, 1 for, 2 abstain
    weight_wei: int
    reason: str


@dataclass(frozen=True, slots=True)
class VoteExtended:
    at: Moment
    proposal: int
    vote_end_s: int


@dataclass(frozen=True, slots=True)
class ProposalQueued:
    at: Moment
    proposal: int
    ready_s: int  # when the Timelock lets it be executed


@dataclass(frozen=True, slots=True)
class ProposalExecuted:
    at: Moment
    proposal: int


@dataclass(frozen=True, slots=True)
class ProposalCancelled:
    at: Moment
    proposal: int


@dataclass(frozen=True, slots=True)
class OperationExecuted:
    """Anyone may execute at the Timelock itself; then the governor says nothing."""

    at: Moment
    operation: bytes


@dataclass(frozen=True, slots=True)
class OperationCancelled:
    at: Moment
    operation: bytes


BallotEvent = (
    Proposed
    | Voted
    | VoteExtended
    | ProposalQueued
    | ProposalExecuted
    | ProposalCancelled
    | OperationExecuted
    | OperationCancelled
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BallotView:
    """The members' part of a `ChainView`. Treat its collections as read-only."""

    proposals: dict[int, Proposed] = field(default_factory=dict)  # in order of their creation
    votes: dict[tuple[int, Address], Voted] = field(default_factory=dict)
    vote_ends_s: dict[int, int] = field(default_factory=dict)  # of proposals whose quorum came late
    ready_s: dict[int, int] = field(default_factory=dict)  # of queued proposals
    executed_ms: dict[int, int] = field(default_factory=dict)  # when
    cancelled: set[int] = field(default_factory=set)
    operations_executed_ms: dict[bytes, int] = field(default_factory=dict)
    operations_cancelled: set[bytes] = field(default_factory=set)

    def copy(self) -> "BallotView":
        """The same in collections of its own."""
        return BallotView(**{one.name: getattr(self, one.name).copy() for one in fields(self)})


def change_ballots(draft: BallotView, event: BallotEvent) -> None:
    """Adds one event."""
    match event:
        case Proposed():
            draft.proposals[event.proposal] = event
        case Voted():
            draft.votes[(event.proposal, event.voter)] = event
        case VoteExtended():
            draft.vote_ends_s[event.proposal] = event.vote_end_s
        case ProposalQueued():
            draft.ready_s[event.proposal] = event.ready_s
        case ProposalExecuted():
            draft.executed_ms[event.proposal] = event.at.timestamp_ms
        case ProposalCancelled():
            draft.cancelled.add(event.proposal)
        case OperationExecuted():
            draft.operations_executed_ms[event.operation] = event.at.timestamp_ms
        case OperationCancelled():
            draft.operations_cancelled.add(event.operation)
        case _:
            assert_never(event)
