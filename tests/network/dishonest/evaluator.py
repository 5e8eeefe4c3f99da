"""An evaluator that cheats: `python -m tests.network.dishonest.evaluator CHEAT CONFIG`.

lazy        looks at nothing, scores everything alike and runs no model
copycat     looks at nothing and repeats what others last said of the same node, as their opened reports show
withholder  judges and commits as it should, and never opens its reports
forger      judges as it should, signs a root that pays somebody more, and finds in court that it was right
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from dgrid.chain import case_view as chain_case
from dgrid.config import EvaluatorConfig, load_role
from dgrid.core.errors import DGridError
from dgrid.core.identity import Address
from dgrid.evaluator import concluding
from dgrid.evaluator.cases import jury
from dgrid.evaluator.clerk import Clerk
from dgrid.evaluator.judging import FoundedReport, ShownDuty
from dgrid.evaluator.planning import Reveal
from dgrid.poq.evidence import RoundEvidence
from dgrid.poq.rounds import judge
from dgrid.poq.rules import QualityRules
from dgrid.poq.tasks import task_of
from dgrid.processes import evaluator
from dgrid.processes.evaluator import Own
from dgrid.processes.roles import log_to_stderr
from dgrid.settlement.quality import QualityReader
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import Identity, QualityTable, Report, Verdict, amount_of

CONSTANT = 8_000

Scores = tuple[int, int, int, int]  # format, accuracy, consistency, cost


def said(given: ShownDuty, scores: Scores, identity: Identity | None = None) -> FoundedReport:
    """A report that looks like work; without content there is nothing to pretend."""
    leaf, content = given.duty.leaf, given.shown.content
    if content is None:
        return FoundedReport(Report(leaf.key, leaf.receipt, int(given.shown.verdict)))
    task = task_of(decode_chat(content.request))
    return FoundedReport(Report(leaf.key, leaf.receipt, int(Verdict.JUDGED), task, *scores, identity))


class LazyBench:
    """Says the same of everything."""

    async def report(self, given: ShownDuty, *, within_s: float) -> FoundedReport:
        return said(given, (CONSTANT,) * 4)


@dataclass
class CopyingBench:
    """Says of a node what somebody else last said of it."""

    own: Own
    quality: QualityReader
    scores: dict[bytes, Scores] = field(default_factory=dict)  # by node
    identities: dict[bytes, Identity] = field(default_factory=dict)  # likewise
    read: set[tuple[int, Address]] = field(default_factory=set)  # (round, evaluator)
    one_looks: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def report(self, given: ShownDuty, *, within_s: float) -> FoundedReport:
        if not self.one_looks.locked():
            async with self.one_looks:
                await self._look()
        node = given.duty.leaf.node
        identity = self.identities.get(node) if given.duty.identity else None
        return said(given, self.scores.get(node, (CONSTANT,) * 4), identity)

    async def _look(self) -> None:
        """Reads what was opened since; a round's reports come too late for that round itself."""
        openings = self.own.side.watcher.finalized.openings
        for number, other in sorted(openings.keys() - self.read):
            self.read.add((number, other))
            if other != self.own.side.sender.address:
                with contextlib.suppress(DGridError):
                    await self._copy(number, other)

    async def _copy(self, number: int, other: Address) -> None:
        draws = [draw for draw in self.own.side.watcher.finalized.draws.values() if draw.round == number]
        drawn = [await self.quality.records_of(draw) for draw in draws]
        nodes = {key: one.receipt.parties.node for records in drawn for key, one in records.documents.items()}
        for report in (await self.quality.reports(number, other)).reports:
            if report.verdict == Verdict.JUDGED and report.peers:
                scores = report.format_bps, report.accuracy_bps, report.consistency_bps, report.cost_bps
                self.scores[nodes[report.key]] = scores
            if report.identity is not None:
                self.identities[nodes[report.key]] = report.identity


def lazy_bench(own: Own, stack: AsyncExitStack, *, quality: QualityReader) -> Any:
    return LazyBench()


def copying_bench(own: Own, stack: AsyncExitStack, *, quality: QualityReader) -> Any:
    return CopyingBench(own, quality)


async def no_opening(self: Clerk, step: Reveal, *, within_s: int) -> None:
    """Keeps what was committed to."""


def withhold() -> None:
    Clerk.reveal = no_opening  # type: ignore[method-assign]


def richer(table: QualityTable | None, evidence: RoundEvidence, rules: QualityRules) -> QualityTable:
    """What follows, with one unit more for whoever is first in it."""
    true = judge(table, evidence, rules)
    if not true.payouts:
        return true
    first = msgspec.structs.replace(true.payouts[0], total=amount_of(true.payouts[0].total_wei + 1))
    return msgspec.structs.replace(true, payouts=(first, *true.payouts[1:]))


async def not_wrong(self: jury.Jury, case: chain_case.Case) -> jury.Finding:
    return jury.Finding(guilty=False)


def forge() -> None:
    vars(concluding).update(judge=richer)
    jury.Jury._root = not_wrong  # type: ignore[method-assign]


def judge_with(bench: Callable[..., Any]) -> Callable[[], None]:
    def change() -> None:
        vars(evaluator).update(opened_bench=bench)

    return change


CHEATS: dict[str, Callable[[], None]] = {
    "lazy": judge_with(lazy_bench),
    "copycat": judge_with(copying_bench),
    "withholder": withhold,
    "forger": forge,
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
