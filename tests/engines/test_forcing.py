"""Honest nodes and impostors on real models: what llama.cpp's server reports against what teacher forcing finds."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from tests.engines.conftest import MINI
from tests.engines.test_tokenizers import LlamaServer, chats

from dgrid.engines.engine import Piece
from dgrid.engines.forcing import WORST_MICROS, Forcing, is_greedy, is_spelling, prompt_of
from dgrid.engines.libllama import Scorer, load_library
from dgrid.engines.llama import LlamaEngine, LlamaOptions
from dgrid.engines.models import ModelFacts, model_facts
from dgrid.engines.requests import engine_request
from dgrid.wire.evidence import ChoiceEvidence, decode_evidence, encode_evidence
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import Content, Identity

MODELS = MINI.parent
NANO = MODELS / "dgrid-nano-q8_0.gguf"
MICRO_F16 = MODELS / "dgrid-micro-f16.gguf"
FACTS = {path: model_facts(path) for path in (MINI, NANO, MICRO_F16)}
HONEST_MICROS = 60_000  # above every honest reply measured, below the mean of any impostor's
MARIA = "Maria lives in Oslo and works as a nurse. Tim plays the cello and owns a red bicycle."
QUESTIONS = (
    f"{MARIA}\nWhere does Maria live? Answer in a sentence.",
    f"{MARIA}\nWhat does Tim own?",
    f"{MARIA}\nDoes Maria work as a nurse?",
    f"Summarise: {MARIA} The main news is that the harbour in Porto will close on Friday.",
    f"{MARIA}\nGive the name and city of Maria as JSON.",
    "Write a poem about the sea.",
)
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 20}, "city": {"type": "string", "maxLength": 20}},
            "required": ["name", "city"],
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True, slots=True)
class Node:
    """A node's engine, as far as its answers and evidence go."""

    loop: asyncio.Runner
    engine: LlamaEngine

    def content(self, said: str | list[dict[str, str]], **fields: Any) -> Content:
        messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
        body = msgspec.json.encode({"model": "any", "messages": messages, **fields})
        texts, evidence = self.loop.run(self._answer(body))
        return Content(bytes(32), body, "\x1e".join(texts), encode_evidence(evidence))

    async def _answer(self, body: bytes) -> tuple[list[str], list[ChoiceEvidence]]:
        request = engine_request(body, decode_chat(body), seed=7, tokens_max=64)
        pieces: list[list[Piece]] = [[] for _ in range(request.choices)]
        async with aclosing(self.engine.generate(request)) as events:
            async for event in events:
                if isinstance(event, Piece):
                    pieces[event.choice].append(event)
        texts = ["".join(piece.text for piece in each) for each in pieces]
        tokens = [[token for piece in each for token in piece.tokens] for each in pieces]
        return texts, [ChoiceEvidence([t.id for t in each], [t.logprob for t in each]) for each in tokens]


@pytest.fixture(scope="module")
def node(loop: asyncio.Runner, llama: LlamaEngine) -> Node:
    return Node(loop, llama)


@pytest.fixture(scope="module")
def small_node(loop: asyncio.Runner) -> Iterator[Node]:
    yield from serving(loop, NANO)


@pytest.fixture(scope="module")
def exact_node(loop: asyncio.Runner) -> Iterator[Node]:
    yield from serving(loop, MICRO_F16)


def serving(loop: asyncio.Runner, path: Path) -> Iterator[Node]:
    engine = LlamaEngine(LlamaOptions(path, "any", context=512, reply_opens_with_space=True))
    loop.run(engine.start())
    yield Node(loop, engine)
    loop.run(engine.stop())


@dataclass(frozen=True, slots=True)
class Evaluator:
    loop: asyncio.Runner
    forcing: Forcing

    def measure(self, content: Content, *, claimed: Path = MINI) -> Identity | None:
        return self.loop.run(self.forcing.measure(FACTS[claimed].digest, content))

    def gap(self, content: Content, *, claimed: Path = MINI) -> int:
        found = self.measure(content, claimed=claimed)
        assert found is not None
        return found.gap_micros


@pytest.fixture(scope="module")
def evaluator(loop: asyncio.Runner) -> Iterator[Evaluator]:
    forcing = Forcing({facts.digest: facts for facts in FACTS.values()})
    yield Evaluator(loop, forcing)
    loop.run(forcing.stop())


@pytest.mark.parametrize(
    "fields",
    [
        {"stream": True},
        {"stream": False},
        {"temperature": 1.0, "stream": True},
        {"n": 3, "temperature": 1.0},
        {"max_tokens": 2},
        {"stop": ["e", "i"], "stream": True},
        {"response_format": SCHEMA, "stream": True},
        {"response_format": SCHEMA, "stream": False},
        {"response_format": {"type": "json_object"}, "temperature": 1.0, "stream": True, "max_tokens": 40},
    ],
    ids=str,
)
def test_an_honest_answer_fits_however_it_was_asked_for(
    node: Node, evaluator: Evaluator, fields: dict[str, Any]
) -> None:
    gaps = [evaluator.gap(node.content(question, **fields)) for question in QUESTIONS]
    assert max(gaps) < HONEST_MICROS, gaps


def test_an_honest_answer_in_a_conversation_fits(node: Node, evaluator: Evaluator) -> None:
    turns = [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": QUESTIONS[0]},
        {"role": "assistant", "content": "Maria lives in Oslo."},
        {"role": "user", "content": "What does she work as?"},
    ]
    found = evaluator.measure(node.content(turns))
    assert found is not None
    assert found.gap_micros < HONEST_MICROS
    assert found.misses == 0
    assert found.likelihood_micros < 0
    begun = [*turns, {"role": "assistant", "content": " nur"}]
    for stream in (True, False):
        assert evaluator.gap(node.content(begun, stream=stream)) < HONEST_MICROS


def test_characters_of_several_tokens_fit(node: Node, evaluator: Evaluator) -> None:
    for limit in (64, 5, 4, 3):
        said = "Zoë Šťastná 東京 lives in Łódź 🐈. Copy the sentence about Łódź."
        assert evaluator.gap(node.content(said, max_tokens=limit, temperature=1.2, stream=True)) < HONEST_MICROS


def test_a_smaller_model_does_not_pass_for_the_claimed_one(node: Node, small_node: Node, evaluator: Evaluator) -> None:
    honest = [evaluator.gap(node.content(question)) for question in QUESTIONS]
    swapped = [evaluator.measure(small_node.content(question)) for question in QUESTIONS]
    assert mean(found.gap_micros for found in swapped if found) > 5 * max(HONEST_MICROS, *honest)
    assert sum(found.misses for found in swapped if found) > 0


def test_a_quantized_file_does_not_pass_for_the_exact_one(node: Node, exact_node: Node, evaluator: Evaluator) -> None:
    exact = [evaluator.gap(exact_node.content(question), claimed=MICRO_F16) for question in QUESTIONS]
    quantized = [evaluator.gap(node.content(question), claimed=MICRO_F16) for question in QUESTIONS]
    assert mean(quantized) > 10 * mean(exact)


def test_laundered_answers_miss_the_models_first_choice(small_node: Node, evaluator: Evaluator) -> None:
    """The small model writes, the claimed one only computes the log-probabilities: the gap is nothing then."""
    misses = 0
    for question in QUESTIONS:
        content = small_node.content(question)
        laundered = launder(content, evaluator)
        found = evaluator.measure(laundered)
        assert found is not None
        assert found.gap_micros < HONEST_MICROS
        misses += found.misses
    assert misses > 0


def launder(content: Content, evaluator: Evaluator) -> Content:
    tokenizer = FACTS[MINI].tokenizer
    assert tokenizer is not None
    prompt = prompt_of(content.request, tokenizer)
    assert prompt is not None
    (choice,) = decode_evidence(content.evidence)
    with Scorer(load_library(), MINI, context=512) as scorer:
        scored = scorer.score(prompt, choice.ids)
    return msgspec.structs.replace(content, evidence=encode_evidence([ChoiceEvidence(choice.ids, scored.logprobs)]))


def test_tokens_of_another_answer_vouch_for_nothing(node: Node, evaluator: Evaluator) -> None:
    content = node.content(QUESTIONS[0])
    other = msgspec.structs.replace(content, answer="Maria lives in Rome.")
    assert evaluator.gap(other) == WORST_MICROS
    assert evaluator.gap(msgspec.structs.replace(content, answer=content.answer + "\x1eMore.")) == WORST_MICROS


@pytest.mark.parametrize(
    "evidence",
    [
        b"",
        b"\x01\x01\x00",
        encode_evidence([]),
        encode_evidence([ChoiceEvidence([], [])]),
        encode_evidence([ChoiceEvidence([-1], [-0.5])]),
        encode_evidence([ChoiceEvidence([2**31], [-0.5])]),
        encode_evidence([ChoiceEvidence([300], [math.nan])]),
        encode_evidence([ChoiceEvidence([300], [math.inf])]),
        encode_evidence([ChoiceEvidence([300] * 2000, [-0.1] * 2000)]),
    ],
)
def test_evidence_that_is_none_measures_as_badly_as_can_be(node: Node, evaluator: Evaluator, evidence: bytes) -> None:
    content = node.content(QUESTIONS[0])
    assert evaluator.gap(msgspec.structs.replace(content, evidence=evidence)) == WORST_MICROS
    assert evaluator.gap(content) < HONEST_MICROS, "and the next one is measured as before"


def test_what_cannot_be_rebuilt_gives_no_measurement(node: Node, evaluator: Evaluator) -> None:
    content = node.content(QUESTIONS[0])
    tools = msgspec.json.encode({"model": "a", "messages": [{"role": "user", "content": "Hi"}], "tools": [{}]})
    picture = msgspec.json.encode(
        {"model": "a", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}
    )
    blank = msgspec.json.encode({"model": "a", "messages": [{"role": "user", "content": " " * 1_100_000}]})
    for request in (tools, picture, blank, b"{"):
        assert evaluator.measure(msgspec.structs.replace(content, request=request)) is None
    assert evaluator.loop.run(evaluator.forcing.measure(bytes(32), content)) is None


@settings(deadline=None, max_examples=200)
@given(chat=chats)
def test_a_prompt_is_cut_as_llama_cpp_cuts_it(node: Node, chat: list[tuple[str, str]]) -> None:
    server, tokenizer = LlamaServer(node.loop, node.engine), FACTS[MINI].tokenizer
    assert tokenizer is not None
    messages = [{"role": role, "content": text} for role, text in chat]
    found = prompt_of(msgspec.json.encode({"model": "any", "messages": messages}), tokenizer)
    assert found == server.ask("/tokenize", content=server.prompt(chat), parse_special=True)["tokens"]


def test_the_child_is_started_again_when_it_died(node: Node, evaluator: Evaluator) -> None:
    content = node.content(QUESTIONS[0])
    assert evaluator.gap(content) < HONEST_MICROS
    child = evaluator.forcing._child
    assert child is not None
    child.kill()
    evaluator.loop.run(child.wait())
    with pytest.raises(Exception, match="ended or is stuck"):
        evaluator.gap(content)
    assert evaluator.gap(content) < HONEST_MICROS


def test_declares_the_models_whose_prompts_it_can_write() -> None:
    nameless = ModelFacts(MINI, b"\x01" * 32, 512, "q8_0", "custom", None)
    forcing = Forcing({facts.digest: facts for facts in (*FACTS.values(), nameless)})
    assert forcing.digests == tuple(sorted(facts.digest for facts in FACTS.values()))


@pytest.mark.parametrize(
    ("text", "answer", "stops", "fits"),
    [
        (" Oslo", "Oslo", [], True),
        ("\n\n {}", "{}", [], True),
        (" Oslo \ufffd", "Oslo ", [], True),
        (" the", "th", ["e"], True),
        (" theory", "th", ["e"], True),
        (" the", "t", ["hello"], True),
        (" the", "th", [], False),
        (" Oslo", "Rome", ["Oslo"], False),
    ],
)
def test_tokens_spell_their_answer(text: str, answer: str, stops: list[str], *, fits: bool) -> None:
    assert is_spelling(text, answer, stops=stops) is fits


def test_only_an_unshaped_answer_at_temperature_0_must_be_the_first_choice() -> None:
    def greedy(**fields: Any) -> bool:
        return is_greedy(msgspec.json.encode({"model": "a", "messages": [], **fields}))

    assert greedy()
    assert greedy(temperature=0, response_format={"type": "text"})
    assert not greedy(temperature=0.7)
    assert not greedy(response_format={"type": "json_object"})
    assert not greedy(logit_bias={"3": 5})
