"""When is pay even among honest evaluators? `python -m benchmarks.fairness`: a table by how long they have judged.

Simulated rounds of the tests' world, in which `judge` itself decides: five honest evaluators beside one that says a
constant, one that repeats what the last table says, and one that leaves out 40 % of its duties. Asked of each seed:
what part of the honest ones' median the least of them has, and what part the better of constant and copycat has.

The other rows add a fixed part for each task, whatever was said: what evenness would cost if taking part were paid.
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
ROUNDS: Final = (2, 4, 8, 16)
PARTS_MICROS: Final = (0, 20_000, 50_000, 100_000)  # for taking part in one task
EVEN: Final = 0.8  # of the median
IDLE: Final = (Evaluator("constant", constant()), Evaluator("copycat", copying))
PEOPLE: Final = (*HONEST, *IDLE, Evaluator("withholder", withholding()))


@dataclass(frozen=True, slots=True)
class Evenness:
    """One world at one moment: an evaluator's judged tasks, and two balances as parts of the honest ones' median."""

    tasks: int
    least_honest: float
    best_idle: float


def evenness(world: World, *, part_micros: int) -> Evenness:
    """Reads the last table, as if each task had paid a part besides."""
    assert world.table is not None
    rows = {row.evaluator: row for row in world.table.balances}
    balances = {one.name: rows[one.address].balance_micros + part_micros * rows[one.address].tasks for one in PEOPLE}
    honest = [balances[one.name] for one in HONEST]
    middle = median(honest)
    idle = max(balances[one.name] for one in IDLE)
    return Evenness(rows[HONEST[0].address].tasks, min(honest) / middle, idle / middle)


def lives(seed: int) -> Iterator[tuple[int, int, Evenness]]:
    """One world, looked at after each number of rounds and with each part."""
    world, played = World(HONEST_NODES, PEOPLE, seed=seed), 0
    for rounds in ROUNDS:
        world.play(rounds - played)
        played = rounds
        for part_micros in PARTS_MICROS:
            yield part_micros, rounds, evenness(world, part_micros=part_micros)


def row(found: list[Evenness], *, part_micros: int) -> str:
    even = sum(one.least_honest >= EVEN for one in found)
    tasks = round(fmean(one.tasks for one in found))
    least, idle = fmean(one.least_honest for one in found), fmean(one.best_idle for one in found)
    return f"| {part_micros / 1e6:.2f} | {tasks} | {least:.2f} | {even} of {len(found)} | {idle:.2f} |"


def main() -> int:
    found = defaultdict[tuple[int, int], list[Evenness]](list)
    for seed in SEEDS:
        for part_micros, rounds, one in lives(seed):
            found[part_micros, rounds].append(one)
    print(f"| part a task | tasks | least honest, mean | at least {EVEN} in | constant or copycat, mean |")
    print("|---|---|---|---|---|")
    for (part_micros, _), ones in sorted(found.items()):
        print(row(ones, part_micros=part_micros))
    return 0


if __name__ == "__main__":
    sys.exit(main())
