"""The chains that DGrid may lie on, and the address book that says where on one of them it does.

A book is kept before the first contract is created: it fixes where each will lie and what each is told, so that a
deployment that was killed goes on with the same and never begins a second set. Refuses nothing by itself: what a book
says is checked against the chain (`deploy.strange_contracts`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from dgrid.chain.deploy import ORDER, Deployment, bsc_terms, creations, dev_terms, predicted
from dgrid.chain.parameters import Parameters, catalogue
from dgrid.config import DEV_CHAIN_ID, ChainConfig, ConfigError
from dgrid.core.identity import Address, address_from_hex, to_hex
from dgrid.core.keccak import keccak

SCHEMA = "dgrid.deployment/1"
DEV_EPOCH_S = 20


@dataclass(frozen=True, slots=True)
class Network:
    """One chain by its name here, and the terms that a network on it starts with."""

    name: str
    chain_id: int
    coin: str
    terms: Callable[[int], Deployment]  # by the time at which epochs begin

    @property
    def is_dev(self) -> bool:
        return self.chain_id == DEV_CHAIN_ID


def _on_bsc(genesis_s: int) -> Deployment:
    return bsc_terms(genesis_s=genesis_s)


def _on_dev(genesis_s: int) -> Deployment:
    return dev_terms(genesis_s=genesis_s, epoch_seconds=DEV_EPOCH_S)


NETWORKS = {
    one.name: one
    for one in (
        Network("dev", DEV_CHAIN_ID, "ETH", _on_dev),
        Network("bsc-testnet", 97, "tBNB", _on_bsc),
        Network("bsc", 56, "BNB", _on_bsc),
        Network("opbnb", 204, "BNB", _on_bsc),
    )
}


class Stage(StrEnum):
    """How far a deployment has come."""

    PLANNED = "planned"
    DEPLOYED = "deployed"


class AddressBook(msgspec.Struct, frozen=True, kw_only=True):
    """Where a network's contracts lie and what they began with. Addresses in hex; parameters as decimal strings."""

    schema: str = SCHEMA
    network: str
    chain_id: int
    stage: Stage
    deployer: str
    first_nonce: int
    first_block: int  # no contract is older: reading begins here
    genesis_s: int
    holder: str
    authors: list[str]
    parameters: dict[str, str]
    codes_digest: str  # of all creations: another version of this package would create others
    contracts: dict[str, str]

    @classmethod
    def decode(cls, data: bytes) -> "AddressBook":
        """A book as it is kept. Raises ConfigError."""
        try:
            book = msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise ConfigError(f"this is no address book: {error}") from None
        if book.schema != SCHEMA or book.network not in NETWORKS:
            raise ConfigError(f"this is no address book that this version reads: {book.schema}, {book.network}")
        return book

    def encode(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def terms(self) -> Deployment:
        """What the contracts are told. Raises ConfigError where this version knows other parameters."""
        if list(self.parameters) != [one.name for one in catalogue()]:
            raise ConfigError("the address book was begun by another version, with other parameters")
        return replace(
            NETWORKS[self.network].terms(self.genesis_s),
            parameters=Parameters(**{name: int(value) for name, value in self.parameters.items()}),
            authors=tuple(map(address_from_hex, self.authors)),
            holder=address_from_hex(self.holder),
        )

    def codes(self) -> dict[str, bytes]:
        """What creates each contract. Raises ConfigError where this version would create others than were planned."""
        deployer = address_from_hex(self.deployer)
        found = creations(self.terms(), predicted(deployer, self.first_nonce), deployer=deployer)
        if self.codes_digest and _digest(found) != self.codes_digest:
            raise ConfigError(
                "the deployment was begun by another version of this package, whose contracts differ",
                hint="finish it with that version",
            )
        return found

    def chain(self, rpc_urls: Sequence[str]) -> ChainConfig:
        """The chain as a role's configuration names it."""
        return ChainConfig(tuple(rpc_urls), self.chain_id, dict(self.contracts), first_block=self.first_block)


def planned_book(
    network: Network, terms: Deployment, *, deployer: Address, first_nonce: int, first_block: int
) -> AddressBook:
    """The book of a deployment that has not begun."""
    at = predicted(deployer, first_nonce)
    book = AddressBook(
        network=network.name,
        chain_id=network.chain_id,
        stage=Stage.PLANNED,
        deployer=to_hex(deployer),
        first_nonce=first_nonce,
        first_block=first_block,
        genesis_s=terms.genesis_s,
        holder=to_hex(terms.holder or deployer),
        authors=[to_hex(one) for one in terms.authors],
        parameters={one.name: str(getattr(terms.parameters, one.name)) for one in catalogue()},
        codes_digest="",
        contracts={name: to_hex(at[name]) for name in ORDER},
    )
    return msgspec.structs.replace(book, codes_digest=_digest(book.codes()))


def _digest(codes: dict[str, bytes]) -> str:
    return to_hex(keccak(b"".join(keccak(code) for code in codes.values())))
