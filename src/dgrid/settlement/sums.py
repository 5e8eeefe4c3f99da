"""Where a tree counts another sum than lies below it: what challenge 4 shows, found from records, root and pot.

A tree is never published, only its root: so a lie about a sum has to be guessed before it can be shown. One lie is
guessed here, wherever it stands: a record counted with another amount than its fee, or a node or a lane with another
sum than that of what lies below it. The amount follows from the pot. A lane without records that counts for something
can only be asked for: no contract takes an answer from it. Several lies at once are not found; then no record can be
proven under the root either, and whoever demands one wins.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from dgrid.core.keccak import ZERO_HASH
from dgrid.core.merkle import Path, SumTree, TreeNode, join, lane_item, leaf, root_of_path
from dgrid.core.places import Place
from dgrid.wire.blob import EpochTree
from dgrid.wire.messages import EpochRoot, InferenceReceipt

GUESSES_MAX = 200_000


@dataclass(frozen=True, slots=True)
class SumTrail:
    """A node of a lane's tree and the sums on its way up as they were hashed: the Solidity struct of that name."""

    lane: int
    count: int
    index: int
    level: int
    left: bytes  # at level 0 the record's struct hash, and nothing to its right
    left_sum: int
    right: bytes
    right_sum: int
    sum: int
    record_path: Path
    lane_fees: int
    lane_sum: int
    lane_path: Path

    def arguments(self) -> tuple[Any, ...]:
        """As the contract takes it."""
        left, right = (self.left, self.left_sum), (self.right, self.right_sum)
        where = self.lane, self.count, self.index, self.level
        return *where, *left, *right, self.sum, self.record_path, self.lane_fees, self.lane_sum, self.lane_path

    def records_root(self, lane_count: int) -> bytes:
        """The root that the trail leads to. Raises ValueError."""
        width = self.count
        for _ in range(self.level):
            width = (width + 1) >> 1
        lane_root = root_of_path(self._start(), index=self.index, count=width, path=self.record_path)
        item = lane_item(self.lane, self.count, TreeNode(lane_root.hash, self.lane_fees))
        top = root_of_path(leaf(item, self.lane_sum), index=self.lane, count=lane_count, path=self.lane_path)
        return top.hash

    def _start(self) -> TreeNode:
        if self.level == 0:
            return leaf(self.left, self.sum)
        below = join(TreeNode(self.left, self.left_sum), TreeNode(self.right, self.right_sum))
        return TreeNode(below.hash, self.sum if self.record_path else below.total)


Lie = tuple[SumTrail, InferenceReceipt | None]  # the trail that shows it, with the record if it is a record's


def trail_to(tree: EpochTree, receipt: InferenceReceipt, *, at: tuple[int, int]) -> SumTrail:
    """The honest trail of the record at (lane, sequence)."""
    lane, sequence = at
    records = tree.lanes[lane]
    where, fees = (lane, records.count, sequence, 0), records.root.total
    lane_path = tree.records.path(tree.lane_index(lane))
    leaf_hash, fee = receipt.struct_hash(), receipt.shares.fee
    return SumTrail(*where, leaf_hash, 0, bytes(32), 0, fee, records.path(sequence), fees, fees, lane_path)


def wrong_sum(tree: EpochTree, root: EpochRoot, *, receipts: dict[int, list[InferenceReceipt]]) -> Lie | Place | None:
    """The one sum that the root's tree counts wrongly: as a lie that can be shown, or as a place nobody can answer for.

    None when the sums are right, or the lie is not a single one.
    """
    first = next(iter(tree.lanes))
    if tree.lane_count != root.lane_count:
        return None
    if tree.records.root.hash == root.records_root:
        return None if tree.pot == root.pot else (trail_to(tree, receipts[first][0], at=(first, 0)), None)
    difference = root.pot - tree.pot
    if (lane := _paid_for_nothing(tree, root, difference)) is not None:
        return Place(root.epoch, lane, 0)
    for guesses, (trail, receipt) in enumerate(_guesses(tree, difference, receipts)):
        if guesses == GUESSES_MAX:
            return None
        if _leads(trail, root):
            return trail, receipt
    return None


def _leads(trail: SumTrail, root: EpochRoot) -> bool:
    try:
        return trail.records_root(root.lane_count) == root.records_root
    except (ValueError, OverflowError):  # a sum below zero, or past 128 bits
        return False


def _paid_for_nothing(tree: EpochTree, root: EpochRoot, difference: int) -> int | None:
    """The lane without records that counts for the difference, by its own fees or beside them."""
    for lane in range(tree.lane_count) if difference > 0 else ():
        for fees in (difference, 0) if lane not in tree.lanes else ():
            start = leaf(lane_item(lane, 0, TreeNode(ZERO_HASH, fees)), difference)
            path = tree.records.path(tree.lane_index(lane))
            if root_of_path(start, index=lane, count=tree.lane_count, path=path) == (root.records_root, root.pot):
                return lane
    return None


def _guesses(tree: EpochTree, difference: int, receipts: dict[int, list[InferenceReceipt]]) -> Iterator[Lie]:
    """Every trail with one sum wrong by the difference, the lanes' first: they are few."""
    if difference == 0:
        return
    for lane in tree.lanes:
        yield from ((trail, None) for trail in _lane_guesses(tree, difference, lane=lane, receipts=receipts))
    for lane, records in tree.lanes.items():
        for sequence, receipt in enumerate(receipts[lane]):
            yield _raised(trail_to(tree, receipt, at=(lane, sequence)), difference), receipt
        yield from ((trail, None) for trail in _inner_guesses(tree, difference, lane=lane, records=records))


def _lane_guesses(
    tree: EpochTree, difference: int, *, lane: int, receipts: dict[int, list[InferenceReceipt]]
) -> Iterator[SumTrail]:
    """A lane's own leaf counts other fees than its tree holds, or is counted with another sum than it says."""
    honest = trail_to(tree, receipts[lane][0], at=(lane, 0))
    raised = honest.lane_fees + difference
    yield replace(honest, lane_fees=raised, lane_sum=raised)
    yield replace(honest, lane_sum=raised)


def _raised(trail: SumTrail, difference: int) -> SumTrail:
    fees = trail.lane_fees + difference
    return replace(trail, sum=trail.sum + difference, lane_fees=fees, lane_sum=fees)


def _inner_guesses(tree: EpochTree, difference: int, *, lane: int, records: SumTree) -> Iterator[SumTrail]:
    """A node whose parent counts another sum than its children's."""
    fees = records.root.total + difference
    lane_path = tree.records.path(tree.lane_index(lane))
    for level, index, left, right in records.pairs():
        path = records.path_from(level, index)
        if not path:
            continue  # the top has no parent: the lane's leaf counts it
        where, total = (lane, records.count, index, level), left.total + right.total
        yield SumTrail(*where, *left, *right, total + difference, path, fees, fees, lane_path)
