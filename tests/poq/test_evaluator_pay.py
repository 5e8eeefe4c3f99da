from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poq.world import RULES, Evaluator, Node, World, address, honest

from dgrid.core.money import WEI
from dgrid.poq.evaluator_pay import Earned, Sums, balances_after, credit, due_wei, earned, information, new_balance, pay
from dgrid.poq.panels import Panel, panels
from dgrid.poq.readings import Calibrations, Reading, readings
from dgrid.wire.quality import BalanceRow, amount_of

PAY = replace(RULES.pay, pool_cap_wei=10**30)
SCORES = st.integers(0, 10_000)
PAIRS = st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=30)


def sums_of(references: list[int]) -> Sums:
    sums = Sums()
    for reference in references:
        sums = sums.plus(reference)
    return sums


def values_of(pairs: list[tuple[int, int]]) -> list[int]:
    """What one evaluator's (score, reference) pairs of one type are worth."""
    sums = sums_of([reference for _, reference in pairs])
    return [information(score, at, others=sums.plus(at, times=-1)) for score, at in pairs]


@given(PAIRS)
def test_the_mean_value_is_twice_the_covariance(pairs: list[tuple[int, int]]) -> None:
    count = len(pairs)
    mean_s, mean_c = (sum(column) / count for column in zip(*pairs, strict=True))
    covariance = sum((s - mean_s) * (c - mean_c) for s, c in pairs) / (count - 1) / 1e8
    assert sum(values_of(pairs)) / count / 1e6 == pytest.approx(2 * covariance, abs=2e-6)


@given(SCORES, st.lists(SCORES, min_size=2, max_size=30))
def test_a_constant_earns_nothing_and_an_inverted_score_loses_what_an_honest_one_earns(
    level: int, references: list[int]
) -> None:
    assert abs(sum(values_of([(level, at) for at in references]))) <= len(references)
    honest = sum(values_of([(at, at) for at in references]))
    inverted = sum(values_of([(10_000 - at, at) for at in references]))
    assert honest >= 0
    assert abs(honest + inverted) <= 2 * len(references)


@given(st.lists(SCORES, min_size=1, max_size=30), SCORES, SCORES)
def test_the_rest_of_the_round_counts_as_one_more_task_of_the_type(same: list[int], score: int, reference: int) -> None:
    def value(others: Sums) -> int:
        return information(score, reference, others=others)

    of_type = sums_of(same)
    assert value(of_type.pooled(of_type)) == value(of_type), "where all are of one type nothing changes"
    alone, with_one = Sums().pooled(of_type), sums_of([same[0]]).pooled(of_type)
    assert value(alone) == value(of_type)
    assert value(with_one) == pytest.approx((value(of_type) + value(sums_of([same[0]]))) / 2, abs=1)


def a_round(seed: int) -> tuple[tuple[Panel, ...], tuple[Reading, ...]]:
    """One in which an evaluator committed and never opened, and another had nothing to say."""
    people = [Evaluator(name, honest()) for name in ("e0", "e1", "e2", "e3", "hider", "idler")]
    evidence = World([Node("mini", "dgrid-mini", 0.8)], people, seed=seed, leaves_per_round=40).evidence()
    openings = {**evidence.openings, (evidence.round, address("idler")): ()}
    del openings[evidence.round, address("hider")]
    found, known = panels(replace(evidence, openings=openings), RULES), Calibrations((), RULES.calibration)
    known.observe(found, evidence.canaries)
    return found, readings(found, evidence.canaries, known=known, rules=RULES)


def believed(reading: Reading) -> int:
    return 5_000 + 100 * (reading.leaf.key.sequence % 30)


def worth(reading: Reading, evaluator: bytes, *, others: Sequence[Reading]) -> int:
    """The page's words in fractions: how much farther the other tasks lie from a score than its own does."""

    def beyond(one: Reading) -> int:
        return (one.reference(evaluator) or 0) - believed(one)

    standard = reading.calibrations[evaluator].standardize(reading.scores[evaluator])
    score = min(10_000, max(0, standard)) - believed(reading)
    apart = [(score - beyond(one)) ** 2 for one in others if one.task == reading.task]
    one_more = Fraction(sum((score - beyond(one)) ** 2 for one in others), len(others))
    mean = (sum(apart) + one_more) / (len(apart) + 1)
    return floor((mean - (score - beyond(reading)) ** 2) / 100 + Fraction(1, 2))


@pytest.mark.parametrize("seed", range(3))
def test_a_score_earns_what_the_page_says_against_the_rest_of_the_round(seed: int) -> None:
    found, judged = a_round(seed)
    gained = earned(judged, found, believed=believed)
    for evaluator in map(address, ("e0", "e1", "e2", "e3")):
        known = [one for one in judged if one.reference(evaluator) is not None]
        expected = [
            worth(one, evaluator, others=[other for other in known if other is not one])
            for one in known
            if evaluator in one.scores
        ]
        assert gained[evaluator].values == expected
        assert expected


def test_every_duty_left_undone_is_counted_once_and_by_its_kind() -> None:
    found, judged = a_round(0)
    gained = earned(judged, found, believed=believed)
    duties = {
        name: sum(one.duty.evaluator == address(name) for each in found for one in each.members)
        for name in ("hider", "idler")
    }
    hider, idler = gained[address("hider")], gained[address("idler")]
    assert (hider.missed, hider.withheld) == (0, duties["hider"])
    assert (idler.missed, idler.withheld) == (duties["idler"], 0)
    assert min(duties.values()) > 1


def test_accounts_stand_in_order_of_their_evaluators() -> None:
    known = [replace_evaluator(account(tasks=1, balance=1), at) for at in range(3)]
    gained = {address(f"e{at}"): Earned([1]) for at in (5, 1, 4)}
    names = [row.evaluator for row in balances_after(known, gained, rules=PAY)]
    assert names == sorted(address(f"e{at}") for at in range(6) if at != 3)


def account(*, tasks: int, balance: float, window: float = 1.0, paid: int = 0) -> BalanceRow:
    return BalanceRow(address("e"), tasks, round(balance * 1e6), (round(window * 1e6),), amount_of(paid), 0)


def test_nothing_is_due_before_fifty_tasks_or_while_the_window_lost() -> None:
    assert due_wei(account(tasks=49, balance=9), PAY) == 0
    assert due_wei(account(tasks=50, balance=9, window=-0.1), PAY) == 0
    assert due_wei(account(tasks=50, balance=9), PAY) == 9 * PAY.evaluator_rate_wei


def test_what_was_lost_must_be_earned_again_before_more_is_paid() -> None:
    paid = 9 * PAY.evaluator_rate_wei
    assert due_wei(account(tasks=90, balance=7, paid=paid), PAY) == 0
    assert due_wei(account(tasks=90, balance=9.5, paid=paid), PAY) == PAY.evaluator_rate_wei // 2


@given(st.lists(st.lists(st.integers(-(10**6), 10**6), max_size=12), max_size=12), st.integers(0, 10**17))
def test_payment_is_the_high_water_mark_and_never_falls(rounds: list[list[int]], cap: int) -> None:
    rules = replace(PAY, payable_tasks=1, pool_cap_wei=cap)
    rows: list[BalanceRow] = []
    paid = 0
    for values in rounds:
        rows = balances_after(rows, {address("e"): Earned(values)}, rules=rules)
        (result,) = pay(rows, rules)
        rows = [result[0]]
        assert 0 <= result[1] <= cap
        paid += result[1]
        assert rows[0].paid_wei == paid
        peak = max(0, rows[0].balance_micros) * rules.evaluator_rate_wei // 10**6
        assert paid <= max(peak, paid - result[1])
    assert all(row.balance_micros == sum(map(sum, rounds)) for row in rows)


@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=20), st.integers(0, 10**18))
def test_the_pool_pays_no_more_than_its_cap_and_cuts_all_alike(balances: list[int], cap: int) -> None:
    rules = replace(PAY, pool_cap_wei=cap)
    rows = [replace_evaluator(account(tasks=60, balance=value), at) for at, value in enumerate(balances)]
    paid = [wei for _, wei in pay(rows, rules)]
    wanted = [due_wei(row, rules) for row in rows]
    assert sum(paid) <= cap
    if sum(wanted) <= cap:
        assert paid == wanted
    else:
        assert all(wei == due * cap // sum(wanted) for wei, due in zip(paid, wanted, strict=True))


def replace_evaluator(row: BalanceRow, at: int) -> BalanceRow:
    return BalanceRow(address(f"e{at}"), row.tasks, row.balance_micros, row.window, row.paid, row.missed)


def test_what_the_cap_cut_is_paid_later() -> None:
    rules = replace(PAY, pool_cap_wei=WEI // 10_000)
    rows = [account(tasks=60, balance=1)]
    total = 0
    for _ in range(5):
        ((row, wei),) = pay(rows, rules)
        rows, total = [row], total + wei
    assert total == PAY.evaluator_rate_wei


def test_a_duty_left_undone_costs_and_hiding_it_after_a_commitment_costs_more() -> None:
    missed = credit(new_balance(address("e")), Earned(missed=3), rules=PAY)
    withheld = credit(new_balance(address("e")), Earned(withheld=3), rules=PAY)
    assert withheld.balance_micros < missed.balance_micros < 0
    assert missed.missed == withheld.missed == 3
    assert missed.tasks == 0


def test_the_window_keeps_the_latest() -> None:
    row = credit(new_balance(address("e")), Earned(list(range(80))), rules=PAY)
    assert row.window == tuple(range(30, 80))
    assert row.tasks == 80
