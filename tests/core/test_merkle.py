import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.keccak import keccak
from dgrid.core.merkle import SumTree, TreeNode, join, lane_item, leaf, root_of_path

VECTORS = Path(__file__).parents[2] / "contracts" / "test" / "vectors.json"
sums = st.lists(st.integers(0, 2**100), min_size=1, max_size=70)


def tree_of(totals: list[int]) -> SumTree:
    return SumTree([leaf(keccak(index.to_bytes(4, "big")), total) for index, total in enumerate(totals)])


@given(sums)
def test_the_root_carries_the_sum_of_all_leaves(totals: list[int]) -> None:
    assert tree_of(totals).root.total == sum(totals)


@given(sums, st.data())
def test_every_path_leads_to_the_root(totals: list[int], data: st.DataObject) -> None:
    tree = tree_of(totals)
    index = data.draw(st.integers(0, tree.count - 1))
    start = leaf(keccak(index.to_bytes(4, "big")), totals[index])
    assert root_of_path(start, index=index, count=tree.count, path=tree.path(index)) == tree.root


@given(sums, st.data())
def test_an_altered_leaf_sum_or_sibling_leads_elsewhere(totals: list[int], data: st.DataObject) -> None:
    tree = tree_of(totals)
    index = data.draw(st.integers(0, tree.count - 1))
    path, start = tree.path(index), leaf(keccak(index.to_bytes(4, "big")), totals[index])
    assert root_of_path(leaf(keccak(b"?"), totals[index]), index=index, count=tree.count, path=path) != tree.root
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        inflated = TreeNode(path[at].hash, path[at].total + 1)
        altered = (*path[:at], inflated, *path[at + 1 :])
        assert root_of_path(start, index=index, count=tree.count, path=altered) != tree.root


@given(sums, st.data())
def test_a_path_of_the_wrong_length_is_refused(totals: list[int], data: st.DataObject) -> None:
    tree = tree_of(totals)
    index = data.draw(st.integers(0, tree.count - 1))
    start, path = leaf(keccak(b"x")), tree.path(index)
    with pytest.raises(ValueError, match="too long"):
        root_of_path(start, index=index, count=tree.count, path=(*path, start))
    if path:
        with pytest.raises(ValueError, match="too short"):
            root_of_path(start, index=index, count=tree.count, path=path[:-1])


@pytest.mark.parametrize("index", [-1, 3, 2**64])
def test_an_index_outside_the_tree_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        root_of_path(leaf(bytes(32)), index=index, count=3, path=())


def test_a_leaf_is_no_inner_node_and_no_lane() -> None:
    pair = tree_of([1, 2])
    assert len({leaf(pair.root.hash, 3).hash, pair.root.hash, lane_item(0, 2, pair.root)}) == 3


def test_a_sum_beyond_128_bits_has_no_tree() -> None:
    with pytest.raises(OverflowError):
        join(leaf(bytes(32), 2**128 - 1), leaf(bytes(32), 1))


def test_a_tree_has_at_least_one_leaf() -> None:
    with pytest.raises(ValueError, match="at least one"):
        SumTree([])


class TestVectors:
    """The answers that Solidity computed (`contracts/test/Vectors.t.sol` writes them)."""

    known = json.loads(VECTORS.read_text())

    @staticmethod
    def node(value: dict[str, str]) -> TreeNode:
        return TreeNode(bytes.fromhex(value["hash"][2:]), int(value["sum"]))

    def test_the_sum_tree_is_the_contracts(self) -> None:
        known = self.known["sumTree"]
        items = [self.node(item) for item in known["items"]]
        tree = SumTree([leaf(item.hash, item.total) for item in items])
        assert tree.root == self.node(known["root"])
        for index, path in enumerate(known["paths"]):
            assert tree.path(index) == tuple(self.node(step) for step in path)

    def test_lanes_and_their_records_tree_are_the_contracts(self) -> None:
        leaves = []
        for lane in self.known["lanes"]:
            root = TreeNode(bytes.fromhex(lane["root"][2:]), int(lane["fees"]))
            item = lane_item(lane["lane"], lane["count"], root)
            assert item.hex() == lane["item"][2:]
            leaves.append(leaf(item, root.total))
            assert leaves[-1] == self.node(lane["leaf"])
        root = SumTree(leaves).root
        assert root.hash.hex() == self.known["epochRoot"]["recordsRoot"][2:]
        assert root.total == int(self.known["epochRoot"]["pot"])
