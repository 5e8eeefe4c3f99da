"""What became of receipts once their epoch was closed: drawn or spared, judged or not yet.

Read from the chain and any archive; asks no gateway. A certificate says all of it with its proofs: `certifying`.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

from dgrid.chain.view import Anchor, ChainView
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import Address
from dgrid.poq.draw import Purposes, drawn_for
from dgrid.settlement.evidence import leaf_facts
from dgrid.settlement.quality import DrawnRecords, QualityReader
from dgrid.settlement.records import EpochRecords, Records
from dgrid.settlement.rounds import draw_rules
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.quality import LeafKey


class Fate(StrEnum):
    """How far judging has come with a receipt."""

    NOT_ANCHORED = "not anchored"
    UNSEEDED = "waits for the draw"
    SPARED = "not drawn"
    DRAWN = "drawn"  # being judged
    JUDGED = "judged"
    REFUSED = "does not hold"  # nobody judges it; an audit says what is wrong
    UNKNOWN = "cannot be told"  # no archive has an epoch's records that may hold it


async def fates(
    reader: QualityReader, records: Records, *, by_epoch: Mapping[int, Collection[bytes]]
) -> dict[bytes, Fate]:
    """The fate of each request's receipt, given the epochs that they name. Raises NetworkUnreachable.

    Where one gateway's records cannot be had, a receipt that another one's records show has its fate all the same.
    """
    found = {request_id: Fate.NOT_ANCHORED for wanted in by_epoch.values() for request_id in wanted}
    for anchor in records.anchors():
        wanted = by_epoch.get(anchor.root.epoch)
        if not wanted:
            continue
        epoch = await _held(records, anchor)
        if epoch is None:
            found |= {one: Fate.UNKNOWN for one in wanted if found[one] is Fate.NOT_ANCHORED}
            continue
        draw = reader.view.draws.get((Address(anchor.root.gateway), anchor.root.epoch))
        drawn = None if draw is None else await reader.records_of(draw)
        for request_id in wanted:
            if (receipt := epoch.find(request_id)) is not None:
                found[request_id] = _fate(reader, drawn, receipt)
    return found


async def _held(records: Records, anchor: Anchor) -> EpochRecords | None:
    """None where nobody has them, or what they have leads elsewhere. Raises NetworkUnreachable."""
    try:
        return await records.held(anchor)
    except CheckFailed:
        return None


def _fate(reader: QualityReader, drawn: DrawnRecords | None, receipt: InferenceReceipt) -> Fate:
    if drawn is None:
        return Fate.UNSEEDED
    key = LeafKey(receipt.parties.gateway, *receipt.place.position)
    if (document := drawn.documents.get(key)) is None:
        return Fate.REFUSED
    judged_round = drawn.draw.round
    rules = draw_rules(reader.view.parameters.at(judged_round))
    purposes = drawn_for(leaf_facts(key, document), drawn.facts, rules=rules)
    return fate_of(purposes, judged_round=judged_round, view=reader.view)


def fate_of(purposes: Purposes, *, judged_round: int, view: ChainView) -> Fate:
    """The fate of a leaf whose epoch's seed is fixed, by what that chose it for."""
    if not any(purposes):
        return Fate.SPARED
    return Fate.JUDGED if view.last_quality_round >= judged_round else Fate.DRAWN
