"""Puts the contracts on a chain and says where they are. Refuses to use the public dev key off a dev chain.

Registry, escrow and Settlement are told the addresses of Settlement and the court before these exist, since they follow
from the deployer's nonce.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from dgrid.chain.contracts import ARTIFACT_NAMES, Contract, bytecode, interface, revert_of
from dgrid.chain.devchain import DEV_ACCOUNT, DEV_CHAIN_ID
from dgrid.chain.parameters import JudgingRules
from dgrid.chain.rpc import Rpc, RpcError
from dgrid.chain.transactions import Transaction, created_address
from dgrid.core.errors import DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.core.money import WEI
from dgrid.wire.signatures import SigningKey

TIP_WEI = 10**9
MINED_S = 60.0
WINDOW_MIN_S = 6  # of judging: what a transaction and those who wait for it may take on a busy machine

# A request on the dev network costs about 0.005 DGAI, of which 2 % (0.0001) flow into the pool. At half of the leaves
# judged by three evaluators each, and about a tenth of a unit of information a judgement, 0.0003 DGAI a unit pays out
# about half of that. The cap is the fees of 100 requests, more than a round of 20 s serves on one machine: so the pool
# fills faster than it pays, and begins empty.
DEV_JUDGING = JudgingRules(
    commit_seconds=10,
    reveal_seconds=8,
    open_seconds=8,
    challenge_seconds=15,
    committee_size=3,
    duty_cap=20,
    quality_bps=5_000,
    identity_bps=2_000,
    canary_bps=3_000,
    gain_bps=1_000,
    quorum_bps=5_000,
    evaluator_rate_wei=str(3 * WEI // 10_000),
    pool_cap_wei=str(WEI // 100),
    late_penalty_wei=str(10 * WEI),
    reporter_bps=2_000,
)


class DeploymentFailed(DGridError):
    """A contract could not be put on the chain."""

    code = "deployment_failed"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the contracts are told once and never change; the defaults are the dev network's."""

    genesis_s: int
    epoch_seconds: int = 20
    challenge_seconds: int = 15
    challenge_blocks: int = 2
    default_seconds: int = 180
    bond_delay_s: int = 300
    withdraw_delay_s: int = 120  # ≥ epoch + anchor + collection windows
    unbonding_s: int = 300
    minimum_stake_wei: int = 1_000 * WEI
    minimum_bond_wei: int = 1_000 * WEI
    slash_bps: int = 5_000
    reporter_bps: int = 2_000
    base_share_bps: int = 10_000
    stored_quorum: int = 1
    judging: JudgingRules = DEV_JUDGING
    governor: Address | None = None  # of the court's pool and authors; None: the deployer
    holder: Address | None = None  # of the whole supply; None: the deployer

    def settlement_config(self) -> tuple[Any, ...]:
        """The Config struct of Settlement's constructor."""
        return (
            self.challenge_seconds,
            self.challenge_blocks,
            self.default_seconds,
            self.bond_delay_s,
            self.slash_bps,
            self.reporter_bps,
            self.base_share_bps,
            self.stored_quorum,
            self.minimum_bond_wei,
        )


def dev_terms(*, genesis_s: int, epoch_seconds: int, archives: int = 3) -> Deployment:
    """The dev network's terms: a blob counts with a majority of the archives; delays outlast what they protect; a fifth
    of a node's part waits for its quality.
    """
    return Deployment(
        genesis_s=genesis_s,
        epoch_seconds=epoch_seconds,
        withdraw_delay_s=3 * epoch_seconds + 60,
        bond_delay_s=epoch_seconds + 180 + 15 + 60,
        base_share_bps=8_000,
        stored_quorum=archives // 2 + 1,
        judging=_dev_judging(epoch_seconds),
    )


def _dev_judging(epoch_seconds: int) -> JudgingRules:
    """Windows shrink with epochs shorter than the usual 20 s, so that a round is judged within a few of them, but not
    below what a step takes on a busy machine. The court takes no challenge longer than an epoch.
    """
    return msgspec.structs.replace(
        DEV_JUDGING,
        commit_seconds=min(DEV_JUDGING.commit_seconds, max(WINDOW_MIN_S, epoch_seconds // 2)),
        reveal_seconds=min(DEV_JUDGING.reveal_seconds, max(WINDOW_MIN_S, 2 * epoch_seconds // 5)),
        open_seconds=min(DEV_JUDGING.open_seconds, max(WINDOW_MIN_S, 2 * epoch_seconds // 5)),
        challenge_seconds=min(DEV_JUDGING.challenge_seconds, epoch_seconds),
    )


class _Deployer:
    """Sends creation after creation from one key."""

    def __init__(self, rpc: Rpc, key: SigningKey, chain_id: int, nonce: int) -> None:
        self._rpc, self._key, self._chain_id, self._nonce = rpc, key, chain_id, nonce

    def address_after(self, count: int) -> Address:
        """Where the contract will lie that is created after `count` others."""
        return created_address(self._key.address, self._nonce + count)

    async def create(self, name: str, arguments: Sequence[Any]) -> Address:
        """Creates a contract and waits for it. Raises DeploymentFailed, ChainUnavailable."""
        data = bytecode(name) + interface(name).constructor.encode(tuple(arguments))
        address = self.address_after(0)
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


async def deploy_contracts(rpc: Rpc, key: SigningKey, *, terms: Deployment) -> dict[str, str]:
    """Deploys all contracts; returns their addresses by name. Raises DeploymentFailed, ChainUnavailable."""
    chain_id = int(await rpc.call("eth_chainId", []), 16)
    if key.address == DEV_ACCOUNT.address and chain_id != DEV_CHAIN_ID:
        raise DeploymentFailed("the dev chain's key is public: anyone could take what is deployed with it")
    nonce = int(await rpc.call("eth_getTransactionCount", [to_hex(key.address), "pending"]), 16)
    deployer = _Deployer(rpc, key, chain_id, nonce)
    settlement, court = deployer.address_after(4), deployer.address_after(5)
    dgai = await deployer.create("dgai", [terms.holder or key.address])
    listings = await deployer.create("listings", [])
    registry = await deployer.create("registry", [dgai, settlement, court, terms.minimum_stake_wei, terms.unbonding_s])
    escrow = await deployer.create("channel_escrow", [dgai, settlement, terms.withdraw_delay_s])
    clock = terms.genesis_s, terms.epoch_seconds
    given = [dgai, registry, escrow, listings, court, *clock, terms.settlement_config()]
    created = await deployer.create("settlement", given)
    judging = [dgai, registry, settlement, terms.governor or key.address, terms.judging.arguments()]
    if (created, await deployer.create("quality_court", judging)) != (settlement, court):
        raise DeploymentFailed("another transaction came between: the contracts do not fit together")
    challenges = await Contract("settlement", settlement).read(rpc, "challenges")
    found = {
        "dgai": dgai,
        "registry": registry,
        "channel_escrow": escrow,
        "settlement": settlement,
        "listings": listings,
        "challenges": challenges,
        "quality_court": court,
    }
    return {name: to_hex(address) for name, address in found.items()}


async def is_deployed(rpc: Rpc, contracts: dict[str, str]) -> bool:
    """Whether code lies at every contract's address: a dev chain that lost its state holds none, and one of an earlier
    version not all. Raises ChainUnavailable.
    """
    if contracts.keys() != ARTIFACT_NAMES.keys():
        return False
    calls: list[tuple[str, list[Any]]] = [("eth_getCode", [address, "latest"]) for address in contracts.values()]
    return all(code not in ("0x", None) for code in await rpc.batch(calls))


async def deploy(rpc: Rpc, *, epoch_seconds: int, genesis_s: int) -> dict[str, str]:
    """The dev network's contracts, from the dev chain's first account, which holds the supply and is the governor."""
    return await deploy_contracts(rpc, DEV_ACCOUNT, terms=dev_terms(genesis_s=genesis_s, epoch_seconds=epoch_seconds))
