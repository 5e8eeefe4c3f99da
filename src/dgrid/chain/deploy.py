"""Puts the contracts on a chain and says where they are. Refuses to use the public dev key off a dev chain.

Many contracts are told the addresses of others before these exist: all addresses follow from the deployer's nonce and
`ORDER`, so they are predicted before the first creation. The deployer keeps no power over anything.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dgrid.chain.contracts import ARTIFACT_NAMES, bytecode, interface, revert_of
from dgrid.chain.devchain import DEV_ACCOUNT, DEV_CHAIN_ID
from dgrid.chain.parameters import DAY, Parameters, bsc_parameters, catalogue
from dgrid.chain.rpc import Rpc, RpcError
from dgrid.chain.transactions import Transaction, created_address
from dgrid.core.errors import DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.core.money import WEI
from dgrid.wire.signatures import SigningKey

TIP_WEI = 10**9
MINED_S = 60.0
WINDOW_MIN_S = 6  # of judging: what a transaction and those who wait for it may take on a busy machine
ANYONE = Address(bytes(20))  # as the Timelock's executor

# Every contract a network has, in the order of the deployer's nonces.
ORDER = (
    "dgai",
    "timelock",
    "governor",
    "parameters",
    "listings",
    "registry",
    "channel_escrow",
    "settlement",
    "challenges",
    "splits",
    "demands",
    "quality_court",
    "cases",
)


class DeploymentFailed(DGridError):
    """A contract could not be put on the chain."""

    code = "deployment_failed"


@dataclass(frozen=True, slots=True)
class Ballot:
    """By what the members vote: seconds, and the votes that a proposal takes."""

    delay_s: int
    period_s: int
    threshold_wei: int
    late_quorum_extension_s: int
    timelock_s: int

    def arguments(self) -> tuple[int, ...]:
        """The Ballot struct of the governor's constructor; the Timelock has its own delay."""
        return self.delay_s, self.period_s, self.threshold_wei, self.late_quorum_extension_s


DEV_BALLOT = Ballot(5, 30, 1_000 * WEI, 10, timelock_s=10)
BSC_BALLOT = Ballot(DAY, 5 * DAY, 100_000 * WEI, DAY, timelock_s=2 * DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a network starts with; the defaults are the dev network's. Only `parameters` can change later."""

    genesis_s: int
    epoch_seconds: int = 20
    parameters: Parameters = field(default_factory=Parameters)
    ballot: Ballot = DEV_BALLOT
    withdraw_delay_s: int = 120  # ≥ epoch + anchor + collection windows
    base_share_bps: int = 8_000  # a fifth of a node's part waits for its quality
    authors: tuple[Address, ...] = ()  # of canaries, from the start
    holder: Address | None = None  # of the whole supply; None: the deployer


def dev_terms(*, genesis_s: int, epoch_seconds: int, archives: int = 3, authors: Sequence[Address] = ()) -> Deployment:
    """The dev network's terms: a blob counts with a majority of the archives; delays outlast what they protect."""
    return Deployment(
        genesis_s=genesis_s,
        epoch_seconds=epoch_seconds,
        withdraw_delay_s=3 * epoch_seconds + 60,
        parameters=replace(dev_parameters(epoch_seconds), stored_quorum=archives // 2 + 1),
        authors=tuple(authors),
    )


def dev_parameters(epoch_seconds: int) -> Parameters:
    """Windows shrink with epochs shorter than the usual 20 s, so that a round is judged within a few of them, but not
    below what a step takes on a busy machine. A root is disputed for no longer than an epoch, and delays grow with it.
    """
    usual = Parameters()
    return replace(
        usual,
        commit_seconds=min(usual.commit_seconds, max(WINDOW_MIN_S, epoch_seconds // 2)),
        reveal_seconds=min(usual.reveal_seconds, max(WINDOW_MIN_S, 2 * epoch_seconds // 5)),
        open_seconds=min(usual.open_seconds, max(WINDOW_MIN_S, 2 * epoch_seconds // 5)),
        root_seconds=min(usual.root_seconds, epoch_seconds),
        bond_seconds=usual.bond_seconds + epoch_seconds,
        unbonding_seconds=usual.unbonding_seconds + 2 * epoch_seconds,
    )


def bsc_terms(*, genesis_s: int, holder: Address | None = None, authors: Sequence[Address] = ()) -> Deployment:
    """Terms for BNB Smart Chain: epochs of an hour (PROTOCOL.md § 6)."""
    return Deployment(
        genesis_s=genesis_s,
        epoch_seconds=3_600,
        parameters=bsc_parameters(),
        ballot=BSC_BALLOT,
        withdraw_delay_s=DAY,
        authors=tuple(authors),
        holder=holder,
    )


class _Deployer:
    """Sends creation after creation from one key."""

    def __init__(self, rpc: Rpc, key: SigningKey, chain_id: int, nonce: int) -> None:
        self._rpc, self._key, self._chain_id, self._nonce = rpc, key, chain_id, nonce

    async def create(self, name: str, arguments: Sequence[Any]) -> Address:
        """Creates a contract and waits for it. Raises DeploymentFailed, ChainUnavailable."""
        data = bytecode(name) + interface(name).constructor.encode(tuple(arguments))
        address = created_address(self._key.address, self._nonce)
        block = await self._rpc.block("latest")
        assert block is not None
        fee = 2 * block.base_fee_wei + TIP_WEI
        unsigned = Transaction(self._chain_id, self._nonce, TIP_WEI, fee, await self._gas(data), None, 0, data)
        try:
            sent = await self._rpc.call("eth_sendRawTransaction", [to_hex(unsigned.signed(self._key))])
        except RpcError as error:
            raise DeploymentFailed(f"cannot deploy {name}: {revert_of(error).message}") from None
        self._nonce += 1
        await self._mined(name, sent)
        return address

    async def _gas(self, data: bytes) -> int:
        try:
            call = {"from": to_hex(self._key.address), "data": to_hex(data)}
            return int(await self._rpc.call("eth_estimateGas", [call, "pending"]), 16) * 11 // 10
        except RpcError as error:
            raise DeploymentFailed(f"the contract refuses its terms: {revert_of(error).message}") from None

    async def _mined(self, name: str, transaction: str) -> None:
        deadline = asyncio.get_running_loop().time() + MINED_S
        while asyncio.get_running_loop().time() < deadline:
            receipt = await self._rpc.call("eth_getTransactionReceipt", [transaction])
            if receipt is not None:
                if int(receipt["status"], 16) != 1:
                    raise DeploymentFailed(f"{name} refused to be deployed")
                return
            await asyncio.sleep(0.02)
        raise DeploymentFailed(f"{name} was sent but not mined within {MINED_S:.0f} s")


def constructor_arguments(terms: Deployment, at: dict[str, Address], *, deployer: Address) -> dict[str, list[Any]]:
    """What each contract is told at its creation, given where all of them lie."""
    entries = catalogue()
    values = [getattr(terms.parameters, entry.name) for entry in entries]
    bounds = [(entry.bounds.minimum, entry.bounds.maximum, entry.bounds.change_max) for entry in entries]
    slashers = at["settlement"], at["quality_court"], at["cases"], at["demands"]
    token, registry, settlement = at["dgai"], at["registry"], at["settlement"]
    return {
        "dgai": [terms.holder or deployer],
        "timelock": [terms.ballot.timelock_s, [at["governor"]], [ANYONE], ANYONE],  # no admin
        "governor": [token, registry, at["timelock"], terms.ballot.arguments()],
        "parameters": [at["timelock"], terms.genesis_s, terms.epoch_seconds, values, bounds],
        "listings": [],
        "registry": [token, at["parameters"], slashers],
        "channel_escrow": [token, settlement, terms.withdraw_delay_s],
        "settlement": [registry, at["channel_escrow"], at["listings"], at["challenges"], terms.base_share_bps],
        "challenges": [settlement, at["splits"]],
        "splits": [at["challenges"]],
        "demands": [at["challenges"]],
        "quality_court": [settlement, list(terms.authors)],
        "cases": [at["quality_court"]],
    }


async def deploy_contracts(rpc: Rpc, key: SigningKey, *, terms: Deployment) -> dict[str, str]:
    """Deploys all contracts; returns their addresses by name. Raises DeploymentFailed, ChainUnavailable."""
    chain_id = int(await rpc.call("eth_chainId", []), 16)
    if key.address == DEV_ACCOUNT.address and chain_id != DEV_CHAIN_ID:
        raise DeploymentFailed("the dev chain's key is public: anyone could take what is deployed with it")
    nonce = int(await rpc.call("eth_getTransactionCount", [to_hex(key.address), "pending"]), 16)
    at = predicted(key.address, nonce)
    arguments = constructor_arguments(terms, at, deployer=key.address)
    deployer = _Deployer(rpc, key, chain_id, nonce)
    for name in arguments:
        if await deployer.create(name, arguments[name]) != at[name]:
            raise DeploymentFailed("another transaction came between: the contracts do not fit together")
    return {name: to_hex(at[name]) for name in arguments}


def predicted(deployer: Address, nonce: int) -> dict[str, Address]:
    """Where every contract will lie, if the first is created with this nonce."""
    return {name: created_address(deployer, nonce + place) for place, name in enumerate(ORDER)}


async def is_deployed(rpc: Rpc, contracts: dict[str, str]) -> bool:
    """Whether code lies at every contract's address: a dev chain that lost its state holds none, and one of an earlier
    version not all. Raises ChainUnavailable.
    """
    if contracts.keys() != ARTIFACT_NAMES.keys():
        return False
    calls: list[tuple[str, list[Any]]] = [("eth_getCode", [address, "latest"]) for address in contracts.values()]
    return all(code not in ("0x", None) for code in await rpc.batch(calls))


async def deploy(rpc: Rpc, *, epoch_seconds: int, genesis_s: int, authors: Sequence[Address] = ()) -> dict[str, str]:
    """The dev network's contracts, from the dev chain's first account, which holds the supply."""
    terms = dev_terms(genesis_s=genesis_s, epoch_seconds=epoch_seconds, authors=authors)
    return await deploy_contracts(rpc, DEV_ACCOUNT, terms=terms)
