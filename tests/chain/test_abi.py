from typing import Any

import pytest
from eth_abi.abi import encode as eth_abi_encode
from hypothesis import given
from hypothesis import strategies as st

from dgrid.chain.abi import AbiError, tuple_of, type_of
from dgrid.chain.contracts import ARTIFACT_NAMES, interface

UINTS = [8, 16, 32, 40, 64, 128, 256]


def words() -> st.SearchStrategy[tuple[dict[str, Any], Any]]:
    """A one-word type and a value of it."""
    uints = st.sampled_from(UINTS).flatmap(
        lambda bits: st.tuples(st.just({"type": f"uint{bits}"}), st.integers(0, 2**bits - 1))
    )
    fixed = st.sampled_from([1, 4, 32]).flatmap(
        lambda size: st.tuples(st.just({"type": f"bytes{size}"}), st.binary(min_size=size, max_size=size))
    )
    addresses = st.tuples(st.just({"type": "address"}), st.binary(min_size=20, max_size=20))
    bools = st.tuples(st.just({"type": "bool"}), st.booleans())
    data = st.tuples(st.just({"type": "bytes"}), st.binary(max_size=70))
    texts = st.tuples(st.just({"type": "string"}), st.text(max_size=40))
    return st.one_of(uints, fixed, addresses, bools, data, texts)


def structs(inner: Any) -> Any:
    return st.lists(inner, min_size=1, max_size=4).map(
        lambda parts: (
            {"type": "tuple", "components": [{**kind, "name": f"f{at}"} for at, (kind, _) in enumerate(parts)]},
            tuple(value for _, value in parts),
        )
    )


def arrays(inner: Any) -> Any:
    return st.tuples(inner, st.integers(0, 3)).map(
        lambda drawn: ({**drawn[0][0], "type": drawn[0][0]["type"] + "[]"}, (drawn[0][1],) * drawn[1])
    )


typed_values = st.recursive(words(), lambda inner: structs(inner) | arrays(inner), max_leaves=12)


@given(typed_values)
def test_the_codec_equals_eth_abi(drawn: tuple[dict[str, Any], Any]) -> None:
    entry, value = drawn
    shape = tuple_of([{**entry, "name": "value"}])
    ours = shape.encode((value,))
    assert ours == eth_abi_encode([type_of(entry).name], [value])
    assert shape.decode(ours, 0) == (value,)


@given(typed_values, st.data())
def test_cut_data_is_refused_and_never_misread(drawn: tuple[dict[str, Any], Any], data: st.DataObject) -> None:
    entry, value = drawn
    shape = tuple_of([{**entry, "name": "value"}])
    encoded = shape.encode((value,))
    cut = data.draw(st.integers(0, max(0, len(encoded) - 33)))
    if len(encoded) > 32:
        with pytest.raises(AbiError):
            shape.decode(encoded[:cut], 0)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("uint8", 256), ("uint128", -1), ("bytes32", b"short"), ("address", 5), ("bool", 2), ("uint64", b"12345678")],
)
def test_values_out_of_range_are_refused(kind: str, value: Any) -> None:
    with pytest.raises(AbiError):
        type_of({"type": kind}).encode(value)


def test_every_entry_of_the_artifacts_can_be_read() -> None:
    for name in ARTIFACT_NAMES:
        shape = interface(name)
        assert shape.functions
        assert len(shape.errors) + len(shape.events) + len(shape.constructor.parts) >= 0
