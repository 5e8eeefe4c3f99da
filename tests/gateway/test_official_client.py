"""What the official OpenAI client raises and shows when something goes wrong, and what the operator's log says."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import APIError, APIStatusError, AsyncOpenAI
from tests.gateway.stage import API_KEY, Stage, play, until
from tests.gateway.test_hostile_nodes import KEY, Liar, chunk, data, joined_by, streamed
from tests.wire.talking import exchange

from dgrid.engines.scripted import Script
from dgrid.gateway.pipeline import Limits

QUESTION: Any = [{"role": "user", "content": "Who lives in Oslo? xyzzy"}]
SECRET = "xyzzy"
IN_FLIGHT = Limits().in_flight_of_channel_max
Talk = Callable[[AsyncOpenAI], Awaitable[Any]]


def client_of(stage: Stage, *, key: str = API_KEY, path: str = "/v1") -> AsyncOpenAI:
    return AsyncOpenAI(base_url=stage.url + path, api_key=key, max_retries=0, timeout=20)


async def chat(client: AsyncOpenAI, **fields: Any) -> Any:
    return await client.chat.completions.create(**{"model": "tiny", "messages": QUESTION, **fields})


async def refused(stage: Stage, talk: Talk, *, key: str = API_KEY, path: str = "/v1") -> APIStatusError:
    """What the client raises."""
    async with client_of(stage, key=key, path=path) as client:
        with pytest.raises(APIStatusError) as raised:
            await talk(client)
    return raised.value


def lines_of(caplog: pytest.LogCaptureFixture, request_id: str | None) -> list[str]:
    """The lines of the log that name a request."""
    assert request_id
    return [line for line in caplog.text.splitlines() if request_id in line]


async def listen(stream: Any, said: list[str]) -> None:
    async for piece in stream:
        said.append(piece.choices[0].delta.content or "")


def asking(**fields: Any) -> Talk:
    return lambda client: chat(client, **fields)


def asking_beside(**fields: Any) -> Talk:
    return lambda client: chat(client, extra_body=fields)


LONG: Any = [{"role": "user", "content": "word " * 5000}]
WRONG: dict[str, tuple[Talk, type[APIStatusError], str, str | None, str]] = {
    "model": (asking(model="gpt-99"), openai.NotFoundError, "model_not_found", "model", "offered: tiny"),
    "no such model": (
        lambda client: client.models.retrieve("gpt-99"),
        openai.NotFoundError,
        "model_not_found",
        "model",
        "/v1/models",
    ),
    "budget": (
        asking_beside(dgrid={"budget": "1"}),
        APIStatusError,
        "insufficient_budget",
        None,
        "raise the budget",
    ),
    "context": (asking(messages=LONG), openai.BadRequestError, "context_length_exceeded", "messages", "shorten"),
    "no messages": (asking(messages=[]), openai.BadRequestError, "invalid_request", "messages", "1 to 2048"),
    "a missing field": (
        lambda client: client.post("/chat/completions", body={"model": "tiny"}, cast_to=object),
        openai.BadRequestError,
        "invalid_request",
        "messages",
        "missing required field `messages`",
    ),
    "a missing role": (
        asking(messages=[{"content": "Who?"}]),
        openai.BadRequestError,
        "invalid_request",
        "messages[0].role",
        "missing required field `role`",
    ),
    "a wrong type": (asking(max_tokens="many"), openai.BadRequestError, "invalid_request", "max_tokens", "`int"),
    "a wrong value": (asking(temperature=3), openai.BadRequestError, "invalid_request", "temperature", "0 and 2"),
    "nobody left": (
        asking_beside(provider={"only": ["0x00"]}),
        openai.InternalServerError,
        "no_node_available",
        None,
        "`provider`",
    ),
    "no embeddings": (
        lambda client: client.embeddings.create(model="tiny", input="x"),
        openai.NotFoundError,
        "route_not_found",
        None,
        "POST /v1/chat/completions",
    ),
    "no responses": (
        lambda client: client.responses.create(model="tiny", input="x"),
        openai.NotFoundError,
        "route_not_found",
        None,
        "POST /v1/chat/completions",
    ),
    "another method": (
        lambda client: client.get("/chat/completions", cast_to=object),
        APIStatusError,
        "method_not_allowed",
        None,
        "it does to POST",
    ),
    "too large": (
        asking(messages=[{"role": "user", "content": "x" * 5_000_000}]),
        APIStatusError,
        "request_too_large",
        None,
        "at most 4194304 bytes",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_client_raises_what_its_user_expects_with_the_remedy_and_the_name_that_the_log_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    talk, kind, code, param, remedy = WRONG[wrong]

    async def scenes(stage: Stage) -> None:
        error = await refused(stage, talk)
        assert (type(error), error.code, error.param) == (kind, code, param), error
        assert remedy in error.message
        assert error.body["request_id"] == error.request_id  # type: ignore[index]
        (line,) = lines_of(caplog, error.request_id)
        assert line.endswith(f"{error.request_id} failed: {error.status_code} {code}")

    with caplog.at_level(logging.INFO, "dgrid"):
        play(tmp_path, scenes)
    assert SECRET not in caplog.text


@pytest.mark.parametrize(("key", "remedy"), [("dg-wrong", "is it this network's key?"), ("sk-other", "Bearer dg-")])
def test_a_wrong_key_is_an_authentication_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, key: str, remedy: str
) -> None:
    async def scenes(stage: Stage) -> None:
        error = await refused(stage, chat, key=key)
        assert (type(error), error.code) == (openai.AuthenticationError, "invalid_api_key")
        assert remedy in error.message
        assert lines_of(caplog, error.request_id)

    with caplog.at_level(logging.INFO, "dgrid"):
        play(tmp_path, scenes)
    assert key not in caplog.text


def test_a_base_url_without_its_end_is_said(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        error = await refused(stage, chat, path="")
        assert (type(error), error.code) == (openai.NotFoundError, "route_not_found")
        assert "a base URL ends with /v1" in error.message

    play(tmp_path, scenes)


def test_malformed_json_is_a_bad_request_with_a_name(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        for body in (b"{", b"[" * 100_000, b"[]", b'{"model": "\xff"}'):
            answer = await stage.ask(body=body)
            assert (answer.status, answer.code) in {(400, "invalid_json"), (400, "invalid_request")}
            assert answer.headers[b"x-request-id"].decode() == answer.json["error"]["request_id"]

    play(tmp_path, scenes)


def test_a_method_that_is_not_answered_names_those_that_are(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        for method, path, allow in (
            ("DELETE", "/v1/models/tiny", b"GET, HEAD"),
            ("OPTIONS", "/v1/models", b"GET, HEAD"),
        ):
            answer = await stage.request(method, path, b"", {})
            assert (answer.status, answer.headers[b"allow"]) == (405, allow)
        told = await exchange(stage.server.port, b"HEAD /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 200")
        assert told.endswith(b"\r\n\r\n")

    play(tmp_path, scenes)


def test_an_answer_has_its_receipts_id_for_a_name_and_any_other_reply_one_of_its_own(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        async with client_of(stage) as client:
            whole = await chat(client, extra_headers={"idempotency-key": "once"})
            again = await chat(client, extra_headers={"idempotency-key": "once"})
            assert whole._request_id == again._request_id == whole.usage.dgrid["receipt_id"]
            stream = await chat(client, stream=True)
            assert stream.response.headers["x-request-id"] == stream.response.headers["x-dgrid-receipt-id"]
            async for _ in stream:
                pass
        paths = ("/v1/models", "/v1/models/tiny", "/v1/network/nodes", "/healthz", "/metrics")
        names = [(await stage.get(path)).headers[b"x-request-id"] for path in paths]
        assert all(re.fullmatch(rb"req_[0-9a-f]{32}", name) for name in names)
        assert len(set(names)) == len(names)

    play(tmp_path, scenes)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_failing_engine_is_a_server_error_that_the_log_explains(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, stream: bool
) -> None:
    async def scenes(stage: Stage) -> None:
        error = await refused(stage, asking(stream=stream))
        assert (type(error), error.code) == (openai.InternalServerError, "node_refused")
        assert int(error.response.headers["retry-after"]) >= 1
        node, request = lines_of(caplog, error.request_id)
        assert "0x" + stage.nodes[0].key.address.hex() in node
        assert "engine_error" in node
        assert request.endswith("503 node_refused")
        assert "the script ends" not in caplog.text, "what an engine says may quote the request"
        assert "the script ends" in error.message

    with caplog.at_level(logging.INFO, "dgrid.gateway"), caplog.at_level(logging.INFO, "dgrid.wire"):
        play(tmp_path, scenes, Script(fails_after=0))


def test_a_node_that_is_gone_is_a_server_error_with_the_remedy(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        await stage.nodes[0].server.stop()
        error = await refused(stage, chat)
        assert (type(error), error.code) == (openai.InternalServerError, "node_unreachable")
        assert "ask again" in error.message

    play(tmp_path, scenes)


@pytest.mark.parametrize("billed", [True, False])
def test_a_stream_that_breaks_raises_in_the_midst_under_the_name_it_began_with(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, billed: bool
) -> None:
    async def scenes(stage: Stage) -> None:
        await joined_by(stage, Liar(lambda *_: streamed(data(chunk("Maria", streamed=True)), then_break=True)))
        node = stage.nodes[0].key if billed else KEY
        wish = {"provider": {"only": ["0x" + node.address.hex()]}}
        async with client_of(stage) as client:
            stream, said = await chat(client, stream=True, extra_body=wish), list[str]()
            with pytest.raises(APIError) as raised:
                await listen(stream, said)
        assert "".join(said).startswith("Maria")
        assert raised.value.code == "node_unreachable"
        assert ("signed was billed" if billed else "nothing of it is billed") in raised.value.message
        request_id = stream.response.headers["x-request-id"]
        assert raised.value.body["request_id"] == request_id  # type: ignore[index]
        assert any(line.endswith("failed: 502 node_unreachable") for line in lines_of(caplog, request_id))
        await until(lambda: stage.account().held_wei == 0)
        assert (stage.account().spent_wei > 0) == billed

    with caplog.at_level(logging.INFO, "dgrid"):
        play(tmp_path, scenes, Script(fails_after=3))


def test_too_many_at_once_is_a_rate_limit_with_the_time_to_wait(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        running = [asyncio.ensure_future(stage.ask(seed=at)) for at in range(IN_FLIGHT)]
        await until(lambda: stage.service.ledger.open_holds == IN_FLIGHT)
        error = await refused(stage, chat)
        assert (type(error), error.code) == (openai.RateLimitError, "rate_limited")
        assert int(error.response.headers["retry-after"]) >= 1
        assert error.request_id
        await asyncio.gather(*running)

    play(tmp_path, scenes, Script(first_delay_s=3.0))
