"""What is believed of each model after a thousand answers, and does it hold? `python -m benchmarks.believed`: a table.

The world of `benchmarks.answers`, members asking one other model first, with the dev network's canaries and with few.
The evidence of a model's nodes is taken together; its truth is the mean over all held-out questions. Beside the
intervals that are published stand those without what a model's judgements may be off by together.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from tests.evaluator.judges.answering import NAMES, AnsweredWorld, Library
from tests.evaluator.judges.test_answering import NODES, PEOPLE, believed

from benchmarks.answers import QUALITY_ALONE, ROUNDS, SEEDS, Stage, stage
from dgrid.core.money import BPS
from dgrid.poq.credibility import Counts, Doubt, counts_of, interval_bps
from dgrid.poq.levels import doubts

CANARIES: Final = (0.3, 0.05)
RULES: Final = QUALITY_ALONE.credibility


@dataclass(frozen=True, slots=True)
class Believed:
    """Of one model in one run, basis points: the intervals with and without its level's doubt, the truth."""

    published: tuple[int, int]
    narrow: tuple[int, int]
    truth: float


def truth_of(books: Library, model: str) -> float:
    pairs = zip(books.questions, books.answers[model], strict=True)
    return BPS * fmean(question.truth(said.answer) for question, said in pairs)


def models_of(world: AnsweredWorld) -> Iterator[Believed]:
    """Each model, from the worst to the best."""
    assert world.table is not None
    known = doubts(world.table.levels, QUALITY_ALONE)
    for name in NAMES:
        rows = believed(world, [node for node in NODES if node.model == name])
        counts = [counts_of(row) for row in rows]
        of_nodes = [known[row.node, row.model] for row in rows]
        together = Counts(*map(sum, zip(*((one.good, one.bad, one.square) for one in counts), strict=True)))
        doubt = Doubt(sum(one.judged for one in of_nodes), of_nodes[0].variance)
        published = interval_bps(together, RULES, common=doubt.within(together.total))
        yield Believed(published, interval_bps(together, RULES), truth_of(world.library, name))


def rows(runs: Sequence[Sequence[Believed]]) -> list[str]:
    """How many intervals hold the truth, and how many neighbouring ones are apart; then of the narrow ones."""
    models, pairs = [one for run in runs for one in run], [pair for run in runs for pair in itertools.pairwise(run)]
    return [
        f"{sum(one.published[0] <= one.truth <= one.published[1] for one in models)}",
        f"{sum(worse.published[1] < better.published[0] for worse, better in pairs)}",
        f"{sum(one.narrow[0] <= one.truth <= one.narrow[1] for one in models)}",
        f"{sum(worse.narrow[1] < better.narrow[0] for worse, better in pairs)}",
    ]


def played(seed: int, on: Stage, *, canaries: float) -> list[Believed]:
    world = AnsweredWorld(
        NODES,
        PEOPLE,
        seed,
        QUALITY_ALONE,
        10 * len(NODES),
        canaries,
        library=on.library,
        encoder=on.encoder,
        run=on.runner.run,
    )
    world.play(ROUNDS)
    return list(models_of(world))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    seeds = range(parser.parse_args().seeds)
    with stage() as on:
        columns = [rows([played(seed, on, canaries=share) for seed in seeds]) for share in CANARIES]
    models, pairs = len(NAMES) * len(seeds), (len(NAMES) - 1) * len(seeds)
    names = [f"hold the true mean, of {models}", f"neighbouring ones apart, of {pairs}"]
    names += ["… without what a model's judgements may be off by together: hold it", "… apart"]
    print(f"| 90 % intervals | {' | '.join(f'{share:.0%} canaries' for share in CANARIES)} |\n|---|---|---|")
    for name, cells in zip(names, zip(*columns, strict=True), strict=True):
        print(f"| {name} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
