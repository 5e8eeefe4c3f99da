"""Exact arithmetic that two machines cannot disagree on. Every division here names how it rounds."""

from collections.abc import Sequence


def nearest(numerator: int, denominator: int) -> int:
    """The nearest integer to a quotient; halves go up. `denominator` > 0."""
    return (2 * numerator + denominator) // (2 * denominator)


def clamp(value: int, low: int, *, high: int) -> int:
    return max(low, min(high, value))


def median(values: Sequence[int]) -> int:
    """The middle value; of two middle ones their mean, rounded down. At least one value."""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) // 2
