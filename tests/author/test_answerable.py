"""The built-in models, asked as a node asks them: canaries are answerable, and tell the models apart."""

import asyncio
from pathlib import Path
from statistics import mean

import pytest
from benchmarks.canaries import BUILT_IN, scores, tasks_of

TASKS, SEED = 240, 2026


@pytest.mark.timeout(180)
def test_canaries_tell_nano_micro_and_mini_apart(root: Path) -> None:
    tasks = tasks_of(SEED, count=TASKS)

    async def main() -> list[list[int]]:
        files = (root / "models" / f"{name}-q8_0.gguf" for name in BUILT_IN)
        return await asyncio.gather(*(scores(file, tasks=tasks) for file in files))

    nano, micro, mini = (mean(found) for found in asyncio.run(main()))
    assert 4_000 < nano < micro - 600
    assert micro < mini - 800
    assert mini > 9_000, "a canary that its best model cannot answer measures nothing"
