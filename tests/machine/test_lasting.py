import asyncio
import logging
import sqlite3

import pytest

from dgrid.machine import lasting as module
from dgrid.machine.lasting import lasting


def test_work_that_fails_is_said_and_begins_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    begun = 0

    async def failing_twice() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise sqlite3.OperationalError("database or disk is full")

    with caplog.at_level(logging.ERROR):
        asyncio.run(lasting(failing_twice))
    assert begun == 3
    assert sum("begins anew" in line for line in caplog.messages) == 2


def test_work_that_is_called_off_ends() -> None:
    async def main() -> None:
        task = asyncio.create_task(lasting(asyncio.Event().wait))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
