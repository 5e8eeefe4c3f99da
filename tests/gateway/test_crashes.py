"""A gateway killed at any moment of a request: what was in flight costs nothing, what was billed stands, nothing twice.

The kill is a copy of the gateway's folder at that moment, as kill −9 would leave it, on which another gateway starts.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.stage import API_KEY, Stage, play, until

from dgrid.core.errors import StorageUnavailable
from dgrid.engines.scripted import Script
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.verification import verify_receipt

HEADERS = {"idempotency-key": "the one"}


def test_killed_between_hold_and_receipt_the_caller_pays_nothing_and_may_ask_again(tmp_path: Path) -> None:
    copy = tmp_path / "copy"

    async def until_killed(stage: Stage) -> None:
        asked = asyncio.create_task(stage.ask(headers=HEADERS))
        await until(lambda: stage.nodes[0].stand.presence.in_flight == 1)
        assert stage.account().held_wei > 0
        shutil.copytree(stage.folder, copy)
        await asked

    async def resumed(stage: Stage) -> None:
        assert (stage.account().spent_wei, stage.account().held_wei) == (0, 0)
        answer = await stage.ask(headers=HEADERS)
        assert answer.status == 200
        assert b"x-dgrid-cache" not in answer.headers

    play(tmp_path / "first", until_killed, Script(first_delay_s=0.3))
    play(copy, resumed)


@pytest.mark.parametrize("is_sealed", [False, True], ids=["before the signature", "before the acknowledgement"])
def test_killed_after_the_receipt_it_stands_at_its_place_and_reaches_its_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_sealed: bool
) -> None:
    copy, memory = tmp_path / "copy", dict[str, Any]()

    def broken(_self: object) -> None:
        raise StorageUnavailable("the disk does not answer")

    async def until_killed(stage: Stage) -> None:
        if not is_sealed:
            monkeypatch.setattr("dgrid.store.ledger.Ledger.sync", broken)
        memory["answer"] = await stage.ask(headers=HEADERS)
        memory["spent"] = stage.account().spent_wei
        await asyncio.sleep(0.1)
        assert len(stage.service.reader.unsealed()) == (0 if is_sealed else 1)
        memory["receipt"] = stage.service.reader.latest(1)[0].receipt
        shutil.copytree(stage.folder, copy)
        monkeypatch.undo()

    async def resumed(stage: Stage) -> None:
        receipt, first = memory["receipt"], memory["answer"]
        assert (stage.account().spent_wei, stage.account().held_wei) == (memory["spent"], 0)
        found = await stage.get(f"/v1/receipts/{first.receipt_id}", key=API_KEY)
        document = ReceiptDocument.decode(found.body)
        assert document.receipt == receipt
        assert all(check.ok for check in verify_receipt(document))
        again = await stage.ask(headers=HEADERS)
        assert (again.body, again.headers[b"x-dgrid-cache"]) == (first.body, b"replay")
        other = await stage.ask("Who works in Rome?")
        assert other.status == 200
        held = stage.nodes[0].stand.meter.receipts()
        assert [one.receipt for one in held] == [receipt]  # it came with the next dispatch
        listed = (await stage.get("/v1/receipts", key=API_KEY)).json["receipts"]
        assert sorted(one["sequence"] for one in listed) == [0, 1]
        assert stage.account().spent_wei == 2 * memory["spent"]

    play(tmp_path / "first", until_killed)
    play(copy, resumed)


def test_a_full_disk_is_said_bills_nothing_and_passes(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        assert (await stage.ask()).status == 200
        spent_wei = stage.account().spent_wei
        db = stage.service.ledger._db
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
        answers = [await stage.ask(f"Question {at} in Rome") for at in range(40)]
        refused = [answer for answer in answers if answer.status != 200]
        assert refused
        assert {(answer.status, answer.code) for answer in refused} == {(503, "storage_unavailable")}
        db.execute("PRAGMA max_page_count = 1000000")
        await until(lambda: stage.account().held_wei == 0)
        assert stage.account().spent_wei == spent_wei * (1 + len(answers) - len(refused))
        assert (await stage.ask()).status == 200
        assert len((await stage.get("/v1/receipts?limit=100", key=API_KEY)).json["receipts"]) == 42 - len(refused)

    play(tmp_path, scenes)
