"""Since when a role has followed the chain, and when it was away from it: a value that grows with each look.

Whoever was away cannot tell one that kept silent from one that could not speak. Times are the chain's own seconds;
whether a role was away, the clock on the wall says. Pure: it looks at no clock, and refuses to guess what it forgot.
"""

from dataclasses import dataclass, replace
from typing import Final

LOOKS_APART_S_MAX: Final = 2.0  # with more between two looks the role was away
KEPT: Final = 1_024  # with looks that each take seconds, the last hour's


@dataclass(frozen=True, slots=True)
class Attendance:
    """What one role saw of the chain's time."""

    since_s: int | None = None  # the first look; None before it
    away: tuple[tuple[int, int], ...] = ()  # from, until; ascending
    last_s: int = 0
    last_wall_s: float = 0.0

    def looked(self, chain_s: int, *, wall_s: float) -> "Attendance":
        """One more look, at `chain_s` of the chain's time. The oldest absences are forgotten with all before them."""
        if self.since_s is None:
            return Attendance(chain_s, (), chain_s, wall_s)
        now = replace(self, last_s=max(chain_s, self.last_s), last_wall_s=wall_s)
        if wall_s - self.last_wall_s <= LOOKS_APART_S_MAX or chain_s <= self.last_s:
            return now
        away = (*self.away, (self.last_s, chain_s))
        if len(away) <= KEPT:
            return replace(now, away=away)
        return replace(now, since_s=away[0][1], away=away[1:])

    def saw(self, from_s: int, until_s: int) -> bool:
        """Whether the role was there before that time began, and never away for more than half of it."""
        if self.since_s is None or self.since_s > from_s:
            return False
        missed_s = max((min(until_s, until) - max(from_s, since) for since, until in self.away), default=0)
        return 2 * missed_s <= until_s - from_s


ALWAYS: Final = Attendance(since_s=0)
