"""Merkle sum trees: every inner node commits to what lies under it and to the sum of it.

leaf  = keccak(0x00 ‖ item ‖ sum)          inner = keccak(0x01 ‖ left ‖ left sum ‖ right ‖ right sum)
An odd last node moves up unchanged; sums are 16 bytes. The sum a path proves is therefore the sum of the leaves, by
construction. `Settlement.sol` computes the same.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from dgrid.core.keccak import keccak

SUM_BYTES = 16


class TreeNode(NamedTuple):
    """A hash and the sum of all leaves under it."""

    hash: bytes
    total: int


Path = tuple[TreeNode, ...]
Join = Callable[[TreeNode, TreeNode], TreeNode]


def leaf(item: bytes, total: int = 0) -> TreeNode:
    """The leaf of a 32-byte item that carries `total`."""
    return TreeNode(keccak(b"\x00" + item + total.to_bytes(SUM_BYTES, "big")), total)


def join(left: TreeNode, right: TreeNode) -> TreeNode:
    """The parent of two nodes. Raises OverflowError when the sum leaves 128 bits."""
    encoded = left.total.to_bytes(SUM_BYTES, "big"), right.total.to_bytes(SUM_BYTES, "big")
    (left.total + right.total).to_bytes(SUM_BYTES, "big")
    return TreeNode(keccak(b"\x01" + left.hash + encoded[0] + right.hash + encoded[1]), left.total + right.total)


class SumTree:
    """A tree over leaves in order; at least one leaf."""

    __slots__ = ("_levels",)

    def __init__(self, leaves: Sequence[TreeNode]) -> None:
        if not leaves:
            raise ValueError("a tree has at least one leaf")
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            self._levels.append(_parents(self._levels[-1]))

    @property
    def root(self) -> TreeNode:
        return self._levels[-1][0]

    @property
    def count(self) -> int:
        return len(self._levels[0])

    def path(self, index: int) -> Path:
        """The siblings from leaf `index` to the root. Raises IndexError."""
        return self.path_from(0, index)

    def path_from(self, level: int, index: int) -> Path:
        """The siblings from a node to the root, the leaves being level 0. Raises IndexError."""
        if not 0 <= index < len(self._levels[level]):
            raise IndexError(index)
        siblings = []
        for nodes in self._levels[level:-1]:
            if (sibling := index ^ 1) < len(nodes):
                siblings.append(nodes[sibling])
            index >>= 1
        return tuple(siblings)

    def pairs(self) -> Iterator[tuple[int, int, TreeNode, TreeNode]]:
        """(level, index, left child, right child) of every inner node; a promoted node is none."""
        for level, below in enumerate(self._levels[:-1], start=1):
            for index in range(len(below) // 2):
                yield level, index, below[2 * index], below[2 * index + 1]


def _parents(level: list[TreeNode]) -> list[TreeNode]:
    pairs = [join(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return pairs + level[-1:] if len(level) % 2 else pairs


def root_of_path(start: TreeNode, *, index: int, count: int, path: Path, join: Join = join) -> TreeNode:
    """The root that `start` at `index` of `count` leaves leads to. Raises ValueError on a path of wrong length.

    Whoever walks many paths of one tree may give a `join` that remembers.
    """
    if not 0 <= index < count:
        raise ValueError("the index lies outside the tree")
    node, siblings, width = start, iter(path), count
    while width > 1:
        if index % 2:
            node = join(_next(siblings), node)
        elif index != width - 1:
            node = join(node, _next(siblings))
        index, width = index >> 1, (width + 1) >> 1
    if next(siblings, None) is not None:
        raise ValueError("the path is too long")
    return node


def _next(siblings: Iterator[TreeNode]) -> TreeNode:
    for sibling in siblings:
        return sibling
    raise ValueError("the path is too short")


def lane_item(lane: int, count: int, root: TreeNode) -> bytes:
    """What the records tree holds for one lane: its number, how many leaves, their root and the fees under it."""
    fees = root.total.to_bytes(SUM_BYTES, "big")
    return keccak(b"\x02" + lane.to_bytes(4, "big") + count.to_bytes(8, "big") + root.hash + fees)
