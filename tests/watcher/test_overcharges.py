"""A payer that was charged more than it allowed: its signed request and the receipts convict."""

from dataclasses import replace

import msgspec
import pytest
from tests.devnet import Devnet, OnDevnet
from tests.watcher.stage import EPOCHS, LIAR_EPOCH, Watched, watched
from tests.watcher.test_lies import proven

from dgrid.core.errors import InvalidRequest, InvalidSignature
from dgrid.core.identity import model_id
from dgrid.core.places import Place
from dgrid.watcher.challenges import Number
from dgrid.watcher.overcharges import Overcharge
from dgrid.wire.messages import InferenceRequest
from dgrid.wire.server import Request

LANE = 1


def charged(stage: Watched, epochs: tuple[int, ...], *, allowed_of: int) -> Overcharge:
    """One signed request of payer-1, answered once in each epoch; it allows a part of what all cost."""
    net, network, config = stage.net, stage.network, stage.channels["payer-1"]
    work = network.work(config, "node-1", tokens_in=1000, tokens_out=100)
    fee = network.books.agreed(work).fee_wei
    named = bytes(32), config.payer, model_id("dgrid-nano"), 0, 0, fee * allowed_of, bytes(32), 1, 10**13
    request = InferenceRequest(*named, network.books.key.address)
    work = replace(work, request_id=net.domain.digest(request.struct_hash()))
    for epoch in epochs:
        network.books.answer(epoch, work, lane=LANE)
    return Overcharge(request, tuple(stage.held(Place(epoch, LANE, 0)) for epoch in epochs))


async def hand_in(stage: Watched, document: bytes) -> None:
    reply = await stage.watch.service.handle(Request("POST", "/v1/overcharges", b"", {}, document, ""))
    assert reply.status == 202


@pytest.mark.parametrize("epochs", [(LIAR_EPOCH,), (EPOCHS[0], LIAR_EPOCH)])
def test_receipts_that_charge_more_than_the_payer_allowed_convict(on_devnet: OnDevnet, epochs: tuple[int, ...]) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        overcharge = charged(stage, epochs, allowed_of=len(epochs) - 1)
        await stage.history()
        await hand_in(stage, overcharge.to_json())
        await stage.step()
        assert stage.watch.service.findings.latest(1) == []
        stage.work(LIAR_EPOCH)
        await stage.anchor(LIAR_EPOCH)
        await proven(stage, Number.BAD_SPLIT)
        await stage.step()
        assert stage.watch.service.evidence.overcharges() == []

    on_devnet(main)


def test_what_would_not_convict_is_not_taken(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        within = charged(stage, (LIAR_EPOCH,), allowed_of=1)
        twice = Overcharge(msgspec.structs.replace(within.request, max_fee=0), within.receipts * 2)
        other = Overcharge(msgspec.structs.replace(within.request, max_fee=0), within.receipts)
        for document in (within, twice, other, Overcharge(within.request, ())):
            with pytest.raises(InvalidRequest):
                await hand_in(stage, document.to_json())
        with pytest.raises(InvalidRequest):
            await hand_in(stage, b'{"request": {}, "receipts": [1]}')
        true = charged(stage, (LIAR_EPOCH + 1,), allowed_of=0)
        (held,) = true.receipts
        costlier = msgspec.structs.replace(
            held.receipt, shares=msgspec.structs.replace(held.receipt.shares, fee=held.receipt.shares.fee + 1)
        )
        with pytest.raises(InvalidSignature):
            await hand_in(stage, Overcharge(true.request, (replace(held, receipt=costlier),)).to_json())
        assert stage.watch.service.evidence.overcharges() == []

    on_devnet(main)
