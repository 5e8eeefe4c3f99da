import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, nullcontext
from typing import Any

import msgspec
import pytest
from tests.engines.conftest import Ask

from dgrid.core.errors import ContextLengthExceeded, DGridError, EngineError, InvalidRequest
from dgrid.engines.engine import EngineRequest, EngineUnavailable, EngineUsage, Event, Finish, Piece
from dgrid.engines.openai_engine import EngineAddress, OpenAiEngine, Peculiarities
from dgrid.wire.http import ClientLimits
from dgrid.wire.server import Reply, Request, Server, json_reply

Handler = Callable[[Request], Awaitable[Reply]]


def chunk(text: str | None = None, *, reason: str | None = None, token: int | None = None) -> bytes:
    logprobs = None if token is None else {"content": [{"id": token, "token": text, "logprob": -0.5, "bytes": [65]}]}
    choice = {"index": 0, "delta": {"content": text}, "logprobs": logprobs, "finish_reason": reason}
    return b"data: " + msgspec.json.encode({"choices": [choice]}) + b"\n\n"


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = [chunk(), chunk(" Os", token=4), chunk("lo", token=5), chunk(reason="stop"), USAGE, DONE]


def streaming(*parts: bytes) -> Handler:
    async def handle(_request: Request) -> Reply:
        async def body() -> AsyncIterator[bytes]:
            for part in parts:
                yield part

        return Reply(200, body(), content_type=b"text/event-stream")

    return handle


async def serve(handler: Handler, work: Callable[[str], Awaitable[Any]]) -> Any:
    server = Server(handler, host="127.0.0.1", port=0)
    await server.start()
    try:
        return await work(f"http://127.0.0.1:{server.port}/v1")
    finally:
        await server.stop()


def heard(handler: Handler, request: EngineRequest, peculiarities: Peculiarities | None = None) -> list[Event]:
    async def listen(url: str) -> list[Event]:
        engine = OpenAiEngine(EngineAddress(url, "m", "key"), peculiarities, limits=ClientLimits(gap_s=1.0))
        try:
            return [event async for event in engine.generate(request)]
        finally:
            await engine.stop()

    events: list[Event] = asyncio.run(serve(handler, listen))
    return events


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece))


def test_streams_text_tokens_and_the_end(ask: Ask) -> None:
    *pieces, end = heard(streaming(*WHOLE), ask("Where?"))
    assert text_of(pieces) == " Oslo"
    assert [token.id for piece in pieces if isinstance(piece, Piece) for token in piece.tokens] == [4, 5]
    assert isinstance(end, Finish)
    assert (end.reasons, end.usage) == (("stop",), EngineUsage(7, 3))


def test_asks_for_the_whole_where_nobody_waits_for_pieces(ask: Ask) -> None:
    end = {"id": 2, "token": "", "bytes": [], "logprob": -0.1}
    tokens = [{"id": 4, "token": " Oslo", "bytes": [32, 79], "logprob": -0.5}, end]
    choice = {"index": 0, "message": {"content": " Oslo"}, "logprobs": {"content": tokens}, "finish_reason": "stop"}

    async def handle(request: Request) -> Reply:
        assert "stream_options" not in msgspec.json.decode(request.body)
        return json_reply({"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 2}})

    piece, finish = heard(handle, ask("Where?", stream=False), Peculiarities(reply_opens_with_space=True))
    assert isinstance(piece, Piece)
    assert (piece.text, [token.id for token in piece.tokens]) == ("Oslo", [4])
    assert isinstance(finish, Finish)
    assert finish.reasons == ("stop",)


def test_takes_the_opening_space_from_the_text_only(ask: Ask) -> None:
    events = heard(streaming(*WHOLE), ask("Where?"), Peculiarities(reply_opens_with_space=True))
    assert text_of(events) == "Oslo"
    first = next(event for event in events if isinstance(event, Piece))
    assert first.tokens[0].token == " Os"


def test_asks_for_evidence_and_sends_only_what_the_caller_may_set(ask: Ask) -> None:
    seen: list[Request] = []

    async def handle(request: Request) -> Reply:
        seen.append(request)
        return await streaming(*WHOLE)(request)

    heard(handle, ask("Where?", temperature=0.3, cache_prompt=True, seed=9))
    sent = msgspec.json.decode(seen[0].body)
    assert sent == {
        "model": "m", "messages": [{"role": "user", "content": "Where?"}], "max_tokens": 64, "seed": 9,
        "logprobs": True, "top_logprobs": 1, "stream": True, "stream_options": {"include_usage": True},
        "temperature": 0.3,
    }  # fmt: skip
    assert seen[0].header(b"authorization") == "Bearer key"


def test_several_choices_come_side_by_side_and_count_the_prompt_once(ask: Ask) -> None:
    events = heard(streaming(*WHOLE), ask("Where?", n=3))
    for choice in range(3):
        assert "".join(e.text for e in events if isinstance(e, Piece) and e.choice == choice) == " Oslo"
    assert events[-1] == Finish(("stop",) * 3, EngineUsage(7, 9))


def test_with_tools_llama_cpp_is_asked_for_the_whole_answer(ask: Ask) -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    end = {"id": 2, "token": "", "bytes": [], "logprob": -0.1}
    tokens = [{"id": 4, "token": " {", "bytes": [32, 123], "logprob": -0.5}, end]
    message = {"content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "logprobs": {"content": tokens}, "finish_reason": "tool_calls"}

    async def handle(request: Request) -> Reply:
        assert msgspec.json.decode(request.body)["stream"] is False
        return json_reply({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})

    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    piece, end_event = heard(handle, ask("Hi", tools=[tool]), Peculiarities(shaped_streams_lose_logprobs=True))
    assert isinstance(piece, Piece)
    assert piece.tool_calls == calls
    assert [token.id for token in piece.tokens] == [4]
    assert isinstance(end_event, Finish)
    assert end_event.reasons == ("tool_calls",)


@pytest.mark.parametrize(
    "parts",
    [
        (chunk("a"),),
        (chunk("a"), DONE),
        (chunk("a"), b"data: {broken\n\n"),
        (chunk("a"), b'data: {"error":{"message":"out of memory"}}\n\n'),
        (chunk("a"), b"data: " + b"x" * (1 << 20) + b"xxxx"),
        (chunk("a"),) * 200,
    ],
    ids=["cut", "no reason", "malformed", "error event", "endless event", "endless stream"],
)
def test_an_answer_that_does_not_end_well_is_an_error(ask: Ask, parts: tuple[bytes, ...]) -> None:
    with pytest.raises(EngineError):
        heard(streaming(*parts), ask("Where?"))


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": {"type": "exceed_context_size_error", "message": "600 tokens"}}, ContextLengthExceeded),
        (400, {"error": {"code": "context_length_exceeded"}}, ContextLengthExceeded),
        (400, {"error": {"message": "bad schema"}}, InvalidRequest),
        (401, {}, EngineUnavailable),
        (503, {"error": {"message": "loading"}}, EngineUnavailable),
        (500, {"error": {"message": "x" * 10_000}}, EngineError),
        (500, {"error": {"message": "image input is not supported"}}, InvalidRequest),
        (500, {"error": {"message": "Failed to parse tools: Missing tool function: {}"}}, InvalidRequest),
        (500, {"error": {"message": "Failed to parse messages: Missing tool call type"}}, InvalidRequest),
        (302, {}, EngineError),
    ],
)
def test_a_refusal_has_its_type(ask: Ask, status: int, body: dict[str, object], expected: type[DGridError]) -> None:
    async def handle(_request: Request) -> Reply:
        return json_reply(body, status)

    with pytest.raises(expected) as caught:
        heard(handle, ask("Where?"))
    assert len(caught.value.message) < 400


def test_a_server_that_is_not_there_is_unavailable(ask: Ask) -> None:
    async def listen() -> None:
        async for _ in OpenAiEngine(EngineAddress("http://127.0.0.1:9/v1", "m")).generate(ask("Hi")):
            pass

    with pytest.raises(EngineUnavailable):
        asyncio.run(listen())


async def probed(url: str) -> None:
    engine = OpenAiEngine(EngineAddress(url, "m"))
    await engine.start()
    try:
        await engine.probe()
    finally:
        await engine.stop()


def test_a_server_that_is_not_there_yet_keeps_nobody_from_starting_and_is_named_when_looked_for() -> None:
    with pytest.raises(EngineUnavailable, match=r"no engine answers at http://127\.0\.0\.1:9/v1"):
        asyncio.run(probed("http://127.0.0.1:9/v1"))


@pytest.mark.parametrize(("status", "serves"), [(200, True), (404, True), (401, False), (503, False)])
def test_a_server_serves_unless_it_refuses_the_key_or_is_still_loading(status: int, *, serves: bool) -> None:
    async def handle(_request: Request) -> Reply:
        return json_reply({"data": []}, status)

    with nullcontext() if serves else pytest.raises(EngineUnavailable, match=str(status)):
        asyncio.run(serve(handle, probed))


def test_leaving_early_hangs_up_so_that_the_engine_stops(ask: Ask) -> None:
    async def leave(url: str) -> None:
        async with aclosing(OpenAiEngine(EngineAddress(url, "m")).generate(ask("Hi", n=2))) as events:
            await anext(events)
        await asyncio.wait_for(gone.wait(), 2)

    gone = asyncio.Event()

    async def handle(request: Request) -> Reply:
        request.on_gone.append(gone.set)

        async def body() -> AsyncIterator[bytes]:
            yield chunk("a")
            await gone.wait()

        return Reply(200, body())

    asyncio.run(serve(handle, leave))
