"""The supervisor: what dies comes back, what must stop stops."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from dgrid.processes import supervisor as supervisor_module
from dgrid.processes.supervisor import RoleProcess, Supervisor


class SleepingSupervisor(Supervisor):
    """Supervises a program that only sleeps: the guarding is under test, not the roles."""

    program = "import time; time.sleep(600)"

    async def _spawn(self, role: RoleProcess) -> None:
        role.process = await asyncio.create_subprocess_exec(sys.executable, "-c", self.program)
        role.state = "running"
        self._on_change()


class StubbornSupervisor(SleepingSupervisor):
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    )


async def running(role: RoleProcess, *, other_than: int = 0) -> int:
    async with asyncio.timeout(30):
        while role.pid in (0, other_than):
            await asyncio.sleep(0.02)
    return role.pid


def start(kind: type[Supervisor], folder: Path, *, restart: bool = True) -> tuple[Supervisor, RoleProcess]:
    made = kind(restart=restart, on_change=lambda: None)
    return made, made.add("node", "node-1", config_file=folder / "c", log_file=folder / "log")


def test_a_killed_role_comes_back(tmp_path: Path) -> None:
    async def scene() -> None:
        supervisor, role = start(SleepingSupervisor, tmp_path)
        first = await running(role)
        os.kill(first, signal.SIGKILL)
        assert await running(role, other_than=first) != first
        assert role.restarts == 1
        await supervisor.stop()

    asyncio.run(scene())


def test_without_restart_the_dead_stay_dead(tmp_path: Path) -> None:
    async def scene() -> None:
        supervisor, role = start(SleepingSupervisor, tmp_path, restart=False)
        os.kill(await running(role), signal.SIGKILL)
        async with asyncio.timeout(30):
            while role.state != "dead":
                await asyncio.sleep(0.02)
        assert role.pid == 0
        await supervisor.stop()

    asyncio.run(scene())


def test_a_role_that_ignores_sigterm_is_killed_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "STOP_S", 0.3)

    async def scene() -> None:
        supervisor, role = start(StubbornSupervisor, tmp_path)
        pid = await running(role)
        await asyncio.sleep(0.3)
        await supervisor.stop()
        assert role.state == "stopped"
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(scene())
