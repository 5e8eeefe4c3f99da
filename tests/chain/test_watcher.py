import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.devnet import PATIENCE_S, POLL_MS, Devnet, OnDevnet, deploy_contracts, running_devnet

from dgrid.chain.channels import ChannelTerms, channel_config, channel_id, deposit, request_withdraw
from dgrid.chain.contracts import Contracts
from dgrid.chain.deploy import dev_terms
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import ChainEvent, Deposited, Role
from dgrid.chain.sender import Sender
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.errors import ChainUnavailable
from dgrid.core.money import WEI
from dgrid.wire.messages import ChannelConfig


async def open_one(net: Devnet, sender: Sender, amount_wei: int = 10 * WEI) -> ChannelConfig:
    terms = ChannelTerms(net.key("gateway").address, sender.address, b"t" * 12)
    config = await channel_config(net.rpc, net.contracts, payer=sender.address, terms=terms)
    await deposit(sender, net.contracts, config=config, amount_wei=amount_wei)
    return config


async def enroll(net: Devnet, name: str, enrolment: Enrolment, watcher: ChainWatcher) -> None:
    sender = await net.sender(name, dgai_wei=0)
    await Enroller(net.rpc, net.contracts, sender, dev=True).enroll(enrolment, watcher.finalized)


def test_a_deposit_is_credited_once_final_and_told(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        watcher, told = await net.watcher("gateway"), list[ChainEvent]()
        watcher.on_finalized(told.append)
        config = await open_one(net, await net.sender("payer"))
        name = channel_id(net.contracts, config)
        view = await watcher.until(lambda view: name in view.channels, timeout_s=30)
        assert view.channels[name].balance_wei == 10 * WEI
        assert view.channels[name].config == config
        deposits = [event for event in told if isinstance(event, Deposited)]
        assert [one.deposited_wei for one in deposits] == [10 * WEI]
        assert not watcher.is_stale

    on_devnet(main)


def test_members_lines_and_withdrawals_appear_in_the_view(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        watcher = await net.watcher("gateway")
        entry = Enrolment(Role.GATEWAY, "http://127.0.0.1:1", 1000 * WEI, margin_bps=500)
        await enroll(net, "gateway", entry, watcher)
        address, node = net.key("gateway").address, net.key("node").address
        await watcher.until(lambda view: (Role.GATEWAY, address) in view.members, timeout_s=30)
        moved = Enrolment(Role.GATEWAY, "http://127.0.0.1:2", 1200 * WEI, margin_bps=700)
        await enroll(net, "gateway", moved, watcher)
        enroller = Enroller(net.rpc, net.contracts, await net.sender("gateway"), dev=True)
        await enroller.ensure_bond(2000 * WEI)
        await enroller.ensure_lines({node: 50 * WEI}, watcher.finalized)
        view = await watcher.until(lambda view: (address, node) in view.lines, timeout_s=30)
        member = view.members[(Role.GATEWAY, address)]
        assert (member.endpoint, member.stake_wei, member.margin_bps) == ("http://127.0.0.1:2", 1200 * WEI, 700)
        assert member.active
        assert view.bonds[address] == 2000 * WEI
        assert view.lines[(address, node)] == 50 * WEI

        sender = await net.sender("payer")
        config = await open_one(net, sender)
        await request_withdraw(sender, net.contracts, config=config, amount_wei=WEI)
        name = channel_id(net.contracts, config)
        view = await watcher.until(
            lambda view: name in view.channels and view.channels[name].withdraw_wei == WEI, timeout_s=30
        )
        assert view.channels[name].withdraw_requested_ms is not None

    on_devnet(main)


def test_a_reorganized_deposit_leaves_no_trace(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        await net.chain.make_final()
        sender = await net.sender("payer")
        await net.rpc.call("anvil_mine", ["0x5"])
        await net.chain.pause_final()
        watcher = await net.watcher("gateway")
        config = await open_one(net, sender)
        name = channel_id(net.contracts, config)
        await watcher.poll()
        assert name in watcher.latest.channels
        assert name not in watcher.finalized.channels
        await net.rpc.call("anvil_reorg", [1, []])  # the deposit's block is replaced by an empty one
        await watcher.poll()
        assert name not in watcher.latest.channels
        await net.rpc.call("anvil_mine", ["0x5"])
        await watcher.poll()
        assert name not in watcher.finalized.channels

    on_devnet(main)


def test_a_role_starts_from_disk_while_the_chain_is_away(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        watcher = await net.watcher("gateway")
        config = await open_one(net, await net.sender("payer"))
        name = channel_id(net.contracts, config)
        await watcher.until(lambda view: name in view.channels, timeout_s=30)
        await net.chain.stop()
        again = ChainWatcher(net.rpc, net.contracts, net.folder / "gateway", poll_ms=POLL_MS)
        await asyncio.wait_for(again.start(), 30)
        assert again.finalized.channels[name].balance_wei == 10 * WEI
        assert again.clock.length_s == 2
        assert again.unreachable_since_ms is not None
        assert again.is_stale
        await again.stop()

    on_devnet(main)


def test_two_polls_at_once_read_everything_once(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        watcher, told = ChainWatcher(net.rpc, net.contracts, None, poll_ms=POLL_MS), list[ChainEvent]()
        watcher.on_finalized(told.append)
        await open_one(net, await net.sender("payer"))
        await net.chain.make_final()
        await asyncio.gather(watcher.poll(), watcher.poll())
        assert len([event for event in told if isinstance(event, Deposited)]) == 1
        await watcher.stop()

    on_devnet(main)


def test_a_disk_that_was_full_for_a_while_ends_no_watching(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        watcher = await net.watcher("gateway")
        file = watcher._cursor._db
        before = file.execute("PRAGMA max_page_count").fetchone()[0]
        file.execute("PRAGMA max_page_count = 1")  # as large as it is now, and no larger
        sender, payers = await net.sender("payer"), 0
        async with asyncio.timeout(30):
            while watcher.unreachable_since_ms is None:
                terms = ChannelTerms(net.key(f"gateway-{payers}").address, sender.address, b"t" * 12)
                config = await channel_config(net.rpc, net.contracts, payer=sender.address, terms=terms)
                await deposit(sender, net.contracts, config=config, amount_wei=WEI)
                payers += 1
        file.execute(f"PRAGMA max_page_count = {before}")
        await watcher.until(lambda view: len(view.channels) == payers, timeout_s=30)

    on_devnet(main)


def test_a_chain_that_lost_everything_is_read_again(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        watcher = await net.watcher("gateway")
        config = await open_one(net, await net.sender("payer"))
        name = channel_id(net.contracts, config)
        await watcher.until(lambda view: name in view.channels, timeout_s=30)
        net.chain.kill()  # keeps no state: it comes back empty
        await net.answers()
        async with asyncio.timeout(PATIENCE_S):
            while not watcher.is_stale:
                await asyncio.sleep(0.05)
        assert name in watcher.finalized.channels  # nothing is known of the new chain yet
        again = await deploy_contracts(net.rpc, terms=dev_terms(genesis_s=net.genesis_s, epoch_seconds=5))
        assert again == net.config.contracts
        await watcher.until(lambda view: not view.channels, timeout_s=30)
        assert watcher.clock.length_s == 5

    on_devnet(main)


def test_channels_survive_a_killed_chain_that_keeps_its_state(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_devnet(tmp_path, keep_state=True) as net:
            watcher = await net.watcher("gateway")
            config = await open_one(net, await net.sender("payer"))
            name = channel_id(net.contracts, config)
            await watcher.until(lambda view: name in view.channels, timeout_s=30)
            await net.is_kept()
            net.chain.kill()
            await net.answers()
            config = await open_one(net, await net.sender("payer"), amount_wei=WEI)
            view = await watcher.until(lambda view: view.channels[name].balance_wei == 11 * WEI, timeout_s=30)
            assert view.channels[name].deposited_wei == 11 * WEI

    asyncio.run(main())


def test_nothing_is_read_of_blocks_before_the_contracts_first(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        sender = await net.sender("payer")
        await net.chain.pause_final()
        await open_one(net, sender)
        await net.rpc.call("anvil_mine", ["0x3"])
        head = await net.rpc.finalized_block()
        contracts = Contracts(replace(net.config, first_block=head.number + 1))
        watcher = ChainWatcher(net.rpc, contracts, None, poll_ms=POLL_MS)
        with pytest.raises(ChainUnavailable, match="has not come to block"):
            await watcher.poll()
        config = await open_one(net, await net.sender("later"), amount_wei=WEI)
        await net.rpc.call("anvil_mine", ["0x3"])
        await watcher.poll()
        assert list(watcher.finalized.channels) == [channel_id(net.contracts, config)]
        await watcher.stop()

    on_devnet(main)
