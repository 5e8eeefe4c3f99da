"""One lie about a sum, wherever it stands in the tree, is found from the records, the root and the pot alone."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.settlement.offline import EPOCH, some_books, some_work

from dgrid.core.merkle import SumTree, TreeNode, join, lane_item, leaf
from dgrid.core.places import Place
from dgrid.settlement.closing import ClosedEpoch
from dgrid.settlement.records import tree_of
from dgrid.settlement.sums import wrong_sum
from dgrid.wire.blob import EpochBlob
from dgrid.wire.messages import EpochRoot

SHAPES = st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any)


def closed_with(shape: list[int]) -> ClosedEpoch:
    """An epoch with so many leaves in each lane."""
    books = some_books()
    for lane, count in enumerate(shape):
        for index in range(count):
            books.answer(EPOCH, some_work(index), lane=lane)
    closed = books.close(EPOCH)
    assert closed is not None
    return closed


def found_in(closed: ClosedEpoch, root: EpochRoot) -> object:
    blob = EpochBlob.decode(closed.blob)
    return wrong_sum(tree_of(blob), root, receipts=blob.receipts)


def lying_lane(leaves: list[TreeNode], *, level: int, index: int, by: int) -> TreeNode:
    """A lane's root where one node counts for more than it is; a leaf's own hash says so too."""
    nodes, at = list(leaves), 0
    while True:
        if at == level:
            nodes[index] = TreeNode(nodes[index].hash, nodes[index].total + by)
        if len(nodes) == 1:
            return nodes[0]
        pairs = [join(nodes[left], nodes[left + 1]) for left in range(0, len(nodes) - 1, 2)]
        nodes, at = pairs + (nodes[-1:] if len(nodes) % 2 else []), at + 1


def root_with(closed: ClosedEpoch, lane: int, lying: TreeNode) -> EpochRoot:
    lanes = closed.tree.lanes
    leaves = []
    for number in range(closed.tree.lane_count):
        tree = lanes.get(number)
        top, count = (TreeNode(bytes(32), 0), 0) if tree is None else (tree.root, tree.count)
        top = lying if number == lane else top
        leaves.append(leaf(lane_item(number, count, top), top.total))
    top = SumTree(leaves).root
    return msgspec.structs.replace(closed.root, records_root=top.hash, pot=top.total)


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES)
def test_right_sums_are_right(shape: list[int]) -> None:
    closed = closed_with(shape)
    assert found_in(closed, closed.root) is None


@settings(max_examples=60, deadline=None)
@given(shape=SHAPES, by=st.integers(-1000, 1000).filter(bool), data=st.data())
def test_a_record_counted_with_another_fee_is_found(shape: list[int], by: int, data: st.DataObject) -> None:
    closed = closed_with(shape)
    lane = data.draw(st.sampled_from([at for at, count in enumerate(shape) if count]))
    receipts = EpochBlob.decode(closed.blob).receipts[lane]
    index = data.draw(st.integers(0, len(receipts) - 1))
    fees = [receipt.shares.fee + (by if at == index else 0) for at, receipt in enumerate(receipts)]
    leaves = [leaf(receipt.struct_hash(), max(0, fee)) for receipt, fee in zip(receipts, fees, strict=True)]
    root = root_with(closed, lane, SumTree(leaves).root)
    found = found_in(closed, root)
    assert isinstance(found, tuple)
    trail, receipt = found
    assert receipt is not None or len(receipts) == 1
    assert trail.records_root(root.lane_count) == root.records_root


@settings(max_examples=60, deadline=None)
@given(shape=SHAPES, by=st.integers(1, 1000), data=st.data())
def test_a_node_counted_for_more_than_lies_below_it_is_found(shape: list[int], by: int, data: st.DataObject) -> None:
    closed = closed_with(shape)
    lane = data.draw(st.sampled_from([at for at, count in enumerate(shape) if count]))
    tree = closed.tree.lanes[lane]
    inner = [(level, index) for level, index, _, _ in tree.pairs()]
    if not inner:
        return
    level, index = data.draw(st.sampled_from(inner))
    leaves = [
        leaf(receipt.struct_hash(), receipt.shares.fee) for receipt in EpochBlob.decode(closed.blob).receipts[lane]
    ]
    root = root_with(closed, lane, lying_lane(leaves, level=level, index=index, by=by))
    found = found_in(closed, root)
    assert isinstance(found, tuple)
    assert found[0].records_root(root.lane_count) == root.records_root


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, by=st.integers(1, 1000), in_its_leaf=st.booleans(), data=st.data())
def test_a_lane_without_records_that_counts_for_something_is_to_be_asked_for(
    shape: list[int], by: int, *, in_its_leaf: bool, data: st.DataObject
) -> None:
    lane = data.draw(st.integers(0, len(shape) - 1))
    closed = closed_with([*shape[:lane], 0, *shape[lane:], 1])
    leaves = [closed.tree.lane_leaf(number) for number in range(closed.tree.lane_count)]
    leaves[lane] = leaf(lane_item(lane, 0, TreeNode(bytes(32), by if in_its_leaf else 0)), by)
    top = SumTree(leaves).root
    root = msgspec.structs.replace(closed.root, records_root=top.hash, pot=top.total)
    assert found_in(closed, root) == Place(EPOCH, lane, 0)


@settings(max_examples=30, deadline=None)
@given(shape=SHAPES, by=st.integers(1, 1000))
def test_a_pot_that_is_not_the_sum_is_found(shape: list[int], by: int) -> None:
    closed = closed_with(shape)
    root = msgspec.structs.replace(closed.root, pot=closed.root.pot + by)
    assert isinstance(found_in(closed, root), tuple)
