"""Behind `dgrid chain deploy`: one deployment from its plan to a checked address book, resumed where it was killed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from dgrid.chain.deploy import (
    Deployment,
    create_all,
    creation_gas,
    is_journaled,
    require_own_key,
    strange_contracts,
)
from dgrid.chain.devchain import DEV_ACCOUNT
from dgrid.chain.networks import NETWORKS, AddressBook, Network, Stage, planned_book
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender, TransactionReceipt
from dgrid.cli.sending import opened_rpc, opened_sender
from dgrid.cli.signers import Signer, address_of
from dgrid.config import ChainConfig, ConfigError, WalletConfig, to_toml
from dgrid.core.errors import CheckFailed, DGridError, InvalidRequest
from dgrid.core.identity import to_hex
from dgrid.governance.drafting import Draft, require_bounds, unsafe
from dgrid.poq.economics import violations
from dgrid.processes.home import Home, write_atomically
from dgrid.wire.signatures import SigningKey

KEY_NAME = "deployer"
ENDPOINTS_MIN = 2
Say = Callable[[str, TransactionReceipt], None]


class PoorDeployer(DGridError):
    """The deployer's key does not hold what the gas costs."""

    code = "deployer_too_poor"
    exit_code = 4


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be deployed, and by whom."""

    home: Path
    network: str
    rpc_urls: tuple[str, ...]
    key_file: Path | None = None
    holder: str = ""  # of the whole supply; empty: the deployer
    authors: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()  # NAME=VALUE, over the network's starting values

    def chosen(self) -> Network:
        """Raises InvalidRequest."""
        if self.network not in NETWORKS:
            raise InvalidRequest(f"no network {self.network!r}; there are {', '.join(NETWORKS)}")
        return NETWORKS[self.network]

    def key(self) -> SigningKey:
        """The deployer's. Raises ConfigError."""
        if self.key_file is None:
            return DEV_ACCOUNT if self.chosen().is_dev else Home(self.home).key(KEY_NAME)
        try:
            return SigningKey.from_hex(self.key_file.read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read the key file {self.key_file}: {error}") from None

    def terms(self, genesis_s: int) -> Deployment:
        """Raises InvalidRequest, UnknownParameter, OutOfBounds, UnsafeParameters."""
        terms = self.chosen().terms(genesis_s)
        parameters = terms.parameters
        if self.settings:
            draft = Draft.of(self.settings)
            require_bounds(draft)
            parameters = draft.over(parameters)
        if broken := violations(parameters, epoch_seconds=terms.epoch_seconds):
            raise unsafe(broken)
        authors = tuple(map(address_of, self.authors))
        holder = address_of(self.holder) if self.holder else None
        return replace(terms, parameters=parameters, authors=authors, holder=holder)


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """What will be sent and what it costs; `missing` are the contracts that do not lie on the chain yet."""

    book: AddressBook
    missing: list[str]
    is_resumed: bool
    gas: int
    gas_price_wei: int
    balance_wei: int

    @property
    def cost_wei(self) -> int:
        return self.gas * self.gas_price_wei


def plan_deployment(wish: Wish) -> DeployPlan:
    """What is still to be sent. Sends nothing; once the chain has answered, makes the home and its deployer's key.

    Raises InvalidRequest, ConfigError, DeploymentFailed, UnsafeParameters, ChainUnavailable.
    """
    return asyncio.run(_plan_deployment(wish))


async def _plan_deployment(wish: Wish) -> DeployPlan:
    async with _opened(wish) as (rpc, sender):
        book = kept = kept_book(wish.home, wish.chosen().chain_id)
        if book is None or not await _is_begun(book, rpc, sender):
            book = await _new_book(wish, rpc, sender)
        else:
            _check_same(wish, book, sender)
        strange = await strange_contracts(rpc, book.contracts)
        if book.stage is Stage.DEPLOYED and strange:
            raise CheckFailed(
                f"the address book says that it is deployed, but the chain does not hold {', '.join(strange)}",
                hint="if the chain began anew, remove the book or name another --home",
            )
        codes = {} if book.stage is Stage.DEPLOYED else book.codes()
        gas = sum(creation_gas(name, code) for name, code in codes.items() if name in strange)
        price = await rpc.gas_price_wei()
        balance = int(await rpc.call("eth_getBalance", [to_hex(sender.address), "latest"]), 16)
        return DeployPlan(book, strange, book is kept, gas, price, balance)


async def _is_begun(kept: AddressBook, rpc: Rpc, sender: Sender) -> bool:
    """Whether anything of a book was sent; one of which nothing was gives way to a new plan."""
    if kept.stage is Stage.DEPLOYED or len(await strange_contracts(rpc, kept.contracts)) < len(kept.contracts):
        return True
    await sender.next_nonce()  # binds the journal to the chain
    return to_hex(sender.address) == kept.deployer and is_journaled(sender, kept.codes())


def _check_same(wish: Wish, kept: AddressBook, sender: Sender) -> None:
    """Raises ConfigError where a book that was begun is another's."""
    if kept.stage is Stage.PLANNED and to_hex(sender.address) != kept.deployer:
        raise ConfigError(f"{kept.deployer} began this deployment: go on with its key")
    asked = wish.holder or wish.authors or wish.settings
    if asked and wish.terms(kept.genesis_s) != kept.terms():
        raise ConfigError("the deployment has begun with other terms: go on without --holder, --author and --set")


async def _new_book(wish: Wish, rpc: Rpc, sender: Sender) -> AddressBook:
    head = await rpc.finalized_block()
    return planned_book(
        wish.chosen(),
        wish.terms(int(time.time())),
        deployer=sender.address,
        first_nonce=await sender.next_nonce(),
        first_block=head.number,
    )


def run_deployment(wish: Wish, plan: DeployPlan, *, say: Say) -> AddressBook:
    """Sends what is missing, checks all, keeps the book. Raises DeploymentFailed, PoorDeployer, ChainUnavailable."""
    return asyncio.run(_run_deployment(wish, plan, say))


async def _run_deployment(wish: Wish, plan: DeployPlan, say: Say) -> AddressBook:
    async with _opened(wish) as (rpc, sender):
        if plan.book.stage is Stage.PLANNED:
            return await carry_out(rpc, sender, plan=plan, home=wish.home, say=say)
    return plan.book


async def carry_out(rpc: Rpc, sender: Sender, *, plan: DeployPlan, home: Path, say: Say) -> AddressBook:
    """Keeps the plan, creates what is missing, and says that it is done once the chain holds it all."""
    if plan.balance_wei < plan.cost_wei:
        raise PoorDeployer(
            f"{to_hex(sender.address)} holds {plan.balance_wei} wei, and the gas costs about {plan.cost_wei}",
            hint="send it some more of the chain's coin than that, and try again",
        )
    keep_book(home, plan.book)
    await sender.start()
    await create_all(
        sender,
        plan.book.codes(),
        first_nonce=plan.book.first_nonce,
        done=set(plan.book.contracts) - set(plan.missing),
        say=say,
    )
    if strange := await strange_contracts(rpc, plan.book.contracts):
        raise CheckFailed(f"the chain holds other code than was sent, of {', '.join(strange)}")
    done = msgspec.structs.replace(plan.book, stage=Stage.DEPLOYED)
    keep_book(home, done)
    return done


@asynccontextmanager
async def _opened(wish: Wish) -> AsyncIterator[tuple[Rpc, Sender]]:
    """The chain, checked to be the one that was named, and the deployer's sender. Before that nothing is on disk."""
    network = wish.chosen()
    endpoints = len(set(wish.rpc_urls))
    if endpoints < ENDPOINTS_MIN and not network.is_dev:
        raise ConfigError(
            f"a deployment on {network.name} takes {ENDPOINTS_MIN} different endpoints that agree; here is {endpoints}",
            hint="give --rpc several times, with endpoints of different people",
        )
    home, chain = Home(wish.home), ChainConfig(wish.rpc_urls, network.chain_id, {})
    async with opened_rpc(chain) as rpc:
        await rpc.finalized_block()
        home.make()
        key = wish.key()
        require_own_key(key.address, network.chain_id)
        signer = Signer(KEY_NAME, key, home.role_folder(f"{KEY_NAME}-{network.chain_id}"))
        async with opened_sender(rpc, signer, chain_id=chain.chain_id) as sender:
            yield rpc, sender


# --- the book in the home --------------------------------------------------------------------------------------------


def kept_book(home: Path, chain_id: int) -> AddressBook | None:
    """The home's book of a chain. Raises ConfigError where it cannot be read."""
    path = Home(home).deployment_file(chain_id)
    return AddressBook.decode(path.read_bytes()) if path.exists() else None


def keep_book(home: Path, book: AddressBook) -> None:
    """Writes the book; a reader sees the one before or this one."""
    path = Home(home).deployment_file(book.chain_id)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(path, book.encode())


def keep_settings(home_path: Path, book: AddressBook, *, rpc_urls: Sequence[str]) -> Path | None:
    """Writes the home's config.toml where there is none, so that every command here knows the network."""
    home = Home(home_path)
    if home.wallet_file.exists():
        return None
    wallet = WalletConfig((), home.api_key_file, home.key_file("user"), book.chain(rpc_urls))
    write_atomically(home.wallet_file, to_toml(wallet).encode())
    return home.wallet_file
