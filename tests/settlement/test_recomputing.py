"""Computing a posted round again: what follows is found right, and every lie in it is named."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from tests.settlement.judged import BLANK, ROUND, Judged, a_judged_epoch, a_table, evaluators, reading, signed
from tests.wire.making import NODE, TOKEN

from dgrid.core.identity import to_hex
from dgrid.poq.rounds import judge
from dgrid.settlement.recomputing import RoundAudit, recompute, table_differences
from dgrid.settlement.rounds import rules_of
from dgrid.wire.quality import Identity, LevelRow, PayoutKind, PayoutRow, QualityTable, Report, TaskType, amount_of

RULES = rules_of(BLANK, ROUND)


def audited(judged: Judged, judged_round: int = ROUND) -> RoundAudit:
    async def main() -> RoundAudit:
        async with reading(judged) as found:
            return await recompute(found.quality, judged_round, token=TOKEN)

    return asyncio.run(main())


def posted(change: Callable[[QualityTable], QualityTable] = lambda table: table) -> Judged:
    """A judged epoch whose posted table is the one that follows, or a changed one."""
    judged = a_judged_epoch()
    judged.view.quality_roots.clear()

    async def main() -> QualityTable:
        async with reading(judged) as found:
            collected = await found.quality.collect(ROUND)
            return judge(collected.table, collected.evidence, RULES)

    judged.post(change(asyncio.run(main())))
    return judged


def test_a_table_that_follows_is_found_right() -> None:
    judged = posted()
    found = audited(judged)
    assert found.ok
    assert found.is_posted
    assert found.root == judged.view.quality_roots[ROUND].root
    assert found.table.credibility
    assert found.table.payouts


def test_a_round_that_is_not_posted_yet_is_computed_all_the_same() -> None:
    judged = posted()
    root = judged.view.quality_roots.pop(ROUND).root
    found = audited(judged)
    assert (found.is_posted, found.ok, found.root) == (False, True, root)


def richer(table: QualityTable) -> QualityTable:
    rows = tuple(msgspec.structs.replace(row, total=amount_of(row.total_wei + 1)) for row in table.payouts)
    return msgspec.structs.replace(table, payouts=rows)


def more_credible(table: QualityTable) -> QualityTable:
    row = msgspec.structs.replace(table.credibility[0], mean_bps=10_000)
    return msgspec.structs.replace(table, credibility=(row, *table.credibility[1:]))


def forgetful(table: QualityTable) -> QualityTable:
    return msgspec.structs.replace(table, credibility=table.credibility[1:])


def unexplained(table: QualityTable) -> QualityTable:
    return msgspec.structs.replace(table, changes=())


def greedy(table: QualityTable) -> QualityTable:
    releases = tuple((gateway, amount_of(10**30)) for gateway, _ in table.releases)
    return msgspec.structs.replace(table, releases=releases)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (richer, ["payouts total", "payouts of", "total"]),
        (more_credible, ["credibility root", f"credibility of {to_hex(NODE.address)}", "mean_bps 10000"]),
        (forgetful, ["credibility root", "only computed"]),
        (unexplained, ["table's changes"]),
        (greedy, ["releases hash", "table's releases"]),
        (lambda _: a_table(), ["credibility root", "payouts root", "blob id"]),
    ],
)
def test_a_table_that_does_not_follow_is_told_row_by_row(
    change: Callable[[QualityTable], QualityTable], told: list[str]
) -> None:
    found = audited(posted(change))
    assert not found.ok
    text = "\n".join(found.differences)
    assert [part for part in told if part not in text] == []


def test_every_payee_of_a_gateway_is_told_on_its_own() -> None:
    def table(*amounts: int) -> QualityTable:
        names = (NODE.address, bytes(20))
        rows = tuple(
            PayoutRow(PayoutKind.NODE, bytes(20), name, amount_of(wei))
            for name, wei in zip(names, amounts, strict=True)
        )
        return msgspec.structs.replace(a_table(), payouts=rows, waiting=rows)

    told = list(table_differences(table(5, 7), table(6, 8)))
    assert len(told) == 4
    assert len({line.partition(":")[0] for line in told}) == 4


def test_every_model_of_a_node_has_a_level_of_its_own_in_what_is_told() -> None:
    def table(*judged: int) -> QualityTable:
        rows = (LevelRow(NODE.address, bytes([at]) * 32, 0, 0, 0, weight) for at, weight in enumerate(judged))
        return msgspec.structs.replace(a_table(), levels=tuple(rows))

    assert len(list(table_differences(table(5, 7), table(6, 8)))) == 2


def test_how_likely_a_nodes_texts_are_is_its_panels_median_reply_by_reply() -> None:
    """One of three may say what it likes: the other two are asked as well."""
    judged = a_judged_epoch()
    liar, *_ = evaluators()
    for key in evaluators():
        likelihood = -1 if key is liar else -900
        finding = Identity(tokens=10, gap_micros=0, worst_gap_micros=0, misses=1, likelihood_micros=likelihood)
        reports = (msgspec.structs.replace(one, identity=finding) for one in judged.reports_of(key).reports)
        judged.open(key, signed(key, ROUND, tuple(reports)))
    checked = {duty.leaf.key for duty in judged.duties() if duty.identity}
    (found,) = audited(judged).likelihoods
    assert (found.node, found.replies, found.tokens) == (NODE.address, len(checked), 10 * len(checked))
    assert (found.likelihood_micros, found.misses_micros) == (-900, 100_000)


def test_who_reported_what_is_told() -> None:
    judged = a_judged_epoch()
    lazy, eager = evaluators()[:2]
    owed = judged.duties()
    foreign = next(
        duty
        for duty in owed
        if not any(one.evaluator == eager.address and one.leaf.key == duty.leaf.key for one in owed)
    )
    del judged.view.openings[ROUND, lazy.address]
    extra = Report(foreign.leaf.key, foreign.leaf.receipt, 0, TaskType.EXTRACT, 0, 0)
    reports = sorted((*judged.reports_of(eager).reports, extra), key=lambda report: report.key)
    judged.open(eager, signed(eager, ROUND, tuple(reports)))
    obedience = audited(judged).obedience
    assert {evaluator for _, evaluator, _ in obedience.missed} == {lazy.address}
    assert obedience.unbidden == ((ROUND, eager.address, foreign.leaf.key),)
    assert obedience.duties == len(owed) == obedience.reported + len(obedience.missed)
    assert obedience.drawn == len({duty.leaf.key for duty in owed})
