"""How well do models answer canaries? `python -m benchmarks.canaries [GGUF …]`: a row for each.

Each model is asked the author's tasks as a node asks it, with the options that they come with, and scored as the court
scores an opened canary. *Exactly* are answers that are worth all; a refusal is worth nothing.
"""

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from statistics import mean

from dgrid.author.chance import Chance
from dgrid.author.generator import KnownTask, known_task
from dgrid.author.naming import VIRTUAL_NAMES, Answering
from dgrid.core.errors import DGridError
from dgrid.core.money import BPS
from dgrid.engines.engine import Piece
from dgrid.engines.llama import LlamaEngine, LlamaOptions
from dgrid.engines.requests import engine_request
from dgrid.poq.tasks import question_of
from dgrid.poq.text import reference_score
from dgrid.processes.author_asking import write_body
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import TaskType

MODELS = Path(__file__).resolve().parent.parent / "models"
BUILT_IN = "dgrid-nano", "dgrid-micro", "dgrid-mini"
BESIDE_BUILT_IN = Answering(BUILT_IN, dict.fromkeys(VIRTUAL_NAMES, BUILT_IN[-1]))
CONTEXT, TOKENS_MAX, AT_ONCE = 512, 128, 2


def tasks_of(seed: int, *, count: int) -> list[KnownTask]:
    """Canaries as they are written where the built-in models are asked."""
    chance = Chance(random.Random(seed))
    return [known_task(chance, answering=BESIDE_BUILT_IN, write=write_body) for _ in range(count)]


async def scores(file: Path, *, tasks: Sequence[KnownTask]) -> list[int]:
    """What each answer of a model is worth, in basis points, as the court reckons it."""
    options = LlamaOptions(file, file.stem, context=CONTEXT, parallel=AT_ONCE, reply_opens_with_space=True)
    engine, gate = LlamaEngine(options), asyncio.Semaphore(AT_ONCE)
    await engine.start()

    async def one(task: KnownTask) -> int:
        async with gate:
            return await _score(engine, task)

    try:
        return await asyncio.gather(*(one(task) for task in tasks))
    finally:
        await engine.stop()


async def _score(engine: LlamaEngine, task: KnownTask) -> int:
    chat = decode_chat(task.body)
    limit = chat.completion_limit or TOKENS_MAX
    request, said = engine_request(task.body, chat, seed=1, tokens_max=limit), ""
    try:
        async with aclosing(engine.generate(request)) as events:
            async for event in events:
                said += event.text if isinstance(event, Piece) else ""
    except DGridError:
        return 0
    return reference_score(task.kind, said, task.reference, question=question_of(chat))


def row(file: Path, tasks: Sequence[KnownTask], found: Sequence[int]) -> str:
    """One line of the table."""
    shares = [mean(score == BPS for score in found), mean(found) / BPS]
    kinds = [[score for task, score in zip(tasks, found, strict=True) if task.kind is kind] for kind in TaskType]
    cells = [f"{share:.2f}" for share in shares] + [f"{mean(of) / BPS:.2f} ({len(of)})" if of else "–" for of in kinds]
    return f"| {file.stem} | {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=[MODELS / f"{name}-q8_0.gguf" for name in BUILT_IN])
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tasks = tasks_of(options.seed, count=options.tasks)
    print(
        f"| {options.tasks} canaries | exactly | score | {' | '.join(TaskType)} |\n|---|{'---|' * (2 + len(TaskType))}"
    )
    for file in options.files:
        print(row(file, tasks, asyncio.run(scores(file, tasks=tasks))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
