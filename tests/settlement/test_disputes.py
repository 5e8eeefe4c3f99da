"""A root is wrong when nobody honest could have signed it; what was published late, or is lost, makes none wrong."""

import asyncio
from collections.abc import Callable, Iterable

import msgspec
import pytest
from tests.settlement.judged import (
    AUTHOR,
    EPOCH,
    ROUND,
    Judged,
    a_judged_epoch,
    a_table,
    evaluators,
    reading,
    reissued,
    signed,
)
from tests.wire.making import GATEWAY, TOKEN

from dgrid.chain.parameters import Parameters
from dgrid.core.errors import CheckFailed, NotYet
from dgrid.poq.rounds import judge
from dgrid.settlement import lateness
from dgrid.settlement.disputes import is_wrong
from dgrid.settlement.rounds import rules_of
from dgrid.wire.quality import NOT_SCORED, QualityTable, Verdict, amount_of

REPORTS = [(ROUND, key.address) for key in evaluators()]


def wrong(judged: Judged, *, empty: int = 0) -> bool:
    async def main() -> bool:
        async with reading(judged, empty=empty) as found:
            rules = rules_of(judged.view, ROUND)
            return await is_wrong(found.quality, ROUND, rules=rules, token=TOKEN)

    return asyncio.run(main())


def computed(judged: Judged) -> QualityTable:
    """What follows from what is at the archives now."""

    async def main() -> QualityTable:
        async with reading(judged) as found:
            collected = await found.quality.collect(ROUND)
            return judge(collected.table, collected.evidence, rules_of(judged.view, ROUND))

    return asyncio.run(main())


def blobs_of(judged: Judged, *, evaluators_at: Iterable[int] = (), canaries: bool = False) -> list[bytes]:
    names = [judged.view.openings[REPORTS[at]].blob_id for at in evaluators_at]
    return names + ([judged.view.canary_openings[AUTHOR.address, GATEWAY.address, EPOCH]] if canaries else [])


def posted_without(judged: Judged, missing: list[bytes]) -> dict[bytes, bytes]:
    """Posts what follows while some blobs are missing, and returns them."""
    judged.view.quality_roots.clear()
    late = {name: judged.blobs.pop(name) for name in missing}
    judged.post(computed(judged))
    return late


def test_a_root_that_follows_is_right() -> None:
    judged = a_judged_epoch()
    posted_without(judged, [])
    assert not wrong(judged)


def test_without_a_posted_root_there_is_nothing_to_dispute() -> None:
    judged = a_judged_epoch()
    judged.view.quality_roots.clear()
    with pytest.raises(NotYet):
        wrong(judged)


def richer(table: QualityTable) -> QualityTable:
    rows = tuple(msgspec.structs.replace(row, total=amount_of(row.total_wei + 1)) for row in table.payouts)
    return msgspec.structs.replace(table, payouts=rows)


def more_credible(table: QualityTable) -> QualityTable:
    row = msgspec.structs.replace(table.credibility[0], mean_bps=10_000)
    return msgspec.structs.replace(table, credibility=(row, *table.credibility[1:]))


@pytest.mark.parametrize("lie", [richer, more_credible, lambda _: a_table()])
def test_a_root_that_nobody_computes_is_wrong(lie: Callable[[QualityTable], QualityTable]) -> None:
    judged = a_judged_epoch()
    judged.view.quality_roots.clear()
    judged.post(lie(computed(judged)))
    assert wrong(judged)


@pytest.mark.parametrize(
    ("late", "canaries"),
    [((0,), False), ((1, 2), False), ((), True), ((3,), True)],
    ids=["one", "two", "canaries", "both"],
)
def test_who_could_not_see_a_late_blob_signed_no_wrong_root(late: tuple[int, ...], canaries: bool) -> None:  # noqa: FBT001
    """An evaluator that opens in time and shows its reports later must not be able to make honest signers wrong."""
    judged = a_judged_epoch()
    missing = posted_without(judged, blobs_of(judged, evaluators_at=late, canaries=canaries))
    assert not wrong(judged)
    judged.blobs |= missing
    assert not wrong(judged)


def test_a_posted_table_tells_what_was_late_so_that_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else of many evaluators that came late those who signed without them would be found wrong."""
    judged = a_judged_epoch()
    judged.blobs |= posted_without(judged, blobs_of(judged, evaluators_at=(1, 2)))
    monkeypatch.setattr(lateness, "READINGS_MAX", 1)
    assert not wrong(judged)


@pytest.mark.parametrize("lazy", [{"verdict": int(Verdict.UNDISCLOSED)}, {"accuracy_bps": NOT_SCORED}])
def test_who_says_nothing_beside_who_came_late_makes_no_root_wrong(lazy: dict[str, int]) -> None:
    """Reports that count as missed were there all the same, and a table without them is another one."""
    judged = a_judged_epoch(judges=6, parameters=Parameters(committee_size=5))
    key, late = evaluators(6)[:2]
    said = judged.reports_of(key).reports
    judged.open(key, signed(key, ROUND, tuple(msgspec.structs.replace(one, **lazy) for one in said)))
    judged.blobs |= posted_without(judged, [judged.view.openings[ROUND, late.address].blob_id])
    assert not wrong(judged)


def two_rounds() -> Judged:
    """Two epochs, drawn in rounds of their own and judged by the root of the later one."""
    judged = a_judged_epoch()
    judged.anchor(EPOCH + 1)
    draw = judged.view.draws[GATEWAY.address, EPOCH]
    judged.view.draws[GATEWAY.address, EPOCH] = reissued(draw, round=ROUND - 1)
    judged.view.draws[GATEWAY.address, EPOCH + 1] = reissued(draw, epoch=EPOCH + 1)
    for key in evaluators():
        del judged.view.openings[ROUND, key.address], judged.view.commitments[ROUND, key.address]
        for epoch, number in ((EPOCH, ROUND - 1), (EPOCH + 1, ROUND)):
            judged.open(key, judged.reports_of(key, number, epoch=epoch))
    return judged


@pytest.mark.parametrize("late", [(ROUND,), (ROUND - 1,), (ROUND, ROUND - 1)])
def test_who_came_late_in_one_of_two_rounds_makes_no_root_wrong(late: tuple[int, ...]) -> None:
    judged = two_rounds()
    liar = evaluators()[2].address
    judged.blobs |= posted_without(judged, [judged.view.openings[number, liar].blob_id for number in late])
    assert not wrong(judged)
    judged.view.quality_roots.clear()
    judged.post(richer(computed(judged)))
    assert wrong(judged)


@pytest.mark.parametrize("late", [EPOCH, EPOCH + 1])
def test_an_author_that_came_late_with_one_of_two_blobs_makes_no_root_wrong(late: int) -> None:
    judged = two_rounds()
    judged.open_canaries(judged.canaries(epoch=EPOCH + 1))
    judged.blobs |= posted_without(judged, [judged.view.canary_openings[AUTHOR.address, GATEWAY.address, late]])
    assert not wrong(judged)


@pytest.mark.parametrize("late", [((0, 1), False), ((2,), True)])
def test_whose_table_is_lost_signed_no_wrong_root_where_two_blobs_came_late(late: tuple[tuple[int, ...], bool]) -> None:
    judged = a_judged_epoch()
    missing = posted_without(judged, blobs_of(judged, evaluators_at=late[0], canaries=late[1]))
    del judged.blobs[judged.view.quality_roots[ROUND].root.blob_id]
    judged.blobs |= missing
    assert not wrong(judged)


def test_a_wrong_root_whose_table_nobody_shows_is_wrong() -> None:
    judged = a_judged_epoch()
    judged.view.quality_roots.clear()
    root = judged.post(richer(computed(judged)))
    del judged.blobs[root.blob_id]
    assert wrong(judged)


def two_epochs() -> tuple[Judged, bytes]:
    """A judged epoch, and another of its round; the other's blob."""
    judged = a_judged_epoch()
    other = judged.anchor(EPOCH + 1)
    judged.view.draws[GATEWAY.address, EPOCH + 1] = reissued(judged.view.draws[GATEWAY.address, EPOCH], epoch=EPOCH + 1)
    return judged, other.root.blob_id


@pytest.mark.parametrize("table_lost", [False, True])
def test_who_could_not_see_an_epochs_records_signed_no_wrong_root(table_lost: bool) -> None:  # noqa: FBT001
    judged, records = two_epochs()
    late = posted_without(judged, [records])
    if table_lost:
        del judged.blobs[judged.view.quality_roots[ROUND].root.blob_id]
    judged.blobs |= late
    assert not wrong(judged)


def test_a_root_over_records_that_no_archive_holds_any_more_cannot_be_called_wrong() -> None:
    judged, records = two_epochs()
    posted_without(judged, [])
    del judged.blobs[records]
    with pytest.raises(CheckFailed, match="no archive holds epoch"):
        wrong(judged)


def test_a_table_that_takes_in_nothing_and_says_something_is_wrong() -> None:
    judged = a_judged_epoch()
    judged.view.quality_roots.clear()
    judged.post(msgspec.structs.replace(computed(judged), judged=()))
    assert wrong(judged)


def test_a_lie_beside_a_late_blob_is_wrong_all_the_same() -> None:
    judged = a_judged_epoch()
    late = posted_without(judged, blobs_of(judged, evaluators_at=(0,)))
    table = computed(judged)
    judged.view.quality_roots.clear()
    judged.post(richer(table))
    judged.blobs |= late
    assert wrong(judged)


def test_a_root_over_what_no_archive_holds_any_more_cannot_be_called_wrong() -> None:
    judged = a_judged_epoch()
    posted_without(judged, [])
    (lost,) = blobs_of(judged, evaluators_at=(2,))
    del judged.blobs[lost]
    with pytest.raises(CheckFailed, match="at no archive"):
        wrong(judged)
