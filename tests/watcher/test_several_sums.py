"""A gateway that hides one lie about a sum behind another, and answers whatever is asked: found by asking on."""

from collections.abc import Sequence

import pytest
from tests.devnet import Devnet, OnDevnet
from tests.settlement.test_shown_sums import Liar
from tests.watcher.stage import LIAR_EPOCH, Watched, watched
from tests.watcher.test_demanding import convicted_after_its_time, demanded
from tests.watcher.test_lies import proven

from dgrid.chain.demands import DemandState
from dgrid.chain.view import Anchor
from dgrid.core.identity import Hash
from dgrid.core.places import Place
from dgrid.settlement.closing import ClosedEpoch, Closing, ClosingRow, close_epoch
from dgrid.settlement.demands import record_arguments
from dgrid.settlement.records import EpochRecords, tree_of
from dgrid.watcher.challenges import Number
from dgrid.wire.blob import EpochBlob, SignedVoucher

LIES = {0: {(0, 1): 2}, 2: {(0, 3): 1}}  # by lane: (level, index) counts for so much more


async def show_absence(stage: Watched, liar: Liar, closed: ClosedEpoch, place: Place) -> None:
    """The gateway shows by its lying tree that a lane holds none."""
    way = liar.show_absence(place, closed.tree)
    assert way is not None
    gateway = await stage.net.sender("gateway", dgai_wei=0)
    arguments = (liar.root, place.lane, (place.lane, 0, bytes(32), 0), way.path), place.sequence
    await gateway.send(stage.net.contracts.demands, "answerAbsent", arguments, label=f"show:{place}")
    await stage.step()


async def show(stage: Watched, liar: Liar, closed: ClosedEpoch, place: Place, *, hides: bool = False) -> None:
    """The gateway answers by its lying tree; if it hides, in a call that no transaction shows."""
    net, blob = stage.net, EpochBlob.decode(closed.blob)
    proof = liar.show(place)
    assert proof is not None
    anchor = Anchor(closed.root, Hash(closed.root.struct_hash()), 1, 1)
    record = record_arguments(EpochRecords(anchor, blob, tree_of(blob)), place, domain=net.domain)
    assert record is not None
    arguments = [(proof.arguments(), *record[1:])]
    if hides:
        await net.call_through_another(net.contracts.demands, "answer", arguments)
    else:
        gateway = await net.sender("gateway", dgai_wei=0)
        await gateway.send(net.contracts.demands, "answer", arguments, label=f"show:{place}")
    await stage.step()


async def asked_next(stage: Watched) -> Place:
    await stage.fund_deposit()
    await stage.step()
    view = await stage.step()
    (asked,) = (one.place for one in view.demands.values() if one.state is DemandState.OPEN)
    return asked


async def anchor_lies(
    stage: Watched, lies: dict[int, dict[tuple[int, int], int]], *, idle: dict[int, int]
) -> tuple[ClosedEpoch, Liar]:
    """Closes and anchors the epoch with several lies about sums."""
    liars: list[Liar] = []

    def close(
        closing: Closing, rows: Sequence[ClosingRow], *, vouchers: Sequence[SignedVoucher] = ()
    ) -> ClosedEpoch | None:
        closed = close_epoch(closing, rows, vouchers=vouchers)
        assert closed is not None
        liars.append(Liar(closed, EpochBlob.decode(closed.blob).receipts, lies, idle=idle))
        return ClosedEpoch(liars[0].root, closed.blob, closed.blob_id, closed.tree)

    return await stage.anchor(LIAR_EPOCH, close=close), liars[0]


@pytest.mark.parametrize("hides", [False, True])
def test_two_wrong_sums_in_one_tree_are_proven_though_every_demand_is_answered(
    on_devnet: OnDevnet, *, hides: bool
) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        stage.work(LIAR_EPOCH)
        closed, liar = await anchor_lies(stage, LIES, idle={})
        assert await demanded(stage) == Place(LIAR_EPOCH, 2, 0)
        await show(stage, liar, closed, Place(LIAR_EPOCH, 2, 0), hides=hides)
        assert await asked_next(stage) == Place(LIAR_EPOCH, 2, 2)
        await show(stage, liar, closed, Place(LIAR_EPOCH, 2, 2), hides=hides)
        found = await proven(stage, Number.WRONG_POT)
        assert found.epoch == LIAR_EPOCH

    on_devnet(main)


def test_two_empty_lanes_that_count_for_something_are_found_among_those_that_do_not(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        stage.work(LIAR_EPOCH, lanes=(0, 7))
        closed, liar = await anchor_lies(stage, {}, idle={3: 5, 5: 5})
        assert await demanded(stage) == Place(LIAR_EPOCH, 7, 0)
        await show(stage, liar, closed, Place(LIAR_EPOCH, 7, 0))
        assert await asked_next(stage) == Place(LIAR_EPOCH, 4, 0)
        await show_absence(stage, liar, closed, Place(LIAR_EPOCH, 4, 0))
        place = await asked_next(stage)
        assert place == Place(LIAR_EPOCH, 5, 0)
        assert liar.show_absence(place, closed.tree) is None
        await convicted_after_its_time(stage)

    on_devnet(main)
