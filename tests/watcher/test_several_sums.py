"""A gateway that hides one lie about a sum behind another, and answers whatever is asked: found by asking on."""

from collections.abc import Sequence

from tests.devnet import Devnet, OnDevnet
from tests.settlement.test_shown_sums import Liar
from tests.watcher.stage import LIAR_EPOCH, Watched, watched
from tests.watcher.test_demanding import demanded
from tests.watcher.test_lies import proven

from dgrid.chain.view import Anchor
from dgrid.core.identity import Hash
from dgrid.core.places import Place
from dgrid.settlement.closing import ClosedEpoch, Closing, ClosingRow, close_epoch
from dgrid.settlement.demands import record_arguments
from dgrid.settlement.records import EpochRecords, tree_of
from dgrid.watcher.challenges import Number
from dgrid.wire.blob import EpochBlob, SignedVoucher

LIES = {0: {(0, 1): 2}, 2: {(0, 3): 1}}  # by lane: (level, index) counts for so much more


async def show(stage: Watched, liar: Liar, closed: ClosedEpoch, place: Place) -> None:
    """The gateway answers by its lying tree."""
    net, blob = stage.net, EpochBlob.decode(closed.blob)
    proof = liar.show(place)
    assert proof is not None
    anchor = Anchor(closed.root, Hash(closed.root.struct_hash()), 1, 1)
    record = record_arguments(EpochRecords(anchor, blob, tree_of(blob)), place, domain=net.domain)
    assert record is not None
    gateway = await net.sender("gateway", dgai_wei=0)
    arguments = [(proof.arguments(), *record[1:])]
    await gateway.send(net.contracts.demands, "answer", arguments, label=f"show:{place}")
    await stage.step()


def test_two_wrong_sums_in_one_tree_are_proven_though_every_demand_is_answered(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage, liars = await watched(net), list[Liar]()

        def close(
            closing: Closing, rows: Sequence[ClosingRow], *, vouchers: Sequence[SignedVoucher] = ()
        ) -> ClosedEpoch | None:
            closed = close_epoch(closing, rows, vouchers=vouchers)
            assert closed is not None
            liars.append(Liar(closed, EpochBlob.decode(closed.blob).receipts, LIES))
            return ClosedEpoch(liars[0].root, closed.blob, closed.blob_id, closed.tree)

        stage.work(LIAR_EPOCH)
        closed = await stage.anchor(LIAR_EPOCH, close=close)
        assert await demanded(stage) == Place(LIAR_EPOCH, 2, 0)
        await show(stage, liars[0], closed, Place(LIAR_EPOCH, 2, 0))
        await stage.fund_deposit()
        await stage.step()
        view = await stage.step()
        assert Place(LIAR_EPOCH, 2, 2) in {one.place for one in view.demands.values()}
        await show(stage, liars[0], closed, Place(LIAR_EPOCH, 2, 2))
        found = await proven(stage, Number.WRONG_POT)
        assert found.epoch == LIAR_EPOCH

    on_devnet(main)
