"""The wallets that canaries are paid from: several, each with an API key and a channel at every gateway, like any
client's.

Their keys follow from the author's own, so that nothing else must be kept. On the dev chain they get their money the
way the home's user does; elsewhere whoever runs the author sends it to them.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dgrid.chain.channels import ChannelTerms, gateways_to_pay, open_channel
from dgrid.chain.rpc import Rpc
from dgrid.chain.view import ChainView
from dgrid.config import ChainConfig
from dgrid.core.identity import Address, api_key_of, api_key_tag, channel_salt, to_hex
from dgrid.core.keccak import keccak
from dgrid.wire.signatures import SigningKey

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """One of the wallets. Never printed."""

    key: SigningKey
    api_key: str

    @property
    def address(self) -> Address:
        return self.key.address

    def salt(self, gateway: Address) -> bytes:
        """Names its channel at a gateway."""
        return channel_salt(gateway, api_key_tag(self.api_key))


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
        """Opens what the chain does not show. Raises Reverted, TransactionRefused, ChainUnavailable."""
        for member in gateways_to_pay(view):
            known = salts_in(view)
            for at, account in enumerate(self.accounts):
                if account.salt(member.address) not in known:
                    await self._open(at, account, member.address)

    async def _open(self, at: int, account: Account, gateway: Address) -> None:
        journal = self.folder / f"account-{at + 1}"
        journal.mkdir(parents=True, exist_ok=True, mode=0o700)
        terms = ChannelTerms(gateway, authorizer=gateway, tag=api_key_tag(account.api_key))
        await open_channel(
            self.rpc, self.chain, payer=account.key, terms=terms, amount_wei=self.deposit_wei, journal=journal
        )
        logger.info("account %d has its channel at %s", at + 1, to_hex(gateway))


def salts_in(view: ChainView) -> set[bytes]:
    """The salts of all channels that hold something and are not being left."""
    channels = view.channels.values()
    return {one.config.salt for one in channels if one.balance_wei > 0 and one.withdraw_requested_ms is None}
