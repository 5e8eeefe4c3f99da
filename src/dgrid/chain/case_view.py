"""What the events of cases come to: one record a case, with its hearings and its end. A pure fold, as all of `view`.

Who sits is who enrolled and was not unseated by a lower rank, so the contract's own lottery is repeated nowhere.
"""

from dataclasses import dataclass, field, replace
from typing import assert_never

from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.case_events import (
    CaseAppealed,
    CaseEnrolled,
    CaseEvent,
    CaseExecuted,
    CaseOpened,
    CaseSeeded,
    CaseUnseated,
    DisputeSettled,
    HearingEvent,
    Outcome,
    Refund,
    RootDisputed,
    Subject,
    VoteCommitted,
    VoteRevealed,
)
from dgrid.chain.judging import JudgingView, PostedQuality
from dgrid.core.identity import Address

Charge = tuple[Subject, Address, bytes]  # subject, accused, matter


@dataclass(frozen=True, slots=True)
class Vote:
    """A member's opened vote; `evidence` names the blob that it rests on."""

    guilty: bool
    evidence: bytes


@dataclass(frozen=True, slots=True)
class Hearing:
    """One stage of a case: the first, or that of the appeal. Without a seed nobody can enrol yet."""

    called_ms: int  # when the case was opened, or appealed
    seed: bytes = b""
    enrol_until_s: int = 0
    size: int = 0
    seats: tuple[Address, ...] = ()
    sealed: frozenset[Address] = frozenset()  # who committed to a vote, opened or not
    votes: dict[Address, Vote] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every seat is taken: else there is no jury."""
        return self.size > 0 and len(self.seats) == self.size

    @property
    def guilty(self) -> int:
        """How many members said so."""
        return sum(vote.guilty for vote in self.votes.values())


@dataclass(frozen=True, slots=True)
class Ending:
    """How a case ended, and where the money went."""

    outcome: Outcome
    slashed_wei: int
    refunded_wei: int
    rewarded_wei: int
    burned_wei: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the chain says of one case. Treat its collections as read-only."""

    id: bytes
    subject: Subject
    accused: Address
    matter: bytes
    evidence: bytes
    opener: Address
    refunds: tuple[Refund, ...]
    opened_ms: int
    hearings: tuple[Hearing, ...]
    appellant: Address | None = None
    ending: Ending | None = None

    @property
    def is_open(self) -> bool:
        return self.ending is None

    @property
    def stage(self) -> int:
        """0 in the first hearing, 1 on appeal."""
        return len(self.hearings) - 1

    @property
    def hearing(self) -> Hearing:
        """The latest."""
        return self.hearings[-1]

    @property
    def charge(self) -> Charge:
        """What it is about: of each there is one open case at most."""
        return self.subject, self.accused, self.matter

    @property
    def outcome(self) -> Outcome:
        return Outcome.OPEN if self.ending is None else self.ending.outcome

    @property
    def is_acquittal(self) -> bool:
        """Whether members heard it and found nothing: nobody's silence clears anybody."""
        return self.outcome is Outcome.ACQUITTED and any(one.votes for one in self.hearings)


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesView(JudgingView):
    """The courts' part of a `ChainView`. Treat its collections as read-only."""

    cases: dict[bytes, Case] = field(default_factory=dict)  # in the order of their opening
    disputed: set[int] = field(default_factory=set)  # rounds whose root a case keeps from counting
    overturned: ByEpoch[int, PostedQuality] = field(default_factory=ByEpoch)  # by round: the last that a jury took away

    def open_cases(self) -> list[Case]:
        """Those without an end yet."""
        return [case for case in self.cases.values() if case.is_open]


def change_cases(draft: CasesView, event: CaseEvent) -> None:
    """Adds one event. Nothing happens to a case before it was opened."""
    if isinstance(event, (RootDisputed, DisputeSettled)):
        _change_dispute(draft, event)
    elif isinstance(event, CaseOpened):
        names = event.case, event.subject, event.accused, event.matter, event.evidence, event.opener
        opened_ms = event.at.timestamp_ms
        draft.cases[event.case] = Case(*names, event.refunds, opened_ms, (Hearing(opened_ms),))
    elif (known := draft.cases.get(event.case)) is not None:
        draft.cases[event.case] = _changed(known, event)


def _change_dispute(draft: CasesView, event: RootDisputed | DisputeSettled) -> None:
    """An overturned root never counted: the round waits for a true one."""
    if isinstance(event, RootDisputed):
        draft.disputed.add(event.round)
        return
    draft.disputed.discard(event.round)
    if event.overturned and event.round in draft.quality_roots:
        draft.overturned[event.round] = draft.quality_roots.pop(event.round)


def _changed(case: Case, event: HearingEvent | CaseAppealed | CaseExecuted) -> Case:
    match event:
        case CaseAppealed():
            hearings = (*case.hearings, Hearing(event.at.timestamp_ms))
            return replace(case, hearings=hearings, appellant=event.appellant)
        case CaseExecuted():
            amounts = event.slashed_wei, event.refunded_wei, event.rewarded_wei, event.burned_wei
            return replace(case, ending=Ending(event.outcome, *amounts, event.at.timestamp_ms))
        case _:
            staged = enumerate(case.hearings)
            hearings = tuple(_heard(one, event) if stage == event.stage else one for stage, one in staged)
            return replace(case, hearings=hearings)


def _heard(hearing: Hearing, event: HearingEvent) -> Hearing:
    match event:
        case CaseSeeded():
            return replace(hearing, seed=event.seed, enrol_until_s=event.enrol_until_s, size=event.size)
        case CaseEnrolled():
            return replace(hearing, seats=(*hearing.seats, event.evaluator))
        case CaseUnseated():
            return replace(hearing, seats=tuple(one for one in hearing.seats if one != event.evaluator))
        case VoteCommitted():
            return replace(hearing, sealed=hearing.sealed | {event.evaluator})
        case VoteRevealed():
            vote = Vote(event.guilty, event.evidence)
            return replace(hearing, votes={**hearing.votes, event.evaluator: vote})
        case _:
            assert_never(event)
