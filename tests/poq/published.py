"""The aggregation rules of the published Proof of Quality papers, as controls to compare with. Floats; tests only.

Mean, median, trimmed mean, and the adaptive trust-weighted mean of arXiv 2601.21189: w ← clip(w·(1 + λ(0.5 − d))), with
d the distance of a score to the consensus. The paper gives no values for λ and the bounds; these are the usual ones.
"""

from collections.abc import Iterable, Mapping
from statistics import fmean, median

STEP, LEAST, MOST, TRIMMED = 0.1, 0.1, 2.0, 0.2
Scores = Mapping[bytes, float]  # by evaluator, between 0 and 1


def trimmed_mean(scores: Scores) -> float:
    ordered = sorted(scores.values())
    cut = int(TRIMMED * len(ordered))
    return fmean(ordered[cut : len(ordered) - cut])


class Adaptive:
    """Weights that every panel moves."""

    def __init__(self) -> None:
        self.weights: dict[bytes, float] = {}

    def consensus(self, scores: Scores) -> float:
        weights = {name: self.weights.get(name, 1.0) for name in scores}
        result = sum(weights[name] * score for name, score in scores.items()) / sum(weights.values())
        for name, score in scores.items():
            self.weights[name] = min(MOST, max(LEAST, weights[name] * (1 + STEP * (0.5 - abs(score - result)))))
        return result


def all_rules(panels: Iterable[Scores]) -> dict[str, list[float]]:
    """What each rule makes of the panels, in their order."""
    adaptive = Adaptive()
    found: dict[str, list[float]] = {"mean": [], "median": [], "trimmed": [], "adaptive": []}
    for scores in panels:
        found["mean"].append(fmean(scores.values()))
        found["median"].append(median(scores.values()))
        found["trimmed"].append(trimmed_mean(scores))
        found["adaptive"].append(adaptive.consensus(scores))
    return found
