"""An engine that says what it was told to, at the pace it was told: for tests, benchmarks and simulations.

It is deterministic, needs no model, and can fail in the ways that real engines fail. It never pretends to be a real
one: its build says so.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dgrid.core.errors import EngineError
from dgrid.engines.engine import EngineRequest, EngineUsage, Event, Finish, Piece, Token

Sleep = Callable[[float], Awaitable[None]]

DEFAULT_PIECES: Final = ("Maria", " lives", " in", " Oslo", ".")


@dataclass(frozen=True, slots=True)
class Script:
    """What to say and how. Token ids are places in the script."""

    pieces: Sequence[str] = DEFAULT_PIECES
    tokens_in: int = 10
    first_delay_s: float = 0.0
    token_delay_s: float = 0.0
    reason: str = "stop"
    fails_after: int | None = None  # tokens said before the engine breaks off with an error
    endless: bool = False  # says the script over and over
    without_evidence: bool = False  # as engines that report no tokens do
    usage: EngineUsage | None = None  # what to report instead of the truth


class ScriptedEngine:
    """Plays one script for every request."""

    def __init__(self, script: Script | None = None, *, sleep: Sleep = asyncio.sleep) -> None:
        self.script = script or Script()
        self.requests: list[EngineRequest] = []
        self.cancelled = 0
        self._sleep = sleep

    @property
    def build(self) -> str:
        return "scripted"

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    async def probe(self) -> None:
        """It always serves."""

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        script = self.script
        try:
            if script.first_delay_s:
                await self._sleep(script.first_delay_s)
            said = 0
            for choice in range(request.choices):
                for place in self._places(request):
                    if said == script.fails_after:
                        raise EngineError("the script ends in a failure")
                    if script.token_delay_s:
                        await self._sleep(script.token_delay_s)
                    yield self._piece(choice, place)
                    said += 1
            if said == script.fails_after:
                raise EngineError("the script ends in a failure")
        except (GeneratorExit, asyncio.CancelledError):
            self.cancelled += 1
            raise
        yield Finish((self._reason(request),) * request.choices, script.usage or EngineUsage(script.tokens_in, said))

    def _places(self, request: EngineRequest) -> Sequence[int]:
        count = len(self.script.pieces)
        if self.script.endless:
            return [place % count for place in range(request.tokens_max)]
        return range(min(count, request.tokens_max))

    def _reason(self, request: EngineRequest) -> str:
        cut = self.script.endless or request.tokens_max < len(self.script.pieces)
        return "length" if cut else self.script.reason

    def _piece(self, choice: int, place: int) -> Piece:
        text = self.script.pieces[place]
        if self.script.without_evidence:
            return Piece(choice, text)
        token = Token(token=text, logprob=-0.5, bytes=list(text.encode()), id=place)
        return Piece(choice, text, (token,))
