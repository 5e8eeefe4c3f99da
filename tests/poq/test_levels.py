from dataclasses import replace
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poq.world import RULES, Evaluator, Node, World, address, honest

from dgrid.core.identity import model_id
from dgrid.core.money import BPS
from dgrid.poq.credibility import Cause
from dgrid.poq.evidence import CanaryTruth
from dgrid.poq.levels import Level, Levels, doubts
from dgrid.poq.panels import panels
from dgrid.poq.readings import Calibrations, Reading, readings
from dgrid.poq.rules import MICROS
from dgrid.wire.quality import Change, LeafKey, LevelRow

KNOWN = RULES.credibility
MODEL, OTHER, NODE = b"m" * 32, b"o" * 32, address("node")
SCORES = st.integers(0, BPS)
PAIRS = st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=40)
NODES = [Node("micro", "dgrid-micro", 0.65), Node("mini 1", "dgrid-mini", 0.65), Node("mini 2", "dgrid-mini", 0.65)]


def level_of(pairs: list[tuple[int, int]]) -> Level:
    level = Level()
    for truth, consensus in pairs:
        level = level.with_canary(truth, consensus)
    return level


@given(st.lists(st.integers(2_000, 8_000), min_size=1, max_size=40), st.integers(-2_000, 2_000))
def test_scores_that_are_all_off_by_a_constant_come_to_the_mean_truth(truths: list[int], bias: int) -> None:
    level = level_of([(truth, truth + bias) for truth in truths])
    corrected = [level.correct(truth + bias, prior=0) for truth in truths]
    assert fmean(corrected) == pytest.approx(fmean(truths), abs=1)


@given(PAIRS)
def test_whatever_panels_say_the_mean_of_the_judged_canaries_becomes_their_mean_truth(
    pairs: list[tuple[int, int]],
) -> None:
    level = level_of(pairs)
    corrected = fmean(level.correct(consensus, prior=0) for _, consensus in pairs)
    assert corrected == pytest.approx(fmean(truth for truth, _ in pairs), abs=1)


@given(PAIRS, SCORES, SCORES, st.integers(0, 10 * MICROS))
def test_a_corrected_score_stays_a_score_and_keeps_its_rank(
    pairs: list[tuple[int, int]], one: int, other: int, prior: int
) -> None:
    low, high = (level_of(pairs).correct(score, prior=prior) for score in sorted((one, other)))
    assert 0 <= low <= high <= BPS


@given(PAIRS, SCORES)
def test_few_canaries_move_a_score_less_than_many_of_the_same_kind(pairs: list[tuple[int, int]], score: int) -> None:
    few, many = (level_of(pairs * times).correct(score, prior=KNOWN.level_prior_micros) for times in (1, 9))
    assert abs(few - score) <= abs(many - score) + 1


@given(PAIRS)
def test_the_levels_doubt_is_twice_the_mean_square_of_what_panels_missed_over_the_canaries(
    pairs: list[tuple[int, int]],
) -> None:
    """The prior counts as canaries that panels missed by as much as they are taken to."""
    prior = KNOWN.level_prior_micros // MICROS
    count = len(pairs) + prior
    squares = sum((truth - said) ** 2 for truth, said in pairs) + prior * KNOWN.level_miss_bps**2
    found = level_of(pairs).variance(KNOWN)
    assert found == pytest.approx(2 * squares / count**2, rel=0.001, abs=100)


@given(st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=12))
def test_doubt_shrinks_as_canaries_of_the_same_kind_come_in(pairs: list[tuple[int, int]]) -> None:
    assert level_of(pairs * 40).variance(KNOWN) < level_of(pairs * 4).variance(KNOWN) + 100


def test_nodes_of_one_model_share_its_doubt_and_each_has_its_own_judgements() -> None:
    rows = [
        LevelRow(NODE, MODEL, 9 * MICROS, 0, 0, 5 * MICROS, 2 * MICROS),
        LevelRow(address("two"), MODEL, 3 * MICROS, 0, 0, 7 * MICROS, MICROS),
        LevelRow(NODE, OTHER, 0, 0, 0, MICROS),
    ]
    found = doubts(rows, RULES)
    assert [one.judged for one in found.values()] == [5 * MICROS, 7 * MICROS, MICROS]
    one, two, other = (found[row.node, row.model].variance for row in rows)
    assert one == two == Level(count=12 * MICROS, square=3 * MICROS).variance(KNOWN) < other


def test_a_level_is_in_doubt_as_far_as_quality_makes_up_the_score() -> None:
    """A model of which no cost is published has none in its scores."""
    model = model_id("dgrid-mini")
    published, other = (LevelRow(NODE, name, 9 * MICROS, 0, 0, MICROS, 2 * MICROS) for name in (model, OTHER))
    found = doubts([published, other], RULES)
    whole = Level.of(other).variance(KNOWN)
    assert found[NODE, OTHER].variance == whole
    assert found[NODE, model].variance == pytest.approx(0.9**2 * whole, abs=1)


def test_without_canaries_a_score_stays_as_it_is() -> None:
    assert Levels((), KNOWN, rounds_passed=1).correct(MODEL, 7_777) == 7_777


def judgement(weight: int, *, model: bytes = MODEL, sequence: int = 0) -> Change:
    return Change(NODE, model, "json", Cause.JUDGEMENT, LeafKey(b"g", 0, 0, sequence), 6_000, weight)


def known_levels(canaries: int, *, judged: int = 0) -> Levels:
    return Levels([LevelRow(NODE, MODEL, canaries * MICROS, 0, 0, judged)], KNOWN, rounds_passed=0)


@given(st.lists(st.integers(0, MICROS), max_size=40), st.integers(0, 20), st.integers(0, 20 * MICROS))
def test_judgements_weigh_no_more_together_than_the_canaries_let_them(
    weights: list[int], canaries: int, judged: int
) -> None:
    known = known_levels(canaries, judged=judged)
    weighed = [one.weight_micros for one in known.weigh([judgement(weight) for weight in weights])]
    room = max(0, canaries * MICROS * KNOWN.level_gain_bps // BPS - judged)
    least = sum(weights) * KNOWN.level_least_bps // BPS
    assert sum(weighed) <= max(room, least) + len(weights)
    assert all(weight * KNOWN.level_least_bps // BPS <= kept for weight, kept in zip(weights, weighed, strict=True))
    assert sum(weights) > room or weighed == weights


def test_what_judgements_weighed_before_counts_and_fades() -> None:
    known = known_levels(10)
    (row,) = known.rows(known.weigh([judgement(MICROS)] * 30))
    assert row.judged_micros == 15 * MICROS
    (full,) = Levels([row], KNOWN, rounds_passed=0).weigh([judgement(MICROS)])
    (later,) = Levels([row], KNOWN, rounds_passed=1).rows(())
    assert full.weight_micros == KNOWN.level_least_bps * MICROS // BPS
    assert later == LevelRow(NODE, MODEL, 9_900_000, 0, 0, 14_850_000)


def test_canaries_identity_and_other_models_weigh_as_before() -> None:
    others = [
        Change(NODE, MODEL, "json", cause, LeafKey(b"g", 0, 0, 9), 0, MICROS)
        for cause in (Cause.CANARY, Cause.IDENTITY)
    ]
    crowd = [judgement(MICROS, sequence=at) for at in range(40)]
    kept = known_levels(1).weigh([*others, *crowd])
    assert kept[:2] == others
    alone = Levels([LevelRow(NODE, OTHER, MICROS, 0, 0, 0)], KNOWN, rounds_passed=0)
    assert alone.weigh([judgement(MICROS, model=OTHER), *crowd])[0].weight_micros == MICROS


def read(world: World) -> tuple[Reading, ...]:
    evidence = world.evidence()
    found = panels(evidence, RULES)
    known = Calibrations((), RULES.calibration)
    known.observe(found, evidence.canaries)
    return readings(found, evidence.canaries, known=known, rules=RULES)


@given(st.integers(0, 10**6))
def test_the_order_of_canaries_and_judgements_does_not_matter(seed: int) -> None:
    rng = Random(seed)
    judged = read(World(NODES, [Evaluator(f"e{at}", honest()) for at in range(4)], seed=3, leaves_per_round=40))
    crowd = [judgement(rng.randrange(MICROS), sequence=at) for at in range(20)]
    tables = []
    for canaries, changes in ((judged, crowd), (rng.sample(judged, len(judged)), rng.sample(crowd, len(crowd)))):
        known = Levels((), KNOWN, rounds_passed=1)
        known.observe(canaries)
        tables.append(known.rows(known.weigh(changes)))
    assert tables[0] == tables[1]


def test_a_canary_moves_no_level_where_its_author_judged_or_served_it_or_its_node_is_flagged() -> None:
    people = [Evaluator(f"e{at}", honest()) for at in range(4)]
    judged = [one for one in read(World(NODES, people, leaves_per_round=40)) if one.truth and one.consensus]
    everybody, reading = frozenset((one.leaf.node, one.leaf.model_id) for one in judged), judged[0]
    for author in (reading.leaf.node, reading.leaf.key.gateway, min(reading.scores)):
        own = replace(reading, truth=CanaryTruth(0, reading.task, author))
        assert counted([own]) == 0
    assert counted(judged) == len(judged) > 0
    assert counted(judged, flagged=everybody) == 0


def test_a_node_that_is_flagged_takes_its_share_of_the_level_with_it() -> None:
    honest = [LevelRow(address(name), MODEL, 9 * MICROS, 7 * MICROS, 5 * MICROS, MICROS) for name in ("one", "two")]
    cheat = LevelRow(NODE, MODEL, 9 * MICROS, 0, 0, 9 * MICROS)
    without = Levels(honest, KNOWN, rounds_passed=1)
    found = Levels([*honest, cheat], KNOWN, rounds_passed=1, flagged=frozenset({(NODE, MODEL)}))
    unseen = Levels([*honest, cheat], KNOWN, rounds_passed=1)
    crowd = [judgement(MICROS, sequence=at) for at in range(40)]
    assert found.weigh(crowd) == without.weigh(crowd) != unseen.weigh(crowd)
    assert found.correct(MODEL, 5_000) == without.correct(MODEL, 5_000) != unseen.correct(MODEL, 5_000)
    assert found.rows(()) == without.rows(())


def counted(judged: list[Reading], *, flagged: frozenset[tuple[bytes, bytes]] = frozenset()) -> int:
    known = Levels((), KNOWN, rounds_passed=1, flagged=flagged)
    known.observe(judged)
    return sum(row.count_micros for row in known.rows(())) // MICROS
