"""A mapping whose keys name an epoch or a round, for what a chain's whole past leaves behind.

Its entries lie in bundles of some hundred epochs. A copy shares the bundles, and whoever changes one copies that one
first: the view of a chain that is a year old takes an event as fast as that of a new one, and who asks for the latest
epochs touches nothing else. Refuses keys that name no epoch.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final, Generic, Self, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

TOGETHER: Final = 128  # epochs in a bundle


def epoch_of(key: Any) -> int:
    """The epoch or round that a key names: itself, or the first of a tuple, or its last."""
    if type(key) is int:
        return key
    return key[0] if type(key[0]) is int else key[-1]


class ByEpoch(MutableMapping[K, V], Generic[K, V]):
    """Iterates over bundles in ascending order, and in each in the order of insertion."""

    __slots__ = ("_bundles", "_highest", "_own")

    def __init__(self, entries: Mapping[K, V] | None = None) -> None:
        self._bundles: dict[int, dict[K, V]] = {}
        self._own: set[int] = set()  # bundles that no copy shares
        self._highest = -1  # of the bundles there ever were
        for key, value in (entries or {}).items():
            self[key] = value

    def copy(self) -> Self:
        """Another with the same entries, in time that hardly grows with them."""
        twin = type(self)()
        twin._bundles, twin._highest = self._bundles.copy(), self._highest  # noqa: SLF001 (one of its kind)
        self._own = set()
        return twin

    def between(self, first: int, end: int | None = None) -> Iterator[tuple[K, V]]:
        """The entries of the epochs from `first` on, up to but without `end`."""
        for number in self._numbers(first, end):
            for key, value in self._bundles.get(number, {}).items():
                if first <= (epoch := epoch_of(key)) and (end is None or epoch < end):
                    yield key, value

    def of(self, number: int) -> Iterator[tuple[K, V]]:
        """The entries of one epoch or round."""
        return self.between(number, number + 1)

    def newest(self) -> Iterator[tuple[K, V]]:
        """All entries, those of the latest epochs first; within one epoch in the order of their keys."""
        for number in sorted(self._bundles, reverse=True):
            yield from sorted(self._bundles[number].items(), key=lambda entry: (-epoch_of(entry[0]), entry[0]))

    def changed_since(self, earlier: "ByEpoch[K, V]") -> list[range]:
        """The epochs in which something may differ from an earlier copy, or from another mapping altogether."""
        before = earlier._bundles  # noqa: SLF001
        numbers = sorted(self._bundles.keys() | before.keys())
        changed = [one for one in numbers if self._bundles.get(one) is not before.get(one)]
        return [range(one * TOGETHER, (one + 1) * TOGETHER) for one in changed]

    def without(self, *others: "ByEpoch[K, Any]") -> Iterator[K]:
        """The keys that none of `others` holds. These must hold no key that is not here, and none twice: so a bundle of
        which they hold as many keys as it has is not looked into.
        """
        for number, bundle in sorted(self._bundles.items()):
            taken = [other._bundles.get(number, {}) for other in others]  # noqa: SLF001
            if sum(map(len, taken)) < len(bundle):
                yield from (key for key in bundle if not any(key in one for one in taken))

    def __getitem__(self, key: K) -> V:
        return self._bundle(key)[key]

    def __contains__(self, key: object) -> bool:
        return key in self._bundle(key)

    def __setitem__(self, key: K, value: V) -> None:
        self._owned(key)[key] = value

    def __delitem__(self, key: K) -> None:
        del self._owned(key)[key]

    def __len__(self) -> int:
        return sum(map(len, self._bundles.values()))

    def __iter__(self) -> Iterator[K]:
        for number in sorted(self._bundles):
            yield from self._bundles[number]

    def __reversed__(self) -> Iterator[K]:
        for number in sorted(self._bundles, reverse=True):
            yield from reversed(self._bundles[number])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"

    def _numbers(self, first: int, end: int | None) -> Iterable[int]:
        """The bundles of some epochs, ascending; perhaps of more than there are."""
        lowest, highest = first // TOGETHER, self._highest if end is None else min(self._highest, (end - 1) // TOGETHER)
        if highest - lowest < len(self._bundles):
            return range(lowest, highest + 1)
        return sorted(number for number in self._bundles if lowest <= number <= highest)

    def _bundle(self, key: object) -> Mapping[K, V]:
        return self._bundles.get(epoch_of(key) // TOGETHER, {})

    def _owned(self, key: K) -> dict[K, V]:
        """The bundle of a key, to be changed."""
        number = epoch_of(key) // TOGETHER
        if number not in self._own:
            self._bundles[number] = self._bundles.get(number, {}).copy()
            self._own.add(number)
            self._highest = max(self._highest, number)
        return self._bundles[number]
