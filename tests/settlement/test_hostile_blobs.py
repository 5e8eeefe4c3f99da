"""Whatever is in the blobs of those who lie, honest members get an answer from them, or a typed error: never a fault,
which would end the judging of everybody's work.
"""

import asyncio
from contextlib import suppress
from functools import cache

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.settlement.judged import AUTHOR, EPOCH, ROUND, Judged, a_table, evaluators, reading, signed
from tests.settlement.spoiling import spoiled
from tests.wire.making import GATEWAY, NODE, TOKEN

from dgrid.chain.view import PostedQuality
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import Hash, model_id
from dgrid.poq.rounds import judge
from dgrid.settlement.cases import ChargeReader
from dgrid.settlement.disputes import is_wrong
from dgrid.settlement.evidence import NotEvidence
from dgrid.settlement.payouts import payouts
from dgrid.settlement.recomputing import recompute
from dgrid.settlement.rounds import root_of, rules_of
from dgrid.wire.messages import QualityRoot
from dgrid.wire.quality import Identity, PayoutKind, PayoutRow, QualityTable, SuspicionRow, amount_of, encode_quality

FAR_S = 2_000_000_000
some = settings(max_examples=40, deadline=None)


def judged_epoch() -> Judged:
    """Anchored, drawn, reported by all, canaries opened; nothing is posted yet."""
    judged = Judged()
    judged.anchor()
    judged.draw()
    for key in evaluators():
        judged.open(key, judged.reports_of(key))
    judged.open_canaries(judged.canaries())
    return judged


async def concluded(judged: Judged) -> tuple[QualityTable, QualityRoot]:
    """What an honest evaluator computes and signs."""
    async with reading(judged) as found:
        collected = await found.quality.collect(ROUND)
    table = judge(collected.table, collected.evidence, rules_of(judged.view, ROUND))
    return table, root_of(table, token=TOKEN, previous=None)


@cache
def honest() -> tuple[QualityTable, QualityRoot]:
    table, root = asyncio.run(concluded(judged_epoch()))
    doubts = SuspicionRow(NODE.address, model_id("dgrid-mini"), (1_000, 2_000), -1, (5,))
    return msgspec.structs.replace(table, suspicions=table.suspicions or (doubts,)), root


@some
@given(st.data())
def test_whatever_table_a_quorum_lays_its_root_can_be_disputed_and_read(data: st.DataObject) -> None:
    (table, root), judged = honest(), judged_epoch()
    lie = spoiled(table, data)
    assume(lie != table)
    posted = msgspec.structs.replace(root, blob_id=judged.keep(lie))
    known = judged.view.quality_roots[ROUND] = PostedQuality(posted, Hash(posted.struct_hash()), 30, 1_700_000_180_000)

    async def main() -> None:
        async with reading(judged) as found:
            reader, charges = found.quality, ChargeReader(found.quality)
            with suppress(CheckFailed):
                assert await is_wrong(reader, ROUND, rules=rules_of(judged.view, ROUND), token=TOKEN)
            for work in (
                charges.flags(known),
                charges.hidden(known),
                recompute(reader, ROUND, token=TOKEN),
                payouts(reader, now_s=FAR_S),
            ):
                with suppress(CheckFailed):
                    await work

    asyncio.run(main())


@some
@given(st.data())
def test_whatever_an_evaluator_reports_the_others_conclude_the_round(data: st.DataObject) -> None:
    judged, (liar, *_) = judged_epoch(), evaluators()
    honest = judged.reports_of(liar)
    found = Identity(5, 1_000, 2_000, 1, -5_000)
    told = tuple(msgspec.structs.replace(one, identity=found) for one in honest.reports)
    lie = spoiled(msgspec.structs.replace(honest, reports=told), data)
    judged.open(liar, signed(liar, ROUND, lie.reports))
    table, _ = asyncio.run(concluded(judged))
    encode_quality(table)


@some
@given(st.data())
def test_whatever_an_author_opens_evaluators_conclude_the_round(data: st.DataObject) -> None:
    judged = judged_epoch()
    lie = spoiled(judged.canaries(), data)
    judged.view.canary_openings[AUTHOR.address, GATEWAY.address, EPOCH] = judged.keep(lie)
    table, _ = asyncio.run(concluded(judged))
    encode_quality(table)


@pytest.mark.parametrize(
    "wrong", [{"kind": 7}, {"kind": -1}, {"total": bytes(17)}, {"total": b"\xff" * 99}, {"total": b""}]
)
def test_a_table_whose_pay_outs_are_none_is_no_table(wrong: dict[str, object]) -> None:
    row = PayoutRow(PayoutKind.NODE, GATEWAY.address, NODE.address, amount_of(700))
    for name in ("payouts", "waiting"):
        judged = judged_epoch()
        lie = msgspec.structs.replace(a_table(), **{name: (msgspec.structs.replace(row, **wrong),)})
        root = msgspec.structs.replace(honest()[1], blob_id=judged.keep(lie))
        judged.view.quality_roots[ROUND] = PostedQuality(root, Hash(root.struct_hash()), 30, 1_700_000_180_000)

        async def main(judged: Judged) -> None:
            async with reading(judged) as found:
                with pytest.raises(NotEvidence, match="pay-out"):
                    await payouts(found.quality, now_s=FAR_S)

        asyncio.run(main(judged))
