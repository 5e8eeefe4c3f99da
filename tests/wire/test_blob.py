"""An epoch's blob comes back as it was made, or is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.making import GATEWAY, SETTLEMENT, TOKEN, Story, make_record

from dgrid.core.errors import CheckFailed
from dgrid.core.keccak import keccak
from dgrid.wire.blob import (
    BLOB_VERSION,
    BlobHeader,
    EpochBlob,
    LaneHeader,
    blob_id,
    decode_record,
    encode_blob,
    encode_record,
    epoch_tree,
)

RECORDS = [make_record(Story(sequence=at)) for at in range(3)]
ENCODED = [encode_record(record) for record in RECORDS]


def header(*, version: int = BLOB_VERSION, sizes: tuple[int, ...] | None = None) -> BlobHeader:
    lanes = (LaneHeader(0, sizes or tuple(len(record) for record in ENCODED)),)
    return BlobHeader(version, 31337, SETTLEMENT, GATEWAY.address, 5, TOKEN, lanes, ())


BLOB = encode_blob(header(), ENCODED)


def test_records_come_back_at_their_places() -> None:
    opened = EpochBlob.decode(BLOB)
    assert [(lane, sequence) for lane, sequence, _ in opened.records()] == [(0, 0), (0, 1), (0, 2)]
    assert [record for _, _, record in opened.records()] == RECORDS
    assert [receipt.place.sequence for receipt in opened.receipts[0]] == [0, 1, 2]
    assert decode_record(ENCODED[0]) == RECORDS[0]


def test_its_name_is_the_hash_of_its_bytes() -> None:
    assert blob_id(BLOB) == keccak(BLOB)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\0\0\0",
        BLOB[:-1],
        BLOB + b"\0",
        encode_blob(header(version=9), ENCODED),
        encode_blob(header(), ENCODED[:2]),
    ],
    ids=["empty", "cut head", "cut", "longer", "other version", "a record missing"],
)
def test_what_does_not_fit_its_header_is_refused(blob: bytes) -> None:
    with pytest.raises(CheckFailed):
        EpochBlob.decode(blob)


def test_records_cut_at_the_wrong_places_are_refused() -> None:
    sizes = len(ENCODED[0]) + 1, len(ENCODED[1]) - 1, len(ENCODED[2])
    opened = EpochBlob.decode(encode_blob(header(sizes=sizes), ENCODED))
    with pytest.raises(CheckFailed, match="malformed"):
        list(opened.records())


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CheckFailed):
        EpochBlob.decode(data)


@given(st.dictionaries(st.integers(0, 5), st.lists(st.integers(0, 2**64), min_size=1, max_size=9), min_size=1))
def test_the_pot_is_the_sum_of_all_fees(fees: dict[int, list[int]]) -> None:
    leaves = {lane: [(keccak(bytes((lane, at))), fee) for at, fee in enumerate(some)] for lane, some in fees.items()}
    tree = epoch_tree(leaves)
    assert tree.pot == sum(sum(some) for some in fees.values())
    assert tree.lane_count == max(fees) + 1


def test_an_epoch_without_a_leaf_has_no_tree() -> None:
    with pytest.raises(ValueError, match="leaves"):
        epoch_tree({0: []})
