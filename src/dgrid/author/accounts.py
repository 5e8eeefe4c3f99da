"""The wallets that canaries are paid from: several, each with an API key and a channel at every gateway, like any
client's.

Their keys follow from the author's own, so that nothing else must be kept. On the dev chain they get their money the
way the home's user does; elsewhere whoever runs the author sends it to them.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dgrid.chain.channels import ChannelTerms, gateways_to_pay, open_channel
from dgrid.chain.rpc import Rpc
from dgrid.chain.view import ChainView, Channel
from dgrid.config import ChainConfig
from dgrid.core.errors import ChainUnavailable, DGridError
from dgrid.core.identity import Address, api_key_of, api_key_tag, channel_salt, to_hex
from dgrid.core.keccak import keccak
from dgrid.wire.signatures import SigningKey

logger = logging.getLogger(__name__)

SPENT_PART: Final = 100  # a channel of whose deposit no more than a hundredth is left is used up


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """One of the wallets. Never printed."""

    key: SigningKey
    api_key: str

    @property
    def address(self) -> Address:
        return self.key.address

    def channel(self, gateway: Address) -> tuple[bytes, bytes]:
        """Names its channel at a gateway: payer and salt. A salt alone anybody may copy."""
        return self.address, channel_salt(gateway, api_key_tag(self.api_key))


def accounts_of(author: SigningKey, count: int) -> tuple[Account, ...]:
    """An author's wallets."""
    return tuple(_account(author, at) for at in range(count))


def _account(author: SigningKey, at: int) -> Account:
    secret = keccak(author.secret + b"DGrid author's account" + at.to_bytes(4, "big"))
    return Account(SigningKey(secret), api_key_of(keccak(secret + b"API key")))


@dataclass(frozen=True, slots=True)
class Channels:
    """Opens the accounts' channels. `folder` keeps what each account sent."""

    rpc: Rpc
    chain: ChainConfig
    folder: Path
    accounts: Sequence[Account]
    deposit_wei: int

    async def open_missing(self, view: ChainView) -> None:
        """Opens what the chain does not show, each whatever becomes of the others: one account may lack the money.

        Raises ChainUnavailable, and else what the first that failed says: Reverted, TransactionRefused.
        """
        opened = {_name_of(one) for one in view.channels.values() if one.deposited_wei > 0}
        failures: list[DGridError] = []
        for member in gateways_to_pay(view):
            for at, account in enumerate(self.accounts):
                if account.channel(member.address) in opened:
                    continue
                try:
                    await self._open(at, account, member.address)
                except ChainUnavailable:
                    raise
                except DGridError as error:
                    failures.append(error)
        if failures:
            raise failures[0]

    async def _open(self, at: int, account: Account, gateway: Address) -> None:
        journal = self.folder / f"account-{at + 1}"
        journal.mkdir(parents=True, exist_ok=True, mode=0o700)
        terms = ChannelTerms(gateway, authorizer=gateway, tag=api_key_tag(account.api_key))
        await open_channel(
            self.rpc, self.chain, payer=account.key, terms=terms, amount_wei=self.deposit_wei, journal=journal
        )
        logger.info("account %d has its channel at %s", at + 1, to_hex(gateway))


def payable(view: ChainView) -> set[tuple[bytes, bytes]]:
    """The names of all channels that hold something worth a request, and are not being left."""
    channels = (one for one in view.channels.values() if one.withdraw_requested_ms is None)
    return {_name_of(one) for one in channels if one.balance_wei * SPENT_PART > one.deposited_wei}


def _name_of(channel: Channel) -> tuple[bytes, bytes]:
    return channel.config.payer, channel.config.salt


def solvent(view: ChainView, accounts: Sequence[Account]) -> dict[Address, list[int]]:
    """At each gateway, which of the accounts can pay."""
    names, gateways = payable(view), [member.address for member in gateways_to_pay(view)]
    return {
        gateway: [at for at, account in enumerate(accounts) if account.channel(gateway) in names]
        for gateway in gateways
    }
