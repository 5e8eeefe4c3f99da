"""OpenAI's bodies: what we act on is checked, all else is left alone."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.errors import InvalidJson, InvalidRequest
from dgrid.wire.openai import ChatMessage, decode_chat, decode_chunk

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def body(**fields: Any) -> bytes:
    return json.dumps({**BODY, **fields}).encode()


def test_unknown_fields_pass() -> None:
    assert decode_chat(body(top_k=5, future={"a": 1})).model == "m"


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b"nul", rb'{"a":"\ud800"}'])
def test_what_is_no_json_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises((InvalidJson, InvalidRequest)):
        decode_chat(data)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": "x"}] * 2049}, "messages"),
        ({"n": 0}, "n"),
        ({"n": 9}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": -5}, "max_completion_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"seed": 2**63}, "seed"),
        ({"dgrid": {"seed": 2**63}}, "dgrid.seed"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": ""}, "stop"),
        ({"stop": ["x", ""]}, "stop"),
        ({"logit_bias": {"5": "x"}}, "logit_bias[...]"),
        ({"models": ["m"] * 17}, "models"),
        ({"model": 5}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        decode_chat(body(**fields))
    assert raised.value.param == param


@pytest.mark.parametrize(
    ("data", "param"),
    [(b"{}", "model"), (b'{"model":"a"}', "messages"), (b"[]", None), (b'{"model":"`$.x"}', "messages")],
)
def test_a_field_that_is_missing_is_named(data: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as raised:
        decode_chat(data)
    assert raised.value.param == param


def test_the_newer_name_of_a_limit_wins() -> None:
    assert decode_chat(body(max_tokens=5, max_completion_tokens=7)).completion_limit == 7
    assert decode_chat(body(max_tokens=5)).completion_limit == 5
    assert decode_chat(body()).completion_limit is None


def test_the_text_of_a_message_is_its_text_parts() -> None:
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {}},
        {"type": "text", "text": "b"},
    ]
    assert ChatMessage("user", parts).text() == "ab"
    assert ChatMessage("user", None).text() == ""


@given(st.binary(max_size=200))
def test_random_bytes_never_crash_a_decoder(data: bytes) -> None:
    with pytest.raises((InvalidJson, InvalidRequest)):
        decode_chat(data)
    try:
        decode_chunk(data)
    except ValueError:
        return
