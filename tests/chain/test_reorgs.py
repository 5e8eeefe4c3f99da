"""Blocks that are replaced under a sender and a watcher: what is paid in the end is what was meant, once."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.chain.test_sender_crashes import deposited, nonces, pay, ready_channel
from tests.chain.test_watcher import open_one
from tests.devnet import Devnet, running_devnet

from dgrid.chain.channels import channel_id
from dgrid.chain.events import ChainEvent, Deposited
from dgrid.chain.rpc import RpcError
from dgrid.core.identity import to_hex
from dgrid.core.money import WEI

SLOTS = 8  # a block is final when sixteen lie on it


def on_deep_devnet(folder: Path, main: Callable[[Devnet], Awaitable[None]]) -> None:
    """Runs on a fresh chain that may replace its last sixteen blocks; nothing is made final by itself."""

    async def whole() -> None:
        async with running_devnet(folder, slots=SLOTS) as net:
            await net.chain.pause_final()
            await main(net)

    asyncio.run(whole())


async def make_final(net: Devnet) -> None:
    await net.rpc.call("anvil_mine", [hex(2 * SLOTS + 1)])


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dgrid.chain.sender.TEND_S", 0.1)
    monkeypatch.setattr("dgrid.chain.sender.POLL_S_MAX", 0.1)


@pytest.mark.parametrize("depth", range(1, 13))
def test_payments_that_a_reorganization_undoes_are_made_again_once(tmp_path: Path, depth: int) -> None:
    async def main(net: Devnet) -> None:
        config = await ready_channel(net, "payer")
        await make_final(net)
        sender, watcher, told = await net.sender("payer", dgai_wei=0), await net.watcher("gateway"), list[ChainEvent]()
        watcher.on_finalized(told.append)
        await sender.start()
        amounts = [at * WEI for at in range(1, 15)]
        for at, wei in enumerate(amounts):  # one block each
            await pay(net, config, wei=wei, label=f"payment:{at}")(sender)
        await net.rpc.call("anvil_reorg", [depth, []])
        for _ in range(100):
            await net.rpc.call("evm_mine", [])
            if await deposited(net, config) == sum(amounts):
                break
            await asyncio.sleep(0.05)
        await make_final(net)
        name = channel_id(net.contracts, config)
        whole = sum(amounts)
        view = await watcher.until(
            lambda view: name in view.channels and view.channels[name].deposited_wei == whole, timeout_s=30
        )
        assert view.channels[name].balance_wei == whole
        assert sorted(one.amount_wei for one in told if isinstance(one, Deposited)) == amounts
        assert await net.balance(net.contracts.channel_escrow.address) == whole
        assert await nonces(net, "payer") == (1 + len(amounts), list(range(1 + len(amounts))))

    on_deep_devnet(tmp_path, main)


def test_payments_go_on_through_one_reorganization_after_another(tmp_path: Path) -> None:
    async def main(net: Devnet) -> None:
        config = await ready_channel(net, "payer")
        await make_final(net)
        sender, watcher = await net.sender("payer", dgai_wei=0), await net.watcher("gateway")
        await sender.start()
        for depth in range(1, 7):
            for at in range(depth):
                await pay(net, config, wei=WEI, label=f"payment:{depth}:{at}")(sender)
            await net.rpc.call("anvil_reorg", [depth, []])
        for _ in range(100):
            await net.rpc.call("evm_mine", [])
            if await deposited(net, config) == 21 * WEI:
                break
            await asyncio.sleep(0.05)
        await make_final(net)
        name = channel_id(net.contracts, config)
        await watcher.until(
            lambda view: name in view.channels and view.channels[name].balance_wei == 21 * WEI, timeout_s=30
        )

    on_deep_devnet(tmp_path, main)


@pytest.mark.parametrize("depth", [1, 3, 12])
def test_a_view_over_a_reorganization_is_never_wrong_and_ends_right(tmp_path: Path, depth: int) -> None:
    async def main(net: Devnet) -> None:
        sender = await net.sender("payer")
        await make_final(net)
        watcher = await net.watcher("gateway")
        configs = [await open_one(net, sender, amount_wei=WEI) for _ in range(6)]  # two blocks each, one channel
        name = channel_id(net.contracts, configs[0])
        await watcher.poll()
        assert watcher.latest.channels[name].balance_wei == 6 * WEI
        assert name not in watcher.finalized.channels
        await net.rpc.call("anvil_reorg", [depth, []])
        await watcher.poll()
        left = (12 - depth) // 2
        shown = watcher.latest.channels.get(name)
        assert (0 if shown is None else shown.balance_wei) == left * WEI
        await make_final(net)
        await watcher.poll()
        final = watcher.finalized.channels.get(name)
        assert (0 if final is None else final.balance_wei) == left * WEI

    on_deep_devnet(tmp_path, main)


def test_what_was_refused_does_not_happen_when_its_block_is_replaced(tmp_path: Path) -> None:
    """The caller was told that it failed, and has done it in another way: twice would be once too often."""

    async def main(net: Devnet) -> None:
        config = await ready_channel(net, "payer")
        await make_final(net)
        sender = await net.sender("payer", dgai_wei=0)
        escrow = to_hex(net.contracts.channel_escrow.address)
        code = await net.rpc.call("eth_getCode", [escrow, "latest"])
        await net.rpc.call("evm_setAutomine", [False])
        refused = asyncio.ensure_future(pay(net, config, wei=600 * WEI, label="refused")(sender))
        await net.waits()
        await net.rpc.call("anvil_setCode", [escrow, "0x60006000fd"])  # all that comes is refused now
        await net.rpc.call("evm_mine", [])
        with pytest.raises(RpcError, match="revert"):
            await refused
        await net.rpc.call("anvil_setCode", [escrow, code])
        await net.rpc.call("anvil_reorg", [1, []])
        await net.rpc.call("anvil_setCode", [escrow, code])
        await net.rpc.call("evm_setAutomine", [True])
        await sender.tend()  # on the new chain it would succeed
        assert await deposited(net, config) == 0
        await pay(net, config, wei=300 * WEI, label="instead")(sender)
        assert await deposited(net, config) == 300 * WEI
        assert await nonces(net, "payer") == (3, [0, 1, 2])

    on_deep_devnet(tmp_path, main)
