"""What is said of receipts: the same as certificates would prove."""

import asyncio
from dataclasses import replace

import msgspec
from tests.settlement.judged import EPOCH, Judged, Reading, a_judged_epoch, reading, story
from tests.wire.making import GATEWAY

from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.judging import Draws
from dgrid.core.errors import NotYet
from dgrid.core.identity import Address, Hash
from dgrid.settlement.certifying import NotDrawn, certify
from dgrid.settlement.fates import Fate, fates

LEAVES = 8


def told(judged: Judged, *, epoch: int = EPOCH) -> dict[bytes, Fate]:
    async def main() -> dict[bytes, Fate]:
        async with reading(judged) as found:
            wanted = [story(sequence).request_id for sequence in range(LEAVES)]
            return await fates(found.quality, found.records, by_epoch={epoch: wanted})

    return asyncio.run(main())


def certified(judged: Judged) -> dict[bytes, Fate]:
    async def one(found: Reading, request_id: bytes) -> Fate:
        try:
            await certify(found.quality, found.records, request_id=request_id)
        except NotDrawn:
            return Fate.SPARED
        except NotYet:
            return Fate.DRAWN
        return Fate.JUDGED

    async def main() -> dict[bytes, Fate]:
        async with reading(judged) as found:
            wanted = [story(sequence).request_id for sequence in range(LEAVES)]
            return {request_id: await one(found, request_id) for request_id in wanted}

    return asyncio.run(main())


def test_a_receipts_fate_is_what_its_certificate_would_prove() -> None:
    judged = a_judged_epoch()
    assert told(judged) == certified(judged)
    assert {Fate.JUDGED, Fate.SPARED} <= set(told(judged).values())


def test_before_the_root_what_was_drawn_is_being_judged() -> None:
    judged = a_judged_epoch()
    waiting = replace(judged, view=replace(judged.view, quality_roots=ByEpoch()))
    assert set(told(waiting).values()) == {Fate.DRAWN, Fate.SPARED}


def test_before_the_seed_nobody_knows_which_are_drawn() -> None:
    judged = a_judged_epoch()
    assert set(told(replace(judged, view=replace(judged.view, draws=Draws()))).values()) == {Fate.UNSEEDED}


def test_a_receipt_that_does_not_hold_is_judged_by_nobody() -> None:
    judged = Judged(spoiled=frozenset({3}))
    judged.anchor()
    judged.draw()
    found = told(judged)
    assert found[story(3).request_id] is Fate.REFUSED
    assert list(found.values()).count(Fate.REFUSED) == 1


def test_a_receipt_of_an_epoch_without_a_root_is_not_anchored() -> None:
    assert set(told(a_judged_epoch(), epoch=EPOCH + 1).values()) == {Fate.NOT_ANCHORED}


def test_another_gateway_without_records_hides_no_fate() -> None:
    judged, clean = a_judged_epoch(), told(a_judged_epoch())
    anchor = judged.view.roots[GATEWAY.address, EPOCH]
    for at, blob in enumerate((bytes(32), judged.keep(b"no records"))):
        name = Address(bytes((at,)) * 20)
        root = msgspec.structs.replace(anchor.root, gateway=name, blob_id=blob)
        judged.view.roots[name, EPOCH] = replace(anchor, root=root, digest=Hash(root.struct_hash()))
    assert told(judged) == clean


def test_what_lies_in_no_archive_cannot_be_told() -> None:
    judged = a_judged_epoch()
    judged.blobs.pop(judged.view.roots[GATEWAY.address, EPOCH].root.blob_id)
    assert set(told(judged).values()) == {Fate.UNKNOWN}
