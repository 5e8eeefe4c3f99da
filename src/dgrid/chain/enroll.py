"""Taking part: registering under a role, keeping the entry true, a gateway's bond and credit lines.

What the chain already holds is left alone, so enrolling at every start costs nothing. With `dev`, the money for it
comes from the dev chain's first account.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from dgrid.chain.channels import approve
from dgrid.chain.contracts import Contract, Contracts
from dgrid.chain.events import Role
from dgrid.chain.funding import fund_dev
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView, Member
from dgrid.core.identity import Address


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a member declares, and the stake behind it."""

    role: Role
    endpoint: str
    stake_wei: int
    offer_digest: bytes = bytes(32)
    encryption_key: bytes = bytes(32)
    margin_bps: int = 0


@dataclass(frozen=True, slots=True)
class Enroller:
    """One operator's dealings with the registry and its bond."""

    rpc: Rpc
    contracts: Contracts
    sender: Sender
    dev: bool = False

    async def enroll(self, enrolment: Enrolment, view: ChainView) -> None:
        """Registers, or brings the entry up to date. Raises Reverted, NotDevChain, ChainUnavailable."""
        await self.sender.settle()
        role = enrolment.role
        member = await self.contracts.registry.agreed_struct(self.rpc, "member", [role, self.sender.address])
        stake: int = member["stake"]  # its own: what others delegated to it makes nobody active
        if stake == 0:
            await self._register(enrolment)
            return
        if stake < enrolment.stake_wei:
            await self._pay(self.contracts.registry, "addStake", [role], amount_wei=enrolment.stake_wei - stake)
        known = view.members.get((role, self.sender.address))
        if known is not None and _declared(enrolment) == _declared(known):
            return
        await self._send(self.contracts.registry, "update", [role, *_declared(enrolment)])

    async def ensure_bond(self, bond_wei: int) -> None:
        """Fills a gateway's bond up. Raises Reverted, NotDevChain, ChainUnavailable."""
        bond: int = await self.contracts.settlement.agreed(self.rpc, "bondOf", [self.sender.address])
        if bond < bond_wei:
            await self._pay(self.contracts.settlement, "depositBond", [], amount_wei=bond_wei - bond)

    async def ensure_lines(self, lines: Mapping[Address, int], view: ChainView) -> None:
        """Raises nodes' credit lines to these amounts where they are lower. Raises Reverted, ChainUnavailable."""
        for node, line_wei in lines.items():
            key = self.sender.address, node  # what was paid by default uses a line up and is no reason to raise it
            if min(view.line_amounts.get(key, 0), view.lowerings.get(key, line_wei)) < line_wei:
                await self._send(self.contracts.settlement, "setLine", [node, line_wei])

    async def _register(self, enrolment: Enrolment) -> None:
        if self.dev:
            await fund_dev(self.rpc, self.contracts, address=self.sender.address, dgai_wei=enrolment.stake_wei)
        registry = self.contracts.registry
        await approve(self.sender, self.contracts, spender=registry.address, amount_wei=enrolment.stake_wei)
        await self._send(registry, "register", [enrolment.role, enrolment.stake_wei, *_declared(enrolment)])

    async def _pay(self, contract: Contract, function: str, arguments: list[object], *, amount_wei: int) -> None:
        if self.dev:
            await fund_dev(self.rpc, self.contracts, address=self.sender.address, dgai_wei=amount_wei)
        await approve(self.sender, self.contracts, spender=contract.address, amount_wei=amount_wei)
        await self._send(contract, function, [*arguments, amount_wei])

    async def _send(self, contract: Contract, function: str, arguments: list[object]) -> None:
        # The label is new each time: what was sent before is settled, and the chain was asked what is missing.
        await self.sender.send(contract, function, arguments, label=f"{function}:{time.time_ns()}")


def _declared(entry: Enrolment | Member) -> tuple[str, bytes, bytes, int]:
    return entry.endpoint, entry.offer_digest, entry.encryption_key, entry.margin_bps
