import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.poq.world import RULES, Evaluator, Node, World, address, boosting, honest, withholding

from dgrid.core.errors import CheckFailed
from dgrid.core.keccak import keccak
from dgrid.poq.credibility import Cause
from dgrid.poq.evidence import CanaryTruth, DrawnEpoch, RoundEvidence
from dgrid.poq.panels import all_duties, panels
from dgrid.poq.readings import Calibrations, Reading, readings
from dgrid.poq.rounds import judge, releases, table_id
from dgrid.poq.turns import RELEASES_MAX
from dgrid.wire.quality import (
    LeafKey,
    PayoutKind,
    QualityTable,
    Report,
    TaskType,
    Verdict,
    decode_quality,
    encode_quality,
)

NODES = [
    Node("nano", "dgrid-nano", 0.56),
    Node("mini 1", "dgrid-mini", 0.85),
    Node("mini 2", "dgrid-mini", 0.85),
    Node("cheat", "dgrid-mini", 0.85, swapped_share=1.0, swapped_quality=0.5),
]
PEOPLE = [
    *(Evaluator(f"e{number}", honest()) for number in range(4)),
    Evaluator("booster", boosting()),
    Evaluator("hider", withholding()),
]


def a_world(*, seed: int = 0, leaves: int = 40) -> World:
    return World(NODES, PEOPLE, seed=seed, leaves_per_round=leaves)


def after(rounds: int, *, seed: int = 0) -> World:
    world = a_world(seed=seed)
    if rounds:
        world.play(rounds)
    return world


def paid(table: QualityTable | None, *kinds: PayoutKind) -> int:
    return 0 if table is None else sum(row.total_wei for row in table.payouts if row.kind in kinds)


def mixed(evidence: RoundEvidence, rng: Random) -> RoundEvidence:
    """The same facts as another machine might have collected them."""

    def shuffled(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(rng.sample(items, len(items)))

    draws = [
        replace(draw, evaluators=shuffled(draw.evaluators), leaves=shuffled(draw.leaves)) for draw in evidence.draws
    ]
    openings = [(owner, shuffled(reports)) for owner, reports in evidence.openings.items()]
    canaries = list(evidence.canaries.items())
    rng.shuffle(openings)
    rng.shuffle(canaries)
    return replace(evidence, draws=shuffled(tuple(draws)), openings=dict(openings), canaries=dict(canaries))


def altered(evidence: RoundEvidence, evaluator: str, change: Callable[[Report], Report]) -> RoundEvidence:
    """The same evidence, had one evaluator said something else."""
    openings = {
        owner: tuple(map(change, reports)) if owner[1] == address(evaluator) else reports
        for owner, reports in evidence.openings.items()
    }
    return replace(evidence, openings=openings)


def with_fields(report: Report, **fields: Any) -> Report:
    values = {name: getattr(report, name) for name in report.__struct_fields__}
    return Report(**values | fields)


def read(evidence: RoundEvidence, table: QualityTable | None) -> tuple[Reading, ...]:
    found = panels(evidence, RULES)
    known = Calibrations(table.calibration if table else (), RULES.calibration)
    known.observe(found, evidence.canaries)
    return readings(found, evidence.canaries, known=known, rules=RULES)


@settings(max_examples=8)
@given(st.integers(0, 10**6))
def test_what_nodes_and_payers_are_owed_is_what_is_released_to_the_unit(seed: int) -> None:
    world = a_world(seed=seed)
    before: QualityTable | None = None
    for _ in range(5):
        table = world.play(1)
        growth = paid(table, PayoutKind.NODE, PayoutKind.PAYER) - paid(before, PayoutKind.NODE, PayoutKind.PAYER)
        assert growth == sum(wei for _, wei in releases(table)) > 0
        evaluators = paid(table, PayoutKind.EVALUATOR) - paid(before, PayoutKind.EVALUATOR)
        assert 0 <= evaluators <= RULES.pay.pool_cap_wei
        before = table


@settings(max_examples=8)
@given(st.integers(0, 10**6))
def test_with_a_pool_cap_of_nothing_a_table_promises_what_it_releases_to_the_unit(seed: int) -> None:
    world = a_world(seed=seed)
    world.rules = replace(RULES, pay=replace(RULES.pay, pool_cap_wei=0))
    before = 0
    for _ in range(3):
        table = world.play(1)
        total = paid(table, *PayoutKind)
        assert total - before == sum(wei for _, wei in releases(table)) > 0
        before = total


def test_gateways_for_whom_a_root_has_no_room_are_paid_by_the_next() -> None:
    """All are judged at once; only their money waits, and none of it is lost."""
    evidence = a_world(leaves=8).evidence()
    (draw,) = evidence.draws
    draws = tuple(_at(draw, address(f"gateway {at}")) for at in range(RELEASES_MAX + 2))
    first = judge(None, replace(evidence, draws=draws, openings={}, canaries={}, committed=frozenset()), RULES)
    assert len(first.judged) == RELEASES_MAX + 2
    assert len(first.releases) == RELEASES_MAX
    assert paid(first, PayoutKind.NODE, PayoutKind.PAYER) == sum(wei for _, wei in releases(first))
    left = {row.gateway for row in first.waiting}
    assert left == {draw.gateway for draw in draws} - {gateway for gateway, _ in first.releases}
    nothing = replace(evidence, draws=(), openings={}, canaries={}, committed=frozenset())
    later = judge(first, replace(nothing, round=first.round + 1, previous_table_id=table_id(first)), RULES)
    assert {gateway for gateway, _ in later.releases} == left
    assert later.waiting == ()
    assert paid(later, *PayoutKind) - paid(first, *PayoutKind) == sum(row.total_wei for row in first.waiting)
    assert decode_quality(encode_quality(first)) == first


def _at(draw: DrawnEpoch, gateway: bytes) -> DrawnEpoch:
    """The same epoch, had another gateway served it."""
    leaves = tuple(replace(leaf, key=with_gateway(leaf.key, gateway)) for leaf in draw.leaves)
    return replace(draw, gateway=gateway, leaves=leaves)


def with_gateway(key: LeafKey, gateway: bytes) -> LeafKey:
    return LeafKey(gateway, key.epoch, key.lane, key.sequence)


@settings(max_examples=8)
@given(st.integers(0, 10**6))
def test_no_payout_ever_falls(seed: int) -> None:
    world = a_world(seed=seed)
    totals: dict[tuple[int, bytes], int] = {}
    for _ in range(5):
        now = {(row.kind, row.payee): row.total_wei for row in world.play(1).payouts}
        assert all(now[key] >= wei for key, wei in totals.items())
        totals = now


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.integers(0, 3))
def test_everybody_gets_the_same_bytes_in_whatever_order_the_facts_came(seed: int, rounds: int) -> None:
    world = after(rounds, seed=seed)
    evidence = world.evidence()
    one = judge(world.table, evidence, RULES)
    other = judge(world.table, mixed(evidence, Random(seed)), RULES)
    assert encode_quality(one) == encode_quality(other)


def test_a_table_survives_the_wire() -> None:
    table = a_world().play(3)
    assert decode_quality(encode_quality(table)) == table


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.integers(0, 10_000))
def test_an_evaluators_scores_never_move_what_it_is_measured_against(seed: int, score: int) -> None:
    world = after(3, seed=seed)
    evidence = world.evidence()
    own = address("e0")
    lied = altered(evidence, "e0", lambda report: with_fields(report, accuracy_bps=score, consistency_bps=-1))
    pairs = list(zip(read(evidence, world.table), read(lied, world.table), strict=True))
    assert pairs
    assert all(one.reference(own) == other.reference(own) for one, other in pairs)


def test_a_report_that_came_a_round_late_counts_for_nothing() -> None:
    world = after(2)
    evidence = world.evidence()
    late = {(number + (owner == address("e0")), owner): said for (number, owner), said in evidence.openings.items()}
    never = {key: said for key, said in evidence.openings.items() if key[1] != address("e0")}
    committed = frozenset(key for key in evidence.committed if key[1] != address("e0"))
    one = judge(world.table, replace(evidence, openings=late, committed=committed), RULES)
    other = judge(world.table, replace(evidence, openings=never, committed=committed), RULES)
    assert one == other


def test_rounds_that_nobody_posted_are_taken_in_by_the_next() -> None:
    world = after(2)
    first = world.evidence()
    world._round += 1
    second = world.evidence()
    both = replace(
        second,
        draws=first.draws + second.draws,
        openings={**first.openings, **second.openings},
        committed=first.committed | second.committed,
        canaries={**first.canaries, **second.canaries},
    )
    table = judge(world.table, both, RULES)
    assert len(table.judged) == 2
    growth = paid(table, PayoutKind.NODE, PayoutKind.PAYER) - paid(world.table, PayoutKind.NODE, PayoutKind.PAYER)
    assert growth == sum(wei for _, wei in releases(table))
    expected = sum(leaf.node_wei for draw in both.draws for leaf in draw.leaves)
    assert abs(growth - expected // 5) <= 2 * len(NODES)


def test_each_round_has_its_own_duty_cap() -> None:
    draw = a_world().evidence().draws[0]
    later = replace(draw, gateway=address("second"), round=draw.round + 1)
    rules = replace(RULES, draw=replace(RULES.draw, duty_cap=3))
    assert len(all_duties([draw, later], rules)) == 2 * len(all_duties([draw], rules))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda evidence: replace(evidence, previous_table_id=keccak(b"another")),
        lambda evidence: replace(evidence, chain_id=1),
        lambda evidence: replace(evidence, court=address("another")),
        lambda evidence: replace(evidence, round=1),
        lambda evidence: replace(evidence, draws=(replace(evidence.draws[0], round=1),)),
        lambda evidence: replace(evidence, draws=(replace(evidence.draws[0], round=9),)),
        lambda evidence: replace(evidence, draws=evidence.draws * 2),
    ],
    ids=["another table", "another chain", "another court", "old round", "old draw", "future draw", "a draw twice"],
)
def test_evidence_that_does_not_follow_the_table_is_refused(wrong: Callable[[RoundEvidence], RoundEvidence]) -> None:
    world = after(2)
    with pytest.raises(CheckFailed):
        judge(world.table, wrong(world.evidence()), RULES)


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda report: with_fields(report, receipt=keccak(b"another")),
        lambda report: with_fields(report, accuracy_bps=10_001),
        lambda report: with_fields(report, format_bps=-2),
        lambda report: with_fields(report, verdict=7),
    ],
    ids=["another receipt", "above the range", "below the range", "unknown verdict"],
)
def test_a_report_that_breaks_the_form_is_no_report(spoiled: Callable[[Report], Report]) -> None:
    world = after(1)
    evidence = world.evidence()
    broken = judge(world.table, altered(evidence, "e0", spoiled), RULES)
    silent = {**evidence.openings, (evidence.round, address("e0")): ()}
    assert broken == judge(world.table, replace(evidence, openings=silent), RULES)


def test_two_reports_on_one_leaf_are_none() -> None:
    evidence = a_world().evidence()
    owner = evidence.round, address("e0")
    doubled = {**evidence.openings, owner: evidence.openings[owner] * 2}
    silent = {**evidence.openings, owner: ()}
    one, other = (judge(None, replace(evidence, openings=openings), RULES) for openings in (doubled, silent))
    assert one == other


def test_a_report_without_a_duty_counts_for_nothing() -> None:
    evidence = a_world().evidence()
    owner = evidence.round, address("e0")
    own = {report.key for report in evidence.openings[owner]}
    foreign = [one for reports in evidence.openings.values() for one in reports if one.key not in own]
    openings = {**evidence.openings, owner: (*evidence.openings[owner], foreign[0])}
    assert judge(None, replace(evidence, openings=openings), RULES) == judge(None, evidence, RULES)


def test_what_was_not_disclosed_is_held_against_nobody_who_judges() -> None:
    evidence = a_world().evidence()
    for name in ("e0", "e1", "e2", "e3", "booster", "hider"):
        evidence = altered(evidence, name, lambda report: with_fields(report, verdict=Verdict.UNDISCLOSED))
    honest_only = replace(evidence, canaries={})
    table = judge(None, honest_only, RULES)
    assert table.changes == ()
    assert {row.missed for row in table.balances if row.evaluator != address("hider")} <= {0}


def test_who_says_undisclosed_of_what_the_others_judged_missed_its_duty() -> None:
    world = after(1)
    evidence = altered(world.evidence(), "e0", lambda report: with_fields(report, verdict=Verdict.UNDISCLOSED))
    assert world.table is not None
    before = {row.evaluator: row.missed for row in world.table.balances}
    after_ = {row.evaluator: row.missed for row in judge(world.table, evidence, RULES).balances}
    assert after_[address("e0")] > before.get(address("e0"), 0)


def test_a_canary_moves_by_its_truth_and_a_judgement_by_less_than_one() -> None:
    world = a_world()
    evidence = world.evidence()
    table = judge(None, evidence, RULES)
    weights = {cause: [one.weight_micros for one in table.changes if one.cause == cause] for cause in Cause}
    assert set(weights[Cause.CANARY]) == {10**6}
    assert weights[Cause.JUDGEMENT]
    assert max(weights[Cause.JUDGEMENT]) <= 800_000
    canaries = {one.key for one in table.changes if one.cause == Cause.CANARY}
    assert canaries == set(evidence.canaries)
    assert canaries.isdisjoint(one.key for one in table.changes if one.cause == Cause.JUDGEMENT)


def test_nobodys_own_canary_moves_its_credibility() -> None:
    evidence = a_world().evidence()
    key, leaf = next((leaf.key, leaf) for draw in evidence.draws for leaf in draw.leaves)
    for author in (leaf.node, leaf.key.gateway):
        own = replace(evidence, canaries={key: CanaryTruth(10_000, TaskType.JSON, author)}, openings={})
        assert judge(None, own, RULES).changes == ()


def test_every_move_is_explained_by_a_change() -> None:
    """A row that has more samples than before has as many changes of its node, model and task."""
    world = after(2)
    before = {(row.node, row.model, row.task): row.samples for row in world.table.credibility} if world.table else {}
    table = world.play(1)
    for row in table.credibility:
        told = [
            one
            for one in table.changes
            if (one.node, one.model) == (row.node, row.model) and (row.task in ("", one.task) or one.task == "")
        ]
        assert row.samples - before.get((row.node, row.model, row.task), 0) == len(told)


def test_a_thousand_leaves_are_judged_in_well_under_a_second() -> None:
    world = a_world(leaves=1_000)
    world.play(1)
    evidence = world.evidence()
    started = time.process_time()
    judge(world.table, evidence, RULES)
    assert time.process_time() - started < 1


def test_a_quiet_round_changes_nothing_but_memory() -> None:
    world = after(3)
    assert world.table is not None
    quiet = RoundEvidence(
        chain_id=world.table.chain_id,
        court=world.table.court,
        round=9,
        previous_table_id=table_id(world.table),
        draws=(),
        openings={},
    )
    table = judge(world.table, quiet, RULES)
    assert (table.payouts, table.balances, table.calibration) == (
        world.table.payouts,
        world.table.balances,
        world.table.calibration,
    )
    assert not table.releases
    assert not table.changes
    assert all(row.round < 9 for row in table.credibility)
