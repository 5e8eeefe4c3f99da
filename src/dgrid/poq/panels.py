"""What evaluators said of each drawn leaf, held against who had to say it.

A report counts when its author had that duty, in that round, for that receipt, said it once, and kept to the ranges.
Refuses to weigh: what a score is worth is the calibration's to say.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dgrid.core.money import BPS
from dgrid.poq.dimensions import judged_quality
from dgrid.poq.draw import Duty, duties
from dgrid.poq.evidence import DrawnEpoch, LeafFacts, RoundEvidence
from dgrid.poq.rules import QualityRules, Weights
from dgrid.wire.quality import NOT_SCORED, Identity, LeafKey, Report, TaskType, Verdict


@dataclass(frozen=True, slots=True)
class Member:
    """One duty, and the report that fulfils it."""

    duty: Duty
    report: Report | None
    withheld: bool  # it committed and did not open

    @property
    def judged(self) -> bool:
        return self.report is not None and self.report.verdict == Verdict.JUDGED


@dataclass(frozen=True, slots=True)
class Panel:
    """All duties on one leaf."""

    leaf: LeafFacts
    members: tuple[Member, ...]
    weights: Weights

    @property
    def task(self) -> TaskType:
        """What most members took the request for; of equally many, the first in order."""
        votes = Counter(member.report.task for member in self.members if member.judged and member.report)
        return min(votes, key=lambda task: (-votes[task], task)) if votes else TaskType.CHAT

    @property
    def scores(self) -> dict[bytes, int]:
        """What each member says of the answer's quality, by evaluator."""
        return {one.duty.evaluator: score for one in self.members if (score := self._score(one)) is not None}

    @property
    def identities(self) -> list[Identity]:
        return [found for one in self.members if (found := self._identity(one)) is not None]

    @property
    def is_undisclosed(self) -> bool:
        """Whether most of its members report that the content was not given, and none that it was."""
        said = [one.report.verdict for one in self.members if one.report is not None]
        return 2 * said.count(Verdict.UNDISCLOSED) > len(self.members) and Verdict.JUDGED not in said

    @property
    def is_judged(self) -> bool:
        """Whether most of its members were given the content and judged it."""
        return 2 * sum(one.judged for one in self.members) > len(self.members)

    @property
    def owing(self) -> Iterator[Member]:
        """Members that did not do their duty: they gave no report, or left out what most others could give."""
        most = len(self.members) // 2
        scored, identified = len(self.scores) > most, len(self.identities) > most
        for one in self.members:
            lazy = (self.is_judged and not one.judged) or (scored and one.duty.quality and self._score(one) is None)
            if one.report is None or lazy or (identified and one.duty.identity and self._identity(one) is None):
                yield one

    def _score(self, member: Member) -> int | None:
        if not (member.judged and member.duty.quality and member.report):
            return None
        return judged_quality(member.report, self.weights)

    @staticmethod
    def _identity(member: Member) -> Identity | None:
        return member.report.identity if member.judged and member.duty.identity and member.report else None


def all_duties(draws: Iterable[DrawnEpoch], rules: QualityRules) -> tuple[Duty, ...]:
    """The duties of all rounds that the draws belong to; each round has its own cap."""
    by_round: dict[int, list[DrawnEpoch]] = defaultdict(list)
    for draw in draws:
        by_round[draw.round].append(draw)
    return tuple(duty for number in sorted(by_round) for duty in duties(by_round[number], rules.draw_in(number)))


def panels(evidence: RoundEvidence, rules: QualityRules) -> tuple[Panel, ...]:
    """The panel of every leaf that somebody had to judge, in order of the leaves."""
    opened = {key: reports_by_leaf(reports) for key, reports in evidence.openings.items()}
    members: dict[LeafKey, list[Member]] = defaultdict(list)
    for duty in all_duties(evidence.draws, rules):
        owner = duty.round, duty.evaluator
        report = opened.get(owner, {}).get(duty.leaf.key)
        fitting = report if report is not None and report.receipt == duty.leaf.receipt else None
        members[duty.leaf.key].append(Member(duty, fitting, owner in evidence.committed and owner not in opened))
    return tuple(Panel(found[0].duty.leaf, tuple(found), rules.weights) for _, found in sorted(members.items()))


def reports_by_leaf(reports: Sequence[Report]) -> Mapping[LeafKey, Report]:
    """The reports that can count: within their ranges, and the only one on their leaf."""
    said = Counter(report.key for report in reports)
    return {report.key: report for report in reports if said[report.key] == 1 and _is_sound(report)}


def _is_sound(report: Report) -> bool:
    scores = report.format_bps, report.accuracy_bps, report.consistency_bps, report.cost_bps
    ranged = all(score == NOT_SCORED or 0 <= score <= BPS for score in scores)
    found = report.identity
    possible = found is None or min(found.tokens, found.gap_micros, found.worst_gap_micros, found.misses) >= 0
    return ranged and possible and report.verdict in tuple(Verdict)
