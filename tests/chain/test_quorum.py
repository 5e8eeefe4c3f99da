"""Three real endpoints of one chain, of which one lies, lags or hangs: what is credited is what the chain holds."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chain.endpoints import Endpoint, Lie, another_block, endpoints, invented_logs, no_logs
from tests.chain.test_watcher import open_one
from tests.devnet import Devnet, OnDevnet

from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.past_events import past_events
from dgrid.chain.quorum import Endpoints, Votes
from dgrid.chain.rpc import REPLY_S, RawLog, Rpc
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.errors import ChainUnavailable
from dgrid.core.money import WEI


@asynccontextmanager
async def watched(net: Devnet, count: int = 3) -> AsyncIterator[tuple[list[Endpoint], ChainWatcher]]:
    """So many endpoints and a watcher over them that has read what is final."""
    async with endpoints(net, count) as doors:
        rpc = Rpc([door.url for door in doors], net.http, chain_id=DEV_CHAIN_ID)
        watcher = ChainWatcher(rpc, net.contracts, None, poll_ms=40)
        await watcher.poll()
        yield doors, watcher
        await watcher.stop()


async def deposit_final(net: Devnet) -> None:
    await open_one(net, await net.sender("payer"), amount_wei=WEI)
    await net.chain.make_final()


def balances(watcher: ChainWatcher) -> list[int]:
    return [channel.balance_wei for channel in watcher.finalized.channels.values()]


@pytest.mark.parametrize(
    ("method", "lie"),
    [
        ("eth_getLogs", invented_logs),
        ("eth_getLogs", no_logs),
        ("eth_getBlockByNumber", another_block),
    ],
    ids=["deposits that were never made", "no deposits", "another block"],
)
@pytest.mark.parametrize("place", [0, 2])
def test_one_liar_of_three_changes_nothing_is_named_and_left_out(
    on_devnet: OnDevnet, caplog: pytest.LogCaptureFixture, method: str, lie: object, place: int
) -> None:
    async def main(net: Devnet) -> None:
        async with watched(net) as (doors, watcher):
            doors[place].lies[method] = lie  # type: ignore[assignment]  # one of the three above
            await deposit_final(net)
            with caplog.at_level(logging.WARNING):
                await watcher.poll()
            assert balances(watcher) == [WEI]
            assert any(doors[place].url in line and "left out" in line for line in caplog.messages)
            assert not any(door.url in line for at, door in enumerate(doors) if at != place for line in caplog.messages)
            before = [door.asked for door in doors]
            await watcher.poll()
            more = [door.asked > asked for door, asked in zip(doors, before, strict=True)]
            assert more == [at != place for at in range(3)]

    on_devnet(main)


def test_one_liar_about_finality_neither_hastens_nor_holds_what_is_credited(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        async with watched(net) as (doors, watcher):
            await net.chain.pause_final()
            await open_one(net, await net.sender("payer"), amount_wei=WEI)
            head = await net.rpc.call("eth_getBlockByNumber", ["latest", False])
            doors[0].lies["eth_getBlockByNumber"] = lambda block: head  # all is final, it says
            await watcher.poll()
            assert balances(watcher) == []
            assert len(watcher.latest.channels) == 1
            first = await net.rpc.call("eth_getBlockByNumber", ["0x1", False])
            doors[0].lies["eth_getBlockByNumber"] = lambda block: first  # nothing is
            await net.chain.make_final()
            await watcher.poll()
            assert balances(watcher) == [WEI]

    on_devnet(main)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_liar_about_what_contracts_hold_or_what_was_sent_decides_nothing(on_devnet: OnDevnet, place: int) -> None:
    async def main(net: Devnet) -> None:
        address, dgai = (await net.sender("payer", dgai_wei=5 * WEI)).address, net.contracts.dgai
        true_s, (paid,) = await net.rpc.now_s(), await transfers(net, to=address)
        async with endpoints(net, 3) as doors:
            lies: dict[str, Lie] = {
                "eth_call": lambda _: "0x" + bytes(32).hex(),
                "eth_blockNumber": lambda _: hex(10**6),
                "eth_getLogs": no_logs,
                "eth_getBlockByNumber": lambda found: found and {**found, "timestamp": hex(true_s + 10**6)},
            }
            for method, lie in lies.items():
                doors[place].lies = {method: lie}
                rpc = Rpc([door.url for door in doors], net.http, chain_id=DEV_CHAIN_ID)
                assert await dgai.agreed(rpc, "balanceOf", [address]) == 5 * WEI, method
                assert await rpc.now_s() == true_s, method
                shown = await past_events(rpc, dgai, name="Transfer", topics=paid.topics[1:], block=paid.block_number)
                assert [one["value"] for one in shown] == [5 * WEI], method

    on_devnet(main)


@pytest.mark.parametrize("nonsense", [None, "0xzz", {"number": "0x1"}, [], [None]], ids=str)
def test_one_of_three_that_answers_nonsense_ends_nobodys_work(on_devnet: OnDevnet, nonsense: object) -> None:
    async def main(net: Devnet) -> None:
        token = net.contracts.dgai
        async with watched(net) as (doors, watcher):
            rpc = Rpc([door.url for door in doors], net.http, chain_id=DEV_CHAIN_ID)
            alone = Rpc([doors[0].url], net.http)
            for method in ("eth_blockNumber", "eth_getBlockByNumber", "eth_getLogs", "eth_call", "eth_chainId"):
                doors[0].lies[method] = lambda _true: nonsense
            await watcher.poll()
            final, _ = await rpc.heads()
            await rpc.logs(1, final, [token.address])
            assert await token.agreed(rpc, "totalSupply") == await token.agreed(net.rpc, "totalSupply")
            with pytest.raises(ChainUnavailable):
                await alone.heads()

    on_devnet(main)


async def transfers(net: Devnet, *, to: bytes) -> list[RawLog]:
    """The logs of DGAI that came to an address."""
    (_, head) = await net.rpc.heads()
    logs = await net.rpc.logs(0, head, [net.contracts.dgai.address])
    return [log for log in logs if log.topics[2:3] == (to.rjust(32, b"\0"),)]


def test_views_are_read_at_a_block_that_a_majority_has_and_who_lags_is_not_blamed(
    on_devnet: OnDevnet, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(net: Devnet) -> None:
        address = (await net.sender("payer", dgai_wei=5 * WEI)).address
        async with endpoints(net, 3) as doors:
            rpc = Rpc([door.url for door in doors], net.http, chain_id=DEV_CHAIN_ID)
            doors[1].lies["eth_blockNumber"] = lambda number: hex(int(number, 16) - 1)
            assert await net.contracts.dgai.agreed_each(rpc, "balanceOf", [[address]] * 250) == [5 * WEI] * 250
            assert not [line for line in caplog.messages if "left out" in line]

    on_devnet(main)


def test_one_that_lags_holds_nothing_up_and_is_not_blamed(
    on_devnet: OnDevnet, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(net: Devnet) -> None:
        async with watched(net) as (doors, watcher):
            doors[0].lag = 5
            await deposit_final(net)
            with caplog.at_level(logging.WARNING):
                await watcher.poll()
            assert balances(watcher) == [WEI]
            assert not caplog.messages

    on_devnet(main)


def test_one_that_hangs_costs_a_second_once(on_devnet: OnDevnet, caplog: pytest.LogCaptureFixture) -> None:
    async def main(net: Devnet) -> None:
        async with watched(net) as (doors, watcher):
            doors[0].is_hanging = True
            await deposit_final(net)
            started_s = time.monotonic()
            with caplog.at_level(logging.WARNING):
                await watcher.poll()
            assert time.monotonic() - started_s < REPLY_S  # not for as long as it hangs
            assert balances(watcher) == [WEI]
            assert any(doors[0].url in line and "wait" in line for line in caplog.messages)
            before = doors[0].asked
            await watcher.poll()
            assert doors[0].asked == before

    on_devnet(main)


def test_without_a_majority_nothing_is_credited_and_nothing_forgotten(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        async with watched(net) as (doors, watcher):
            await deposit_final(net)
            await watcher.poll()
            doors[0].lies["eth_getLogs"] = invented_logs
            doors[1].lies["eth_getLogs"] = no_logs
            await open_one(net, await net.sender("payer"), amount_wei=WEI)
            await net.chain.make_final()
            with pytest.raises(ChainUnavailable, match="disagree about the logs"):
                await watcher.poll()
            assert balances(watcher) == [WEI]
            doors[1].lies.clear()
            await watcher.poll()
            assert balances(watcher) == [2 * WEI]

    on_devnet(main)


def test_two_endpoints_must_both_say_it(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        async with watched(net, 2) as (doors, watcher):
            await deposit_final(net)
            doors[1].lies["eth_getBlockByNumber"] = another_block
            with pytest.raises(ChainUnavailable, match="disagree about block"):
                await watcher.poll()
            doors[1].lies = {"eth_getLogs": no_logs}
            with pytest.raises(ChainUnavailable, match="disagree about the logs"):
                await watcher.poll()
            assert balances(watcher) == []
            doors[1].lies.clear()
            await watcher.poll()
            assert balances(watcher) == [WEI]

    on_devnet(main)


def test_two_of_three_that_go_away_take_the_majority_with_them(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        async with watched(net) as (doors, watcher):
            await deposit_final(net)
            await doors[0].stop()
            await doors[2].stop()
            with pytest.raises(ChainUnavailable, match="1 of 3 endpoints"):
                await watcher.poll()
            assert balances(watcher) == []

    on_devnet(main)


def test_who_was_left_out_is_asked_again_when_there_is_no_majority_without_it(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        async with watched(net) as (doors, watcher):
            doors[0].lies["eth_getLogs"] = no_logs
            await deposit_final(net)
            await watcher.poll()
            doors[0].lies.clear()
            await doors[1].stop()
            await open_one(net, await net.sender("payer"), amount_wei=WEI)
            await net.chain.make_final()
            await watcher.poll()
            assert balances(watcher) == [2 * WEI]

    on_devnet(main)


def test_who_was_left_out_has_its_voice_again_later(on_devnet: OnDevnet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dgrid.chain.quorum.LEFT_OUT_S", 0.0)

    async def main(net: Devnet) -> None:
        async with watched(net) as (doors, watcher):
            doors[0].lies["eth_getLogs"] = no_logs
            await deposit_final(net)
            await watcher.poll()
            before = doors[0].asked
            await watcher.poll()
            assert doors[0].asked > before

    on_devnet(main)


def test_ranges_shrink_until_a_majority_answers(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        async with watched(net) as (doors, watcher):
            doors[0].range_max, doors[1].range_max = 3, 7
            await net.rpc.call("anvil_mine", ["0x20"])
            await deposit_final(net)
            await watcher.poll()
            assert balances(watcher) == [WEI]

    on_devnet(main)


def test_one_liar_cannot_make_us_forget_what_was_final(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        async with watched(net) as (doors, watcher):
            await deposit_final(net)
            await watcher.poll()
            version = watcher.version
            for door in doors:  # whoever is asked first
                door.lies["eth_getBlockByNumber"] = another_block
                await net.rpc.call("anvil_mine", ["0x3"])
                await watcher.poll()
                door.lies.clear()
                watcher._rpc._endpoints._out_until_s.clear()
            assert watcher.version == version
            assert balances(watcher) == [WEI]

    on_devnet(main)


@given(st.lists(st.integers(0, 2), max_size=9), st.integers(0, 4))
def test_only_more_than_half_of_all_decide(said: list[int], silent: int) -> None:
    votes: Votes[int] = Votes(len(said) + silent, [(str(at), one) for at, one in enumerate(said)])
    winner = votes.winner()
    enough = [one for one in set(said) if 2 * said.count(one) > votes.of]
    assert ([] if winner is None else [*winner]) == enough


@given(st.lists(st.integers(0, 100), min_size=1, max_size=9), st.data())
def test_no_minority_lifts_what_a_majority_has_reached(heights: list[int], data: st.DataObject) -> None:
    liars = data.draw(st.sets(st.integers(0, len(heights) - 1), max_size=(len(heights) - 1) // 2))
    said = {str(at): 10**9 if at in liars else height for at, height in enumerate(heights)}

    async def ask(url: str) -> tuple[int, ...]:
        return (said[url],)

    (reached,) = asyncio.run(Endpoints(list(said)).reached(ask, what="the head"))
    assert reached <= max(height for at, height in enumerate(heights) if at not in liars)
