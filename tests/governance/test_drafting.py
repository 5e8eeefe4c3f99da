"""What the contract would refuse is refused before it is put to the vote, with the rule's name."""

from dataclasses import replace

import pytest

from dgrid.chain.parameter_history import ParameterHistory
from dgrid.chain.parameters import Parameters, catalogue
from dgrid.core.errors import DGridError, InvalidRequest, UnknownParameter
from dgrid.core.money import WEI
from dgrid.governance.drafting import REASONS, Draft, OutOfBounds, UnsafeParameters, require_adoptable
from dgrid.poq.economics import Rule

HISTORY = ParameterHistory.of(Parameters())


def adopt(*assignments: str, history: ParameterHistory = HISTORY, epoch_now: int = 10) -> Draft:
    draft = Draft.of(assignments)
    require_adoptable(draft, history, epoch_now=epoch_now, epoch_seconds=20)
    return draft


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("protocol_bps=300", 300),
        ("protocol_bps=2.5%", 250),
        ("unbonding_seconds=10m", 600),
        ("unbonding_seconds=1_000", 1_000),
        ("minimum_stake_wei=1500DGAI", 1_500 * WEI),
        ("evaluator_rate_wei = 0.0004 DGAI", 4 * WEI // 10_000),
    ],
)
def test_values_are_read_as_people_write_them(text: str, value: int) -> None:
    assert [found for _, found in Draft.of([text]).values] == [value]


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        ((), InvalidRequest),
        (("protocol_bps",), InvalidRequest),
        (("protocol_bps=",), InvalidRequest),
        (("protocol_bps=-1",), InvalidRequest),
        (("protocol_bps=1e3",), InvalidRequest),
        (("protocol_bps=2.5",), InvalidRequest),
        (("protocol_bps=0.001%",), InvalidRequest),
        (("protocol_bps=3DGAI",), InvalidRequest),
        (("protocol_bps=1", "protocol_bps=2"), InvalidRequest),
        (("protocol_fee=1",), UnknownParameter),
        (("protocol_bps=900",), OutOfBounds),  # too far at once
        (("quorum_bps=4999",), OutOfBounds),
        (("reporter_bps=5001",), OutOfBounds),
        (("bond_seconds=200",), UnsafeParameters),
        (("unbonding_seconds=100",), UnsafeParameters),
        (("cost_weight=30",), UnsafeParameters),
        (("root_seconds=21",), UnsafeParameters),
        (("appeal_committee=3",), UnsafeParameters),
        (("minimum_stake_wei=10DGAI",), UnsafeParameters),
    ],
)
def test_nonsense_and_danger_are_refused(texts: tuple[str, ...], error: type[DGridError]) -> None:
    with pytest.raises(error):
        adopt(*texts)


def test_what_is_safe_passes_and_stands_in_the_contracts_order() -> None:
    draft = adopt("quality_bps=4000", "protocol_bps=300")
    assert [(one.name, value) for one, value in draft.values] == [("protocol_bps", 300), ("quality_bps", 4_000)]
    assert draft.over(Parameters()) == replace(Parameters(), protocol_bps=300, quality_bps=4_000)
    assert [(change.old, change.new) for change in draft.changes(Parameters())] == [(200, 300), (5_000, 4_000)]


def test_several_that_are_only_safe_together_pass_together() -> None:
    with pytest.raises(UnsafeParameters):
        adopt("default_seconds=300")
    adopt("default_seconds=300", "bond_seconds=400")


def test_a_broken_rule_is_named_and_explained() -> None:
    with pytest.raises(UnsafeParameters) as caught:
        adopt("reporter_bps=3000", "bond_seconds=1")
    assert "Bond" in caught.value.message
    assert caught.value.hint == REASONS[Rule.BOND]
    assert REASONS.keys() == set(Rule)


def test_a_parameter_that_is_changing_waits_for_its_change() -> None:
    changing = ParameterHistory((0, 12), (Parameters(), replace(Parameters(), protocol_bps=300)))
    with pytest.raises(OutOfBounds, match="from epoch 12"):
        adopt("protocol_bps=350", history=changing, epoch_now=11)
    adopt("protocol_bps=350", history=changing, epoch_now=12)
    adopt("quality_bps=4000", history=changing, epoch_now=11)


@pytest.mark.parametrize("name", [one.name for one in catalogue()])
def test_no_parameter_leaves_its_bounds(name: str) -> None:
    one = next(entry for entry in catalogue() if entry.name == name)
    with pytest.raises(OutOfBounds):
        adopt(f"{name}={one.bounds.maximum + 1}")
