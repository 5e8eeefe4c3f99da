"""Calls as people write them: what is typed is what is proposed, and nothing is guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.governance.test_changes import CONTRACTS, STRANGER

from dgrid.chain.parameters import Parameters
from dgrid.core.errors import InvalidRequest
from dgrid.core.identity import to_hex
from dgrid.core.money import WEI
from dgrid.governance.calls import drafted_call
from dgrid.governance.changes import KnownCall, changes_of


def read_back(text: str) -> KnownCall:
    call = drafted_call(text, contracts=CONTRACTS)
    (found,) = changes_of([call], contracts=CONTRACTS, before=Parameters())
    assert isinstance(found, KnownCall)
    return found


@given(st.binary(min_size=20, max_size=20), st.integers(0, 2**256 - 1))
def test_what_is_typed_is_what_is_read_from_the_bytes(to: bytes, wei: int) -> None:
    found = read_back(f"dgai.transfer {to_hex(to)} {wei}")
    assert (found.contract, found.function, found.value_wei) == ("dgai", "transfer", 0)
    assert dict(found.arguments) == {"to": to, "value": wei}


def test_amounts_are_typed_and_shown_in_dgai() -> None:
    found = read_back(f"dgai.transfer {to_hex(STRANGER)} 1_250.5DGAI")
    assert dict(found.arguments)["value"] == 1_250 * WEI + WEI // 2
    assert str(found) == f"calls dgai.transfer(to={to_hex(STRANGER)}, value=1,250.5 DGAI)"


def test_a_contract_of_ours_may_stand_for_its_address() -> None:
    assert dict(read_back("quality_court.setAuthor registry true").arguments) == {
        "author": CONTRACTS.registry.address,
        "allowed": True,
    }


def test_data_is_typed_in_hex() -> None:
    assert dict(read_back(f"timelock.cancel 0x{'5a' * 32}").arguments) == {"id": b"\x5a" * 32}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("garden.water", "no contract is called 'garden'"),
        ("", "no contract is called ''"),
        ("dgai", "nothing of dgai that changes anything is called ''"),
        ("dgai.mint 1", "is called 'mint'"),
        ("dgai.balanceOf registry", "is called 'balanceOf'"),  # a view: it would change nothing
        ("dgai.transfer registry", "takes 2 arguments, not 1: dgai.transfer to:address value:uint256"),
        ("dgai.transfer registry 1 2", "takes 2 arguments, not 3"),
        ("dgai.transfer gardener 1", "gardener"),
        ("dgai.transfer registry much", "much"),
        ("dgai.transfer registry -1", "-1 is no number"),
        ("dgai.transfer registry 1.5", "too many decimals"),
        ("dgai.transfer registry 0.0000000000000000001DGAI", "too many decimals"),
        ("dgai.transfer registry NaN", "NaN is no number"),
        ("dgai.transfer registry 1e9", "1e9 is no number"),
        (f"dgai.transfer registry {2**256}", "out of range"),
        ("quality_court.setAuthor registry yes", "neither true nor false"),
        ("timelock.cancel 0x12", "takes 32 bytes"),
        ("timelock.cancel 12", "no data"),
        ("parameters.set 1 2", "cannot be typed here"),
    ],
)
def test_what_cannot_be_read_beyond_doubt_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        drafted_call(text, contracts=CONTRACTS)
    assert said in refused.value.message
