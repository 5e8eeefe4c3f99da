from pathlib import Path

from tests.evaluator.stage import Stage, on_stage

from dgrid.wire.quality import NOT_SCORED, Reports, Verdict, decode_quality


def test_a_round_is_drawn_judged_committed_opened_and_posted_by_those_who_agree(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        seats = list(stage.seats.values())
        await stage.anchor(40)
        draw = await stage.drawn(40, seats[0])
        await stage.disclose(draw)
        await stage.judged(draw, *seats)
        windows = stage.windows(draw.round)
        await stage.go_to(windows.commit_from_s)
        await stage.until(lambda view: len(view.commitments) == len(seats), *seats)
        await stage.go_to(windows.reveal_from_s)
        await stage.until(lambda view: len(view.openings) == len(seats), *seats)
        for seat in seats:
            opening = stage.view.openings[draw.round, seat.me]
            blob = decode_quality(await stage.network.archives.fetch(opening.blob_id))
            assert isinstance(blob, Reports)
            wanted = {duty.leaf.key: duty for duty in await stage.duties(draw, seat.name)}
            assert [report.key for report in blob.reports] == sorted(wanted)
            for report in blob.reports:
                scored = 10_000 if wanted[report.key].quality else NOT_SCORED
                assert (report.verdict, report.accuracy_bps, report.consistency_bps) == (Verdict.JUDGED, scored, scored)
                assert len(report.peers) == (2 if wanted[report.key].quality else 0)
        await stage.go_to(windows.post_from_s + 10)
        await stage.until(lambda view: view.last_quality_round == draw.round, *seats)
        signed = [seat.journal.signature(draw.round) for seat in seats]
        assert {one.root for one in signed if one is not None} == {stage.view.quality_roots[draw.round].root}

    on_stage(tmp_path, main)
