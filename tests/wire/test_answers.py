"""One text for an answer, streamed or whole."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dgrid.core.errors import NodeMisbehaved
from dgrid.core.keccak import salted_hash
from dgrid.wire.answers import (
    CALL_SEPARATOR,
    CHOICE_SEPARATOR,
    TOOL_CALLS_MAX,
    Answer,
    answer_of,
    calls_of,
    choices_of,
)
from dgrid.wire.openai import CHOICES_MAX, decode_chunk

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
calls = st.lists(st.tuples(texts, texts), max_size=3)
choices = st.lists(st.tuples(texts, calls), min_size=1, max_size=4)


def whole(said: list[tuple[str, list[tuple[str, str]]]]) -> bytes:
    found = []
    for index, (text, functions) in enumerate(said):
        message: dict[str, Any] = {"content": text}
        if functions:
            message["tool_calls"] = [{"function": {"name": name, "arguments": args}} for name, args in functions]
        found.append({"index": index, "message": message, "finish_reason": "stop"})
    return json.dumps({"choices": found}).encode()


def chunk(index: int, **delta: Any) -> bytes:
    return json.dumps({"choices": [{"index": index, "delta": delta}]}).encode()


def streamed(said: list[tuple[str, list[tuple[str, str]]]], cut: int) -> Answer:
    answer = Answer()
    for index, (text, functions) in enumerate(said):
        answer.add(decode_chunk(chunk(index, role="assistant", content="")))
        for start in range(0, len(text), cut):
            answer.add(decode_chunk(chunk(index, content=text[start : start + cut])))
        for at, (name, args) in enumerate(functions):
            answer.add(decode_chunk(chunk(index, tool_calls=[{"index": at, "function": {"name": name}}])))
            for start in range(0, len(args), cut):
                part = {"index": at, "function": {"arguments": args[start : start + cut]}}
                answer.add(decode_chunk(chunk(index, tool_calls=[part])))
    return answer


@given(choices, st.integers(1, 7), st.binary(min_size=32, max_size=32))
def test_a_streamed_answer_hashes_as_the_whole_one(
    said: list[tuple[str, list[tuple[str, str]]]], cut: int, salt: bytes
) -> None:
    assert streamed(said, cut).text() == answer_of(whole(said)).text()
    assert streamed(said, cut).output_hash(salt) == answer_of(whole(said)).output_hash(salt)


def test_the_text_is_laid_out_as_the_docs_say() -> None:
    said = [("Hello", [("weather", '{"in":"Oslo"}')]), ("Bye", [])]
    text = f'Hello{CALL_SEPARATOR}weather{CALL_SEPARATOR}{{"in":"Oslo"}}{CHOICE_SEPARATOR}Bye'
    assert answer_of(whole(said)).text() == text
    assert answer_of(whole(said)).output_hash(bytes(32)) == salted_hash(bytes(32), text.encode())
    assert answer_of(whole(said)).finish_reasons == {0: "stop", 1: "stop"}


def test_an_answer_without_a_word_is_empty() -> None:
    assert Answer().is_empty
    assert answer_of(whole([("", [])])).is_empty
    assert not answer_of(whole([("", [("f", "")])])).is_empty


@pytest.mark.parametrize("index", [-1, 8, 10**9])
def test_a_choice_nobody_asked_for_is_refused(index: int) -> None:
    with pytest.raises(NodeMisbehaved, match="not asked for"):
        Answer().add(decode_chunk(chunk(index, content="x")))


@pytest.mark.parametrize("at", [-1, 128, "x", None])
def test_tool_calls_without_end_are_refused(at: object) -> None:
    with pytest.raises(NodeMisbehaved, match="tool calls"):
        Answer().add(decode_chunk(chunk(0, tool_calls=[{"index": at, "function": {"name": "f"}}])))


@pytest.mark.parametrize("function", [None, 5, "x", {"name": None}, {"arguments": None}])
def test_a_tool_call_of_any_shape_is_taken_without_falling_over(function: object) -> None:
    answer = Answer()
    answer.add(decode_chunk(chunk(0, tool_calls=[{"function": function}])))
    assert answer.text() == CALL_SEPARATOR * 2


@given(choices)
def test_what_was_said_is_found_again_in_the_text(said: list[tuple[str, list[tuple[str, str]]]]) -> None:
    assume(not any(sign in repr(said) for sign in ("\\x1e", "\\x1f")))
    found = choices_of(answer_of(whole(said)).text())
    assert [(one.split(CALL_SEPARATOR)[0], calls_of(one)) for one in found] == said


def test_what_a_node_writes_beyond_the_bounds_makes_no_more_choices_and_no_more_calls() -> None:
    assert len(choices_of(CHOICE_SEPARATOR * 1_000)) == CHOICES_MAX
    assert len(calls_of(CALL_SEPARATOR * 1_000)) == TOOL_CALLS_MAX
