"""Every lie of a gateway that a contract can be shown: an unannounced watcher finds it, proves it, and is paid."""

import msgspec
import pytest
from tests.devnet import Devnet, OnDevnet
from tests.network.dishonest.gateway import altered, second_root
from tests.settlement.network import BOND_WEI, CREATORS
from tests.watcher.stage import EPOCHS, LIAR_EPOCH, Before, Watched, a_watch, assert_convicted, watched

from dgrid.chain.events import Kind
from dgrid.core.errors import IdempotencyConflict
from dgrid.core.money import BPS
from dgrid.core.places import Place
from dgrid.processes.settler import SettlerService
from dgrid.settlement.anchoring import AnchorOrder
from dgrid.settlement.claims import claim_by_default
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.settlement.watchers import WatcherDoors
from dgrid.watcher.challenges import Number
from dgrid.watcher.evidence import HeldReceipt
from dgrid.watcher.findings import Finding, FindingOutcome
from dgrid.wire.seals import seal
from dgrid.wire.server import Request, Server

LAST = Place(LIAR_EPOCH, 2, 3)  # of which the lies are


async def proven(stage: Watched, number: Number, *, epoch: int = LIAR_EPOCH) -> Finding:
    """The watcher's finding, after the chain agreed and the money went where it should."""
    before = await Before.of(stage)
    await stage.step()
    found = stage.watch.service.findings.latest(10)
    convicting = [one for one in found if one.outcome is FindingOutcome.CONVICTED]
    assert len(convicting) == 1, found
    assert not [one for one in found if one.outcome is FindingOutcome.REFUSED], found
    assert convicting[0].challenge == number
    await assert_convicted(stage, epoch=epoch, before=before)
    return convicting[0]


@pytest.mark.parametrize(
    ("lie", "number"),
    [
        ("underpaid-node", Number.BROKEN_TOTAL),
        ("underpaid-gateway", Number.BROKEN_TOTAL),
        ("underpaid-protocol", Number.BROKEN_TOTAL),
        ("underpaid-payer", Number.BROKEN_TOTAL),
        ("forgetful-node", Number.BROKEN_TOTAL),
        ("forgetful-payer", Number.BROKEN_TOTAL),
        ("pointing-nowhere", Number.BROKEN_TOTAL),
        ("pointing-ahead", Number.BROKEN_TOTAL),
        ("more-pot", Number.WRONG_POT),
        ("more-fee", Number.WRONG_POT),
        ("more-lane", Number.WRONG_POT),
        ("badly-split", Number.BAD_SPLIT),
        ("misplaced", Number.OMITTED),
    ],
)
def test_a_lie_that_the_blob_shows_is_proven_and_paid(on_devnet: OnDevnet, lie: str, number: Number) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.history()
        await stage.step()
        assert stage.watch.service.findings.latest(1) == []
        await stage.lie(lie)
        await proven(stage, number)

    on_devnet(main)


@pytest.mark.parametrize(
    ("lie", "number"),
    [
        ("less-for-listing", Number.BAD_SPLIT),
        ("more-for-listing", Number.BAD_SPLIT),
        ("underpaid-listing", Number.BROKEN_TOTAL),
        ("forgetful-listing", Number.BROKEN_TOTAL),
    ],
)
def test_a_lie_about_creators_alone_is_proven_and_they_get_what_was_signed_to_them(
    on_devnet: OnDevnet, lie: str, number: Number
) -> None:
    """From what the slash left of the bond and no node's line reserves."""

    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.network.list_model()
        await stage.network.raise_bond(BOND_WEI * 3 // 2)
        await stage.history()
        await stage.step()
        assert stage.watch.service.findings.latest(1) == []
        await stage.lie(lie)
        await proven(stage, number)
        before = {name: await net.balance(net.key(name).address) for name in CREATORS}
        anyone = await net.sender("anyone", dgai_wei=0)
        for lane in (0, 2):
            held = stage.held(LAST._replace(lane=lane))
            await claim_by_default(anyone, net.contracts, kind=Kind.LISTING, receipt=held.receipt, seal=held.seal)
        signed = [stage.held(LAST._replace(lane=lane)).receipt.totals.listing for lane in (0, 2)]
        parts = [total * CREATORS["creator-1"] // BPS for total in signed]
        paid = [await net.balance(net.key(name).address) - before[name] for name in CREATORS]
        assert paid == [sum(parts), sum(signed) - sum(parts)]
        assert min(paid) > 0

    on_devnet(main)


@pytest.mark.parametrize("lie", ["omitted", "altered"])
def test_a_receipt_that_its_client_holds_is_missed_in_the_root(on_devnet: OnDevnet, lie: str) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.history()
        await stage.lie(lie)
        stage.watch.service.evidence.hold_receipt(stage.held(Place(LIAR_EPOCH, 0, 1)))
        await stage.step()
        assert stage.watch.service.findings.latest(1) == []
        stage.watch.service.evidence.hold_receipt(stage.held(LAST))
        await proven(stage, Number.OMITTED)
        assert stage.watch.service.evidence.count() == 0

    on_devnet(main)


def test_an_epoch_that_was_passed_over_is_proven_by_any_of_its_receipts(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        stage.work(102)
        lost = stage.held(Place(102, 2, 3))
        stage.watch.service.evidence.hold_receipt(lost)
        stage.work(103)
        await stage.anchor(103)
        await proven(stage, Number.OMITTED, epoch=102)

    on_devnet(main)


def test_two_receipts_for_one_place_are_proven_before_there_is_a_root(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        stage.work(LIAR_EPOCH)
        stage.watch.service.evidence.hold_receipt(stage.held(LAST))
        stage.watch.service.evidence.hold_receipt(other_receipt(stage))
        await proven(stage, Number.DOUBLE)

    on_devnet(main)


def other_receipt(stage: Watched) -> HeldReceipt:
    """A second receipt for the last place, which another client got."""
    receipt = altered(stage.held(LAST).receipt)
    (resealed,) = seal(stage.network.books.key, stage.net.domain, [receipt.struct_hash()])
    return HeldReceipt(receipt, resealed)


@pytest.mark.parametrize("anchored", ["by its settler", "through a contract", "not at all"])
def test_a_second_root_for_an_epoch_is_proven(on_devnet: OnDevnet, anchored: str) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.history()
        stage.work(LIAR_EPOCH)
        books, evidence = stage.network.books, stage.watch.service.evidence
        if anchored == "by its settler":
            root = (await stage.anchor(LIAR_EPOCH)).root
        else:
            closed = books.close(LIAR_EPOCH)
            assert closed is not None
            root = closed.root
            signed = SignedRoot.by(books.key, root, domain=net.domain)
            if anchored == "not at all":
                evidence.hold_root(signed)
            else:
                await stage.network.anchor_through_a_contract(closed, signed)
        other = second_root(root)
        evidence.hold_root(SignedRoot.by(books.key, other, domain=net.domain))
        await proven(stage, Number.DOUBLE)

    on_devnet(main)


def test_a_settler_that_is_given_two_roots_tells_the_watchers(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        door = Server(stage.watch.service.handle, host="127.0.0.1", port=0)
        await door.start()
        net.stack.push_async_callback(door.stop)
        watchers = WatcherDoors(net.http, ("http://127.0.0.1:1", f"http://127.0.0.1:{door.port}"))
        settler = SettlerService(stage.network.queue, stage.network.watcher, net.domain, lambda: None, watchers)
        stage.work(LIAR_EPOCH)
        closed = stage.network.books.close(LIAR_EPOCH)
        assert closed is not None
        for root, is_second in ((closed.root, False), (second_root(closed.root), True)):
            signature = SignedRoot.by(stage.network.books.key, root, domain=net.domain).signature
            body = msgspec.json.encode(AnchorOrder(root, signature, ()).to_json())
            request = Request("POST", "/v1/anchors", b"", {}, body, "")
            if is_second:
                with pytest.raises(IdempotencyConflict):
                    await settler.handle(request)
            else:
                await settler.handle(request)
        await proven(stage, Number.DOUBLE)

    on_devnet(main)


def test_a_restarted_watcher_still_joins_epochs_and_says_nothing_twice(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.history()
        await stage.step()
        stage.watch = await a_watch(net, stage.network, stage.clock)
        assert stage.watch.epochs.memory.digests(stage.network.books.key.address).keys() == set(EPOCHS)
        await stage.lie("forgetful-node")
        await proven(stage, Number.BROKEN_TOTAL)
        reward = await stage.reward()
        stage.watch = await a_watch(net, stage.network, stage.clock)
        await stage.step()
        assert await stage.reward() == reward

    on_devnet(main)
