"""How often requests may be tried again: a fifth of what comes in, over time, so that an outage is not made worse.

A bucket, not a share of what is in flight: one node's death fails many requests in the same moment, and all of them
shall succeed elsewhere; only failing on and on empties it. Knows no node and no request.
"""

from dataclasses import dataclass

RETRIES_A_REQUEST = 0.2
SAVED_MAX = 256.0  # as many requests as one channel may have in flight: they all may fail once


@dataclass(slots=True)
class RetryBudget:
    """The retries that are left."""

    left: float = SAVED_MAX

    def earn(self) -> None:
        """A request came in."""
        self.left = min(SAVED_MAX, self.left + RETRIES_A_REQUEST)

    def spend(self) -> bool:
        """Whether one more attempt may be made; it is counted."""
        if self.left < 1:
            return False
        self.left -= 1
        return True
