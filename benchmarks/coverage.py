"""How often do 90 % intervals hold the truth? `python -m benchmarks.coverage`: tables by answers, canaries and leaves.

Simulated rounds of the tests' world, in which `judge` itself decides, with honest nodes and honest evaluators that see
graded answers, right or wrong ones, or only whether other models agree. Cost is left out, so that what is to be found
is each node's quality. The seeds are not those on which constants were tuned.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final

from tests.poq.test_simulation import ANSWERING, HONEST, HONEST_NODES, agreeing, rows_of
from tests.poq.world import RULES, Evaluator, Node, World

from dgrid.core.money import BPS
from dgrid.poq.rules import QualityRules
from dgrid.wire.quality import CredibilityRow

SEEDS: Final = range(1_000, 1_040)
LEAVES: Final = (100, 200, 400, 800)  # of each node, half of them drawn, after which the table is read
LEAVES_PER_ROUND: Final = 20  # likewise
CANARIES: Final = (0.3, 0.05)
QUALITY_ALONE: Final = replace(RULES, weights=replace(RULES.weights, cost=0))


@dataclass(frozen=True, slots=True)
class Kind:
    """Whose answers, judged by whom."""

    nodes: Sequence[Node]
    people: Sequence[Evaluator]
    graded: float  # 0: answers are right or wrong


KINDS: Final[Mapping[str, Kind]] = {
    "graded": Kind(HONEST_NODES, HONEST, 3.0),
    "right or wrong": Kind(HONEST_NODES, HONEST, 0.0),
    "agreement": Kind(ANSWERING, [Evaluator(f"e{at}", agreeing) for at in range(5)], 0.0),
}


@dataclass(frozen=True, slots=True)
class Believed:
    """What a table says of one node, beside what is true."""

    node: Node
    row: CredibilityRow

    @property
    def held(self) -> bool:
        return self.row.low_bps <= round(BPS * self.node.quality) <= self.row.high_bps

    @property
    def bias(self) -> float:
        return self.row.mean_bps / BPS - self.node.quality

    @property
    def width(self) -> float:
        return (self.row.high_bps - self.row.low_bps) / BPS


Cell = tuple[str, float, int]  # kind, share of canaries, leaves of each node


def lives(seed: int, rules: QualityRules = QUALITY_ALONE) -> Iterator[tuple[Cell, list[Believed]]]:
    """All worlds of one seed, looked at after each number of leaves."""
    for name, kind in KINDS.items():
        for share in CANARIES:
            leaves_per_round = LEAVES_PER_ROUND * len(kind.nodes)
            world = World(kind.nodes, kind.people, seed, rules, leaves_per_round, share, kind.graded)
            played = 0
            for leaves in LEAVES:
                world.play((leaves - played) // LEAVES_PER_ROUND)
                played, rows = leaves, rows_of(world, list(kind.nodes))
                yield (name, share, leaves), list(map(Believed, kind.nodes, rows))


def in_order(found: list[Believed]) -> bool:
    """Whether every node is believed less than every node of a better model."""
    pairs = ((one, other) for one in found for other in found if one.node.quality < other.node.quality)
    return all(one.row.mean_bps < other.row.mean_bps for one, other in pairs)


def coverage_of(worlds: list[list[Believed]]) -> str:
    found = [one for world in worlds for one in world]
    return f"{fmean(one.held for one in found):.2f} ({fmean(one.width for one in found):.2f})"


def biases_of(worlds: list[list[Believed]]) -> str:
    """The mean bias of the model that is furthest off, and how often the models are in order."""
    by_model = defaultdict[str, list[float]](list)
    for one in (one for world in worlds for one in world):
        by_model[one.node.model].append(one.bias)
    furthest = max(map(fmean, by_model.values()), key=abs)
    return f"{furthest:+.2f} ({fmean(map(in_order, worlds)):.2f})"


def table(heading: str, cells: Mapping[Cell, str]) -> str:
    lines = [f"| {heading} | {' | '.join(map(str, LEAVES))} |", "|---" * (1 + len(LEAVES)) + "|"]
    for name in KINDS:
        for share in CANARIES:
            found = " | ".join(cells[name, share, leaves] for leaves in LEAVES)
            lines.append(f"| {name}, {share:.0%} canaries | {found} |")
    return "\n".join(lines)


def main() -> int:
    worlds = defaultdict[Cell, list[list[Believed]]](list)
    for seed in SEEDS:
        for cell, found in lives(seed):
            worlds[cell].append(found)
    print(table("truth in the 90 % interval (its width)", {cell: coverage_of(found) for cell, found in worlds.items()}))
    print()
    print(table("furthest model's mean off by (in order)", {cell: biases_of(found) for cell, found in worlds.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
