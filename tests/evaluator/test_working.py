"""Rounds on a real chain with real archives, step by step; the chain's clock is moved by hand."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.evaluator.stage import Seat, Stage, on_stage
from tests.settlement.network import silent_archive

from dgrid.chain.view import Draw
from dgrid.core.errors import NotYet
from dgrid.evaluator import concluding
from dgrid.evaluator.planning import Pull
from dgrid.evaluator.working import ChainTime
from dgrid.processes.life import now_ms
from dgrid.settlement.archives import Archives, doors_of
from dgrid.wire.quality import NOT_SCORED, Report, Reports, Verdict, decode_quality


async def opened_reports(stage: Stage, draw: Draw, seat: Seat) -> tuple[Report, ...]:
    opening = stage.view.openings[draw.round, seat.me]
    blob = decode_quality(await stage.network.archives.fetch(opening.blob_id))
    assert isinstance(blob, Reports)
    return blob.reports


async def commit_all(stage: Stage, draw: Draw, *seats: Seat) -> None:
    await stage.go_to(stage.windows(draw.round).commit_from_s)
    await stage.until(lambda view: all((draw.round, seat.me) in view.commitments for seat in seats), *seats)


async def committed(stage: Stage, *seats: Seat) -> Draw:
    """An epoch's draw that evaluators have judged, and committed to their reports of."""
    await stage.anchor(40)
    draw = await stage.drawn(40, seats[0])
    await stage.disclose(draw)
    await stage.judged(draw, *seats)
    await commit_all(stage, draw, *seats)
    return draw


async def reveal_all(stage: Stage, draw: Draw, *seats: Seat) -> None:
    await stage.go_to(stage.windows(draw.round).reveal_from_s)
    await stage.until(lambda view: all((draw.round, seat.me) in view.openings for seat in seats), *seats)


async def post(stage: Stage, draw: Draw, *seats: Seat) -> None:
    await stage.go_to(stage.windows(draw.round).post_from_s + 10)
    await stage.until(lambda view: view.last_quality_round == draw.round, *seats)


def test_a_round_is_drawn_judged_committed_opened_and_posted_by_those_who_agree(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        seats = list(stage.seats.values())
        draw = await committed(stage, *seats)
        await reveal_all(stage, draw, *seats)
        for seat in seats:
            wanted = {duty.leaf.key: duty for duty in await stage.duties(draw, seat.name)}
            reports = await opened_reports(stage, draw, seat)
            assert [report.key for report in reports] == sorted(wanted)
            for report in reports:
                scored = 10_000 if wanted[report.key].quality else NOT_SCORED
                assert (report.verdict, report.accuracy_bps) == (Verdict.JUDGED, scored)
                assert report.consistency_bps in (scored, NOT_SCORED)
                assert len(report.peers) in ((1, 2) if wanted[report.key].quality else (0,))
        await post(stage, draw, *seats)
        signed = [one for seat in seats if (one := seat.journal.signature(draw.round)) is not None]
        assert 2 * len(signed) > len(seats)  # who is posted before it has signed has no more to say
        assert {one.root for one in signed} == {stage.view.quality_roots[draw.round].root}

    on_stage(tmp_path, main)


def test_one_evaluator_alone_judges_signs_and_posts(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        await stage.anchor(40)
        draw = await stage.drawn(40, seat)
        await stage.disclose(draw)
        await stage.judged(draw, seat)
        for step in (commit_all, reveal_all, post):
            await step(stage, draw, seat)

    on_stage(tmp_path, main, evaluators=1)


def test_without_requests_nothing_is_drawn_sent_or_signed(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        for moment_s in (0, 60, 75, 90):
            await stage.go_to(await stage.chain_s() + moment_s)
            await stage.turn(seat)
        assert (seat.loop.tally.steps.values, seat.loop.tally.refused.values) == ({}, {})

    on_stage(tmp_path, main, evaluators=1)


@pytest.mark.parametrize("is_late", [False, True])
def test_what_is_not_disclosed_in_time_is_reported_undisclosed(tmp_path: Path, *, is_late: bool) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        await stage.anchor(40)
        draw = await stage.drawn(40, seat)
        await stage.go_to(stage.windows(draw.round).commit_from_s)
        if is_late:
            await stage.disclose(draw)
        await commit_all(stage, draw, seat)
        await reveal_all(stage, draw, seat)
        reports = await opened_reports(stage, draw, seat)
        assert reports
        assert {report.key for report in reports} == {duty.leaf.key for duty in await stage.duties(draw, seat.name)}
        assert {report.verdict for report in reports} == {Verdict.UNDISCLOSED}

    on_stage(tmp_path, main, evaluators=1)


def test_content_that_is_not_what_was_signed_is_reported_altered(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        await stage.anchor(40)
        draw = await stage.drawn(40, seat)
        await stage.disclose(draw, altered=True)
        await stage.judged(draw, seat)
        assert {report.verdict for report in seat.journal.reports(draw.round)} == {Verdict.ALTERED}
        assert stage.asked == []

    on_stage(tmp_path, main, evaluators=1)


def test_what_a_root_released_is_fetched_once_it_was_collected(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        await stage.anchor(40, vouchers=False)
        draw = await stage.drawn(40, seat)
        for step in (commit_all, reveal_all, post):
            await step(stage, draw, seat)
        court, pull = stage.net.contracts.quality_court, Pull(draw.gateway)
        owed = await court.read(stage.net.rpc, "owed", [draw.gateway])
        assert owed > 0
        with pytest.raises(NotYet):  # nothing is there yet: nothing is sent
            await seat.loop.clerk.pull(pull)
        assert await court.read(stage.net.rpc, "owed", [draw.gateway]) == owed
        await stage.anchor(41)
        await stage.network.loop.step()  # collects for both epochs
        await seat.loop.clerk.pull(pull)
        assert await court.read(stage.net.rpc, "owed", [draw.gateway]) == 0
        assert await court.read(stage.net.rpc, "releasesHeld", [draw.gateway]) == owed

    on_stage(tmp_path, main, evaluators=1)


def test_the_chains_time_is_found_again_when_the_own_clock_was_set() -> None:
    clock = {"wall": 1_000.0, "steady": 50.0}

    def pass_s(seconds: float, *, set_by: float = 0.0) -> None:
        clock["steady"] += seconds
        clock["wall"] += seconds + set_by

    latest = [1_000]
    chain = ChainTime(lambda: latest[0], lambda: int(clock["wall"] * 1000), steady_s=lambda: clock["steady"])
    assert chain.read() == 1_000
    pass_s(10, set_by=-3_600)
    latest[0] = 1_010
    assert chain.read() == 1_010, "an hour behind, but a block tells"
    pass_s(5)
    assert chain.read() == 1_015, "and so it is while none comes"
    pass_s(5, set_by=3_600)
    assert chain.read() == 1_020
    latest[0] = 1_050
    assert chain.read() == 1_050


def test_a_clock_that_is_ahead_shows_no_reports_before_the_court_takes_openings(tmp_path: Path) -> None:
    """Whoever reads them may still commit to the same."""

    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        draw = await committed(stage, seat)
        right, ahead_s = seat.loop.time, stage.windows(draw.round).reveal_from_s + 1
        seat.loop.time = ChainTime(lambda: ahead_s, now_ms)
        for _ in range(10):
            await stage.turn(seat)
        fixed = seat.journal.commitment(draw.round)
        assert fixed is not None
        assert not any(store.has(fixed.blob_id) for store in stage.network.stores)
        seat.loop.time = right
        await reveal_all(stage, draw, seat)
        assert all(store.has(fixed.blob_id) for store in stage.network.stores)

    on_stage(tmp_path, main, evaluators=1)


@pytest.mark.parametrize("answering", [0, 1])
def test_archives_that_are_silent_may_cost_a_round_and_never_stake(tmp_path: Path, *, answering: int) -> None:
    """What is not opened is slashed: so it is opened, where none answers without what it says."""

    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        draw = await committed(stage, seat)
        async with silent_archive() as door, silent_archive() as other:
            doors = [door, other, *doors_of(stage.view)[:answering]]
            archives = Archives(stage.net.http, lambda: doors, domain=stage.net.domain)
            seat.loop.clerk = replace(seat.loop.clerk, archives=archives)
            await reveal_all(stage, draw, seat)
        opening = stage.view.openings[draw.round, seat.me]
        assert sum(store.has(opening.blob_id) for store in stage.network.stores) == answering

    on_stage(tmp_path, main, evaluators=1)


def test_an_evaluator_that_withholds_its_reports_is_penalized_by_another(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        honest, silent = stage.seats.values()
        draw = await committed(stage, honest, silent)
        await reveal_all(stage, draw, honest)
        await stage.go_to(stage.windows(draw.round).open_from_s + 6)
        await stage.until(lambda view: (draw.round, silent.me) in view.penalized, honest)
        await post(stage, draw, honest)

    on_stage(tmp_path, main, evaluators=2)


def test_whoever_keeps_it_waiting_for_a_root_keeps_it_from_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concluding, "PATIENCE_S", 120)

    async def main(stage: Stage) -> None:
        honest, silent = stage.seats.values()
        draw = await committed(stage, honest, silent)
        await reveal_all(stage, draw, honest, silent)
        await stage.go_to(stage.windows(draw.round).post_from_s)
        asked = stage.silent[silent.name] = asyncio.Event()
        working = asyncio.create_task(honest.loop.run())
        await asyncio.wait_for(asked.wait(), 30)
        await stage.anchor(41)
        where = draw.gateway, 41
        await stage.watcher.until(lambda view: where in view.draws, timeout_s=60)
        assert stage.view.last_quality_round == -1
        del stage.silent[silent.name]
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    on_stage(tmp_path, main, evaluators=2)


Reached = Callable[[Stage, Draw, Seat], bool]
STEPS: dict[str, Reached] = {
    "met": lambda stage, draw, seat: bool(seat.journal.open_duties(draw.gateway, draw.epoch)),
    "judged": lambda stage, draw, seat: bool(seat.journal.reports(draw.round)),
    "fixed": lambda stage, draw, seat: seat.journal.commitment(draw.round) is not None,
    "committed": lambda stage, draw, seat: (draw.round, seat.me) in stage.view.commitments,
    "opened": lambda stage, draw, seat: (draw.round, seat.me) in stage.view.openings,
    "signed": lambda stage, draw, seat: seat.journal.signature(draw.round) is not None,
}


def test_killed_after_every_step_it_goes_on_from_the_disk_and_stands_by_its_commitment(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        await stage.anchor(40)
        draw = await stage.drawn(40, seat)
        moments = stage.windows(draw.round)
        when_s = {"fixed": moments.commit_from_s, "opened": moments.reveal_from_s, "signed": moments.post_from_s}
        fixed = []
        for name, reached in STEPS.items():
            await stage.go_to(when_s.get(name, 0))
            async with asyncio.timeout(20):
                while not reached(stage, draw, seat):
                    await stage.turn(seat)
            await stage.kill(seat.name)
            if name == "met":
                await stage.disclose(draw)
            seat = await stage.seat(seat.name)
            fixed.append(seat.journal.commitment(draw.round))
        assert len({one.secret for one in fixed if one is not None}) == 1
        assert fixed[-1] is not None
        opening = stage.view.openings[draw.round, seat.me]
        assert opening.blob_id == fixed[-1].blob_id
        reports = await opened_reports(stage, draw, seat)
        assert {report.key for report in reports} == {duty.leaf.key for duty in await stage.duties(draw, seat.name)}
        await post(stage, draw, seat)

    on_stage(tmp_path, main, evaluators=1)


async def mined(stage: Stage) -> int:
    return int(await stage.net.rpc.call("eth_blockNumber", []), 16)


def test_a_draw_that_is_not_final_binds_nobody(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        await stage.anchor(40)
        where = stage.network.books.key.address, 40
        await stage.net.chain.pause_final()
        async with asyncio.timeout(20):
            while where not in stage.watcher.latest.draws:
                await stage.turn(seat)
        lost = stage.watcher.latest.draws[where]
        for _ in range(10):
            await stage.turn(seat)
        assert not seat.journal.open_duties(*where)
        await stage.net.rpc.call("anvil_reorg", [await mined(stage) - lost.block + 1, []])
        async with asyncio.timeout(20):
            while where in stage.watcher.latest.draws:
                await asyncio.sleep(0.05)
        assert not seat.journal.open_duties(*where)

    on_stage(tmp_path, main, evaluators=1)


def test_a_seed_that_the_chain_lost_takes_its_duties_along_and_nothing_is_committed_for_it(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        await stage.anchor(40)
        lost = await stage.drawn(40, seat)
        await stage.disclose(lost)
        await stage.judged(lost, seat)
        judged = {report.key for report in seat.journal.reports(lost.round)}
        deciding = stage.view.roots[lost.gateway, 40].block + 3
        await stage.net.rpc.call("anvil_reorg", [await mined(stage) - deciding + 1, []])  # the disclosure goes as well
        async with asyncio.timeout(20):
            while (found := stage.view.draws.get((lost.gateway, 40))) is None or found.seed == lost.seed:
                await stage.turn(seat)
        await commit_all(stage, found, seat)
        await reveal_all(stage, found, seat)
        reports = await opened_reports(stage, found, seat)
        wanted = {duty.leaf.key for duty in await stage.duties(found, seat.name)}
        assert {report.key for report in reports} == wanted != judged
        assert {report.verdict for report in reports} == {Verdict.UNDISCLOSED}

    on_stage(tmp_path, main, evaluators=1)
