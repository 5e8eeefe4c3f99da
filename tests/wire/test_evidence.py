import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.wire.evidence import TOKENS_MAX, UNKNOWN_ID, ChoiceEvidence, decode_evidence, encode_evidence

tokens = st.tuples(st.integers(0, UNKNOWN_ID), st.floats(width=32, allow_nan=False))
choices = st.lists(st.lists(tokens, max_size=20), max_size=8).map(
    lambda lists: [ChoiceEvidence(tuple(i for i, _ in one), tuple(p for _, p in one)) for one in lists]
)


@given(choices=choices)
def test_comes_back_as_it_was(choices: list[ChoiceEvidence]) -> None:
    assert decode_evidence(encode_evidence(choices)) == choices


@given(choices=choices, cut=st.integers(min_value=1))
def test_cut_or_extended_bytes_are_refused(choices: list[ChoiceEvidence], cut: int) -> None:
    data = encode_evidence(choices)
    for wrong in (data[: -1 - cut % len(data)], data + b"\0", b"\2" + data[1:]):
        with pytest.raises(ValueError, match=r"evidence"):
            decode_evidence(wrong)


def test_an_unknown_token_is_marked() -> None:
    assert decode_evidence(encode_evidence([ChoiceEvidence((-1,), (-0.5,))])) == [
        ChoiceEvidence((UNKNOWN_ID,), (-0.5,))
    ]


@pytest.mark.parametrize(
    "choices",
    [
        [ChoiceEvidence((), ())] * 256,
        [ChoiceEvidence((1,), ())],
        [ChoiceEvidence(range(TOKENS_MAX + 1), ())],
    ],
)
def test_more_than_fits_is_refused(choices: list[ChoiceEvidence]) -> None:
    with pytest.raises(ValueError, match=r"evidence|log-probability"):
        encode_evidence(choices)


def test_a_stated_number_of_tokens_is_not_believed() -> None:
    with pytest.raises(ValueError, match="cut short"):
        decode_evidence(b"\1\1" + struct.pack(">I", 2**32 - 1))
