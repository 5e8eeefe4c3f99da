"""Whether a leaf follows another as it says: the rules of `Challenges.sol`, 3, as Python has them. Pure.

What lies in epochs whose records nobody has shown yet cannot be judged; nothing is said of it until they are there.
"""

from collections.abc import Iterator
from typing import Protocol

from dgrid.core.places import NO_PLACE, Place, unpack_place
from dgrid.settlement.faults import BrokenTotal, Fault, Gap, MissingPrevious
from dgrid.settlement.totals import Begin, End, Party


class Lanes(Protocol):
    """What is known of a gateway's other epochs."""

    def count(self, epoch: int, lane: int) -> int | None:
        """How many leaves a lane has: 0 where the epoch has no root, None while its records are not known."""
        ...

    def is_known_between(self, first: int, last: int) -> bool:
        """Whether the records of every root after `first` and before `last` are known."""
        ...


class OneEpoch:
    """Who knows a single epoch: whatever points out of it is left alone."""

    def count(self, epoch: int, lane: int) -> int | None:
        return None

    def is_known_between(self, first: int, last: int) -> bool:
        return False


def join_faults(party: Party, later: Begin, *, earlier: End | None, lanes: Lanes) -> Iterator[Fault]:
    """What is wrong between a leaf and `earlier`, the party's latest leaf before it that is known (None: none is)."""
    if party.has_whole_lane:
        yield from _lane_faults(party, later, earlier=earlier, lanes=lanes)
    elif earlier is not None and later.previous == _packed(earlier):
        yield from _total_faults(party, later, earlier)
    elif later.previous == NO_PLACE:
        yield from _first_faults(party, later, earlier)
    elif earlier is not None and later.previous < _packed(earlier):
        yield _gap(party, later, earlier)
    else:
        yield from _named_faults(party, later, lanes)


def _packed(end: End) -> int:
    return end.place.packed()


def _at(place: Place) -> str:
    return f"receipt {place.lane}/{place.sequence}"


def _lane_faults(party: Party, later: Begin, *, earlier: End | None, lanes: Lanes) -> Iterator[Fault]:
    """A total that every leaf of the lane adds to; the leaf before may stand several idle epochs back."""
    since = -1 if earlier is None else earlier.place.epoch
    if since == later.place.epoch or lanes.is_known_between(since, later.place.epoch):
        yield from _total_faults(party, later, earlier)


def _total_faults(party: Party, later: Begin, earlier: End | None) -> Iterator[Fault]:
    expected = 0 if earlier is None else earlier.total
    if later.before != expected:
        text = f"{_at(later.place)}: the {party.name.lower()}'s total is {later.before - expected:+} off"
        yield BrokenTotal(text, party, later.place, None if earlier is None else earlier.place)


def _first_faults(party: Party, later: Begin, earlier: End | None) -> Iterator[Fault]:
    if earlier is not None:
        yield _gap(party, later, earlier)
    elif later.before != 0:
        text = f"{_at(later.place)}: the {party.name.lower()}'s total begins with {later.before} before its first leaf"
        yield BrokenTotal(text, party, later.place, None)


def _gap(party: Party, later: Begin, earlier: End) -> Gap:
    text = f"{_at(later.place)}: the {party.name.lower()}'s previous leaf leaves out {earlier.place}"
    return Gap(text, party, later.place, earlier.place)


def _named_faults(party: Party, later: Begin, lanes: Lanes) -> Iterator[Fault]:
    """`Previous` names a place past all that is known of the party: there, another's leaf, or none."""
    named = unpack_place(later.previous, lane=later.place.lane)
    assert named is not None, "the caller has seen to NO_PLACE"
    what = f"{_at(later.place)}: the {party.name.lower()}'s previous leaf"
    if later.previous >= later.place.packed():
        yield BrokenTotal(f"{what} does not come before it", party, later.place, None)
        return
    same = named.epoch == later.place.epoch
    count = later.place.sequence if same else lanes.count(named.epoch, named.lane)
    if count is not None and named.sequence >= count:
        yield MissingPrevious(f"{what} is not there", party, later.place, named)
    elif count is not None:
        yield BrokenTotal(f"{what} is another's", party, later.place, named)
