import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.errors import CheckFailed
from dgrid.wire.canonical import canonical

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
whole = st.integers(-(2**53) + 1, 2**53 - 1)
documents = st.recursive(
    st.none() | st.booleans() | whole | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def by_the_book(value: Any) -> str:
    """RFC 8785 over the values we use, written a second time: string escapes, keys by UTF-16 code units."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{by_the_book(key)}:{by_the_book(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(by_the_book(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


@given(documents)
def test_documents_are_written_as_rfc_8785_says(document: Any) -> None:
    assert canonical(document).decode() == by_the_book(document)
    assert json.loads(canonical(document)) == document


def test_keys_stand_in_the_order_of_their_utf_16_code_units() -> None:
    assert canonical({"\ufb33": 1, "😀": 2, "a": 3}).decode() == '{"a":3,"😀":2,"\ufb33":1}'


@pytest.mark.parametrize("value", [1.0, 2**53, -(2**53), {"a": [float("nan")]}])
def test_a_number_with_two_spellings_is_refused(value: object) -> None:
    with pytest.raises(CheckFailed, match="not a number that a document can hold"):
        canonical(value)
