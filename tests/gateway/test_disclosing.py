"""Contents: kept before anybody could ask, given to the drawn alone, once, in time, and then gone."""

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from nacl.secret import SecretBox
from tests.gateway.stage import API_KEY, GATEWAY_KEY, PAYER_KEY, Stage, play, until
from tests.gateway.staged_court import DRAWN_ALL

from dgrid.chain.view import DrawnEvaluator
from dgrid.core.errors import StorageUnavailable
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak, salted_hash
from dgrid.core.places import Place
from dgrid.engines.scripted import Script
from dgrid.store.ledger_rows import EpochState
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.quality import MAGIC, Content, DisclosedLeaf, Disclosure, decode_content, decode_quality

KEYS = {Address(bytes([0xE0, at]) + bytes(18)): PrivateKey(keccak(bytes([at]))) for at in range(5)}
PUBLIC, NONE = {"privacy": "public"}, {"privacy": "none"}


def evaluators(*keys: tuple[Address, bytes]) -> tuple[DrawnEvaluator, ...]:
    named = keys or tuple((address, bytes(key.public_key)) for address, key in KEYS.items())
    return tuple(DrawnEvaluator(address, 10**21, key, (keccak(b"weights"),)) for address, key in named)


def over(stage: Stage) -> None:
    stage.now_ms.ahead_ms += stage.clock.length_s * 1000 + 1000


async def anchored(stage: Stage) -> int:
    """Ends the running epoch; its number once its root is final."""
    epoch = stage.clock.epoch_at(stage.now_ms())
    over(stage)
    await until(lambda: (row := stage.service.reader.epoch(epoch)) is not None and row.state is EpochState.ANCHORED)
    return epoch


async def disclosure(stage: Stage) -> Disclosure:
    await until(lambda: bool(stage.court.disclosed))
    found = decode_quality(stage.archives.blobs[stage.court.disclosed[-1][1]])
    assert isinstance(found, Disclosure)
    return found


def opened(leaf: DisclosedLeaf, member: Address) -> Content:
    (box,) = (one.box for one in leaf.keys if one.evaluator == member)
    return decode_content(SecretBox(SealedBox(KEYS[member]).decrypt(box)).decrypt(leaf.content))


async def document(stage: Stage, receipt_id: str) -> ReceiptDocument:
    return ReceiptDocument.decode((await stage.get(f"/v1/receipts/{receipt_id}", key=API_KEY)).body)


def test_sealed_content_opens_for_its_members_alone_and_is_what_the_receipt_signed(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.court.enrol(evaluators())
        whole = await stage.ask("Who lives in Oslo?")
        streamed = await stage.ask("And in Rome?", stream=True)
        epoch = await anchored(stage)
        found = await disclosure(stage)
        assert (found.author, found.epoch, found.court) == (GATEWAY_KEY.address, epoch, b"\x13" * 20)
        assert found.seed == stage.court.view.draws[GATEWAY_KEY.address, epoch].seed
        for leaf, answer in zip(found.leaves, (whole, streamed), strict=True):
            assert len(leaf.keys) == 3
            signed = await document(stage, answer.receipt_id)
            for member in (Address(one.evaluator) for one in leaf.keys):
                content = opened(leaf, member)
                assert salted_hash(content.salt, content.request) == signed.dispatch.forwarded_hash
                assert salted_hash(content.salt, content.answer.encode()) == signed.node_receipt.output_hash
                assert salted_hash(content.salt, content.evidence) == signed.node_receipt.evidence_hash
            outsiders = [KEYS[one] for one in KEYS if one not in {key.evaluator for key in leaf.keys}]
            for outsider in outsiders:
                for one in leaf.keys:
                    with pytest.raises(CryptoError):
                        SealedBox(outsider).decrypt(one.box)
            assert b"Oslo" not in leaf.content
            assert b"Rome" not in leaf.content

    play(tmp_path, scenes)


def test_a_node_never_learns_by_which_wishes_it_was_chosen(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        plain = await stage.ask("Who lives in Oslo?")
        said: dict[str, Any] = {"privacy": "committee", "seed": 2**47 + 5}
        wishes: dict[str, Any] = {"provider": {"sort": "price"}, "dgrid": said, "models": ["auto"]}
        wishing = await stage.ask("Who lives in Oslo?", **wishes)
        bodies, seeds = [], []
        for answer in (plain, wishing):
            signed = await document(stage, answer.receipt_id)
            content = stage.service.contents.get(signed.receipt.place.position, signed.receipt.struct_hash())
            assert content is not None
            assert salted_hash(content.salt, content.request) == signed.dispatch.forwarded_hash
            bodies.append(json.loads(content.request))
            seeds.append(signed.dispatch.seed)
        assert bodies[0] == bodies[1]
        assert seeds[1] == said["seed"]

    play(tmp_path, scenes)


def test_public_leaves_are_open_and_those_of_no_committee_leave_no_content(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.court.enrol(evaluators())
        public = await stage.ask("Who lives in Rome?", dgrid=PUBLIC)
        secret = await stage.ask("A secret", dgrid=NONE)
        for path in stage.folder.joinpath("contents").iterdir():
            assert b"A secret" not in path.read_bytes()
        unkept = await document(stage, secret.receipt_id)
        assert stage.service.contents.get(unkept.receipt.place.position, unkept.receipt.struct_hash()) is None
        await anchored(stage)
        (leaf,) = (await disclosure(stage)).leaves
        assert leaf.keys == ()
        assert b"Who lives in Rome?" in decode_content(leaf.content).request
        assert (leaf.lane, leaf.sequence) == (await document(stage, public.receipt_id)).receipt.place.position[1:]

    play(tmp_path, scenes)


def test_content_is_on_the_disk_before_the_signature_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: object) -> None:
        raise StorageUnavailable("the disk does not answer")

    async def scenes(stage: Stage) -> None:
        monkeypatch.setattr("dgrid.store.contents._sync_file", broken)
        answer = await stage.ask()
        await asyncio.sleep(0.1)
        assert len(stage.service.reader.unsealed()) == 1
        monkeypatch.undo()
        await until(lambda: not stage.service.reader.unsealed())
        signed = await document(stage, answer.receipt_id)
        assert stage.service.contents.get(signed.receipt.place.position, signed.receipt.struct_hash()) is not None

    play(tmp_path, scenes)


def test_killed_the_moment_a_receipt_is_billed_its_content_is_there(tmp_path: Path) -> None:
    copy = tmp_path / "copy"

    async def until_killed(stage: Stage) -> None:
        stage.service.ledger.on_billed = lambda unsealed: shutil.copytree(stage.folder, copy)  # type: ignore[assignment]
        await stage.ask("Who lives in Oslo?")

    async def resumed(stage: Stage) -> None:
        receipt = stage.service.reader.latest(1)[0].receipt
        content = stage.service.contents.get(receipt.place.position, receipt.struct_hash())
        assert content is not None
        assert b"Who lives in Oslo?" in content.request

    play(tmp_path / "first", until_killed)
    play(copy, resumed)


def test_a_receipt_whose_content_cannot_be_written_is_not_billed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: object, _entries: object) -> None:
        raise OSError(28, "No space left on device")

    async def scenes(stage: Stage) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("dgrid.store.contents.EpochFile.append", full)
            answer = await stage.ask()
        assert answer.code == "storage_unavailable"
        await until(lambda: stage.account().held_wei == 0)
        assert stage.account().spent_wei == 0
        assert (await stage.ask()).status == 200

    play(tmp_path, scenes)


def test_a_disk_that_was_full_for_a_while_ends_no_disclosing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that went on without it would be convicted of hiding whatever is drawn from then on."""
    failed = asyncio.Event()

    def full(_path: Path, _data: bytes) -> None:
        failed.set()
        raise OSError(28, "No space left on device")

    async def scenes(stage: Stage) -> None:
        stage.court.enrol(evaluators())
        await stage.ask()
        with monkeypatch.context() as patched:
            patched.setattr("dgrid.gateway.disclosing.write_whole", full)
            await anchored(stage)
            await failed.wait()
        assert len((await disclosure(stage)).leaves) > 0

    play(tmp_path, scenes)


@pytest.mark.parametrize("step", ["anchored", "drawn", "sealed", "stored", "disclosed"])
def test_killed_between_seed_and_disclosure_it_discloses_once(tmp_path: Path, step: str) -> None:
    copy, memory = tmp_path / "copy", dict[str, Any]()

    async def until_killed(stage: Stage) -> None:
        stage.court.enrol(evaluators())
        await stage.ask()
        await stage.ask(dgrid=PUBLIC)
        if step in ("anchored", "drawn"):
            stage.service.discloser._not_before_ms[stage.clock.epoch_at(stage.now_ms())] = 2**60
        stage.court.down = step == "stored"
        stage.archives.refused = MAGIC if step == "sealed" else b""
        epoch = stage.clock.epoch_at(stage.now_ms())
        await anchored(stage)
        if step == "drawn":
            stage.court.draw(epoch)
        path = stage.folder / "disclosures" / str(epoch)
        if step in ("sealed", "stored"):
            await until(path.exists)
            await asyncio.sleep(0.3)
        if step == "disclosed":
            await until(lambda: bool(stage.court.disclosed))
        memory.update(stage=stage, blob=path.read_bytes() if path.exists() else b"", epoch=epoch)
        shutil.copytree(stage.folder, copy)

    async def resumed(stage: Stage) -> None:
        before: Stage = memory["stage"]
        stage.now_ms.ahead_ms = before.now_ms.ahead_ms
        stage.chain.roots.update(before.chain.roots)
        stage.court.evaluators, stage.court.view = before.court.evaluators, before.court.view
        await until(lambda: (GATEWAY_KEY.address, memory["epoch"]) in stage.court.view.disclosures)
        await asyncio.sleep(0.6)
        assert len(before.court.disclosed) + len(stage.court.disclosed) == 1
        disclosed = [*before.court.disclosed, *stage.court.disclosed][0][1]
        blob = {**before.archives.blobs, **stage.archives.blobs}[disclosed]
        assert memory["blob"] in (b"", blob)
        found = decode_quality(blob)
        assert isinstance(found, Disclosure)
        assert len(found.leaves) == 2
        assert len(before.court.fixed) + len(stage.court.fixed) == (0 if step == "drawn" else 1)

    play(tmp_path / "first", until_killed)
    before: Stage = memory["stage"]
    play(copy, resumed, clock=before.clock)


def test_what_is_anchored_late_in_an_epoch_is_disclosed_in_the_next(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.court.enrol(evaluators())
        await stage.ask()
        stage.now_ms.ahead_ms += 3400 * 1000  # the next epoch will have run for most of its hour
        epoch = await anchored(stage)
        await disclosure(stage)
        assert stage.court.fixed == [epoch]
        assert stage.court.view.draws[GATEWAY_KEY.address, epoch].round == epoch + 2

    play(tmp_path, scenes)


def test_a_gateway_waits_for_the_first_evaluator_before_it_lets_anything_be_drawn(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        await stage.ask()
        epoch = await anchored(stage)
        stage.now_ms.ahead_ms += 10_000
        stage.court.enrol(evaluators())
        models = dict(stage.court.view.declared)
        stage.court.view.declared.clear()  # registered, and nobody knows yet what they can judge
        await asyncio.sleep(0.6)
        assert stage.court.fixed == []
        stage.court.view.declared.update(models)
        (leaf,) = (await disclosure(stage)).leaves
        assert stage.court.fixed == [epoch]
        assert len(leaf.keys) == DRAWN_ALL.committee_size

    play(tmp_path, scenes)


def test_where_none_comes_the_gateway_draws_all_the_same_and_keeps_nothing(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        await stage.ask()
        epoch = await anchored(stage)
        stage.now_ms.ahead_ms += 31_000
        await until(lambda: stage.service.contents.epochs() == [])
        assert stage.court.fixed == [epoch]

    play(tmp_path, scenes)


def test_what_was_kept_is_deleted_when_the_round_is_over(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.court.enrol(evaluators())
        await stage.ask()
        epoch = await anchored(stage)
        await disclosure(stage)
        assert stage.service.contents.epochs() == [epoch]
        over(stage)
        await until(lambda: stage.service.contents.epochs() == [])
        assert list((stage.folder / "contents").iterdir()) == []
        assert list((stage.folder / "disclosures").iterdir()) == []

    play(tmp_path, scenes)


def test_with_nobody_to_judge_nothing_is_disclosed_and_nothing_is_kept(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.court.enrol(evaluators((PAYER_KEY.address, bytes(32))))  # a party to every leaf
        await stage.ask()
        await anchored(stage)
        await until(lambda: stage.service.contents.epochs() == [])
        assert stage.court.disclosed == []
        metrics = (await stage.get("/metrics")).body
        assert b'dgrid_disclosures_total{step="nothing"} 1' in metrics

    play(tmp_path, scenes)


def test_an_unusable_key_of_one_member_does_not_keep_the_content_from_the_others(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        good, *_ = KEYS
        broken = [Address(bytes([0xD0, at]) + bytes(18)) for at in range(2)]
        keys = (good, bytes(KEYS[good].public_key)), (broken[0], bytes(32)), (broken[1], b"short")
        stage.court.enrol(evaluators(*keys))
        await stage.ask()
        await anchored(stage)
        (leaf,) = (await disclosure(stage)).leaves
        assert [one.evaluator for one in leaf.keys] == [good]
        assert opened(leaf, good).answer

    play(tmp_path, scenes, Script())


def test_an_archive_short_of_the_quorum_is_enough_once_time_runs_out(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.court.enrol(evaluators())
        await stage.ask()
        await anchored(stage)
        stage.archives.down = 2
        await until(lambda: bool(stage.court.fixed))
        await asyncio.sleep(0.6)
        assert stage.court.disclosed == []
        stage.now_ms.ahead_ms += stage.clock.length_s * 1000 * 2 // 3
        await until(lambda: bool(stage.court.disclosed))

    play(tmp_path, scenes)


def test_no_more_is_sealed_for_an_evaluator_than_it_may_have_to_judge(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.court.enrol(evaluators()[:1])
        stage.court.rule(replace(DRAWN_ALL, duty_cap=4))
        for at in range(9):
            await stage.ask(f"Question {at}")
        await anchored(stage)
        assert len((await disclosure(stage)).leaves) == 4

    play(tmp_path, scenes)


def test_a_place_tells_contents_apart(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        answers = await asyncio.gather(*(stage.ask(f"Question {at}") for at in range(20)))
        for at, answer in enumerate(answers):
            signed = await document(stage, answer.receipt_id)
            place = signed.receipt.place
            content = stage.service.contents.get(
                Place(place.epoch, place.lane, place.sequence), signed.receipt.struct_hash()
            )
            assert content is not None
            assert f'Question {at}"'.encode() in content.request

    play(tmp_path, scenes)
