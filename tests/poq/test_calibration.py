from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poq.world import RULES, address

from dgrid.poq.calibration import (
    ALL_TASKS,
    Calibration,
    calibrate,
    find_population,
    merged,
    no_canaries,
    observe,
    personal,
    population_before,
    populations,
)
from dgrid.wire.quality import CalibrationRow

KNOWN = RULES.calibration
NOBODY = population_before(KNOWN)


def row_of(
    habit: Callable[[float, Random], float], *, canaries: int = 100, seed: int = 0, name: str = "e"
) -> CalibrationRow:
    rng = Random(seed)
    pairs = []
    for _ in range(canaries):
        truth = rng.betavariate(1.8, 1.2)
        pairs.append((min(10_000, max(0, round(habit(truth, rng) * 10_000))), round(truth * 10_000)))
    return observe(no_canaries(address(name), "extract"), pairs, rules=KNOWN)


def read(habit: Callable[[float, Random], float], *, canaries: int = 100, seed: int = 0) -> Calibration:
    return calibrate(row_of(habit, canaries=canaries, seed=seed), NOBODY, rules=KNOWN)


def plain(truth: float, rng: Random) -> float:
    return truth + rng.gauss(0, 0.1)


def test_a_constant_added_to_every_score_is_taken_off() -> None:
    boosted = read(lambda truth, rng: 0.6 * truth + 0.25 + rng.gauss(0, 0.05), canaries=200)
    for truth in (0.3, 0.5, 0.8):
        assert abs(boosted.correct(round((0.6 * truth + 0.25) * 10_000)) - truth * 10_000) < 500


def test_what_all_evaluators_do_is_known_on_a_task_without_canaries() -> None:
    generous = [
        row_of(lambda truth, rng: 0.3 * truth + 0.6 + rng.gauss(0, 0.1), seed=seed, name=f"e{seed}")
        for seed in range(5)
    ]
    known = populations(generous, KNOWN)
    elsewhere = find_population(known, "summary", rules=KNOWN)
    assert elsewhere == known[ALL_TASKS]
    assert abs(elsewhere.center_bps - (0.3 * elsewhere.mean_bps + 6_000)) < 200
    assert elsewhere.gain_bps < KNOWN.prior_gain_bps
    hard = [observe(no_canaries(row.evaluator, "json"), [(7_000, 3_000)], rules=KNOWN) for row in generous]
    on_few = populations([*generous, *hard], KNOWN)["json"]
    assert on_few.mean_bps < elsewhere.mean_bps
    assert on_few.center_bps - on_few.mean_bps == pytest.approx(elsewhere.center_bps - elsewhere.mean_bps, abs=400)


@pytest.mark.parametrize("habit", [lambda truth, rng: 0.7, lambda truth, rng: rng.random()], ids=["constant", "random"])
def test_a_score_without_information_weighs_next_to_nothing(habit: Callable[[float, Random], float]) -> None:
    assert read(habit, canaries=200).precision * 8 < read(plain, canaries=200).precision


def test_an_inverted_score_is_not_turned_around_but_dropped() -> None:
    assert read(lambda truth, rng: 1 - truth + rng.gauss(0, 0.1)).precision == 0


def test_the_noisier_of_two_weighs_less() -> None:
    noisy = read(lambda truth, rng: truth + rng.gauss(0, 0.3))
    assert 0 < noisy.precision < read(plain).precision


def test_without_canaries_an_evaluator_is_read_as_the_population() -> None:
    unknown = calibrate(no_canaries(address("e"), "extract"), NOBODY, rules=KNOWN)
    assert (unknown.center_bps, unknown.gain_bps, unknown.noise_variance) == (
        NOBODY.center_bps,
        NOBODY.gain_bps,
        NOBODY.noise_variance,
    )
    assert unknown.correct(NOBODY.center_bps) == NOBODY.mean_bps


def test_exaggerating_is_standardised_away() -> None:
    calm = read(lambda truth, rng: 0.5 + 0.4 * (truth - 0.5) + rng.gauss(0, 0.04), canaries=200)
    loud = read(lambda truth, rng: 0.5 + 0.8 * (truth - 0.5) + rng.gauss(0, 0.08), canaries=200)
    spreads = [
        one.standardize(round(10_000 * (0.5 + gain * 0.4))) - one.standardize(round(10_000 * (0.5 - gain * 0.3)))
        for one, gain in ((calm, 0.4), (loud, 0.8))
    ]
    assert 0.85 < spreads[0] / spreads[1] < 1.15  # raw, one is twice the other


def test_the_canaries_order_does_not_matter() -> None:
    pairs = [(100 * at, 10_000 - 70 * at) for at in range(90)]
    start = no_canaries(address("e"), "json")
    assert observe(start, pairs, rules=KNOWN) == observe(start, pairs[::-1], rules=KNOWN)


@given(st.integers(0, 2_000))
def test_sums_stay_bounded_and_keep_their_meaning(canaries: int) -> None:
    row = row_of(plain, canaries=canaries)
    assert row.count <= KNOWN.forget_at
    if canaries > 100:
        assert abs(calibrate(row, NOBODY, rules=KNOWN).gain_bps - 10_000) < 2_000


def test_old_honesty_does_not_vouch_for_long() -> None:
    row = row_of(plain, canaries=2_000)
    rng = Random(1)
    lies = [(10_000, round(10_000 * rng.betavariate(1.8, 1.2))) for _ in range(300)]
    after = calibrate(observe(row, lies, rules=KNOWN), NOBODY, rules=KNOWN)
    assert after.precision * 5 < calibrate(row, NOBODY, rules=KNOWN).precision


def test_two_of_five_liars_do_not_move_the_population() -> None:
    rows = [row_of(plain, seed=at, name=f"e{at}") for at in range(5)]
    liars = [row_of(lambda truth, rng: 1.0, seed=at, name=f"e{at}") for at in range(2)]
    honest = populations(rows, KNOWN)["extract"]
    mixed = populations([*liars, *rows[2:]], KNOWN)["extract"]
    assert abs(honest.center_bps - mixed.center_bps) < 300
    assert abs(honest.gain_bps - mixed.gain_bps) < 1_500


def test_habits_learned_on_one_task_are_expected_on_the_next() -> None:
    rows = [row_of(plain, seed=at, name=f"e{at}") for at in range(4)]
    booster = row_of(lambda truth, rng: 0.5 * truth + 0.45 + rng.gauss(0, 0.05), name="booster")
    everybody = populations(rows, KNOWN)[""]
    habits = calibrate(merged([booster]), everybody, rules=KNOWN)
    start = personal(everybody, habits, everybody=everybody)
    unseen = no_canaries(address("booster"), "json")
    with_habits = calibrate(unseen, start, rules=KNOWN).correct(8_000)
    without = calibrate(unseen, everybody, rules=KNOWN).correct(8_000)
    assert abs(with_habits - 7_000) < abs(without - 7_000)
