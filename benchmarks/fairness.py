"""When is pay even among honest evaluators? `python -m benchmarks.fairness`: a table by how long they have judged.

Simulated rounds of the tests' world, in which `judge` itself decides: five honest evaluators beside one that says a
constant, one that repeats what the last table says, and one that leaves out 40 % of its duties. Asked of each seed:
what part of the honest ones' median the least of them has, and what part the better of constant and copycat has.

Rounds of a hundred leaves are those of a busy network, rounds of twenty those of the live trial, whose answers are
mostly right or wrong. The other rows add a fixed part for each task, whatever was said: what evenness would cost if
taking part were paid.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

from tests.poq.test_simulation import HONEST, HONEST_NODES
from tests.poq.world import Evaluator, World, constant, copying, withholding

SEEDS: Final = range(100)
LEAVES: Final = (200, 400, 800, 1_600)  # after which the table is read
WORLDS: Final = ((100, 3.0), (20, 3.0), (20, 0.0))  # leaves a round, how graded answers are; 0: right or wrong
PARTS_MICROS: Final = (0, 20_000, 50_000, 100_000)  # for taking part in one task
EVEN: Final = 0.8  # of the median
IDLE: Final = (Evaluator("constant", constant()), Evaluator("copycat", copying))
PEOPLE: Final = (*HONEST, *IDLE, Evaluator("withholder", withholding()))


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """One kind of world, and how it is read."""

    leaves_per_round: int
    graded: float  # 0: answers are right or wrong
    part_micros: int
    leaves: int


@dataclass(frozen=True, slots=True)
class Evenness:
    """One world at one moment: an evaluator's judged tasks, and balances as parts of the honest ones' median."""

    tasks: int
    least_honest: float
    least_a_task: float  # the same of balances by how many tasks an evaluator was drawn for
    best_idle: float


def evenness(world: World, *, part_micros: int) -> Evenness:
    """Reads the last table, as if each task had paid a part besides."""
    assert world.table is not None
    rows = {row.evaluator: row for row in world.table.balances}
    balances = {one.name: rows[one.address].balance_micros + part_micros * rows[one.address].tasks for one in PEOPLE}
    honest = [balances[one.name] for one in HONEST]
    a_task = [balances[one.name] / rows[one.address].tasks for one in HONEST]
    middle, idle = median(honest), max(balances[one.name] for one in IDLE)
    return Evenness(rows[HONEST[0].address].tasks, min(honest) / middle, min(a_task) / median(a_task), idle / middle)


def lives(seed: int, *, leaves_per_round: int, graded: float) -> Iterator[tuple[Setting, Evenness]]:
    """One world, looked at after each number of leaves and with each part."""
    world = World(HONEST_NODES, PEOPLE, seed=seed, leaves_per_round=leaves_per_round, graded=graded)
    played = 0
    for leaves in LEAVES:
        world.play((leaves - played) // leaves_per_round)
        played = leaves
        for part_micros in PARTS_MICROS:
            setting = Setting(leaves_per_round, graded, part_micros, leaves)
            yield setting, evenness(world, part_micros=part_micros)


def row(setting: Setting, found: list[Evenness]) -> str:
    even = sum(one.least_honest >= EVEN for one in found)
    even_a_task = sum(one.least_a_task >= EVEN for one in found)
    tasks = round(fmean(one.tasks for one in found))
    least, idle = fmean(one.least_honest for one in found), fmean(one.best_idle for one in found)
    answers = "graded" if setting.graded else "right or wrong"
    return (
        f"| {answers} | {setting.leaves_per_round} | {setting.part_micros / 1e6:.2f} | {tasks} | {least:.2f}"
        f" | {even} of {len(found)} | {even_a_task} | {idle:.2f} |"
    )


def main() -> int:
    found = defaultdict[Setting, list[Evenness]](list)
    for seed in SEEDS:
        for leaves_per_round, graded in WORLDS:
            for setting, one in lives(seed, leaves_per_round=leaves_per_round, graded=graded):
                found[setting].append(one)
    print(
        "| answers | leaves a round | part a task | tasks | least honest, mean"
        f" | at least {EVEN} in | a task at least {EVEN} in | idle, mean |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for setting, ones in sorted(found.items()):
        print(row(setting, ones))
    return 0


if __name__ == "__main__":
    sys.exit(main())
