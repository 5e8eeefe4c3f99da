"""Laws of scoring given tokens, on real weights."""

import math
from collections.abc import Iterator
from random import Random

import pytest
from tests.engines.conftest import MICRO

from dgrid.engines.libllama import BATCH_TOKENS, LibraryError, Scorer, load_library

CONTEXT = 2 * BATCH_TOKENS
ROUNDING_NATS = 1e-5


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(load_library(), MICRO.with_name("dgrid-nano-q8_0.gguf"), context=CONTEXT) as found:
        yield found


def some_tokens(scorer: Scorer, count: int, *, seed: int = 1) -> list[int]:
    return Random(seed).choices(range(scorer.size), k=count)


def test_the_chances_of_all_tokens_sum_to_one_and_the_best_is_the_largest(scorer: Scorer) -> None:
    prompt = some_tokens(scorer, 5)
    scored = [scorer.score(prompt, [token]) for token in range(scorer.size)]
    assert math.fsum(math.exp(one.logprobs[0]) for one in scored) == pytest.approx(1, abs=1e-6)
    assert {one.best[0] for one in scored} == {max(one.logprobs[0] for one in scored)}


def test_what_was_read_before_changes_nothing(scorer: Scorer) -> None:
    prompt, reply = some_tokens(scorer, 70), some_tokens(scorer, 9, seed=2)
    alone = scorer.score(prompt, reply)
    for length in (3, 200, 2 * BATCH_TOKENS - 50):
        scorer.score(some_tokens(scorer, length, seed=length), some_tokens(scorer, 40, seed=3))
        assert scorer.score(prompt, reply) == alone


def test_it_does_not_matter_where_the_prompt_ends(scorer: Scorer) -> None:
    ids = some_tokens(scorer, BATCH_TOKENS + 100)
    whole = scorer.score(ids[:1], ids[1:])
    assert len(whole.logprobs) == len(whole.best) == len(ids) - 1
    for begun in (2, 300, BATCH_TOKENS, BATCH_TOKENS + 1, BATCH_TOKENS + 99):
        rest = scorer.score(ids[:begun], ids[begun:])
        assert rest.logprobs == pytest.approx(whole.logprobs[begun - 1 :], abs=ROUNDING_NATS)
        assert rest.best == pytest.approx(whole.best[begun - 1 :], abs=ROUNDING_NATS)


def test_a_later_token_changes_nothing_before_it(scorer: Scorer) -> None:
    prompt, reply = some_tokens(scorer, 70), some_tokens(scorer, 9, seed=2)
    scored, changed = scorer.score(prompt, reply), scorer.score(prompt, [*reply[:5], *some_tokens(scorer, 4, seed=4)])
    assert changed.logprobs[:5] == pytest.approx(scored.logprobs[:5], abs=ROUNDING_NATS)
    assert changed.best[:6] == pytest.approx(scored.best[:6], abs=ROUNDING_NATS)


def test_tokens_that_cannot_be_read_are_refused(scorer: Scorer) -> None:
    for prompt, reply in (([], [1]), ([1], []), ([-1], [1]), ([1], [scorer.size]), ([1], [2**32 - 1])):
        with pytest.raises(LibraryError, match="of the vocabulary"):
            scorer.score(prompt, reply)
    with pytest.raises(LibraryError, match="do not fit"):
        scorer.score([1], [2] * (CONTEXT + 1))
    assert len(scorer.score([1], [2] * CONTEXT).logprobs) == CONTEXT
