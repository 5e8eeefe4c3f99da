"""A round's panels read in the light of the evaluators' canaries: for each leaf, who says what and what it comes to.

The evaluators' habits come from the table before, each evaluator's own canaries from this round too: whoever changes
its ways is read by them at once, and nobody's score moves the population by which it is itself read.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dgrid.poq.aggregate import Consensus, Voice, consensus, consensus_without
from dgrid.poq.calibration import (
    ALL_TASKS,
    Calibration,
    Population,
    calibrate,
    find_population,
    merged,
    no_canaries,
    observe,
    personal,
    populations,
)
from dgrid.poq.evidence import CanaryTruth, LeafFacts
from dgrid.poq.panels import Panel
from dgrid.poq.rules import CalibrationRules, PanelRules, QualityRules
from dgrid.wire.quality import CalibrationRow, LeafKey, TaskType

RowKey = tuple[bytes, str]  # evaluator, task


@dataclass(frozen=True)
class Reading:
    """One judged leaf."""

    leaf: LeafFacts
    task: TaskType
    truth: CanaryTruth | None
    scores: Mapping[bytes, int]  # as reported
    calibrations: Mapping[bytes, Calibration]
    rules: PanelRules

    @cached_property
    def voices(self) -> tuple[Voice, ...]:
        return tuple(
            Voice(evaluator, calibration.correct(score), calibration.precision)
            for evaluator, score in sorted(self.scores.items())
            if (calibration := self.calibrations[evaluator]).precision
        )

    @cached_property
    def consensus(self) -> Consensus | None:
        """What all members together say; None where too few of them say anything."""
        return consensus(self.voices, self.rules) if len(self.voices) >= self.rules.members_min else None

    def reference(self, evaluator: bytes) -> int | None:
        """What an evaluator is measured against: the truth where it is known and not its own, else the others."""
        if self.truth is not None:
            return self.truth.score_bps if self.truth.author != evaluator else None
        if evaluator not in self.scores:
            return self._of_all
        others = consensus_without(self.voices, evaluator, rules=self.rules)
        return None if others is None else others.score_bps

    @cached_property
    def _of_all(self) -> int | None:
        everybody = consensus(self.voices, self.rules)
        return None if everybody is None else everybody.score_bps


class Calibrations:
    """The calibration rows of a table with a round's canaries added."""

    def __init__(self, rows: Sequence[CalibrationRow], rules: CalibrationRules) -> None:
        self._rules = rules
        self._rows: dict[RowKey, CalibrationRow] = {(row.evaluator, row.task): row for row in rows}
        self._populations = populations(rows, rules)
        self._known: dict[RowKey, Calibration] = {}

    def observe(self, found: Sequence[Panel], canaries: Mapping[LeafKey, CanaryTruth]) -> None:
        """Takes in what members said of canaries that are not their own; before anything is read."""
        assert not self._known, "canaries come before readings"
        pairs: dict[RowKey, list[tuple[int, int]]] = defaultdict(list)
        for panel in found:
            if (truth := canaries.get(panel.leaf.key)) is not None:
                for evaluator, score in panel.scores.items():
                    if evaluator != truth.author:
                        pairs[evaluator, truth.task].append((score, truth.score_bps))
        for key, of_evaluator in pairs.items():
            self._rows[key] = observe(self._row(key), sorted(of_evaluator), rules=self._rules)

    def of(self, evaluator: bytes, task: str) -> Calibration:
        key = evaluator, task
        if key not in self._known:
            self._known[key] = calibrate(self._row(key), self._start(evaluator, task), rules=self._rules)
        return self._known[key]

    def _start(self, evaluator: bytes, task: str) -> Population:
        """What a fit begins from: the population, moved by the evaluator's habits on other tasks."""
        population = find_population(self._populations, task, rules=self._rules)
        elsewhere = [
            self._rows[evaluator, other] for other in TaskType if other != task and (evaluator, other) in self._rows
        ]
        if not elsewhere:
            return population
        everybody = find_population(self._populations, ALL_TASKS, rules=self._rules)
        habits = calibrate(merged(elsewhere), everybody, rules=self._rules)
        return personal(population, habits, everybody=everybody)

    def truth_variance(self, task: str) -> int:
        """How widely the truth scatters on a task, in squared basis points."""
        return find_population(self._populations, task, rules=self._rules).truth_variance

    def rows(self) -> tuple[CalibrationRow, ...]:
        """Ascending by evaluator and task."""
        return tuple(row for _, row in sorted(self._rows.items()))

    def _row(self, key: RowKey) -> CalibrationRow:
        return self._rows.get(key) or no_canaries(*key)


def readings(
    found: Sequence[Panel], canaries: Mapping[LeafKey, CanaryTruth], *, known: Calibrations, rules: QualityRules
) -> tuple[Reading, ...]:
    """The judged leaves, in the panels' order."""
    return tuple(_reading(panel, canaries, known=known, rules=rules) for panel in found if panel.scores)


def _reading(
    panel: Panel, canaries: Mapping[LeafKey, CanaryTruth], *, known: Calibrations, rules: QualityRules
) -> Reading:
    truth, scores = canaries.get(panel.leaf.key), panel.scores
    task = panel.task if truth is None else truth.task
    read = {evaluator: known.of(evaluator, task) for evaluator in scores}
    return Reading(panel.leaf, task, truth, scores, read, rules.panel)
