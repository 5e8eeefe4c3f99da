"""A sender that is killed, a chain that drops or overcharges: each intent happens once, and no nonce is left out."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

import pytest
from tests.chain.endpoints import endpoints
from tests.devnet import PATIENCE_S, Devnet, OnDevnet

from dgrid.chain.channels import ChannelTerms, approve, channel_config, channel_state
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.journal import Entry, Intent, Journal
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import JOURNAL_NAME, Ceilings, Sender, TransactionReceipt
from dgrid.core.identity import to_hex
from dgrid.core.money import WEI
from dgrid.wire.messages import ChannelConfig

GWEI = 10**9


class Step(StrEnum):
    """Where the process dies."""

    BEFORE_JOURNAL = "before it is journaled"
    BEFORE_BROADCAST = "journaled and not broadcast"
    AFTER_BROADCAST = "broadcast"
    MINED = "mined and not noted"
    NOTED = "mined and noted"


class Killed(Exception):
    """The process dies here."""


class Mortal(Sender):
    """A sender whose process dies at one step."""

    step: Step | None = None

    def _reach(self, step: Step) -> None:
        if step is self.step:
            raise Killed

    async def _known_or_new(self, intent: Intent) -> Entry:
        self._reach(Step.BEFORE_JOURNAL)
        return await super()._known_or_new(intent)

    async def _broadcast(self, entry: Entry) -> None:
        self._reach(Step.BEFORE_BROADCAST)
        await super()._broadcast(entry)
        self._reach(Step.AFTER_BROADCAST)

    async def _close(self, entry: Entry, found: Any) -> TransactionReceipt:
        self._reach(Step.MINED)
        receipt = await super()._close(entry, found)
        self._reach(Step.NOTED)
        return receipt


def mortal(net: Devnet, name: str, step: Step | None = None, *, ceilings: Ceilings | None = None) -> Mortal:
    """One life of a named key; the next has the same journal."""
    sender = Mortal(net.rpc, net.key(name), folder=net.folder / name, chain_id=DEV_CHAIN_ID, ceilings=ceilings)
    sender.step = step
    return sender


async def ready_channel(net: Devnet, name: str) -> ChannelConfig:
    """A channel config whose payer has money and has allowed the escrow to take it."""
    sender = await net.sender(name, dgai_wei=1_000 * WEI)
    await approve(sender, net.contracts, spender=net.contracts.channel_escrow.address, amount_wei=1_000 * WEI)
    terms = ChannelTerms(net.key("gateway").address, sender.address, b"t" * 12)
    return await channel_config(net.rpc, net.contracts, payer=sender.address, terms=terms)


def pay(net: Devnet, config: ChannelConfig, *, wei: int, label: str) -> Callable[[Sender], Awaitable[Any]]:
    """A deposit under a label: an effect that adds up when it happens twice."""
    escrow = net.contracts.channel_escrow
    return lambda sender: sender.send(escrow, "deposit", [config, wei], label=label)


async def deposited(net: Devnet, config: ChannelConfig) -> int:
    return (await channel_state(net.rpc, net.contracts, config=config)).deposited_wei


async def nonces(net: Devnet, name: str) -> tuple[int, list[int]]:
    """How many transactions of the key are mined, and which nonces its journal holds."""
    count = int(await net.rpc.call("eth_getTransactionCount", [to_hex(net.key(name).address), "latest"]), 16)
    journal = Journal(net.folder / name / JOURNAL_NAME)
    held = [entry.nonce for entry in journal.from_nonce(0)]
    journal.close()
    return count, held


async def base_fee(net: Devnet, wei: int) -> None:
    """What the next block's gas costs, in a block that shows it."""
    await net.rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(wei)])
    await net.rpc.call("evm_mine", [])


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that looks after its transactions often."""
    monkeypatch.setattr("dgrid.chain.sender.TEND_S", 0.1)
    monkeypatch.setattr("dgrid.chain.sender.POLL_S_MAX", 0.1)


@pytest.mark.parametrize("step", list(Step), ids=str)
def test_a_sender_killed_at_any_step_pays_once_and_leaves_no_gap(on_devnet: OnDevnet, step: Step) -> None:
    async def main(net: Devnet) -> None:
        config = await ready_channel(net, "payer")
        intent = pay(net, config, wei=7 * WEI, label="once")
        dying = mortal(net, "payer", step)
        with pytest.raises(Killed):
            await intent(dying)
        await dying.close()
        again = mortal(net, "payer")
        await intent(again)
        await intent(again)
        await pay(net, config, wei=WEI, label="next")(again)
        await again.close()
        assert await deposited(net, config) == 8 * WEI
        assert await nonces(net, "payer") == (3, [0, 1, 2])

    on_devnet(main)


def test_thirty_payments_through_thirty_deaths_come_to_their_sum(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        chance = random.Random(7)
        config = await ready_channel(net, "payer")
        amounts = [chance.randrange(1, WEI) for _ in range(30)]
        intents = [pay(net, config, wei=wei, label=f"payment:{at}") for at, wei in enumerate(amounts)]
        for intent in intents:
            dying = mortal(net, "payer", chance.choice(list(Step)))
            with pytest.raises(Killed):
                await intent(dying)
            await dying.close()
        last = mortal(net, "payer")  # whoever wants something asks for it until it is done
        for intent in intents:
            await intent(last)
        await last.close()
        assert await deposited(net, config) == sum(amounts)
        assert await nonces(net, "payer") == (31, list(range(31)))

    on_devnet(main)


def test_a_dropped_transaction_is_sent_again(on_devnet: OnDevnet, hasty: None) -> None:
    async def main(net: Devnet) -> None:
        config = await ready_channel(net, "payer")
        await net.chain.pause_final()
        await net.rpc.call("evm_setAutomine", [False])
        alive = mortal(net, "payer")
        sending = asyncio.ensure_future(pay(net, config, wei=WEI, label="once")(alive))
        await net.waits()
        await net.rpc.call("anvil_dropAllTransactions", [])
        await net.waits()
        await net.rpc.call("evm_mine", [])
        await asyncio.wait_for(sending, PATIENCE_S)
        await alive.close()
        assert await deposited(net, config) == WEI
        assert await nonces(net, "payer") == (2, [0, 1])

    on_devnet(main)


def test_while_gas_is_above_the_ceiling_nothing_is_journaled_and_it_goes_on_when_it_falls(
    on_devnet: OnDevnet, hasty: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(net: Devnet) -> None:
        config = await ready_channel(net, "payer")
        await net.chain.pause_final()
        normal = int((await net.rpc.call("eth_getBlockByNumber", ["latest", False]))["baseFeePerGas"], 16)
        await base_fee(net, 1_000 * normal)
        thrifty = mortal(net, "payer", ceilings=Ceilings(fee_wei=20 * GWEI))
        sending = asyncio.ensure_future(pay(net, config, wei=WEI, label="once")(thrifty))
        async with asyncio.timeout(PATIENCE_S):
            while not any("once waits: gas costs" in line for line in caplog.messages):
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        assert not sending.done()
        assert not thrifty.is_sent("once")
        assert len([line for line in caplog.messages if "once waits: gas costs" in line]) == 1
        await base_fee(net, GWEI)
        await asyncio.wait_for(sending, PATIENCE_S)
        await thrifty.close()
        assert await deposited(net, config) == WEI
        assert await nonces(net, "payer") == (2, [0, 1])

    with caplog.at_level(logging.WARNING):
        on_devnet(main)


def test_what_gas_overtakes_pays_up_to_the_ceiling_then_waits_and_happens_once(
    on_devnet: OnDevnet, hasty: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(net: Devnet) -> None:
        config = await ready_channel(net, "payer")
        await net.chain.pause_final()
        await net.rpc.call("evm_setAutomine", [False])
        thrifty = mortal(net, "payer", ceilings=Ceilings(fee_wei=20 * GWEI))
        first = asyncio.ensure_future(pay(net, config, wei=WEI, label="first")(thrifty))
        await net.waits(1)
        second = asyncio.ensure_future(pay(net, config, wei=WEI, label="second")(thrifty))
        await net.waits(2)
        journal = Journal(net.folder / "payer" / JOURNAL_NAME)
        async with asyncio.timeout(PATIENCE_S):
            while [entry.attempts[-1].fee_wei for entry in journal.from_nonce(1)] != [20 * GWEI, 20 * GWEI]:
                await base_fee(net, 1_000 * GWEI)  # neither is mined: both pay too little for these blocks
                await asyncio.sleep(0.2)
            while not any("already pays the most it may" in line for line in caplog.messages):
                await base_fee(net, 1_000 * GWEI)
                await asyncio.sleep(0.2)
        journal.close()
        assert not first.done()
        assert not second.done()
        async with asyncio.timeout(PATIENCE_S):
            while not (first.done() and second.done()):
                await base_fee(net, GWEI)
                await asyncio.sleep(0.2)
        await asyncio.gather(first, second)
        await thrifty.close()
        assert await deposited(net, config) == 2 * WEI
        assert await nonces(net, "payer") == (3, [0, 1, 2])

    with caplog.at_level(logging.WARNING):
        on_devnet(main)


def test_what_an_earlier_life_left_underpaid_does_not_block_what_comes_after(on_devnet: OnDevnet, hasty: None) -> None:
    async def main(net: Devnet) -> None:
        config = await ready_channel(net, "payer")
        dying = mortal(net, "payer", Step.BEFORE_BROADCAST)
        with pytest.raises(Killed):
            await pay(net, config, wei=WEI, label="forgotten")(dying)
        await dying.close()
        await net.chain.pause_final()
        await net.rpc.call("evm_setAutomine", [False])
        await base_fee(net, 50 * GWEI)
        alive = mortal(net, "payer")
        sending = asyncio.ensure_future(pay(net, config, wei=WEI, label="new")(alive))
        deadline_s = time.monotonic() + PATIENCE_S
        while not sending.done() and time.monotonic() < deadline_s:
            await asyncio.sleep(0.2)
            await base_fee(net, 50 * GWEI)
        await sending
        await alive.close()
        assert await deposited(net, config) == 2 * WEI

    on_devnet(main)


def test_an_endpoint_that_invents_transactions_of_ours_makes_no_gap(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        config = await ready_channel(net, "payer")
        async with endpoints(net, 3) as doors:
            doors[0].lies["eth_getTransactionCount"] = lambda count: hex(int(count, 16) + 5)
            doors[0].lies["eth_getTransactionReceipt"] = lambda receipt: None
            rpc = Rpc([door.url for door in doors], net.http, chain_id=DEV_CHAIN_ID)
            sender = Sender(rpc, net.key("payer"), folder=net.folder / "payer", chain_id=DEV_CHAIN_ID)
            for label in ("one", "two"):
                await asyncio.wait_for(pay(net, config, wei=WEI, label=label)(sender), 30)
            await sender.close()
        assert await deposited(net, config) == 2 * WEI
        assert await nonces(net, "payer") == (3, [0, 1, 2])

    on_devnet(main)


def test_an_endpoint_that_hangs_or_overcharges_holds_no_payment_up(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        config = await ready_channel(net, "payer")
        async with endpoints(net, 3) as doors:
            doors[1].is_hanging = True
            rpc = Rpc([door.url for door in doors], net.http, chain_id=DEV_CHAIN_ID)
            sender = Sender(rpc, net.key("payer"), folder=net.folder / "payer", chain_id=DEV_CHAIN_ID)
            await asyncio.wait_for(pay(net, config, wei=WEI, label="one")(sender), 20)
            doors[1].is_hanging = False
            doors[0].lies["eth_getBlockByNumber"] = lambda block: block and {**block, "baseFeePerGas": hex(10**15)}
            doors[0].lies["eth_estimateGas"] = lambda gas: hex(14_000_000)
            await asyncio.wait_for(pay(net, config, wei=WEI, label="two")(sender), 20)
            await sender.close()
        journal = Journal(net.folder / "payer" / JOURNAL_NAME)
        last = journal.latest("two")
        journal.close()
        assert last is not None
        assert last.attempts[-1].fee_wei < 100 * GWEI
        assert last.intent.gas < 1_000_000
        assert await deposited(net, config) == 2 * WEI

    on_devnet(main)


def test_the_tip_is_what_the_chain_asks_and_no_fixed_sum(on_devnet: OnDevnet) -> None:
    """Chains differ a hundredfold in what their block makers want."""

    async def main(net: Devnet) -> None:
        config = await ready_channel(net, "payer")
        async with endpoints(net, 3) as doors:
            for door in doors[:2]:
                door.lies["eth_gasPrice"] = lambda price: hex(int(price, 16) - 95 * GWEI // 100)
            doors[2].lies["eth_gasPrice"] = lambda price: hex(1_000 * GWEI)
            rpc = Rpc([door.url for door in doors], net.http, chain_id=DEV_CHAIN_ID)
            sender = Sender(rpc, net.key("payer"), folder=net.folder / "payer", chain_id=DEV_CHAIN_ID)
            await pay(net, config, wei=WEI, label="cheap")(sender)
            await sender.close()
        journal = Journal(net.folder / "payer" / JOURNAL_NAME)
        cheap = journal.latest("cheap")
        journal.close()
        assert cheap is not None
        assert cheap.attempts[-1].tip_wei < GWEI // 10

    on_devnet(main)
