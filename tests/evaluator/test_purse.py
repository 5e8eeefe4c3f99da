"""What an evaluator's channels are filled with, and when no more: a gateway signs for what lies in them."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.devnet import Devnet, OnDevnet
from tests.settlement.books import voucher
from tests.settlement.network import Settling, settling

from dgrid.chain.channels import ChannelState, channel_id
from dgrid.core.money import WEI
from dgrid.evaluator.journal import Journal
from dgrid.evaluator.purse import Allowance, Purse
from dgrid.wire.messages import ChannelConfig

DEPOSIT_WEI, BUDGET_WEI = 10 * WEI, 2 * WEI
TOKENS = 3_000_000  # some six DGAI's worth
GATEWAY = b"\x01" * 20
UNPAID = ChannelState(0, 0, 0, 0)


class Turn(StrEnum):
    """What can happen next to a channel."""

    ASK = "ask"  # and the answer is billed
    FILL = "fill"
    KILL = "kill"  # the evaluator, and it begins anew
    KILL_ASKING = "kill asking"  # the question was noted, and never left


class Channel:
    """One evaluator's channel at one gateway, which the evaluator fills as `Purse.fill` does; its process may be killed
    at any time.
    """

    def __init__(self, file: Path, state: ChannelState = UNPAID) -> None:
        self.file, self.state = file, state
        self.asked = 0
        self.begin()

    def begin(self) -> None:
        """After kill -9: nothing was closed."""
        self.allowance = Allowance(Journal(self.file), BUDGET_WEI)

    def draw(self, wei: int) -> None:
        self.state = replace(self.state, drawn_wei=self.state.drawn_wei + min(wei, self.left_wei))

    @property
    def left_wei(self) -> int:
        return self.state.deposited_wei - self.state.drawn_wei

    @property
    def stolen_wei(self) -> int:
        """Beyond what all questions that left may have cost."""
        return self.state.drawn_wei - self.asked * BUDGET_WEI

    def fill(self) -> bool:
        """Whether the gateway is still trusted."""
        covered = self.allowance.covers(GATEWAY, self.state)
        if covered and 2 * self.left_wei < DEPOSIT_WEI:
            self.state = replace(self.state, deposited_wei=self.state.drawn_wei + DEPOSIT_WEI)
        return covered

    def play(self, turn: Turn, wei: int) -> None:
        match turn:
            case Turn.ASK:
                self.allowance.note(GATEWAY)
                self.asked += 1
                self.draw(wei)
            case Turn.FILL:
                self.fill()
            case Turn.KILL:
                self.begin()
            case Turn.KILL_ASKING:
                self.allowance.note(GATEWAY)
                self.begin()


PAID_BEFORE = st.builds(ChannelState, st.just(DEPOSIT_WEI), st.integers(0, DEPOSIT_WEI), st.just(0), st.just(0))
TURNS = st.lists(st.tuples(st.sampled_from(Turn), st.integers(0, BUDGET_WEI)), max_size=30)


@given(TURNS, st.just(UNPAID) | PAID_BEFORE)
def test_whoever_draws_what_it_was_asked_for_is_always_covered_whenever_the_evaluator_is_killed(
    tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[Turn, int]], paid: ChannelState
) -> None:
    """Also where its journal is newer than its channel, and answers from before are collected only now."""
    channel = Channel(tmp_path_factory.mktemp("purse") / "journal.sqlite", paid)
    assert channel.fill()
    channel.draw(paid.deposited_wei - paid.drawn_wei)
    for turn, fee_wei in turns:
        channel.play(turn, fee_wei)
        assert channel.fill()


@given(TURNS)
def test_a_gateway_that_takes_all_it_can_gets_one_deposit_however_often_the_evaluator_is_killed(
    tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[Turn, int]]
) -> None:
    channel = Channel(tmp_path_factory.mktemp("purse") / "journal.sqlite")
    begun = 0  # questions that a crash kept from leaving: each is allowed all the same
    for turn, _ in turns:
        channel.play(turn, 0)
        begun += turn is Turn.KILL_ASKING
        channel.draw(DEPOSIT_WEI)
        assert channel.stolen_wei <= DEPOSIT_WEI + begun * BUDGET_WEI


def test_a_lost_journal_forgives_what_was_paid_in_and_no_more(tmp_path: Path) -> None:
    paid = ChannelState(3 * DEPOSIT_WEI, 3 * DEPOSIT_WEI, 0, 0)
    allowance = Allowance(Journal(tmp_path / "journal.sqlite"), BUDGET_WEI)
    assert allowance.covers(GATEWAY, paid)
    assert allowance.covers(GATEWAY, replace(paid, deposited_wei=4 * DEPOSIT_WEI))
    assert not allowance.covers(GATEWAY, replace(paid, deposited_wei=4 * DEPOSIT_WEI, drawn_wei=3 * DEPOSIT_WEI + 1))
    allowance.note(GATEWAY)
    assert allowance.covers(GATEWAY, replace(paid, drawn_wei=3 * DEPOSIT_WEI + BUDGET_WEI))


def test_what_was_asked_before_the_first_look_counts(tmp_path: Path) -> None:
    allowance = Allowance(Journal(tmp_path / "journal.sqlite"), BUDGET_WEI)
    allowance.note(GATEWAY)
    paid = ChannelState(DEPOSIT_WEI, 0, 0, 0)
    assert allowance.covers(GATEWAY, paid)
    assert allowance.covers(GATEWAY, replace(paid, drawn_wei=DEPOSIT_WEI + BUDGET_WEI))
    assert not allowance.covers(GATEWAY, replace(paid, drawn_wei=DEPOSIT_WEI + BUDGET_WEI + 1))


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

        def begun() -> Purse:
            """An evaluator that begins anew with what is on its disk."""
            allowance = Allowance(Journal(tmp_path / "journal.sqlite"), BUDGET_WEI)
            return Purse(net.rpc, net.contracts, sender, key, DEPOSIT_WEI, True, allowance)

        async def left_wei(purse: Purse) -> int:
            await purse.fill(watcher.latest)
            await net.rpc.call("anvil_mine", ["0x3"])
            await watcher.poll()
            return watcher.finalized.channels[name].balance_wei

        await begun().fill(watcher.latest)
        view = await watcher.until(lambda view: bool(view.channels), timeout_s=30)
        ((name, opened),) = view.channels.items()
        epoch = watcher.clock.epoch_at(net.genesis_s * 1000)
        await bill(network, opened.config, epoch)
        for _ in range(3):
            assert await left_wei(begun()) < DEPOSIT_WEI // 2
        purse = begun()
        for _ in range(4):
            purse.allowance.note(network.books.key.address)
        assert await left_wei(begun()) == DEPOSIT_WEI, "it was asked since"

    on_devnet(main)
