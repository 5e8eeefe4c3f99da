"""JSON in a code fence and without one; no answer takes long to read."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dgrid.poq.fields import UNREADABLE, parsed, unfenced

PATTERN = re.compile(r"^\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*$", re.DOTALL | re.IGNORECASE)
PIECES = st.sampled_from(["```", "`", "json", "JSON", "\n", "\r", "\t", " ", "\u00a0", "{}", "x"])


@given(st.lists(PIECES, max_size=12).map("".join))
@example("```\n```")
@example("```\n")
@example("```json\n\n {} \n```\n")
def test_a_fence_holds_what_one_pattern_would_say(text: str) -> None:
    found = PATTERN.match(text)
    assert unfenced(text) == (found[1] if found else text)


@pytest.mark.parametrize("text", ['```json\n{"a": 1}\n```', ' ```\n{"a": 1}```\n', '{"a": 1}'])
def test_an_object_counts_with_and_without_its_fence(text: str) -> None:
    assert parsed(text) == {"a": 1}


@pytest.mark.parametrize("piece", ["\n", " ", "```\n", "`", "```json\n"])
def test_no_answer_takes_long(piece: str) -> None:
    began_s = time.process_time()
    assert parsed("```\n" + piece * 10_000 + "x") is UNREADABLE
    assert time.process_time() - began_s < 1
