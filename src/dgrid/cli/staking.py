"""What `dgrid stake`, `unstake`, `unjail` and `exit` send, and what comes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dgrid.chain.events import Role
from dgrid.cli.operations import Desk, Plan, Step, Waiting
from dgrid.cli.signers import name_of
from dgrid.cli.terminal import dgai
from dgrid.cli.wallet_config import chain_config
from dgrid.core.errors import InvalidRequest, NotYet
from dgrid.core.identity import Address, to_hex
from dgrid.settlement.reading import reading

ALL = None  # as an amount: whatever there is


@dataclass(frozen=True, slots=True)
class Part:
    """How much of what stands somewhere; None is all of it."""

    wei: int | None = ALL

    def of(self, whole_wei: int, *, what: str) -> int:
        """The amount. Raises InvalidRequest when there is less."""
        wanted = whole_wei if self.wei is None else self.wei
        if not 0 < wanted <= whole_wei:
            raise InvalidRequest(f"{what} is {dgai(whole_wei)}: {dgai(wanted)} of it cannot be taken out")
        return wanted


# --- own stake -------------------------------------------------------------------------------------------------------


async def plan_stake(desk: Desk, role: Role, *, amount_wei: int) -> Plan:
    """More stake under a role. Raises InvalidRequest where nobody is registered, InsufficientBudget."""
    member = await desk.member(role, desk.signer.address)
    if not member["stake"]:
        raise InvalidRequest(
            f"{desk.signer.name} ({to_hex(desk.signer.address)}) is not registered as {name_of(role)}",
            hint=f"it registers itself, with its first stake, when it starts: `dgrid {name_of(role)} run`",
        )
    if not amount_wei:
        raise InvalidRequest("nothing would be staked")
    await desk.require_dgai(amount_wei)
    after, minimum = member["stake"] + amount_wei, await desk.parameter("minimum_stake_wei")
    effects = [
        f"own stake: {dgai(member['stake'])} → {dgai(after)}, least {dgai(minimum)}",
        _service(member, after, minimum),
        f"it can be slashed until it has left, {await desk.unbonding()} after `dgrid unstake`; it votes as before",
    ]
    steps = [desk.approve(amount_wei), desk.registry("addStake", (role, amount_wei), why="stake it")]
    return desk.plan(steps, effects, pays_wei=amount_wei)


async def plan_unstake(desk: Desk, role: Role, *, part: Part) -> Plan:
    """Takes own stake out of service. Raises InvalidRequest."""
    member = await desk.member(role, desk.signer.address)
    amount_wei = part.of(member["stake"], what=f"the stake of {desk.signer.name} as {name_of(role)}")
    after, minimum = member["stake"] - amount_wei, await desk.parameter("minimum_stake_wei")
    effects = [
        f"own stake: {dgai(member['stake'])} → {dgai(after)}, least {dgai(minimum)}",
        _service(member, after, minimum),
        f"{dgai(amount_wei + member['unbonding'])} free {await desk.unbonding()} after this, slashable until then",
    ]
    if member["unbonding"]:
        effects.append(f"of that {dgai(member['unbonding'])} were on their way already: their delay begins again")
    return desk.plan([desk.registry("unbond", (role, amount_wei), why="take it out of service")], effects)


async def plan_withdraw(desk: Desk, role: Role) -> Plan:
    """Pays out what was unstaked. Raises InvalidRequest, NotYet."""
    member = await desk.member(role, desk.signer.address)
    if not member["unbonding"]:
        raise InvalidRequest(f"nothing of {desk.signer.name} as {name_of(role)} is on its way out")
    desk.require_free(Waiting("stake", member["unbonding"], member["availableAt"]))
    effects = [f"{dgai(member['unbonding'])} come back to {to_hex(desk.signer.address)}"]
    return desk.plan([desk.registry("withdraw", (role,), why="pay it out")], effects)


async def plan_unjail(desk: Desk, role: Role) -> Plan:
    """Back into service after a verdict. Raises InvalidRequest, NotYet."""
    member = await desk.member(role, desk.signer.address)
    if not member["jailedUntil"]:
        raise InvalidRequest(f"{desk.signer.name} is not jailed as {name_of(role)}")
    if desk.now_s < member["jailedUntil"]:
        raise NotYet(f"jailed for {member['jailedUntil'] - desk.now_s} s more")
    minimum = await desk.parameter("minimum_stake_wei")
    if member["stake"] < minimum:
        raise InvalidRequest(
            f"own stake is {dgai(member['stake'])}, the least {dgai(minimum)}",
            hint=f"`dgrid stake {name_of(role)} AMOUNT` first",
        )
    effects = [f"{desk.signer.name} serves again as {name_of(role)}, once this is final"]
    return desk.plan([desk.registry("unjail", (role,), why="serve again")], effects)


def _service(member: dict[str, Any], stake_wei: int, minimum_wei: int) -> str:
    if member["jailedUntil"]:
        return "jailed, and out of service until `dgrid unjail`"
    return "in service" if stake_wei >= minimum_wei else "out of service: below the least stake"


# --- leaving ----------------------------------------------------------------------------------------------------------


async def lines_of(home: Path, gateway: Address) -> tuple[Address, ...]:
    """The nodes to which a gateway has given a line. Raises ChainUnavailable."""
    async with reading(chain_config(home)) as network:
        return tuple(sorted(node for giver, node in network.view.lines if giver == gateway))


async def plan_exit(desk: Desk, role: Role, *, nodes: tuple[Address, ...] = ()) -> Plan:
    """All that can be done now to get everything back, and what must wait. `nodes` are those with a gateway's lines.

    Sent again later it does the next part; when nothing is left it sends nothing.
    """
    member = await desk.member(role, desk.signer.address)
    steps, waiting = _leave_stake(desk, role, member, await desk.parameter("unbonding_seconds"))
    effects = [_service(member, 0, 1)] if member["stake"] else []
    if role is Role.GATEWAY:
        more, later = await _leave_bond(desk, nodes)
        steps, waiting = [*steps, *more], [*waiting, *later]
        effects.append("keep the gateway running until its last epoch is anchored: it still owes what it signed")
    if any(step.function == "unbond" for step in steps):
        effects.append("claims are paid on without a role: `dgrid claim`")
    return desk.plan(steps, effects, waiting=waiting)


def _leave_stake(desk: Desk, role: Role, member: dict[str, Any], unbonding_s: int) -> tuple[list[Step], list[Waiting]]:
    stake, leaving = member["stake"], member["unbonding"]
    is_free = bool(leaving) and desk.now_s >= member["availableAt"]
    steps = [desk.registry("withdraw", (role,), why=f"pay out {dgai(leaving)} of stake")] if is_free else []
    if stake:
        steps.append(desk.registry("unbond", (role, stake), why=f"take {dgai(stake)} of stake out of service"))
        return steps, [Waiting("stake", stake + (0 if is_free else leaving), desk.now_s + unbonding_s)]
    return steps, [Waiting("stake", leaving, member["availableAt"])] if leaving and not is_free else []


async def _leave_bond(desk: Desk, nodes: tuple[Address, ...]) -> tuple[list[Step], list[Waiting]]:
    """Lines are lowered first: what they reserve of the bond can be withdrawn only when they are down."""
    settlement, gateway = desk.contracts.settlement, desk.signer.address
    delay_s = await desk.parameter("bond_seconds")
    steps, waiting, freed = list[Step](), list[Waiting](), 0
    for node in nodes:
        line = await settlement.agreed_struct(desk.rpc, "line", [gateway, node])
        if not line["amount"]:
            continue
        if line["availableAt"] and not line["lowered"] and desk.now_s >= line["availableAt"]:
            steps.append(Step(settlement, "applyLine", (gateway, node), f"free the line of {to_hex(node)}"))
            freed += line["amount"]
            continue
        if not line["availableAt"] or line["lowered"]:
            steps.append(Step(settlement, "setLine", (node, 0), f"lower the line of {to_hex(node)}"))
            line["availableAt"] = desk.now_s + delay_s
        waiting.append(Waiting(f"line of {to_hex(node)}", line["amount"], line["availableAt"]))
    bond = await settlement.agreed_struct(desk.rpc, "bond", [gateway])
    more, later = _leave_free_bond(desk, bond, freed=freed, delay_s=delay_s)
    return [*steps, *more], [*waiting, *later]


def _leave_free_bond(desk: Desk, bond: dict[str, Any], *, freed: int, delay_s: int) -> tuple[list[Step], list[Waiting]]:
    settlement = desk.contracts.settlement
    free, steps = max(0, bond["amount"] - bond["lines"] + freed), list[Step]()
    announced = min(bond["withdrawing"], free)
    if announced and desk.now_s < bond["availableAt"]:
        return [], [Waiting("bond", announced, bond["availableAt"])]
    if announced:
        steps.append(Step(settlement, "withdrawBond", (), f"pay out {dgai(announced)} of bond"))
        free -= announced
    if not free:
        return steps, []
    steps.append(Step(settlement, "requestBondWithdrawal", (free,), f"announce {dgai(free)} of bond"))
    return steps, [Waiting("bond", free, desk.now_s + delay_s)]
