"""Running totals: each party's leaves of a lane form a chain, in which every total is the last one plus the share.

A leaf names its party's last leaf in the lane (`Previous`); gateway and protocol have every leaf of the lane, so theirs
is the one before. `Stretch` is what one epoch adds to a party's chain, seen from outside: where it begins and where it
ends. Stretches of different epochs join by the same rule as leaves do, in whatever order they become known. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from dgrid.core.places import NO_PLACE, Place
from dgrid.wire.messages import InferenceReceipt


class Party(IntEnum):
    """Whose total it is: `Kind` of `Types.sol`, the payer with it."""

    NODE = 0
    LISTING = 1
    GATEWAY = 2
    PROTOCOL = 3
    PAYER = 4

    @property
    def has_whole_lane(self) -> bool:
        """Whether every leaf of a lane is this party's, so that none has to be named."""
        return self in (Party.GATEWAY, Party.PROTOCOL)


class Line(NamedTuple):
    """One party's part of a leaf."""

    party: Party
    key: bytes  # who it is among the parties of this kind
    total: int
    share: int
    previous: int  # packed; NO_PLACE for those who have the whole lane


class Begin(NamedTuple):
    """A leaf as it follows another: what it says came before."""

    place: Place
    previous: int
    before: int  # its total less its share; a liar's may be negative


class End(NamedTuple):
    """A leaf as another follows it."""

    place: Place
    total: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A party's leaves of one lane and epoch, from outside."""

    party: Party
    key: bytes
    begin: Begin
    end: End


def lines(receipt: InferenceReceipt) -> Iterator[Line]:
    """Every running total of a receipt."""
    parties, totals, shares, previous = receipt.parties, receipt.totals, receipt.shares, receipt.previous
    yield Line(Party.PAYER, parties.channel_id, totals.payer, shares.fee, previous.payer)
    yield Line(Party.NODE, parties.node, totals.node, shares.node, previous.node)
    if any(parties.listing_id):
        key = parties.listing_id + parties.listing_version.to_bytes(4, "big")
        yield Line(Party.LISTING, key, totals.listing, shares.listing, previous.listing)
    yield Line(Party.PROTOCOL, b"", totals.protocol, shares.protocol, NO_PLACE)
    yield Line(Party.GATEWAY, b"", totals.gateway, shares.gateway, NO_PLACE)


class Step(NamedTuple):
    """Two leaves that follow each other in a party's chain."""

    party: Party
    earlier: End
    later: Begin


def steps_of(epoch: int, lane: int, *, receipts: Sequence[InferenceReceipt]) -> tuple[list[Stretch], list[Step]]:
    """What a lane's receipts of one epoch, in order, add to each chain, and the steps inside.

    Places are where the leaves stand in the tree, whatever the receipts say.
    """
    begins: dict[tuple[Party, bytes], Begin] = {}
    ends: dict[tuple[Party, bytes], End] = {}
    steps = []
    for sequence, receipt in enumerate(receipts):
        place = Place(epoch, lane, sequence)
        for party, key, total, share, previous in lines(receipt):
            begin = Begin(place, previous, total - share)
            if (earlier := ends.get((party, key))) is None:
                begins[(party, key)] = begin
            else:
                steps.append(Step(party, earlier, begin))
            ends[(party, key)] = End(place, total)
    return [Stretch(*name, begin, ends[name]) for name, begin in begins.items()], steps
