"""What is believed of a node's work: a Beta posterior for each node, model and task, and one over all tasks.

A piece of evidence with score s and weight w adds w·s to the good counts and w·(1 − s) to the bad. From round to round
the counts fade towards the prior (exponential forgetting with a prior as its limit: Kulhavý and Zarrop, 1993), which is
the population's lower quartile: a newcomer, and whoever comes back under a new name, starts there.

The interval is the Beta's mean ± 1.645 standard deviations, moved by its skewness: the first two terms of Cornish and
Fisher's expansion (1937), which for a Beta are rational but for one root. Against exact quantiles its bounds are off by
at most 0.036 from four counts on, 0.011 from thirty, 0.002 from a hundred. Graded answers scatter less than coin flips:
as in quasi-likelihood (Wedderburn, 1974) the counts are divided by the dispersion, the sample variance over m·(1 − m),
itself shrunk to 1.

Counts take pieces of evidence to err apart. Judgements of one model also err together, by what its level is off
(`levels`): that part of a mean's variance is added to the Beta's before the interval is drawn.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isqrt

from dgrid.core.money import BPS
from dgrid.poq.integers import clamp, nearest
from dgrid.poq.rules import MICROS, CredibilityRules
from dgrid.wire.quality import Change, CredibilityRow

ALL_TASKS = ""
SQUARED_BPS = BPS * BPS
DISPERSION_MIN_BPS = 1_000
Z_MICROS = 1_644_854  # standard deviations that bound the central 90 % of a normal law
_SKEW_MICROS = Z_MICROS * Z_MICROS // MICROS - MICROS  # z² − 1


class Cause(StrEnum):
    """Why a credibility moved."""

    CANARY = "canary"
    JUDGEMENT = "judgement"
    IDENTITY = "identity"  # the model is not the one that was sold: whatever it answered counts nothing


RowKey = tuple[bytes, bytes, str]  # node, model, task


@dataclass(frozen=True, slots=True)
class Counts:
    """A posterior's sums over evidence, in millionths: good, bad, and squares of scores."""

    good: int
    bad: int
    square: int

    @property
    def total(self) -> int:
        return self.good + self.bad

    @property
    def mean_bps(self) -> int:
        """Rounded down."""
        return self.good * BPS // self.total

    def plus(self, score_bps: int, weight_micros: int) -> "Counts":
        """With one more piece of evidence; the weight splits without loss."""
        good = nearest(weight_micros * score_bps, BPS)
        square = nearest(weight_micros * score_bps * score_bps, SQUARED_BPS)
        return Counts(self.good + good, self.bad + weight_micros - good, self.square + square)

    def faded(self, prior: "Counts", kept: "Kept") -> "Counts":
        """Part of these and the rest of the prior, each to the nearest millionth."""
        return Counts(kept.of(self.good, prior.good), kept.of(self.bad, prior.bad), kept.of(self.square, prior.square))

    def effective(self, rules: CredibilityRules) -> int:
        """How many coin flips say as much, in millionths; rounded down."""
        mean, total = self.mean_bps, self.total
        flips = mean * (BPS - mean)
        if not flips:
            return total
        scatter = max(0, self.square * SQUARED_BPS // total - mean * mean)
        shrunk = (total * scatter + rules.spread_prior_micros * flips) // (total + rules.spread_prior_micros)
        return total * BPS // clamp(shrunk * BPS // flips, DISPERSION_MIN_BPS, high=BPS)

    def variance(self, rules: CredibilityRules) -> int:
        """Of the mean, in squared basis points; rounded up."""
        mean = self.mean_bps
        return -(-mean * (BPS - mean) * MICROS // (self.effective(rules) + MICROS))


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a node's judgements weigh, in millionths, and the variance of their level, in squared basis points."""

    judged: int
    variance: int

    def within(self, total: int) -> int:
        """The variance that it adds to a mean of so many millionths of a count; rounded up."""
        return -(-self.judged * self.judged * self.variance // (total * total))


NO_DOUBT = Doubt(0, 0)


@dataclass(frozen=True, slots=True)
class Kept:
    """Which part of the evidence outlasts a number of rounds, in basis points to the power of two."""

    share: int

    @classmethod
    def after(cls, rounds: int, *, decay_bps: int) -> "Kept":
        """decay^rounds by squaring, each product rounded down, so that an old table costs no more than a new one."""
        share, base = SQUARED_BPS, decay_bps * BPS
        while rounds:
            if rounds & 1:
                share = share * base // SQUARED_BPS
            base, rounds = base * base // SQUARED_BPS, rounds >> 1
        return cls(share)

    def of(self, value: int, prior: int) -> int:
        return nearest(value * self.share + prior * (SQUARED_BPS - self.share), SQUARED_BPS)


def interval_bps(counts: Counts, rules: CredibilityRules, *, common: int = 0) -> tuple[int, int]:
    """The central 90 %: the lower bound rounded down, the upper one up; always around the mean.

    m ± z·s + (1 − 2m)·(z² − 1) / (3·(n + 2)), for s·skewness = 2·(1 − 2m) / (n + 2). In thousandths of basis points.
    `common` is added to the variance, in squared basis points: what all evidence may be off by together.
    """
    mean, flips = counts.mean_bps, counts.effective(rules)
    spread = isqrt((counts.variance(rules) + common) * MICROS) + 1
    reach = -(-Z_MICROS * spread // MICROS)
    shift = (BPS - 2 * mean) * _SKEW_MICROS * 1_000 // (3 * (flips + 2 * MICROS))
    low, high = 1_000 * mean + shift - reach, 1_000 * mean + shift + reach
    return clamp(low // 1_000, 0, high=mean), clamp(-(-high // 1_000), mean, high=BPS)


def counts_of(row: CredibilityRow) -> Counts:
    return Counts(row.good_micros, row.bad_micros, row.square_micros)


def prior_counts(mean_bps: int, rules: CredibilityRules) -> Counts:
    """A prior's counts, as scattered as coin flips."""
    good = nearest(rules.prior_micros * mean_bps, BPS)
    return Counts(good, rules.prior_micros - good, good)


def priors(
    rows: Iterable[CredibilityRow], rules: CredibilityRules, *, flagged: frozenset[tuple[bytes, bytes]]
) -> dict[str, Counts]:
    """For each task the prior at the population's lower quartile (the nearest rank below). Flagged nodes are not of
    the population.
    """
    means: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if (row.node, row.model) not in flagged:
            means[row.task].append(row.mean_bps)
    return {
        task: prior_counts(sorted(found)[(len(found) - 1) // 4], rules)
        for task, found in means.items()
        if len(found) >= rules.population_min
    }


class Beliefs:
    """All rows while a round's evidence comes in. Counts only add up, so the order matters in one way: what is of no
    task comes last.
    """

    def __init__(
        self,
        rows: Sequence[CredibilityRow],
        rules: CredibilityRules,
        *,
        priors: Mapping[str, Counts],
        round_: int,
        rounds_passed: int,
    ) -> None:
        self._rules, self._priors, self._round = rules, priors, round_
        kept = Kept.after(rounds_passed, decay_bps=rules.decay_bps)
        self._counts: dict[RowKey, Counts] = {}
        self._history: dict[RowKey, tuple[int, int]] = {}  # samples, round of the last change
        for row in rows:
            key = row.node, row.model, row.task
            self._counts[key] = counts_of(row).faded(self.prior(row.task), kept)
            self._history[key] = row.samples, row.round

    def prior(self, task: str) -> Counts:
        return self._priors.get(task) or prior_counts(self._rules.prior_mean_bps, self._rules)

    def learn(self, change: Change) -> None:
        """Takes a change into its task's row and the one over all tasks; one of no task into all rows there are."""
        tasks = {change.task, ALL_TASKS}
        if change.task == ALL_TASKS:
            tasks |= {task for node, model, task in self._counts if (node, model) == (change.node, change.model)}
        for task in tasks:
            key = change.node, change.model, task
            counts = self._counts.get(key) or self.prior(task)
            samples, _ = self._history.get(key, (0, 0))
            self._counts[key] = counts.plus(change.score_bps, change.weight_micros)
            self._history[key] = samples + 1, self._round

    def rows(self, doubts: Mapping[tuple[bytes, bytes], Doubt]) -> tuple[CredibilityRow, ...]:
        """Ascending by node, model and task; `doubts` by node and model."""
        return tuple(self._row(key, counts, doubts) for key, counts in sorted(self._counts.items()))

    def _row(self, key: RowKey, counts: Counts, doubts: Mapping[tuple[bytes, bytes], Doubt]) -> CredibilityRow:
        """Judgements are taken to have the same part in each task's row as in the one over all."""
        node, model, _ = key
        common = doubts.get((node, model), NO_DOUBT).within(self._counts[node, model, ALL_TASKS].total)
        low, high = interval_bps(counts, self._rules, common=common)
        samples, changed = self._history[key]
        return CredibilityRow(
            *key, counts.good, counts.bad, counts.mean_bps, low, high, samples, changed, counts.square
        )
