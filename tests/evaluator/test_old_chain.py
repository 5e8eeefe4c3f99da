"""On a chain with a long past an evaluator looks at the present alone: at no settled epoch when it plans its steps."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import pytest
from tests.evaluator.test_planning import GATEWAY, ME, OTHER, THIRD, member
from tests.settlement.judged import BLANK

from dgrid.chain.attendance import ALWAYS
from dgrid.chain.by_epoch import TOGETHER, ByEpoch
from dgrid.chain.events import Moment, QualityPosted, Role
from dgrid.chain.judging import Draws
from dgrid.chain.view import Anchor, ChainView, Draw, DrawnEvaluator, Opening, PostedQuality, fold
from dgrid.core.errors import NotYet
from dgrid.core.identity import Hash
from dgrid.evaluator.concluding import basis_of, quorum_of
from dgrid.evaluator.planning import Commit, Conclude, FixSeed, Penalize, Pull, Reveal, Sight, Step, plan, recent_rounds
from dgrid.settlement.payouts import final_posted
from dgrid.settlement.rounds import draws_of, posted_before, posted_over, rounds_due, windows_of
from dgrid.watcher.penalizing import OTHERS_S, withheld
from dgrid.wire.messages import EpochRoot, QualityRoot

PAST = 3 * TOGETHER  # settled epochs
ROUND = PAST + TOGETHER // 2
EVALUATORS = ME, OTHER, THIRD
READY = tuple(DrawnEvaluator(one, 10**21, bytes(32), ()) for one in EVALUATORS)
WINDOWS = windows_of(BLANK, ROUND)


class Settled(dict[Any, Any]):
    """A bundle of the past: it may be asked for a key or its size, and by no poll be looked through."""

    def _refuse(self, *_: object) -> NoReturn:
        raise AssertionError("the whole past is looked through")

    __iter__ = __reversed__ = items = keys = values = _refuse


def posted(number: int) -> PostedQuality:
    root = QualityRoot(number, bytes(20), bytes(32), bytes(32), 0, 0, bytes(32), bytes(32), bytes(32))
    return PostedQuality(root, Hash(root.struct_hash()), number, BLANK.clock.closes_at_ms(number + 1))


def lived(view: ChainView, epoch: int, *, is_settled: bool) -> None:
    """An epoch of the view: anchored, drawn for the next round; a settled one committed to, opened and posted."""
    root = EpochRoot(GATEWAY, epoch, bytes(20), bytes(32), 1, bytes(32), 10, bytes(32))
    view.roots[GATEWAY, epoch] = Anchor(root, Hash(root.struct_hash()), 10, BLANK.clock.opens_at_ms(epoch + 1))
    view.draws[GATEWAY, epoch] = Draw(GATEWAY, epoch, epoch + 1, b"s" * 32, False, 12, 1, READY)
    if is_settled:
        for one in EVALUATORS:
            view.commitments[epoch + 1, one] = b"c" * 32
            view.openings[epoch + 1, one] = Opening(bytes(32), bytes(32))
        view.canary_openings[THIRD, GATEWAY, epoch] = bytes(32)
        view.quality_roots[epoch + 1] = posted(epoch + 1)


MODELS: tuple[bytes, ...] = (b"m" * 32,)


def an_old_view() -> ChainView:
    """Long settled epochs and one in the middle of its round."""
    empty = {name: type(getattr(BLANK, name))() for name in ("roots", "commitments", "openings", "quality_roots")}
    members = {(Role.EVALUATOR, one): member(one) for one in EVALUATORS}
    declared = dict.fromkeys(members, MODELS)
    view = replace(BLANK, **empty, draws=Draws(), canary_openings=ByEpoch(), members=members, declared=declared)
    for epoch in range(PAST):
        lived(view, epoch, is_settled=True)
    lived(view, ROUND - 2, is_settled=True)
    lived(view, ROUND - 1, is_settled=False)
    kept = view.roots, view.draws, view.draws._in_rounds, view.commitments, view.openings
    for entries in (*kept, view.canary_openings, view.quality_roots):
        for number in range(PAST // TOGETHER):
            entries._bundles[number] = Settled(entries._bundles[number])
    return view


def with_words(view: ChainView, *, opened: bool) -> ChainView:
    """Two committed to the present round; with `opened` this evaluator has opened."""
    found = replace(view, commitments=view.commitments.copy(), openings=view.openings.copy())
    for one in (ME, OTHER):
        found.commitments[ROUND, one] = b"c" * 32
    if opened:
        found.openings[ROUND, ME] = Opening(bytes(32), bytes(32))
    return found


def undrawn(view: ChainView) -> ChainView:
    draws = view.draws.copy()
    del draws[GATEWAY, ROUND - 1]
    return replace(view, draws=draws)


MOMENTS: dict[str, tuple[Callable[[], ChainView], int, list[type[Step]]]] = {
    "a seed": (lambda: undrawn(an_old_view()), WINDOWS.commit_from_s, [FixSeed]),
    "nothing yet": (an_old_view, WINDOWS.commit_from_s - 1, []),
    "a commitment": (an_old_view, WINDOWS.commit_from_s, [Commit]),
    "an opening": (lambda: with_words(an_old_view(), opened=False), WINDOWS.reveal_from_s, [Reveal]),
    "a root and a report": (lambda: with_words(an_old_view(), opened=True), WINDOWS.post_from_s, [Conclude, Penalize]),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_no_step_is_planned_by_looking_through_the_past(name: str) -> None:
    view_at, now_s, wanted = MOMENTS[name]
    sight = Sight(ME, view_at(), now_s, fixed=frozenset({ROUND}))
    planned: list[Step] = []
    while (step := plan(replace(sight, resting=frozenset(planned)))) is not None:
        planned.append(step)
    assert [type(step) for step in planned if not isinstance(step, Pull)] == wanted


def test_neither_is_anything_else_that_is_asked_again_and_again() -> None:
    view, now_s = with_words(an_old_view(), opened=True), WINDOWS.post_from_s + OTHERS_S
    assert recent_rounds(view, now_s=now_s) == [ROUND - 1, ROUND]
    assert rounds_due(view, now_s=now_s) == [ROUND]
    assert [draw.epoch for draw in draws_of(view, ROUND)] == [ROUND - 1]
    for found in (posted_before(view, ROUND), posted_over(view, ROUND - 1), final_posted(view, now_s=now_s)):
        assert found is not None
        assert found.root.round == ROUND - 1
    assert withheld(view, ALWAYS, now_s=now_s) == [(ROUND, OTHER)]
    assert basis_of(view, ROUND)[0] == ROUND
    with pytest.raises(NotYet, match="0 of 1 evaluators"):
        quorum_of([], view, number=ROUND)


def test_an_event_leaves_the_past_as_it_is() -> None:
    view = an_old_view()
    at = Moment(1, 0, BLANK.clock.closes_at_ms(ROUND + 1), bytes(32), bytes(32))
    after = fold(view, [QualityPosted(at, posted(ROUND).root, posted(ROUND).digest, ME)])
    assert (view.last_quality_round, after.last_quality_round) == (ROUND - 1, ROUND)
    assert after.roots.changed_since(view.roots) == []
    assert [ROUND in span for span in after.quality_roots.changed_since(view.quality_roots)] == [True]
