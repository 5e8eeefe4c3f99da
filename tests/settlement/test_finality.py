"""An epoch is past doubt once its quality root pays, or so late that no verdict can come."""

from dataclasses import replace

from tests.settlement.judged import EPOCH, FACTS, PARAMETERS, ROUND, Judged, a_judged_epoch
from tests.wire.making import GATEWAY

from dgrid.poq.economics import detection_seconds
from dgrid.settlement.finality import is_checked

PLACE = GATEWAY.address, EPOCH
LATE_S = FACTS.clock.opens_at_ms(EPOCH) // 1000 + detection_seconds(PARAMETERS, epoch_seconds=FACTS.epoch_seconds)


def pays_s(judged: Judged) -> int:
    return judged.view.quality_roots[ROUND].timestamp_ms // 1000 + PARAMETERS.root_seconds


def test_it_is_when_the_root_that_judged_it_pays() -> None:
    judged = a_judged_epoch()
    assert pays_s(judged) < LATE_S
    assert not is_checked(judged.view, PLACE, now_s=pays_s(judged) - 1)
    assert is_checked(judged.view, PLACE, now_s=pays_s(judged))


def test_a_root_of_an_earlier_round_says_nothing_of_it() -> None:
    judged = a_judged_epoch()
    draw = judged.view.draws[PLACE]
    judged.view.draws[PLACE] = replace(draw, round=ROUND + 1)
    assert not is_checked(judged.view, PLACE, now_s=pays_s(judged))


def test_where_nobody_judges_time_ends_the_doubt() -> None:
    judged = a_judged_epoch()
    judged.view.quality_roots.clear()
    assert not is_checked(judged.view, PLACE, now_s=LATE_S - 1)
    assert is_checked(judged.view, PLACE, now_s=LATE_S)
    judged.view.draws.clear()
    assert not is_checked(judged.view, PLACE, now_s=LATE_S - 1)


def test_longer_appeals_lengthen_the_doubt() -> None:
    judged = a_judged_epoch()
    judged.view.quality_roots.clear()
    judged.rule(replace(PARAMETERS, appeal_seconds=PARAMETERS.appeal_seconds + 100))
    assert not is_checked(judged.view, PLACE, now_s=LATE_S + 99)
    assert is_checked(judged.view, PLACE, now_s=LATE_S + 100)
