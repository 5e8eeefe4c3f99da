import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.errors import NodeMisbehaved
from dgrid.wire.frames import (
    FRAME_BYTES_MAX,
    DispatchEnvelope,
    FrameKind,
    FrameReader,
    NodeDone,
    decode_dispatch,
    decode_done,
    encode,
    frame,
)
from dgrid.wire.messages import Dispatch, NodeReceipt
from dgrid.wire.seals import Seal

frames = st.lists(st.tuples(st.sampled_from(FrameKind), st.binary(max_size=300)), max_size=8)
SEAL = Seal(bytes(65), 0, 1, ())


@given(frames, st.data())
def test_frames_come_out_whole_however_the_stream_is_cut(
    sent: list[tuple[FrameKind, bytes]], data: st.DataObject
) -> None:
    stream, reader, got = b"".join(frame(*one) for one in sent), FrameReader(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        got += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert got == sent


def test_an_oversized_frame_is_refused_by_its_head_alone() -> None:
    with pytest.raises(NodeMisbehaved, match="at most"):
        FrameReader().feed(bytes((FrameKind.DATA,)) + (FRAME_BYTES_MAX + 1).to_bytes(4, "big"))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(NodeMisbehaved, match="unknown frame kind 9"):
        FrameReader().feed(b"\x09\0\0\0\0")


def test_the_largest_frame_passes() -> None:
    payload = bytes(FRAME_BYTES_MAX)
    assert FrameReader().feed(frame(FrameKind.DATA, payload)) == [(FrameKind.DATA, payload)]


def dispatch() -> Dispatch:
    return Dispatch(
        *(bytes(32), bytes(32), bytes(20), bytes(20), bytes(32), bytes(32), bytes(20)), 1, 2, 3, 4, 5, *(bytes(32),) * 2
    )


def test_a_dispatch_comes_back_as_it_was() -> None:
    envelope = DispatchEnvelope(dispatch().packed(), SEAL, bytes(32), "m", b"{}")
    assert decode_dispatch(encode(envelope)) == (envelope, dispatch())


def test_a_dispatch_with_a_short_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        decode_dispatch(encode(DispatchEnvelope(dispatch().packed(), SEAL, b"x", "m", b"{}")))


def test_a_nodes_end_comes_back_as_it_was() -> None:
    receipt = NodeReceipt(bytes(32), bytes(32), bytes(32), 1, 2)
    done = NodeDone(receipt.packed(), SEAL, b"evidence", partial=True)
    assert decode_done(encode(done)) == (done, receipt)


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_with_a_value_error(data: bytes) -> None:
    for decode in (decode_dispatch, decode_done):
        with pytest.raises(ValueError):  # noqa: PT011 any message will do
            decode(data)
