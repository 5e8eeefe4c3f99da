"""Challenge 7: an evaluator that keeps back what it committed to, and nobody but a watcher to say so."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.evaluator.stage import Stage, on_stage
from tests.evaluator.test_working import committed, reveal_all
from tests.settlement.network import STAKE_WEI
from tests.watcher.stage import WATCHDOG, Later, a_watch

from dgrid.chain import court
from dgrid.chain.attendance import ALWAYS, Attendance
from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.contracts import Reverted
from dgrid.chain.events import Role
from dgrid.chain.facts import Facts
from dgrid.chain.judging import Opening
from dgrid.chain.parameter_history import ParameterHistory
from dgrid.chain.parameters import Parameters
from dgrid.chain.view import ChainView
from dgrid.core.identity import Address
from dgrid.core.money import BPS
from dgrid.processes.watcher import Watch
from dgrid.watcher.penalizing import OTHERS_S, withheld

ALICE, BOB = Address(b"a" * 20), Address(b"b" * 20)
VIEW = ChainView(
    facts=Facts(genesis_s=0, epoch_seconds=10, base_share_bps=8_000, withdraw_delay_s=0, treasury=bytes(20)),
    parameters=ParameterHistory.of(Parameters(commit_seconds=10, reveal_seconds=8, open_seconds=8)),
    commitments=ByEpoch({(3, ALICE): b"c" * 32, (3, BOB): b"d" * 32}),
)
OPEN_FROM_S = 40 + 10 + 8


def test_the_others_have_their_turn_first() -> None:
    assert withheld(VIEW, ALWAYS, now_s=OPEN_FROM_S + OTHERS_S - 1) == []
    assert withheld(VIEW, ALWAYS, now_s=OPEN_FROM_S + OTHERS_S) == [(3, ALICE), (3, BOB)]


def test_what_was_not_watched_is_no_silence() -> None:
    resumed = Attendance().looked(OPEN_FROM_S, wall_s=0.0)
    assert withheld(VIEW, resumed, now_s=OPEN_FROM_S + OTHERS_S) == []


def test_who_opened_or_was_reported_is_left_alone() -> None:
    opened, reported = {(3, ALICE): Opening(bytes(32), bytes(32))}, {(3, BOB): 1}
    view = replace(VIEW, openings=ByEpoch(opened), penalized=ByEpoch(reported))
    assert withheld(view, ALWAYS, now_s=OPEN_FROM_S + OTHERS_S) == []


async def watch_on(stage: Stage) -> Watch:
    return await a_watch(stage.net, stage.network, Later())


async def step(stage: Stage, watch: Watch) -> ChainView:
    eyes, block = watch.side.watcher, stage.watcher.block
    await eyes.until(lambda view: eyes.block >= block, timeout_s=30)
    await watch.step()
    head = int(await stage.net.rpc.call("eth_blockNumber", []), 16)
    await stage.net.rpc.call("anvil_mine", ["0x3"])
    return await eyes.until(lambda view: eyes.block >= head, timeout_s=30)


def test_a_lone_evaluator_that_cannot_open_what_it_would_like_is_reported_and_pays(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        net, (seat,) = stage.net, stage.seats.values()
        watch, draw = await watch_on(stage), await committed(stage, seat)
        await stage.go_to(stage.windows(draw.round).reveal_from_s)
        others = Opening(bytes(32), bytes(32))
        with pytest.raises(Reverted, match="WrongOpening"):
            await court.reveal(seat.loop.clerk.sender, net.contracts, round_=draw.round, opening=others, salt=bytes(32))
        await stage.go_to(stage.windows(draw.round).open_from_s + OTHERS_S - 10)
        assert (await step(stage, watch)).penalized == {}
        await stage.go_to(stage.windows(draw.round).open_from_s + OTHERS_S)
        supply = await net.contracts.dgai.read(net.rpc, "totalSupply")
        view = await step(stage, watch)
        parameters = view.parameters.at(draw.round)
        penalty, reward = parameters.late_penalty_wei, parameters.late_penalty_wei * parameters.reporter_bps // BPS
        assert view.penalized == {(draw.round, seat.me): penalty}
        assert await net.balance(net.key(WATCHDOG).address) == reward > 0
        assert await net.contracts.dgai.read(net.rpc, "totalSupply") == supply - penalty + reward
        assert view.members[Role.EVALUATOR, seat.me].stake_wei == STAKE_WEI - penalty
        assert watch.service.metrics.penalties.values == {"": 1}
        await step(stage, watch)
        assert await net.balance(net.key(WATCHDOG).address) == reward

    on_stage(tmp_path, main, evaluators=1)


def test_who_opens_in_time_is_never_reported(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        (seat,) = stage.seats.values()
        watch, draw = await watch_on(stage), await committed(stage, seat)
        await reveal_all(stage, draw, seat)
        await stage.go_to(stage.windows(draw.round).open_from_s + OTHERS_S)
        assert (await step(stage, watch)).penalized == {}
        assert await stage.net.balance(stage.net.key(WATCHDOG).address) == 0

    on_stage(tmp_path, main, evaluators=1)
