"""What a proposal changes is read from its calls: no description hides it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.chain.ballots import Call
from dgrid.chain.contracts import ARTIFACT_NAMES, Contracts
from dgrid.chain.parameters import Parameters, catalogue, tunable
from dgrid.config import ChainConfig
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import keccak
from dgrid.governance.changes import (
    KnownCall,
    ParameterChange,
    StrangeCall,
    changes_of,
    setting_calls,
    with_changes,
)

ADDRESSES = {name: to_hex(Address(keccak(name.encode())[:20])) for name in ARTIFACT_NAMES}
CONTRACTS = Contracts(ChainConfig(("http://127.0.0.1:1",), 31337, ADDRESSES))
STRANGER = Address(b"\x66" * 20)


def test_a_change_of_a_parameter_shows_old_and_new_with_unit_and_readers() -> None:
    calls = setting_calls([(tunable("protocol_bps"), 300)], contracts=CONTRACTS)
    (found,) = changes_of(calls, contracts=CONTRACTS, before=Parameters())
    assert found == ParameterChange(tunable("protocol_bps"), 200, 300)
    assert str(found) == "protocol_bps: 200 → 300 bps (read by gateways, nodes, auditors)"


def test_amounts_are_shown_in_dgai() -> None:
    change = ParameterChange(tunable("evaluator_rate_wei"), 3 * 10**14, 6 * 10**14)
    assert str(change) == "evaluator_rate_wei: 0.0003 → 0.0006 DGAI (read by evaluators, auditors)"


values = st.lists(
    st.tuples(st.sampled_from(catalogue()), st.integers(0, 2**128 - 1)), max_size=6, unique_by=lambda p: p[0]
)


@given(values)
def test_what_is_written_is_what_is_read(wanted: list) -> None:  # type: ignore[type-arg]
    calls = setting_calls(wanted, contracts=CONTRACTS)
    found = changes_of(calls, contracts=CONTRACTS, before=Parameters())
    after = with_changes(Parameters(), found)
    assert after == replace(Parameters(), **{one.name: value for one, value in wanted})


def test_two_calls_are_shown_one_after_the_other() -> None:
    calls = [*setting_calls([(tunable("protocol_bps"), 300)], contracts=CONTRACTS)] * 2
    first, second = changes_of(calls, contracts=CONTRACTS, before=Parameters())
    assert (first, second) == (
        ParameterChange(tunable("protocol_bps"), 200, 300),
        ParameterChange(tunable("protocol_bps"), 300, 300),
    )


def test_another_call_of_ours_is_decoded() -> None:
    court = CONTRACTS.quality_court
    call = Call(court.address, 0, court.encode("setAuthor", [STRANGER, True]))
    (found,) = changes_of([call], contracts=CONTRACTS, before=Parameters())
    assert isinstance(found, KnownCall)
    assert str(found) == f"calls quality_court.setAuthor(author={to_hex(STRANGER)}, allowed=True)"


def test_an_address_outside_the_network_is_shouted_out() -> None:
    call = Call(STRANGER, 5, CONTRACTS.parameters.encode("set", [[15], [300]]))
    (found,) = changes_of([call], contracts=CONTRACTS, before=Parameters())
    assert found == StrangeCall(call, "")
    assert "NO CONTRACT OF THIS NETWORK" in str(found)
    assert to_hex(STRANGER) in str(found)


@pytest.mark.parametrize("spoiled", ["unknown", "trailing", "cut"])
def test_data_that_nobody_can_read_exactly_is_shouted_out(spoiled: str) -> None:
    """Trailing bytes, or another order of the parts, could show a reader something else than the chain does."""
    contract = CONTRACTS.parameters
    data = contract.encode("set", [[15], [300]])
    changed = {"unknown": b"\x00\x00\x00\x01", "trailing": data + bytes(32), "cut": data[:-1]}[spoiled]
    (found,) = changes_of([Call(contract.address, 0, changed)], contracts=CONTRACTS, before=Parameters())
    assert isinstance(found, StrangeCall)
    assert "UNKNOWN FUNCTION of parameters" in str(found)


def test_a_parameter_that_does_not_exist_is_shown_as_the_call_it_is() -> None:
    contract = CONTRACTS.parameters
    call = Call(contract.address, 0, contract.encode("set", [[len(catalogue())], [1]]))
    (found,) = changes_of([call], contracts=CONTRACTS, before=Parameters())
    assert isinstance(found, KnownCall)
