"""From decoded logs to the facts in `case_events`. Decodes, decides nothing."""

from collections.abc import Callable, Mapping
from typing import Any

from dgrid.chain.case_events import (
    CaseAppealed,
    CaseEnrolled,
    CaseEvent,
    CaseExecuted,
    CaseOpened,
    CaseSeeded,
    CaseUnseated,
    DisputeSettled,
    Outcome,
    Refund,
    RootDisputed,
    Subject,
    VoteCommitted,
    VoteRevealed,
)
from dgrid.chain.moments import Moment
from dgrid.core.identity import Address

_Arguments = dict[str, Any]


def _case_opened(at: Moment, a: _Arguments) -> CaseOpened:
    refunds = tuple(Refund(Address(payer), amount) for payer, amount in a["refunds"])
    names = a["id"], Subject(a["subject"]), Address(a["accused"]), a["matter"], a["evidence"]
    return CaseOpened(at, *names, Address(a["opener"]), refunds)


def _vote_revealed(at: Moment, a: _Arguments) -> VoteRevealed:
    return VoteRevealed(at, *_seat(a), a["guilty"], a["evidence"])


def _case_executed(at: Moment, a: _Arguments) -> CaseExecuted:
    amounts = a["slashed"], a["refunded"], a["rewarded"], a["burned"]
    return CaseExecuted(at, a["id"], Outcome(a["outcome"]), *amounts)


def _seat(a: _Arguments) -> tuple[bytes, int, Address]:
    return a["id"], a["stage"], Address(a["evaluator"])


CASE_READERS: Mapping[tuple[str, str], Callable[[Moment, _Arguments], CaseEvent]] = {
    ("quality_court", "Disputed"): lambda at, a: RootDisputed(at, a["round"], a["digest"]),
    ("quality_court", "DisputeSettled"): lambda at, a: DisputeSettled(at, a["round"], a["digest"], a["overturned"]),
    ("cases", "CaseOpened"): _case_opened,
    ("cases", "SeedFixed"): lambda at, a: CaseSeeded(at, a["id"], a["stage"], a["seed"], a["enrolUntil"], a["size"]),
    ("cases", "Enrolled"): lambda at, a: CaseEnrolled(at, *_seat(a)),
    ("cases", "Unseated"): lambda at, a: CaseUnseated(at, *_seat(a)),
    ("cases", "VoteCommitted"): lambda at, a: VoteCommitted(at, *_seat(a)),
    ("cases", "VoteRevealed"): _vote_revealed,
    ("cases", "Appealed"): lambda at, a: CaseAppealed(at, a["id"], Address(a["appellant"]), a["guilty"]),
    ("cases", "Executed"): _case_executed,
}
