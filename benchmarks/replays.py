"""How soon is a node found out that says old answers again? `python -m benchmarks.replays`: a table.

The world of `benchmarks.answers`, with cost in the scores and a sixth node: it sells dgrid-micro and answers all of its
requests, or a third, with one of four answers that it gave before, whatever is asked.
"""

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Final

from tests.evaluator.judges.answering import AnsweredWorld
from tests.evaluator.judges.test_answering import MICROS, NODES, PEOPLE, REPLAYER, UNCHECKED, believed
from tests.poq.world import RULES, Node

from benchmarks.answers import Stage, stage
from dgrid.core.money import BPS
from dgrid.poq.draw import Duty
from dgrid.poq.rules import MICROS as ONE_NAT
from dgrid.poq.rules import QualityRules
from dgrid.wire.quality import PayoutKind, Report

SEEDS: Final = 4
SOON: Final = 7  # rounds of sixty answers
LATER: Final = 20  # likewise
SHARES: Final = {"all": 1.0, "a third": 0.34}


@dataclass
class CheckedWorld(AnsweredWorld):
    """Keeps what identity checks find."""

    gaps: dict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list))  # by node

    def _report(self, duty: Duty) -> Report:
        report = super()._report(duty)
        if report.identity is not None:
            self.gaps[duty.leaf.node].append(report.identity.gap_micros)
        return report

    def mean_gap(self, node: Node) -> float:
        """In nats."""
        return fmean(self.gaps[node.address]) / ONE_NAT

    def paid_wei(self, node: Node) -> int:
        """What quality decided on so far."""
        assert self.table is not None
        rows = (row for row in self.table.payouts if (row.kind, row.payee) == (PayoutKind.NODE, node.address))
        return sum(row.total_wei for row in rows)


def replayed(seed: int, on: Stage, *, share: float, rounds: int, rules: QualityRules) -> CheckedWorld:
    """A network's life with a replayer in it."""
    nodes = [*NODES, replace(REPLAYER, replayed_share=share)]
    run, leaves = on.runner.run, 10 * len(nodes)
    world = CheckedWorld(nodes, PEOPLE, seed, rules, leaves, library=on.library, encoder=on.encoder, run=run)
    world.play(rounds)
    return world


def is_below_peers(world: CheckedWorld, *, whole: bool) -> bool:
    """Whether the replayer's interval, or only its mean, lies below the intervals of both honest peers."""
    (row,), peers = believed(world, [REPLAYER]), believed(world, MICROS)
    return (row.high_bps if whole else row.mean_bps) < min(peer.low_bps for peer in peers)


def paid_from_now_on(world: CheckedWorld) -> tuple[float, float]:
    """Of their parts of as many rounds again: (the replayer, the least of the honest nodes)."""
    everyone = [REPLAYER, *NODES]
    before = {node: (world.paid_wei(node), world.earned[node.address]) for node in everyone}
    world.play(SOON)
    base = world.rules.pay.base_share_bps / BPS
    shares = [
        base + (world.paid_wei(node) - paid) / (world.earned[node.address] - earned)
        for node, (paid, earned) in before.items()
    ]
    return shares[0], min(shares[1:])


def rows(seeds: range, on: Stage) -> dict[str, str]:
    """The table's lines, by what they tell."""
    checked = [replayed(at, on, share=share, rounds=SOON, rules=RULES) for share in SHARES.values() for at in seeds]
    unchecked = [replayed(at, on, share=1.0, rounds=SOON, rules=UNCHECKED) for at in seeds]
    seldom = [replayed(at, on, share=SHARES["a third"], rounds=LATER, rules=UNCHECKED) for at in seeds]
    gaps = [world.mean_gap(REPLAYER) for world in checked[: len(seeds)]]
    honest = max(world.mean_gap(node) for world in checked for node in NODES)
    below = sum(is_below_peers(world, whole=True) for world in unchecked)
    paid, honestly_paid = zip(*(paid_from_now_on(world) for world in unchecked), strict=True)
    return {
        "mean gap of its replies, by store; of honest nodes at most": (
            f"{min(gaps):.1f} to {max(gaps):.1f} nats; {honest:.3f}"
        ),
        "flagged within 420 answers of the network, if all are old, if a third are": (
            f"{sum(world.flagged == {REPLAYER.name} for world in checked)} of {len(checked)}"
        ),
        "where no identity is checked: its interval below those of both honest peers within 420": (
            f"{below} of {len(seeds)}"
        ),
        "… its pay from then on, of its part; the least of an honest node's": (
            f"{min(paid):.2f} to {max(paid):.2f}; {min(honestly_paid):.4f}"
        ),
        "… if a third are old: its mean below their intervals within 1,200": (
            f"{sum(is_below_peers(world, whole=False) for world in seldom)} of {len(seeds)}"
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    with stage() as on:
        found = rows(range(options.seeds), on)
    print("| a dgrid-micro node that answers from a store of four old answers | |\n|---|---|")
    print(*(f"| {what} | {said} |" for what, said in found.items()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
