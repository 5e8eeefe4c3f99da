"""What this gateway owes each node beyond what the chain has settled: the measure of its credit lines.

Kept in memory: after a restart all earlier debt counts as settled here. The node keeps its own account and refuses by
that.
"""

from collections.abc import Callable, Iterable

EPOCHS_KEPT = 256


class Debts:
    """Running totals now, less those of the last anchored epoch."""

    def __init__(self, total_wei: Callable[[bytes], int], nodes: Callable[[], Iterable[bytes]]) -> None:
        self._total_wei, self._nodes = total_wei, nodes
        self._settled: dict[bytes, int] = {}
        self._closed: dict[int, dict[bytes, int]] = {}

    def owed_wei(self, node: bytes) -> int:
        """What is not settled yet."""
        total_wei = self._total_wei(node)
        if node not in self._settled:
            self._settled[node] = total_wei
        return total_wei - self._settled[node]

    def closed(self, epoch: int) -> None:
        """Remembers the totals that an epoch's root will settle, or a little more."""
        self._closed[epoch] = {node: self._total_wei(node) for node in self._nodes()}
        while len(self._closed) > EPOCHS_KEPT:
            self._closed.pop(min(self._closed))

    def anchored(self, epoch: int) -> None:
        """The epoch's totals are on chain."""
        for node, total_wei in self._closed.pop(epoch, {}).items():
            self._settled[node] = max(self._settled.get(node, 0), total_wei)
