"""Commands about stake that is entrusted to others: delegate, undelegate, delegations, commission, reward.

As with the operators' own commands nothing is sent before it was shown.
"""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from dgrid.cli.money import Yes
from dgrid.cli.operating import Amount, From, PayOut, RoleName, SomeOrAll, carry_out, part_of, when
from dgrid.cli.terminal import Terminal, bps_of, columns, dgai, percent, short, wei_of

if TYPE_CHECKING:  # read when a command runs, so that `dgrid --help` is quick
    from dgrid.cli.operations import Planner
    from dgrid.core.identity import Address

OfRole = Annotated[
    str, typer.Option("--role", metavar="ROLE", help="The operator's role: node, gateway, evaluator or archive.")
]
Operator = Annotated[
    str, typer.Argument(metavar="OPERATOR", help="The operator's address, or the name of a key of this home.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (delegate, undelegate, delegations, commission, reward):
        app.command()(command)


def delegate(
    context: typer.Context,
    operator: Operator,
    *,
    amount: Amount,
    role: OfRole = "node",
    sender: From = "",
    yes: Yes = False,
) -> None:
    """Entrust stake to an operator: you share what it passes on and what it loses. Your votes stay yours.

    Example: `dgrid delegate 0x70997970… 100 --role evaluator`
    """
    from dgrid.cli.pools import plan_delegate
    from dgrid.cli.signers import role_of, signer_of

    terminal: Terminal = context.obj
    which, whom = role_of(role), _operator(terminal, operator)
    planner = partial(plan_delegate, role=which, operator=whom, amount_wei=wei_of(amount))
    carry_out(terminal, "delegate", signer=signer_of(terminal.home, sender), planner=planner, yes=yes)


def undelegate(  # noqa: PLR0913 one for each flag
    context: typer.Context,
    operator: Operator,
    *,
    amount: SomeOrAll = "",
    role: OfRole = "node",
    withdraw: PayOut = False,
    sender: From = "",
    yes: Yes = False,
) -> None:
    """Take stake back from an operator; after the unbonding delay, --withdraw pays it out.

    Example: `dgrid undelegate 0x70997970… all --role evaluator`
    """
    from dgrid.cli.pools import plan_undelegate, plan_withdraw_delegation
    from dgrid.cli.signers import role_of, signer_of

    terminal: Terminal = context.obj
    which, whom = role_of(role), _operator(terminal, operator)
    if withdraw:
        planner: Planner = partial(plan_withdraw_delegation, role=which, operator=whom)
    else:
        planner = partial(plan_undelegate, role=which, operator=whom, part=part_of(amount))
    carry_out(terminal, "undelegate", signer=signer_of(terminal.home, sender), planner=planner, yes=yes)


def delegations(context: typer.Context, *, sender: From = "") -> None:
    """List what you have entrusted to operators, what is on its way back, and when it is free.

    Example: `dgrid delegations`
    """
    from dgrid.cli.pools import delegations_of
    from dgrid.cli.signers import signer_of

    terminal: Terminal = context.obj
    found = delegations_of(terminal.home, signer_of(terminal.home, sender).address)
    rows = [
        (
            short(one["operator"]),
            one["role"],
            dgai(int(one["amount_wei"])),
            percent(one["commission_bps"]),
            dgai(int(one["leaving_wei"])),
            "-" if one["available_at_ms"] is None else when(one["available_at_ms"] // 1000),
        )
        for one in found
    ]
    titles = "OPERATOR", "ROLE", "ENTRUSTED", "COMMISSION", "LEAVING", "FREE FROM"
    text = columns(titles, rows) if rows else "nothing is entrusted to anybody"
    terminal.show("delegations", {"delegations": found}, text=text)


def commission(
    context: typer.Context,
    role: RoleName,
    *,
    share: Annotated[
        str, typer.Argument(metavar="PERCENT", help="What you keep of what is shared, such as 5 or 2.5%.")
    ],
    sender: From = "",
    yes: Yes = False,
) -> None:
    """Set what a role of yours keeps of rewards before those who delegated to it share the rest.

    Example: `dgrid commission node 5% --from node-1`
    """
    from dgrid.cli.pools import plan_commission
    from dgrid.cli.signers import role_of, signer_of

    terminal: Terminal = context.obj
    which, bps = role_of(role), bps_of(share)
    signer = signer_of(terminal.home, sender, role=which)
    planner = partial(plan_commission, role=which, commission_bps=bps)
    carry_out(terminal, "commission", signer=signer, planner=planner, yes=yes)


def reward(
    context: typer.Context,
    operator: Operator,
    *,
    amount: Amount,
    role: OfRole = "node",
    sender: From = "",
    yes: Yes = False,
) -> None:
    """Share an amount between an operator, which takes its commission, and those who delegated to it.

    Nothing is shared by itself: what a role earns is its own. An operator pays its delegators with this; anyone may.

    Example: `dgrid reward node-1 25 --from node-1`
    """
    from dgrid.cli.pools import plan_reward
    from dgrid.cli.signers import role_of, signer_of

    terminal: Terminal = context.obj
    which, whom = role_of(role), _operator(terminal, operator)
    planner = partial(plan_reward, role=which, operator=whom, amount_wei=wei_of(amount))
    carry_out(terminal, "reward", signer=signer_of(terminal.home, sender), planner=planner, yes=yes)


def _operator(terminal: Terminal, text: str) -> "Address":
    from dgrid.cli.signers import address_of, signer_of
    from dgrid.processes.home import Home

    if Home(terminal.home).key_file(text).exists():
        return signer_of(terminal.home, text).address
    return address_of(text)
