"""A simulated network whose answers are the built-in models' own, judged by the product's evaluators on real weights.

Where `tests.poq.world` supposes what evaluators see, here it is found: each model answers held-out questions once, the
evaluators ask peers, read with the encoder and run the claimed model; only the network between them is left out.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import msgspec
from tests.poq.world import Node, Served, World, digest
from tests.wire.making import make_document

from dgrid.core.identity import Address
from dgrid.core.money import BPS
from dgrid.engines.encoder import Encoder
from dgrid.engines.engine import Piece, Token
from dgrid.engines.forcing import Forcing
from dgrid.engines.llama import LlamaEngine, LlamaOptions
from dgrid.engines.models import ModelFacts, model_facts
from dgrid.engines.requests import engine_request
from dgrid.evaluator.disclosures import Shown
from dgrid.evaluator.judges.by_encoder import EncoderJudges
from dgrid.evaluator.judges.by_rules import RuleJudges
from dgrid.evaluator.judging import Bench, FoundedReport, Judges, ShownDuty
from dgrid.evaluator.rerun import Peer, PeerAnswer, Repeat, Repeater
from dgrid.poq.changes import flagged_in
from dgrid.poq.draw import Duty
from dgrid.poq.evidence import DrawnEpoch
from dgrid.poq.panels import all_duties
from dgrid.poq.rules import BUILT_IN_REFERENCES
from dgrid.poq.tasks import question_of, task_of
from dgrid.poq.text import reference_score
from dgrid.wire.evidence import ChoiceEvidence, encode_evidence
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import NOT_SCORED, Content, Identity, LeafKey, Report, TaskType, Verdict

MODELS = Path(__file__).resolve().parents[3] / "models"
NAMES = ("dgrid-nano", "dgrid-micro", "dgrid-mini")
TOKENS_MAX = 128
REMEMBERED = 4  # answers of a replayer
DOCUMENT = make_document()


@dataclass(frozen=True, slots=True)
class Question:
    body: bytes
    reference: str

    @property
    def task(self) -> TaskType:
        return task_of(decode_chat(self.body))

    def truth(self, answer: str) -> float:
        asked = question_of(decode_chat(self.body))
        return reference_score(self.task, answer, self.reference, question=asked) / BPS


def held_out(count: int) -> list[Question]:
    """So many of the held-out questions, of all tasks."""
    lines = [json.loads(line) for line in (MODELS / "heldout.jsonl").read_text().splitlines()]
    drawn = Random(1).sample(lines, count)
    return [
        Question(
            msgspec.json.encode({"model": "auto", "messages": one["messages"], "temperature": 0}), one["reference"]
        )
        for one in drawn
    ]


@dataclass(frozen=True, slots=True)
class Library:
    """What every model answers to every question, and the weights to hold it against."""

    questions: Sequence[Question]
    answers: Mapping[str, Sequence[Content]]  # by model
    digests: Mapping[bytes, bytes]  # of the simulated weights, to the real ones'
    forcing: Forcing
    found: dict[tuple[bytes, Content], Identity | None] = field(default_factory=dict)

    async def measure(self, digest: bytes, content: Content) -> Identity | None:
        """As an evaluator's engine does; what was measured is remembered."""
        key = digest, content
        if key not in self.found:
            self.found[key] = await self.forcing.measure(self.digests[digest], content)
        return self.found[key]


async def library(questions: Sequence[Question]) -> Library:
    """Asks the built-in models. Raises EngineCannotStart."""
    facts = {name: model_facts(MODELS / f"{name}-q8_0.gguf") for name in NAMES}
    answers = {name: await answers_of(found, questions) for name, found in facts.items()}
    forcing = Forcing({found.digest: found for found in facts.values()})
    return Library(questions, answers, {digest(name): found.digest for name, found in facts.items()}, forcing)


async def answers_of(facts: ModelFacts, questions: Sequence[Question]) -> list[Content]:
    spaced = facts.reply_opens_with_space
    engine = LlamaEngine(LlamaOptions(facts.path, "any", facts.context, reply_opens_with_space=spaced))
    await engine.start()
    try:
        return [await answer_of(engine, question.body) for question in questions]
    finally:
        await engine.stop()


async def answer_of(engine: LlamaEngine, body: bytes) -> Content:
    request = engine_request(body, decode_chat(body), seed=7, tokens_max=TOKENS_MAX)
    text, tokens = "", list[Token]()
    async with aclosing(engine.generate(request)) as events:
        async for event in events:
            if isinstance(event, Piece):
                text, tokens = text + event.text, [*tokens, *event.tokens]
    evidence = ChoiceEvidence([token.id for token in tokens], [token.logprob for token in tokens])
    return Content(bytes(32), body, text, encode_evidence([evidence]))


@dataclass(frozen=True)
class Answering(Node):
    """A node that runs a model, the claimed one unless it says so, and may answer from a store of old answers."""

    quality: float = 0.5  # unused: it is as good as its answers
    runs: str = ""
    replayed_share: float = 0.0


@dataclass
class AnsweredWorld(World):
    """`nodes` are Answering; evaluators do their duty, whatever their habit."""

    library: Library = field(kw_only=True)
    encoder: Encoder = field(kw_only=True)
    run: Callable[..., FoundedReport] = field(kw_only=True)  # a coroutine to its end
    asked: Counter[str] = field(default_factory=Counter)  # judgements, reruns, checks
    consistency: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))  # scored, by node

    def __post_init__(self) -> None:
        super().__post_init__()
        self._given: dict[LeafKey, tuple[int, Content]] = {}
        self._stores: dict[str, list[Content]] = {node.name: [] for node in self.nodes}
        self._places = {question.body: place for place, question in enumerate(self.library.questions)}
        self._by_address = {node.address: node for node in self.nodes}

    @property
    def flagged(self) -> set[str]:
        found = flagged_in(self.table.suspicions) if self.table else frozenset()
        return {self._by_address[node].name for node, _ in found}

    def judges(self) -> Judges:
        return EncoderJudges(self.encoder, RuleJudges())

    def answer(self, node: Node, place: int) -> Content:
        assert isinstance(node, Answering)
        true = self.library.answers[node.runs or node.model][place]
        store, replays = self._stores[node.name], self.rng.random() < node.replayed_share
        if replays and len(store) < REMEMBERED:
            store.append(true)
        old = self.rng.choice(store) if replays else true
        return msgspec.structs.replace(old, request=true.request)

    def place_of(self, sequence: int) -> int:
        """What is asked."""
        return self.rng.randrange(len(self.library.questions))

    def _serve(self, sequence: int) -> Served:
        served = super()._serve(sequence)
        place = self.place_of(sequence)
        content, question = self.answer(self._by_address[served.leaf.node], place), self.library.questions[place]
        self._given[served.leaf.key] = place, content
        return replace(served, truth=question.truth(content.answer), task=question.task)

    def _openings(self, draw: DrawnEpoch, served: dict[LeafKey, Served]) -> dict[tuple[int, bytes], tuple[Report, ...]]:
        opened: dict[tuple[int, bytes], list[Report]] = {(draw.round, one.address): [] for one in self.evaluators}
        for duty in all_duties([draw], self.rules):
            opened[draw.round, duty.evaluator].append(self._report(duty))
        return {owner: tuple(reports) for owner, reports in opened.items()}

    def _report(self, duty: Duty) -> Report:
        place, content = self._given[duty.leaf.key]
        leaf = duty.leaf
        dispatch = msgspec.structs.replace(DOCUMENT.dispatch, node=leaf.node, model_digest=leaf.model_digest)
        given = ShownDuty(duty, replace(DOCUMENT, dispatch=dispatch), Shown(Verdict.JUDGED, content))
        self.asked.update(judgements=duty.quality, checks=duty.identity)
        repeater = Repeater(lambda repeat: self._repeated(repeat, place), budget_wei=1)
        evaluator, judges = Address(duty.evaluator), self.judges()
        bench = Bench(evaluator, repeater, self._peers, judges, self.library, BUILT_IN_REFERENCES)
        report = self.run(bench.report(given, within_s=30)).report
        if report.consistency_bps != NOT_SCORED:
            self.consistency[self._by_address[leaf.node].name].append(report.consistency_bps)
        return report

    async def _repeated(self, repeat: Repeat, place: int) -> PeerAnswer:
        self.asked["reruns"] += 1
        node = self._by_address[repeat.peer.node]
        return PeerAnswer(repeat.peer, repeat.peer.node.rjust(32, b"\0"), self.answer(node, place).answer)

    async def _peers(self) -> list[Peer]:
        """Everybody who was not found out, as an evaluator's offers have it."""
        flagged = self.flagged
        return [
            Peer(Address(node.address), node.model, digest(node.model))
            for node in self.nodes
            if node.name not in flagged
        ]
