"""A reader of texts hardly tells canaries from what the built-in models are made for, nor an author's own questions."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.recognising import VIEWS, Mix, generated, owned, requests_of, told_apart, with_all_words

from dgrid.wire.openai import ChatMessage, ChatRequest

SEED = 3


@pytest.fixture(scope="module")
def beside() -> Mix:
    return Mix("such questions with all words", generated(SEED), requests_of(with_all_words(SEED)))


@pytest.mark.parametrize(("view", "most"), {"shape": 0.6, "phrasing": 0.65, "words": 0.75}.items())
def test_canaries_look_like_the_questions_that_built_in_models_are_made_for(
    beside: Mix, view: str, most: float
) -> None:
    assert told_apart(beside, VIEWS[view], seed=SEED) < most


def test_own_questions_are_not_told_from_the_rest_of_their_source(root: Path) -> None:
    lines = (root / "models/heldout.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line)["messages"] for line in lines]
    halves = Mix("halves", owned(asked[::2], SEED), requests_of(asked[1::2]))
    for view in ("shape", "phrasing", "words"):
        assert 0.4 < told_apart(halves, VIEWS[view], seed=SEED) < 0.6


@pytest.mark.parametrize("view", ["shape", "phrasing", "words"])
def test_the_reader_finds_a_habit_that_canaries_alone_have(beside: Mix, view: str) -> None:
    def with_habit(request: ChatRequest) -> ChatRequest:
        said = request.messages[-1].text() + "\n\nthank you in advance"
        request.messages[-1] = ChatMessage("user", said)
        return request

    marked = replace(beside, canaries=[with_habit(request) for request in generated(SEED)])
    assert told_apart(marked, VIEWS[view], seed=SEED) > 0.85
