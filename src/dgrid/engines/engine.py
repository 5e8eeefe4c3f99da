"""What every engine offers: one request in, pieces of the answer out as they come, one `Finish` at the end.

The words here are neutral: nothing of a transport, of money or of signatures. An engine asks always for token ids
and log-probabilities, since they are the evidence for what was run; whether the caller sees them is the caller's
business.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from dgrid.core.errors import EngineError

UNKNOWN_TOKEN = -1  # the engine does not say which token it was


class EngineUnavailable(EngineError):
    """The engine does not run, or not yet again; another node may serve."""

    code = "engine_unavailable"


class EngineCannotStart(EngineError):
    """The engine cannot run on this machine, or not with this model; `hint` says what is missing."""

    code = "engine_cannot_start"
    retryable = False


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One chat to complete. `settings` are OpenAI fields that pass through untouched; see `requests.PASSED_THROUGH`."""

    messages: msgspec.Raw
    tokens_max: int
    seed: int
    choices: int = 1
    top_logprobs: int = 0
    continues: bool = False  # the last message is the assistant's, and the answer goes on with it
    streamed: bool = True  # False: nobody waits for single pieces, so the engine may send all at once
    settings: Mapping[str, msgspec.Raw] = field(default_factory=dict)


class Alternative(msgspec.Struct, frozen=True, gc=False):
    """A token that could have stood in the place."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class Token(msgspec.Struct, frozen=True, gc=False):
    """One token of an answer, as the engine reports it. `logprob` in nats."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    id: int = UNKNOWN_TOKEN
    top_logprobs: list[Alternative] = []


@dataclass(frozen=True, slots=True)
class Piece:
    """What one engine event added to one choice. Text lags its tokens while a character is incomplete."""

    choice: int
    text: str
    tokens: tuple[Token, ...] = ()
    tool_calls: list[dict[str, Any]] | None = None  # OpenAI tool call deltas


@dataclass(frozen=True, slots=True)
class EngineUsage:
    """The engine's own count, which nobody bills by where a better one exists."""

    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of an answer: why each choice ended, in OpenAI's words."""

    reasons: tuple[str, ...]
    usage: EngineUsage | None


Event = Piece | Finish


class Engine(Protocol):
    """Runs one model. Closing the generator early cancels the work."""

    @property
    def build(self) -> str:
        """What runs the model, with its version: goes into the signed offer."""
        ...

    def generate(self, request: EngineRequest) -> AsyncGenerator[Event, None]:
        """Pieces, then exactly one Finish.

        Raises EngineError or a RequestError; never ends silently without a Finish.
        """
        ...

    async def start(self) -> None:
        """Returns once requests are served, or at once where the server is someone else's. Raises EngineCannotStart."""
        ...

    async def probe(self) -> None:
        """Returns if requests would be served now. Raises EngineUnavailable."""
        ...

    async def stop(self) -> None:
        """Ends everything that `start` began."""
        ...
