"""A chain that takes back the block that decides a draw: who judges by the dead branch judges nothing.

Exactly so many blocks go that the deciding one, the third after the root, is the first of them. Where two blocks must
lie on a final one (`slots` 1) the draw is final in the deepest case only; where the head is final (`slots` 0), and then
goes after all, the gateway has disclosed and evaluators have judged before. What was sent is lost, or comes again in
the new branch, as it does where somebody still holds it: the seed differs all the same, and the disclosure answers
another one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from eth_abi.abi import encode
from tests.evaluator.stage import Seat, Stage, on_stage
from tests.evaluator.test_working import commit_all, mined, opened_reports, post, reveal_all

from dgrid.chain.view import Draw
from dgrid.core.keccak import keccak
from dgrid.settlement.quality import QualityReader
from dgrid.settlement.recomputing import RoundAudit, recompute
from dgrid.wire.quality import LeafKey, Verdict

EPOCH = 40
DELAY = 3  # blocks from a root to the one that decides what is drawn from it


async def seed_now(stage: Stage) -> bytes:
    """What the chain as it stands draws the epoch by, as the contract computes it."""
    anchor = stage.view.roots[stage.network.books.key.address, EPOCH]
    block = await stage.net.rpc.call("eth_getBlockByNumber", [hex(anchor.block + DELAY), False])
    return keccak(encode(["bytes32", "bytes32"], [anchor.digest, bytes.fromhex(block["hash"][2:])]))


@contextlib.asynccontextmanager
async def going_on(stage: Stage) -> AsyncIterator[None]:
    """Lets the chain make its blocks final again."""

    async def keep() -> None:
        while True:
            await stage.net.chain.make_final()
            await asyncio.sleep(0.1)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def anchored(stage: Stage) -> int:
    """Anchors the epoch and stops at the deciding block; that block's number."""
    await stage.channel("payer-1")
    await stage.net.chain.pause_final()  # else it may lay more blocks than these
    laying = asyncio.create_task(_lay_until_decided(stage))
    await stage.anchor(EPOCH, vouchers=False)
    return await laying


async def _lay_until_decided(stage: Stage) -> int:
    where = stage.network.books.key.address, EPOCH
    async with asyncio.timeout(30):
        while (anchor := stage.watcher.latest.roots.get(where)) is None:
            await asyncio.sleep(0.02)
    await stage.net.rpc.call("anvil_mine", [hex(DELAY)])
    assert await mined(stage) == anchor.block + DELAY
    return anchor.block + DELAY


async def first_branch(stage: Stage, seats: list[Seat], *, deciding: int, depth: int) -> Draw | None:
    """Lets everybody do what can be done until `depth` blocks lie from the deciding one on; what was drawn."""
    where = stage.network.books.key.address, EPOCH
    if depth == 1:
        return None
    async with asyncio.timeout(30):
        while where not in stage.watcher.latest.draws:
            await stage.turn(*seats)
    draw = stage.watcher.latest.draws[where]
    if where in stage.view.draws and depth > 2:
        await stage.disclose(draw)
        await stage.judged(draw, *seats)
    while await mined(stage) < deciding + depth - 1:
        await stage.net.rpc.call("evm_mine", [])
    for _ in range(5):
        await stage.turn(*seats)
    return draw


async def take_back(stage: Stage, depth: int, *, carried: bool) -> None:
    """Replaces the last blocks; what they held is lost, or carried over into the new ones."""
    first, pairs = await mined(stage) - depth + 1, []
    for place in range(depth):
        block = await stage.net.rpc.call("eth_getBlockByNumber", [hex(first + place), False])
        for name in block["transactions"] if carried else ():
            pairs.append([await stage.net.rpc.call("debug_getRawTransaction", [name]), place])
    await stage.net.rpc.call("anvil_reorg", [depth, pairs])


async def places(stage: Stage, draw: Draw, seat: Seat) -> set[LeafKey]:
    """An evaluator's duties in a draw."""
    return {duty.leaf.key for duty in await stage.duties(draw, seat.name)}


def met(seat: Seat, draw: Draw) -> set[LeafKey]:
    """What an evaluator holds for its duty in a draw."""
    reports = {report.key for report in seat.journal.reports(draw.round)}
    return reports | set(seat.journal.open_duties(draw.gateway, draw.epoch))


async def audit(stage: Stage, draw: Draw) -> RoundAudit:
    """What `dgrid audit` finds of the round."""
    quality = QualityReader(stage.network.records, stage.network.archives, domain=stage.net.domain, court=stage.court)
    return await recompute(quality, draw.round, token=stage.net.contracts.dgai.address)


async def drawn_anew(stage: Stage, seats: list[Seat]) -> Draw:
    """The draw of the branch that stays."""
    where, seed = (stage.network.books.key.address, EPOCH), await seed_now(stage)
    async with asyncio.timeout(30):
        while (found := stage.view.draws.get(where)) is None or found.seed != seed:
            await stage.turn(*seats)
    return found


async def concluded(stage: Stage, draw: Draw, seats: list[Seat]) -> None:
    await stage.disclose(draw)
    await stage.judged(draw, *seats)
    for step in (commit_all, reveal_all, post):
        await step(stage, draw, *seats)


@pytest.mark.parametrize(
    ("depth", "carried"),
    [(1, False), *((depth, carried) for depth in (2, 3, 5) for carried in (False, True))],
    ids=lambda value: {False: "lost", True: "carried"}[value] if isinstance(value, bool) else None,
)
@pytest.mark.parametrize("slots", [0, 1])
def test_nobody_judges_or_is_credited_on_a_branch_that_is_taken_back(
    tmp_path: Path, depth: int, slots: int, *, carried: bool
) -> None:
    async def main(stage: Stage) -> None:
        seats, deciding = list(stage.seats.values()), await anchored(stage)
        dead_seed = await seed_now(stage)
        dead = await first_branch(stage, seats, deciding=deciding, depth=depth)
        assert await mined(stage) - deciding + 1 == depth
        if dead is not None:
            assert dead.seed == dead_seed
            is_final = (dead.gateway, dead.epoch) in stage.view.draws
            assert is_final == (slots == 0 or depth == 5)
            for seat in seats:
                assert met(seat, dead) == (await places(stage, dead, seat) if is_final else set())

        await take_back(stage, depth, carried=carried)
        async with going_on(stage):
            draw = await drawn_anew(stage, seats)
            assert draw.seed != dead_seed
            await concluded(stage, draw, seats)
            found = await audit(stage, draw)

        assert (found.ok, found.is_posted, found.refused) == (True, True, ())
        assert (found.obedience.missed, found.obedience.unbidden) == ((), ())
        balances = {row.evaluator: row for row in found.table.balances}
        scored = {duty.leaf.key for duty in found.duties if duty.quality}
        assert {change.key for change in found.table.changes} == scored
        for seat in seats:
            reports = await opened_reports(stage, draw, seat)
            assert {report.key for report in reports} == await places(stage, draw, seat) == met(seat, draw)
            assert {report.verdict for report in reports} == {Verdict.JUDGED}
            tasks = sum(duty.quality for duty in found.duties if duty.evaluator == seat.me)
            assert balances[seat.me].tasks == (
                tasks if len(scored) > 1 else 0
            )  # a round's only task is compared with none
            assert balances[seat.me].missed == 0

    on_stage(tmp_path, main, slots=slots)
