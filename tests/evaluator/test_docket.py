"""What an evaluator takes for over, and when: the final chain runs behind the clock."""

import asyncio
from pathlib import Path

from tests.evaluator.stage import Seat, Stage, on_stage

from dgrid.chain.view import Draw
from dgrid.evaluator.docket import AGAIN_S
from dgrid.wire.quality import Verdict


async def met(stage: Stage, seat: Seat) -> Draw:
    """A draw whose duties are known and whose content is not shown."""
    await stage.anchor(40)
    draw = await stage.drawn(40, seat)
    async with asyncio.timeout(20):
        while not seat.journal.open_duties(draw.gateway, draw.epoch):
            await stage.turn(seat)
    return draw


async def attended(stage: Stage, seat: Seat, now_s: int, *, final_s: int) -> None:
    for _ in range(5):
        seat.loop.docket.advance(stage.view, now_s, final_s=final_s)
        await asyncio.sleep(0.02)


def test_what_may_lie_in_blocks_that_are_not_final_is_not_called_undisclosed(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        draw = await met(stage, seat)
        ends_s = stage.windows(draw.round).commit_from_s
        await attended(stage, seat, ends_s, final_s=ends_s - 1)
        assert seat.journal.reports(draw.round) == ()
        await stage.disclose(draw)  # in time; it becomes final after the round's end
        async with asyncio.timeout(20):
            while seat.journal.open_duties(draw.gateway, draw.epoch):
                await attended(stage, seat, ends_s, final_s=ends_s)
        assert {report.verdict for report in seat.journal.reports(draw.round)} == {Verdict.JUDGED}

    on_stage(tmp_path, main, evaluators=1)


def test_a_chain_that_stands_still_keeps_nobody_from_reporting_what_was_not_disclosed(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        draw = await met(stage, seat)
        ends_s = stage.windows(draw.round).commit_from_s
        async with asyncio.timeout(20):
            while seat.journal.open_duties(draw.gateway, draw.epoch):
                await attended(stage, seat, ends_s + 3, final_s=ends_s - 1)
        assert {report.verdict for report in seat.journal.reports(draw.round)} == {Verdict.UNDISCLOSED}

    on_stage(tmp_path, main, evaluators=1)


def test_a_round_is_judged_only_when_no_draw_of_it_can_become_final_any_more(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        draw = await met(stage, seat)
        await stage.disclose(draw)
        await stage.judged(draw, seat)
        ends_s, docket = stage.windows(draw.round).commit_from_s, seat.loop.docket
        docket.advance(stage.view, ends_s, final_s=ends_s - 1)
        assert docket.judged(stage.view, ends_s) == frozenset()
        docket.advance(stage.view, ends_s, final_s=ends_s)
        assert docket.judged(stage.view, ends_s) == {draw.round}

    on_stage(tmp_path, main, evaluators=1)


def test_a_fault_of_ours_in_a_duty_rests_and_is_tried_again(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        draw = await met(stage, seat)
        await stage.disclose(draw)
        duties, now_s = len(seat.journal.open_duties(draw.gateway, draw.epoch)), seat.loop.time.read()
        stage.stumbles = 1_000
        await attended(stage, seat, now_s, final_s=now_s)
        await asyncio.sleep(AGAIN_S / 2)
        await attended(stage, seat, now_s, final_s=now_s)
        assert 1_000 - duties <= stage.stumbles < 1_000
        stage.stumbles = 0
        async with asyncio.timeout(20):
            while seat.journal.open_duties(draw.gateway, draw.epoch):
                await attended(stage, seat, now_s, final_s=now_s)

    on_stage(tmp_path, main, evaluators=1)
