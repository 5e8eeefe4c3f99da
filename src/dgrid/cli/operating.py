"""Commands of those who run a role: stake, unstake, unjail, exit.

Each shows what it will cost and do, and when, before anything is sent; `--yes` goes ahead without being asked.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dgrid.cli.money import Yes, agree, dgai_gas
from dgrid.cli.terminal import Terminal, columns, dgai, many, wei_of
from dgrid.core.errors import InvalidRequest

if TYPE_CHECKING:  # read when a command runs, so that `dgrid --help` is quick
    from dgrid.cli.operations import Plan, Planner
    from dgrid.cli.signers import Signer
    from dgrid.cli.staking import Part

RoleName = Annotated[str, typer.Argument(metavar="ROLE", help="node, gateway, evaluator or archive.")]
Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="How much, in DGAI.")]
SomeOrAll = Annotated[str, typer.Argument(metavar="AMOUNT|all", help="How much, in DGAI, or all.")]
PayOut = Annotated[bool, typer.Option("--withdraw", help="Pay out what was taken out before and is free now.")]
From = Annotated[str, typer.Option("--from", metavar="KEY", help="A key of this home by its name, or a key file.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (stake, unstake, unjail):
        app.command()(command)
    app.command("exit")(leave)


def stake(context: typer.Context, role: RoleName, *, amount: Amount, sender: From = "", yes: Yes = False) -> None:
    """Add to the stake of a role of yours. It registers with its first stake when it starts; this adds to it.

    Example: `dgrid stake node 500 --from node-1`
    """
    from dgrid.cli.signers import role_of, signer_of
    from dgrid.cli.staking import plan_stake

    terminal: Terminal = context.obj
    which, amount_wei = role_of(role), wei_of(amount)
    signer = signer_of(terminal.home, sender, role=which)
    carry_out(
        terminal, "stake", signer=signer, planner=lambda desk: plan_stake(desk, which, amount_wei=amount_wei), yes=yes
    )


def unstake(
    context: typer.Context,
    role: RoleName,
    *,
    amount: SomeOrAll = "",
    withdraw: PayOut = False,
    sender: From = "",
    yes: Yes = False,
) -> None:
    """Take stake of a role of yours out of service; after the unbonding delay, --withdraw pays it out.

    Below the network's least stake the role is out of service at once.

    Example: `dgrid unstake node all --from node-1`
    """
    from dgrid.cli.signers import role_of, signer_of
    from dgrid.cli.staking import plan_unstake, plan_withdraw

    terminal: Terminal = context.obj
    which = role_of(role)
    signer = signer_of(terminal.home, sender, role=which)
    if withdraw:
        carry_out(terminal, "unstake", signer=signer, planner=lambda desk: plan_withdraw(desk, which), yes=yes)
        return
    part = part_of(amount)
    carry_out(terminal, "unstake", signer=signer, planner=lambda desk: plan_unstake(desk, which, part=part), yes=yes)


def unjail(context: typer.Context, role: RoleName, *, sender: From = "", yes: Yes = False) -> None:
    """Let a role of yours serve again after a verdict, once its time is over and its stake is enough.

    Example: `dgrid unjail node --from node-1`
    """
    from dgrid.cli.signers import role_of, signer_of
    from dgrid.cli.staking import plan_unjail

    terminal: Terminal = context.obj
    which = role_of(role)
    signer = signer_of(terminal.home, sender, role=which)
    carry_out(terminal, "unjail", signer=signer, planner=lambda desk: plan_unjail(desk, which), yes=yes)


def leave(context: typer.Context, role: RoleName, *, sender: From = "", yes: Yes = False) -> None:
    """Leave a role: take out all stake, and a gateway's credit lines and bond. Tells when each part is free.

    The delays end one after the other: repeat the command, and it takes out what is free, until nothing is left.

    Example: `dgrid exit gateway --from gateway-1`
    """
    import asyncio

    from dgrid.chain.events import Role
    from dgrid.cli.signers import role_of, signer_of
    from dgrid.cli.staking import lines_of, plan_exit

    terminal: Terminal = context.obj
    which = role_of(role)
    signer = signer_of(terminal.home, sender, role=which)
    nodes = asyncio.run(lines_of(terminal.home, signer.address)) if which is Role.GATEWAY else ()
    carry_out(terminal, "exit", signer=signer, planner=lambda desk: plan_exit(desk, which, nodes=nodes), yes=yes)


def carry_out(terminal: Terminal, command: str, *, signer: "Signer", planner: "Planner", yes: bool) -> None:
    """Plans, shows, asks, sends, says what was done."""
    from dgrid.cli.operations import carried_out, planned

    plan = planned(terminal.home, signer, planner=planner)
    if plan.steps:
        terminal.note(_plan_text(plan))
        agree(terminal, yes=yes)
    sent = carried_out(terminal.home, plan) if plan.steps else []
    terminal.show(command, {**_plan_data(plan), "transactions": sent}, text=_done_text(plan))


def _plan_text(plan: "Plan") -> str:
    rows = [(number, step.function, f"{step.gas:,}", step.why) for number, step in enumerate(plan.steps, start=1)]
    cost = f"from {plan.signer.name}: {dgai(plan.pays_wei)}, and at most about {plan.gas:,} gas"
    lines = [columns(("", "CALL", "GAS", "WHAT FOR"), rows), f"{cost} ({dgai_gas(plan.gas_wei)})", *plan.effects]
    return "\n".join(lines)


def _done_text(plan: "Plan") -> str:
    done = f"{many(len(plan.steps), 'transaction')} mined" if plan.steps else "nothing to do now"
    if not plan.waiting:
        return done if plan.steps else "nothing is left"
    rows = [(one.part, dgai(one.amount_wei), when(one.available_at_s)) for one in plan.waiting]
    return f"{done}\n{columns(('WAITING', 'AMOUNT', 'FREE FROM'), rows)}"


def _plan_data(plan: "Plan") -> dict[str, Any]:
    from dgrid.core.identity import to_hex

    return {
        "from": to_hex(plan.signer.address),
        "calls": [step.function for step in plan.steps],
        "pays_wei": str(plan.pays_wei),
        "gas": plan.gas,
        "gas_wei": str(plan.gas_wei),
        "effects": list(plan.effects),
        "waiting": [
            {"part": one.part, "amount_wei": str(one.amount_wei), "available_at_ms": one.available_at_s * 1000}
            for one in plan.waiting
        ],
    }


def when(time_s: int) -> str:
    """A moment for people, in UTC."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def part_of(amount: str) -> "Part":
    """An amount, or all. Raises InvalidRequest, typer.BadParameter."""
    from dgrid.cli.staking import Part

    if not amount:
        raise InvalidRequest("how much? an amount of DGAI, or all", hint="--withdraw pays out what is free already")
    return Part() if amount == "all" else Part(wei_of(amount))
