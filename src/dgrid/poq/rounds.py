"""Judges a round: from the table before and the evidence to the next table, the same for whoever computes it.

The order of the evidence does not matter, nor who collected it: every list of the table is sorted, and every sum is of
integers. Refuses to fetch, to check a signature, or to know the time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dgrid.core.errors import CheckFailed
from dgrid.core.identity import ZERO_ADDRESS
from dgrid.core.keccak import ZERO_HASH, keccak
from dgrid.poq.calibration import find_population, populations
from dgrid.poq.changes import changes, flagged_in, suspicions_after
from dgrid.poq.credibility import ALL_TASKS, Beliefs, priors
from dgrid.poq.evaluator_pay import Believed, balances_after, earned, pay
from dgrid.poq.evidence import DrawnEpoch, RoundEvidence
from dgrid.poq.levels import Levels
from dgrid.poq.node_pay import Multipliers, Settled, settle_all
from dgrid.poq.panels import Panel, panels
from dgrid.poq.readings import Calibrations, Reading, readings
from dgrid.poq.rules import QualityRules
from dgrid.wire.quality import (
    BalanceRow,
    Change,
    CredibilityRow,
    PayoutKind,
    PayoutRow,
    QualityTable,
    SuspicionRow,
    amount_of,
    encode_quality,
)


def judge(table: QualityTable | None, evidence: RoundEvidence, rules: QualityRules) -> QualityTable:
    """The table after the evidence's round; `table` is the last one posted, None before the first.

    Raises CheckFailed when the evidence does not follow that table.
    """
    before = table or _empty(evidence)
    _require_following(table, evidence)
    found = panels(evidence, rules)
    known = Calibrations(before.calibration, rules.calibration)
    known.observe(found, evidence.canaries)
    judged = readings(found, evidence.canaries, known=known, rules=rules)
    suspicions = suspicions_after(before, found, evidence=evidence, rules=rules)
    passed, flagged = evidence.round - before.round, flagged_in(suspicions)
    levels = Levels(before.levels, rules.credibility, rounds_passed=passed, flagged=flagged)
    levels.observe(judged)
    moved = changes(evidence, judged, calibrations=known, levels=levels, suspicions=suspicions, rules=rules)
    credibility = _credibility(before, moved, round_=evidence.round, rules=rules)
    settled = _settled(evidence.draws, credibility, suspicions=suspicions, rules=rules)
    balances, paid = _pay_evaluators(before, judged, found, rules=_within_cap(rules, len(evidence.draws)))
    return QualityTable(
        chain_id=evidence.chain_id,
        court=evidence.court,
        round=evidence.round,
        previous=evidence.previous_table_id,
        judged=tuple(sorted((draw.gateway, draw.epoch) for draw in evidence.draws)),
        releases=_releases(settled),
        credibility=credibility,
        calibration=known.rows(),
        balances=balances,
        suspicions=suspicions,
        payouts=_payouts(before.payouts, settled, paid),
        changes=moved,
        levels=levels.rows(moved),
    )


def releases(table: QualityTable) -> tuple[tuple[bytes, int], ...]:
    """(gateway, wei) that the round's pay-outs to nodes and payers take from Settlement, ascending by gateway."""
    return tuple((gateway, int.from_bytes(amount, "big")) for gateway, amount in table.releases)


def table_id(table: QualityTable | None) -> bytes:
    """The blob id by which the next table names this one; zero where there is none."""
    return ZERO_HASH if table is None else keccak(encode_quality(table))


def _empty(evidence: RoundEvidence) -> QualityTable:
    return QualityTable(evidence.chain_id, evidence.court, -1, ZERO_HASH, *((),) * 8)


def _require_following(table: QualityTable | None, evidence: RoundEvidence) -> None:
    last = -1 if table is None else table.round
    if table is not None and (table.chain_id, table.court) != (evidence.chain_id, evidence.court):
        raise CheckFailed("the table is of another network")
    if evidence.previous_table_id != table_id(table):
        raise CheckFailed("the evidence follows another table")
    if evidence.round <= last or not all(last < draw.round <= evidence.round for draw in evidence.draws):
        raise CheckFailed(f"the table judged up to round {last}; only later ones can follow")
    judged = [(draw.gateway, draw.epoch) for draw in evidence.draws]
    if len(set(judged)) != len(judged):
        raise CheckFailed("an epoch is drawn once")


def _credibility(
    before: QualityTable, moved: Iterable[Change], *, round_: int, rules: QualityRules
) -> tuple[CredibilityRow, ...]:
    known = priors(before.credibility, rules.credibility, flagged=flagged_in(before.suspicions))
    beliefs = Beliefs(
        before.credibility, rules.credibility, priors=known, round_=round_, rounds_passed=round_ - before.round
    )
    for change in sorted(moved, key=lambda change: change.task == ALL_TASKS):
        beliefs.learn(change)
    return beliefs.rows()


def _settled(
    draws: Iterable[DrawnEpoch],
    credibility: Sequence[CredibilityRow],
    *,
    suspicions: Iterable[SuspicionRow],
    rules: QualityRules,
) -> list[Settled]:
    multipliers = Multipliers(credibility, rules.pay, credibility=rules.credibility, flagged=flagged_in(suspicions))
    return settle_all(draws, multipliers, rules=rules.pay)


def _releases(settled: Iterable[Settled]) -> tuple[tuple[bytes, bytes], ...]:
    sums: dict[bytes, int] = defaultdict(int)
    for one in settled:
        sums[one.gateway] += one.released_wei
    return tuple((gateway, amount_of(wei)) for gateway, wei in sorted(sums.items()))


def _within_cap(rules: QualityRules, draws: int) -> QualityRules:
    """The same with a unit less for evaluators from each epoch: so much more than the contract releases of its fees may
    rounding promise, and a root above both is refused.
    """
    return replace(rules, pay=replace(rules.pay, pool_cap_wei=max(0, rules.pay.pool_cap_wei - draws)))


def _pay_evaluators(
    before: QualityTable, judged: Sequence[Reading], found: Sequence[Panel], *, rules: QualityRules
) -> tuple[tuple[BalanceRow, ...], dict[bytes, int]]:
    gained = earned(judged, found, believed=_believed(before, rules))
    rows = pay(balances_after(before.balances, gained, rules=rules.pay), rules.pay)
    return tuple(row for row, _ in rows), {row.evaluator: wei for row, wei in rows if wei}


def _believed(before: QualityTable, rules: QualityRules) -> Believed:
    """What could be read of a node on a task before the round: its row, else the prior, else the task's mean."""
    rows = {(row.node, row.model, row.task): row.mean_bps for row in before.credibility}
    prior = priors(before.credibility, rules.credibility, flagged=flagged_in(before.suspicions))
    known = populations(before.calibration, rules.calibration)

    def believed(reading: Reading) -> int:
        row = rows.get((reading.leaf.node, reading.leaf.model_id, reading.task))
        if row is not None:
            return row
        if (counts := prior.get(reading.task)) is not None:
            return counts.mean_bps
        return find_population(known, reading.task, rules=rules.calibration).mean_bps

    return believed


def _payouts(
    before: Sequence[PayoutRow], settled: Iterable[Settled], evaluators: Mapping[bytes, int]
) -> tuple[PayoutRow, ...]:
    """All totals, ascending by kind, gateway and payee."""
    totals: dict[tuple[int, bytes, bytes], int] = defaultdict(int)
    for row in before:
        totals[row.account] += row.total_wei
    for one in settled:
        totals[PayoutKind.NODE, one.gateway, one.node] += one.node_wei
        for payer, wei in one.refunds:
            totals[PayoutKind.PAYER, one.gateway, payer] += wei
    for evaluator, wei in evaluators.items():
        totals[PayoutKind.EVALUATOR, ZERO_ADDRESS, evaluator] += wei
    return tuple(PayoutRow(*account, amount_of(wei)) for account, wei in sorted(totals.items()) if wei)
