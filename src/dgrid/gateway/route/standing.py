"""What is believed of each node's work, as one frozen picture: the rows of a quality table, ready to be looked up.

Pure. A choice among nodes is this gateway's own affair, so floats are allowed here; money never comes near.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from random import Random

import msgspec

from dgrid.wire.quality import CredibilityRow

BPS = 10_000
MICROS = 1_000_000
EVERY_TASK = ""  # the row for all kinds of work together


class Standing(msgspec.Struct, frozen=True, gc=False):
    """A Beta posterior over how good a node's answers are; `low_bps` and `high_bps` bound its central 90 %."""

    good: float = 1.0
    bad: float = 1.0
    mean_bps: int = 5_000
    low_bps: int = 0
    high_bps: int = BPS
    samples: int = 0  # canaries, judgements and identity checks ever counted

    @property
    def spread(self) -> float:
        """The posterior's standard deviation: √(ab / ((a + b)² (a + b + 1)))."""
        total = self.good + self.bad
        return sqrt(self.good * self.bad / (total + 1)) / total


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
    return Standing(good, bad, row.mean_bps, row.low_bps, row.high_bps, row.samples)


def pooled(standings: Iterable[Standing]) -> Standing:
    """The evidence of several nodes as if it were one's. The interval is a normal law's, its variance what the nodes'
    own intervals say: graded answers scatter less than counts alone would.
    """
    known = [one for one in standings if one.samples]
    if not known:
        return UNKNOWN
    good, bad = sum(one.good for one in known), sum(one.bad for one in known)
    total, mean = good + bad, good / (good + bad)
    reach = sqrt(sum(((one.good + one.bad) / total * (one.high_bps - one.low_bps) / 2) ** 2 for one in known)) / BPS
    low, high = max(0.0, mean - reach), min(1.0, mean + reach)
    mean_bps, low_bps, high_bps = (round(value * BPS) for value in (mean, low, high))
    return Standing(good, bad, mean_bps, low_bps, high_bps, sum(one.samples for one in known))


def sampled(mean: float, spread: float, *, chance: Random) -> float:
    """One draw from the posterior's normal approximation, kept inside (0, 1]: routing by it explores what it doubts."""
    return min(1.0, max(0.01, chance.gauss(mean, spread) if spread else mean))
