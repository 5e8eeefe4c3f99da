"""Behind the operators' commands: what a change of stake takes and does, planned before anything is sent.

A plan is a list of transactions in order with what each is for, what it is expected to take, and when its effects come.
Nothing here asks or prints.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dgrid.chain.contracts import Contract, Contracts
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.events import Role
from dgrid.chain.funding import fund_dev
from dgrid.chain.parameters import tunable
from dgrid.chain.rpc import Rpc
from dgrid.cli.sending import opened_rpc, opened_sender
from dgrid.cli.signers import Signer
from dgrid.cli.terminal import dgai
from dgrid.cli.wallet_config import chain_config
from dgrid.config import ChainConfig
from dgrid.core.errors import ChainUnavailable, InsufficientBudget, NotYet
from dgrid.core.identity import Address, to_hex

_MINIMUM_STAKE = tunable("minimum_stake_wei").index

# What each call takes at most, about: a later one of a plan cannot be estimated before the one it follows is mined.
GAS = {
    "approve": 60_000,
    "addStake": 150_000,
    "unbond": 75_000,
    "withdraw": 125_000,
    "unjail": 45_000,
    "delegateStake": 330_000,
    "undelegateStake": 250_000,
    "withdrawDelegation": 150_000,
    "setCommission": 65_000,
    "reward": 150_000,
    "setLine": 75_000,
    "applyLine": 60_000,
    "requestBondWithdrawal": 75_000,
    "withdrawBond": 75_000,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction, and what it is for."""

    contract: Contract
    function: str
    arguments: tuple[Any, ...]
    why: str

    @property
    def gas(self) -> int:
        return GAS[self.function]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A part of what is on its way out, and when it is free."""

    part: str
    amount_wei: int
    available_at_s: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be sent from whom, and what comes of it."""

    signer: Signer
    steps: tuple[Step, ...]
    effects: tuple[str, ...]
    pays_wei: int  # DGAI that leave the signer's account
    gas_price_wei: int
    waiting: tuple[Waiting, ...] = ()

    @property
    def gas(self) -> int:
        return sum(step.gas for step in self.steps)

    @property
    def gas_wei(self) -> int:
        return self.gas * self.gas_price_wei


@dataclass(frozen=True, slots=True)
class Desk:
    """The chain as an operator's command needs it: its contracts, its terms now, its time."""

    rpc: Rpc
    contracts: Contracts
    signer: Signer
    now_s: int
    gas_price_wei: int

    async def parameter(self, name: str) -> int:
        """A parameter's value in effect now."""
        found: int = await self.contracts.parameters.agreed(self.rpc, "get", [tunable(name).index])
        return found

    async def member(self, role: Role, address: Address) -> dict[str, Any]:
        """What the registry holds of a member: stake, unbonding, availableAt, jailedUntil and more."""
        return await self.contracts.registry.agreed_struct(self.rpc, "member", [role, address])

    async def require_dgai(self, amount_wei: int) -> None:
        """Raises InsufficientBudget; not on the dev chain, which gives what is missing."""
        balance: int = await self.contracts.dgai.agreed(self.rpc, "balanceOf", [self.signer.address])
        if balance < amount_wei and self.contracts.chain_id != DEV_CHAIN_ID:
            missing = f"{to_hex(self.signer.address)} holds {dgai(balance)}; this takes {dgai(amount_wei)}"
            raise InsufficientBudget(missing)

    def require_free(self, waiting: Waiting) -> None:
        """Raises NotYet."""
        if self.now_s < waiting.available_at_s:
            raise NotYet(f"{dgai(waiting.amount_wei)} are free in {waiting.available_at_s - self.now_s} s")

    def approve(self, amount_wei: int) -> Step:
        registry = self.contracts.registry
        return Step(self.contracts.dgai, "approve", (registry.address, amount_wei), "let the registry take it")

    def registry(self, function: str, arguments: Sequence[Any], *, why: str) -> Step:
        return Step(self.contracts.registry, function, tuple(arguments), why)

    def plan(
        self, steps: Sequence[Step], effects: Sequence[str], *, pays_wei: int = 0, waiting: Sequence[Waiting] = ()
    ) -> Plan:
        return Plan(self.signer, tuple(steps), tuple(effects), pays_wei, self.gas_price_wei, tuple(waiting))

    async def unbonding(self) -> str:
        """How long stake takes to leave, in words."""
        return f"{await self.parameter('unbonding_seconds')} s"


Planner = Callable[[Desk], Awaitable[Plan]]


def planned(home: Path, signer: Signer, *, planner: Planner) -> Plan:
    """A plan for the chain as it is now. Raises what the planner refuses, and ChainUnavailable."""

    async def main() -> Plan:
        async with _desk(home, signer) as desk:
            return await planner(desk)

    return asyncio.run(main())


def carried_out(home: Path, plan: Plan) -> list[str]:
    """Sends a plan's transactions, one after the other; their hashes. Raises Reverted, ChainUnavailable."""

    async def main() -> list[str]:
        async with _desk(home, plan.signer) as desk:
            return await _send(desk, plan)

    return asyncio.run(main())


def least_stake_wei(chain: ChainConfig) -> int:
    """What the network asks of a member at least; zero where its chain does not answer now."""

    async def main() -> int:
        async with opened_rpc(chain) as rpc:
            found: int = await Contracts(chain).parameters.agreed(rpc, "get", [_MINIMUM_STAKE])
            return found

    try:
        return asyncio.run(main())
    except ChainUnavailable:
        return 0


async def _send(desk: Desk, plan: Plan) -> list[str]:
    contracts, sent = desk.contracts, []
    async with opened_sender(desk.rpc, plan.signer, chain_id=contracts.chain_id) as sender:
        if contracts.chain_id == DEV_CHAIN_ID:
            await fund_dev(desk.rpc, contracts, address=sender.address, dgai_wei=plan.pays_wei)
        for step in plan.steps:
            label = f"{step.function}:{time.time_ns()}"
            receipt = await sender.send(step.contract, step.function, step.arguments, label=label)
            sent.append(to_hex(receipt.hash))
    return sent


@asynccontextmanager
async def _desk(home: Path, signer: Signer) -> AsyncIterator[Desk]:
    chain = chain_config(home)
    async with opened_rpc(chain) as rpc:
        now_s = max(await rpc.now_s(), int(time.time()))
        yield Desk(rpc, Contracts(chain), signer, now_s, await rpc.gas_price_wei())
