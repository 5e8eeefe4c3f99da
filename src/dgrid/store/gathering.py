"""When what waits is done together: commits and signatures cost the same for one and for many.

One alone does not wait for company; a few wait until the tick's end; where many are under way, they wait until half of
them are here, at most 4 ms. More would leave nobody at work meanwhile.
"""

import asyncio
from collections.abc import Callable

BUSY, PATIENCE_S = 8, 0.004


class Gathering:
    """Calls `act` when enough have joined. It belongs to the event loop's thread."""

    __slots__ = ("_act", "_timer", "_under_way")

    def __init__(self, act: Callable[[], None], *, under_way: Callable[[], int]) -> None:
        """`under_way` counts who may join, those who have already included."""
        self._act, self._under_way = act, under_way
        self._timer: asyncio.Handle | None = None  # rings when they have waited long enough

    def join(self, loop: asyncio.AbstractEventLoop, waiting: int) -> None:
        """One more waits, as one of `waiting`. With nobody else under way `act` is called here and now."""
        under_way = self._under_way()
        if under_way <= 1:
            self._act()
        elif waiting == 1:
            if under_way < BUSY:
                loop.call_soon(self._act)
            else:
                self._timer = loop.call_later(PATIENCE_S, self._ring)
        elif self._timer is not None and 2 * waiting >= under_way:
            self._timer.cancel()
            self._timer = None
            loop.call_soon(self._act)

    def _ring(self) -> None:
        self._timer = None
        self._act()
