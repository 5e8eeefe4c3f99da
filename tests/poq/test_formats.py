import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poq.making import asked

from dgrid.core.money import BPS
from dgrid.poq.formats import CEILINGS_BPS, Fault, choice_faults, format_score
from dgrid.poq.schema import Steps, fits_schema
from dgrid.wire.openai import ChatRequest

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
AS_PERSON = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
FIND = {"type": "function", "function": {"name": "find", "parameters": PERSON}}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=8), inside, max_size=4),
    max_leaves=12,
)


def faults_of(chat: ChatRequest, answer: str) -> list[Fault]:
    return [*choice_faults(chat, answer, steps=Steps())]


@pytest.mark.parametrize(
    ("fields", "answer", "fault"),
    [
        ({}, "", Fault.EMPTY),
        ({}, " \n\u200b", Fault.EMPTY),
        ({}, "Oslo<|im_end|>", Fault.UNDECODED),
        ({}, "Os\ufffdlo", Fault.UNDECODED),
        ({}, "Os\x00lo", Fault.UNDECODED),
        ({}, "the same the same the same the same", Fault.LOOP),
        ({}, "#~^|}{~#~^|}{~#", Fault.GARBAGE),
        ({}, ":", Fault.GARBAGE),
        ({}, "x" * 200, Fault.GARBAGE),
        ({"stop": ["lo"]}, "Oslo", Fault.STOP),
        ({"response_format": {"type": "json_object"}}, "name: Anna", Fault.JSON),
        ({"response_format": {"type": "json_object"}}, '```json\n{"a": 1}\n```', Fault.JSON),
        ({"response_format": AS_PERSON}, '{"name": "Anna"}', Fault.SCHEMA),
        ({"response_format": AS_PERSON}, '{"name": "Anna", "age": "34"}', Fault.SCHEMA),
        ({"response_format": AS_PERSON}, '{"name": "Anna", "age": -1}', Fault.SCHEMA),
        ({"response_format": AS_PERSON}, '{"name": "Anna", "age": 34, "more": 1}', Fault.SCHEMA),
        ({"tools": [FIND], "tool_choice": "required"}, "Anna", Fault.CALL),
        ({"tools": [FIND]}, "\x1fseek\x1f{}", Fault.CALL),
        ({"tools": [FIND]}, '\x1ffind\x1f{"name": 1}', Fault.CALL),
        ({}, "\x1ffind\x1f{}", Fault.CALL),
    ],
)
def test_finds_what_is_wrong_with_the_form(fields: dict[str, Any], answer: str, fault: Fault) -> None:
    chat = asked("Where does Maria live?", **fields)
    assert fault in faults_of(chat, answer)
    assert format_score(chat, answer) <= CEILINGS_BPS[fault] < BPS


@pytest.mark.parametrize(("wanted", "answer"), [(2, "Oslo"), (1, "Oslo\x1eOslo")])
def test_another_number_of_choices_than_asked_for_costs_half(wanted: int, answer: str) -> None:
    assert format_score(asked("Where does Maria live?", n=wanted), answer) == CEILINGS_BPS[Fault.COUNT] == BPS // 2


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({}, "Oslo"),
        ({}, "42"),
        ({}, "東京です。"),
        ({}, "No."),
        ({"n": 2}, "Oslo\x1eRome"),
        ({"response_format": AS_PERSON}, '{"name": "Anna", "age": 34}'),
        ({"response_format": {"type": "json_object"}}, '{"a": [1, 1, 1, 1, 1, 1]}'),
        ({"tools": [FIND]}, '\x1ffind\x1f{"name": "Anna", "age": 34}'),
        ({"tools": [FIND]}, "Oslo"),
    ],
)
def test_lets_a_well_formed_answer_be(fields: dict[str, Any], answer: str) -> None:
    assert format_score(asked("Where does Maria live?", **fields), answer) == BPS


def test_more_than_the_sentence_or_the_few_words_asked_for_is_too_long() -> None:
    many = "Oslo is large. Maria lives there. She works as a nurse. Tim lives in Rome and plays the cello."
    assert faults_of(asked("Where does Maria live? Answer in one sentence."), many) == [Fault.LONG]
    assert faults_of(asked("Where does Maria live? Answer briefly."), f"{many} {many[:70]}") == [Fault.LONG]
    assert faults_of(asked("Where does Maria live?"), many) == []


def test_one_bad_choice_of_two_costs_half() -> None:
    assert format_score(asked("Hi", n=2), "Oslo\x1e") == BPS // 2


@pytest.mark.parametrize(
    ("schema", "fitting", "other"),
    [
        ({"enum": ["a", 1]}, "a", True),
        ({"const": 1}, 1, True),
        ({"type": ["string", "null"]}, None, 1),
        ({"type": "integer"}, 2.0, 2.5),
        ({"items": {"type": "number"}, "minItems": 1}, [1, 2.5], []),
        ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, 4, 2),
        ({"oneOf": [{"minimum": 1}, {"minimum": 3}]}, 2, 4),
        ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, 2, 4),
        ({"$ref": "#/$defs/id", "$defs": {"id": {"type": "string", "maxLength": 2}}}, "ab", "abc"),
        ({"properties": {"a": False}}, {"b": 1}, {"a": 1}),
    ],
)
def test_a_schema_holds_for_what_fits_it_alone(schema: dict[str, Any], fitting: object, other: object) -> None:
    assert fits_schema(fitting, schema)
    assert not fits_schema(other, schema)


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    endless: dict[str, Any] = {"anyOf": [{"$ref": "#"}] * 50}
    assert fits_schema({}, endless) in (True, False)
    assert fits_schema({}, {"$ref": "https://elsewhere/schema"})


MANY = 4_000
LONG_SCHEMAS = {
    "reference": {"items": {"$ref": "#" + "/a" * 20 * MANY}},
    "values": {"items": {"enum": [*range(2, 100 * MANY), 1]}},
    "names": {"items": {"type": ["integer"] * 100 * MANY}},
    "fields": {"items": {"type": "integer"}, "required": ["a"] * MANY},
    "cases": {"items": {"anyOf": [{}] * MANY}},
}


@pytest.mark.parametrize("schema", LONG_SCHEMAS.values(), ids=LONG_SCHEMAS)
def test_a_long_schema_over_a_long_answer_takes_no_time(schema: dict[str, Any]) -> None:
    began_s = time.process_time()
    assert fits_schema([1] * MANY, schema)
    assert fits_schema([{"a": 1}] * MANY, {"items": {"required": ["a"] * MANY}})
    assert time.process_time() - began_s < 1


def test_many_choices_and_many_calls_cost_no_more_than_one() -> None:
    tools = [{"function": {"name": f"find{at}", "parameters": {"anyOf": [{}] * 500}}} for at in range(MANY)]
    typed = {"json_schema": {"schema": {"anyOf": [{}] * MANY}}, "type": "json_schema"}
    with_tools, with_choices = asked("Find her.", tools=tools), asked("Find her.", response_format=typed)
    began_s = time.process_time()
    format_score(with_tools, "\x1ffind0\x1f{}" * MANY)
    format_score(with_tools, "\x1ffind0\x1f{}\x1e" * MANY)
    format_score(with_choices, "{}\x1e" * MANY)
    assert time.process_time() - began_s < 1


def test_a_value_too_deep_to_be_compared_has_not_the_demanded_shape() -> None:
    assert fits_schema(nested(100), {"const": nested(100)})
    assert not fits_schema(nested(100_000), {"const": nested(100_000)})


def nested(depth: int) -> list[Any]:
    deep: list[Any] = []
    for _ in range(depth):
        deep = [deep]
    return deep


@given(JSON_VALUES, JSON_VALUES)
def test_any_value_can_be_held_against_any_schema(value: object, schema: object) -> None:
    assert fits_schema(value, schema) in (True, False)


@given(st.text(max_size=300))
def test_any_text_has_a_form(answer: str) -> None:
    assert 0 <= format_score(asked("Where does Maria live?"), answer) <= BPS
