"""The adapter for any server that speaks OpenAI's chat completions: the embedded llama.cpp, vLLM, SGLang, Ollama, TGI.

It trusts the server with nothing but the answer: events are bounded, redirects are not followed, counts are only
reported on.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from dgrid.core.errors import ContextLengthExceeded, DGridError, EngineError, InvalidRequest, NodeFault
from dgrid.engines.engine import (
    EngineRequest,
    EngineUnavailable,
    EngineUsage,
    Event,
    Finish,
    Piece,
    Token,
)
from dgrid.engines.events import STREAM_END, EventScanner
from dgrid.wire.http import ClientLimits, ClientReply, HttpClient

ERROR_TEXT_MAX: Final = 300
LLAMA_BLAMES_ITSELF: Final = ("input is not supported", "Failed to parse tools", "Failed to parse messages")  # with 500
EVENTS_SPARE: Final = 64  # events beyond one a token: roles, usage, empty deltas
QUEUED_EVENTS_MAX: Final = 256
LOOK_S: Final = 2.0  # how long an engine may take to say that it is there
SHAPING: Final = frozenset({"tools", "response_format"})  # settings under which llama.cpp parses what it streams
ENGINE_LIMITS: Final = ClientLimits(first_byte_s=120.0, gap_s=60.0, total_s=600.0)


@dataclass(frozen=True, slots=True)
class Peculiarities:
    """In what a server differs from the others."""

    reply_opens_with_space: bool = False  # the built-in models: taken from the text, kept in the tokens
    requests_at_a_time: int = 0  # further ones wait here, each in its turn; 0: no bound
    closes_after_streams: bool = False  # though it promises to keep the connection: then it is not kept here either
    shaped_streams_lose_logprobs: bool = False  # with tools or a format the answer is asked for whole, for its evidence


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where the server is. `url` is the base that /chat/completions is put behind."""

    url: str
    model: str
    api_key: str = ""
    build: str = "openai-compatible"


class Logprobs(msgspec.Struct):
    content: list[Token] | None = None


class Said(msgspec.Struct):
    content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class Choice(msgspec.Struct):
    delta: Said | None = None
    message: Said | None = None
    logprobs: Logprobs | None = None
    finish_reason: str | None = None


class Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Answer(msgspec.Struct):
    """A chunk of a stream, or a whole completion."""

    choices: list[Choice] = []
    usage: Usage | None = None
    error: dict[str, Any] | None = None


read_answer = msgspec.json.Decoder(Answer).decode


class OpenAiEngine:
    """An engine behind a URL."""

    def __init__(
        self,
        address: EngineAddress,
        peculiarities: Peculiarities | None = None,
        *,
        limits: ClientLimits = ENGINE_LIMITS,
    ) -> None:
        self._address = address
        self._peculiarities = peculiarities or Peculiarities()
        self._client = HttpClient(limits)
        bound = self._peculiarities.requests_at_a_time
        self._turns = asyncio.Semaphore(bound) if bound else nullcontext()
        self._headers = {"content-type": "application/json"}
        if address.api_key:
            self._headers["authorization"] = f"Bearer {address.api_key}"
        closing = {"connection": "close"} if self._peculiarities.closes_after_streams else {}
        self._stream_headers = self._headers | closing

    @property
    def build(self) -> str:
        return self._address.build

    async def start(self) -> None:
        """Nothing to start: the server is someone else's, and may come later."""

    async def probe(self) -> None:
        """A look at the server's list of models. One that has no such list answers too."""
        url = self._address.url
        try:
            reply = await self._client.request("GET", f"{url}/models", headers=self._headers, first_byte_s=LOOK_S)
            await reply.read()
        except NodeFault as error:
            raise EngineUnavailable(f"no engine answers at {url}: {error.message}") from error
        if reply.status in (401, 403) or reply.status >= 500:
            raise EngineUnavailable(f"the engine at {url} does not serve: status {reply.status}")

    async def stop(self) -> None:
        await self._client.close()

    def generate(self, request: EngineRequest) -> AsyncGenerator[Event, None]:
        return self._one(request, 0) if request.choices == 1 else self._several(request)

    async def _one(self, request: EngineRequest, choice: int) -> AsyncGenerator[Event, None]:
        async with self._turns, aclosing(self._answer(request, choice)) as events:
            async for event in events:
                yield event

    async def _answer(self, request: EngineRequest, choice: int) -> AsyncGenerator[Event, None]:
        loses_logprobs = self._peculiarities.shaped_streams_lose_logprobs and not SHAPING.isdisjoint(request.settings)
        streamed = request.streamed and not loses_logprobs
        opens_with_space = self._peculiarities.reply_opens_with_space and not request.continues
        progress = Progress(choice, request.tokens_max + EVENTS_SPARE, opens_with_space=opens_with_space)
        reply = await self._ask(request, streamed=streamed)
        try:
            if streamed:
                async for answer in answers(reply):
                    for piece in progress.take(answer):
                        yield piece
            else:
                for piece in progress.take(read(await reply.read())):
                    yield piece
        except NodeFault as error:
            raise EngineError(f"the engine broke off: {error.message}") from error
        except BaseException:
            reply.abort()  # an engine goes on with what nobody reads until its connection closes
            raise
        yield progress.finish()

    async def _ask(self, request: EngineRequest, *, streamed: bool) -> ClientReply:
        url = self._address.url + "/chat/completions"
        try:
            reply = await self._client.request(
                "POST",
                url,
                body=self._body(request, streamed=streamed),
                headers=self._stream_headers if streamed else self._headers,
            )
            if reply.status != 200:
                raise refusal(reply.status, await reply.read())
        except NodeFault as error:
            raise EngineUnavailable(f"the engine does not answer: {error.message}") from error
        return reply

    def _body(self, request: EngineRequest, *, streamed: bool) -> bytes:
        fields: dict[str, object] = {
            **request.settings,
            "model": self._address.model,
            "messages": request.messages,
            "max_tokens": request.tokens_max,
            "seed": request.seed,
            "logprobs": True,
            "top_logprobs": max(1, request.top_logprobs),  # with 0 llama.cpp reports no token at all
            "stream": streamed,
        }
        if streamed:
            fields["stream_options"] = {"include_usage": True}
        return msgspec.json.encode(fields)

    async def _several(self, request: EngineRequest) -> AsyncGenerator[Event, None]:
        """Choices side by side, each with a seed of its own: servers differ in how they seed several at once."""
        queue: asyncio.Queue[Event | DGridError] = asyncio.Queue(QUEUED_EVENTS_MAX)
        alone = [replace(request, choices=1, seed=request.seed + choice) for choice in range(request.choices)]
        tasks = [asyncio.create_task(self._feed(queue, each, choice)) for choice, each in enumerate(alone)]
        finishes: dict[int, Finish] = {}
        try:
            while len(finishes) < request.choices:
                event = await queue.get()
                if isinstance(event, DGridError):
                    raise event
                if isinstance(event, ChoiceFinish):
                    finishes[event.choice] = event
                else:
                    yield event
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        yield together([finishes[choice] for choice in range(request.choices)])

    async def _feed(self, queue: asyncio.Queue[Event | DGridError], request: EngineRequest, choice: int) -> None:
        try:
            async with aclosing(self._one(request, choice)) as events:
                async for event in events:
                    await queue.put(event)
        except DGridError as error:
            await queue.put(error)


@dataclass(frozen=True, slots=True)
class ChoiceFinish(Finish):
    """The end of one of several choices."""

    choice: int = 0


class Progress:
    """One choice as it grows."""

    __slots__ = ("_choice", "_events_left", "_opening", "_reason", "_usage")

    def __init__(self, choice: int, events_max: int, *, opens_with_space: bool) -> None:
        self._choice = choice
        self._events_left = events_max
        self._opening = opens_with_space
        self._reason: str | None = None
        self._usage: EngineUsage | None = None

    def take(self, answer: Answer) -> Iterator[Piece]:
        """What an answer adds. Raises EngineError for an error in the stream, or for one that will not end."""
        if answer.error is not None:
            raise EngineError(f"the engine failed: {str(answer.error.get('message', ''))[:ERROR_TEXT_MAX]}")
        self._events_left -= 1
        if self._events_left < 0:
            raise EngineError("the engine sends more than it was asked for")
        if answer.usage is not None:
            self._usage = EngineUsage(answer.usage.prompt_tokens, answer.usage.completion_tokens)
        for choice in answer.choices[:1]:
            self._reason = choice.finish_reason or self._reason
            if (piece := self._piece(choice)) is not None:
                yield piece

    def _piece(self, choice: Choice) -> Piece | None:
        said = choice.delta or choice.message
        text = (said.content or "") if said is not None else ""
        tokens = tokens_of(choice)
        calls = said.tool_calls if said is not None else None
        if text and self._opening:
            self._opening = False
            text = text.removeprefix(" ")
        return Piece(self._choice, text, tokens, calls) if text or tokens or calls is not None else None

    def finish(self) -> Finish:
        """Raises EngineError when the answer ended without saying why."""
        if self._reason is None:
            raise EngineError("the engine broke off without an end")
        return ChoiceFinish((self._reason,), self._usage, self._choice)


def tokens_of(choice: Choice) -> tuple[Token, ...]:
    """The tokens of the answer. The end token, which only whole completions report, is left out; a control token inside
    an answer is not, for what follows was chosen with it in view.
    """
    tokens = (choice.logprobs and choice.logprobs.content) or []
    return tuple(tokens[:-1] if tokens and tokens[-1].bytes == [] else tokens)


async def answers(reply: ClientReply) -> AsyncIterator[Answer]:
    """The chunks of a streamed reply, up to its end."""
    scanner = EventScanner()
    async for received in reply.pieces():
        for data in scanner.feed(received):
            if data != STREAM_END:
                yield read(data)


def read(data: bytes) -> Answer:
    try:
        return read_answer(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise EngineError(f"the engine sent what is no completion: {error}") from error


def together(finishes: list[Finish]) -> Finish:
    """Several choices' ends as one; the prompt counts once, as OpenAI counts it."""
    usages = [finish.usage for finish in finishes if finish.usage is not None]
    usage = (
        EngineUsage(usages[0].tokens_in, sum(usage.tokens_out for usage in usages))
        if len(usages) == len(finishes)
        else None
    )
    return Finish(tuple(reason for finish in finishes for reason in finish.reasons), usage)


def refusal(status: int, body: bytes) -> DGridError:
    """The typed error behind an engine's refusal. What the engine says is passed on, cut short."""
    try:
        said = read_answer(body).error or {}
    except msgspec.DecodeError:
        said = {}
    message = str(said.get("message", ""))[:ERROR_TEXT_MAX] or f"status {status}"
    if said.get("type") == "exceed_context_size_error" or said.get("code") == "context_length_exceeded":
        return ContextLengthExceeded(message, param="messages")
    if status in (400, 413, 422) or any(words in message for words in LLAMA_BLAMES_ITSELF):
        return InvalidRequest(f"the engine refuses the request: {message}")
    if status in (401, 403, 404, 429, 503):
        return EngineUnavailable(f"the engine does not serve: {message}")
    return EngineError(f"the engine failed: {message}")
