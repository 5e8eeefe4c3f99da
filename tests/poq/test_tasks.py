import re
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poq.making import asked

from dgrid.poq.tasks import offers, question_of, task_of
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import TaskType

HELD_OUT = Path(__file__).resolve().parents[2] / "models" / "heldout.jsonl"
TEXT = "Maria lives in Oslo. She works as a nurse."
KINDS = {
    "short answer": TaskType.EXTRACT,
    "sentence answer": TaskType.EXTRACT,
    "not in the text": TaskType.EXTRACT,
    "find sentence": TaskType.EXTRACT,
    "yes or no": TaskType.CHOICE,
    "multiple choice": TaskType.CHOICE,
    "risk class": TaskType.CHOICE,
    "sentiment": TaskType.CHOICE,
    "topic": TaskType.CHOICE,
    "json": TaskType.JSON,
    "summary": TaskType.SUMMARY,
    "small talk": TaskType.CHAT,
    "out of scope": TaskType.CHAT,
    "handwritten out of scope": TaskType.CHAT,
}


@pytest.mark.parametrize(
    ("said", "task"),
    [
        (f"{TEXT} Where does Maria live?", TaskType.EXTRACT),
        (f"Where does Maria live?\nText: {TEXT}", TaskType.EXTRACT),
        (f"Context: {TEXT}\n\nQuestion: According to the text, what does Maria work as", TaskType.EXTRACT),
        (f"{TEXT}\nFind the sentence about Oslo.", TaskType.EXTRACT),
        (f"{TEXT} Does Maria live in Oslo?", TaskType.CHOICE),
        (f"{TEXT}\nWhere does Maria live?\nA) Rome\nB) Oslo", TaskType.CHOICE),
        ("The soup was wonderful. Is this review positive or negative?", TaskType.CHOICE),
        ("Transaction: Tim sent 9 DAI to Bob.\nAmounts above 5 are high risk.\nRisk?", TaskType.CHOICE),
        (f"{TEXT} Give the name and city of Maria as JSON.", TaskType.JSON),
        (f"Summarise: {TEXT}", TaskType.SUMMARY),
        (f"TL;DR: {TEXT}", TaskType.SUMMARY),
        ("In short, the harbour in Oslo will close on Monday. Who is the mayor?", TaskType.EXTRACT),
        ("Write a poem about the sea.", TaskType.CHAT),
        ("Can you help me?", TaskType.CHAT),
        ("What is the capital of France?", TaskType.CHAT),
        ("", TaskType.CHAT),
    ],
)
def test_tells_what_kind_of_work_is_asked_for(said: str, task: TaskType) -> None:
    assert task_of(asked(said)) is task


def test_a_demanded_format_decides_before_any_word() -> None:
    for kind in ("json_object", "json_schema"):
        assert task_of(asked(f"Summarise: {TEXT}", response_format={"type": kind})) is TaskType.JSON
    assert task_of(asked(f"Summarise: {TEXT}", response_format={"type": "text"})) is TaskType.SUMMARY


def test_a_later_question_is_about_the_text_that_was_given_before() -> None:
    assert task_of(asked(f"{TEXT} Where does Maria live?", "Oslo", "What does she work as?")) is TaskType.EXTRACT
    assert task_of(asked(f"{TEXT} Where does Maria live?", "Oslo", "Thanks!")) is TaskType.CHAT
    assert task_of(asked(f"{TEXT} Where does Maria live?", "Oslo", "What can you do?")) is TaskType.CHAT


def test_knows_the_kinds_of_the_held_out_questions() -> None:
    found: dict[str, Counter[TaskType]] = {kind: Counter() for kind in KINDS}
    for line in HELD_OUT.read_text(encoding="utf-8").splitlines():
        item = msgspec.json.decode(line)
        if item["task"] in KINDS:
            body = msgspec.json.encode({"model": "any", "messages": item["messages"]})
            found[item["task"]][task_of(decode_chat(body))] += 1
    right = {kind: counts[KINDS[kind]] / counts.total() for kind, counts in found.items()}
    assert min(right.values()) >= 0.9, right


def test_the_question_is_the_sentence_that_asks() -> None:
    assert question_of(asked(f"{TEXT} Where does Maria live?")) == "Where does Maria live?"
    assert question_of(asked(f"Based on the text: where does Maria live?\n{TEXT}")) == "where does Maria live?"
    assert question_of(asked("Write a poem.")) == ""


@given(st.text(max_size=400))
def test_every_text_is_of_some_kind(said: str) -> None:
    assert task_of(asked(said)) in TaskType


PIECES = st.sampled_from(["is", "Which", "or", "OR", "topic", "risk", "what", "?", ".", "!", " ", "\n", "\t", "-", "x"])


@given(st.lists(PIECES, max_size=14).map("".join))
def test_what_offers_a_choice_is_what_one_pattern_would_say(text: str) -> None:
    pattern = re.compile(r"\b(?:is|are|was|which)\b[^.?!]*\bor\b[^.?!]*\?", re.IGNORECASE)
    assert offers(text) is bool(pattern.search(text))


@pytest.mark.parametrize("piece", ["is or ", "\n", " ", "risk\n", "A) ", "please ", "tell me: ", "? ", "which "])
def test_no_text_takes_long(piece: str) -> None:
    began_s = time.process_time()
    task_of(asked("What " + piece * (30_000 // len(piece)) + "x"))
    assert time.process_time() - began_s < 1


@pytest.mark.parametrize("piece", ["q: ", "word ", "please tell me: ", "is it, "])
def test_no_conversation_takes_long(piece: str) -> None:
    earlier = (piece * (40_000 // len(piece)), "Yes.") * 100
    chat = asked(*earlier, "What is his name?")
    began_s = time.process_time()
    task_of(chat)
    assert time.process_time() - began_s < 0.2
