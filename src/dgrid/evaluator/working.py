"""An evaluator's loop: look at the final chain, judge what is to be judged, do the next step, until nothing is left.

The chain's time counts, for its windows are in it: the own clock, or the latest block's where that is ahead. A step
that fails rests for a moment and is planned again. Concluding a round goes on beside: it waits for archives and for
other evaluators, and whoever is slow there must not make this one miss a window.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, assert_never

from dgrid.chain.watcher import ChainWatcher
from dgrid.core.identity import Address
from dgrid.evaluator.clerk import Clerk
from dgrid.evaluator.concluding import Concluder
from dgrid.evaluator.docket import Docket
from dgrid.evaluator.journal import Journal
from dgrid.evaluator.planning import (
    Commit,
    Conclude,
    FixSeed,
    Penalize,
    Pull,
    Reveal,
    Sight,
    Step,
    plan,
    recent_rounds,
    shows_until_s,
)
from dgrid.evaluator.tally import Tally
from dgrid.settlement.rounds import windows_of

TICK_S: Final = 0.5
REST_S: Final = 2.0
PULL_REST_S: Final = 30.0  # funds come with collections and defaults, which nobody here waits for
STEPS_AT_ONCE: Final = 64
ROUNDS_KEPT: Final = 256
SET_S: Final = 1.0  # by so much a clock leaps that is set; others drift


class ChainTime:
    """Seconds as the chain counts them. `latest_s` gives the newest block's time that a majority of endpoints knows.

    `steady_s` is a clock that nobody sets: it tells when the own one was.
    """

    def __init__(
        self, latest_s: Callable[[], int], now_ms: Callable[[], int], *, steady_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._latest_s, self._now_ms, self._steady_s = latest_s, now_ms, steady_s
        self._ahead_s = 0
        self._apart_s = now_ms() / 1000 - steady_s()

    def read(self) -> int:
        """Unix seconds. A chain that cannot be asked keeps the distance it last had, unless the clock was set since."""
        now_ms = self._now_ms()
        now_s, apart_s = now_ms // 1000, now_ms / 1000 - self._steady_s()
        if abs(apart_s - self._apart_s) > SET_S:
            self._ahead_s = 0
        self._apart_s = apart_s
        self._ahead_s = max(self._ahead_s, self._latest_s() - now_s)
        return now_s + self._ahead_s


@dataclass(slots=True)
class EvaluatorLoop:
    """One evaluator at work."""

    me: Address
    watcher: ChainWatcher
    journal: Journal
    docket: Docket
    clerk: Clerk
    concluder: Concluder
    time: ChainTime
    tally: Tally
    _resting: dict[Step, float] = field(default_factory=dict)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _concluding: asyncio.Task[None] | None = None
    _epoch: int = -1

    async def run(self) -> None:
        """Runs until cancelled."""
        self.watcher.on_finalized(lambda _event: self._woken.set())
        while True:
            await self.step()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._woken.wait()
            self._woken.clear()

    async def close(self) -> None:
        """Calls off what goes on beside."""
        if self._concluding is not None:
            self._concluding.cancel()
            await asyncio.gather(self._concluding, return_exceptions=True)

    async def step(self) -> None:
        """Judges on, and does all steps that can be done now."""
        now_s = self.time.read()
        self.docket.advance(self.watcher.finalized, now_s, final_s=self.watcher.final_s)
        for _ in range(STEPS_AT_ONCE):
            step = plan(self._sight(now_s))
            if step is None:
                break
            await self._try(step)
            now_s = self.time.read()
        self._forget_old(now_s)

    def _sight(self, now_s: int) -> Sight:
        loop_s, view = asyncio.get_running_loop().time(), self.watcher.finalized
        self._resting = {step: until_s for step, until_s in self._resting.items() if until_s > loop_s}
        recent = recent_rounds(view, now_s=now_s)
        return Sight(
            self.me,
            view,
            now_s,
            final_s=self.watcher.final_s,
            attendance=self.watcher.attendance,
            judged=self.docket.judged(view, now_s),
            fixed=frozenset(number for number in recent if self.journal.commitment(number) is not None),
            resting=frozenset(self._resting),
        )

    async def _try(self, step: Step) -> None:
        """A step's success shows in the view a little later, so that it rests after that too."""
        rest_s = PULL_REST_S if isinstance(step, Pull) else REST_S
        self._resting[step] = asyncio.get_running_loop().time() + rest_s
        if not isinstance(step, Conclude):
            await self._tried(step)
        elif self._concluding is None or self._concluding.done():
            self._concluding = asyncio.ensure_future(self._tried(step))

    async def _tried(self, step: Step) -> None:
        await self.tally.tried(type(step).__name__, self._do(step))

    async def _do(self, step: Step) -> None:
        match step:
            case FixSeed():
                await self.clerk.fix_seed(step)
            case Commit():
                await self.clerk.commit(step)
            case Reveal():
                await self.clerk.reveal(step, within_s=self._shows_for_s(step))
            case Penalize():
                await self.clerk.penalize(step)
            case Pull():
                await self.clerk.pull(step)
            case Conclude():
                await self.concluder.conclude(step, self.watcher.finalized)
            case _:
                assert_never(step)

    def _shows_for_s(self, step: Reveal) -> int:
        """How long archives are waited for: never into the next window, whose steps this loop has to do too."""
        view = self.watcher.finalized
        until_s = windows_of(view, step.round).open_from_s if step.is_late else shows_until_s(view, step.round)
        return until_s - self.time.read()

    def _forget_old(self, now_s: int) -> None:
        epoch = self.watcher.clock.epoch_at(now_s * 1000)
        if epoch != self._epoch:
            self._epoch = epoch
            self.journal.forget_before(epoch - ROUNDS_KEPT)
