"""One score from a panel: corrected scores, weighted by what each is worth, none far from the middle.

The bound is the panel's median ± c times its median absolute deviation. Calibration takes off what an evaluator does
always, the bound what it does once. An evaluator's pay is measured against the consensus of the others alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dgrid.core.money import BPS
from dgrid.poq.integers import clamp, median, nearest
from dgrid.poq.rules import PanelRules


@dataclass(frozen=True, slots=True)
class Voice:
    """One evaluator's corrected score (not clipped) and its precision (> 0)."""

    evaluator: bytes
    score_bps: int
    precision: int


@dataclass(frozen=True, slots=True)
class Consensus:
    """What a panel says, 0 to 10,000, and how precise it is: the sum of its members' precisions."""

    score_bps: int
    precision: int


def consensus(voices: Sequence[Voice], rules: PanelRules) -> Consensus | None:
    """The bounded, weighted mean, to the nearest basis point; None of an empty panel. The order does not matter."""
    heard = [voice for voice in voices if voice.precision > 0]
    if not heard:
        return None
    low, high = _bounds([voice.score_bps for voice in heard], rules)
    total = sum(voice.precision for voice in heard)
    weighted = sum(clamp(voice.score_bps, low, high=high) * voice.precision for voice in heard)
    return Consensus(clamp(nearest(weighted, total), 0, high=BPS), total)


def consensus_without(voices: Sequence[Voice], evaluator: bytes, *, rules: PanelRules) -> Consensus | None:
    """What the others say: an evaluator's own score moves neither their mean nor their bounds."""
    return consensus([voice for voice in voices if voice.evaluator != evaluator], rules)


def _bounds(scores: Sequence[int], rules: PanelRules) -> tuple[int, int]:
    middle = median(scores)
    reach = rules.clip_mads * max(rules.mad_floor_bps, median([abs(score - middle) for score in scores]))
    return middle - reach, middle + reach
