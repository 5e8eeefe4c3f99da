"""Whatever the chain does while two epochs are settled, each party ends with what the ledger says, paid once.

Blocks are replaced, transactions forgotten, gas costs a thousand times as much, one endpoint of three lies. The ledger
is the gateway's receipts.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.chain.endpoints import Lie, another_block, endpoints, invented_logs, no_logs
from tests.chain.test_sender_crashes import GWEI, base_fee, nonces
from tests.devnet import PATIENCE_S, POLL_MS, Devnet, OnDevnet, running_devnet
from tests.settlement.network import Settling, settling
from tests.settlement.test_settler_crashes import accepted_epochs, check_to_the_unit, claim_everything

from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.chain.watcher import ChainWatcher
from dgrid.processes.chain_side import ChainSide
from dgrid.processes.settler import SettlerLoop
from dgrid.settlement.anchoring import AnchorQueue
from dgrid.settlement.archives import Archives, doors_of
from dgrid.settlement.collecting import Collector
from dgrid.settlement.collection import Collections
from dgrid.settlement.records import Records

SLOTS = 8  # a block is final when sixteen lie on it
ROUND_S = 0.15
EPOCHS = (40, 41)

Weather = Callable[[Devnet], Awaitable[None]]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dgrid.chain.sender.TEND_S", 0.1)
    monkeypatch.setattr("dgrid.chain.sender.POLL_S_MAX", 0.1)


@contextlib.asynccontextmanager
async def while_it_lasts(net: Devnet, weather: Weather) -> AsyncIterator[None]:
    """Goes on with the weather until the block is left."""

    async def go_on() -> None:
        while True:
            await weather(net)
            await asyncio.sleep(ROUND_S)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def fair(net: Devnet) -> None:
    """What is mined becomes final."""
    await net.rpc.call("anvil_mine", [hex(2 * SLOTS + 1)])


@contextlib.asynccontextmanager
async def settler(network: Settling, rpc: Rpc) -> AsyncIterator[SettlerLoop]:
    """A settler at work, whose chain is what `rpc` says; its files are those of the network's."""
    net = network.net
    watcher = ChainWatcher(rpc, net.contracts, net.folder / "settlers-view", poll_ms=POLL_MS)
    sender = Sender(rpc, net.key("settler"), folder=net.folder / "settler", chain_id=DEV_CHAIN_ID)
    archives = Archives(net.http, lambda: doors_of(network.watcher.latest), domain=net.domain)
    collections = Collections(net.folder / "collections.sqlite", domain=network.escrow_domain)
    records = Records(lambda: watcher.finalized, archives)
    queue = AnchorQueue(net.folder / "anchors.sqlite")
    collector = Collector(collections, records, sender=sender, contracts=net.contracts)
    loop = SettlerLoop(ChainSide(rpc, net.contracts, watcher, sender), queue, collector)
    await watcher.start()
    await sender.start()
    working = asyncio.create_task(loop.run(is_dev=False))
    try:
        yield loop
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        await sender.close()
        await watcher.stop()
        queue.close()
        collections.close()


async def settled(network: Settling, total_wei: int) -> None:
    """Waits until the payer has paid what the ledger says; then everybody claims, to the unit."""

    def is_paid() -> bool:
        return [one.drawn_wei for one in network.watcher.finalized.channels.values()] == [total_wei]

    async with while_it_lasts(network.net, fair), asyncio.timeout(30):
        while not is_paid():
            await asyncio.sleep(0.05)
        await claim_everything(network)
        await asyncio.sleep(3 * ROUND_S)
    await check_to_the_unit(network, total_wei)
    mined, held = await nonces(network.net, "settler")
    assert held == list(range(mined)), "a nonce was left out, or used twice"


def on_slow_chain(folder: Path, main: Callable[[Devnet], Awaitable[None]]) -> None:
    """A chain that may replace its last sixteen blocks; nothing becomes final by itself."""

    async def whole() -> None:
        async with running_devnet(folder, slots=SLOTS) as net:
            await net.chain.pause_final()
            await main(net)

    asyncio.run(whole())


async def meets_the_settler(net: Devnet) -> None:
    """Waits until the weather finds the settler at work."""
    async with asyncio.timeout(PATIENCE_S):
        while not (await nonces(net, "settler"))[1]:
            await asyncio.sleep(0.02)


async def two_epochs(net: Devnet) -> tuple[Settling, int]:
    async with while_it_lasts(net, fair):
        network = await settling(net)
        return network, await accepted_epochs(network, *EPOCHS)


@pytest.mark.parametrize("depth", [1, 2, 5, 12])
def test_reorganizations_while_it_settles_change_no_payment(tmp_path: Path, depth: int) -> None:
    """Of that depth, one after another, while roots are anchored and channels drawn."""

    async def replaced(net: Devnet) -> None:
        await net.rpc.call("anvil_mine", [hex(depth)])
        await net.rpc.call("anvil_reorg", [depth, []])
        await net.rpc.call("anvil_mine", ["0x4"])

    async def main(net: Devnet) -> None:
        network, total = await two_epochs(net)
        async with settler(network, net.rpc):
            async with while_it_lasts(net, replaced):
                await meets_the_settler(net)
                await asyncio.sleep(10 * ROUND_S)
            await settled(network, total)

    on_slow_chain(tmp_path, main)


def test_forgotten_transactions_while_it_settles_change_no_payment(tmp_path: Path) -> None:
    """The chain forgets whatever waits, and mines now and then."""
    rounds = iter(range(1_000))

    async def forgetful(net: Devnet) -> None:
        await net.rpc.call("anvil_dropAllTransactions", [])
        if next(rounds) % 4 == 3:
            await asyncio.sleep(2 * ROUND_S)
            await net.rpc.call("evm_mine", [])

    async def main(net: Devnet) -> None:
        network, total = await two_epochs(net)
        await net.rpc.call("evm_setAutomine", [False])
        async with settler(network, net.rpc):
            async with while_it_lasts(net, forgetful):
                await meets_the_settler(net)
                await asyncio.sleep(10 * ROUND_S)
            await net.rpc.call("evm_setAutomine", [True])
            await settled(network, total)

    on_slow_chain(tmp_path, main)


def test_gas_a_thousand_times_as_dear_while_it_settles_changes_no_payment(tmp_path: Path) -> None:
    async def main(net: Devnet) -> None:
        network, total = await two_epochs(net)

        async def dear(net: Devnet) -> None:
            await base_fee(net, 1_000 * GWEI)

        async with settler(network, net.rpc):
            async with while_it_lasts(net, dear):
                await asyncio.sleep(8 * ROUND_S)
            await base_fee(net, GWEI)
            await settled(network, total)

    on_slow_chain(tmp_path, main)


LIES: dict[str, tuple[str, Lie]] = {
    "payments that were never made": ("eth_getLogs", invented_logs),
    "no payments": ("eth_getLogs", no_logs),
    "another block": ("eth_getBlockByNumber", another_block),
    "nothing was mined": ("eth_getTransactionReceipt", lambda _: None),
    "more was sent": ("eth_getTransactionCount", lambda count: hex(int(count, 16) + 5)),
}


@pytest.mark.parametrize("what", LIES)
def test_one_lying_endpoint_of_three_changes_no_payment(on_devnet: OnDevnet, what: str) -> None:
    method, lie = LIES[what]

    async def main(net: Devnet) -> None:
        network = await settling(net)
        total = await accepted_epochs(network, *EPOCHS)
        async with endpoints(net, 3) as doors:
            doors[0].lies[method] = lie
            rpc = Rpc([door.url for door in doors], net.http, chain_id=DEV_CHAIN_ID)
            async with settler(network, rpc):
                await settled(network, total)
            assert method in doors[0].methods, "it never had a word to say"

    on_devnet(main)
