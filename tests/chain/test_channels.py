from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.devnet import Devnet, OnDevnet

from dgrid.chain.channels import (
    ChannelTerms,
    channel_config,
    channel_id,
    channel_state,
    deposit,
    finalize_withdraw,
    gateways_to_pay,
    open_channel,
    request_withdraw,
)
from dgrid.chain.contracts import Reverted
from dgrid.chain.events import MemberRegistered, Moment, Role
from dgrid.chain.view import ChainView, fold
from dgrid.core.identity import Address
from dgrid.core.money import WEI


@given(st.lists(st.integers(0, 3), max_size=20), st.randoms(use_true_random=False))
def test_money_is_kept_at_the_gateways_with_the_most_stake(stakes: list[int], order: Random) -> None:
    """Whoever reads the chain keeps it at the same ones."""
    names = [Address(bytes([at]) * 20) for at in range(len(stakes))]
    joined = [
        MemberRegistered(Moment(1, 0, 1_000, bytes(32)), Role.GATEWAY, name, stake_wei, "", bytes(32), bytes(32), 0)
        for name, stake_wei in zip(names, stakes, strict=True)
    ]
    order.shuffle(joined)
    chosen = [member.address for member in gateways_to_pay(fold(ChainView(), joined))]
    most_first = [
        name for most in (3, 2, 1) for name, stake_wei in zip(names, stakes, strict=True) if stake_wei == most
    ]
    assert chosen == most_first[:16]


def terms(net: Devnet) -> ChannelTerms:
    return ChannelTerms(net.key("gateway").address, net.key("payer").address, b"t" * 12)


def test_the_channels_name_is_the_one_the_escrow_computes(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        config = await channel_config(net.rpc, net.contracts, payer=net.key("payer").address, terms=terms(net))
        asked = await net.contracts.channel_escrow.read(net.rpc, "channelId", [config])
        assert asked == channel_id(net.contracts, config)

    on_devnet(main)


def test_a_payer_deposits_leaves_and_has_everything_back(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        sender = await net.sender("payer", dgai_wei=100 * WEI)
        config = await channel_config(net.rpc, net.contracts, payer=sender.address, terms=terms(net))
        await deposit(sender, net.contracts, config=config, amount_wei=60 * WEI)
        await deposit(sender, net.contracts, config=config, amount_wei=40 * WEI)
        assert (await channel_state(net.rpc, net.contracts, config=config)).deposited_wei == 100 * WEI
        await request_withdraw(sender, net.contracts, config=config, amount_wei=100 * WEI)
        with pytest.raises(Reverted, match="WithdrawNotYet"):
            await finalize_withdraw(sender, net.contracts, config=config)
        await net.pass_time(200)
        await finalize_withdraw(sender, net.contracts, config=config)
        assert await net.balance(sender.address) == 100 * WEI

    on_devnet(main)


def test_a_channel_is_opened_and_funded_once(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        payer, journal = net.key("payer"), net.folder / "payer"
        for amount_wei in (5 * WEI, 7 * WEI):
            await open_channel(
                net.rpc, net.config, payer=payer, terms=terms(net), amount_wei=amount_wei, journal=journal
            )
        config = await channel_config(net.rpc, net.contracts, payer=payer.address, terms=terms(net))
        assert (await channel_state(net.rpc, net.contracts, config=config)).deposited_wei == 5 * WEI

    on_devnet(main)
