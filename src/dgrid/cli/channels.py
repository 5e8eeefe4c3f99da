"""Behind `dgrid channel`: the user's deposits at gateways, and the transactions that fill them and empty them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from dgrid.chain.channels import deposit, finalize_withdraw, request_withdraw
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.funding import fund_dev
from dgrid.chain.rpc import Rpc
from dgrid.chain.view import Channel
from dgrid.cli.sending import opened_rpc, sending
from dgrid.cli.signers import address_of, user_of
from dgrid.cli.wallet_config import chain_config
from dgrid.core.errors import NotYet
from dgrid.core.identity import Address, from_hex, to_hex
from dgrid.settlement.reading import NetworkReader, reading

# What each command takes of gas for one channel, at most about.
DEPOSIT_GAS = 150_000
ANNOUNCE_GAS = 80_000
FINALIZE_GAS = 110_000


def gas_cost_wei(home: Path, gas: int) -> int:
    """What so much gas costs now, in the chain's coin. Raises ChainUnavailable."""
    return gas * _asked(home, Rpc.gas_price_wei)


def _asked(home: Path, work: Callable[[Rpc], Awaitable[int]]) -> int:
    async def main() -> int:
        async with opened_rpc(chain_config(home)) as rpc:
            return await work(rpc)

    return asyncio.run(main())


def read_channels(home: Path, *, gateway: str | None = None) -> list[dict[str, Any]]:
    """The channels that the home's user key pays for, or its one to a gateway."""
    return asyncio.run(_read_channels(home, None if gateway is None else address_of(gateway)))


async def _read_channels(home: Path, gateway: Address | None) -> list[dict[str, Any]]:
    payer = user_of(home).address
    async with reading(chain_config(home)) as network:
        found = [one for one in network.view.channels.values() if one.config.payer == payer]
    return [_channel_data(one) for one in found if gateway in (None, one.config.gateway)]


def _channel_data(channel: Channel) -> dict[str, Any]:
    config = channel.config
    leaving = channel.withdraw_requested_ms is not None
    return {
        "channel_id": to_hex(channel.id),
        "gateway": to_hex(config.gateway),
        "kind": "its gateway (API key)" if config.payer_authorizer == config.gateway else "your key (vouchers)",
        "deposited_wei": str(channel.deposited_wei),
        "drawn_wei": str(channel.drawn_wei),
        "balance_wei": str(channel.balance_wei),
        "state": "withdrawing" if leaving else "open" if channel.balance_wei else "empty",
        "available_at_ms": channel.withdraw_available_ms,
    }


def deposit_into(home: Path, channel_ids: Sequence[str], *, amount_wei: int) -> list[dict[str, Any]]:
    """Pays the amount into each channel, from the home's user key; the dev chain gives the money for it."""
    return asyncio.run(_deposit_into(home, [from_hex(name, size=32) for name in channel_ids], amount_wei))


async def _deposit_into(home: Path, channel_ids: Sequence[bytes], amount_wei: int) -> list[dict[str, Any]]:
    if not channel_ids:
        return []
    async with sending(home) as (network, sender):
        if network.contracts.chain_id == DEV_CHAIN_ID:
            whole_wei = amount_wei * len(channel_ids)
            await fund_dev(network.rpc, network.contracts, address=sender.address, dgai_wei=whole_wei)
        for channel in _chosen(network, channel_ids):
            await deposit(sender, network.contracts, config=channel.config, amount_wei=amount_wei)
    return await _shown_after(home, channel_ids)


def request_withdrawals(home: Path, channel_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Announces the withdrawal of each channel's whole balance."""
    return asyncio.run(_request_withdrawals(home, [from_hex(name, size=32) for name in channel_ids]))


async def _request_withdrawals(home: Path, channel_ids: Sequence[bytes]) -> list[dict[str, Any]]:
    if not channel_ids:
        return []
    async with sending(home) as (network, sender):
        for channel in _chosen(network, channel_ids):
            balance = channel.balance_wei
            await request_withdraw(sender, network.contracts, config=channel.config, amount_wei=balance)
    return await _shown_after(home, channel_ids)


def ready_of(home: Path, channels: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those whose announced withdrawal can be paid out now. Raises NotYet when none can, ChainUnavailable."""
    now_ms = 1000 * max(_asked(home, Rpc.now_s), int(time.time()))
    ready = [one for one in channels if (one["available_at_ms"] or 0) <= now_ms]
    if channels and not ready:
        first_s = (min(one["available_at_ms"] for one in channels) - now_ms) // 1000
        raise NotYet("no withdrawal's delay is over", hint=f"the first ends in {first_s} s")
    return ready


def finalize_withdrawals(home: Path, channel_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Pays out each channel's announced withdrawal. Raises Reverted while a delay is not over."""
    return asyncio.run(_finalize_withdrawals(home, [from_hex(name, size=32) for name in channel_ids]))


async def _finalize_withdrawals(home: Path, channel_ids: Sequence[bytes]) -> list[dict[str, Any]]:
    if not channel_ids:
        return []
    async with sending(home) as (network, sender):
        for channel in _chosen(network, channel_ids):
            await finalize_withdraw(sender, network.contracts, config=channel.config)
    return await _shown_after(home, channel_ids)


def _chosen(network: NetworkReader, channel_ids: Sequence[bytes]) -> list[Channel]:
    return [one for one in network.view.channels.values() if one.id in channel_ids]


async def _shown_after(home: Path, channel_ids: Sequence[bytes]) -> list[dict[str, Any]]:
    async with reading(chain_config(home)) as network:
        return [_channel_data(one) for one in _chosen(network, channel_ids)]
