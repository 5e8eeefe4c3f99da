"""Whom should a judge ask, and how do judgements go with the truth? `python -m benchmarks.answers`: two tables.

The world of `tests/evaluator/judges/answering.py`, with the built-in models' own answers: five honest nodes, five
honest evaluators, the dev network's shares, cost left out of the scores. Each seed is played twice, by members that ask
all whom they may at once, and by such that ask one other model first, as the product's do.

A judgement is the mean of what its members say, the truth what the court gives for the reference.
"""

import argparse
import asyncio
import contextlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import correlation, fmean
from typing import Final

from tests.evaluator.judges.answering import MODELS, NAMES, AnsweredWorld, Library, Question, held_out, library
from tests.evaluator.judges.conftest import client
from tests.evaluator.judges.test_answering import NODES, PEOPLE, believed
from tests.poq.world import RULES

from dgrid.core.identity import model_id
from dgrid.core.money import BPS
from dgrid.engines.encoder import Encoder
from dgrid.engines.requests import conversation
from dgrid.engines.tokenizers import load_tokenizer
from dgrid.evaluator.judging import Judges, Scores
from dgrid.evaluator.rerun import PeerAnswer, PeerAnswers, Repeat
from dgrid.poq.dimensions import judged_quality
from dgrid.poq.draw import Duty
from dgrid.poq.rules import BUILT_IN_REFERENCES
from dgrid.wire.openai import ChatRequest, decode_chat
from dgrid.wire.quality import LeafKey, Report

ITEMS: Final = 570  # all held-out questions
SEEDS: Final = 40
ROUNDS: Final = 20  # of ten answers a node
QUALITY_ALONE: Final = replace(RULES, weights=replace(RULES.weights, cost=0))
Fees = Mapping[str, Sequence[int]]  # wei, by model and question


class NeverAgreed(Scores):
    """Scores after which everybody else is asked too."""

    @property
    def agreed(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class AskingAll:
    """Judges whom no answer satisfies."""

    judges: Judges

    async def score(self, chat: ChatRequest, answer: str, *, peers: PeerAnswers) -> Scores:
        found = await self.judges.score(chat, answer, peers=peers)
        return NeverAgreed(found.task, found.format_bps, found.accuracy_bps, found.consistency_bps, found.method)


@dataclass
class WatchedWorld(AnsweredWorld):
    """Keeps what is paid and said."""

    fees: Fees = field(kw_only=True)
    asks_all: bool = False
    spent_wei: int = 0
    said: dict[LeafKey, list[int]] = field(default_factory=lambda: defaultdict(list))
    models: dict[LeafKey, str] = field(default_factory=dict)

    def judges(self) -> Judges:
        return AskingAll(super().judges()) if self.asks_all else super().judges()

    def _report(self, duty: Duty) -> Report:
        report = super()._report(duty)
        score = judged_quality(report, self.rules.weights) if duty.quality else None
        if score is not None:
            self.said[report.key].append(score)
            self.models[report.key] = self._by_address[duty.leaf.node].model
        return report

    async def _repeated(self, repeat: Repeat, place: int) -> PeerAnswer:
        self.spent_wei += self.fees[repeat.peer.model][place]
        return await super()._repeated(repeat, place)


@dataclass(frozen=True, slots=True)
class Findings:
    """Of all worlds in which members asked one way."""

    worlds: list[WatchedWorld] = field(default_factory=list)

    @property
    def reruns(self) -> float:
        """Answers asked for a judgement."""
        asked = sum((world.asked for world in self.worlds), Counter[str]())
        return asked["reruns"] / asked["judgements"]

    @property
    def fees_wei(self) -> float:
        """What they cost."""
        return sum(world.spent_wei for world in self.worlds) / sum(world.asked["judgements"] for world in self.worlds)

    @property
    def in_order(self) -> int:
        return sum(map(is_in_order, self.worlds))

    def level(self, model: str) -> float:
        """The mean of what panels made of its canaries, each member's scores read as its own canaries tell."""
        tables = [world.table for world in self.worlds if world.table is not None]
        rows = [row for table in tables for row in table.levels if row.model == model_id(model)]
        return sum(row.consensus_micros for row in rows) / sum(row.count_micros for row in rows)

    def pairs(self, model: str | None = None) -> list[tuple[float, float]]:
        """(judgement, truth) of every judged answer, 0 to 1; of one model, or of all."""
        return [
            (fmean(scores) / BPS, world.truths[key])
            for world in self.worlds
            for key, scores in world.said.items()
            if model in (None, world.models[key])
        ]


def is_in_order(world: WatchedWorld) -> bool:
    """Whether the means of the models' nodes rise from model to model."""
    nodes = ([node for node in NODES if node.model == name] for name in NAMES)
    means = [fmean(row.mean_bps for row in believed(world, each)) for each in nodes]
    return means == sorted(set(means))


def fees_of(books: Library) -> Fees:
    """What each answer costs who asks for it, by the catalogue's prices and the models' own tokens."""
    tokenizer = load_tokenizer(MODELS / f"{NAMES[0]}-q8_0.gguf")  # one for all three
    assert tokenizer is not None
    chats = [conversation(decode_chat(question.body).messages) or [] for question in books.questions]
    asked = [tokenizer.count_prompt(chat) or 0 for chat in chats]
    return {
        name: [
            BUILT_IN_REFERENCES[model_id(name)].price.gross(tokens, tokenizer.count_reply(said.answer))
            for tokens, said in zip(asked, books.answers[name], strict=True)
        ]
        for name in NAMES
    }


def asking_table(all_at_once: Findings, one_first: Findings) -> str:
    both, leaves = (all_at_once, one_first), len(one_first.pairs())
    rows = {
        "answers asked for a judgement": [f"{one.reruns:.2f}" for one in both],
        "their fees": [f"{one.fees_wei / all_at_once.fees_wei:.2f}" for one in both],
        f"judgement and truth correlate, {leaves:,} answers": [f"{correlated(one.pairs()):.2f}" for one in both],
        f"models in their order, of {len(one_first.worlds)} runs": [str(one.in_order) for one in both],
    }
    head = ["| whom a member asks | everybody at once | one other model first |", "|---|---|---|"]
    return "\n".join([*head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def model_table(found: Findings) -> str:
    lines = [
        "| one other model first | truth | members | panels | they correlate |",
        "|---|---|---|---|---|",
    ]
    for name in NAMES:
        pairs = found.pairs(name)
        said, truth = (fmean(each) for each in zip(*pairs, strict=True))
        lines.append(f"| {name} | {truth:.2f} | {said:.2f} | {found.level(name):.2f} | {correlated(pairs):.2f} |")
    return "\n".join(lines)


def correlated(pairs: Sequence[tuple[float, float]]) -> float:
    return correlation(*zip(*pairs, strict=True))


@dataclass(frozen=True, slots=True)
class Stage:
    """What all worlds share."""

    library: Library
    encoder: Encoder
    runner: asyncio.Runner


@contextlib.contextmanager
def stage(more: Sequence[Question] = ()) -> Iterator[Stage]:
    """Every held-out question, and some more, answered by every model, an encoder that serves. Raises DGridError."""
    with asyncio.Runner() as runner:
        serving = client()
        encoder = runner.run(serving.__aenter__())
        try:
            books = runner.run(library([*held_out(ITEMS), *more]))
            yield Stage(books, encoder, runner)
            runner.run(books.forcing.stop())
        finally:
            runner.run(serving.__aexit__(None, None, None))


def played(seed: int, on: Stage, *, fees: Fees, asks_all: bool) -> WatchedWorld:
    """An honest network's life."""
    world = WatchedWorld(
        NODES,
        PEOPLE,
        seed,
        QUALITY_ALONE,
        10 * len(NODES),
        library=on.library,
        encoder=on.encoder,
        run=on.runner.run,
        fees=fees,
        asks_all=asks_all,
    )
    world.play(ROUNDS)
    print(f"seed {seed} is over", file=sys.stderr)
    return world


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    seeds = range(parser.parse_args().seeds)
    with stage() as on:
        fees = fees_of(on.library)
        all_at_once, one_first = (
            Findings([played(seed, on, fees=fees, asks_all=asks_all) for seed in seeds]) for asks_all in (True, False)
        )
    print(asking_table(all_at_once, one_first), model_table(one_first), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
