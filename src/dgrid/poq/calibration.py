"""What an evaluator's score is worth, learned from canaries: its bias, its gain and its noise on one kind of task.

The model is x = c + g·(y − μ) + noise: an evaluator that sees an answer of true quality y says x. A least-squares fit
over its canaries, shrunk by `prior_canaries` pseudo-observations (ridge regression), gives c, g and the variance of the
noise. Habits are much alike on all tasks, and canaries are few, so the shrinking goes in steps: the population on one
task is shrunk to the population on all tasks, an evaluator's fit over its other tasks to the population, and its fit on
this task to what the other tasks say of it. A score is then read as y = μ + (x − c)/g with precision g²/noise². So what
a booster always adds is taken off, and the scores of lazy and inverted evaluators get no weight.

The population is the median over the evaluators in the table before the round: half of them would have to lie to move
it, and nothing that is reported in a round changes how others are read in that round.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isqrt

from dgrid.core.money import BPS
from dgrid.poq.integers import median, nearest
from dgrid.poq.rules import MICROS, CalibrationRules
from dgrid.wire.quality import CalibrationRow

ALL_TASKS = ""
NOISE_MIN_BPS = 300  # nobody is perfect on few canaries; keeps precisions finite
SCALE_MAX = 3  # the most by which an evaluator's deviations are stretched


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """What is known of a task and of evaluators in general. Variances in squared basis points."""

    mean_bps: int  # of the truth
    truth_variance: int
    center_bps: int  # what an evaluator says where the truth is the mean
    gain_bps: int
    noise_variance: int

    @property
    def score_variance(self) -> int:
        """How widely an ordinary evaluator's scores scatter. Rounds down."""
        return self.gain_bps**2 * self.truth_variance // BPS**2 + self.noise_variance


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How to read one evaluator on one task."""

    mean_bps: int
    center_bps: int  # what it says where the truth is the mean
    gain_bps: int  # negative where its scores fall as the truth rises
    noise_variance: int
    score_mean_bps: int
    scale_bps: int  # by which its deviations become as wide as the truth's
    gain_min_bps: int

    @property
    def precision(self) -> int:
        """Gain² over noise variance, scores as fractions of 1, in millionths; 0 where a score says nothing. Floor."""
        return self.gain_bps**2 * MICROS // self.noise_variance if self.gain_bps >= self.gain_min_bps else 0

    def correct(self, score_bps: int) -> int:
        """The truth that a score points to, not clipped: clipping one by one would bias the panel. Needs a gain."""
        return self.mean_bps + nearest((score_bps - self.center_bps) * BPS, self.gain_bps)

    def standardize(self, score_bps: int) -> int:
        """The score with the truth's mean and spread, its sign kept: so exaggerating earns nothing, inverting loses."""
        return self.mean_bps + nearest((score_bps - self.score_mean_bps) * self.scale_bps, BPS)


def population_before(rules: CalibrationRules) -> Population:
    """What is assumed where nothing is known."""
    return Population(
        mean_bps=rules.prior_mean_bps,
        truth_variance=rules.prior_spread_bps**2,
        center_bps=rules.prior_mean_bps + rules.prior_bias_bps,
        gain_bps=rules.prior_gain_bps,
        noise_variance=rules.prior_noise_bps**2,
    )


def populations(rows: Iterable[CalibrationRow], rules: CalibrationRules) -> dict[str, Population]:
    """The population of every task that has canaries, and that of all tasks together."""
    by_task: dict[str, list[CalibrationRow]] = defaultdict(list)
    by_evaluator: dict[bytes, list[CalibrationRow]] = defaultdict(list)
    for row in rows:
        by_task[row.task].append(row)
        by_evaluator[row.evaluator].append(row)
    if not by_evaluator:
        return {}
    all_tasks = [merged(of_evaluator) for of_evaluator in by_evaluator.values()]
    everybody = _population(all_tasks, rules, before=population_before(rules))
    found = {task: _population(of_task, rules, before=everybody) for task, of_task in by_task.items()}
    return {**found, ALL_TASKS: everybody}


def merged(rows: Sequence[CalibrationRow]) -> CalibrationRow:
    """One evaluator's sums over several tasks. At least one row."""
    columns = zip(*((row.count, row.x, row.y, row.xx, row.xy, row.yy) for row in rows), strict=True)
    return CalibrationRow(rows[0].evaluator, ALL_TASKS, *map(sum, columns))


def personal(population: Population, habits: Calibration, *, everybody: Population) -> Population:
    """A task's population as one evaluator would have it: moved as its habits elsewhere differ from everybody's."""
    noise = population.noise_variance + habits.noise_variance - everybody.noise_variance
    return replace(
        population,
        center_bps=population.center_bps + habits.center_bps - everybody.center_bps,
        gain_bps=population.gain_bps + habits.gain_bps - everybody.gain_bps,
        noise_variance=max(NOISE_MIN_BPS**2, noise),
    )


def calibrate(row: CalibrationRow, population: Population, *, rules: CalibrationRules) -> Calibration:
    """An evaluator's calibration: the population's, moved by its canaries."""
    count, prior = row.count, rules.prior_canaries
    # n·Σ(deviation products) stay whole numbers; n² times a variance, covariance.
    yy, xy, xx = _spreads(row)
    weight = count * prior * population.truth_variance
    gain = nearest(xy * BPS + weight * population.gain_bps, yy + weight) if count else population.gain_bps
    at_mean = nearest(row.x * BPS + gain * (count * population.mean_bps - row.y), BPS)  # n·(x̄ + g·(μ − ȳ))
    center = nearest(at_mean + prior * population.center_bps, count + prior)
    residual = _residual(yy, xy, xx=xx, gain_bps=gain) // max(1, count)
    noise = max(NOISE_MIN_BPS**2, (residual + prior * population.noise_variance) // (count + prior))
    mean, scale = _scale(row, xx, population=population, prior=prior)
    return Calibration(
        mean_bps=population.mean_bps,
        center_bps=center,
        gain_bps=gain,
        noise_variance=noise,
        score_mean_bps=mean,
        scale_bps=scale,
        gain_min_bps=rules.gain_min_bps,
    )


def observe(row: CalibrationRow, pairs: Iterable[tuple[int, int]], *, rules: CalibrationRules) -> CalibrationRow:
    """The row with more canaries, as (score, truth) in basis points; halved when it holds too many (rounded down)."""
    count, x, y, xx, xy, yy = row.count, row.x, row.y, row.xx, row.xy, row.yy
    for score, truth in pairs:
        count, x, y = count + 1, x + score, y + truth
        xx, xy, yy = xx + score * score, xy + score * truth, yy + truth * truth
    while count >= rules.forget_at:
        count, x, y, xx, xy, yy = (value // 2 for value in (count, x, y, xx, xy, yy))
    return CalibrationRow(row.evaluator, row.task, count, x, y, xx, xy, yy)


def no_canaries(evaluator: bytes, task: str) -> CalibrationRow:
    return CalibrationRow(evaluator, task, 0, 0, 0, 0, 0, 0)


def find_population(known: Mapping[str, Population], task: str, *, rules: CalibrationRules) -> Population:
    """A task's population; where it has no canaries, that of all tasks."""
    return known.get(task) or known.get(ALL_TASKS) or population_before(rules)


def _population(rows: list[CalibrationRow], rules: CalibrationRules, *, before: Population) -> Population:
    """The truth's mean and spread from all canaries, and the habits of the median evaluator among those with enough
    canaries; the habits of `before` where there are fewer than three.
    """
    assumed = _truth(rows, before, prior=rules.prior_canaries)
    known = [row for row in rows if row.count >= rules.known_canaries]
    if len(known) < 3:
        return assumed
    fitted = [calibrate(row, assumed, rules=rules) for row in known]
    return Population(
        mean_bps=assumed.mean_bps,
        truth_variance=assumed.truth_variance,
        center_bps=median([one.center_bps for one in fitted]),
        gain_bps=max(rules.gain_min_bps, median([one.gain_bps for one in fitted])),
        noise_variance=median([one.noise_variance for one in fitted]),
    )


def _truth(rows: list[CalibrationRow], before: Population, *, prior: int) -> Population:
    """A population with the truth of its canaries and the habits of the one before."""
    count, y, yy = (sum(values) for values in zip(*((row.count, row.y, row.yy) for row in rows), strict=True))
    mean = nearest(y + prior * before.mean_bps, count + prior)
    spread = yy - (y * y // count if count else 0)
    variance = max(NOISE_MIN_BPS**2, (spread + prior * before.truth_variance) // (count + prior))
    return replace(
        before, mean_bps=mean, truth_variance=variance, center_bps=mean + before.center_bps - before.mean_bps
    )


def _spreads(row: CalibrationRow) -> tuple[int, int, int]:
    """n·Σyy − (Σy)², and likewise for xy and xx. Halving the sums may leave a square just below zero: then it is 0."""
    count = row.count
    return (
        max(0, count * row.yy - row.y * row.y),
        count * row.xy - row.x * row.y,
        max(0, count * row.xx - row.x * row.x),
    )


def _residual(yy: int, xy: int, *, xx: int, gain_bps: int) -> int:
    """n times the sum of squared residuals around the line. Rounds down."""
    return max(0, xx * BPS**2 - 2 * gain_bps * BPS * xy + gain_bps**2 * yy) // BPS**2


def _scale(row: CalibrationRow, xx: int, *, population: Population, prior: int) -> tuple[int, int]:
    """An evaluator's own mean, and by how much its deviations must be stretched; both in basis points."""
    count = row.count
    mean = nearest(row.x + prior * population.center_bps, count + prior)
    variance = (xx // max(1, count) + prior * population.score_variance) // (count + prior)
    spread, wanted = max(1, isqrt(variance)), isqrt(population.truth_variance)
    return mean, min(SCALE_MAX * BPS, nearest(wanted * BPS, spread))
