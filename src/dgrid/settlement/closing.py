"""Closes an epoch: from its records to the root a gateway signs and the blob archives keep. Pure; refuses gaps.

An epoch without leaves has no root: there is nothing to close.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from dgrid.core.errors import CheckFailed
from dgrid.core.keccak import ZERO_HASH
from dgrid.wire.blob import (
    BLOB_VERSION,
    BlobHeader,
    EpochTree,
    LaneHeader,
    SignedVoucher,
    blob_id,
    encode_blob,
    epoch_tree,
)
from dgrid.wire.messages import EpochRoot
from dgrid.wire.typed import Domain


class ClosingRow(msgspec.Struct, frozen=True, gc=False):
    """One leaf: its place, its record as the blob holds it, and what its tree holds."""

    lane: int
    sequence: int
    record: bytes
    struct_hash: bytes
    fee: int


@dataclass(frozen=True, slots=True)
class Closing:
    """Whose epoch it is; `previous` is the struct hash of the gateway's last root for the token, zero for its first."""

    domain: Domain
    gateway: bytes
    epoch: int
    token: bytes
    previous: bytes = ZERO_HASH


@dataclass(frozen=True, slots=True)
class ClosedEpoch:
    """A root, the blob it names, and the trees, for proofs."""

    root: EpochRoot
    blob: bytes
    blob_id: bytes
    tree: EpochTree


def close_epoch(
    closing: Closing, rows: Iterable[ClosingRow], *, vouchers: Sequence[SignedVoucher] = ()
) -> ClosedEpoch | None:
    """The root and the blob of an epoch; None when it has no leaves.

    Rows come in order of lane and sequence. Raises CheckFailed when a sequence has a gap or a place comes twice.
    """
    lanes: dict[int, list[ClosingRow]] = {}
    for row in rows:
        of_lane = lanes.setdefault(row.lane, [])
        if row.sequence != len(of_lane):
            raise CheckFailed(f"lane {row.lane} goes from sequence {len(of_lane) - 1} to {row.sequence}")
        of_lane.append(row)
    if not lanes:
        return None
    tree = epoch_tree({lane: [(row.struct_hash, row.fee) for row in of_lane] for lane, of_lane in lanes.items()})
    ordered = sorted(lanes.items())
    header = _header(closing, ordered, tuple(vouchers))
    blob = encode_blob(header, [row.record for _, of_lane in ordered for row in of_lane])
    name = blob_id(blob)
    return ClosedEpoch(_root(closing, tree, name), blob, name, tree)


def _header(
    closing: Closing, lanes: list[tuple[int, list[ClosingRow]]], vouchers: tuple[SignedVoucher, ...]
) -> BlobHeader:
    return BlobHeader(
        BLOB_VERSION,
        closing.domain.chain_id,
        closing.domain.verifying_contract,
        closing.gateway,
        closing.epoch,
        closing.token,
        tuple(LaneHeader(lane, tuple(len(row.record) for row in rows)) for lane, rows in lanes),
        vouchers,
    )


def _root(closing: Closing, tree: EpochTree, name: bytes) -> EpochRoot:
    return EpochRoot(
        closing.gateway,
        closing.epoch,
        closing.token,
        tree.records.root.hash,
        tree.lane_count,
        name,
        tree.pot,
        closing.previous,
    )
