"""What an evaluator's channels are filled with, and when no more: a gateway signs for what lies in them."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.devnet import Devnet, OnDevnet
from tests.settlement.books import voucher
from tests.settlement.network import Settling, settling

from dgrid.chain.channels import channel_id
from dgrid.core.money import WEI
from dgrid.evaluator.purse import Allowance, Purse
from dgrid.wire.messages import ChannelConfig

DEPOSIT_WEI, BUDGET_WEI = 10 * WEI, 2 * WEI
TOKENS = 3_000_000  # some six DGAI's worth
GATEWAY = b"\x01" * 20


@given(st.lists(st.integers(0, BUDGET_WEI), max_size=20), st.integers(0, DEPOSIT_WEI), st.integers(0, 10**30))
def test_whoever_draws_what_it_was_asked_for_is_always_covered(fees: list[int], open_wei: int, drawn_wei: int) -> None:
    """Whatever it had drawn before, and though answers from before are collected only now."""
    allowance = Allowance(BUDGET_WEI)
    assert allowance.covers(GATEWAY, drawn_wei, spare_wei=DEPOSIT_WEI)
    for at in range(len(fees)):
        allowance.note(GATEWAY)
        assert allowance.covers(GATEWAY, drawn_wei + open_wei + sum(fees[: at + 1]), spare_wei=DEPOSIT_WEI)
    most_wei = drawn_wei + len(fees) * BUDGET_WEI + DEPOSIT_WEI
    assert not allowance.covers(GATEWAY, most_wei + 1, spare_wei=DEPOSIT_WEI)


async def bill(network: Settling, config: ChannelConfig, epoch: int) -> None:
    """A gateway that signs for the channel takes some six DGAI of it, for an answer of its own node's."""
    books = network.books
    books.answer(epoch, network.work(config, "node-1", tokens_in=TOKENS, tokens_out=0))
    await network.anchor(epoch, voucher(network.escrow_domain, config, books.key, 100 * WEI))
    name = channel_id(network.net.contracts, config)
    before_wei = network.watcher.finalized.channels[name].drawn_wei
    while network.watcher.finalized.channels[name].drawn_wei == before_wei:
        await network.loop.step()
        await network.net.rpc.call("anvil_mine", ["0x3"])


def test_a_gateway_that_bills_what_it_was_not_asked_is_not_paid_for_ever(on_devnet: OnDevnet, tmp_path: Path) -> None:
    async def main(net: Devnet) -> None:
        network, key = await settling(net, archives=1), net.key("evaluator")
        sender, watcher = await net.sender("evaluator", dgai_wei=0), network.watcher
        allowance = Allowance(BUDGET_WEI)
        purse = Purse(net.rpc, net.contracts, sender, key, DEPOSIT_WEI, True, allowance)
        await purse.fill(watcher.latest)
        view = await watcher.until(lambda view: bool(view.channels), timeout_s=30)
        ((name, opened),) = view.channels.items()

        async def left_wei() -> int:
            await purse.fill(watcher.latest)
            await net.rpc.call("anvil_mine", ["0x3"])
            await watcher.poll()
            return watcher.finalized.channels[name].balance_wei

        epoch = watcher.clock.epoch_at(net.genesis_s * 1000)
        await bill(network, opened.config, epoch)
        assert await left_wei() == DEPOSIT_WEI, "what was open when it began may be drawn"
        await bill(network, opened.config, epoch + 1)
        assert await left_wei() < DEPOSIT_WEI // 2
        for _ in range(2):
            allowance.note(network.books.key.address)
        assert await left_wei() == DEPOSIT_WEI, "it was asked since"

    on_devnet(main)
