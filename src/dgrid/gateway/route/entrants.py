"""Who runs for a model's requests: its sellers, parted once by what is known of their work.

*Proven*: judged often enough. *New*: hardly judged yet; together they get a bounded share, drawn by stake, so that a
node split in many gains nothing. *Doubtful*: the whole interval lies below what most of the others have proven, each
without what the model's nodes may be off by together; all of them stay below 2 % of the model's traffic. Everything
that a request would compute is computed here, once for each picture of the market. Pure.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from random import Random

import msgspec

from dgrid.core.money import Terms, worst_case
from dgrid.gateway.orders import Room, Seller
from dgrid.gateway.route.standing import BPS, Credibility, Standing, pooled

PROVEN_SAMPLES = 5
PEERS_SAMPLES = 30  # a node is taken for its peers' equal until about as many findings say otherwise
LOOKED_AT = 32  # of so many nodes all are looked at
DRAWN = 8


class Repute(StrEnum):
    """What is known of a node's work with a model, in one word."""

    PROVEN = "proven"
    NEW = "new"
    DOUBTFUL = "doubtful"


class Entrant(msgspec.Struct, frozen=True, gc=False):
    """A seller, and what its answers are believed to be worth."""

    seller: Seller
    standing: Standing
    repute: Repute
    mean: float
    spread: float


class Heat(msgspec.Struct, frozen=True):
    """Entrants of one repute, who are drawn by weight: stake where splitting must not pay, otherwise evenly."""

    entrants: tuple[Entrant, ...]
    reach: tuple[int, ...] = ()  # running sums of the weights; none: all weigh the same

    @classmethod
    def by_stake(cls, entrants: tuple[Entrant, ...]) -> "Heat":
        return cls(entrants, tuple(accumulate(max(1, one.seller.stake_wei) for one in entrants)))

    def some(self, chance: Random) -> Sequence[Entrant]:
        """All, if they are few; else some drawn by chance, so that a choice takes as long among many as among few."""
        entrants, reach, size = self.entrants, self.reach, len(self.entrants)
        if size <= LOOKED_AT:
            return entrants
        if not reach:
            return [entrants[int(chance.random() * size)] for _ in range(DRAWN)]
        drawn = (bisect_right(reach, chance.random() * reach[-1]) for _ in range(DRAWN))
        return [entrants[min(at, size - 1)] for at in drawn]


@dataclass(frozen=True, slots=True)
class Field:
    """The sellers that a request may go to, cheapest first, and what was computed of them."""

    sellers: tuple[Seller, ...]
    proven: Heat
    new: Heat
    doubtful: Heat
    contexts: tuple[int, int]  # the smallest, the largest
    dearest: tuple[Terms, ...]  # whoever costs most for some request is among these

    @classmethod
    def of(cls, sellers: tuple[Seller, ...], credibility: Credibility) -> "Field":
        entrants = entrants_of(sellers, credibility)
        parted = {repute: tuple(one for one in entrants if one.repute is repute) for repute in Repute}
        contexts = [seller.context for seller in sellers] or [0]
        return cls(
            sellers,
            Heat(parted[Repute.PROVEN]),
            Heat.by_stake(parted[Repute.NEW]),
            Heat(parted[Repute.DOUBTFUL]),
            (min(contexts), max(contexts)),
            dearest_of(seller.terms for seller in sellers),
        )

    def only(self, fits: Callable[[Seller], bool], credibility: Credibility) -> "Field":
        """The field of those sellers that fit."""
        return Field.of(tuple(seller for seller in self.sellers if fits(seller)), credibility)

    def worst_wei(self, room: Room) -> int:
        """The most that a request can cost here."""
        return max([worst_case_of(terms, room) for terms in self.dearest])

    def find(self, seller: Seller) -> Entrant:
        """A seller's entrant."""
        heats = (self.proven, self.new, self.doubtful)
        return next(one for heat in heats for one in heat.entrants if one.seller is seller)


def entrants_of(sellers: Sequence[Seller], credibility: Credibility) -> list[Entrant]:
    standings = [credibility.find(seller.node, seller.model_id) for seller in sellers]
    known = [one for one in standings if one.samples >= PROVEN_SAMPLES]
    proven, peers = sorted(one.own_low_bps for one in known), pooled(known).mean_bps / BPS
    return [
        entrant_of(seller, standing, repute=repute_of(standing, proven), peers=peers)
        for seller, standing in zip(sellers, standings, strict=True)
    ]


def entrant_of(seller: Seller, standing: Standing, *, repute: Repute, peers: float) -> Entrant:
    """A draw of a new node's worth never strays from the mean: it is tried within a share of its own."""
    spread = 0.0 if repute is Repute.NEW else standing.spread
    trust = standing.samples / (standing.samples + PEERS_SAMPLES)
    return Entrant(seller, standing, repute, trust * standing.mean_bps / BPS + (1 - trust) * peers, spread)


def repute_of(standing: Standing, proven: Sequence[int]) -> Repute:
    """`proven`: the own lower bounds of all that were judged often enough, ascending; this one's among them.

    Who is doubtful is measured by the upper median of the others: up to half of a model's nodes may be false without
    dragging the measure down.
    """
    if standing.samples < PROVEN_SAMPLES:
        return Repute.NEW
    middle = (len(proven) - 1) // 2
    if middle + 1 < len(proven) and standing.own_low_bps <= proven[middle]:
        middle += 1  # leaving itself out moves the middle of the others up
    return Repute.DOUBTFUL if standing.own_high_bps < proven[middle] else Repute.PROVEN


def dearest_of(terms: Iterable[Terms]) -> tuple[Terms, ...]:
    """Those that no other exceeds in both prices: one of them has the highest fee, whatever is asked."""
    found: list[Terms] = []
    for one in sorted(set(terms), key=lambda term: (-term.node.in_wei, -term.node.out_wei)):
        if not found or one.node.out_wei > found[-1].node.out_wei:
            found.append(one)
    return tuple(found)


def worst_case_of(terms: Terms, room: Room) -> int:
    """The most a request can cost at these terms."""
    return worst_case(terms, tokens_in=room.tokens_in, tokens_out_max=room.tokens_out_max)
