import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poq.world import RULES

from dgrid.core.money import BPS
from dgrid.poq.credibility import Beliefs, Cause, Counts, Doubt, Kept, interval_bps, prior_counts, priors
from dgrid.poq.rules import MICROS
from dgrid.wire.quality import Change, CredibilityRow, LeafKey

KNOWN = RULES.credibility
NODE, MODEL = b"n" * 20, b"m" * 32
KEY = LeafKey(b"g" * 20, 1, 0, 0)


def flips(count: float, mean: float) -> Counts:
    good = round(count * mean * MICROS)
    return Counts(good, round(count * MICROS) - good, good)


def quantiles(count: float, mean: float) -> tuple[float, float]:
    """Of the Beta, by summing its density: 5 % and 95 %."""
    steps, a, b = 20_000, count * mean, count * (1 - mean)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    total, found = 0.0, [0.0, 1.0]
    places = [(at + 0.5) / steps for at in range(steps)]
    for place in places:
        before = total
        total += math.exp(scale + (a - 1) * math.log(place) + (b - 1) * math.log1p(-place)) / steps
        for which, level in enumerate((0.05, 0.95)):
            if before < level <= total:
                found[which] = place
    return found[0], found[1]


@pytest.mark.parametrize(("count", "error"), [(4, 0.036), (30, 0.011), (100, 0.0025), (1_000, 0.0005)])
@pytest.mark.parametrize("mean", [0.3, 0.5, 0.7, 0.9, 0.95])
def test_the_interval_is_as_close_to_the_exact_one_as_stated(count: int, error: float, mean: float) -> None:
    low, high = interval_bps(flips(count, mean), KNOWN)
    exact_low, exact_high = quantiles(count, mean)
    assert abs(low / BPS - exact_low) <= error
    assert abs(high / BPS - exact_high) <= error


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_interval_holds_the_mean(good: int, bad: int, square: int) -> None:
    counts = Counts(good, bad, min(good, square))
    low, high = interval_bps(counts, KNOWN)
    assert 0 <= low <= counts.mean_bps <= high <= BPS


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, BPS**2), st.integers(0, BPS**2))
def test_what_evidence_may_be_off_by_together_only_widens(good: int, bad: int, one: int, other: int) -> None:
    """However many counts there are: the interval of a sure level lies within that of a doubtful one."""
    counts, (less, more) = Counts(good, bad, good), sorted((one, other))
    (low, high), (wide_low, wide_high) = (interval_bps(counts, KNOWN, common=common) for common in (less, more))
    assert wide_low <= low <= counts.mean_bps <= high <= wide_high


def test_a_million_judgements_leave_the_doubt_of_their_level() -> None:
    million = 10**6 * MICROS
    low, high = interval_bps(flips(10**6, 0.5), KNOWN, common=Doubt(million, 1_000**2).within(million))
    assert high - low == pytest.approx(2 * 1.645 * 1_000, abs=10)


@given(st.integers(0, 100 * MICROS), st.integers(0, BPS**2))
def test_a_node_that_rests_on_canaries_has_little_of_its_models_doubt(judged: int, variance: int) -> None:
    total = 200 * MICROS
    assert Doubt(judged, variance).within(total) <= variance // 4 + 1
    assert Doubt(0, variance).within(total) == 0


def test_graded_answers_narrow_the_interval_and_flips_do_not() -> None:
    graded = flips(0.0001, 0.7)
    flipped = graded
    for score in (6_000, 7_000, 8_000) * 30:
        graded = graded.plus(score, MICROS)
    for score in (10_000,) * 63 + (0,) * 27:
        flipped = flipped.plus(score, MICROS)
    narrow, wide = interval_bps(graded, KNOWN), interval_bps(flipped, KNOWN)
    assert 2 * (narrow[1] - narrow[0]) < wide[1] - wide[0]


@given(st.integers(0, BPS), st.integers(0, MICROS))
def test_a_pieces_weight_splits_without_loss(score: int, weight: int) -> None:
    before = prior_counts(5_000, KNOWN)
    after = before.plus(score, weight)
    assert after.total == before.total + weight
    assert after.good >= before.good
    assert after.bad >= before.bad


@given(st.integers(0, 5_000))
def test_forgetting_goes_on_alike_however_many_rounds_at_once(rounds: int) -> None:
    share = Kept.after(rounds, decay_bps=9_900).share
    assert abs(share / BPS**2 - 0.99**rounds) < 1e-5


def test_evidence_fades_to_the_prior_and_no_further() -> None:
    prior = prior_counts(4_000, KNOWN)
    assert flips(200, 0.9).faded(prior, Kept.after(10_000, decay_bps=9_900)) == prior


def row(node: bytes, mean: float, *, task: str = "") -> CredibilityRow:
    counts = flips(50, mean)
    return CredibilityRow(node, MODEL, task, counts.good, counts.bad, counts.mean_bps, 0, BPS, 50, 0, counts.square)


def test_a_newcomer_starts_at_the_lower_quartile_which_flagged_nodes_do_not_lower() -> None:
    rows = [row(bytes([at]) * 20, mean) for at, mean in enumerate((0.9, 0.5, 0.7, 0.8, 0.6))]
    assert priors(rows, KNOWN, flagged=frozenset())[""].mean_bps == 6_000
    bad = [row(bytes([100 + at]) * 20, 0.01) for at in range(20)]
    flagged = frozenset((one.node, one.model) for one in bad)
    assert priors([*rows, *bad], KNOWN, flagged=flagged)[""].mean_bps == 6_000
    assert priors(rows[:3], KNOWN, flagged=frozenset()) == {}, "three make no population"
    assert priors(rows[:4], KNOWN, flagged=frozenset())[""].mean_bps == 5_000


def change(score: int, *, task: str = "json", weight: int = MICROS) -> Change:
    return Change(NODE, MODEL, task, Cause.CANARY, KEY, score, weight)


def beliefs() -> Beliefs:
    return Beliefs([row(NODE, 0.8), row(NODE, 0.8, task="chat")], KNOWN, priors={}, round_=7, rounds_passed=1)


def test_a_change_moves_its_task_and_all_together_and_no_other() -> None:
    known = beliefs()
    known.learn(change(0))
    by_task = {one.task: one for one in known.rows({})}
    assert by_task.keys() == {"", "chat", "json"}
    assert (by_task["json"].samples, by_task["json"].round) == (1, 7)
    assert (by_task[""].samples, by_task[""].round) == (51, 7)
    assert (by_task["chat"].samples, by_task["chat"].round) == (50, 0)


def test_rows_stand_in_order_of_node_model_and_task_whoever_was_heard_first() -> None:
    known = Beliefs([row(bytes([at]) * 20, 0.8) for at in (3, 1)], KNOWN, priors={}, round_=7, rounds_passed=1)
    for task in ("json", "chat"):
        known.learn(change(0, task=task))
    keys = [(one.node, one.model, one.task) for one in known.rows({})]
    assert keys == sorted(keys)
    assert len(keys) == 5


def test_doubt_widens_every_row_of_its_node_and_model_and_moves_no_mean() -> None:
    plain, doubtful = beliefs().rows({}), beliefs().rows({(NODE, MODEL): Doubt(30 * MICROS, 1_500**2)})
    assert all(
        two.low_bps < one.low_bps <= one.mean_bps == two.mean_bps for one, two in zip(plain, doubtful, strict=True)
    )
    assert beliefs().rows({(NODE, b"other" * 6): Doubt(30 * MICROS, 1_500**2)}) == plain


def test_what_is_of_no_task_moves_all() -> None:
    known = beliefs()
    known.learn(change(0, task="", weight=50 * MICROS))
    assert {one.task: one.mean_bps < 4_500 for one in known.rows({})} == {"": True, "chat": True}


@given(st.lists(st.tuples(st.integers(0, BPS), st.integers(1, MICROS)), max_size=12))
def test_the_order_of_evidence_does_not_matter(pieces: list[tuple[int, int]]) -> None:
    first, second = beliefs(), beliefs()
    for score, weight in pieces:
        first.learn(change(score, weight=weight))
    for score, weight in reversed(pieces):
        second.learn(change(score, weight=weight))
    assert first.rows({}) == second.rows({})


@given(st.integers(1, 10**7), st.integers(0, BPS), st.integers(0, BPS))
def test_the_better_answer_never_leaves_less_belief(weight: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    start = flips(20, 0.6)
    assert start.plus(low, weight).mean_bps <= start.plus(high, weight).mean_bps


def test_more_evidence_of_the_same_kind_narrows() -> None:
    widths = []
    for count in (5, 50, 500):
        low, high = interval_bps(flips(count, 0.7), replace(KNOWN))
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
