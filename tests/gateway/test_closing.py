"""Epochs: closed from their rows alone, killed and resumed at every step, empty ones left out."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.gateway.stage import API_KEY, CHANNELS, DOMAIN, GATEWAY_KEY, Stage, play, until

from dgrid.core.identity import from_hex
from dgrid.core.merkle import TreeNode, lane_item, leaf, root_of_path
from dgrid.settlement.audit import AuditTerms, audit_epoch
from dgrid.store.blobs import BlobStore
from dgrid.store.ledger_rows import EpochState
from dgrid.wire.blob import EpochBlob
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import EpochRoot, Voucher
from dgrid.wire.signatures import recover


async def states(stage: Stage) -> list[str]:
    return [epoch["state"] for epoch in (await stage.get("/v1/network/epochs")).json["epochs"]]


def over(stage: Stage) -> None:
    """The epoch that runs is over."""
    stage.now_ms.ahead_ms += stage.clock.length_s * 1000 + 1000


async def closed(stage: Stage, *, epochs: int = 1) -> None:
    await until(lambda: len(stage.chain.roots) == epochs)
    await until(lambda: stage.service.reader.epochs(1)[0].state is EpochState.ANCHORED)


def test_an_epoch_s_root_holds_every_receipt_and_proves_each(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        answers = await asyncio.gather(*(stage.ask(f"Question {at}") for at in range(7)))
        over(stage)
        await closed(stage)
        root = next(iter(stage.chain.roots.values()))
        blob = EpochBlob.decode(stage.archives.blobs[root.blob_id])
        assert root.pot == stage.account().spent_wei == sum(r.shares.fee for r in blob.receipts[0])
        assert len(blob.receipts[0]) == 7
        for answer in answers:
            proof = (await stage.get(f"/v1/receipts/{answer.receipt_id}/proof")).json
            receipt = ReceiptDocument.decode((await stage.get(f"/v1/receipts/{answer.receipt_id}")).body).receipt
            assert EpochRoot.from_json(proof["epochRoot"]) == root
            path = tuple(TreeNode(from_hex(item, size=32), int(total)) for item, total in proof["leafPath"])
            start = leaf(receipt.struct_hash(), receipt.shares.fee)
            lane = root_of_path(start, index=proof["sequence"], count=proof["lane"]["count"], path=path)
            top = leaf(lane_item(0, 7, lane), lane.total)
            assert root_of_path(top, index=0, count=root.lane_count, path=()) == TreeNode(root.records_root, root.pot)

    play(tmp_path, scenes)


def test_an_epoch_s_blob_lets_anybody_collect_what_each_channel_spent(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        await stage.ask()
        await stage.ask()
        over(stage)
        await closed(stage)
        (root,) = stage.chain.roots.values()
        (voucher,) = EpochBlob.decode(stage.archives.blobs[root.blob_id]).header.vouchers
        (channel,) = stage.chain.channels.values()
        amount_wei = int.from_bytes(voucher.max_claimable, "big")
        assert voucher.config == channel.config.packed()
        assert amount_wei == stage.account().spent_wei == root.pot
        signed = CHANNELS.digest(Voucher(channel.channel_id, amount_wei).struct_hash())
        assert recover(signed, voucher.signature) == GATEWAY_KEY.address

    play(tmp_path, scenes)


def test_what_the_archives_keep_and_the_chain_shows_leaves_the_gateway_s_disk(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        blobs = BlobStore(stage.folder / "epochs", capacity_bytes=10**9)
        stage.settlers.anchors = False
        await stage.ask()
        over(stage)
        await until(lambda: [row.state for row in stage.service.reader.epochs(1)] == [EpochState.HANDED_OVER])
        assert list(blobs.ids()) == list(stage.archives.blobs)
        stage.settlers.anchors = True
        over(stage)
        over(stage)
        await closed(stage)
        await until(lambda: not list(blobs.ids()))

    play(tmp_path, scenes)


def test_a_closed_epoch_passes_the_audit(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        for _ in range(2):
            await asyncio.gather(*(stage.ask(f"Question {at}") for at in range(3)))
            over(stage)
            await closed(stage, epochs=len(stage.settlers.taken) + 1)
        for root in stage.chain.roots.values():
            blob = stage.archives.blobs[root.blob_id]
            report = audit_epoch(blob, root, onchain_digest=root.struct_hash(), terms=AuditTerms(DOMAIN, stage.clock))
            assert report.ok, report

    play(tmp_path, scenes)


def test_an_empty_epoch_has_no_root_and_each_root_names_the_one_before(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        await stage.ask()
        over(stage)
        await closed(stage)
        over(stage)
        over(stage)
        await stage.ask()
        over(stage)
        await closed(stage, epochs=2)
        first, second = (stage.chain.roots[epoch] for epoch in sorted(stage.chain.roots))
        assert first.previous == bytes(32)
        assert second.previous == first.struct_hash()
        assert second.epoch == first.epoch + 3

    play(tmp_path, scenes)


def test_no_receipt_goes_back_over_a_border_even_if_the_clock_does(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        await stage.ask()
        over(stage)
        await closed(stage)
        stage.now_ms.ahead_ms -= 2 * stage.clock.length_s * 1000
        answer = await stage.ask()
        place = ReceiptDocument.decode((await stage.get(f"/v1/receipts/{answer.receipt_id}")).body).receipt.place
        assert (place.epoch, place.sequence) == (max(stage.chain.roots) + 1, 0)

    play(tmp_path, scenes)


@pytest.mark.parametrize("step", ["shut", "blob written", "closed", "stored", "handed over"])
def test_closing_killed_at_any_step_goes_on_with_the_same_root(tmp_path: Path, step: str) -> None:
    """The gateway's folder is copied at the step, as a kill would leave it, and another gateway starts on the copy."""
    copy = tmp_path / "copy"

    async def until_killed(stage: Stage) -> None:
        await stage.ask()
        await stage.ask()
        stage.settlers.anchors = False
        closer, ledger = stage.service.closer, stage.service.ledger
        if step in ("closed", "shut", "blob written"):
            stage.archives.down = 3
        if step == "stored":
            stage.settlers.down = True
        if step == "shut":
            await ledger.shut_epoch(stage.clock.epoch_at(stage.now_ms()))
            await stage.service.sealer.settled()
        elif step == "blob written":
            await ledger.shut_epoch(stage.clock.epoch_at(stage.now_ms()))
            await stage.service.sealer.settled()
            await asyncio.to_thread(closer._compute, stage.clock.epoch_at(stage.now_ms()))
        else:
            over(stage)
            wanted = EpochState(step.replace(" ", "_"))
            await until(lambda: [row.state for row in stage.service.reader.epochs(1)] == [wanted])
        shutil.copytree(stage.folder, copy)
        memory["nodes"], memory["archives"], memory["clock"] = stage.chain.members, stage.archives, stage.clock
        memory["spent"] = stage.account().spent_wei
        memory["known"] = [row.root for row in stage.service.reader.epochs(1)]

    async def resumed(stage: Stage) -> None:
        assert stage.account().spent_wei == memory["spent"]
        for _ in range(4 if step == "handed over" else 1):  # this settler knows nothing of it: it is reminded in time
            over(stage)
        await closed(stage)
        root = next(iter(stage.chain.roots.values()))
        assert memory["known"] in ([], [root.packed()])
        row = stage.service.reader.epoch(root.epoch)
        assert row is not None
        assert recover(DOMAIN.digest(root.struct_hash()), row.signature) == GATEWAY_KEY.address
        report = audit_epoch(
            {**memory["archives"].blobs, **stage.archives.blobs}[root.blob_id],
            root,
            onchain_digest=root.struct_hash(),
            terms=AuditTerms(DOMAIN, stage.clock),
        )
        assert report.ok
        answer = await stage.ask()
        assert answer.status == 200

    memory: dict[str, Any] = {}
    play(tmp_path / "first", until_killed)
    play(copy, resumed, clock=memory["clock"])


def test_an_epoch_waits_for_its_archives_and_its_settler(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.archives.down, stage.settlers.down = 2, True
        await stage.ask()
        over(stage)
        await until(lambda: len(stage.service.reader.epochs(1)) == 1)
        await asyncio.sleep(0.5)
        assert await states(stage) == ["closed"]
        answer = (await stage.get("/v1/receipts", key=API_KEY)).json["receipts"][0]
        assert (await stage.get(f"/v1/receipts/{answer['id']}/proof")).code == "not_yet"
        stage.archives.down = 0
        await until(lambda: stage.service.reader.epochs(1)[0].state is EpochState.STORED)
        stage.settlers.down = False
        await closed(stage)

    play(tmp_path, scenes)


def test_another_root_on_the_chain_is_never_taken_for_the_gateway_s_own(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.settlers.anchors = False
        await stage.ask()
        over(stage)
        await until(lambda: [row.state for row in stage.service.reader.epochs(1)] == [EpochState.HANDED_OVER])
        (root,) = stage.settlers.taken
        stage.chain.roots[root.epoch] = replace(root, pot=root.pot + 1)
        closer = stage.service.closer
        await until(lambda: closer._failures.get(root.epoch, 0) > 0)
        assert await states(stage) == ["handed_over"]

    play(tmp_path, scenes)


def test_a_root_that_the_chain_lost_is_handed_over_again(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        await stage.ask()
        over(stage)
        await closed(stage)
        stage.chain.roots.clear()
        await closed(stage)
        assert len({root.struct_hash() for root in stage.settlers.taken}) == 1

    play(tmp_path, scenes)
