"""What to do next in the rounds under way, as an ordered list of rules.

Pure: from what the chain finally says, what this evaluator has fixed, and the time. Does nothing itself, and asks for
nothing twice that is under way or was refused just now. The first rules are those whose windows close soonest.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from dgrid.chain.attendance import ALWAYS, Attendance
from dgrid.chain.events import Role
from dgrid.chain.view import ChainView
from dgrid.core.identity import Address
from dgrid.core.money import BPS
from dgrid.evaluator.taking_turns import APART_S, place_in_turn, turn_s
from dgrid.settlement.payouts import root_pays_from_s
from dgrid.settlement.rounds import rounds_due, was_watched, windows_of

LATEST_COMMIT_BPS: Final = 5_000  # of the commit window: by then what is judged is judged
LATEST_SHOWING_BPS: Final = 5_000  # of a window for openings: so long they wait for an archive
ROUNDS_LOOKED_AT: Final = 64
SEEDS_AT_ONCE: Final = 16


def part_way_s(from_s: int, until_s: int, *, bps: int) -> int:
    """When so much of a window is over."""
    return from_s + (until_s - from_s) * bps // BPS


def judges_until_s(view: ChainView, number: int) -> int:
    """When judging ends: the second half of the commit window is left to send what there is."""
    windows = windows_of(view, number)
    return part_way_s(windows.commit_from_s, windows.reveal_from_s, bps=LATEST_COMMIT_BPS)


def shows_until_s(view: ChainView, number: int) -> int:
    """Until when an opening waits for an archive to take its reports: who does not open loses stake."""
    windows = windows_of(view, number)
    return part_way_s(windows.reveal_from_s, windows.open_from_s, bps=LATEST_SHOWING_BPS)


def is_over(view: ChainView, number: int, *, now_s: int, final_s: int) -> bool:
    """Whether a view shows all that came in time for a round: its block's time, `final_s`, is past the round's end.
    What lies in the last blocks counts, though it is not final yet. A chain that stands still is waited for until half
    of the time to judge is gone.
    """
    ends_s = windows_of(view, number).commit_from_s
    return final_s >= ends_s or now_s >= (ends_s + judges_until_s(view, number)) // 2


@dataclass(frozen=True, slots=True)
class FixSeed:
    gateway: Address
    epoch: int


@dataclass(frozen=True, slots=True)
class Commit:
    round: int


@dataclass(frozen=True, slots=True)
class Reveal:
    """Lay the reports at the archives, then open them; with `is_late` open them first, for silence costs stake."""

    round: int
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Penalize:
    evaluator: Address
    round: int


@dataclass(frozen=True, slots=True)
class Conclude:
    """Compute the round's result, sign it, gather signatures; post it when it is this evaluator's turn."""

    round: int
    posts: bool


@dataclass(frozen=True, slots=True)
class Pull:
    """Fetch what a posted root released and Settlement could not pay at once."""

    gateway: Address


Step = FixSeed | Commit | Reveal | Penalize | Conclude | Pull


@dataclass(frozen=True, slots=True)
class Sight:
    """All that a decision rests on."""

    me: Address
    view: ChainView  # final
    now_s: int
    final_s: int | None = None  # the time of the view's block; None: now
    attendance: Attendance = ALWAYS  # when this evaluator followed the chain
    judged: frozenset[int] = frozenset()  # rounds of which every duty has its report
    fixed: frozenset[int] = frozenset()  # rounds whose commitment is on disk
    resting: frozenset[Step] = frozenset()  # tried just now


def plan(sight: Sight) -> Step | None:
    """The next step; None when there is nothing to do yet."""
    return next((step for rule in RULES for step in rule(sight) if step not in sight.resting), None)


def recent_rounds(view: ChainView, *, now_s: int) -> list[int]:
    """The rounds with draws that are not long over, the oldest first."""
    first = view.clock.epoch_at(now_s * 1000) - ROUNDS_LOOKED_AT
    return sorted({draw.round for draw in view.draws.in_rounds(first)})


def rounds_under_way(view: ChainView, *, now_s: int) -> list[int]:
    """The rounds whose duties can still be judged, the oldest first."""
    recent = recent_rounds(view, now_s=now_s)
    return [number for number in recent if now_s < judges_until_s(view, number)]


def may_judge(view: ChainView, number: int, *, evaluator: Address) -> bool:
    """Whether an evaluator was there to be drawn in a round."""
    return any(member.address == evaluator for draw in view.draws.in_round(number) for member in draw.evaluators)


def _rounds(sight: Sight) -> list[int]:
    return recent_rounds(sight.view, now_s=sight.now_s)


def _reveals(sight: Sight) -> Iterator[Step]:
    """What was committed is opened in its window, and in no other."""
    for number in _rounds(sight):
        key, windows = (number, sight.me), windows_of(sight.view, number)
        is_open = windows.reveal_from_s <= sight.now_s < windows.open_from_s
        if is_open and number in sight.fixed and key in sight.view.commitments and key not in sight.view.openings:
            yield Reveal(number, is_late=sight.now_s >= shows_until_s(sight.view, number))


def _commits(sight: Sight) -> Iterator[Step]:
    """Once all is judged, or no time is left for the rest. Also without duties: who has opened may sign the result."""
    for number in _rounds(sight):
        windows = windows_of(sight.view, number)
        is_open = windows.commit_from_s <= sight.now_s < windows.reveal_from_s
        if not is_open or (number, sight.me) in sight.view.commitments:
            continue
        is_late = sight.now_s >= judges_until_s(sight.view, number)
        is_ready = is_late or number in sight.fixed or number in sight.judged
        if is_ready and _is_active(sight) and may_judge(sight.view, number, evaluator=sight.me):
            yield Commit(number)


def _seeds(sight: Sight) -> Iterator[Step]:
    """Anchored roots that nobody drew from yet, the oldest first; evaluators take turns, so that one sends it."""
    view = sight.view
    if not any(member.address == sight.me for member in view.drawable()):
        return
    waiting = sorted((epoch, gateway) for gateway, epoch in view.undrawn() if not view.is_void(gateway, epoch))
    for epoch, gateway in waiting[:SEEDS_AT_ONCE]:
        anchored_s = view.roots[(gateway, epoch)].timestamp_ms // 1000
        if sight.now_s >= anchored_s + turn_s(view, sight.me, lot=gateway + _word(epoch)):
            yield FixSeed(gateway, epoch)


def _penalties(sight: Sight) -> Iterator[Step]:
    """Who committed and did not open, though it could: this evaluator saw the chain all the while."""
    view = sight.view
    if not _is_active(sight):
        return
    for number, evaluator in sorted(view.unopened()):
        if evaluator == sight.me or not was_watched(view, number, attendance=sight.attendance):
            continue
        if sight.now_s >= windows_of(view, number).open_from_s + turn_s(view, sight.me, lot=_word(number)):
            yield Penalize(evaluator, number)


def _conclusions(sight: Sight) -> Iterator[Step]:
    """The latest round whose windows are over takes in those before it that nobody posted.

    Over on the final chain: a root that leaves out what was opened in the last blocks would be a wrong one, and whoever
    signed it could be slashed for it.
    """
    settled_s = sight.now_s if sight.final_s is None else min(sight.now_s, sight.final_s)
    due = rounds_due(sight.view, now_s=settled_s)
    if not due:
        return
    number = due[-1]
    judges = sorted(sight.view.judges_of(number))
    if sight.me in judges:
        wait_s = APART_S * place_in_turn(judges, sight.me, lot=_word(number))
        posts_from_s = windows_of(sight.view, number).post_from_s
        is_turn = sight.now_s >= posts_from_s + wait_s
        yield Conclude(number, posts=is_turn and _takes_roots(sight.view, now_s=sight.now_s))


def _takes_roots(view: ChainView, *, now_s: int) -> bool:
    """The court takes no root before the last one counts: a wrong one could be buried under it."""
    last = view.quality_roots.get(view.last_quality_round)
    return last is None or (not view.disputed and now_s >= root_pays_from_s(view, last))


def _pulls(sight: Sight) -> Iterator[Step]:
    """One evaluator looks after each gateway's releases, once there is a root."""
    view = sight.view
    if not view.quality_roots or not _is_active(sight):
        return
    for gateway in view.draws.gateways:
        if turn_s(view, sight.me, lot=gateway) == 0:
            yield Pull(gateway)


Rule = Callable[[Sight], Iterator[Step]]
RULES: Final[tuple[Rule, ...]] = (_reveals, _commits, _seeds, _conclusions, _penalties, _pulls)


def _is_active(sight: Sight) -> bool:
    return sight.view.is_active(Role.EVALUATOR, sight.me)


def _word(number: int) -> bytes:
    return number.to_bytes(8, "big")
