"""What checking an answer's identity costs beside writing it: the engines alone, one reply and one check at a time.

The same model file writes an answer in llama.cpp's server and reads its tokens once in the evaluators' scorer; both are
children of this process, metered by the scheduler's count. Nothing else of a node or an evaluator is in it.

`python -m benchmarks.identity 8 32 128` has answers of just so many tokens (at most 128): the prompt, which both read,
weighs less beside a longer one. Without numbers answers end where the models end them.
"""

import asyncio
import os
import random
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import msgspec

from benchmarks.meters import cpu_ns, descendants
from dgrid.author.chance import Chance
from dgrid.author.generator import known_task
from dgrid.author.naming import VIRTUAL_NAMES, Answering
from dgrid.engines.catalog import BuiltInModel, Catalog
from dgrid.engines.engine import Piece, Token
from dgrid.engines.forcing import Forcing
from dgrid.engines.llama import LlamaEngine, LlamaOptions
from dgrid.engines.models import ModelFacts, model_facts
from dgrid.engines.requests import engine_request
from dgrid.processes.author_asking import write_body
from dgrid.wire.evidence import ChoiceEvidence, encode_evidence
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import Content

REPLIES = 60
TOKENS_MAX = 128
WARM_REPLIES = 3
NEVER_ENDS = {"0": -100, "2": -100}  # the built-in models' tokens that end an answer


@dataclass(frozen=True, slots=True)
class CheckCost:
    """One model: CPU of writing an answer, and of reading it."""

    model: str
    replies: int
    tokens_out: int
    reply_ms: float
    check_ms: float

    @property
    def ratio(self) -> float:
        return self.check_ms / self.reply_ms


async def measure_identity(say: Callable[[str], None], *, tokens: int | None = None) -> list[CheckCost]:
    """Every built-in model, its answers of `tokens` tokens where given. Raises EngineCannotStart."""
    costs = []
    for model in Catalog.built_in().models:
        bodies = [_of_length(body, tokens) for body in _bodies(model.id)]
        costs.append(await _cost(model, model_facts(model.path), bodies))
        say(f"identity checks of {model.id}: {costs[-1].ratio:.2f} of writing")
    return costs


async def _cost(model: BuiltInModel, facts: ModelFacts, bodies: Sequence[bytes]) -> CheckCost:
    opening = facts.reply_opens_with_space
    engine = LlamaEngine(LlamaOptions(model.path, model.id, facts.context, reply_opens_with_space=opening))
    scorer = Forcing({facts.digest: facts})
    own = set(descendants(os.getpid()))
    await engine.start()
    try:
        writers = set(descendants(os.getpid())) - own
        contents = [await _content(engine, body) for body in bodies[:WARM_REPLIES]]
        begun_ns = cpu_ns(writers)
        contents += [await _content(engine, body) for body in bodies[WARM_REPLIES:]]
        reply_ns = cpu_ns(writers) - begun_ns
        for content in contents[:WARM_REPLIES]:
            await scorer.measure(facts.digest, content)
        readers = set(descendants(os.getpid())) - own - writers
        begun_ns = cpu_ns(readers)
        found = [await scorer.measure(facts.digest, content) for content in contents[WARM_REPLIES:]]
        check_ns = cpu_ns(readers) - begun_ns
    finally:
        await scorer.stop()
        await engine.stop()
    tokens = sum(identity.tokens for identity in found if identity is not None)
    return CheckCost(model.id, len(found), tokens, reply_ns / len(found) / 1e6, check_ns / len(found) / 1e6)


def _bodies(model: str) -> list[bytes]:
    """Requests to one model, as clients write them; those of fixed shape are left out: they cost the writer more."""
    chance, found = Chance(random.Random(1)), list[bytes]()
    answering = Answering([model], dict.fromkeys(VIRTUAL_NAMES, model))
    while len(found) < REPLIES + WARM_REPLIES:
        task = known_task(chance, answering=answering, write=write_body)
        if b"response_format" not in task.body:
            found.append(task.body)
    return found


def _of_length(body: bytes, tokens: int | None) -> bytes:
    if tokens is None:
        return body
    return msgspec.json.encode({**msgspec.json.decode(body), "logit_bias": NEVER_ENDS, "max_tokens": tokens})


async def _content(engine: LlamaEngine, body: bytes) -> Content:
    """An answer as it would be disclosed."""
    request = engine_request(body, decode_chat(body), seed=7, tokens_max=TOKENS_MAX)
    text, tokens = "", list[Token]()
    async with aclosing(engine.generate(request)) as events:
        async for event in events:
            if isinstance(event, Piece):
                text += event.text
                tokens += event.tokens
    evidence = ChoiceEvidence([token.id for token in tokens], [token.logprob for token in tokens])
    return Content(bytes(32), body, text, encode_evidence([evidence]))


def main() -> None:
    for tokens in map(int, sys.argv[1:]) if sys.argv[1:] else (None,):
        costs = asyncio.run(measure_identity(print, tokens=tokens))
        share = sum(cost.check_ms for cost in costs) / sum(cost.reply_ms for cost in costs)
        print(f"answers of {tokens or 'any'} tokens: {share:.2f} of writing")


if __name__ == "__main__":
    main()
