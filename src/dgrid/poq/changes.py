"""What a round says of each node, leaf by leaf: the evidence that moves credibility, and the reason shown with it.

A canary counts with weight 1 by its truth. A judged leaf counts by its panel's consensus, at the level of its model's
canaries, with a weight that grows with the panel's precision and stays below 1; all judgements of a model together
weigh no more than its canaries let them (`levels`). A node found to run another model gets what its leaves earn as
evidence against it, and once a heavy piece more. Nobody's own canary moves its own credibility.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dgrid.core.money import BPS
from dgrid.poq.credibility import ALL_TASKS, Cause
from dgrid.poq.dimensions import cost_score, overall
from dgrid.poq.evidence import CanaryTruth, LeafFacts, RoundEvidence
from dgrid.poq.identity import NEVER, agreed_gap, cleared, doubt, suspect, threshold_of
from dgrid.poq.levels import Levels
from dgrid.poq.panels import Panel
from dgrid.poq.readings import Calibrations, Reading
from dgrid.poq.rules import MICROS, QualityRules
from dgrid.wire.quality import Change, LeafKey, QualityTable, SuspicionRow

NodeAndModel = tuple[bytes, bytes]


def suspicions_after(
    before: QualityTable, found: Iterable[Panel], *, evidence: RoundEvidence, rules: QualityRules
) -> tuple[SuspicionRow, ...]:
    """The identity evidence after the round, ascending by node and model."""
    known = {(row.node, row.model): row for row in before.suspicions}
    for key in _acquitted(before, evidence):
        if key in known:
            known[key] = cleared(known[key])
    for panel in found:  # in order of the leaves
        key = panel.leaf.node, panel.leaf.model_id
        row = _suspected(known.get(key) or SuspicionRow(*key, (), NEVER), panel, round_=evidence.round, rules=rules)
        if row.gaps_micros or row.doubts_micros:
            known[key] = row
    return tuple(row for _, row in sorted(known.items()))


def _suspected(row: SuspicionRow, panel: Panel, *, round_: int, rules: QualityRules) -> SuspicionRow:
    """The row after one more panel: what nearly all of it agree on, and what most of it found."""
    identity = rules.identity
    threshold = threshold_of(panel.leaf.model_digest, identity)
    agreed, most = (
        agreed_gap(panel.identities, threshold, share_bps=share, rules=identity)
        for share in (identity.agreement_bps, identity.majority_bps)
    )
    if most is not None:
        row = doubt(row, most, rules=identity)
    if agreed is None:
        return row
    return suspect(row, agreed, threshold_micros=threshold, round_=round_, rules=identity)


def _acquitted(before: QualityTable, evidence: RoundEvidence) -> Iterator[NodeAndModel]:
    """Who was acquitted since the table before, or of an older flag; a leaf of the round says of which model."""
    flagged = {(row.node, row.model): row.flagged_round for row in before.suspicions}
    for leaf in (leaf for draw in evidence.draws for leaf in draw.leaves):
        key, epoch = (leaf.node, leaf.model_id), evidence.acquittals.get((leaf.node, leaf.model_digest), NEVER)
        if epoch > before.round or NEVER < flagged.get(key, NEVER) < epoch:
            yield key


def flagged_in(rows: Iterable[SuspicionRow]) -> frozenset[NodeAndModel]:
    return frozenset((row.node, row.model) for row in rows if row.flagged_round != NEVER)


def changes(
    evidence: RoundEvidence,
    judged: Iterable[Reading],
    *,
    calibrations: Calibrations,
    levels: Levels,
    suspicions: Sequence[SuspicionRow],
    rules: QualityRules,
) -> tuple[Change, ...]:
    """All evidence of the round, ascending by node, model, task, cause and leaf."""
    flagged = flagged_in(suspicions)
    leaves = {leaf.key: leaf for draw in evidence.draws for leaf in draw.leaves}
    found = [
        *_of_canaries(evidence.canaries, leaves, rules=rules),
        *_of_judgements(judged, calibrations, levels=levels, rules=rules),
    ]
    found = [_as_flagged(change) if (change.node, change.model) in flagged else change for change in found]
    found = levels.weigh(found)
    found += _of_identity(suspicions, leaves.values(), round_=evidence.round, rules=rules)
    return tuple(sorted(found, key=lambda one: (one.node, one.model, one.task, one.cause, one.key)))


def _of_canaries(
    canaries: Mapping[LeafKey, CanaryTruth], leaves: Mapping[LeafKey, LeafFacts], *, rules: QualityRules
) -> Iterator[Change]:
    for key, truth in canaries.items():
        leaf = leaves.get(key)
        if leaf is not None and truth.author not in (leaf.node, leaf.key.gateway):
            yield _change(leaf, truth.task, cause=Cause.CANARY, quality=truth.score_bps, weight=MICROS, rules=rules)


def _of_judgements(
    judged: Iterable[Reading], known: Calibrations, *, levels: Levels, rules: QualityRules
) -> Iterator[Change]:
    for reading in judged:
        if reading.truth is None and (said := reading.consensus) is not None:
            weight = judgement_weight(said.precision, known.truth_variance(reading.task), rules=rules)
            quality = levels.correct(reading.leaf.model_id, said.score_bps)
            yield _change(
                reading.leaf, reading.task, cause=Cause.JUDGEMENT, quality=quality, weight=weight, rules=rules
            )


def judgement_weight(precision: int, truth_variance: int, *, rules: QualityRules) -> int:
    """What a judgement counts against a canary, in millionths: the share of the truth's variance that it explains,
    P / (P + 1/variance), times the most it may count; rounded down.
    """
    prior = MICROS * BPS * BPS // truth_variance  # the truth's own precision, in the units of a calibration's
    return rules.credibility.judgement_bps * MICROS * precision // (BPS * (precision + prior))


def _change(leaf: LeafFacts, task: str, *, cause: Cause, quality: int, weight: int, rules: QualityRules) -> Change:
    score = overall(quality, cost_score(leaf, rules.references), weights=rules.weights)
    return Change(leaf.node, leaf.model_id, task, cause, leaf.key, score, weight)


def _as_flagged(change: Change) -> Change:
    return Change(change.node, change.model, change.task, Cause.IDENTITY, change.key, 0, change.weight_micros)


def _of_identity(
    suspicions: Sequence[SuspicionRow], leaves: Iterable[LeafFacts], *, round_: int, rules: QualityRules
) -> Iterator[Change]:
    """One heavy piece for each node that this round found out, at the last of its leaves."""
    keys: dict[NodeAndModel, list[LeafKey]] = defaultdict(list)
    for leaf in leaves:
        keys[leaf.node, leaf.model_id].append(leaf.key)
    weight = rules.credibility.identity_micros
    for row in suspicions:
        if row.flagged_round == round_:
            yield Change(row.node, row.model, ALL_TASKS, Cause.IDENTITY, max(keys[row.node, row.model]), 0, weight)
