"""An evaluator that cheats: `python -m tests.network.dishonest.evaluator CHEAT CONFIG`.

lazy        looks at nothing and scores everything alike
copycat     looks at nothing and repeats what others last said of the same node, as their opened reports show
withholder  judges and commits as it should, and never opens its reports
"""

import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dgrid.config import EvaluatorConfig, load_role
from dgrid.core.errors import DGridError
from dgrid.evaluator.clerk import Clerk
from dgrid.evaluator.judging import Case
from dgrid.evaluator.rounds import Reveal
from dgrid.processes import evaluator
from dgrid.processes.evaluator import Own
from dgrid.processes.roles import log_to_stderr
from dgrid.settlement.archives import LIMITS, Archives, doors_of
from dgrid.settlement.quality import QualityReader
from dgrid.settlement.records import Records
from dgrid.wire.quality import Identity, Report, TaskType, Verdict
from dgrid.wire.typed import court_domain

CONSTANT = 8_000
ALL_IS_WELL = Identity(tokens=10, gap_micros=1_000, worst_gap_micros=2_000, misses=0, likelihood_micros=-100_000)

Scores = tuple[int, int, int, int]  # format, accuracy, consistency, cost


def said(case: Case, scores: Scores) -> Report:
    leaf, task = case.duty.leaf, TaskType.EXTRACT
    identity = ALL_IS_WELL if case.duty.identity else None
    return Report(leaf.key, leaf.receipt, int(Verdict.JUDGED), task, *scores, identity)


class LazyBench:
    """Says the same of everything."""

    async def report(self, case: Case, *, within_s: float) -> Report:
        return said(case, (CONSTANT,) * 4)


@dataclass
class CopyingBench:
    """Says of a node what somebody else last said of it."""

    own: Own
    quality: QualityReader
    seen: dict[bytes, Scores] = field(default_factory=dict)  # by node
    read: set[tuple[int, bytes]] = field(default_factory=set)  # (round, evaluator)

    async def report(self, case: Case, *, within_s: float) -> Report:
        await self._look()
        return said(case, self.seen.get(case.duty.leaf.node, (CONSTANT,) * 4))

    async def _look(self) -> None:
        view = self.own.side.watcher.finalized
        nodes = {
            (draw.gateway, draw.epoch): draw for draw in view.draws.values() if draw.round > view.last_quality_round - 8
        }
        for number, other in sorted(view.openings.keys() - self.read):
            self.read.add((number, other))
            if other == self.own.side.sender.address:
                continue
            try:
                reports = (await self.quality.reports(number, other)).reports
                documents = [await self.quality.records_of(draw) for draw in nodes.values() if draw.round == number]
            except DGridError:
                continue
            served = {key: leaf for one in documents for key, leaf in one.documents.items()}
            for report in reports:
                if report.verdict == Verdict.JUDGED and report.key in served:
                    scores = report.format_bps, report.accuracy_bps, report.consistency_bps, report.cost_bps
                    self.seen[served[report.key].receipt.parties.node] = scores


def lazy_bench(own: Own, stack: AsyncExitStack) -> Any:
    return LazyBench()


def copying_bench(own: Own, stack: AsyncExitStack) -> Any:
    side, http = own.side, own.http(LIMITS)
    stack.push_async_callback(http.close)
    court = court_domain(side.contracts.chain_id, side.contracts.quality_court.address)
    archives = Archives(http, lambda: doors_of(side.watcher.latest), domain=side.domain)
    records = Records(lambda: side.watcher.finalized, side.watcher.parameters, archives)
    return CopyingBench(own, QualityReader(records, archives, domain=side.domain, court=court))


async def no_opening(self: Clerk, step: Reveal) -> None:
    """Keeps what was committed to."""


def withhold() -> None:
    Clerk.reveal = no_opening  # type: ignore[method-assign]


def judge_with(bench: Callable[[Own, AsyncExitStack], Any]) -> Callable[[], None]:
    def change() -> None:
        evaluator.opened_bench = bench

    return change


CHEATS: dict[str, Callable[[], None]] = {
    "lazy": judge_with(lazy_bench),
    "copycat": judge_with(copying_bench),
    "withholder": withhold,
}


def main(cheat: str, config_file: Path) -> None:
    """Runs the evaluator until it is told to stop."""
    config = load_role(EvaluatorConfig, config_file, dev=True)
    config.folder.mkdir(parents=True, exist_ok=True)
    if cheat not in CHEATS:
        raise SystemExit(f"no such cheat: {cheat}")
    CHEATS[cheat]()
    log_to_stderr()
    evaluator.run(config)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
