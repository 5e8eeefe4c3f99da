"""However many sums a tree counts wrongly: who asks for records under it finds one, or is not answered and wins."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.settlement.test_sums import SHAPES, closed_with

from dgrid.core.merkle import Path, TreeNode, join, lane_item, leaf, root_of_path
from dgrid.core.places import Place
from dgrid.settlement.closing import ClosedEpoch
from dgrid.settlement.proofs import LaneWay, LeafProof
from dgrid.settlement.records import tree_of
from dgrid.settlement.shown_sums import Receipts, lies_beside, lies_shown
from dgrid.settlement.sums import SumTrail
from dgrid.wire.blob import EpochBlob, EpochTree
from dgrid.wire.messages import EpochRoot, InferenceReceipt

LIES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(-9, 1000)), min_size=2, max_size=6)
OF_LANES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3), st.integers(1, 9)), max_size=2)
SPARSE = st.lists(st.sampled_from((0, 0, 0, 1, 2)), min_size=5, max_size=12).filter(any)
IDLE = st.dictionaries(st.integers(0, 11), st.integers(1, 9), max_size=3)


class LyingTree:
    """Every level as the liar hashed it: a node that lies counts for more, and whatever is above adds that up."""

    def __init__(self, leaves: list[TreeNode], lies: dict[tuple[int, int], int]) -> None:
        self.levels: list[list[TreeNode]] = []
        nodes = leaves
        while True:
            level = len(self.levels)
            nodes = [TreeNode(one.hash, one.total + lies.get((level, at), 0)) for at, one in enumerate(nodes)]
            self.levels.append(nodes)
            if len(nodes) == 1:
                return
            pairs = [join(nodes[at], nodes[at + 1]) for at in range(0, len(nodes) - 1, 2)]
            nodes = pairs + (nodes[-1:] if len(nodes) % 2 else [])

    def path(self, index: int) -> Path:
        found = []
        for nodes in self.levels[:-1]:
            if index ^ 1 < len(nodes):
                found.append(nodes[index ^ 1])
            index >>= 1
        return tuple(found)


class Liar:
    """A gateway that keeps its lying tree, and shows whatever can be shown under its root.

    `lies` are by lane, -1 for the tree of lanes: a node counts for so much more. `idle` are fees of empty lanes.
    """

    def __init__(
        self,
        closed: ClosedEpoch,
        receipts: Receipts,
        lies: dict[int, dict[tuple[int, int], int]],
        *,
        idle: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        self.receipts, self.lanes = receipts, dict[int, LyingTree]()
        tops = []
        for lane in range(closed.tree.lane_count):
            top = TreeNode(bytes(32), idle.get(lane, 0))
            if lane in receipts:
                fees = [one.shares.fee + lies.get(lane, {}).get((0, at), 0) for at, one in enumerate(receipts[lane])]
                leaves = [leaf(one.struct_hash(), fee) for one, fee in zip(receipts[lane], fees, strict=True)]
                inner = {where: by for where, by in lies.get(lane, {}).items() if where[0]}
                self.lanes[lane] = LyingTree(leaves, inner)
                top = self.lanes[lane].levels[-1][0]
            tops.append(leaf(lane_item(lane, len(receipts.get(lane, ())), top), top.total))
        self.tops = LyingTree(tops, lies.get(-1, {}))
        top = self.tops.levels[-1][0]
        self.root: EpochRoot = msgspec.structs.replace(closed.root, records_root=top.hash, pot=top.total)

    def show_absence(self, place: Place, tree: EpochTree) -> LaneWay | None:
        """As the contract accepts it of a lane without records."""
        way = LaneWay(place.lane, self.tops.path(place.lane))
        return way if way.leads(self.root, tree) else None

    def show(self, place: Place) -> LeafProof | None:
        """As the contract accepts it; None where nothing can be shown."""
        receipt, count = self.receipts[place.lane][place.sequence], len(self.receipts[place.lane])
        paths = self.lanes[place.lane].path(place.sequence), self.tops.path(place.lane)
        proof = LeafProof(self.root.packed(), receipt.packed(), count, *paths)
        return proof if proof.leads() else None


def convicts(trail: SumTrail, receipt: InferenceReceipt | None, root: EpochRoot) -> bool:
    """As `Challenges` has it: it leads to the root, and something in it does not add up."""
    assert trail.records_root(root.lane_count) == root.records_root
    if receipt is not None:
        return trail.left == receipt.struct_hash() and trail.sum != receipt.shares.fee
    counted = trail.left_sum + trail.right_sum if trail.level else trail.sum
    start = leaf(trail.left, trail.sum)
    if trail.level:
        below = join(TreeNode(trail.left, trail.left_sum), TreeNode(trail.right, trail.right_sum))
        start = TreeNode(below.hash, trail.sum)
    width = trail.count
    for _ in range(trail.level):
        width = (width + 1) >> 1
    fees = root_of_path(start, index=trail.index, count=width, path=trail.record_path).total
    return not (counted == trail.sum and fees == trail.lane_fees == trail.lane_sum)


@example([0, 0, 1], [(0, 0, 0), (0, 0, 0)], [(1, 0, 1)], {})
@example([1, 0, 0, 1], [(0, 0, 0), (0, 0, 0)], [(1, 0, 1)], {})
@example([1, 0, 0, 0, 0, 0, 0, 1], [(0, 0, 0), (0, 0, 0)], [], {3: 5, 5: 5})
@settings(max_examples=300, deadline=None)
@given(shape=SHAPES | SPARSE, lies=LIES, of_lanes=OF_LANES, idle=IDLE)
def test_whoever_asks_on_finds_a_lie_or_is_not_answered(
    shape: list[int], lies: list[tuple[int, int, int]], of_lanes: list[tuple[int, int, int]], idle: dict[int, int]
) -> None:
    closed = closed_with(shape)
    blob = EpochBlob.decode(closed.blob)
    by_lane: dict[int, dict[tuple[int, int], int]] = {-1: {(level, at): by for level, at, by in of_lanes}}
    for number, (level, at, by) in enumerate(lies):
        by_lane.setdefault(number % len(shape), {})[(level, at)] = by
    liar = Liar(closed, blob.receipts, by_lane, idle=idle)
    if liar.root.records_root == closed.root.records_root:
        return
    tree, place, asked = tree_of(blob), Place(closed.root.epoch, max(blob.receipts), 0), set[Place]()
    for _ in range(64):
        assert place not in asked
        asked.add(place)
        shown = liar.show(place) if place.lane in blob.receipts else liar.show_absence(place, tree)
        if shown is None:
            return  # and is convicted for withholding
        if isinstance(shown, LaneWay):
            found = list(lies_beside(shown, tree, root=liar.root, receipts=blob.receipts))
        else:
            found = list(lies_shown(shown, tree, receipts=blob.receipts))
        trails = [one for one in found if not isinstance(one, Place)]
        if trails:
            assert all(convicts(*one, liar.root) for one in trails)
            return
        place = next(one for one in found if isinstance(one, Place))
    raise AssertionError("asked without end")
