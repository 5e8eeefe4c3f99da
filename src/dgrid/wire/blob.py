"""An epoch's blob: every record at its place, every channel's latest voucher; named by its hash.

blob = header length (4 bytes) ‖ header (msgpack) ‖ records side by side (msgpack each). The header lists each record's
size, so a record is found by its place without reading the others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from dgrid.core.errors import CheckFailed
from dgrid.core.keccak import ZERO_HASH, keccak
from dgrid.core.merkle import SumTree, TreeNode, lane_item, leaf
from dgrid.wire.decoding import decode_with
from dgrid.wire.documents import Record
from dgrid.wire.messages import InferenceReceipt

BLOB_VERSION = 1
BLOB_BYTES_MAX = 512 * 1024 * 1024
LANES_MAX = 4096


class SignedVoucher(msgspec.Struct, frozen=True, array_like=True):
    """A channel, and what its payer (or the payer's authorizer) last promised."""

    config: bytes  # packed ChannelConfig
    max_claimable: bytes  # 16 bytes, big endian
    signature: bytes


class LaneHeader(msgspec.Struct, frozen=True, array_like=True):
    lane: int
    record_sizes: tuple[int, ...]


class BlobHeader(msgspec.Struct, frozen=True, array_like=True):
    version: int
    chain_id: int
    settlement: bytes
    gateway: bytes
    epoch: int
    token: bytes
    lanes: tuple[LaneHeader, ...]
    vouchers: tuple[SignedVoucher, ...]


_record_decoder = msgspec.msgpack.Decoder(Record)
_header_decoder = msgspec.msgpack.Decoder(BlobHeader)


def encode_record(record: Record) -> bytes:
    return msgspec.msgpack.encode(record)


def decode_record(data: bytes) -> Record:
    """Raises ValueError."""
    return decode_with(_record_decoder, data)


def encode_blob(header: BlobHeader, records: Sequence[bytes]) -> bytes:
    """The blob's bytes; `records` in the order of the header's lanes."""
    head = msgspec.msgpack.encode(header)
    return b"".join((len(head).to_bytes(4, "big"), head, *records))


def blob_id(blob: bytes) -> bytes:
    """The content id: keccak of the bytes."""
    return keccak(blob)


@dataclass(frozen=True)
class EpochBlob:
    """A blob opened."""

    header: BlobHeader
    body: bytes

    @classmethod
    def decode(cls, blob: bytes) -> "EpochBlob":
        """Raises CheckFailed when the bytes are no blob."""
        try:
            size = int.from_bytes(blob[:4], "big")
            header = decode_with(_header_decoder, blob[4 : 4 + size])
        except ValueError as error:
            raise CheckFailed(f"malformed blob: {error}") from None
        body = blob[4 + size :]
        if header.version != BLOB_VERSION or sum(sum(lane.record_sizes) for lane in header.lanes) != len(body):
            raise CheckFailed("the blob's size is not what its header says")
        return cls(header, body)

    def records(self) -> Iterator[tuple[int, int, Record]]:
        """(lane, sequence, record), in order. Raises CheckFailed."""
        at = 0
        for lane in self.header.lanes:
            for sequence, size in enumerate(lane.record_sizes):
                yield lane.lane, sequence, self._decode(self.body[at : at + size])
                at += size

    def record_at(self, lane: int, sequence: int) -> Record:
        """The record at a place. Raises KeyError where there is none, CheckFailed."""
        at = 0
        for one in self.header.lanes:
            sizes = one.record_sizes
            if one.lane == lane and sequence < len(sizes):
                at += sum(sizes[:sequence])
                return self._decode(self.body[at : at + sizes[sequence]])
            at += sum(sizes)
        raise KeyError((lane, sequence))

    @staticmethod
    def _decode(data: bytes) -> Record:
        try:
            return decode_record(data)
        except ValueError as error:
            raise CheckFailed(f"malformed record: {error}") from None

    @cached_property
    def receipts(self) -> dict[int, list[InferenceReceipt]]:
        """The receipts by lane, in order of sequence. Raises CheckFailed."""
        found: dict[int, list[InferenceReceipt]] = {lane.lane: [] for lane in self.header.lanes}
        for lane, _, record in self.records():
            try:
                found[lane].append(InferenceReceipt.unpacked(record.receipt))
            except ValueError as error:
                raise CheckFailed(f"malformed receipt: {error}") from None
        return found


@dataclass(frozen=True, slots=True)
class EpochTree:
    """The lanes' trees and the records tree over them."""

    lanes: dict[int, SumTree]
    records: SumTree

    @property
    def pot(self) -> int:
        return self.records.root.total

    @property
    def lane_count(self) -> int:
        """How many lanes the records tree holds; the empty ones in between are leaves too."""
        return self.records.count

    def lane_index(self, lane: int) -> int:
        """Where a lane stands in the records tree: lane `i` at index `i`, as the contract has it."""
        return lane

    def lane_leaf(self, lane: int) -> TreeNode:
        """What the records tree holds for a lane: of one without records that it holds none, for nothing."""
        return _lane_leaf(lane, self.lanes.get(lane))


def epoch_tree(leaves: dict[int, list[tuple[bytes, int]]]) -> EpochTree:
    """The trees over (struct hash, fee) by lane. Raises ValueError when all are empty or a number is too high."""
    lanes = {lane: SumTree([leaf(item, fee) for item, fee in items]) for lane, items in sorted(leaves.items()) if items}
    if not lanes or max(lanes) >= LANES_MAX:
        raise ValueError(f"an epoch has leaves in lanes below {LANES_MAX}")
    return EpochTree(lanes, SumTree([_lane_leaf(lane, lanes.get(lane)) for lane in range(max(lanes) + 1)]))


def _lane_leaf(lane: int, tree: SumTree | None) -> TreeNode:
    root, count = (TreeNode(ZERO_HASH, 0), 0) if tree is None else (tree.root, tree.count)
    return leaf(lane_item(lane, count, root), root.total)
