"""What each node earned here in epochs whose checks are not final: the measure of how far its stake still vouches.

Kept in memory, and told again by the ledger after a restart: to start anew frees nobody.
"""

from collections.abc import Callable, Iterable, Sequence


class Exposure:
    """Running totals now, less those of the last epoch that is past doubt."""

    def __init__(self, total_wei: Callable[[bytes], int], nodes: Callable[[], Iterable[bytes]]) -> None:
        self._total_wei, self._nodes = total_wei, nodes
        self._checked: dict[bytes, int] = {}
        self._closed: dict[int, dict[bytes, int]] = {}  # in order of epochs

    def restore(self, earned: Iterable[tuple[int, bytes, int]], *, closed: Sequence[int]) -> None:
        """What the ledger says of doubtful epochs: (epoch, node, its total before), in order, and which are over."""
        for epoch, node, before_wei in earned:
            self._checked.setdefault(node, before_wei)
            for over in closed:
                if over < epoch:
                    self._closed.setdefault(over, {}).setdefault(node, before_wei)
        for over in closed:
            totals = self._closed.setdefault(over, {})
            totals.update({node: self._total_wei(node) for node in self._checked if node not in totals})

    def exposed_wei(self, node: bytes) -> int:
        """What was earned since."""
        total_wei = self._total_wei(node)
        return total_wei - self._checked.setdefault(node, total_wei)

    def closed(self, epoch: int) -> None:
        """Remembers the totals at an epoch's end, or a little more."""
        self._closed[epoch] = {node: self._total_wei(node) for node in self._nodes()}

    def look(self, is_checked: Callable[[int], bool]) -> None:
        """Forgets epochs past doubt, the oldest first: a later one does not vouch for what came before it."""
        while self._closed and is_checked(oldest := min(self._closed)):
            for node, total_wei in self._closed.pop(oldest).items():
                self._checked[node] = max(self._checked.get(node, 0), total_wei)
