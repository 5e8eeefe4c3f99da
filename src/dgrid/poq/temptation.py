"""What cheating on one request is worth to who thinks about it.

A node that saves Δc by running less than it sold is caught on a checked request with probability δ, an honest one with
ε; a conviction costs it the price, the slash and what it would have earned later. Honesty is the better choice iff

    p · (δ − ε) · (P + σS + V) ≥ Δc

and for an evaluator, with canaries at rate h and effort c saved, iff h · (δ − ε) · (R + σS + V) ≥ c. Both are exact
over the integers. They say what one request is worth, in expectation; how long an impostor earns before it is
convicted, which is what the stake must cover, is `poq.economics`'. Refuses to estimate δ and ε: they are measured.
"""

from dataclasses import dataclass

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
