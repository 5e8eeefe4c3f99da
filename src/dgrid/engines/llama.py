"""The embedded engine: llama.cpp's own server in a child process, spoken to as to any other server."""

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dgrid.engines.engine import EngineRequest, EngineUnavailable, Event
from dgrid.engines.llama_process import LlamaProcess, ServerSettings, Serving
from dgrid.engines.openai_engine import EngineAddress, OpenAiEngine, Peculiarities

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


class LlamaEngine:
    """Serves one GGUF model for as long as it is started."""

    def __init__(self, options: LlamaOptions) -> None:
        self._options = options
        self._process = LlamaProcess(settings_of(options), on_start=self._begin, on_end=self._end)
        self._adapter: OpenAiEngine | None = None
        self._build = "llama.cpp"

    @property
    def build(self) -> str:
        return self._build

    @property
    def process_id(self) -> int | None:
        """The child's, while there is one."""
        return self._process.process_id

    async def start(self) -> None:
        await self._process.start()

    async def stop(self) -> None:
        await self._process.stop()

    async def probe(self) -> None:
        if self._adapter is None:
            raise EngineUnavailable("the engine is being restarted", retry_after_ms=1000)

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Event, None]:
        adapter = self._adapter
        if adapter is None:
            raise EngineUnavailable("the engine is being restarted", retry_after_ms=1000)
        async with aclosing(adapter.generate(request)) as events:
            async for event in events:
                yield event

    def _begin(self, serving: Serving) -> None:
        self._build = serving.build
        address = EngineAddress(serving.url + "/v1", self._options.alias, serving.api_key, serving.build)
        self._adapter = OpenAiEngine(address, peculiarities(self._options))

    async def _end(self) -> None:
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            await adapter.stop()


def settings_of(options: LlamaOptions) -> ServerSettings:
    return ServerSettings(
        model=options.model,
        alias=options.alias,
        context=options.context,
        parallel=options.parallel,
        threads=options.threads,
        temperature=options.temperature,
        python=options.python,
    )


def peculiarities(options: LlamaOptions) -> Peculiarities:
    """How llama.cpp differs. A kept connection holds one of its threads, so there are never more than it has."""
    at_a_time = options.parallel + CONNECTIONS_SPARE
    return Peculiarities(
        options.reply_opens_with_space, at_a_time, closes_after_streams=True, shaped_streams_lose_logprobs=True
    )
