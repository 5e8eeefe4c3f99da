"""Keeps role processes alive: starts them, restarts the dead, stops them all in time."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

RESTART_FIRST_S = 1.0
RESTART_MAX_S = 30.0
STEADY_S = 60.0  # a process that lived this long starts again without a penalty
STOP_S = 8.0  # after SIGTERM, before SIGKILL: all is down within 10 s


@dataclass(slots=True)
class RoleProcess:
    """One supervised process and what is known of it."""

    kind: str
    name: str
    config_file: Path
    log_file: Path
    state: str = "starting"
    restarts: int = 0
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        return self.process.pid if self.process is not None and self.process.returncode is None else 0


class Supervisor:
    """Runs role processes under one roof."""

    def __init__(self, *, restart: bool, on_change: Callable[[], None]) -> None:
        self.processes: list[RoleProcess] = []
        self._restart = restart
        self._on_change = on_change
        self._guards: list[asyncio.Task[None]] = []
        self._stopping = False

    def add(self, kind: str, name: str, *, config_file: Path, log_file: Path) -> RoleProcess:
        """Starts a role and watches over it."""
        role = RoleProcess(kind, name, config_file, log_file)
        self.processes.append(role)
        self._guards.append(asyncio.create_task(self._guard(role), name=f"guard {name}"))
        return role

    async def stop(self) -> None:
        """SIGTERM to all at once, SIGKILL to what is left after STOP_S. Gateways come down while nodes still answer."""
        self._stopping = True
        for guard in self._guards:
            guard.cancel()
        await asyncio.gather(*self._guards, return_exceptions=True)
        await asyncio.gather(*(self._end(role) for role in self.processes))

    async def _guard(self, role: RoleProcess) -> None:
        delay_s = RESTART_FIRST_S
        while True:
            started_s = time.monotonic()
            await self._spawn(role)
            assert role.process is not None
            status = await role.process.wait()
            role.state = "dead"
            self._on_change()
            if not self._restart:
                return
            delay_s = RESTART_FIRST_S if time.monotonic() - started_s > STEADY_S else delay_s
            with role.log_file.open("a") as log:
                log.write(f"-- ended with status {status}; starts again in {delay_s:.0f} s\n")
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RESTART_MAX_S)
            role.restarts += 1

    async def _spawn(self, role: RoleProcess) -> None:
        with role.log_file.open("ab") as log:
            role.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dgrid.processes", role.kind, str(role.config_file), str(os.getpid())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops the others in order
            )
        role.state = "running"
        self._on_change()

    async def _end(self, role: RoleProcess) -> None:
        process = role.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        role.state = "stopped"
