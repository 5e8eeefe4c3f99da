"""The built-in models, asked as a node asks them: canaries are answerable, and tell the models apart."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from statistics import mean

import pytest
from tests.author.writing import write_body

from dgrid.author.chance import Chance
from dgrid.author.generator import KnownTask, known_task
from dgrid.core.errors import DGridError
from dgrid.engines.engine import Piece
from dgrid.engines.llama import LlamaEngine, LlamaOptions
from dgrid.engines.requests import engine_request
from dgrid.poq.tasks import question_of
from dgrid.poq.text import reference_score
from dgrid.wire.openai import decode_chat

MODELS = "dgrid-nano", "dgrid-micro", "dgrid-mini"
TASKS, TOKENS_MAX, AT_ONCE = 120, 128, 2


async def scores(model: str, folder: Path, *, tasks: Sequence[KnownTask]) -> list[int]:
    """What each answer of a model is worth, as the court reckons it; a refusal is worth nothing."""
    options = LlamaOptions(
        folder / f"{model}-q8_0.gguf", model, context=512, parallel=AT_ONCE, reply_opens_with_space=True
    )
    engine, gate = LlamaEngine(options), asyncio.Semaphore(AT_ONCE)
    await engine.start()

    async def one(task: KnownTask) -> int:
        chat = decode_chat(task.body)
        limit = chat.completion_limit or TOKENS_MAX
        request, said = engine_request(task.body, chat, seed=1, tokens_max=limit), ""
        async with gate:
            try:
                async with aclosing(engine.generate(request)) as events:
                    async for event in events:
                        said += event.text if isinstance(event, Piece) else ""
            except DGridError:
                return 0
        return reference_score(task.kind, said, task.reference, question=question_of(chat))

    try:
        return await asyncio.gather(*(one(task) for task in tasks))
    finally:
        await engine.stop()


@pytest.mark.timeout(180)
def test_canaries_tell_nano_micro_and_mini_apart(root: Path) -> None:
    chance = Chance(random.Random(2026))
    tasks = [known_task(chance, models=MODELS, write=write_body) for _ in range(TASKS)]

    async def main() -> list[list[int]]:
        return await asyncio.gather(*(scores(model, root / "models", tasks=tasks) for model in MODELS))

    nano, micro, mini = (mean(found) for found in asyncio.run(main()))
    assert 2_500 < nano < micro - 1_000
    assert micro < mini - 250
    assert mini > 6_500, "a canary that its best model cannot answer measures nothing"
