"""When to try again what did not go through: each time twice as late, up to a longest wait. Refuses to wait itself."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

KEPT: Final = 10_000  # the oldest are tried at once again


@dataclass(frozen=True, slots=True)
class _PutOff:
    times: int
    until_ms: int


@dataclass
class Delays:
    """The items that were put off, each with a time of its own."""

    now_ms: Callable[[], int]
    first_ms: int = 5_000
    longest_ms: int = 600_000
    _put_off: dict[Hashable, _PutOff] = field(default_factory=dict)

    def is_due(self, item: Hashable) -> bool:
        """Whether an item may be tried now."""
        found = self._put_off.get(item)
        return found is None or self.now_ms() >= found.until_ms

    def put_off(self, item: Hashable) -> None:
        """Lets an item wait, twice as long as the last time."""
        before = self._put_off.pop(item, None)
        times = 1 if before is None else before.times + 1
        wait_ms = min(self.first_ms << min(times - 1, 16), self.longest_ms)
        self._put_off[item] = _PutOff(times, self.now_ms() + wait_ms)
        while len(self._put_off) > KEPT:
            del self._put_off[next(iter(self._put_off))]

    def forget(self, item: Hashable) -> None:
        """It went through, or is another thing now: next time it waits as if for the first."""
        self._put_off.pop(item, None)
