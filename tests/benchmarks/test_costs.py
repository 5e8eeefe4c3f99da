"""The page of costs is what our gas snapshots come to, and the sums behave as costs do."""

from dataclasses import replace
from fractions import Fraction

import pytest
from benchmarks.costs import (
    BEGIN,
    BSC,
    END,
    LOADS,
    OPBNB,
    PAGE,
    dollars,
    gas_a_day,
    judges_of_a_round,
    page_with,
    read_snapshots,
    shown,
    tables,
)

from dgrid.chain.parameters import bsc_parameters


def test_the_page_holds_what_is_computed() -> None:
    text = PAGE.read_text()
    assert page_with(text, tables(read_snapshots(), bsc_parameters())) == text, "python -m benchmarks.costs --write"


def test_each_part_grows_with_what_causes_it_and_with_nothing_else() -> None:
    snapshots, parameters, load = read_snapshots(), bsc_parameters(), LOADS[1]
    before = gas_a_day(load, snapshots, parameters)
    more_payers = gas_a_day(replace(load, payers=2 * load.payers), snapshots, parameters)
    assert {part for part in before if more_payers[part] != before[part]} == {"collecting"}
    assert more_payers["collecting"] == 2 * before["collecting"]
    more_nodes = gas_a_day(replace(load, nodes=load.nodes + 1), snapshots, parameters)
    assert {part for part in before if more_nodes[part] != before[part]} == {"claims", "quality's part"}
    more_gateways = gas_a_day(replace(load, gateways=load.gateways + 1), snapshots, parameters)
    assert {part for part in before if more_gateways[part] != before[part]} == {"roots", "claims", "judging"}


def test_only_evaluators_with_a_duty_commit() -> None:
    parameters, load = bsc_parameters(), replace(LOADS[0], requests=24, evaluators=1_000)
    assert judges_of_a_round(load, parameters) == parameters.committee_size
    assert judges_of_a_round(replace(load, evaluators=3), parameters) == 3


def test_a_request_costs_less_the_more_there_are_and_less_on_the_cheaper_chain() -> None:
    snapshots, parameters = read_snapshots(), bsc_parameters()
    each = [Fraction(sum(gas_a_day(load, snapshots, parameters).values()), load.requests) for load in LOADS]
    assert each == sorted(each, reverse=True)
    assert dollars(10**6, BSC) == 50 * dollars(10**6, OPBNB) == Fraction(45, 1000)


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (Fraction(1234), "$1,234"),
        (Fraction(12345, 1000), "$13"),
        (Fraction(1), "$1.0"),
        (Fraction(821, 100_000), "$0.0083"),
        (Fraction(1, 10**7), "$0.00000010"),
    ],
)
def test_dollars_are_rounded_up_to_two_figures(usd: Fraction, text: str) -> None:
    assert shown(usd) == text


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        page_with(f"{END} {BEGIN}", "x")
