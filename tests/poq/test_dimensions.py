import json
import math
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.poq.world import Evaluator, Node, World, honest

from dgrid.core.identity import model_id
from dgrid.poq.dimensions import against, combine, cost_score, judged_quality, log2_bps, overall
from dgrid.poq.evidence import LeafFacts
from dgrid.poq.rules import BUILT_IN_REFERENCES, Weights
from dgrid.wire.quality import NOT_SCORED, LeafKey, Report, Verdict

AMOUNTS = st.integers(1, 10**24)
SCORES = st.integers(0, 10_000)


def a_leaf() -> LeafFacts:
    world = World([Node("n", "dgrid-mini", 0.8)], [Evaluator("e", honest())])
    return world.evidence().draws[0].leaves[0]


def report_of(*, form: int, accuracy: int, consistency: int) -> Report:
    return Report(
        LeafKey(b"", 0, 0, 0),
        bytes(32),
        Verdict.JUDGED,
        format_bps=form,
        accuracy_bps=accuracy,
        consistency_bps=consistency,
    )


@given(AMOUNTS, AMOUNTS)
def test_the_logarithm_is_off_by_less_than_a_tenth(numerator: int, denominator: int) -> None:
    exact = math.log2(numerator) - math.log2(denominator)
    if exact > -20:
        assert abs(log2_bps(numerator, denominator) / 10_000 - exact) < 0.088


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_who_takes_more_never_scores_more(one: int, other: int, reference: int) -> None:
    low, high = sorted((one, other))
    assert 10_000 >= against(low, reference) >= against(high, reference) >= 0


def test_the_reference_is_the_middle_and_four_times_it_the_end() -> None:
    assert [against(amount, 400) for amount in (0, 100, 200, 400, 800, 1_600, 10_000)] == [
        10_000,
        10_000,
        7_500,
        5_000,
        2_500,
        0,
        0,
    ]


def test_cost_comes_from_the_receipt_and_its_reference_alone() -> None:
    leaf = a_leaf()
    scored = cost_score(leaf, BUILT_IN_REFERENCES)
    assert scored is not None
    assert cost_score(replace(leaf, total_ms=4 * leaf.total_ms), BUILT_IN_REFERENCES) != scored
    assert cost_score(replace(leaf, node=b"another", fee_wei=0), BUILT_IN_REFERENCES) == scored


def test_a_model_without_reference_has_no_cost_score() -> None:
    assert cost_score(replace(a_leaf(), model_id=model_id("unknown")), BUILT_IN_REFERENCES) is None


def test_the_reference_prices_are_the_catalogues(root: Path) -> None:
    for entry in json.loads((root / "models/catalog.json").read_text()):
        price = BUILT_IN_REFERENCES[model_id(entry["id"])].price
        assert (price.in_wei, price.out_wei) == (int(entry["in_price_wei"]), int(entry["out_price_wei"]))


@given(SCORES, SCORES, SCORES)
def test_a_missing_dimension_is_left_out_and_the_rest_renormalised(form: int, accuracy: int, consistency: int) -> None:
    weights = Weights()
    whole = judged_quality(report_of(form=form, accuracy=accuracy, consistency=consistency), weights)
    part = judged_quality(report_of(form=form, accuracy=accuracy, consistency=NOT_SCORED), weights)
    assert whole == (20 * form + 50 * accuracy + 20 * consistency) // 90
    assert part == (20 * form + 50 * accuracy) // 70


def test_of_nothing_nothing_is_said() -> None:
    assert combine([]) is None
    assert judged_quality(report_of(form=-1, accuracy=-1, consistency=-1), Weights()) is None


def test_form_alone_is_no_quality() -> None:
    assert judged_quality(report_of(form=9_000, accuracy=-1, consistency=-1), Weights()) is None
    assert judged_quality(report_of(form=9_000, accuracy=-1, consistency=9_000), Weights()) == 9_000


@given(SCORES, SCORES)
def test_cost_moves_the_whole_by_a_tenth_at_most(quality: int, cost: int) -> None:
    weights = Weights()
    assert overall(quality, None, weights=weights) == quality
    assert abs(overall(quality, cost, weights=weights) - quality) <= 1_000


@given(SCORES, SCORES, SCORES)
def test_of_two_equally_good_answers_the_cheaper_scores_no_less(quality: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert overall(quality, high, weights=Weights()) >= overall(quality, low, weights=Weights())
