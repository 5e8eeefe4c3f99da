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
from dgrid.evaluator.planning import LATEST_SHOWING_BPS, part_way_s
from dgrid.evaluator.taking_turns import turn_s
from dgrid.settlement.appealing import verdicts
from dgrid.settlement.hearings import HearingWindows, is_decided, windows_of_hearing

LATEST_FINDING_BPS: Final = 6_500  # of the window for votes: what is not found by then is not found
LATEST_FINAL_BPS: Final = 2_500  # of the window for openings: so long they wait for a chain that makes nothing final
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
    """Lay the evidence at the archives, then open the vote; with `is_late` open it at once, for silence costs stake."""

    case: bytes
    stage: int
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Show:
    """Lay evidence at the archives that none had taken when the vote was opened."""

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


CaseStep = OpenCase | FixCaseSeed | Enrol | Vote | Unseal | Show | AppealRoot | Execute | SlashSigners


@dataclass(frozen=True, slots=True)
class CaseSight:
    """All that a decision rests on."""

    me: Address
    view: ChainView  # final
    now_s: int
    final_s: int | None = None  # the time of the view's block; None: now
    fixed: frozenset[Seat] = frozenset()  # stages in which this evaluator's vote is on disk
    unshown: frozenset[Seat] = frozenset()  # those whose evidence no archive has yet
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
    return part_way_s(windows.enrol_until_s, windows.vote_until_s, bps=LATEST_FINDING_BPS)


def shows_until_s(view: ChainView, case: Case) -> int:
    """Until when an opening waits for an archive to take its evidence."""
    windows = windows_of_hearing(view, case)
    return part_way_s(windows.vote_until_s, windows.unseal_until_s, bps=LATEST_SHOWING_BPS)


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
        is_time = _takes_no_vote(sight, windows) and sight.now_s < windows.unseal_until_s
        is_sealed = sight.me in hearing.sealed and sight.me not in hearing.votes
        if is_time and is_sealed and (case.id, case.stage) in sight.fixed:
            yield Unseal(case.id, case.stage, is_late=sight.now_s >= shows_until_s(sight.view, case))


def _takes_no_vote(sight: CaseSight, windows: HearingWindows) -> bool:
    """Whether what is shown now can be copied by no vote any more, not even in blocks that replace the last ones.

    A chain that stands still is waited for only for a while: who stays silent is slashed.
    """
    final_s = sight.now_s if sight.final_s is None else sight.final_s
    latest_s = part_way_s(windows.vote_until_s, windows.unseal_until_s, bps=LATEST_FINAL_BPS)
    return sight.now_s >= (windows.vote_until_s if final_s >= windows.vote_until_s else latest_s)


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


def _showings(sight: CaseSight) -> Iterator[CaseStep]:
    """For as long as the case goes on, whoever doubts a vote may ask for what it rests on."""
    for case in sight.view.open_cases():
        for stage, hearing in enumerate(case.hearings):
            if (case.id, stage) in sight.unshown and sight.me in hearing.votes:
                yield Show(case.id, stage)


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
    _showings,
)
