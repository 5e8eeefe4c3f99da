"""Leaves and their paths as the contracts take them: what a claim, a collection or a challenge shows."""

from typing import Any, NamedTuple, Self

import msgspec

from dgrid.core.keccak import ZERO_HASH
from dgrid.core.merkle import Path, TreeNode, lane_item, leaf, root_of_path
from dgrid.core.places import Place
from dgrid.wire.blob import EpochTree
from dgrid.wire.messages import EpochRoot, InferenceReceipt
from dgrid.wire.seals import Seal


class LeafProof(msgspec.Struct, frozen=True, array_like=True):
    """A receipt, the root it is under, and the way between them."""

    root: bytes  # packed EpochRoot
    receipt: bytes  # packed InferenceReceipt
    count: int  # leaves of the lane
    record_path: tuple[tuple[bytes, int], ...]
    lane_path: tuple[tuple[bytes, int], ...]

    @classmethod
    def of(cls, root: EpochRoot, tree: EpochTree, *, receipt: InferenceReceipt) -> Self:
        """The proof of a receipt at its place. Raises KeyError, IndexError when the place is not in the tree."""
        lane = tree.lanes[receipt.place.lane]
        record_path = tuple((node.hash, node.total) for node in lane.path(receipt.place.sequence))
        lane_path = tuple((node.hash, node.total) for node in tree.records.path(tree.lane_index(receipt.place.lane)))
        return cls(root.packed(), receipt.packed(), lane.count, record_path, lane_path)

    def opened(self) -> tuple[EpochRoot, InferenceReceipt]:
        """The root and the receipt. Raises ValueError."""
        return EpochRoot.unpacked(self.root), InferenceReceipt.unpacked(self.receipt)

    def arguments(self) -> tuple[Any, ...]:
        """The Solidity struct LeafProof."""
        root, receipt = self.opened()
        return root, leaf_arguments(receipt), (self.count, self.record_path, self.lane_path)

    def lane_root(self) -> TreeNode:
        """The lane's root that the record path leads to. Raises ValueError."""
        _, receipt = self.opened()
        start = leaf(receipt.struct_hash(), receipt.shares.fee)
        return root_of_path(start, index=receipt.place.sequence, count=self.count, path=_path(self.record_path))

    def leads(self) -> bool:
        """Whether it leads to its root and pot, as the contracts check it."""
        root, receipt = self.opened()
        try:
            top, lane = self.lane_root(), receipt.place.lane
            start = leaf(lane_item(lane, self.count, top), top.total)
            found = root_of_path(start, index=lane, count=root.lane_count, path=_path(self.lane_path))
        except (ValueError, OverflowError):
            return False
        return found == (root.records_root, root.pot)


class LaneWay(NamedTuple):
    """The way up from a lane that holds nothing at a place: what answers for the place."""

    lane: int
    path: Path

    def leads(self, root: EpochRoot, tree: EpochTree) -> bool:
        """Whether it leads to the root and its pot from the lane as the tree has it."""
        try:
            found = root_of_path(tree.lane_leaf(self.lane), index=self.lane, count=root.lane_count, path=self.path)
        except (ValueError, OverflowError):
            return False
        return found == (root.records_root, root.pot)


def lane_proof(root: EpochRoot, tree: EpochTree, *, lane: int) -> tuple[Any, ...]:
    """The Solidity struct LaneProof: what the root holds for a lane. One that it does not reach needs no path."""
    records = tree.lanes.get(lane)
    count, top = (0, TreeNode(ZERO_HASH, 0)) if records is None else (records.count, records.root)
    path = tree.records.path(tree.lane_index(lane)) if lane < tree.lane_count else ()
    return root, lane, (lane, count, top.hash, top.total), path


def absence(root: EpochRoot, tree: EpochTree, *, place: Place, found: InferenceReceipt | None) -> tuple[Any, ...]:
    """The Solidity struct Absence: what stands at a place; `found` is None where the lane ends before it."""
    lane = lane_proof(root, tree, lane=place.lane)
    if found is None:
        return lane, ZERO_HASH, 0, ()
    return lane, found.struct_hash(), found.shares.fee, tree.lanes[place.lane].path(place.sequence)


def _path(steps: tuple[tuple[bytes, int], ...]) -> Path:
    return tuple(TreeNode(name, total) for name, total in steps)


def leaf_arguments(receipt: InferenceReceipt) -> tuple[Any, ...]:
    """The Solidity struct Leaf: the receipt with the groups that settlement never reads given as hashes."""
    return (
        receipt.request_id,
        receipt.parent_receipt,
        receipt.node_receipt_hash,
        receipt.parties,
        receipt.place,
        receipt.usage.struct_hash(),
        receipt.shares,
        receipt.totals,
        receipt.previous,
        receipt.hashes.struct_hash(),
    )


def seal_arguments(seal: Seal) -> tuple[Any, ...]:
    """The Solidity struct Seal."""
    return seal.index, seal.count, seal.path, seal.signature
