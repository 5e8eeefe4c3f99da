"""How a model's judgements are brought to the level of its canaries, and how much they may weigh together.

Where two models disagree, both lose alike: agreement pulls the scores of unequal models together, and no evaluator's
calibration undoes that. Canaries know who was right. So, as in prediction-powered inference (Angelopoulos et al.,
Science, 2023), the mean truth of a model is taken as the mean of its judgements plus the mean of (truth − judgement)
over its judged canaries. The difference is not added to each score, where clipping would lose some of it, but taken
from each in proportion to the room it has: a straight line that keeps 0 to 10,000 and moves one mean to the other.

However many judgements there are, m judged canaries and they tell as much of the level as m / (1 − ρ²) canaries, for a
correlation ρ of judgement and truth. The judgements' part of that, m·ρ² / (1 − ρ²), is what a model's judgements may
weigh together; what a round adds is scaled down alike, but never below a least share.

What a level is off by, all judgements of the model are off by together, and no number of them averages it away. Its
variance goes into the intervals: the mean square of (truth − judgement), over m. Twice that, for a judgement keeps the
level of its time: the mean over k ≤ m of means of the first k has the variance ∫ ln²u du = 2 that of the last. Of a
whole score quality is only a part, and nothing else in it is in doubt: the variance is that part's, squared.

The round's own canaries count: before the first ones a level is a guess, and a score that went into a credibility is
never corrected later. Sums are taken over the whole round before any is used, so the order does not matter. They are
kept by node, so that a node found to run another model takes its share with it: from then on the level is that of the
model's other nodes. Refuses to tell nodes of one model apart: the line is the same for all and keeps their order.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from dgrid.core.money import BPS
from dgrid.poq.credibility import SQUARED_BPS, Cause, Doubt, Kept
from dgrid.poq.dimensions import overall
from dgrid.poq.integers import nearest
from dgrid.poq.readings import Reading
from dgrid.poq.rules import MICROS, CredibilityRules, QualityRules
from dgrid.wire.quality import Change, LevelRow

MICROS_PER_BPS = MICROS // BPS
NodeAndModel = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Level:
    """Sums over one node's work with a model, or a whole model's, in millionths."""

    count: int = 0
    truth: int = 0
    consensus: int = 0
    judged: int = 0
    square: int = 0

    @classmethod
    def of(cls, row: LevelRow) -> "Level":
        return cls(row.count_micros, row.truth_micros, row.consensus_micros, row.judged_micros, row.square_micros)

    def with_canary(self, truth_bps: int, consensus_bps: int) -> "Level":
        truth, consensus = truth_bps * MICROS_PER_BPS, consensus_bps * MICROS_PER_BPS
        square = nearest((truth_bps - consensus_bps) ** 2 * MICROS, SQUARED_BPS)
        count = self.count + MICROS
        return Level(count, self.truth + truth, self.consensus + consensus, self.judged, self.square + square)

    def __add__(self, other: "Level") -> "Level":
        return Level(
            self.count + other.count,
            self.truth + other.truth,
            self.consensus + other.consensus,
            self.judged + other.judged,
            self.square + other.square,
        )

    def faded(self, kept: Kept) -> "Level":
        sums = self.count, self.truth, self.consensus, self.judged, self.square
        return Level(*(kept.of(value, 0) for value in sums))

    def correct(self, score_bps: int, *, prior: int) -> int:
        """A judgement at the level of the canaries; 0 to 10,000 as it was, to the nearest basis point.

        `prior` more canaries, judged right, hold it back.
        """
        if not self.count:
            return score_bps
        total = self.count + prior
        consensus = nearest(self.consensus * total, self.count)
        truth = consensus + self.truth - self.consensus
        if truth < consensus:
            return nearest(score_bps * truth, consensus)
        if consensus >= total:
            return score_bps
        return BPS - nearest((BPS - score_bps) * (total - truth), total - consensus)

    def variance(self, rules: CredibilityRules) -> int:
        """Of what judgements are off by together, in squared basis points, held back likewise; rounded up."""
        prior, total = rules.level_prior_micros, self.count + rules.level_prior_micros
        squares = self.square * SQUARED_BPS + prior * rules.level_miss_bps**2
        return -(-2 * squares * MICROS // (total * total))


class Levels:
    """The levels of a table while a round's evidence comes in: canaries first, then judgements."""

    def __init__(
        self,
        rows: Sequence[LevelRow],
        rules: CredibilityRules,
        *,
        rounds_passed: int,
        flagged: frozenset[NodeAndModel] = frozenset(),
    ) -> None:
        """`flagged` nodes run another model than they claim: nothing of theirs counts, past or present."""
        self._rules, self._flagged = rules, flagged
        kept = Kept.after(rounds_passed, decay_bps=rules.decay_bps)
        self._nodes: dict[NodeAndModel, Level] = defaultdict(Level)
        for row in rows:
            if (row.node, row.model) not in flagged:
                self._nodes[row.node, row.model] = Level.of(row).faded(kept)
        self._models: dict[bytes, Level] = {}

    def observe(self, judged: Iterable[Reading]) -> None:
        """Takes in the canaries that panels judged, before anything is corrected. Their authors' own work does not
        count.
        """
        assert not self._models, "canaries come before judgements"
        for reading in judged:
            leaf, truth, said = reading.leaf, reading.truth, reading.consensus
            party = leaf.node, leaf.model_id
            if truth is None or said is None or party in self._flagged:
                continue
            if truth.author not in (leaf.node, leaf.key.gateway, *reading.scores):
                self._nodes[party] = self._nodes[party].with_canary(truth.score_bps, said.score_bps)

    def correct(self, model: bytes, score_bps: int) -> int:
        """A judgement of one of the model's answers, at the level of its canaries."""
        return self._of(model).correct(score_bps, prior=self._rules.level_prior_micros)

    def weigh(self, found: Sequence[Change]) -> list[Change]:
        """The same changes, the judgements of each model weighing no more together than its canaries let them."""
        wanted: dict[bytes, int] = defaultdict(int)
        for change in found:
            if change.cause == Cause.JUDGEMENT:
                wanted[change.model] += change.weight_micros
        room = {model: self._room(model) for model in wanted}
        return [
            self._weighed(change, room[change.model], wanted=wanted[change.model])
            if change.cause == Cause.JUDGEMENT
            else change
            for change in found
        ]

    def rows(self, moved: Iterable[Change]) -> tuple[LevelRow, ...]:
        """After the round's changes, ascending by node and model."""
        added: dict[NodeAndModel, int] = defaultdict(int)
        for change in moved:
            if change.cause == Cause.JUDGEMENT:
                added[change.node, change.model] += change.weight_micros
        levels = {party: self._nodes.get(party, Level()) for party in sorted({*self._nodes, *added})}
        return tuple(
            LevelRow(*party, level.count, level.truth, level.consensus, level.judged + added[party], level.square)
            for party, level in levels.items()
        )

    def _of(self, model: bytes) -> Level:
        """A model's level: the sum over its nodes."""
        if model not in self._models:
            levels = [level for (_, of), level in self._nodes.items() if of == model]
            self._models[model] = sum(levels, Level())
        return self._models[model]

    def _room(self, model: bytes) -> int:
        level = self._of(model)
        return max(0, level.count * self._rules.level_gain_bps // BPS - level.judged)

    def _weighed(self, change: Change, room: int, *, wanted: int) -> Change:
        """Rounded down."""
        weight = change.weight_micros
        if wanted > room:
            weight = max(weight * room // wanted, weight * self._rules.level_least_bps // BPS)
        return msgspec.structs.replace(change, weight_micros=weight)


def doubts(rows: Iterable[LevelRow], rules: QualityRules) -> Mapping[NodeAndModel, Doubt]:
    """By node and model: how much of what is believed rests on judgements, and how sure their level is."""
    levels = {(row.node, row.model): Level.of(row) for row in rows}
    models: dict[bytes, Level] = defaultdict(Level)
    for (_, model), level in levels.items():
        models[model] += level
    variances = {model: _of_whole_scores(level, model, rules=rules) for model, level in models.items()}
    return {party: Doubt(level.judged, variances[party[1]]) for party, level in levels.items()}


def _of_whole_scores(level: Level, model: bytes, *, rules: QualityRules) -> int:
    """A level's variance, in squared basis points of a score in which cost has its weight too; rounded up."""
    share = overall(BPS, 0 if model in rules.references else None, weights=rules.weights)
    return -(-level.variance(rules.credibility) * share * share // SQUARED_BPS)
