"""Leaves and their paths as the contracts take them: what a claim, a collection or a challenge shows."""

from typing import Any, Self

import msgspec

from dgrid.core.merkle import Path, TreeNode, leaf, root_of_path
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
