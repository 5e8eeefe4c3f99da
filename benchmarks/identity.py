"""What checking an answer's identity costs beside writing it: the engines alone, one reply and one check at a time.

The same model file writes an answer in llama.cpp's server and reads its tokens once in the evaluators' scorer; both are
children of this process, metered by the scheduler's count. Nothing else of a node or an evaluator is in it.
"""

import os
import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from benchmarks.meters import cpu_ns, descendants
from dgrid.author.chance import Chance
from dgrid.author.generator import known_task
from dgrid.author.naming import Answering
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


async def measure_identity(say: Callable[[str], None]) -> list[CheckCost]:
    """Every built-in model. Raises EngineCannotStart."""
    costs = []
    for model in Catalog.built_in().models:
        costs.append(await _cost(model, model_facts(model.path)))
        say(f"identity checks of {model.id}: {costs[-1].ratio:.2f} of writing")
    return costs


async def _cost(model: BuiltInModel, facts: ModelFacts) -> CheckCost:
    opening = facts.reply_opens_with_space
    engine = LlamaEngine(LlamaOptions(model.path, model.id, facts.context, reply_opens_with_space=opening))
    scorer = Forcing({facts.digest: facts})
    own = set(descendants(os.getpid()))
    await engine.start()
    try:
        writers = set(descendants(os.getpid())) - own
        bodies = _bodies(model.id)
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
    while len(found) < REPLIES + WARM_REPLIES:
        task = known_task(chance, answering=Answering([model]), write=write_body)
        if b"response_format" not in task.body:
            found.append(task.body)
    return found


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
