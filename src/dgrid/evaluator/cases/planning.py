"""What to do next in the cases under way, as an ordered list of rules.

Pure: from what the chain finally says, what this evaluator has fixed and found, and the time. Does nothing itself. The
first rules are those whose windows close soonest. What anybody may send, evaluators send in turns.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from dgrid.chain.case_events import Outcome, Subject
from dgrid.chain.case_view import Case, Charge
from dgrid.chain.events import Role
from dgrid.chain.view import ChainView
from dgrid.core.identity import Address
from dgrid.core.money import BPS
from dgrid.evaluator.taking_turns import turn_s
from dgrid.settlement.appealing import verdicts
from dgrid.settlement.hearings import is_decided, windows_of_hearing

LATEST_FINDING_BPS: Final = 6_500  # of the window for votes: what is not found by then is not found
CASES_AT_ONCE: Final = 8  # in which one evaluator sits
OPENER_FIRST_S: Final = 60  # before others slash the signers of a root that it had overturned

Seat = tuple[bytes, int]  # case, stage


@dataclass(frozen=True, slots=True)
class OpenCase:
    charge: Charge


@dataclass(frozen=True, slots=True)
class FixCaseSeed:
    case: bytes
    stage: int


@dataclass(frozen=True, slots=True)
class Enrol:
    case: bytes
    stage: int


@dataclass(frozen=True, slots=True)
class Vote:
    case: bytes
    stage: int


@dataclass(frozen=True, slots=True)
class Unseal:
    case: bytes
    stage: int


@dataclass(frozen=True, slots=True)
class AppealRoot:
    """Against a verdict that calls a root wrong which this evaluator signed."""

    case: bytes


@dataclass(frozen=True, slots=True)
class Execute:
    case: bytes


@dataclass(frozen=True, slots=True)
class SlashSigners:
    """Of a root that a case overturned."""

    case: bytes


CaseStep = OpenCase | FixCaseSeed | Enrol | Vote | Unseal | AppealRoot | Execute | SlashSigners


@dataclass(frozen=True, slots=True)
class CaseSight:
    """All that a decision rests on."""

    me: Address
    view: ChainView  # final
    now_s: int
    fixed: frozenset[Seat] = frozenset()  # stages in which this evaluator's vote is on disk
    enrolling: frozenset[Seat] = frozenset()  # where it has asked for a seat that the view does not show yet
    signed: frozenset[bytes] = frozenset()  # cases about a root that it signed
    charges: frozenset[Charge] = frozenset()  # what it can prove
    settled: frozenset[bytes] = frozenset()  # cases whose signers it has slashed
    resting: frozenset[CaseStep] = frozenset()  # tried just now


def plan_cases(sight: CaseSight) -> CaseStep | None:
    """The next step; None when there is nothing to do yet."""
    return next((step for rule in RULES for step in rule(sight) if step not in sight.resting), None)


def seats_of(view: ChainView, *, evaluator: Address) -> list[Case]:
    """The open cases in whose latest hearing an evaluator sits, the oldest first."""
    return [case for case in view.open_cases() if evaluator in case.hearing.seats]


def enrolling_in(view: ChainView, *, evaluator: Address, now_s: int) -> set[Seat]:
    """The hearings in which a seat may still come: their time to enrol runs, and the evaluator has none there."""
    open_ = [case for case in view.open_cases() if now_s < windows_of_hearing(view, case).enrol_until_s]
    return {(case.id, case.stage) for case in open_ if evaluator not in case.hearing.seats}


def finds_until_s(view: ChainView, case: Case) -> int:
    """When a member's finding must be there, so that its vote still gets onto the chain."""
    windows = windows_of_hearing(view, case)
    return windows.enrol_until_s + (windows.vote_until_s - windows.enrol_until_s) * LATEST_FINDING_BPS // BPS


def may_sit(view: ChainView, case: Case, *, evaluator: Address) -> bool:
    """Whether an evaluator could be taken; the contract asks the same, and when its stake last grew."""
    if not view.is_active(Role.EVALUATOR, evaluator) or evaluator in (case.accused, case.opener, case.appellant):
        return False
    if case.stage and evaluator in case.hearings[0].seats:
        return False
    return case.subject is not Subject.IDENTITY or case.matter in view.declared.get((Role.EVALUATOR, evaluator), ())


def _unsealings(sight: CaseSight) -> Iterator[CaseStep]:
    """What was voted is opened in its window, and in no other."""
    for case in sight.view.open_cases():
        windows, hearing = windows_of_hearing(sight.view, case), case.hearing
        is_time = windows.vote_until_s <= sight.now_s < windows.unseal_until_s
        is_sealed = sight.me in hearing.sealed and sight.me not in hearing.votes
        if is_time and is_sealed and (case.id, case.stage) in sight.fixed:
            yield Unseal(case.id, case.stage)


def _votes(sight: CaseSight) -> Iterator[CaseStep]:
    """As soon as it is fixed and the jury is complete."""
    for case in seats_of(sight.view, evaluator=sight.me):
        windows, hearing = windows_of_hearing(sight.view, case), case.hearing
        is_time = windows.enrol_until_s <= sight.now_s < windows.vote_until_s
        if is_time and hearing.is_complete and sight.me not in hearing.sealed and (case.id, case.stage) in sight.fixed:
            yield Vote(case.id, case.stage)


def _enrolments(sight: CaseSight) -> Iterator[CaseStep]:
    """Where it may sit, has no seat yet and has not just asked for one: each seat owes a finding in time."""
    free = CASES_AT_ONCE - len(seats_of(sight.view, evaluator=sight.me)) - len(sight.enrolling)
    if free <= 0:
        return
    open_ = enrolling_in(sight.view, evaluator=sight.me, now_s=sight.now_s) - sight.enrolling
    for case in sight.view.open_cases():
        if (case.id, case.stage) in open_ and may_sit(sight.view, case, evaluator=sight.me):
            yield Enrol(case.id, case.stage)


def _appeals(sight: CaseSight) -> Iterator[CaseStep]:
    """One of those who signed is enough: in turns, all within the time that there is."""
    for case in verdicts(sight.view, now_s=sight.now_s):
        windows = windows_of_hearing(sight.view, case)
        wait_s = min(turn_s(sight.view, sight.me, lot=case.id), (windows.appeal_until_s - windows.unseal_until_s) // 2)
        if case.id in sight.signed and sight.now_s >= windows.unseal_until_s + wait_s:
            yield AppealRoot(case.id)


def _seeds(sight: CaseSight) -> Iterator[CaseStep]:
    for case in sight.view.open_cases():
        called_s = case.hearing.called_ms // 1000
        if not case.hearing.seed and sight.now_s >= called_s + turn_s(sight.view, sight.me, lot=case.id):
            yield FixCaseSeed(case.id, case.stage)


def _accusations(sight: CaseSight) -> Iterator[CaseStep]:
    """What it can prove, while nobody else has brought it."""
    standing = {case.charge for case in sight.view.open_cases()}
    if sight.view.is_active(Role.EVALUATOR, sight.me):
        yield from (OpenCase(charge) for charge in sorted(sight.charges - standing))


def _executions(sight: CaseSight) -> Iterator[CaseStep]:
    for case in sight.view.open_cases():
        if is_decided(sight.view, case, now_s=sight.now_s - turn_s(sight.view, sight.me, lot=case.id)):
            yield Execute(case.id)


def _signers(sight: CaseSight) -> Iterator[CaseStep]:
    """Whoever opened the case gets the reward, and sends it first; if it does not, the others do in turn."""
    for case in sight.view.cases.values():
        is_over = case.subject is Subject.QUALITY_ROOT and case.outcome is Outcome.CONVICTED
        if not is_over or case.ending is None or case.id in sight.settled:
            continue
        wait_s = 0 if case.opener == sight.me else OPENER_FIRST_S + turn_s(sight.view, sight.me, lot=case.id)
        if sight.now_s >= case.ending.timestamp_ms // 1000 + wait_s:
            yield SlashSigners(case.id)


Rule = Callable[[CaseSight], Iterator[CaseStep]]
RULES: Final[tuple[Rule, ...]] = (
    _unsealings,
    _votes,
    _enrolments,
    _appeals,
    _seeds,
    _accusations,
    _executions,
    _signers,
)
