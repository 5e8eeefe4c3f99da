"""What a node streams back: length-prefixed frames, so that nothing has to be searched for in text.

frame = kind (1 byte) ‖ length (4 bytes, big endian) ‖ payload
DATA carries one OpenAI JSON object: a chunk of a stream, or the whole completion. DONE carries the node's signed part.
"""

from enum import IntEnum
from struct import Struct

import msgspec

from dgrid.core.errors import NodeMisbehaved
from dgrid.wire.decoding import decode_with
from dgrid.wire.messages import Dispatch, NodeReceipt
from dgrid.wire.seals import Seal

CONTENT_TYPE = "application/x-dgrid-frames"
DISPATCH_CONTENT_TYPE = "application/x-dgrid-dispatch"
FRAME_BYTES_MAX = 1024 * 1024
_HEAD = Struct(">BI")


class FrameKind(IntEnum):
    DATA = 1
    DONE = 2


def frame(kind: FrameKind, payload: bytes) -> bytes:
    """One frame's bytes."""
    return bytes((kind,)) + len(payload).to_bytes(4, "big") + payload


class FrameReader:
    """Cuts a byte stream into frames; bounded."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[tuple[FrameKind, bytes]]:
        """The frames completed by `data`. Raises NodeMisbehaved on an unknown kind or an oversized frame."""
        buffer = self._buffer + data if self._buffer else data
        frames, at, length = [], 0, len(buffer)
        while (begin := at + _HEAD.size) <= length:
            kind, size = _HEAD.unpack_from(buffer, at)
            if size > FRAME_BYTES_MAX:
                raise NodeMisbehaved(f"a frame has at most {FRAME_BYTES_MAX} bytes")
            if (end := begin + size) > length:
                break
            frames.append((_kind(kind), buffer[begin:end]))
            at = end
        self._buffer = buffer[at:]
        return frames


_KINDS = {int(kind): kind for kind in FrameKind}


def _kind(value: int) -> FrameKind:
    if (kind := _KINDS.get(value)) is None:
        raise NodeMisbehaved(f"unknown frame kind {value}")
    return kind


class SignedReceipt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An InferenceReceipt with its gateway's seal: how receipts travel and are kept."""

    receipt: bytes  # packed InferenceReceipt
    seal: Seal


class DispatchEnvelope(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The body of POST /v1/dispatch."""

    dispatch: bytes  # packed Dispatch
    seal: Seal
    salt: bytes  # 32 bytes, for the hashes of this request
    model: str
    body: bytes  # the client's OpenAI body, as received
    acknowledged: tuple[SignedReceipt, ...] = ()  # the node's receipts signed since the last dispatch, oldest first


class NodeDone(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The payload of DONE: the node's receipt, its seal, and the evidence that the receipt commits to."""

    receipt: bytes  # packed NodeReceipt
    seal: Seal
    evidence: bytes
    partial: bool = False


_envelope = msgspec.msgpack.Encoder()
_dispatch_decoder = msgspec.msgpack.Decoder(DispatchEnvelope)
_done_decoder = msgspec.msgpack.Decoder(NodeDone)


def encode(value: DispatchEnvelope | NodeDone | SignedReceipt) -> bytes:
    return _envelope.encode(value)


def decode_dispatch(data: bytes) -> tuple[DispatchEnvelope, Dispatch]:
    """Raises ValueError (msgspec's DecodeError is one) on anything malformed."""
    envelope = decode_with(_dispatch_decoder, data)
    if len(envelope.salt) != 32:
        raise ValueError("a salt has 32 bytes")
    return envelope, Dispatch.unpacked(envelope.dispatch)


def decode_done(data: bytes) -> tuple[NodeDone, NodeReceipt]:
    """Raises ValueError on anything malformed."""
    done = decode_with(_done_decoder, data)
    return done, NodeReceipt.unpacked(done.receipt)
