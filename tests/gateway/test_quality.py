"""What judges found: believed only as far as the chain's root goes, shown to everybody, written on every receipt."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.gateway.stage import API_KEY, GATEWAY_KEY, TOKEN, Stage, play, until
from tests.gateway.staged_court import COURT

from dgrid.chain.events import Kind, Role
from dgrid.chain.view import Member, PostedQuality
from dgrid.core.errors import CheckFailed, NetworkUnreachable
from dgrid.core.identity import ZERO_ADDRESS, Address, Hash, model_id, to_hex
from dgrid.core.keccak import keccak
from dgrid.engines.scripted import Script
from dgrid.gateway.credibility import CredibilityReader, checked_table
from dgrid.wire.blob import blob_id
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import QualityRoot
from dgrid.wire.quality import (
    BalanceRow,
    Change,
    CredibilityRow,
    Disclosure,
    LeafKey,
    PayoutAccount,
    PayoutKind,
    QualityTable,
    amount_of,
    credibility_root,
    encode_quality,
)

EVALUATOR = Address(b"\xe1" * 20)
TINY = bytes(model_id("tiny"))


def row(node: bytes, mean_bps: int, samples: int, task: str = "") -> CredibilityRow:
    good, bad = mean_bps * samples * 100, (10_000 - mean_bps) * samples * 100
    low, high = max(0, mean_bps - 300), min(10_000, mean_bps + 300)
    return CredibilityRow(node, TINY, task, good, bad, mean_bps, low, high, samples, 4)


def table_of(*rows: CredibilityRow, changes: tuple[Change, ...] = (), judged_round: int = 4) -> QualityTable:
    empty = dict.fromkeys(QualityTable.__struct_fields__, ())
    known: dict[str, Any] = {
        "chain_id": COURT.chain_id,
        "court": COURT.verifying_contract,
        "round": judged_round,
        "previous": bytes(32),
        "credibility": rows,
        "changes": changes,
        "balances": (BalanceRow(EVALUATOR, 61, 1_234_567, (), amount_of(5 * 10**18), 2),),
        "judged": ((GATEWAY_KEY.address, 3),),
    }
    return QualityTable(**{**empty, **known})


def posted(table: QualityTable, **wrong: Any) -> PostedQuality:
    name = blob_id(encode_quality(table))
    root = QualityRoot(
        table.round, TOKEN, credibility_root(table.credibility), bytes(32), 0, 7 * 10**18, bytes(32), name, bytes(32)
    )
    root = msgspec.structs.replace(root, **wrong)
    return PostedQuality(root, Hash(root.struct_hash()), 9, 1_700_000_000_000)


async def judged(stage: Stage, table: QualityTable) -> None:
    """The table is final on chain, and this gateway goes by it."""
    blob = encode_quality(table)
    stage.archives.blobs[blob_id(blob)] = blob
    stage.court.view.quality_roots[table.round] = posted(table)
    await until(lambda: stage.service.router.picture.credibility.round == table.round)


def test_a_table_is_believed_only_if_it_is_the_one_behind_the_root(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        table = table_of(row(b"\x01" * 20, 8_000, 50))
        court = stage.court
        assert checked_table(encode_quality(table), posted(table), court=court) == table
        lies: list[tuple[bytes, PostedQuality]] = [
            (encode_quality(table), posted(table, credibility_root=b"\x01" * 32)),
            (encode_quality(table), posted(table, round=5)),
            (encode_quality(msgspec.structs.replace(table, court=b"\x14" * 20)), posted(table)),
            (encode_quality(Disclosure(1, b"", b"", 0, b"", ())), posted(table)),
            (b"noise", posted(table)),
        ]
        for blob, root in lies:
            with pytest.raises(CheckFailed):
                checked_table(blob, root, court=court)

    play(tmp_path, scenes)


def test_the_last_table_stands_until_the_next_is_here(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        node = stage.nodes[0].key.address
        await judged(stage, table_of(row(node, 8_000, 50)))
        missing = table_of(row(node, 1_000, 50), judged_round=5)
        stage.court.view.quality_roots[5] = posted(missing)
        answer = await stage.ask(dgrid={"explain": True})
        why = answer.json["usage"]["dgrid"]["route"]
        assert (why["round"], why["credibility_bps"], why["samples"]) == (4, 8_000, 50)
        await judged(stage, missing)

    play(tmp_path, scenes)


def test_every_receipt_s_label_tells_what_was_known_of_its_node(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        async def label() -> Any:
            answer = await stage.ask()
            body = (await stage.get(f"/v1/receipts/{answer.receipt_id}", key=API_KEY)).body
            document = ReceiptDocument.decode(body)
            assert document.label.digest() == document.receipt.hashes.label
            return document.label

        before = await label()
        assert (before.credibility_low_bps, before.credibility_high_bps) == (0, 10_000)
        await judged(stage, table_of(row(stage.nodes[0].key.address, 8_000, 50)))
        after = await label()
        assert (after.credibility_low_bps, after.credibility_high_bps) == (7_700, 8_300)
        assert set(before.validity) >= {"signature", "output", "evidence", "model"}

    play(tmp_path, scenes)


@pytest.mark.parametrize(("text", "fits"), [('{"city": "Oslo"}', True), ('{"town": 3}', False), ("Oslo", False)])
def test_the_label_says_whether_an_object_has_the_shape_that_was_asked_for(
    tmp_path: Path, text: str, *, fits: bool
) -> None:
    shape = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

    async def scenes(stage: Stage) -> None:
        wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": shape}}
        answer = await stage.ask(response_format=wanted)
        document = ReceiptDocument.decode((await stage.get(f"/v1/receipts/{answer.receipt_id}")).body)
        assert ("format" in document.label.validity) is fits

    play(tmp_path, scenes, Script(pieces=[text]))


def test_nodes_are_shown_with_what_was_found_of_them(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        good, bad, new = (node.key.address for node in stage.nodes)
        stage.court.view.received[Address(good), Kind.NODE] = 40
        for gateway in (b"\1", b"\2"):
            account = PayoutAccount(PayoutKind.NODE, Address(gateway * 20), Address(good))
            stage.court.view.paid_out[account] = 1
        await judged(stage, table_of(row(good, 8_500, 50), row(bad, 4_000, 50), row(good, 9_000, 20, "extract")))
        for _ in range(30):
            await stage.ask()
        nodes = {node["address"]: node for node in (await stage.get("/v1/network/nodes")).json["nodes"]}
        shown = nodes[to_hex(good)]
        assert (shown["credibility_bps"], shown["low_bps"], shown["high_bps"]) == (8_500, 8_200, 8_800)
        assert (shown["samples"], shown["repute"], shown["paid_wei"]) == (50, "proven", "42")
        assert [one["task"] for one in shown["credibility"]] == ["all", "extract"]
        assert int(shown["earned_here_wei"]) > 0
        assert nodes[to_hex(bad)]["repute"] == "doubtful"
        assert (nodes[to_hex(new)]["repute"], nodes[to_hex(new)]["credibility_bps"]) == ("new", None)
        assert 9_990 <= sum(node["traffic_share_bps"] for node in nodes.values()) <= 10_000
        assert nodes[to_hex(bad)]["served"] <= 3

    play(tmp_path, scenes, Script(), Script(), Script())


def test_evaluators_are_shown_with_tasks_balance_and_earnings(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        view = stage.court.view
        member = Member(Role.EVALUATOR, EVALUATOR, "http://e", 10**21, 0, bytes(32), bytes(32), active=True)
        view.members[Role.EVALUATOR, EVALUATOR] = member
        view.declared[Role.EVALUATOR, EVALUATOR] = (keccak(b"weights"), b"\x09" * 32)
        view.rounds_opened[EVALUATOR], view.rounds_withheld[EVALUATOR] = 7, 1
        view.paid_out[PayoutAccount(PayoutKind.EVALUATOR, ZERO_ADDRESS, EVALUATOR)] = 3
        await judged(stage, table_of())
        (shown,) = (await stage.get("/v1/network/evaluators")).json["evaluators"]
        assert shown["models"] == [to_hex(b"\x09" * 32), "tiny"]
        assert (shown["tasks"], shown["balance_micros"], shown["missed"]) == (61, 1_234_567, 2)
        assert (shown["earned_wei"], shown["paid_wei"]) == (str(5 * 10**18), "3")
        assert (shown["rounds_opened"], shown["rounds_withheld"]) == (7, 1)

    play(tmp_path, scenes)


def test_every_change_leads_to_the_receipt_behind_it(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        answer = await stage.ask()
        node, place = stage.nodes[0].key.address, stage.service.reader.latest(1)[0]
        ours = LeafKey(GATEWAY_KEY.address, place.epoch, place.lane, place.sequence)
        theirs = LeafKey(b"\x0f" * 20, 3, 0, 7)
        changes = tuple(Change(node, TINY, "chat", "canary", key, 9_000, 1_000_000) for key in (ours, theirs))
        gateway = Member(Role.GATEWAY, Address(b"\x0f" * 20), "http://g", 1, 0, b"", b"", active=True)
        stage.court.view.members[Role.GATEWAY, gateway.address] = gateway
        stage.court.view.canary_openings[EVALUATOR, gateway.address, 3] = b"\x01" * 32
        table = table_of(row(node, 8_000, 50), changes=changes)
        await judged(stage, table)
        shown = (await stage.get("/v1/network/quality")).json
        assert [change["receipt"] for change in shown["changes"]] == [answer.receipt_id, None]
        assert shown["changes"][1]["gateway_url"] == "http://g"
        assert shown["changes"][0]["model"] == "tiny"
        assert shown["latest"]["round"] == 4
        assert shown["rounds"][0]["blob_id"] == to_hex(blob_id(encode_quality(table)))
        assert shown["canaries_opened"][0]["epoch"] == 3
        assert (await stage.get("/v1/network/quality?limit=1")).json["changes"] == shown["changes"][:1]

    play(tmp_path, scenes)


def test_what_moved_credibility_is_told_of_earlier_rounds_too_also_after_a_restart(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        node, key = stage.nodes[0].key.address, LeafKey(b"\x0f" * 20, 3, 0, 7)
        moved = Change(node, TINY, "chat", "canary", key, 9_000, 1_000_000)
        other = Change(b"\x0e" * 20, TINY, "chat", "canary", key, 1_000, 1_000_000)
        earlier = table_of(row(node, 8_000, 50), changes=(moved, other), judged_round=4)
        stage.archives.blobs[posted(earlier).root.blob_id] = encode_quality(earlier)
        stage.court.view.quality_roots[3] = posted(table_of(judged_round=3))
        stage.archives.blobs[stage.court.view.quality_roots[3].root.blob_id] = b"noise"
        stage.court.view.quality_roots[4] = posted(earlier)  # never the latest one while this gateway ran
        await judged(stage, table_of(row(node, 8_000, 50), judged_round=5))
        await until(lambda: 4 in stage.service.credibility.changes)
        await until(lambda: 3 in stage.service.credibility.changes)
        shown = (await stage.get("/v1/network/quality")).json["changes"]
        assert [(one["round"], one["score_bps"]) for one in shown] == [(4, 9_000), (4, 1_000)]
        asked = await stage.get(f"/v1/network/quality?node={to_hex(node)}")
        assert asked.json["changes"] == shown[:1]
        assert (await stage.get("/v1/network/quality?node=0x12")).status == 400

    play(tmp_path, scenes)


def test_an_earlier_round_is_asked_for_again_unless_an_archive_answered(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        moved = Change(b"\x0e" * 20, TINY, "chat", "canary", LeafKey(b"\x0f" * 20, 3, 0, 7), 9_000, 1_000_000)
        earlier = table_of(changes=(moved,), judged_round=4)
        roots, blobs = stage.court.view.quality_roots, stage.archives.blobs
        roots[3], roots[4] = posted(table_of(judged_round=3)), posted(earlier)
        reader = CredibilityReader(stage.court, stage.archives, publish=lambda _: None)
        with pytest.raises(NetworkUnreachable):
            await reader.recall()
        blobs[roots[4].root.blob_id], blobs[roots[3].root.blob_id] = encode_quality(earlier), b"noise"
        await reader.recall()
        with pytest.raises(CheckFailed):
            await reader.recall()
        await reader.recall()
        assert reader.changes == {4: (moved,), 3: ()}

    play(tmp_path, scenes)


def test_a_receipt_is_found_by_its_place_as_changes_name_it(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        answer = await stage.ask()
        place = stage.service.reader.latest(1)[0]
        name = f"{place.epoch}.{place.lane}.{place.sequence}"
        by_place, by_id = await stage.get(f"/v1/receipts/{name}"), await stage.get(f"/v1/receipts/{answer.receipt_id}")
        assert by_place.status == 200
        assert by_place.json == by_id.json
        missing = await stage.get(f"/v1/receipts/{place.epoch}.{place.lane}.99")
        assert (missing.status, missing.json["error"]["code"]) == (404, "receipt_not_found")

    play(tmp_path, scenes)


def test_before_the_first_judgement_nothing_is_claimed(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        shown = (await stage.get("/v1/network/quality")).json
        assert shown == {"latest": None, "rounds": [], "changes": [], "flagged": [], "canaries_opened": []}
        assert (await stage.get("/v1/network/evaluators")).json == {"round": None, "evaluators": []}
        (node,) = (await stage.get("/v1/network/nodes")).json["nodes"]
        assert (node["credibility_bps"], node["low_bps"], node["high_bps"], node["samples"]) == (None, 0, 10_000, 0)

    play(tmp_path, scenes)
