"""How each node does, as measured here: latency (peak-EWMA), requests in flight, failures in a row.

A latency above the average is believed at once, one below it only over time, so that a node that slows down loses
traffic quickly and wins it back slowly. How far two latencies are compared at all depends on how often they were
measured, and how long ago: a first answer also pays for what starts cold, and a node that nobody asks cannot show that
it has become fast again.
"""

from dataclasses import dataclass
from math import exp

DECAY_MS = 10_000
DOUBT = 2  # a latency just measured is half believed after so many answers
DOUBT_AGES_MS = 60_000  # after so long it is doubted twice as much, after twice as long three times
ENOUGH = 20  # more answers than these do not make it more certain
LEAST_MS = 0.1  # below it a clock of whole milliseconds says nothing
UNKNOWN_MS = 5.0  # a node that nobody has measured, to who wants the fastest: tried soon, but not by all at once
FAILURES_TO_EJECT = 3
EJECTED_MS = 5_000
EJECTIONS_MAX = 12  # a node is away for at most a minute
RAMP_MS = 10_000  # how long a node that comes back takes to get its whole share again
RAMP_START = 0.2
TYPICAL_TOKENS = 16


@dataclass(slots=True)
class NodeLoad:
    """One node's figures. They change with every request; decisions read them."""

    in_flight: int = 0
    latency_ms: float | None = None
    measured_ms: int = 0
    failures: int = 0  # in a row
    ejections: int = 0  # in a row
    ejected_until_ms: int = 0
    served: int = 0

    def cost(self) -> float:
        """What one more request would wait, roughly."""
        return (UNKNOWN_MS if self.latency_ms is None else self.latency_ms) * (self.in_flight + 1)

    def trust(self, now_ms: int) -> float:
        """How far its latency is believed, from 0 to 1."""
        answers = min(self.served, ENOUGH)
        return answers / (answers + DOUBT * (1 + max(0, now_ms - self.measured_ms) / DOUBT_AGES_MS))

    def is_ejected(self, now_ms: int) -> bool:
        return now_ms < self.ejected_until_ms

    def reluctance(self, now_ms: int) -> float:
        """By how much a node that was sent away seems to wait longer than measured: 5 when it returns, 1 after 10 s.

        A node that has just started again is slow on what it has forgotten; its old latency says nothing of that.
        """
        since_ms = now_ms - self.ejected_until_ms
        if since_ms >= RAMP_MS or not self.ejected_until_ms:
            return 1.0
        return 1 / max(RAMP_START, since_ms / RAMP_MS)

    def succeeded(self, latency_ms: float, now_ms: int) -> None:
        """Takes a measured latency in. Until there are many, what it falls to is their mean."""
        known, age_ms = self.latency_ms, max(0, now_ms - self.measured_ms)
        latency_ms = max(LEAST_MS, latency_ms)
        if known is None or latency_ms > known:
            self.latency_ms = latency_ms
        else:
            weight = min(exp(-age_ms / DECAY_MS), self.served / (self.served + 1))
            self.latency_ms = known * weight + latency_ms * (1 - weight)
        self.measured_ms, self.failures, self.ejections = now_ms, 0, 0
        self.served += 1

    def failed(self, now_ms: int) -> None:
        """Counts a failure; the third in a row ejects for a while, longer each time."""
        self.failures += 1
        if self.failures >= FAILURES_TO_EJECT:
            self.eject(now_ms)

    def eject(self, now_ms: int) -> None:
        """Sends the node away for 5 s, 10 s, …"""
        self.failures, self.ejections = 0, min(self.ejections + 1, EJECTIONS_MAX)
        self.ejected_until_ms = now_ms + EJECTED_MS * self.ejections


class Loads:
    """The figures of every node ever seen by this process."""

    def __init__(self) -> None:
        self._nodes: dict[bytes, NodeLoad] = {}

    def of(self, node: bytes) -> NodeLoad:
        load = self._nodes.get(node)
        if load is None:
            load = self._nodes[node] = NodeLoad()
        return load


def slowness(one: NodeLoad, other: NodeLoad, *, now_ms: int) -> float:
    """How many times as slow one seems as the other, as far as both are known: the logarithm of the ratio is shrunk
    towards 0 by the trust in each, as an estimate is towards its prior. 1 where one was never measured."""
    if one.latency_ms is None or other.latency_ms is None:
        return 1.0
    ratio: float = (one.latency_ms / other.latency_ms) ** (one.trust(now_ms) * other.trust(now_ms))
    return ratio


def comparable_ms(total_ms: float, tokens_out: int) -> float:
    """The latency of a whole answer, as if it had had a typical length."""
    return total_ms * TYPICAL_TOKENS / (TYPICAL_TOKENS + tokens_out)
