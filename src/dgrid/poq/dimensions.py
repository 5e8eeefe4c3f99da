"""The four dimensions of a score and how they become one.

Format, accuracy and consistency are judged; cost is computed here from the receipt, so nobody can misreport it: the
`cost_bps` of a report is for its readers. Cost is measured against a reference that is fixed per model, never against
the cheapest or dearest of a pool: one slow impostor would otherwise erase everybody's cost signal.
"""

from collections.abc import Iterable, Mapping

from dgrid.core.money import BPS
from dgrid.poq.evidence import LeafFacts
from dgrid.poq.integers import clamp
from dgrid.poq.rules import CostReference, Weights
from dgrid.wire.quality import NOT_SCORED, Report

POINTS_PER_DOUBLING = 2_500  # at the reference 5,000; four times cheaper 10,000, four times dearer 0
_SHIFT = 32


def log2_bps(numerator: int, denominator: int) -> int:
    """log₂ of a quotient in basis points, linear between powers of two: never falls, off by at most 0.087.

    Both above 0.
    """
    scaled = max(1, (numerator << _SHIFT) // denominator)
    power = scaled.bit_length() - 1
    fraction = (scaled - (1 << power)) * BPS >> power  # rounds down
    return (power - _SHIFT) * BPS + fraction


def against(actual: int, reference: int) -> int:
    """What an outlay scores against its reference, 0 to 10,000; `reference` > 0. Rounds down."""
    if actual <= 0:
        return BPS
    return clamp((BPS * BPS // 2 - POINTS_PER_DOUBLING * log2_bps(actual, reference)) // BPS, 0, high=BPS)


def cost_score(leaf: LeafFacts, references: Mapping[bytes, CostReference]) -> int | None:
    """Half for the price, half for the time, each against the model's reference; None where none is published."""
    reference = references.get(leaf.model_id)
    if reference is None or not leaf.tokens_out:
        return None
    gross = reference.price.gross(leaf.tokens_in, leaf.tokens_out)
    expected_ms = reference.ttft_ms + reference.token_ms * (leaf.tokens_out - 1)
    if gross <= 0 or expected_ms <= 0:
        return None
    return (against(leaf.gross_wei, gross) + against(leaf.total_ms, expected_ms)) // 2


def combine(scored: Iterable[tuple[int, int]]) -> int | None:
    """The weighted mean of (score, weight), rounded down: a missing dimension is left out and the rest renormalised."""
    present = [(score, weight) for score, weight in scored if score != NOT_SCORED and weight > 0]
    total = sum(weight for _, weight in present)
    return sum(score * weight for score, weight in present) // total if total else None


def judged_quality(report: Report, weights: Weights) -> int | None:
    """What an evaluator says of an answer: format, accuracy and consistency.

    None where it has neither accuracy nor consistency: form alone is no quality.
    """
    if report.accuracy_bps == report.consistency_bps == NOT_SCORED:
        return None
    return combine(
        (
            (report.format_bps, weights.format),
            (report.accuracy_bps, weights.accuracy),
            (report.consistency_bps, weights.consistency),
        )
    )


def overall(quality_bps: int, cost_bps: int | None, *, weights: Weights) -> int:
    """The four dimensions in one: the judged three with their common weight, and cost."""
    judged = weights.format + weights.accuracy + weights.consistency
    cost = NOT_SCORED if cost_bps is None else cost_bps
    combined = combine(((quality_bps, judged), (cost, weights.cost)))
    assert combined is not None, "the judged dimensions have a weight"
    return combined
