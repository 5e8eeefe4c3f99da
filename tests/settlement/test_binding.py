"""Of each root an evaluator has one set of requests: fixed before anybody can know it, the same ever after."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.settlement.judged import BLANK
from tests.settlement.seeding import EVALUATOR, ROUND, SECRET, anchored, committed, drawn, posted, seeded

from dgrid.chain.view import Anchor, ChainView
from dgrid.core.identity import Address
from dgrid.settlement.binding import SEED_MS_MAX, asked_on, has_fixed, is_bound

NOW_MS = BLANK.clock.closes_at_ms(30)
SECRETS = st.binary(min_size=32, max_size=32)
STEPS = st.lists(
    st.one_of(st.just("root"), st.just("anchor"), st.tuples(st.integers(0, 7), st.booleans())), max_size=24
)


def test_who_committed_to_its_secret_before_the_root_is_bound() -> None:
    view, seed = seeded(BLANK, at_ms=NOW_MS)
    assert has_fixed(view, EVALUATOR, round_=ROUND, secret=SECRET)
    assert is_bound(view, EVALUATOR, seeds=(seed, SECRET), at_ms=NOW_MS)


@given(tried=SECRETS)
def test_no_other_salt_counts_however_many_are_tried(tried: bytes) -> None:
    view, seed = seeded(BLANK, at_ms=NOW_MS)
    assert is_bound(view, EVALUATOR, seeds=(seed, tried), at_ms=NOW_MS) is (tried == SECRET)
    assert not is_bound(view, EVALUATOR, seeds=(tried, SECRET), at_ms=NOW_MS)


def test_who_did_not_commit_or_did_not_open_has_nothing_to_show() -> None:
    view, seed = seeded(BLANK, at_ms=NOW_MS)
    for lacking in (replace(view, commitments={}), replace(view, openings={})):
        assert not is_bound(lacking, EVALUATOR, seeds=(seed, SECRET), at_ms=NOW_MS)
    assert not is_bound(view, Address(b"x" * 20), seeds=(seed, SECRET), at_ms=NOW_MS)


def test_what_was_committed_to_in_another_round_does_not_count() -> None:
    """Else one could still take, of all its rounds, the secret that suits the seed."""
    view, seed = seeded(BLANK, at_ms=NOW_MS)
    blank = replace(view, commitments={}, openings={})
    other = committed(blank, evaluator=EVALUATOR, judged_round=ROUND + 1, secret=SECRET)
    assert has_fixed(other, EVALUATOR, round_=ROUND + 1, secret=SECRET)
    assert not is_bound(other, EVALUATOR, seeds=(seed, SECRET), at_ms=NOW_MS)


def test_a_seed_counts_an_hour_and_an_overturned_root_not_at_all() -> None:
    view, seed = seeded(BLANK, at_ms=NOW_MS)
    (anchor,) = view.roots.values()
    last_ms = anchor.timestamp_ms + SEED_MS_MAX
    assert is_bound(view, EVALUATOR, seeds=(seed, SECRET), at_ms=last_ms)
    assert not is_bound(view, EVALUATOR, seeds=(seed, SECRET), at_ms=last_ms + 1)
    assert not is_bound(replace(view, quality_roots={}), EVALUATOR, seeds=(seed, SECRET), at_ms=NOW_MS)


def test_a_seed_that_a_gateway_knew_beforehand_binds_nobody() -> None:
    """Nobody fixed it in time, so it follows from the root that the gateway wrote."""
    view, seed = seeded(BLANK, at_ms=NOW_MS)
    expired = {place: replace(draw, expired=True) for place, draw in view.draws.items()}
    assert not is_bound(replace(view, draws=expired), EVALUATOR, seeds=(seed, SECRET), at_ms=NOW_MS)


@pytest.mark.parametrize(("at", "counts"), [(-1, False), (0, False), (1, True)])
def test_the_seed_comes_of_what_was_anchored_after_the_root_stood(at: int, counts: bool) -> None:  # noqa: FBT001
    root = posted(ROUND, block=30, at_ms=NOW_MS)
    anchor = anchored(1, block=30 + at, at_ms=NOW_MS)
    place = place_of(anchor)
    view = replace(BLANK, quality_roots={ROUND: root}, roots={place: anchor}, draws={place: drawn(anchor)})
    assert bool([*asked_on(view, at_ms=NOW_MS)]) is counts


def place_of(anchor: Anchor) -> tuple[Address, int]:
    return Address(anchor.root.gateway), anchor.root.epoch


@dataclass
class History:
    """A chain on which roots, anchors and draws come in any order, a block each."""

    views: list[ChainView] = field(default_factory=lambda: [BLANK])

    def grow(self, step: object) -> None:
        view, block = self.views[-1], len(self.views)
        roots, anchors, draws = dict(view.quality_roots), dict(view.roots), dict(view.draws)
        if step == "root":
            roots[block] = posted(block, block=block, at_ms=NOW_MS)
        elif step == "anchor":
            anchor = anchored(block, block=block, at_ms=NOW_MS)
            anchors[place_of(anchor)] = anchor
        elif isinstance(step, tuple) and step[0] < len(anchors):
            anchor = list(anchors.values())[step[0]]
            draws.setdefault(place_of(anchor), drawn(anchor, expired=step[1]))
        self.views.append(replace(view, quality_roots=roots, roots=anchors, draws=draws))


@given(steps=STEPS)
def test_a_root_has_one_seed_that_no_later_anchor_or_draw_changes(steps: list[object]) -> None:
    history = History()
    for step in steps:
        history.grow(step)
    found = [dict(_seeds(view)) for view in history.views]
    for before, after in pairwise(found):
        assert before.items() <= after.items()
    seeds = list(found[-1].values())
    assert len(set(seeds)) == len(seeds)


def _seeds(view: ChainView) -> list[tuple[int, bytes]]:
    return [(one.root.round, seed) for one, seed in asked_on(view, at_ms=NOW_MS)]


@given(steps=STEPS)
def test_nothing_gives_a_seed_but_a_drawn_epoch_that_came_after_the_root(steps: list[object]) -> None:
    history = History()
    for step in steps:
        history.grow(step)
    view = history.views[-1]
    for root, _ in asked_on(view, at_ms=NOW_MS):
        later = [place for place, anchor in view.roots.items() if anchor.block > root.block]
        assert not view.draws[later[0]].expired
