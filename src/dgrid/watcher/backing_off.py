"""What went wrong in a way that nobody foresaw: said with its whole trace, left for a while, and tried again.

One epoch, one receipt, one demand that breaks a watcher's code must not keep it from the others, nor end it. Nothing is
ever dropped here: whoever asks keeps what it has until its work on it went through.
"""

import logging
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dgrid.core.errors import ChainUnavailable, DGridError

logger = logging.getLogger(__name__)

FIRST_MS = 5_000
LONGEST_MS = 600_000
KEPT = 10_000  # the oldest are tried at once again


@dataclass(frozen=True, slots=True)
class _Failed:
    times: int
    not_before_ms: int


@dataclass
class Backoff:
    """The items that failed, each with its own time to be tried again, twice as far off each time."""

    now_ms: Callable[[], int]
    _failed: dict[Hashable, _Failed] = field(default_factory=dict)

    def is_due(self, item: Hashable) -> bool:
        """Whether an item may be tried now."""
        failed = self._failed.get(item)
        return failed is None or self.now_ms() >= failed.not_before_ms

    @contextmanager
    def trying(self, item: Hashable, what: str) -> Iterator[None]:
        """Works on one item. Raises ChainUnavailable alone: then nothing can be done for the others either."""
        try:
            yield
        except ChainUnavailable:
            raise
        except DGridError as error:
            logger.warning("%s: %s", what, error.message)
            self._put_off(item)
        except Exception:  # a fault of ours must not end the watch over everybody else
            logger.exception("%s: left for now, and tried again", what)
            self._put_off(item)
        else:
            self._failed.pop(item, None)

    def _put_off(self, item: Hashable) -> None:
        before = self._failed.pop(item, None)
        times = 1 if before is None else before.times + 1
        wait_ms = min(FIRST_MS << min(times - 1, 16), LONGEST_MS)
        self._failed[item] = _Failed(times, self.now_ms() + wait_ms)
        while len(self._failed) > KEPT:
            del self._failed[next(iter(self._failed))]
