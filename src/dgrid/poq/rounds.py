"""Judges a round: from the table before and the evidence to the next table, the same for whoever computes it.

The order of the evidence does not matter, nor who collected it: every list of the table is sorted, and every sum is of
integers. Refuses to fetch, to check a signature, or to know the time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from dgrid.core.errors import CheckFailed
from dgrid.core.identity import ZERO_ADDRESS, Address
from dgrid.core.keccak import ZERO_HASH, keccak
from dgrid.poq.calibration import find_population, populations
from dgrid.poq.changes import changes, flagged_in, suspicions_after
from dgrid.poq.credibility import ALL_TASKS, Beliefs, priors
from dgrid.poq.evaluator_pay import Believed, balances_after, earned, pay
from dgrid.poq.evidence import DrawnEpoch, RoundEvidence
from dgrid.poq.levels import Levels, doubts
from dgrid.poq.node_pay import Multipliers, settle_all
from dgrid.poq.panels import Panel, panels
from dgrid.poq.readings import Calibrations, Reading, readings
from dgrid.poq.rules import QualityRules
from dgrid.poq.turns import Credits, credits_of, owed_by_gateway, take_turn
from dgrid.wire.quality import (
    BalanceRow,
    Change,
    CredibilityRow,
    LevelRow,
    PayoutAccount,
    PayoutKind,
    PayoutRow,
    QualityTable,
    amount_of,
    encode_quality,
)


def judge(table: QualityTable | None, evidence: RoundEvidence, rules: QualityRules) -> QualityTable:
    """The table after the evidence's round; `table` is the last one posted, None before the first.

    Raises CheckFailed when the evidence does not follow that table.
    """
    before = table or _empty(evidence)
    _require_following(table, evidence)
    all_panels = panels(evidence, rules)
    calibrations = Calibrations(before.calibration, rules.calibration)
    calibrations.observe(all_panels, evidence.canaries)
    judged = readings(all_panels, evidence.canaries, known=calibrations, rules=rules)
    suspicions = suspicions_after(before, all_panels, evidence=evidence, rules=rules)
    passed, flagged = evidence.round - before.round, flagged_in(suspicions)
    levels = Levels(before.levels, rules.credibility, rounds_passed=passed, flagged=flagged)
    levels.observe(judged)
    moved = changes(evidence, judged, calibrations=calibrations, levels=levels, suspicions=suspicions, rules=rules)
    level_rows = levels.rows(moved)
    credibility = _credibility(before, moved, levels=level_rows, round_=evidence.round, rules=rules)
    multipliers = Multipliers(credibility, rules.pay, credibility=rules.credibility, flagged=flagged)
    turn = take_turn(_owed(before.waiting, evidence.draws, multipliers, rules=rules))
    balances, paid = _pay_evaluators(before, judged, all_panels, rules=rules)
    return QualityTable(
        chain_id=evidence.chain_id,
        court=evidence.court,
        round=evidence.round,
        previous=evidence.previous_table_id,
        judged=tuple(sorted((draw.gateway, draw.epoch) for draw in evidence.draws)),
        releases=tuple((gateway, amount_of(wei)) for gateway, wei in turn.releases.items()),
        credibility=credibility,
        calibration=calibrations.rows(),
        balances=balances,
        suspicions=suspicions,
        payouts=_payouts(before.payouts, turn.taken, paid),
        changes=moved,
        levels=level_rows,
        waiting=_rows(turn.waiting),
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
        raise CheckFailed("the evidence holds two draws of one epoch")


def _credibility(
    before: QualityTable, moved: Iterable[Change], *, levels: Sequence[LevelRow], round_: int, rules: QualityRules
) -> tuple[CredibilityRow, ...]:
    known = priors(before.credibility, rules.credibility, flagged=flagged_in(before.suspicions))
    beliefs = Beliefs(
        before.credibility, rules.credibility, priors=known, round_=round_, rounds_passed=round_ - before.round
    )
    for change in sorted(moved, key=lambda change: change.task == ALL_TASKS):
        beliefs.learn(change)
    return beliefs.rows(doubts(levels, rules))


def _owed(
    waiting: Sequence[PayoutRow], draws: Iterable[DrawnEpoch], multipliers: Multipliers, *, rules: QualityRules
) -> Credits:
    """What nodes and payers are owed that no root has taken in."""
    before = owed_by_gateway(credits_of(waiting, ()))
    return credits_of(waiting, settle_all(draws, multipliers, rules=rules.pay, waiting=before))


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


def _payouts(before: Sequence[PayoutRow], taken: Credits, evaluators: Mapping[bytes, int]) -> tuple[PayoutRow, ...]:
    """All totals."""
    totals: dict[PayoutAccount, int] = defaultdict(int, taken)
    for row in before:
        totals[row.account] += row.total_wei
    for evaluator, wei in evaluators.items():
        totals[PayoutAccount(PayoutKind.EVALUATOR, ZERO_ADDRESS, Address(evaluator))] += wei
    return _rows(totals)


def _rows(amounts: Mapping[PayoutAccount, int]) -> tuple[PayoutRow, ...]:
    """Ascending by kind, gateway and payee; no zeros."""
    return tuple(PayoutRow(*account, amount_of(wei)) for account, wei in sorted(amounts.items()) if wei)
