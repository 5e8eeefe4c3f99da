"""Where a receipt stands for good: (epoch, lane, sequence) of one gateway, fixed before it is signed."""

from typing import NamedTuple

NO_PLACE = 2**128 - 1  # a party's `previous` when it has no earlier leaf in this lane


class Place(NamedTuple):
    """A leaf's place; within its lane and epoch, `sequence` is also its index in the lane's tree."""

    epoch: int
    lane: int
    sequence: int

    def packed(self) -> int:
        """epoch · 2⁶⁴ + sequence: how a later leaf of the same lane names this one."""
        return self.epoch << 64 | self.sequence


def unpack_place(packed: int, *, lane: int) -> Place | None:
    """The place behind a packed `previous`, or None where there was none."""
    return None if packed == NO_PLACE else Place(packed >> 64, lane, packed & (2**64 - 1))
