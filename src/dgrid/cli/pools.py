"""What `dgrid delegate`, `undelegate`, `commission` and `reward` send, and what comes of it."""

import asyncio
from pathlib import Path
from typing import Any

from dgrid.chain.events import Role
from dgrid.chain.view import Member
from dgrid.cli.operations import Desk, Plan, Waiting
from dgrid.cli.signers import name_of
from dgrid.cli.staking import ALL, Part
from dgrid.cli.terminal import dgai, percent
from dgrid.cli.wallet_config import chain_config
from dgrid.core.errors import InvalidRequest
from dgrid.core.identity import Address, to_hex
from dgrid.core.money import BPS
from dgrid.settlement.reading import reading


async def plan_delegate(desk: Desk, role: Role, *, operator: Address, amount_wei: int) -> Plan:
    """Entrusts stake to a member. Raises InvalidRequest where there is no such member, InsufficientBudget."""
    member = await _registered(desk, role, operator)
    if not amount_wei:
        raise InvalidRequest("nothing would be delegated")
    await desk.require_dgai(amount_wei)
    pool_wei, commission_bps = await _terms(desk, role, operator)
    effects = [
        f"entrusted to {to_hex(operator)} as {name_of(role)}: {dgai(pool_wei)} → {dgai(pool_wei + amount_wei)}",
        f"its commission on rewards is {percent(commission_bps)}; what it loses beyond its own stake, delegators lose",
        f"the votes stay yours; it is free {await desk.unbonding()} after `dgrid undelegate`",
    ]
    if member["jailedUntil"]:
        effects.append("it is jailed, and out of service")
    steps = [desk.approve(amount_wei), desk.registry("delegateStake", (role, operator, amount_wei), why="delegate it")]
    return desk.plan(steps, effects, pays_wei=amount_wei)


async def plan_undelegate(desk: Desk, role: Role, *, operator: Address, part: Part) -> Plan:
    """Takes entrusted stake out of service. Raises InvalidRequest."""
    held = await _delegation(desk, role, operator)
    amount_wei = part.of(held["amount"], what=f"your delegation to {to_hex(operator)}")
    shares = held["shares"] if part.wei is ALL else -(-held["shares"] * amount_wei // held["amount"])
    effects = [
        f"your delegation: {dgai(held['amount'])} → {dgai(held['amount'] - amount_wei)}",
        f"{dgai(amount_wei + held['leaving'])} free {await desk.unbonding()} after this, slashable until then",
    ]
    if held["leaving"]:
        effects.append(f"of that {dgai(held['leaving'])} were on their way already: their delay begins again")
    step = desk.registry("undelegateStake", (role, operator, shares), why="take it out of service")
    return desk.plan([step], effects)


async def plan_withdraw_delegation(desk: Desk, role: Role, *, operator: Address) -> Plan:
    """Pays out what was undelegated. Raises InvalidRequest, NotYet."""
    held = await _delegation(desk, role, operator)
    if not held["leaving"]:
        raise InvalidRequest(f"nothing of yours is on its way out of {to_hex(operator)}")
    desk.require_free(Waiting("delegation", held["leaving"], held["availableAt"]))
    effects = [f"{dgai(held['leaving'])} come back to {to_hex(desk.signer.address)}"]
    return desk.plan([desk.registry("withdrawDelegation", (role, operator), why="pay it out")], effects)


async def plan_commission(desk: Desk, role: Role, *, commission_bps: int) -> Plan:
    """Another commission on what a member's delegators get. Raises InvalidRequest."""
    operator, maximum_bps = desk.signer.address, await desk.parameter("maximum_commission_bps")
    await _registered(desk, role, operator)
    if commission_bps > maximum_bps:
        raise InvalidRequest(f"a commission is at most {percent(maximum_bps)}, not {percent(commission_bps)}")
    pool_wei, now_bps = await _terms(desk, role, operator)
    effects = [
        f"commission: {percent(now_bps)} → {percent(commission_bps)} of each reward, at most {percent(maximum_bps)}",
        f"it holds at once for the {dgai(pool_wei)} that others entrusted to {desk.signer.name}",
    ]
    return desk.plan([desk.registry("setCommission", (role, commission_bps), why="set it")], effects)


async def plan_reward(desk: Desk, role: Role, *, operator: Address, amount_wei: int) -> Plan:
    """Shares an amount between a member and its delegators. Raises InvalidRequest, InsufficientBudget."""
    await _registered(desk, role, operator)
    if not amount_wei:
        raise InvalidRequest("nothing would be shared")
    await desk.require_dgai(amount_wei)
    pool_wei, commission_bps = await _terms(desk, role, operator)
    kept_wei = amount_wei * (commission_bps if pool_wei else BPS) // BPS  # as `Delegations.reward` rounds
    effects = [
        f"commission of {percent(commission_bps)}: {dgai(kept_wei)} to {to_hex(operator)}",
        f"entrusted to it: {dgai(pool_wei)} → {dgai(pool_wei + amount_wei - kept_wei)}, for each in proportion",
    ]
    if not pool_wei:
        effects = [f"nobody delegated to {to_hex(operator)}: all of it goes there"]
    steps = [desk.approve(amount_wei), desk.registry("reward", (role, operator, amount_wei), why="share it")]
    return desk.plan(steps, effects, pays_wei=amount_wei)


async def _registered(desk: Desk, role: Role, operator: Address) -> dict[str, Any]:
    member = await desk.member(role, operator)
    if not member["stake"]:
        raise InvalidRequest(f"{to_hex(operator)} is not registered as {name_of(role)}")
    return member


async def _terms(desk: Desk, role: Role, operator: Address) -> tuple[int, int]:
    """What is entrusted to a member, and its commission."""
    registry = desk.contracts.registry
    pool_wei, _ = await registry.agreed(desk.rpc, "poolOf", [role, operator])
    return pool_wei, await registry.agreed(desk.rpc, "commissionOf", [role, operator])


async def _delegation(desk: Desk, role: Role, operator: Address) -> dict[str, Any]:
    arguments = [role, operator, desk.signer.address]
    return await desk.contracts.registry.agreed_struct(desk.rpc, "delegationOf", arguments)


# --- who entrusted what to whom ---------------------------------------------------------------------------------------


def delegations_of(home: Path, delegator: Address) -> list[dict[str, Any]]:
    """All that an address has entrusted to members, read from the chain. Raises ChainUnavailable."""
    return asyncio.run(_delegations_of(home, delegator))


async def _delegations_of(home: Path, delegator: Address) -> list[dict[str, Any]]:
    async with reading(chain_config(home)) as network:
        entrusted = [one for one in network.view.members.values() if one.delegated_wei or one.undelegating_wei]
        names = [(member.role, member.address, delegator) for member in entrusted]
        held = await network.contracts.registry.agreed_structs(network.rpc, "delegationOf", names)
    found = zip(entrusted, held, strict=True)
    return [_delegation_data(member, one) for member, one in found if one["amount"] or one["leaving"]]


def _delegation_data(member: Member, held: dict[str, Any]) -> dict[str, Any]:
    return {
        "operator": to_hex(member.address),
        "role": name_of(member.role),
        "amount_wei": str(held["amount"]),
        "leaving_wei": str(held["leaving"]),
        "available_at_ms": held["availableAt"] * 1000 if held["leaving"] else None,
        "commission_bps": member.commission_bps,
    }
