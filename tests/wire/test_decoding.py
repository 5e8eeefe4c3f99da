"""Bytes nested without end are refused like any other nonsense, wherever strangers' bytes are decoded."""

from collections.abc import Callable

import msgspec
import pytest

from dgrid.core.errors import CheckFailed, NodeMisbehaved
from dgrid.wire.blob import BlobHeader, EpochBlob, decode_record
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.frames import NodeDone, decode_dispatch, decode_done
from dgrid.wire.offers import decode_offer
from dgrid.wire.openai import decode_chunk
from dgrid.wire.seals import Seal

DEPTH = 100_000
JSON = b'{"unknown":' + b"[" * DEPTH
PACKED = b"\x91" * DEPTH + b"\xc0"


def with_more(value: msgspec.Struct) -> bytes:
    """A packed record with one field more than we know, nested without end."""
    data = msgspec.msgpack.encode(value)
    return bytes((data[0] + 1,)) + data[1:] + PACKED


DONE = with_more(NodeDone(b"", Seal(b"", 0, 1, ()), b""))
HEADER = with_more(BlobHeader(1, 1, b"", b"", 1, b"", (), ()))


@pytest.mark.parametrize(
    ("decode", "data", "error"),
    [
        (decode_chunk, JSON, ValueError),
        (decode_done, DONE, ValueError),
        (decode_dispatch, PACKED, ValueError),
        (decode_record, PACKED, ValueError),
        (EpochBlob.decode, len(HEADER).to_bytes(4, "big") + HEADER, CheckFailed),
        (ReceiptDocument.decode, JSON[:60_000], CheckFailed),
        (lambda data: decode_offer(data, node=bytes(20)), JSON, NodeMisbehaved),
    ],
    ids=["chunk", "done", "dispatch", "record", "blob", "receipt", "offer"],
)
def test_endless_nesting_is_refused(decode: Callable[[bytes], object], data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        decode(data)
