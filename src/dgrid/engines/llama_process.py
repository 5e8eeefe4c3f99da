"""Keeps one llama.cpp server running in a child process: started, watched, started again when it dies.

A native library may fault on a processor it was not built for; in a process of its own it takes no one with it, and
why it cannot run is a typed error. The child listens on loopback only, behind a key made for this start. What the
server is used for is its owner's business: `llama` has it generate, `encoder_server` has it embed.
"""

import asyncio
import contextlib
import json
import logging
import secrets
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dgrid.engines.engine import EngineCannotStart

logger = logging.getLogger(__name__)

CHILD_MODULE: Final = "dgrid.engines.llama_child"
START_DEADLINE_S: Final = 120.0  # large models load for a while
STOP_GRACE_S: Final = 2.0
RESTART_DELAY_S: Final = 0.5
RESTART_DELAY_S_MAX: Final = 30.0
STEADY_AFTER_S: Final = 60.0  # a child that lived this long has its next restart without extra delay
LOG_LINES_KEPT: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What the child is started with. `context` is what one request may use; `parallel` how many run at a time."""

    model: Path
    alias: str
    context: int
    parallel: int
    threads: int
    temperature: float = 0.0
    embeds: bool = False  # gives vectors, generates nothing
    python: str = field(default=sys.executable)

    def to_json(self, api_key: str) -> dict[str, object]:
        """As the child reads it."""
        return {
            "model": str(self.model.resolve()),
            "alias": self.alias,
            "api_key": api_key,
            "context": self.context,
            "parallel": self.parallel,
            "threads": self.threads,
            "temperature": self.temperature,
            "embeds": self.embeds,
        }


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that answers: where, with which key, what it is."""

    process: asyncio.subprocess.Process
    url: str
    api_key: str
    build: str


class LlamaProcess:
    """One server for as long as it is started. `on_start` and `on_end` are told of every child."""

    def __init__(
        self,
        settings: ServerSettings,
        *,
        on_start: Callable[[Serving], None],
        on_end: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._on_start, self._on_end = on_start, on_end
        self._serving: Serving | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def process_id(self) -> int | None:
        """The child's, while there is one."""
        return None if self._serving is None else self._serving.process.pid

    async def start(self) -> None:
        """Returns once the server answers. Raises EngineCannotStart."""
        await self._launch()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self._settings.alias}")

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._serving is not None:
            await self._on_end()
            await reap(self._serving.process)
            self._serving = None

    async def _launch(self) -> None:
        self._serving = await launch(self._settings)
        self._on_start(self._serving)

    async def _keep(self) -> None:
        """Restarts the child whenever it dies, ever more slowly while it dies young."""
        loop, delay_s = asyncio.get_running_loop(), RESTART_DELAY_S
        while self._serving is not None:
            began = loop.time()
            code = await self._serving.process.wait()
            logger.warning("the engine's process ended; starting it again", extra={"exit_code": code})
            await self._on_end()
            self._serving = None
            delay_s = RESTART_DELAY_S if loop.time() - began > STEADY_AFTER_S else delay_s
            while self._serving is None:
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, RESTART_DELAY_S_MAX)
                with contextlib.suppress(EngineCannotStart):
                    await self._launch()


async def launch(settings: ServerSettings) -> Serving:
    """A child that serves. Raises EngineCannotStart with the reason."""
    api_key = secrets.token_urlsafe(24)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        settings.python, "-m", CHILD_MODULE, stdin=pipe, stdout=pipe, stderr=pipe
    )
    log: deque[str] = deque(maxlen=LOG_LINES_KEPT)
    reading = asyncio.create_task(drain(process, log))
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            report = await hand_over(process, settings.to_json(api_key))
    except TimeoutError:
        report = {"error": "slow", "reason": f"it was not ready within {START_DEADLINE_S:.0f} s"}
    except BaseException:
        await reap(process)
        raise
    if "address" not in report:
        code = await reap(process)
        await reading
        raise cannot_start(settings.model, report, code=code, log=log)
    return Serving(process, report["address"], api_key, report["build"])


async def hand_over(process: asyncio.subprocess.Process, options: dict[str, object]) -> dict[str, str]:
    """Gives the child its options and takes its report; empty when it died first."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(json.dumps(options).encode() + b"\n")
        await process.stdin.drain()
    line = await process.stdout.readline()
    report: dict[str, str] = json.loads(line) if line.endswith(b"\n") else {}
    return report


async def drain(process: asyncio.subprocess.Process, log: deque[str]) -> None:
    """Keeps the last lines of llama.cpp's log for a failed start.

    They are shown to nobody else: they may quote a request.
    """
    assert process.stderr is not None
    with contextlib.suppress(ValueError):  # a line beyond the reader's limit
        async for line in process.stderr:
            log.append(line.decode("utf-8", "replace").rstrip())


async def reap(process: asyncio.subprocess.Process) -> int:
    """Ends the process, gently first, and gives its exit code (negative: the signal that ended it)."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(STOP_GRACE_S):
            return await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return await process.wait()


def cannot_start(model: Path, report: dict[str, str], *, code: int, log: deque[str]) -> EngineCannotStart:
    """What went wrong, and what to do about it."""
    reason = report.get("reason", "")
    if report.get("error") == "import":
        missing = "libgomp" in reason
        hint = (
            "install OpenMP's run-time library, for example: apt-get install libgomp1"
            if missing
            else "install the package xllamacpp"
        )
        return EngineCannotStart(f"llama.cpp cannot be loaded: {reason}", hint=hint)
    if code == -signal.SIGILL:
        message = "this processor lacks instructions that llama.cpp was built with (AVX2, FMA, F16C, BMI2)"
        return EngineCannotStart(message, hint="run the node with --engine-url and an engine built for this machine")
    said = next((line for line in log if " E " in line), reason or f"the process ended with code {code}")
    return EngineCannotStart(
        f"llama.cpp cannot serve {model.name}: {said}",
        hint="check that the file is whole and there is memory for it",
    )
