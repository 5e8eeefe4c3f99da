"""The blobs of judging: their bytes are hashed and committed to, so how they are written is law."""

import msgspec
import pytest

from dgrid.core.errors import CheckFailed
from dgrid.wire import quality
from dgrid.wire.quality import QualityBlob, Reports, credibility_root, decode_quality, encode_quality, reports_root

RECORDS = [one for one in vars(quality).values() if isinstance(one, type) and issubclass(one, msgspec.Struct)]
REPORTS = Reports(31337, b"c" * 20, b"e" * 20, 7, (), b"s" * 65)
DATA = encode_quality(REPORTS)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_record_is_an_array_on_the_wire_and_never_changes(record: type[msgspec.Struct]) -> None:
    """Names on the wire would change every hash, and so every root that was committed to."""
    assert record.__struct_config__.array_like
    assert record.__struct_config__.frozen


def test_a_blob_says_what_it_is_and_comes_back_the_same() -> None:
    assert DATA[:4] == b"DGRQ"
    assert msgspec.msgpack.decode(DATA[4:])[0] == "reports/2"
    assert decode_quality(DATA) == REPORTS
    tags = {one.__struct_config__.tag for one in QualityBlob.__args__}
    assert tags == {"disclosure", "reports/2", "canaries", "samples", "table"}


@pytest.mark.parametrize(
    "data", [b"", b"DGR", b"DGRQ", b"DGRX" + encode_quality(REPORTS)[4:], encode_quality(REPORTS)[:-1]]
)
def test_what_is_no_blob_is_refused(data: bytes) -> None:
    with pytest.raises(CheckFailed):
        decode_quality(data)


def test_nothing_has_the_root_of_nothing() -> None:
    assert reports_root(()) == credibility_root(()) == bytes(32)
