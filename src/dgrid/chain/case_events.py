"""What happened in cases (`Cases.sol`): who is accused, who enrolled, how it was voted, what it cost.

Decides nothing.
"""

from dataclasses import dataclass
from enum import IntEnum

from dgrid.chain.moments import Moment
from dgrid.core.identity import Address

REFUNDS_MAX = 16  # that one case can order (`Docket.sol`)


class Subject(IntEnum):
    """What a case is about."""

    IDENTITY = 0  # a node runs another model than it sold
    UNDISCLOSED = 1  # a gateway did not show what was drawn
    QUALITY_ROOT = 2  # a round's root is not what follows


class Outcome(IntEnum):
    """How a case ended."""

    OPEN = 0
    DISMISSED = 1  # too few members enrolled: nothing was decided
    ACQUITTED = 2
    CONVICTED = 3


@dataclass(frozen=True, slots=True, order=True)
class Refund:
    """What a payer gets back on conviction."""

    payer: Address
    amount_wei: int


@dataclass(frozen=True, slots=True)
class CaseOpened:
    at: Moment
    case: bytes
    subject: Subject
    accused: Address
    matter: bytes  # model digest; hash of a leaf's place; round
    evidence: bytes  # a blob's id
    opener: Address
    refunds: tuple[Refund, ...]


@dataclass(frozen=True, slots=True)
class CaseSeeded:
    at: Moment
    case: bytes
    stage: int
    seed: bytes
    enrol_until_s: int
    size: int


@dataclass(frozen=True, slots=True)
class CaseEnrolled:
    at: Moment
    case: bytes
    stage: int
    evaluator: Address


@dataclass(frozen=True, slots=True)
class CaseUnseated:
    at: Moment
    case: bytes
    stage: int
    evaluator: Address


@dataclass(frozen=True, slots=True)
class VoteCommitted:
    at: Moment
    case: bytes
    stage: int
    evaluator: Address


@dataclass(frozen=True, slots=True)
class VoteRevealed:
    at: Moment
    case: bytes
    stage: int
    evaluator: Address
    guilty: bool
    evidence: bytes


@dataclass(frozen=True, slots=True)
class CaseAppealed:
    at: Moment
    case: bytes
    appellant: Address
    guilty: bool  # the first verdict


@dataclass(frozen=True, slots=True)
class CaseExecuted:
    at: Moment
    case: bytes
    outcome: Outcome
    slashed_wei: int
    refunded_wei: int
    rewarded_wei: int
    burned_wei: int


@dataclass(frozen=True, slots=True)
class RootDisputed:
    at: Moment
    round: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class DisputeSettled:
    at: Moment
    round: int
    digest: bytes
    overturned: bool


HearingEvent = CaseSeeded | CaseEnrolled | CaseUnseated | VoteCommitted | VoteRevealed
CaseEvent = CaseOpened | HearingEvent | CaseAppealed | CaseExecuted | RootDisputed | DisputeSettled
