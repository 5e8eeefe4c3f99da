"""A payer's channels: opening and filling one, leaving it again. Which gateway may charge, and on whose word, is in its
terms; nobody but the payer ever gets the rest back.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from dgrid.chain.contracts import Contracts
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.events import Role
from dgrid.chain.funding import fund_dev
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView, Member
from dgrid.config import ChainConfig
from dgrid.core.identity import Address, ChannelId, channel_salt
from dgrid.wire.messages import ChannelConfig
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import channel_domain

GATEWAYS_MAX = 16  # at which one role keeps channels


@dataclass(frozen=True, slots=True)
class ChannelTerms:
    """Which gateway a channel serves, who signs its vouchers, and what tells the payer's channels apart."""

    gateway: Address
    authorizer: Address  # the payer itself, or the gateway: the custodial convenience of an API key
    tag: bytes  # 12 bytes


@dataclass(frozen=True, slots=True)
class ChannelState:
    """A channel as the escrow holds it."""

    deposited_wei: int
    drawn_wei: int
    withdraw_wei: int
    withdraw_available_s: int


def gateways_to_pay(view: ChainView) -> list[Member]:
    """The gateways at which a role that asks keeps channels: those with the most stake, of equal ones the lowest
    address first.
    """
    return sorted(view.active(Role.GATEWAY), key=lambda member: (-member.stake_wei, member.address))[:GATEWAYS_MAX]


async def channel_config(rpc: Rpc, contracts: Contracts, *, payer: Address, terms: ChannelTerms) -> ChannelConfig:
    """The channel of a payer under these terms, with the shortest delay the escrow takes. Raises ChainUnavailable."""
    delay: int = await contracts.channel_escrow.agreed(rpc, "minWithdrawDelay")
    settlement = contracts.settlement.address
    salt = channel_salt(terms.gateway, terms.tag)
    return ChannelConfig(payer, terms.authorizer, settlement, settlement, contracts.dgai.address, delay, salt)


def channel_id(contracts: Contracts, config: ChannelConfig) -> ChannelId:
    """A channel's name: the digest of its configuration in x402's domain."""
    domain = channel_domain(contracts.chain_id, contracts.channel_escrow.address)
    return ChannelId(domain.digest(config.struct_hash()))


async def channel_state(rpc: Rpc, contracts: Contracts, *, config: ChannelConfig) -> ChannelState:
    """What the escrow holds for a channel; zeros when it was never opened. Raises ChainUnavailable."""
    return ChannelState(*await contracts.channel_escrow.agreed(rpc, "channel", [channel_id(contracts, config)]))


async def deposit(sender: Sender, contracts: Contracts, *, config: ChannelConfig, amount_wei: int) -> None:
    """Pays into a channel, from the sender's own DGAI. Raises Reverted, ChainUnavailable."""
    await approve(sender, contracts, spender=contracts.channel_escrow.address, amount_wei=amount_wei)
    await sender.send(contracts.channel_escrow, "deposit", [config, amount_wei], label=f"deposit:{time.time_ns()}")


async def request_withdraw(sender: Sender, contracts: Contracts, *, config: ChannelConfig, amount_wei: int) -> None:
    """Announces a withdrawal; the channel's delay begins and its gateway stops serving. Raises Reverted."""
    label = f"request-withdraw:{time.time_ns()}"
    await sender.send(contracts.channel_escrow, "requestWithdraw", [config, amount_wei], label=label)


async def finalize_withdraw(sender: Sender, contracts: Contracts, *, config: ChannelConfig) -> None:
    """Pays an announced withdrawal out, less what was drawn meanwhile. Raises Reverted (WithdrawNotYet)."""
    label = f"finalize-withdraw:{time.time_ns()}"
    await sender.send(contracts.channel_escrow, "finalizeWithdraw", [config], label=label)


async def approve(sender: Sender, contracts: Contracts, *, spender: Address, amount_wei: int) -> None:
    """Lets one of our contracts take DGAI from the sender."""
    await sender.send(contracts.dgai, "approve", [spender, amount_wei], label=f"approve:{time.time_ns()}")


async def open_channel(
    rpc: Rpc, chain: ChainConfig, *, payer: SigningKey, terms: ChannelTerms, amount_wei: int, journal: Path
) -> ChannelConfig:
    """Opens a channel and fills it, if it is new; on the dev chain the payer gets the money for it first.

    `journal` is the folder of the payer's transactions. Raises Reverted, ChainUnavailable.
    """
    contracts = Contracts(chain)
    sender = Sender(rpc, payer, folder=journal, chain_id=chain.chain_id)
    try:
        await sender.settle()
        config = await channel_config(rpc, contracts, payer=payer.address, terms=terms)
        state = await channel_state(rpc, contracts, config=config)
        if state.deposited_wei == 0:
            if chain.chain_id == DEV_CHAIN_ID:
                await fund_dev(rpc, contracts, address=payer.address, dgai_wei=amount_wei)
            await deposit(sender, contracts, config=config, amount_wei=amount_wei)
    finally:
        await sender.close()
    return config
