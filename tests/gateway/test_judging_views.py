"""How far judging has come with a receipt: told to anybody, as the chain and the archives have it, without content."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.stage import GATEWAY_KEY, Stage, StagedArchives, play, until
from tests.gateway.staged_reports import KEYS, drawable, drawn, opened, signed

from dgrid.core.errors import RateLimited
from dgrid.core.identity import Address, to_hex
from dgrid.gateway.judging_views import BLOBS_KEPT, WAITING_MAX, OpenedReports
from dgrid.wire.quality import Change, Identity, LeafKey, Report, Verdict


async def judging(stage: Stage, receipt_id: str) -> Any:
    return (await stage.get(f"/v1/receipts/{receipt_id}/judging")).json


def test_a_young_receipt_is_in_no_root_yet(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        found = await judging(stage, (await stage.ask()).receipt_id)
        assert found == {"judging": "not anchored", "anchor": None, "draw": None, "committee": [], "findings": []}

    play(tmp_path, scenes)


def test_what_nobody_may_read_is_never_drawn(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.court.enrol(drawable())
        answer = await stage.ask(dgrid={"privacy": "none"})
        await drawn(stage, answer)
        found = await judging(stage, answer.receipt_id)
        assert (found["judging"], found["committee"]) == ("not drawn", [])
        assert found["draw"]["quality"] is found["draw"]["identity"] is False

    play(tmp_path, scenes)


def test_it_says_who_was_drawn_and_what_each_found_or_why_nothing(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.court.enrol(drawable())
        answer = await stage.ask("Who lives in Oslo?")
        key, document, judged_round = await drawn(stage, answer)
        scores: dict[str, Any] = {"accuracy_bps": 8_100, "cost_bps": 10_000}
        read = Identity(9, 1_500, 0, 0, -1)
        report = Report(key, document.receipt.struct_hash(), Verdict.JUDGED, **scores, identity=read)
        truthful, thief, silent = KEYS
        opened(stage, truthful, signed(truthful, judged_round, report))
        opened(stage, thief, signed(truthful, judged_round, report))
        cause = Change(document.receipt.parties.node, bytes(32), "", "judgement", key, 8_000, 400_000)
        stage.service.credibility.changes[judged_round] = (cause,)
        reply = await stage.get(f"/v1/receipts/{answer.receipt_id}/judging")
        assert b"Oslo" not in reply.body
        found = reply.json
        assert found["judging"] == "drawn"
        assert found["draw"]["quality"] is True
        said = {one["evaluator"]: one for one in found["committee"]}
        assert said.keys() == {to_hex(one.address) for one in KEYS}
        told = {"verdict": "judged", "absence": "", **scores, "consistency_bps": None, "format_bps": None}
        whole = {"evaluator": to_hex(truthful.address), **told, "gap_micros": 1_500}
        assert said[to_hex(truthful.address)] == whole
        for other, why in ((thief, "no archive holds"), (silent, "opened no reports")):
            assert said[to_hex(other.address)]["verdict"] is None
            assert why in said[to_hex(other.address)]["absence"]
        assert [(one["score_bps"], one["weight_micros"]) for one in found["findings"]] == [(8_000, 400_000)]

    play(tmp_path, scenes)


def test_the_root_s_transaction_is_that_of_the_chain(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        answer = await stage.ask()
        key, _, _ = await drawn(stage, answer)
        anchor = stage.court.view.roots[Address(key.gateway), key.epoch]
        shown = (await judging(stage, answer.receipt_id))["anchor"]
        assert shown["transaction"] == to_hex(anchor.transaction) == "0x" + "77" * 32
        assert (shown["digest"], shown["block"]) == (to_hex(anchor.digest), anchor.block)

    play(tmp_path, scenes)


def test_an_unknown_receipt_is_not_found(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        answer = await stage.get(f"/v1/receipts/0x{'11' * 32}/judging")
        assert (answer.status, answer.code) == (404, "receipt_not_found")

    play(tmp_path, scenes)


class SlowArchives(StagedArchives):
    """Archives that answer only when told to, and count who asks."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.asked = asyncio.Event(), 0

    async def fetch(self, blob_id: bytes) -> bytes:
        self.asked += 1
        await self.gate.wait()
        return await super().fetch(blob_id)


def test_a_crowd_that_asks_for_the_same_costs_one_fetch_and_has_bounds(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        archives, key = SlowArchives(), LeafKey(GATEWAY_KEY.address, 1, 0, 0)
        reports = signed(KEYS[0], 5, Report(key, bytes(32), Verdict.UNDISCLOSED))
        opened(stage, KEYS[0], reports)
        archives.blobs = stage.archives.blobs
        reader, evaluator = OpenedReports(stage.court, archives), Address(KEYS[0].address)
        crowd = [asyncio.create_task(reader.report(5, evaluator, key=key)) for _ in range(WAITING_MAX)]
        await until(lambda: archives.asked == 1)
        with pytest.raises(RateLimited):
            await reader.report(5, evaluator, key=key)
        archives.gate.set()
        assert await asyncio.gather(*crowd) == [(reports.reports[0], "")] * WAITING_MAX
        assert archives.asked == 1

    play(tmp_path, scenes)


def test_an_archive_that_never_answers_holds_nobody(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        archives, key = SlowArchives(), LeafKey(GATEWAY_KEY.address, 1, 0, 0)
        opened(stage, KEYS[0], signed(KEYS[0], 5))
        reader = OpenedReports(stage.court, archives, fetch_s=0.05)
        found = await reader.report(5, Address(KEYS[0].address), key=key)
        assert found == (None, "no archive answers with its reports now")

    play(tmp_path, scenes)


def test_only_the_latest_blobs_are_kept(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        archives, key = SlowArchives(), LeafKey(GATEWAY_KEY.address, 1, 0, 0)
        archives.gate.set()
        archives.blobs = stage.archives.blobs
        reader, evaluator = OpenedReports(stage.court, archives), Address(KEYS[0].address)
        for judged_round in range(BLOBS_KEPT + 1):
            opened(stage, KEYS[0], signed(KEYS[0], judged_round))
            await reader.report(judged_round, evaluator, key=key)
        await reader.report(BLOBS_KEPT, evaluator, key=key)
        assert archives.asked == BLOBS_KEPT + 1
        await reader.report(0, evaluator, key=key)
        assert archives.asked == BLOBS_KEPT + 2

    play(tmp_path, scenes)
