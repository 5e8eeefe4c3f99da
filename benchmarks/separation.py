"""After how many requests are models told apart? `python -m benchmarks.separation [--canaries 0.5] [--judged 1]`.

Trials like the live one. Honest nodes sell the built-in models, which are asked held-out questions by turns. By default
canaries come as often as on the dev network, and half of all answers are judged: true answers by the product's judges
(`tests/evaluator/judges/answering.py`). Identity is not checked and cost left out, so that what is to be found is each
model's mean truth. The first table's canaries are the author's, of which models answer another share rightly than of
held-out questions: no mean is the true one there. The second's are held-out questions as well.
"""

import argparse
import itertools
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Final

from tests.evaluator.judges.answering import NAMES, AnsweredWorld, Question
from tests.evaluator.judges.test_answering import NODES, PEOPLE, believed
from tests.poq.world import RULES, Node

from benchmarks.answers import ITEMS, Stage, stage
from benchmarks.believed import truth_of
from benchmarks.canaries import tasks_of
from dgrid.core.money import BPS
from dgrid.evaluator.judging import Judges, Scores
from dgrid.evaluator.rerun import PeerAnswers
from dgrid.gateway.route.standing import Standing, pooled, standing_of
from dgrid.poq.evidence import RoundEvidence
from dgrid.wire.openai import ChatRequest

TRIALS: Final = 40
LOOKS: Final = (300, 400, 600, 800, 1_200, 2_100)  # requests
A_ROUND: Final = 50  # of them
HELD_OUT: Final = range(ITEMS)  # places in the library
WRITTEN: Final = range(ITEMS, ITEMS + 1_000)
ALONE: Final = replace(RULES, draw=replace(RULES.draw, identity_bps=0), weights=replace(RULES.weights, cost=0))
Known = dict[tuple[object, ...], Scores]
NODES_OF: Final = {name: [node for node in NODES if node.model == name] for name in NAMES}


@dataclass(frozen=True, slots=True)
class Remembering:
    """Judges who read the same answers once."""

    judges: Judges
    known: Known

    async def score(self, chat: ChatRequest, answer: str, *, peers: PeerAnswers) -> Scores:
        beside = ((one.peer.digest, one.text) for one in peers.answers)
        key = (str(chat.messages), answer, len(peers.same_model), *beside)
        if key not in self.known:
            self.known[key] = await self.judges.score(chat, answer, peers=peers)
        return self.known[key]


@dataclass
class Trial(AnsweredWorld):
    """Each round asks the models by turns; some of its requests bring a canary for the same model a round later."""

    canaries: Sequence[int] = HELD_OUT
    models: Sequence[str] = ()  # asked in this round, canaries last
    known: Known = field(default_factory=dict)

    def judges(self) -> Judges:
        return Remembering(super().judges(), self.known)

    def evidence(self) -> RoundEvidence:
        followed = [model for model in self.models[:A_ROUND] if self.rng.random() < self.canary_share]
        self.models = [NAMES[(self._round + at) % len(NAMES)] for at in range(A_ROUND)] + followed
        self.leaves_per_round = len(self.models)
        return super().evidence()

    def node_of(self, sequence: int) -> Node:
        return self.rng.choice(NODES_OF[self.models[sequence]])

    def is_canary(self, sequence: int) -> bool:
        return sequence >= A_ROUND

    def place_of(self, sequence: int) -> int:
        return self.rng.choice(self.canaries if self.is_canary(sequence) else HELD_OUT)

    def believed(self) -> "Models":
        """What a gateway makes of each model, the worst first."""
        return Models([pooled(map(standing_of, believed(self, nodes))) for nodes in NODES_OF.values()])


@dataclass(frozen=True, slots=True)
class Models:
    """What is believed of all models in one trial."""

    standings: Sequence[Standing]

    @property
    def in_order(self) -> bool:
        means = [one.mean_bps for one in self.standings]
        return means == sorted(set(means))

    @property
    def apart(self) -> list[bool]:
        """Whether the intervals of neighbours are."""
        return [worse.high_bps < better.low_bps for worse, better in itertools.pairwise(self.standings)]

    def held(self, truths: Sequence[float]) -> float:
        """The share of the intervals that hold the truth, which is given in basis points like them."""
        pairs = zip(self.standings, truths, strict=True)
        return fmean(one.low_bps <= truth <= one.high_bps for one, truth in pairs)


Trials = Mapping[int, Sequence[Models]]  # by the number of requests


def trials(on: Stage, canaries: Sequence[int], *, options: argparse.Namespace) -> Trials:
    rules = replace(ALONE, draw=replace(ALONE.draw, quality_bps=round(BPS * options.judged)))
    found, known = defaultdict[int, list[Models]](list), Known()
    for seed in range(options.trials):
        world = Trial(
            NODES,
            PEOPLE,
            seed,
            rules,
            canary_share=options.canaries,
            library=on.library,
            encoder=on.encoder,
            run=on.runner.run,
            canaries=canaries,
            known=known,
        )
        played = 0
        for requests in LOOKS:
            world.play((requests - played) // A_ROUND)
            played = requests
            found[requests].append(world.believed())
        print(f"seed {seed} is over", file=sys.stderr)
    return found


def table(heading: str, found: Trials, *, truths: Sequence[float] = ()) -> str:
    """Shares of the trials; that of intervals that hold the truth only where it is known."""
    rows: dict[str, Callable[[Models], float]] = {
        "models in their order": lambda one: one.in_order,
        "nano and micro apart": lambda one: one.apart[0],
        "micro and mini apart": lambda one: one.apart[1],
        "all three apart": lambda one: all(one.apart),
    }
    if truths:
        rows["truth in the 90 % interval"] = lambda one: one.held(truths)
    lines = [f"| {heading} | {' | '.join(f'{requests:,}' for requests in found)} |", "|---" * (1 + len(found)) + "|"]
    for name, share in rows.items():
        lines.append(f"| {name} | {' | '.join(f'{fmean(map(share, each)):.2f}' for each in found.values())} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--canaries", type=float, default=0.3, help="for each request of clients")
    parser.add_argument("--judged", type=float, default=0.5, help="of all answers")
    options = parser.parse_args()
    written = [Question(task.body, task.reference) for task in tasks_of(1, count=len(WRITTEN))]
    with stage(written) as on:
        print(table("the author's canaries", trials(on, WRITTEN, options=options)), end="\n\n")
    with stage() as on:
        truths = [truth_of(on.library, name) for name in NAMES]
        print(table("canaries of the clients' source", trials(on, HELD_OUT, options=options), truths=truths))
    return 0


if __name__ == "__main__":
    sys.exit(main())
