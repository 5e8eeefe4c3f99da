"""What an audit can find wrong, each kind with what a challenge of it needs: where it is, and what it stands against.

A sentence is for people; the rest of a fault is for whoever takes it to the chain. Decides nothing itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dgrid.core.places import Place
from dgrid.settlement.totals import Party

KEPT_OF_A_KIND = 100


@dataclass(frozen=True, slots=True)
class Irregular:
    """Wrong, and no contract can be shown it: what only the blob says, or only whoever holds the content knows."""

    text: str


@dataclass(frozen=True, slots=True)
class NoWay:
    """The blob's records do not lead to the root: whoever says they do can be asked for any of them."""

    text: str


@dataclass(frozen=True, slots=True)
class WrongSum:
    """A tree over the blob's records that counts other sums than theirs, so that root and pot come out as signed."""

    text: str


@dataclass(frozen=True, slots=True)
class Misplaced:
    """The leaf at a place is signed for another place, gateway or token: nobody can prove a leaf there."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Unshowable:
    """A record that lacks what makes it one, such as the node's signature: asked for on chain, nobody can show it."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class BadSplit:
    """A fee that is not divided as prices and rules have it."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class BrokenTotal:
    """A running total that is not the last one plus the share, or a `Previous` that names another party's leaf."""

    text: str
    party: Party
    later: Place
    earlier: Place | None  # None: the leaf says it is the party's first, or there is nothing to compare it with


@dataclass(frozen=True, slots=True)
class MissingPrevious:
    """A `Previous` that names a place which its lane never had."""

    text: str
    party: Party
    later: Place
    named: Place


@dataclass(frozen=True, slots=True)
class Gap:
    """A leaf of the same party between a leaf and its `Previous`."""

    text: str
    party: Party
    later: Place
    between: Place


Fault = Irregular | NoWay | WrongSum | Misplaced | Unshowable | BadSplit | BrokenTotal | MissingPrevious | Gap


def limited(faults: Iterable[Fault]) -> list[Fault]:
    """The first hundred of each kind: a hostile epoch costs no more memory than that."""
    counts: dict[type, int] = {}
    kept = []
    for fault in faults:
        counts[type(fault)] = counts.get(type(fault), 0) + 1
        if counts[type(fault)] <= KEPT_OF_A_KIND:
            kept.append(fault)
    return kept
