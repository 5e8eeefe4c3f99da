"""What is believed of each node's work, as one frozen picture: the rows of a quality table, ready to be looked up.

Pure. A choice among nodes is this gateway's own affair, so floats are allowed here; money never comes near.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from random import Random

import msgspec

from dgrid.poq.credibility import counts_of, interval_bps
from dgrid.poq.rules import CredibilityRules
from dgrid.wire.quality import CredibilityRow

BPS = 10_000
MICROS = 1_000_000
KNOWN = CredibilityRules()
EVERY_TASK = ""  # the row for all kinds of work together


class Standing(msgspec.Struct, frozen=True, gc=False):
    """A Beta posterior over how good a node's answers are; `low_bps` and `high_bps` bound its central 90 %.

    `own_low_bps` and `own_high_bps` would, were the level of its model known: what all nodes of a model may be off by
    together is left out where they are compared with each other.
    """

    good: float = 1.0
    bad: float = 1.0
    mean_bps: int = 5_000
    low_bps: int = 0
    high_bps: int = BPS
    samples: int = 0  # canaries, judgements and identity checks ever counted
    own_low_bps: int = 0
    own_high_bps: int = BPS

    @property
    def spread(self) -> float:
        """The posterior's standard deviation: √(ab / ((a + b)² (a + b + 1)))."""
        total = self.good + self.bad
        return sqrt(self.good * self.bad / (total + 1)) / total

    @property
    def own_reach(self) -> float:
        """Half of its own interval's width."""
        return (self.own_high_bps - self.own_low_bps) / (2 * BPS)

    @property
    def common_reach(self) -> float:
        """What widens that to the whole interval: variances add up."""
        return sqrt(max(0.0, ((self.high_bps - self.low_bps) / (2 * BPS)) ** 2 - self.own_reach**2))


UNKNOWN = Standing()


@dataclass(frozen=True, slots=True)
class Credibility:
    """The standings after a round: by (node, model id, task)."""

    round: int = -1
    standings: Mapping[tuple[bytes, bytes, str], Standing] = field(default_factory=dict)

    @classmethod
    def of(cls, round_number: int, rows: Iterable[CredibilityRow]) -> "Credibility":
        return cls(round_number, {(row.node, row.model, str(row.task)): standing_of(row) for row in rows})

    def find(self, node: bytes, model_id: bytes, *, task: str = EVERY_TASK) -> Standing:
        """What is believed of a node's work with a model; of one never judged, nothing."""
        return self.standings.get((node, model_id, task), UNKNOWN)


NOTHING_KNOWN = Credibility()


def standing_of(row: CredibilityRow) -> Standing:
    good, bad = max(1, row.good_micros) / MICROS, max(1, row.bad_micros) / MICROS
    own = interval_bps(counts_of(row), KNOWN)
    return Standing(good, bad, row.mean_bps, row.low_bps, row.high_bps, row.samples, *own)


def pooled(standings: Iterable[Standing]) -> Standing:
    """The evidence of one model's nodes as if it were one's. The interval is a normal law's, its variance what the
    nodes' own intervals say: graded answers scatter less than counts alone would. What they may be off by together
    does not even out.
    """
    known = [one for one in standings if one.samples]
    if not known:
        return UNKNOWN
    good, bad = sum(one.good for one in known), sum(one.bad for one in known)
    total, mean = good + bad, good / (good + bad)
    shares = [(one.good + one.bad) / total for one in known]
    own = sum((share * one.own_reach) ** 2 for share, one in zip(shares, known, strict=True))
    together = sum(share * one.common_reach for share, one in zip(shares, known, strict=True))
    reach = sqrt(own + together**2)
    low, high = max(0.0, mean - reach), min(1.0, mean + reach)
    mean_bps, low_bps, high_bps = (round(value * BPS) for value in (mean, low, high))
    return Standing(good, bad, mean_bps, low_bps, high_bps, sum(one.samples for one in known))


def sampled(mean: float, spread: float, *, chance: Random) -> float:
    """One draw from the posterior's normal approximation, kept inside (0, 1]: routing by it explores what it doubts."""
    return min(1.0, max(0.01, chance.gauss(mean, spread) if spread else mean))
