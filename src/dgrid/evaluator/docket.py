"""The duties of the rounds under way: found, shown, judged, each at its time and none twice.

Everything follows from the final chain and the archives; no gateway is asked. `advance` starts what can be started and
returns at once: fetching and judging go on beside it, a bounded number at a time. What fails is tried again until the
round's time is over, and then it is a duty without a report.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from dgrid.chain.view import ChainView, Draw
from dgrid.core.errors import CheckFailed, DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.evaluator.disclosures import DisclosureReader, place_of
from dgrid.evaluator.journal import Journal
from dgrid.evaluator.judging import Bench, ShownDuty
from dgrid.evaluator.planning import is_over, judges_until_s, rounds_under_way
from dgrid.evaluator.tally import Tally
from dgrid.machine.traces import trace_of
from dgrid.poq.draw import Duty, duties
from dgrid.poq.evidence import DrawnEpoch
from dgrid.settlement.evidence import LeafPlace
from dgrid.settlement.quality import Documents, QualityReader
from dgrid.settlement.rounds import draw_rules, windows_of
from dgrid.wire.quality import DisclosedLeaf, LeafKey

logger = logging.getLogger(__name__)

JUDGED_AT_ONCE: Final = 4
AGAIN_S: Final = 1.0

Where = tuple[Address, int]  # gateway, epoch
Name = tuple[str, Draw, LeafKey | None]  # of a piece of work: load, open or judge; its draw, and its leaf


@dataclass(slots=True)
class OpenDraw:
    """A draw whose leaves are known. `leaves` is what its gateway disclosed, None before that."""

    draw: Draw
    drawn: DrawnEpoch
    documents: Documents
    leaves: dict[LeafPlace, DisclosedLeaf] | None = None


class Docket:
    """One evaluator's work of the rounds under way."""

    def __init__(
        self,
        journal: Journal,
        quality: QualityReader,
        *,
        reader: DisclosureReader,
        bench: Bench,
        tally: Tally,
    ) -> None:
        self._journal, self._quality, self._reader = journal, quality, reader
        self._bench, self._tally = bench, tally
        self._now_s = self._final_s = 0
        self._draws: dict[Where, OpenDraw] = {}
        self._duties: dict[int, dict[LeafKey, Duty]] = {}
        self._tasks: dict[Name, asyncio.Task[None]] = {}
        self._again_s: dict[Name, float] = {}

    def advance(self, view: ChainView, now_s: int, *, final_s: int) -> None:
        """Starts what can be started now. `final_s` is the time of the view's block."""
        self._now_s, self._final_s = now_s, final_s
        self._journal.drop_lost(view.draws)
        current = self._under_way(view, now_s)
        self._leave_all_but(current)
        for draw in current.values():
            self._attend(draw, view)

    def judged(self, view: ChainView, now_s: int) -> frozenset[int]:
        """The rounds that are over and have a report for every duty."""
        numbers: dict[int, bool] = {}
        for where, draw in self._under_way(view, now_s).items():
            is_known = self._is_over(draw, view) and self._known(draw) is not None
            is_done = is_known and not self._journal.open_duties(*where)
            numbers[draw.round] = numbers.get(draw.round, True) and is_done
        return frozenset(number for number, is_done in numbers.items() if is_done)

    async def close(self) -> None:
        """Calls everything off; what has its report is on disk."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- draws --------------------------------------------------------------------------------------------------------

    def _under_way(self, view: ChainView, now_s: int) -> dict[Where, Draw]:
        numbers = rounds_under_way(view, now_s=now_s)
        found = (draw for number in numbers for draw in view.draws.in_round(number))
        return {(draw.gateway, draw.epoch): draw for draw in found}

    def _is_over(self, draw: Draw, view: ChainView) -> bool:
        return is_over(view, draw.round, now_s=self._now_s, final_s=self._final_s)

    def _known(self, draw: Draw) -> OpenDraw | None:
        known = self._draws.get((draw.gateway, draw.epoch))
        return known if known is not None and known.draw == draw else None

    def _leave_all_but(self, current: dict[Where, Draw]) -> None:
        """Forgets what belongs to rounds that are over or to draws that the chain lost, and stops work on it."""
        kept = set(current.values())
        self._draws = {where: one for where, one in self._draws.items() if one.draw in kept}
        self._duties = {number: found for number, found in self._duties.items() if any(d.round == number for d in kept)}
        self._again_s = {name: again_s for name, again_s in self._again_s.items() if name[1] in kept}
        for (_, draw, _), task in self._tasks.items():
            if draw not in kept:
                task.cancel()

    def _attend(self, draw: Draw, view: ChainView) -> None:
        known, where = self._known(draw), (draw.gateway, draw.epoch)
        if known is None:
            self._begin(("load", draw, None), partial(self._load, draw))
            return
        ends_s, has_ended = windows_of(view, draw.round).commit_from_s, self._is_over(draw, view)
        blob_id = view.disclosures.get(where)
        is_timely = blob_id is not None and view.disclosed_ms[where] < ends_s * 1000
        if known.leaves is None and blob_id is not None and is_timely:
            self._begin(("open", draw, None), partial(self._open, known, blob_id, is_over=has_ended))
        if known.leaves is None and not is_timely and has_ended:
            known.leaves = {}  # what is not there now came too late: undisclosed
        if known.leaves is not None:
            self._attend_duties(known)

    async def _load(self, draw: Draw) -> None:
        """Reads a draw's epoch, and finds the duties of its round anew: the cap holds over all of its draws."""
        found = await self._quality.records_of(draw)
        self._draws[(draw.gateway, draw.epoch)] = OpenDraw(draw, found.facts, found.documents)
        together = [one for one in self._draws.values() if one.draw.round == draw.round]
        rules = draw_rules(self._quality.view.parameters.at(draw.round))
        all_duties = await asyncio.to_thread(duties, [one.drawn for one in together], rules)
        own = {duty.leaf.key: duty for duty in all_duties if duty.evaluator == self._reader.evaluator}
        for one in together:
            keys = [key for key in own if (key.gateway, key.epoch) == (one.draw.gateway, one.draw.epoch)]
            self._journal.note_draw(one.draw, keys)
        self._duties[draw.round] = own
        logger.info("epoch %d of %s: %d duties in round %d", draw.epoch, to_hex(draw.gateway), len(own), draw.round)

    async def _open(self, known: OpenDraw, blob_id: bytes, *, is_over: bool) -> None:
        try:
            known.leaves = await self._reader.disclosure(known.draw, blob_id)
        except CheckFailed as error:
            logger.warning("epoch %d of %s: %s", known.draw.epoch, to_hex(known.draw.gateway), error.message)
            if not is_over:
                raise
            known.leaves = {}  # named on chain, and nowhere to be had

    # --- duties -------------------------------------------------------------------------------------------------------

    def _attend_duties(self, known: OpenDraw) -> None:
        own = self._duties.get(known.draw.round, {})
        for key in self._journal.open_duties(known.draw.gateway, known.draw.epoch):
            duty = own.get(key)
            if duty is not None and self._judging_now < JUDGED_AT_ONCE:
                self._begin(("judge", known.draw, key), partial(self._judge, known, duty))

    @property
    def _judging_now(self) -> int:
        return sum(kind == "judge" for kind, _, _ in self._tasks)

    async def _judge(self, known: OpenDraw, duty: Duty) -> None:
        key, document = duty.leaf.key, known.documents[duty.leaf.key]
        assert known.leaves is not None
        shown = self._reader.show(known.leaves.get(place_of(key)), document)
        within_s = judges_until_s(self._quality.view, duty.round) - self._now_s
        async with asyncio.timeout(within_s):
            found = await self._bench.report(ShownDuty(duty, document, shown), within_s=within_s)
        self._journal.keep_report(found.report, seed=known.draw.seed, grounds=found.grounds)
        self._tally.reports.add(1, shown.verdict.name.lower())

    # --- work beside --------------------------------------------------------------------------------------------------

    def _begin(self, name: Name, work: Callable[[], Awaitable[None]]) -> None:
        """Starts a piece of work unless it is under way, or failed a moment ago."""
        loop = asyncio.get_running_loop()
        if name in self._tasks or loop.time() < self._again_s.get(name, 0.0):
            return
        task = asyncio.ensure_future(self._guarded(name, work))
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def _guarded(self, name: Name, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except (DGridError, TimeoutError) as error:
            kind, draw, _ = name
            logger.info("epoch %d of %s: cannot %s yet: %s", draw.epoch, to_hex(draw.gateway), kind, error)
            self._rest(name)
        except Exception as error:  # noqa: BLE001 (a fault of ours; its words may be somebody's content)
            logger.error("%s failed: %s", name[0], trace_of(error))
            self._rest(name)

    def _rest(self, name: Name) -> None:
        self._again_s[name] = asyncio.get_running_loop().time() + AGAIN_S
