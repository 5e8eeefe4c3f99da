"""What does a friend among the peers bring a cheat? `python -m benchmarks.friends`: a table by whom members ask.

The world of `benchmarks.answers`, where no identity is checked and one leaf in twenty is a canary. A sixth node sells
dgrid-mini and gives one of four old answers to whatever comes; a seventh sells dgrid-micro, honestly but for this:
asked what the cheat was asked, it says what the cheat said.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Final

from tests.evaluator.judges.answering import Answering
from tests.evaluator.judges.test_answering import MINIS, NODES, PEOPLE, believed
from tests.poq.world import RULES

from benchmarks.answers import Fees, Stage, WatchedWorld, fees_of, stage
from dgrid.evaluator.rerun import PeerAnswer, Repeat
from dgrid.poq.draw import Duty
from dgrid.wire.quality import LeafKey, Report

SEEDS: Final = 40
ROUNDS: Final = 20  # of ten answers a node
CANARIES: Final = 0.05
CHEAT: Final = Answering("cheat", "dgrid-mini", replayed_share=1.0)
FRIEND: Final = Answering("friend", "dgrid-micro")
UNCHECKED: Final = replace(RULES, draw=replace(RULES.draw, identity_bps=0), weights=replace(RULES.weights, cost=0))


@dataclass
class FriendlyWorld(WatchedWorld):
    """Where the friend may keep to what the cheat said."""

    is_friendly: bool = True
    _duty: Duty | None = field(default=None, init=False)

    def _report(self, duty: Duty) -> Report:
        self._duty = duty
        return super()._report(duty)

    async def _repeated(self, repeat: Repeat, place: int) -> PeerAnswer:
        answer = await super()._repeated(repeat, place)
        asked = self._duty.leaf if self._duty is not None else None
        if not self.is_friendly or repeat.peer.node != FRIEND.address or asked is None or asked.node != CHEAT.address:
            return answer
        return replace(answer, text=self.said_of(asked.key))

    def said_of(self, key: LeafKey) -> str:
        """What a leaf's node answered."""
        _, content = self._given[key]
        return content.answer


def befriended(seed: int, on: Stage, *, fees: Fees, asks_all: bool, is_friendly: bool) -> tuple[float, float]:
    """(what is believed of the cheat, the mean of the honest nodes of its model), 0 to 1."""
    nodes = [*NODES, FRIEND, CHEAT]
    world = FriendlyWorld(
        nodes,
        PEOPLE,
        seed,
        UNCHECKED,
        10 * len(nodes),
        CANARIES,
        library=on.library,
        encoder=on.encoder,
        run=on.runner.run,
        fees=fees,
        asks_all=asks_all,
        is_friendly=is_friendly,
    )
    world.play(ROUNDS)
    cheat, *minis = (row.mean_bps / 10_000 for row in believed(world, [CHEAT, *MINIS]))
    return cheat, fmean(minis)


def line(name: str, found: Sequence[tuple[float, float]]) -> str:
    cheat, honest = (fmean(each) for each in zip(*found, strict=True))
    return f"| {name} | {cheat:.2f} | {honest:.2f} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    seeds = range(parser.parse_args().seeds)
    print("| whom a member asks | the cheat | honest nodes of its model |\n|---|---|---|")
    with stage() as on:
        fees = fees_of(on.library)
        for asks_all, asking in ((True, "everybody at once"), (False, "one other model first")):
            for is_friendly, friend in ((False, "no friend"), (True, "a friend")):
                each = [befriended(at, on, fees=fees, asks_all=asks_all, is_friendly=is_friendly) for at in seeds]
                print(line(f"{asking}, {friend}", each), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
