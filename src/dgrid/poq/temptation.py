"""What cheating on one request is worth to who thinks about it, and what a conviction must take so that it is not.

A node that saves Δc by running less than it sold is caught on a checked request with probability δ, an honest one with
ε; a conviction costs it the price, the slash and what it would have earned later. Honesty is the better choice iff

    p · (δ − ε) · (P + σS + V) ≥ Δc

and for an evaluator, with canaries at rate h and effort c saved, iff h · (δ − ε) · (R + σS + V) ≥ c. Both are exact
over the integers. They say what one request is worth, in expectation; `requests_until_convicted` says how long an
impostor earns before, which is what the stake must cover. Refuses to estimate δ and ε: they are measured.
"""

from dataclasses import dataclass
from math import comb

from dgrid.core.money import BPS

SQUARED_BPS = BPS * BPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Temptation:
    """One request (or duty) as somebody sees it who thinks about cheating on it."""

    check_bps: int  # p or h: how often it is checked
    hit_bps: int  # δ: cheating is found on a checked one
    false_bps: int  # ε: honesty is taken for cheating
    price_wei: int  # P or R: withheld on conviction
    slash_wei: int  # σS
    rents_wei: int  # V: later earnings lost on conviction
    saving_wei: int  # Δc or c

    @property
    def at_stake_wei(self) -> int:
        return self.price_wei + self.slash_wei + self.rents_wei

    @property
    def is_resisted(self) -> bool:
        """Whether honesty is at least as good."""
        return self.check_bps * (self.hit_bps - self.false_bps) * self.at_stake_wei >= self.saving_wei * SQUARED_BPS

    @property
    def least_slash_wei(self) -> int | None:
        """The smallest slash that makes it so, rounded up; None where none does."""
        margin = self.check_bps * (self.hit_bps - self.false_bps)
        if margin <= 0:
            return 0 if self.saving_wei <= 0 else None
        return max(0, -(-self.saving_wei * SQUARED_BPS // margin) - self.price_wei - self.rents_wei)


def requests_until_convicted(temptation: Temptation, *, detections: int, certainty_bps: int) -> int:
    """After how many cheated requests that many detections have happened with that certainty (below 10,000).

    Exact: the smallest n with P(Binomial(n, p·δ) ≥ detections) ≥ certainty. Raises ValueError where it never comes.
    """
    if temptation.check_bps * temptation.hit_bps <= 0 or not 0 <= certainty_bps < BPS:
        raise ValueError("who is never checked is never convicted, and nothing is ever certain")
    low, high = detections, detections
    while not _convicted(high, temptation, detections=detections, certainty_bps=certainty_bps):
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if _convicted(middle, temptation, detections=detections, certainty_bps=certainty_bps):
            high = middle
        else:
            low = middle + 1
    return high


def least_stake_wei(temptation: Temptation, *, slash_bps: int, detections: int, certainty_bps: int) -> int:
    """The stake whose slashed share is worth what an impostor saves until it is convicted; rounded up."""
    requests = requests_until_convicted(temptation, detections=detections, certainty_bps=certainty_bps)
    return -(-requests * temptation.saving_wei * BPS // slash_bps)


def _convicted(requests: int, temptation: Temptation, *, detections: int, certainty_bps: int) -> bool:
    """Whether so many detections among the requests are certain enough; in whole numbers over 10⁸ to the n."""
    hit = temptation.check_bps * temptation.hit_bps
    miss = SQUARED_BPS - hit
    fewer: int = sum(comb(requests, k) * hit**k * miss ** (requests - k) for k in range(detections))
    whole: int = SQUARED_BPS**requests
    return fewer * BPS <= (BPS - certainty_bps) * whole
