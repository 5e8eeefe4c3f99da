"""Comparing answers that were written to break whoever compares them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.money import BPS
from dgrid.evaluator.judges.likeness import calls_likeness, likeness
from dgrid.wire.answers import CALL_SEPARATOR, CHOICE_SEPARATOR
from dgrid.wire.quality import TaskType

PARTS = st.sampled_from(
    [CALL_SEPARATOR, CHOICE_SEPARATOR, "find", "{}", '{"a": 1}', "[", "Oslo", "no", "12", " ", "\n"]
)
ANSWERS = st.lists(PARTS, max_size=12).map("".join)


@given(st.sampled_from(TaskType), ANSWERS, ANSWERS)
def test_any_two_answers_are_alike_to_some_degree(task: TaskType, left: str, right: str) -> None:
    assert 0 <= likeness(task, (left, right), cosine=lambda _one, _other: 0.5) <= BPS


@pytest.mark.parametrize(
    ("left", "right", "score"),
    [
        ("\x1ffind\x1f{}", "\x1ffind", 0),
        ("\x1ffind", "\x1ffind", BPS),
        ('\x1ffind\x1f{"a": 1}\x1fsend\x1f{}', '\x1ffind\x1f{"a": 1}\x1fsend', BPS // 2),
        ("\x1ffind\x1f{}", "\x1fseek\x1f{}", 0),
        ("find", "\x1ffind\x1f{}", 0),
    ],
)
def test_a_call_that_a_node_leaves_unfinished_is_compared_like_any_other(left: str, right: str, score: int) -> None:
    assert calls_likeness(left, right) == score
    assert calls_likeness(right, left) == score


def test_an_answer_of_many_choices_takes_as_long_as_one_of_eight() -> None:
    began_s = time.process_time()
    likeness(TaskType.CHAT, ("a red b\x1e" * 2_000, "c blue d\x1e" * 2_000), cosine=lambda _one, _other: 0.5)
    assert time.process_time() - began_s < 2


ACCENTS = "\u0301\u0327"


@pytest.mark.parametrize("piece", [ACCENTS, "\u0f73", "\ufdfa", "\ufdfa ", "a. ", "3.", "x@", "no ", "A) ", "\u3000"])
def test_no_text_takes_long_to_compare(piece: str) -> None:
    hostile = "e" + piece * (20_000 // len(piece))
    began_s = time.process_time()
    likeness(TaskType.CHAT, (hostile, hostile[::-1]), cosine=lambda _one, _other: 0.5)
    assert time.process_time() - began_s < 1
