import asyncio
from typing import Any

import pytest
from tests.chain.endpoints import endpoints
from tests.devnet import PATIENCE_S, Devnet, OnDevnet

from dgrid.chain.channels import ChannelTerms, approve, channel_config, channel_state
from dgrid.chain.contracts import Reverted
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.journal import Attempt, Intent, Journal, State
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import JOURNAL_NAME, Ceilings, Sender, TransactionRefused
from dgrid.chain.transactions import Transaction, transaction_hash
from dgrid.core.errors import ChainUnavailable
from dgrid.core.identity import to_hex
from dgrid.core.money import WEI
from dgrid.wire.messages import ChannelConfig


class Broken(Exception):
    """The process dies here."""


class DyingSender(Sender):
    """Dies on its way to the chain: before the broadcast, or right after it."""

    after_broadcast = False

    async def _broadcast(self, entry: Any) -> None:
        if self.after_broadcast:
            await super()._broadcast(entry)
        raise Broken


async def channel_of(net: Devnet, sender: Sender) -> ChannelConfig:
    terms = ChannelTerms(net.key("gateway").address, sender.address, b"t" * 12)
    return await channel_config(net.rpc, net.contracts, payer=sender.address, terms=terms)


async def nonce_of(net: Devnet, sender: Sender) -> int:
    return int(await net.rpc.call("eth_getTransactionCount", [to_hex(sender.address), "latest"]), 16)


@pytest.mark.parametrize("after_broadcast", [False, True], ids=["before broadcast", "after broadcast"])
def test_a_killed_sender_sends_exactly_once(on_devnet: OnDevnet, *, after_broadcast: bool) -> None:
    async def main(net: Devnet) -> None:
        alive = await net.sender("payer", dgai_wei=100 * WEI)
        await approve(alive, net.contracts, spender=net.contracts.channel_escrow.address, amount_wei=100 * WEI)
        config, before = await channel_of(net, alive), await nonce_of(net, alive)
        dying = DyingSender(net.rpc, net.key("payer"), folder=net.folder / "payer", chain_id=DEV_CHAIN_ID)
        dying.after_broadcast = after_broadcast
        call = net.contracts.channel_escrow, "deposit", [config, 10 * WEI]
        with pytest.raises(Broken):
            await dying.send(*call, label="once")
        await dying.close()
        again = Sender(net.rpc, net.key("payer"), folder=net.folder / "payer", chain_id=DEV_CHAIN_ID)
        first = await again.send(*call, label="once")
        second = await again.send(*call, label="once")
        await again.close()
        assert first == second
        assert (await channel_state(net.rpc, net.contracts, config=config)).deposited_wei == 10 * WEI
        assert await nonce_of(net, alive) == before + 1

    on_devnet(main)


def test_what_was_never_broadcast_goes_out_before_anything_new(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        await net.sender("payer", dgai_wei=100 * WEI)
        escrow = net.contracts.channel_escrow.address
        dying = DyingSender(net.rpc, net.key("payer"), folder=net.folder / "payer", chain_id=DEV_CHAIN_ID)
        with pytest.raises(Broken):
            await dying.send(net.contracts.dgai, "approve", [escrow, WEI], label="forgotten")
        await dying.close()
        again = Sender(net.rpc, net.key("payer"), folder=net.folder / "payer", chain_id=DEV_CHAIN_ID)
        config = await channel_of(net, again)
        await again.send(net.contracts.channel_escrow, "deposit", [config, WEI], label="new")
        await again.close()
        assert (await channel_state(net.rpc, net.contracts, config=config)).deposited_wei == WEI

    on_devnet(main)


def test_a_refusal_carries_the_contracts_own_error_and_is_not_journaled(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        sender = await net.sender("payer", dgai_wei=0)
        config = await channel_of(net, sender)
        with pytest.raises(Reverted) as refused:
            await sender.send(net.contracts.channel_escrow, "deposit", [config, WEI], label="poor")
        assert refused.value.name == "ERC20InsufficientAllowance"
        assert refused.value.arguments["needed"] == WEI
        assert not sender.is_sent("poor")

    on_devnet(main)


def test_gas_above_the_ceiling_is_refused(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        funded = await net.sender("payer")
        modest = Sender(
            net.rpc,
            net.key("payer"),
            folder=net.folder / "modest",
            chain_id=DEV_CHAIN_ID,
            ceilings=Ceilings(gas=30_000),
        )
        with pytest.raises(TransactionRefused, match="gas"):
            await approve(modest, net.contracts, spender=funded.address, amount_wei=1)
        await modest.close()

    on_devnet(main)


def test_what_no_node_passes_on_is_not_journaled(on_devnet: OnDevnet) -> None:
    """It would never be mined, nor anything after it."""

    async def main(net: Devnet) -> None:
        sender = await net.sender("payer")
        with pytest.raises(TransactionRefused, match="130001 bytes"):
            await sender.create(bytes(130_001), label="too much")
        assert not sender.is_sent("too much")
        await approve(sender, net.contracts, spender=sender.address, amount_wei=1)

    on_devnet(main)


def test_a_stuck_transaction_is_replaced_by_one_that_pays_more(
    on_devnet: OnDevnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dgrid.chain.sender.BUMP_AFTER_S", 0.3)

    async def main(net: Devnet) -> None:
        sender = await net.sender("payer")
        await net.chain.pause_final()
        await net.rpc.call("evm_setAutomine", [False])
        sending = asyncio.create_task(approve(sender, net.contracts, spender=sender.address, amount_wei=1))
        journal = Journal(net.folder / "payer" / JOURNAL_NAME)
        async with asyncio.timeout(PATIENCE_S):
            while not (found := journal.from_nonce(0)) or len(found[0].attempts) < 2:
                await asyncio.sleep(0.05)
        journal.close()
        (entry,) = found
        assert entry.attempts[-1].fee_wei > entry.attempts[0].fee_wei
        await net.rpc.call("evm_setAutomine", [True])
        await net.rpc.call("evm_mine", [])
        await asyncio.wait_for(sending, 30)
        assert await nonce_of(net, sender) == 1

    on_devnet(main)


def test_a_node_without_the_final_blocks_state_fails_nothing_that_is_under_way(on_devnet: OnDevnet) -> None:
    """As it is after a start from what a node had kept."""

    async def main(net: Devnet) -> None:
        first = await net.sender("payer")
        async with endpoints(net, 1) as (door,):
            door.has_final_state = False
            rpc = Rpc([door.url], net.http, chain_id=DEV_CHAIN_ID)
            sender = Sender(rpc, net.key("payer"), folder=net.folder / "payer-2", chain_id=DEV_CHAIN_ID)
            await net.rpc.call("evm_setAutomine", [False])
            sending = asyncio.create_task(approve(sender, net.contracts, spender=first.address, amount_wei=1))
            async with asyncio.timeout(PATIENCE_S):
                while door.methods.count("eth_getTransactionCount") < 3 and not sending.done():
                    await asyncio.sleep(0.02)
            await net.rpc.call("evm_setAutomine", [True])
            await net.rpc.call("evm_mine", [])
            await asyncio.wait_for(sending, PATIENCE_S)
            await sender.close()

    on_devnet(main)


def test_a_nonce_taken_by_another_program_costs_a_new_nonce_not_the_intent(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        sender = await net.sender("payer")
        foreign = Transaction(DEV_CHAIN_ID, 0, 10**9, 10**10, 21_000, sender.address, 0, b"").signed(net.key("payer"))
        dying = DyingSender(net.rpc, net.key("payer"), folder=net.folder / "payer", chain_id=DEV_CHAIN_ID)
        call = net.contracts.dgai, "approve", [sender.address, 7]
        with pytest.raises(Broken):
            await dying.send(*call, label="approve")
        await dying.close()
        await net.rpc.call("eth_sendRawTransaction", [to_hex(foreign)])
        await net.rpc.call("anvil_mine", ["0x3"])
        await asyncio.wait_for(sender.send(*call, label="approve"), 30)
        assert await net.contracts.dgai.read(net.rpc, "allowance", [sender.address, sender.address]) == 7
        assert await nonce_of(net, sender) == 2

    on_devnet(main)


def test_sending_waits_while_the_chain_is_away(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        sender = await net.sender("payer")
        await sender.start()
        pid = net.chain.pid
        assert pid is not None
        dying = DyingSender(net.rpc, net.key("payer"), folder=net.folder / "payer", chain_id=DEV_CHAIN_ID)
        with pytest.raises(Broken):
            await dying.send(net.contracts.dgai, "approve", [sender.address, 7], label="approve")
        await dying.close()
        for _ in range(100):  # the other sender of the key tends the same journal
            if await net.contracts.dgai.read(net.rpc, "allowance", [sender.address, sender.address]) == 7:
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("what was journaled was never sent")
        await net.chain.stop()
        with pytest.raises(ChainUnavailable):
            await sender.send(net.contracts.dgai, "approve", [sender.address, 8], label="later")

    on_devnet(main)


def test_a_journal_of_another_chain_is_set_aside(tmp_path: Any) -> None:
    journal = Journal(tmp_path / JOURNAL_NAME)
    assert journal.bind(b"\x01" * 32)
    raw = b"raw"
    call = Intent("label", bytes(20), b"", 0, 21_000)
    entry = journal.add(call, lambda _nonce: Attempt(transaction_hash(raw), raw, 1, 1), nonce_min=5)
    assert (entry.nonce, entry.state) == (5, State.OPEN)
    assert not journal.bind(b"\x02" * 32)
    assert journal.latest("label") is None
    assert journal.bind(b"\x02" * 32)
    journal.close()
    assert (tmp_path / JOURNAL_NAME).with_suffix(".01010101").exists()
