"""Several lies about sums in one tree: found from records that were shown under its root, one after the other.

A tree is never published, so two lies at once cannot be guessed from its root. But whoever answers a demand shows a way
up in it: each sibling there says what the tree counts. One that is not what the records make of it is a lie that can be
proven as it stands, or hides lies below itself: then a record from there is the next to be asked for.
Each answer leads further down, also that a lane holds none, and who does not answer is convicted for that. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dgrid.core.merkle import Path, SumTree, TreeNode, join, lane_item, leaf
from dgrid.core.places import Place
from dgrid.settlement.proofs import LaneWay, LeafProof
from dgrid.settlement.sums import Lie, SumTrail, trail_to
from dgrid.wire.blob import EpochTree
from dgrid.wire.messages import EpochRoot, InferenceReceipt

Receipts = dict[int, list[InferenceReceipt]]


@dataclass(frozen=True, slots=True)
class _Sibling:
    """A node beside a shown way up that counts something else than its records make of it."""

    level: int
    index: int
    honest: TreeNode
    said: TreeNode
    path: Path  # from here upwards, as it was shown


def lies_shown(proof: LeafProof, tree: EpochTree, *, receipts: Receipts) -> Iterator[Lie | Place]:
    """Each lie beside a proof's way up: as a trail that shows it, or as a place below which it is.

    The proof must lead to its root, and `tree` be the honest one. Raises ValueError when the root is over others.
    """
    root, receipt = proof.opened()
    lane, at = receipt.place.lane, receipt.place.sequence
    records, top = tree.lanes.get(lane), proof.lane_root()
    if records is None or records.count != proof.count or tree.lane_count != root.lane_count:
        raise ValueError("the root is over other records")
    if receipts[lane][at].struct_hash() != receipt.struct_hash():
        raise ValueError("another receipt stands there")
    lane_path = tuple(TreeNode(*one) for one in proof.lane_path)
    honest = SumTrail(lane, records.count, 0, 0, b"", 0, bytes(32), 0, 0, (), top.total, top.total, lane_path)
    start, path = leaf(receipt.struct_hash(), receipt.shares.fee), tuple(TreeNode(*one) for one in proof.record_path)
    for sibling in _siblings(start, at, records, path=path):
        yield _in_lane(sibling, honest, root.epoch, receipts[lane], records)
    start = leaf(lane_item(lane, records.count, top), top.total)
    for sibling in _siblings(start, lane, tree.records, path=lane_path):
        yield _in_lanes(sibling, tree, root.epoch, receipts)


def lies_beside(way: LaneWay, tree: EpochTree, *, root: EpochRoot, receipts: Receipts) -> Iterator[Lie | Place]:
    """The same of a lane's way up, which was shown because nothing stands at a place. Raises ValueError likewise."""
    if tree.lane_count != root.lane_count or not way.leads(root, tree):
        raise ValueError("the root is over other records")
    for sibling in _siblings(tree.lane_leaf(way.lane), way.lane, tree.records, path=way.path):
        yield _in_lanes(sibling, tree, root.epoch, receipts)


def _siblings(start: TreeNode, index: int, honest: SumTree, *, path: Path) -> Iterator[_Sibling]:
    """Those that are not what they should be. Raises ValueError on a path of wrong length."""
    node, level, width, rest = start, 0, honest.count, path
    should = iter(honest.path(index))
    while width > 1:
        if index % 2 or index != width - 1:
            if not rest:
                raise ValueError("the path is too short")
            said, rest = rest[0], rest[1:]
            if (right := next(should)) != said:
                yield _Sibling(*_lowered(level, index ^ 1, honest.count), right, said, (node, *rest))
            node = join(said, node) if index % 2 else join(node, said)
        index, width, level = index >> 1, (width + 1) >> 1, level + 1


def _lowered(level: int, index: int, count: int) -> tuple[int, int]:
    """Where a node really stands: one without a neighbour was only carried up."""
    while level and 2 * index + 1 >= (count + (1 << level - 1) - 1) >> level - 1:
        level, index = level - 1, 2 * index
    return level, index


def _in_lane(
    found: _Sibling, trail: SumTrail, epoch: int, of_lane: list[InferenceReceipt], records: SumTree
) -> Lie | Place:
    trail = replace(trail, index=found.index, level=found.level, sum=found.said.total, record_path=found.path)
    if found.level == 0:
        receipt = of_lane[found.index]
        if leaf(receipt.struct_hash(), found.said.total) == found.said:
            return replace(trail, left=receipt.struct_hash()), receipt
    elif found.said.hash == found.honest.hash:
        where = found.level, found.index
        left, right = next((left, right) for *at, left, right in records.pairs() if tuple(at) == where)
        return replace(trail, left=left.hash, left_sum=left.total, right=right.hash, right_sum=right.total), None
    return Place(epoch, trail.lane, found.index << found.level)


def _in_lanes(found: _Sibling, tree: EpochTree, epoch: int, receipts: Receipts) -> Lie | Place:
    first, last = found.index << found.level, (found.index + 1) << found.level
    lane = next((lane for lane in tree.lanes if first <= lane < last), first)
    if found.level == 0 and (records := tree.lanes.get(lane)) is not None:
        trail = trail_to(tree, receipts[lane][0], at=(lane, 0))
        for fees in {found.said.total, records.root.total}:
            item = lane_item(lane, records.count, TreeNode(records.root.hash, fees))
            if leaf(item, found.said.total) == found.said:
                return replace(trail, lane_fees=fees, lane_sum=found.said.total, lane_path=found.path), None
    return Place(epoch, lane, 0)
