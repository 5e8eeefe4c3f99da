"""What agreement with others says: of accuracy, where the others are independent, and of consistency, where they run
the same model.

Every opinion counts once for its model, however many nodes repeat it: answers of one model vote for each other, right
or wrong.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from dgrid.core.money import BPS
from dgrid.wire.quality import NOT_SCORED

TELLING_BPS: Final = 2_000  # where a model agrees with itself less than this, it says nothing about an answer


def judge_accuracy(others: Iterable[tuple[bytes, int]], own: Sequence[int] = ()) -> int:
    """From the likeness of an answer to those of other models, by (model digest, likeness), and to those of its own.

    Half the mean over models, half the second best of them. Wrong answers seldom coincide, so a model that says the
    same speaks for an answer more than one that says something else speaks against it; but the best vote is the
    model's own, or could be an accomplice's. NOT_SCORED without another model. On the held-out questions, judged by the
    two other built-in models and its own, this correlates 0.68 with token F1; the mean alone 0.66, a mean cosine 0.63
    (`benchmarks.likeness`).
    """
    by_model: dict[bytes, list[int]] = defaultdict(list)
    for model, like in others:
        by_model[model].append(like)
    if not by_model:
        return NOT_SCORED
    votes = sorted(sum(likes) // len(likes) for likes in (*by_model.values(), own) if likes)
    return (sum(votes) // len(votes) + votes[max(0, len(votes) - 2)]) // 2


def judge_consistency(to_peers: Sequence[int], among_peers: Sequence[int], *, is_sampled: bool) -> int:
    """How far an answer is like those of other nodes of its model, 0 to 10,000.

    At temperature 0 they should be the same. A sampled answer is measured against how alike the peers' own are:
    what sampling explains is no fault. NOT_SCORED without peers, and where a sampled model hardly agrees with itself.
    """
    if not to_peers:
        return NOT_SCORED
    mean = sum(to_peers) // len(to_peers)
    if not is_sampled or not among_peers:
        return NOT_SCORED if is_sampled else mean
    own = sum(among_peers) // len(among_peers)
    return min(BPS, mean * BPS // own) if own >= TELLING_BPS else NOT_SCORED
