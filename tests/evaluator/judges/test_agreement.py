from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.money import BPS
from dgrid.evaluator.judges.agreement import judge_accuracy, judge_consistency
from dgrid.wire.quality import NOT_SCORED

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32
LIKES = st.integers(0, BPS)
VOTES = st.lists(st.tuples(st.sampled_from([A, B, C]), LIKES), max_size=8)


def test_says_nothing_where_nobody_else_was_asked() -> None:
    assert judge_accuracy([]) == NOT_SCORED
    assert judge_accuracy([], [BPS, BPS]) == NOT_SCORED, "a model's own repetitions are no independent view"
    assert judge_consistency([], [], is_sampled=False) == NOT_SCORED


def test_a_model_votes_once_however_many_nodes_repeat_it() -> None:
    alone = judge_accuracy([(A, BPS), (B, 0), (C, 0)])
    crowd = judge_accuracy([*[(A, BPS)] * 20, (B, 0), (C, 0)])
    assert crowd == alone


def test_the_best_vote_alone_carries_little() -> None:
    one_accomplice = judge_accuracy([(A, BPS), (B, 0)], [0])
    two_independent = judge_accuracy([(A, BPS), (B, BPS)], [0])
    assert one_accomplice < BPS // 4
    assert two_independent > BPS * 3 // 4


@given(VOTES, st.lists(LIKES, max_size=3))
def test_accuracy_lies_between_the_worst_vote_and_the_best(others: list[tuple[bytes, int]], own: list[int]) -> None:
    score = judge_accuracy(others, own)
    everything = [like for _, like in others] + own
    assert score == NOT_SCORED if not others else min(everything) - 1 <= score <= max(everything)


@given(VOTES.filter(bool), st.lists(LIKES, max_size=3))
def test_more_likeness_never_lowers_accuracy(others: list[tuple[bytes, int]], own: list[int]) -> None:
    raised = [(model, min(BPS, like + 500)) for model, like in others]
    assert judge_accuracy(raised, own) >= judge_accuracy(others, own)


def test_a_deterministic_answer_is_to_be_the_same_everywhere() -> None:
    assert judge_consistency([BPS, BPS], [BPS], is_sampled=False) == BPS
    assert judge_consistency([0, 0], [BPS], is_sampled=False) == 0


def test_what_sampling_explains_is_no_fault() -> None:
    assert judge_consistency([6_000, 6_000], [6_000], is_sampled=True) == BPS
    assert judge_consistency([3_000, 3_000], [6_000], is_sampled=True) == BPS // 2
    assert judge_consistency([3_000, 3_000], [1_000], is_sampled=True) == NOT_SCORED, "it hardly agrees with itself"
    assert judge_consistency([3_000], [], is_sampled=True) == NOT_SCORED, "nobody knows how it varies"
