"""A receipt document says one thing in one way, and no byte of it can change unnoticed."""

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.making import Story, make_document

from dgrid.core.errors import CheckFailed
from dgrid.wire.canonical import canonical
from dgrid.wire.documents import DOCUMENT_BYTES_MAX, Label, ReceiptDocument
from dgrid.wire.verification import verify_receipt

ALONE = make_document()
AMONG_SEVEN = make_document(Story(batch=7))
PUBLIC = make_document(Story(batch=3), salted=False)
Spot = tuple[Any, ...]


def refusal(data: bytes) -> str:
    """Why `dgrid verify` would refuse these bytes; empty when it would not."""
    try:
        checks = verify_receipt(ReceiptDocument.decode(data))
    except CheckFailed as error:
        return error.message
    return "; ".join(f"{check.name}: {check.reason}" for check in checks if not check.ok)


def spots(value: Any, above: Spot = ()) -> Iterator[Spot]:
    """Where every single value of a document stands."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from spots(child, (*above, name))
    if not isinstance(value, (dict, list)):
        yield above


def at(document: Any, spot: Spot) -> Any:
    for name in spot:
        document = document[name]
    return document


def altered(value: Any) -> Any:
    """A value of the same form that says something else."""
    if isinstance(value, int):
        return value + 1
    if value.startswith("0x"):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    return str(int(value) + 1) if value.isdigit() else value + "x"


DOCUMENTS = [ALONE, AMONG_SEVEN, PUBLIC]
SPOTS = [(document, spot) for document in DOCUMENTS for spot in spots(document.to_json())]


@pytest.mark.parametrize("document", DOCUMENTS, ids=["alone", "among seven", "public copy"])
def test_the_untouched_receipt_is_valid(document: ReceiptDocument) -> None:
    assert ReceiptDocument.decode(document.encode()) == document
    assert ReceiptDocument.decode(document.encode() + b"\n") == document
    assert refusal(document.encode()) == ""


@pytest.mark.parametrize(
    ("document", "spot"), SPOTS, ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else ""
)
def test_a_change_in_any_field_is_refused_with_a_reason(document: ReceiptDocument, spot: Spot) -> None:
    value = copy.deepcopy(document.to_json())
    at(value, spot[:-1])[spot[-1]] = altered(at(value, spot))
    assert refusal(canonical(value))


@pytest.mark.parametrize("spot", [spot for _, spot in SPOTS if isinstance(spot[-1], str)], ids=".".join)
def test_a_field_that_is_missing_is_refused_with_a_reason(spot: Spot) -> None:
    value = copy.deepcopy(AMONG_SEVEN.to_json())
    at(value, spot[:-1]).pop(spot[-1])
    assert refusal(canonical(value))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_flipped_bit_anywhere_is_refused_with_a_reason(data: st.DataObject) -> None:
    sent = data.draw(st.sampled_from(DOCUMENTS)).encode()
    flipped = bytearray(sent)
    flipped[data.draw(st.integers(0, len(sent) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert refusal(bytes(flipped))


def test_a_flipped_byte_at_every_position_is_refused() -> None:
    sent, chance = AMONG_SEVEN.encode(), random.Random(7)
    for position in range(len(sent)):
        flipped = bytearray(sent)
        flipped[position] ^= chance.randrange(1, 256)
        assert refusal(bytes(flipped)), position


@pytest.mark.parametrize("chain_id", [True, 0, -1, 2**53, 1.5, "31337", None])
def test_a_chain_id_that_is_none_is_refused(chain_id: object) -> None:
    assert "not a document" in refusal(json.dumps({**ALONE.to_json(), "chainId": chain_id}).encode())


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 60_000, b'{"a":' * 12_000, b" " * (DOCUMENT_BYTES_MAX + 1)],
    ids=["empty", "object", "array", "null", "no text", "deep array", "deep object", "too long"],
)
def test_what_is_no_receipt_is_refused(data: bytes) -> None:
    assert refusal(data)


def test_a_second_way_of_writing_the_same_receipt_is_refused() -> None:
    value = ALONE.to_json()
    for other in (
        json.dumps(value),
        json.dumps(value, sort_keys=True, separators=(", ", ": ")),
        json.dumps(value, indent=1),
    ):
        assert "canonical" in refusal(other.encode())
    doubled = ALONE.encode().replace(b'{"chainId":', b'{"chainId":31337,"chainId":', 1)
    assert "canonical" in refusal(doubled)


def test_half_an_owners_copy_is_refused() -> None:
    value = ALONE.to_json()
    assert "exactly the fields" in refusal(canonical({name: value[name] for name in value if name != "saltHash"}))
    assert "exactly the fields" in refusal(canonical({**value, "note": "x"}))


@pytest.mark.parametrize("label", [{"validity": [1]}, {"costPositionBps": -1}, {"costPositionBps": True}, {"more": 1}])
def test_a_malformed_label_is_refused(label: dict[str, object]) -> None:
    value = ALONE.to_json()
    assert "malformed" in refusal(canonical({**value, "label": {**value["label"], **label}}))


def test_the_public_copy_says_nothing_that_ties_it_to_the_content() -> None:
    assert b"salt" not in replace(ALONE, salt=None).encode()


def test_a_labels_digest_covers_every_figure() -> None:
    labels = [Label(), Label(("a",)), Label((), 1), Label((), 10_000, 1), Label((), 10_000, 0, 1)]
    assert len({label.digest() for label in labels}) == len(labels)
