"""The thresholds of the built-in models, held against true replies of their files."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from random import Random

import msgspec
import pytest
from tests.engines.conftest import MICRO

from dgrid.engines.engine import Piece, Token
from dgrid.engines.forcing import Forcing
from dgrid.engines.llama import LlamaEngine, LlamaOptions
from dgrid.engines.models import model_facts
from dgrid.engines.requests import engine_request
from dgrid.poq.identity import NEVER, suspect, threshold_of
from dgrid.poq.rules import F16_GAP_MICROS, IdentityRules
from dgrid.wire.evidence import ChoiceEvidence, encode_evidence
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import Content, SuspicionRow

REPLIES = 60
RULES = IdentityRules()
NANO_F16, MICRO_F16 = (MICRO.with_name(f"dgrid-{name}-f16.gguf") for name in ("nano", "micro"))


@pytest.mark.parametrize("path", [NANO_F16, MICRO_F16], ids=lambda path: path.stem)
def test_the_exact_files_have_a_threshold_of_their_own(path: Path) -> None:
    assert threshold_of(model_facts(path).digest, RULES) == F16_GAP_MICROS


def test_a_rounded_file_has_the_common_one() -> None:
    assert threshold_of(model_facts(MICRO).digest, RULES) == RULES.gap_micros > F16_GAP_MICROS


def test_rounded_weights_sold_as_exact_are_found_and_exact_ones_are_not(loop: asyncio.Runner) -> None:
    honest, rounded = loop.run(gaps_of(MICRO_F16)), loop.run(gaps_of(MICRO))
    assert not is_flagged(honest, F16_GAP_MICROS)
    assert is_flagged(rounded, F16_GAP_MICROS)
    assert not is_flagged(rounded, RULES.gap_micros)


def is_flagged(gaps: Sequence[int], threshold: int) -> bool:
    row = SuspicionRow(b"n" * 20, b"m" * 32, (), NEVER)
    for number, gap in enumerate(gaps):
        clipped = min(gap, RULES.clip * threshold)
        row = suspect(row, clipped, threshold_micros=threshold, round_=number, rules=RULES)
    return row.flagged_round != NEVER


async def gaps_of(served: Path) -> list[int]:
    """Of replies of a file under the exact weights of dgrid-micro, four at a time as a busy node serves them."""
    facts = model_facts(MICRO_F16)
    forcing, at_once = Forcing({facts.digest: facts}), asyncio.Semaphore(4)
    spaced = facts.reply_opens_with_space
    engine = LlamaEngine(LlamaOptions(served, "any", facts.context, parallel=4, reply_opens_with_space=spaced))
    await engine.start()
    try:
        contents = await asyncio.gather(*(reply(engine, body, at_once) for body in bodies()))
        found = [await forcing.measure(facts.digest, content) for content in contents]
    finally:
        await engine.stop()
        await forcing.stop()
    return [one.gap_micros for one in found if one is not None]


def bodies() -> list[bytes]:
    lines = [json.loads(line) for line in MICRO.with_name("heldout.jsonl").read_text().splitlines()]
    asked = Random(1).sample(lines, REPLIES)
    return [msgspec.json.encode({"model": "any", "messages": one["messages"], "temperature": 0}) for one in asked]


async def reply(engine: LlamaEngine, body: bytes, at_once: asyncio.Semaphore) -> Content:
    text, tokens = "", list[Token]()
    request = engine_request(body, decode_chat(body), seed=7, tokens_max=64)
    async with at_once, aclosing(engine.generate(request)) as events:
        async for event in events:
            if isinstance(event, Piece):
                text, tokens = text + event.text, [*tokens, *event.tokens]
    evidence = ChoiceEvidence([token.id for token in tokens], [token.logprob for token in tokens])
    return Content(bytes(32), body, text, encode_evidence([evidence]))
