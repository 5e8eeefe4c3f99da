"""What of a mapping that grows with the chain is still to be dealt with, found without looking at all of it again.

Whoever deals with an entry says so; what is left is looked for where something changed since the last look. A chain
that was read anew changes everything, and everything is looked at.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Final, Generic, TypeVar

from dgrid.chain.by_epoch import ByEpoch, epoch_of

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

EVER: Final = range(1 << 62)


class Backlog(Generic[K, V]):
    """One reader's entries of one mapping."""

    def __init__(self) -> None:
        self.left: dict[K, V] = {}
        self._seen: ByEpoch[K, V] | None = None

    def changed(self, entries: ByEpoch[K, V]) -> list[range]:
        """The epochs that the next look looks at."""
        return [EVER] if self._seen is None else entries.changed_since(self._seen)

    def look(self, entries: ByEpoch[K, V], undone: Callable[[range], Mapping[K, V]]) -> None:
        """Takes note of what is undone in the epochs that changed."""
        for span in self.changed(entries):
            kept = {key: value for key, value in self.left.items() if epoch_of(key) not in span}
            self.left = {**kept, **undone(span)}
        self._seen = entries

    def done(self, key: K) -> None:
        self.left.pop(key, None)

    def look_anew(self) -> None:
        """The next look looks at everything."""
        self._seen = None
