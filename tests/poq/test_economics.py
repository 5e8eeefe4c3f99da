"""The guard over a network's parameters: what the contract would say of them, and what cheats would make of them."""

import json
from dataclasses import replace
from fractions import Fraction
from math import log1p
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.poq.impostors import requests_until_convicted

from dgrid.chain.case_events import REFUNDS_MAX
from dgrid.chain.parameters import Parameters, bsc_parameters, catalogue, tunable
from dgrid.core.money import BPS, WEI
from dgrid.poq.economics import (
    HIT_BPS,
    PAYABLE_TASKS,
    Rule,
    request_temptation,
    requests_undetected,
    violations,
)
from dgrid.poq.evaluator_pay import Sums, information
from dgrid.poq.rules import MICROS, PayRules
from dgrid.poq.temptation import SQUARED_BPS, Temptation

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "contracts" / "test" / "parameter_vectors.json"
PAGE = (ROOT / "docs" / "concepts" / "governance.md").read_text()
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text())["cases"]
RUNS = 400
DETECTIONS = 5  # that `requests_undetected` waits for


def parameters_of(values: list[str]) -> Parameters:
    return Parameters(**{one.name: int(value) for one, value in zip(catalogue(), values, strict=True)})


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_guard_says_what_the_contract_says(case: dict[str, Any]) -> None:
    before = parameters_of(case["before"]) if case["before"] else None
    found = violations(parameters_of(case["values"]), epoch_seconds=case["epochSeconds"], before=before)
    assert (int(found[0]) if found else -1) == case["rule"]


def test_the_vectors_break_and_keep_every_rule() -> None:
    assert {case["rule"] for case in CASES} == {-1, *map(int, Rule)}


def test_the_vectors_begin_with_what_networks_start_with() -> None:
    assert [parameters_of(case["values"]) for case in CASES[:2]] == [Parameters(), bsc_parameters()]


@pytest.mark.parametrize(("parameters", "epoch_seconds"), [(Parameters(), 20), (bsc_parameters(), 3600)])
def test_what_networks_start_with_is_safe_and_within_bounds(parameters: Parameters, epoch_seconds: int) -> None:
    assert violations(parameters, epoch_seconds=epoch_seconds) == ()
    for one in catalogue():
        assert one.bounds.minimum <= getattr(parameters, one.name) <= one.bounds.maximum


@st.composite
def stakes(draw: st.DrawFn) -> Parameters:
    """Values around the line between safe and unsafe."""
    checked, slashed = draw(st.integers(100, BPS)), draw(st.integers(1, BPS))
    value = draw(st.integers(WEI // 1_000, 10 * WEI))
    needed = value * 11_610 * BPS // (checked * slashed)
    stake = needed * draw(st.integers(1, 40_000)) // BPS
    return replace(
        Parameters(),
        identity_bps=checked,
        node_slash_bps=slashed,
        request_value_max_wei=value,
        minimum_stake_wei=stake,
    )


def requests_before_conviction(chance: Random, parameters: Parameters) -> int:
    """How many requests one impostor cheats on until the fifth is detected: a sum of five geometric waits."""
    hit = parameters.identity_bps * HIT_BPS / SQUARED_BPS
    if hit == 1:
        return DETECTIONS
    return sum(1 + int(log1p(-chance.random()) / log1p(-hit)) for _ in range(DETECTIONS))


@settings(max_examples=60, deadline=None)
@given(stakes(), st.integers(0, 2**32))
def test_no_impostor_earns_what_its_slash_costs_where_exposure_is_covered(parameters: Parameters, seed: int) -> None:
    """At most one of a hundred is lucky enough; where the stake is half of what is asked, most of them are."""
    chance, temptation = Random(seed), request_temptation(parameters)
    gains = [
        requests_before_conviction(chance, parameters) * temptation.saving_wei - temptation.slash_wei
        for _ in range(RUNS)
    ]
    lucky = sum(gain > 0 for gain in gains)
    if Rule.NODE_EXPOSURE not in violations(parameters, epoch_seconds=20):
        assert lucky <= RUNS // 20
    elif temptation.slash_wei * 4 < temptation.saving_wei * (requests_undetected(parameters) or 0):
        assert lucky > RUNS // 2


def mean_gain(chance: Random, terms: Temptation) -> tuple[float, float]:
    """What cheating on one request earned over honesty, on average over many, with its standard error."""
    caught = sum(chance.randrange(SQUARED_BPS) < terms.check_bps * terms.hit_bps for _ in range(RUNS * 10))
    share = caught / (RUNS * 10)
    error = (max(share * (1 - share), 1e-6) / (RUNS * 10)) ** 0.5
    return terms.saving_wei - share * terms.at_stake_wei, error * terms.at_stake_wei


@settings(max_examples=40, deadline=None)
def duty_temptation(parameters: Parameters, *, cost_wei: int) -> Temptation:
    """A duty, as an evaluator sees it that would rather guess, where judging costs so much and all the others guess, so
    that canaries alone tell. It loses its pay, and no stake.
    """
    return Temptation(
        check_bps=parameters.canary_bps,
        hit_bps=HIT_BPS,
        false_bps=0,
        price_wei=parameters.evaluator_rate_wei,
        slash_wei=0,
        rents_wei=0,
        saving_wei=cost_wei,
    )


def judgement_cost_max_wei(parameters: Parameters) -> int:
    """What a judgement may cost before guessing is the better choice: h · δ · R, rounded down."""
    return parameters.canary_bps * HIT_BPS * parameters.evaluator_rate_wei // SQUARED_BPS


@given(st.integers(100, 5_000), st.integers(1, WEI), st.integers(0, WEI), st.integers(0, 2**32))
def test_an_evaluator_judges_for_as_long_as_that_costs_no_more_than_is_said(
    canary_bps: int, rate: int, cost: int, seed: int
) -> None:
    parameters = replace(Parameters(), canary_bps=canary_bps, evaluator_rate_wei=rate)
    terms = duty_temptation(parameters, cost_wei=cost)
    gain, error = mean_gain(Random(seed), terms)
    assume(abs(gain) > 5 * error)
    assert terms.is_resisted == (gain < 0) == (cost <= judgement_cost_max_wei(parameters))


def test_the_page_says_what_judging_may_cost_and_what_rate_would_pay_for_the_dearest() -> None:
    networks = Parameters(), bsc_parameters()
    costs = [tunable("evaluator_rate_wei").shown(judgement_cost_max_wei(one)) for one in networks]
    assert f"{costs[0]} DGAI with the dev network's values, {costs[1]} DGAI with those of BNB Smart Chain" in PAGE
    for one, rate in zip(networks, (Fraction("0.38"), Fraction("22.3")), strict=True):
        paid, less = (replace(one, evaluator_rate_wei=int(wei * WEI)) for wei in (rate, rate - Fraction(1, 10)))
        assert judgement_cost_max_wei(less) < one.request_value_max_wei <= judgement_cost_max_wei(paid)


@given(
    st.integers(-BPS, BPS), st.integers(0, BPS), st.integers(0, BPS), st.lists(st.integers(-BPS, 2 * BPS), min_size=1)
)
def test_opening_costs_at_most_a_unit_of_information_a_report(
    believed: int, standard: int, reference: int, others: list[int]
) -> None:
    """Which is what the late penalty must outweigh."""
    sums = Sums()
    for other in others:
        sums = sums.plus(other)
    assert information(standard - believed, reference - believed, others=sums) >= -MICROS


def test_pay_waits_for_as_many_tasks_as_the_guard_counts() -> None:
    rules = PayRules(base_share_bps=8_000, gain_bps=0, evaluator_rate_wei=1, pool_cap_wei=1)
    assert rules.payable_tasks == rules.window == PAYABLE_TASKS


@st.composite
def sentences(draw: st.DrawFn) -> Parameters:
    """Values around the line between slashes that pay a jury and slashes that do not."""
    return replace(
        Parameters(),
        minimum_stake_wei=draw(st.integers(20, 200)) * WEI + draw(st.integers(0, 9)),
        node_slash_bps=draw(st.integers(1_000, BPS)),
        evaluator_slash_bps=draw(st.integers(1_000, BPS)),
        undisclosed_penalty_wei=draw(st.integers(10, 30)) * WEI + draw(st.integers(0, 9)),
        reporter_bps=draw(st.integers(0, 5_000)),
        case_bond_wei=draw(st.integers(5, 15)) * WEI,
    )


def paid_for_a_conviction(parameters: Parameters, slashed: int, *, refunds: int) -> int:
    """What jurors get of a slash, step by step as `Awards.sol` shares it out."""
    left = slashed - min(slashed, refunds)
    left -= min(left, slashed * parameters.reporter_bps // BPS)
    return min(left, parameters.case_bond_wei)


@given(sentences(), st.integers(0, 100 * WEI), st.integers(0, REFUNDS_MAX))
def test_no_jury_is_paid_less_for_convicting_a_member_in_good_standing(p: Parameters, more: int, refunds: int) -> None:
    stake, refunds_wei = p.minimum_stake_wei + more, refunds * p.request_value_max_wei
    convictions = [
        paid_for_a_conviction(p, stake * p.node_slash_bps // BPS, refunds=refunds_wei),
        paid_for_a_conviction(p, min(stake, p.undisclosed_penalty_wei), refunds=refunds_wei),
        paid_for_a_conviction(p, stake * p.evaluator_slash_bps // BPS, refunds=0),
    ]
    if Rule.VERDICTS not in violations(p, epoch_seconds=20):
        assert convictions == [p.case_bond_wei] * 3
    elif not more and refunds == REFUNDS_MAX:
        assert min(convictions) < p.case_bond_wei


@given(st.integers(1, BPS))
def test_poissons_bound_is_never_below_the_exact_number_of_requests(identity_bps: int) -> None:
    parameters = replace(Parameters(), identity_bps=max(identity_bps, 200))
    exact = requests_until_convicted(request_temptation(parameters), detections=DETECTIONS, certainty_bps=9_900)
    assert (requests_undetected(parameters) or 0) >= exact


def test_only_the_ratios_of_weights_count() -> None:
    weights = ("accuracy_weight", "consistency_weight", "format_weight", "cost_weight")
    for factor in (1, 2, 5, 10):
        scaled = {name: getattr(Parameters(), name) * factor for name in weights}
        assert violations(replace(Parameters(), **scaled), epoch_seconds=20) == ()
