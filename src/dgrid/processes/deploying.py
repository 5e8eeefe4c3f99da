"""The contracts of a home's own network: where they will lie is kept before the first is created.

So a start that was killed goes on with the same ones, and never makes a second set. On any other chain the members of
a network deploy by themselves, with a book that all can read: `dgrid chain deploy`.
"""

from collections.abc import Callable

import msgspec

from dgrid.chain.deploy import Deployment, create_all, creations, dev_terms, predicted, strange_contracts
from dgrid.chain.devchain import DEV_ACCOUNT, DEV_CHAIN_ID
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender, TransactionReceipt
from dgrid.core.errors import DGridError
from dgrid.core.identity import to_hex
from dgrid.processes.home import Home, write_atomically


class ChainLost(DGridError):
    """The dev chain's state is gone, or of an earlier version, and with it what the home's ledgers refer to."""

    code = "chain_lost"


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """Where a home's contracts are, and what they began with."""

    chain_id: int = DEV_CHAIN_ID
    contracts: dict[str, str]
    genesis_s: int
    epoch_seconds: int
    first_nonce: int = 0
    is_done: bool = True  # whether all of them were created


Say = Callable[[str, TransactionReceipt], None]


async def deployed(home: Home, rpc: Rpc, *, epoch_seconds: int, now_s: int, say: Say) -> Deployed:
    """The home's contracts, deployed at its first start. `say` is told of each as it is created.

    Raises ChainLost, DeploymentFailed, ChainUnavailable.
    """
    known = _kept(home)
    if known is not None and known.is_done:
        if await strange_contracts(rpc, known.contracts):
            where = home.path / "chain"
            raise ChainLost(f"the chain in {where} holds no contracts of this version", hint="start in a new --home")
        return known
    folder = home.role_folder(f"deployer-{DEV_CHAIN_ID}")
    sender = Sender(rpc, DEV_ACCOUNT, folder=folder, chain_id=DEV_CHAIN_ID)
    try:
        if known is None:
            known = _planned(epoch_seconds, now_s, first_nonce=await sender.next_nonce())
            _keep(home, known)
        await _create(home, rpc, sender, known=known, say=say)
    finally:
        await sender.close()
    done = msgspec.structs.replace(known, is_done=True)
    _keep(home, done)
    return done


def _planned(epoch_seconds: int, now_s: int, *, first_nonce: int) -> Deployed:
    at = {name: to_hex(address) for name, address in predicted(DEV_ACCOUNT.address, first_nonce).items()}
    return Deployed(contracts=at, genesis_s=now_s, epoch_seconds=epoch_seconds, first_nonce=first_nonce, is_done=False)


async def _create(home: Home, rpc: Rpc, sender: Sender, *, known: Deployed, say: Say) -> None:
    missing = await strange_contracts(rpc, known.contracts)
    codes = creations(_terms(home, known), predicted(sender.address, known.first_nonce), deployer=sender.address)
    await sender.start()
    await create_all(sender, codes, first_nonce=known.first_nonce, done=set(codes) - set(missing), say=say)


def _terms(home: Home, known: Deployed) -> Deployment:
    authors = (home.key("author-1").address,)
    return dev_terms(genesis_s=known.genesis_s, epoch_seconds=known.epoch_seconds, authors=authors)


def _kept(home: Home) -> Deployed | None:
    path = home.contracts_file
    return msgspec.json.decode(path.read_bytes(), type=Deployed) if path.exists() else None


def _keep(home: Home, known: Deployed) -> None:
    write_atomically(home.contracts_file, msgspec.json.encode(known))
