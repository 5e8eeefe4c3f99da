"""Who waits for company, and for how long."""

import asyncio

from dgrid.store.gathering import BUSY, PATIENCE_S, Gathering


def acted_after(joining: int, *, under_way: int) -> list[str]:
    """When a gathering acts that so many join in one tick: while they join, at the tick's end, or later."""

    async def main() -> list[str]:
        loop, acts, moment = asyncio.get_running_loop(), list[str](), "at once"
        gathering = Gathering(lambda: acts.append(moment), under_way=lambda: under_way)
        for waiting in range(1, joining + 1):
            gathering.join(loop, waiting)
        moment = "tick"
        await asyncio.sleep(0)
        moment = "later"
        await asyncio.sleep(3 * PATIENCE_S)
        return acts

    return asyncio.run(main())


def test_one_alone_does_not_wait() -> None:
    assert acted_after(1, under_way=1) == ["at once"]


def test_a_few_wait_until_the_tick_s_end_and_act_once() -> None:
    assert acted_after(3, under_way=BUSY - 1) == ["tick"]


def test_of_many_half_are_awaited_and_act_once() -> None:
    assert acted_after(BUSY, under_way=2 * BUSY) == ["tick"]


def test_fewer_than_half_of_many_wait_a_moment_and_no_longer() -> None:
    assert acted_after(BUSY - 1, under_way=2 * BUSY) == ["later"]
