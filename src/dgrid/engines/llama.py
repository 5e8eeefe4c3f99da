"""The embedded engine: llama.cpp's own server in a child process, restarted when it dies.

A native library may fault on a processor it was not built for; in a process of its own it takes no one with it, and
why it cannot run is a typed error. The child listens on loopback only, behind a key made for this start.
"""

import asyncio
import contextlib
import json
import logging
import secrets
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dgrid.engines.engine import EngineCannotStart, EngineRequest, EngineUnavailable, Event
from dgrid.engines.openai_engine import EngineAddress, OpenAiEngine, Peculiarities

logger = logging.getLogger(__name__)

CHILD_MODULE: Final = "dgrid.engines.llama_child"
START_DEADLINE_S: Final = 120.0  # large models load for a while
STOP_GRACE_S: Final = 2.0
RESTART_DELAY_S: Final = 0.5
RESTART_DELAY_S_MAX: Final = 30.0
STEADY_AFTER_S: Final = 60.0  # a child that lived this long has its next restart without extra delay
LOG_LINES_KEPT: Final = 20
CONNECTIONS_SPARE: Final = 2  # besides one a place, so that no place waits for the next request to arrive


@dataclass(frozen=True, slots=True)
class LlamaOptions:
    """One model for the embedded engine. `context` is what one request may use; `parallel` how many run at a time."""

    model: Path
    alias: str
    context: int
    parallel: int = 2
    threads: int = 1
    temperature: float = 0.0  # where the caller names none: the built-in models are meant to be asked so
    reply_opens_with_space: bool = False  # as the built-in models' replies do: the space is taken from the text
    python: str = field(default=sys.executable)


@dataclass(frozen=True, slots=True)
class Child:
    """A running llama.cpp process."""

    process: asyncio.subprocess.Process
    adapter: OpenAiEngine
    build: str


class LlamaEngine:
    """Serves one GGUF model for as long as it is started."""

    def __init__(self, options: LlamaOptions) -> None:
        self._options = options
        self._child: Child | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._build = "llama.cpp"

    @property
    def build(self) -> str:
        return self._build

    @property
    def process_id(self) -> int | None:
        """The child's, while there is one."""
        return None if self._child is None else self._child.process.pid

    async def start(self) -> None:
        self._child = await launch(self._options)
        self._build = self._child.build
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self._options.alias}")

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._child is not None:
            await end(self._child)
            self._child = None

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Event, None]:
        child = self._child
        if child is None:
            raise EngineUnavailable("the engine is being restarted", retry_after_ms=1000)
        async with aclosing(child.adapter.generate(request)) as events:
            async for event in events:
                yield event

    async def _keep(self) -> None:
        """Restarts the child whenever it dies, ever more slowly while it dies young."""
        loop, delay_s = asyncio.get_running_loop(), RESTART_DELAY_S
        while self._child is not None:
            began = loop.time()
            code = await self._child.process.wait()
            logger.warning("the engine's process ended; starting it again", extra={"exit_code": code})
            await self._child.adapter.stop()
            self._child = None
            delay_s = RESTART_DELAY_S if loop.time() - began > STEADY_AFTER_S else delay_s
            while self._child is None:
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, RESTART_DELAY_S_MAX)
                with contextlib.suppress(EngineCannotStart):
                    self._child = await launch(self._options)


async def launch(options: LlamaOptions) -> Child:
    """A child that serves. Raises EngineCannotStart with the reason."""
    api_key = secrets.token_urlsafe(24)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        options.python, "-m", CHILD_MODULE, stdin=pipe, stdout=pipe, stderr=pipe
    )
    log: deque[str] = deque(maxlen=LOG_LINES_KEPT)
    reading = asyncio.create_task(drain(process, log))
    try:
        async with asyncio.timeout(START_DEADLINE_S):
            report = await hand_over(process, child_options(options, api_key))
    except TimeoutError:
        report = {"error": "slow", "reason": f"it was not ready within {START_DEADLINE_S:.0f} s"}
    except BaseException:
        await reap(process)
        raise
    if "address" not in report:
        code = await reap(process)
        await reading
        raise cannot_start(options, report, code=code, log=log)
    address = EngineAddress(report["address"] + "/v1", options.alias, api_key, report["build"])
    return Child(process, OpenAiEngine(address, peculiarities(options)), report["build"])


def peculiarities(options: LlamaOptions) -> Peculiarities:
    """How llama.cpp differs. A kept connection holds one of its threads, so there are never more than it has."""
    at_a_time = options.parallel + CONNECTIONS_SPARE
    return Peculiarities(
        options.reply_opens_with_space, at_a_time, closes_after_streams=True, shaped_streams_lose_logprobs=True
    )


def child_options(options: LlamaOptions, api_key: str) -> dict[str, object]:
    return {
        "model": str(options.model.resolve()),
        "alias": options.alias,
        "api_key": api_key,
        "context": options.context,
        "parallel": options.parallel,
        "threads": options.threads,
        "temperature": options.temperature,
    }


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


async def end(child: Child) -> None:
    await child.adapter.stop()
    await reap(child.process)


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


def cannot_start(options: LlamaOptions, report: dict[str, str], *, code: int, log: deque[str]) -> EngineCannotStart:
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
        f"llama.cpp cannot serve {options.model.name}: {said}",
        hint="check that the file is whole and there is memory for it",
    )
