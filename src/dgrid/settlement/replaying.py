"""Fetches what a simulation of a proposal needs, from the chain and any archive, and computes it.

Asks no gateway. Refuses to simulate what is not anchored: an open epoch's receipts are its gateway's alone.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from dgrid.chain.parameters import Parameters
from dgrid.chain.view import Anchor, ChainView
from dgrid.core.errors import NotYet
from dgrid.core.identity import Address
from dgrid.governance.simulation import Comparison, DrawComparison, Simulation, draws_under, fees_under, payouts_under
from dgrid.poq.evidence import DrawnEpoch
from dgrid.poq.rounds import judge, table_id
from dgrid.settlement.quality import QualityReader
from dgrid.settlement.records import Records
from dgrid.settlement.rounds import draw_rules, posted_before, rules_of, rules_under
from dgrid.wire.messages import InferenceReceipt


async def simulated(reader: QualityReader, records: Records, *, proposed: Parameters, epochs: int) -> Simulation:
    """What the last anchored epochs would have been. Raises NotYet, CheckFailed, NetworkUnreachable."""
    anchors = _last_anchors(records, epochs)
    receipts = await _receipts(records, anchors)
    drawn = await _drawn(reader, anchors)
    return Simulation(
        anchors[-1].root.epoch,
        anchors[0].root.epoch,
        len(receipts),
        fees_under(receipts, proposed),
        _draws(reader.view, drawn, proposed),
        await _payouts(reader, proposed, drawn=drawn),
        _inactive(reader.view, proposed),
    )


def _last_anchors(records: Records, epochs: int) -> list[Anchor]:
    anchors = records.anchors()
    if not anchors:
        raise NotYet("nothing is anchored yet", hint="ask something, and wait for the end of its epoch")
    first = anchors[0].root.epoch - epochs + 1
    return [anchor for anchor in anchors if anchor.root.epoch >= first]


async def _receipts(records: Records, anchors: Sequence[Anchor]) -> list[InferenceReceipt]:
    found: list[InferenceReceipt] = []
    for anchor in anchors:
        for of_lane in (await records.epoch(anchor)).blob.receipts.values():
            found += of_lane
    return found


async def _drawn(reader: QualityReader, anchors: Sequence[Anchor]) -> list[DrawnEpoch]:
    draws = [reader.view.draws.get((Address(one.root.gateway), one.root.epoch)) for one in anchors]
    return [(await reader.records_of(draw)).facts for draw in draws if draw is not None]


def _draws(view: ChainView, drawn: list[DrawnEpoch], proposed: Parameters) -> DrawComparison:
    if not drawn:
        return DrawComparison(0, 0, 0, {}, {})
    rounds = {draw.round for draw in drawn}
    last = rules_of(view, max(rounds))
    was = replace(last, drawn_before={number: draw_rules(view.parameters.at(number)) for number in rounds})
    return draws_under(drawn, was=was, would=replace(last, draw=draw_rules(proposed), drawn_before={}))


async def _payouts(
    reader: QualityReader, proposed: Parameters, *, drawn: Sequence[DrawnEpoch]
) -> tuple[Comparison, ...]:
    """The rounds that judged these draws, one after the other, each from what the one before would have left."""
    view, first = reader.view, min((draw.round for draw in drawn), default=0)
    rounds = [number for number, _ in view.quality_roots.between(first)] if drawn else []
    if not rounds:
        return ()
    before = posted_before(view, rounds[0])
    start = table = None if before is None else await reader.table(before.root.round)
    for number in rounds:
        collected = await reader.collect(number)
        evidence = replace(collected.evidence, previous_table_id=table_id(table))
        rules = rules_under(proposed, view, judged_round=number)
        table = await asyncio.to_thread(judge, table, evidence, rules)
    assert table is not None
    return payouts_under(start, was=await reader.table(rounds[-1]), would=table)


def _inactive(view: ChainView, proposed: Parameters) -> tuple[tuple[str, bytes], ...]:
    """Who is active now and has too little stake for the proposed least."""
    return tuple(
        (role.name.lower(), address)
        for (role, address), member in sorted(view.members.items())
        if member.active and member.stake_wei < proposed.minimum_stake_wei
    )
