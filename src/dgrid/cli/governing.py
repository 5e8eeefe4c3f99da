"""`dgrid gov`: the members' commands. What a proposal changes is read from its calls; nothing is sent before it was
shown.
"""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dgrid.cli.money import Yes, agree, dgai_gas
from dgrid.cli.terminal import Terminal, columns, dgai
from dgrid.core.errors import InvalidRequest
from dgrid.core.identity import to_hex

if TYPE_CHECKING:  # read when a command runs, so that `dgrid --help` is quick
    from dgrid.cli.ballots import Cost, Shown
    from dgrid.governance.changes import Change

Which = Annotated[str, typer.Argument(metavar="ID", help="The proposal's number in `dgrid gov list`, or its id.")]
Assignments = Annotated[
    list[str] | None, typer.Argument(metavar="NAME=VALUE", help="New values; all of them count, or none.")
]
Calls = Annotated[
    list[str] | None,
    typer.Option(
        "--call", metavar='"CONTRACT.function ARGUMENT..."', help="A call the Timelock makes; repeat it for several."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="The members' votes: what they may change, and what was proposed.", no_args_is_help=True)
    group.callback()(lambda: None)
    for command in (propose, vote, queue, execute, show, simulate, delegate, parameters):
        group.command()(command)
    group.command("list")(list_proposals)
    app.add_typer(group, name="gov")


def propose(
    context: typer.Context,
    assignments: Assignments = None,
    *,
    call: Calls = None,
    title: Annotated[str, typer.Option(metavar="TEXT", help="What it is for; else the changes themselves.")] = "",
    yes: Yes = False,
) -> None:
    """Put new values of the network's parameters to the vote, or calls of its contracts: a payment, say.

    A value is a whole number of the parameter's unit, or an amount with DGAI, %, s, m, h or d behind it. A call names a
    contract and a function, then its arguments: numbers, amounts such as 250DGAI, addresses or contracts' names, 0x
    data. What a contract would refuse is refused at once.

    Example: `dgrid gov propose protocol_bps=300 --title "Pay the judges better"`

    Example: `dgrid gov propose --call "dgai.transfer 0x70997970… 250DGAI" --title "Pay for the audit"`
    """
    from dgrid.cli.balloting import send, send_proposal
    from dgrid.cli.ballots import planned, read, shown
    from dgrid.cli.signers import user_of

    terminal: Terminal = context.obj
    address = user_of(terminal.home).address
    plan = read(terminal.home, lambda network: planned(network, assignments or (), address=address, typed=call or ()))
    lines = [str(change) for change in plan.changes]
    terminal.note("\n".join(lines))
    members = plan.electorate
    wait_s = members.voting_delay_s + members.voting_period_s + members.timelock_s
    when = f"carried out in {wait_s} s at the earliest, and new values count two epochs later"
    terminal.note(f"{when}; a quorum is {dgai(members.quorum_wei)}")
    _agree(terminal, plan.cost, yes=yes)
    described = title or "; ".join(map(_title_of, plan.changes))
    number = send(terminal.home, lambda network, sender: send_proposal(network, sender, plan=plan, title=described))
    made = read(terminal.home, lambda network: shown(network, str(number)))
    _show(terminal, "gov.propose", made)


def _title_of(change: "Change") -> str:
    from dgrid.governance.changes import ParameterChange

    if isinstance(change, ParameterChange):
        return f"{change.parameter.name}: {change.old} → {change.new}"
    return str(change)


def vote(
    context: typer.Context,
    proposal: Which,
    choice: Annotated[str, typer.Argument(metavar="for|against|abstain", help="What to vote.")],
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it stands on the chain for good.")] = "",
    yes: Yes = False,
) -> None:
    """Vote on a proposal, with the DGAI and the stake this home's user had when the vote began.

    Example: `dgrid gov vote 1 for --reason "judging is worth it"`
    """
    from dgrid.cli.balloting import Ballot, planned_vote, send, send_vote
    from dgrid.cli.ballots import read, shown
    from dgrid.cli.signers import user_of
    from dgrid.governance.proposals import Support

    terminal: Terminal = context.obj
    supports = {one.name.lower(): one for one in Support}
    if choice not in supports:
        raise InvalidRequest(f"a vote is {', '.join(supports)}, not {choice}")
    ballot, address = Ballot(supports[choice], reason), user_of(terminal.home).address
    plan = read(terminal.home, lambda network: planned_vote(network, proposal, ballot=ballot, address=address))
    terminal.note(f"{choice} #{plan.one.number} ({plan.one.proposal.title}) with {dgai(plan.weight_wei)}")
    _agree(terminal, plan.cost, yes=yes)
    send(terminal.home, lambda network, sender: send_vote(network, sender, plan=plan, ballot=ballot))
    _show(terminal, "gov.vote", read(terminal.home, lambda network: shown(network, proposal)))


def queue(context: typer.Context, proposal: Which, *, yes: Yes = False) -> None:
    """Hand a proposal that has passed to the Timelock. Anyone may.

    Example: `dgrid gov queue 1`
    """
    _step(context.obj, "queue", proposal=proposal, yes=yes)


def execute(context: typer.Context, proposal: Which, *, yes: Yes = False) -> None:
    """Carry out a proposal whose time in the Timelock is over. Anyone may.

    Example: `dgrid gov execute 1`
    """
    _step(context.obj, "execute", proposal=proposal, yes=yes)


def _step(terminal: Terminal, step: str, *, proposal: str, yes: bool) -> None:
    from dgrid.cli.balloting import planned_step, send, send_step
    from dgrid.cli.ballots import read, shown
    from dgrid.cli.signers import user_of

    address = user_of(terminal.home).address
    plan = read(terminal.home, lambda network: planned_step(network, proposal, step=step, address=address))
    terminal.note("\n".join([f"{step} #{plan.one.number} ({plan.one.proposal.title})", *map(str, plan.one.changes)]))
    _agree(terminal, plan.cost, yes=yes)
    send(terminal.home, lambda network, sender: send_step(network, sender, one=plan.one, step=step))
    _show(terminal, f"gov.{step}", read(terminal.home, lambda network: shown(network, proposal)))


def list_proposals(context: typer.Context) -> None:
    """List all proposals with their state.

    Example: `dgrid gov list`
    """
    from dgrid.cli.ballots import all_shown, read
    from dgrid.cli.governing_text import proposal_data

    terminal: Terminal = context.obj
    found = read(terminal.home, all_shown)
    rows = [(f"#{one.number}", one.state.value, one.proposal.title) for one in found]
    text = columns(("NUMBER", "STATE", "TITLE"), rows) if rows else "nothing was proposed yet"
    terminal.show("gov.list", {"proposals": [proposal_data(one) for one in found]}, text=text)


def show(context: typer.Context, proposal: Which) -> None:
    """Show what a proposal changes, by its calls and not by its title, and how it was voted.

    Example: `dgrid gov show 1`
    """
    from dgrid.cli.ballots import read, shown

    terminal: Terminal = context.obj
    _show(terminal, "gov.show", read(terminal.home, lambda network: shown(network, proposal)))


def simulate(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="NAME=VALUE|ID", help="New values, or a proposal.")],
    *,
    epochs: Annotated[int, typer.Option(metavar="COUNT", min=1, max=10_000, help="How many of the last epochs.")] = 10,
) -> None:
    """Compute the last epochs' fees, draws and pay-outs again as if the values had counted. Asks no gateway.

    Example: `dgrid gov simulate protocol_bps=300 committee_size=5 --epochs 20`
    """
    from dgrid.cli.ballots import read, simulation
    from dgrid.cli.governing_text import change_data, simulation_data, simulation_text

    terminal: Terminal = context.obj
    found, changes = read(terminal.home, lambda network: simulation(network, words, epochs=epochs))
    data = {"changes": [change_data(one) for one in changes], **simulation_data(found)}
    terminal.show("gov.simulate", data, text="\n".join([*map(str, changes), "", simulation_text(found)]))


def delegate(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Who votes with your DGAI from now on.")],
    *,
    yes: Yes = False,
) -> None:
    """Let an address vote with this home's DGAI; your own, to vote yourself: what was never delegated has no vote.

    Example: `dgrid gov delegate 0x70997970…`
    """
    from dgrid.cli.balloting import delegation_cost, send, send_delegation
    from dgrid.cli.ballots import read
    from dgrid.cli.signers import address_of, user_of

    terminal: Terminal = context.obj
    to = address_of(address)
    user = user_of(terminal.home).address
    cost = read(terminal.home, lambda network: delegation_cost(network, to=to, address=user))
    terminal.note(f"the DGAI of {to_hex(user)} vote with {to_hex(to)}; they stay where they are")
    _agree(terminal, cost, yes=yes)
    found = send(terminal.home, lambda network, sender: send_delegation(network, sender, to=to))
    data = {"delegate": to_hex(to), "balance_wei": str(found.balance_wei)}
    terminal.show("gov.delegate", data, text=f"{dgai(found.balance_wei)} vote with {to_hex(to)}, from the next vote on")


def parameters(context: typer.Context) -> None:
    """Show every parameter of the network: its value now, what is decided to come, and its bounds.

    Example: `dgrid gov parameters`
    """
    from dgrid.cli.ballots import read, values_shown
    from dgrid.cli.governing_text import values_text

    terminal: Terminal = context.obj

    async def work(network: Any) -> list[dict[str, Any]]:
        return values_shown(network.view, now_ms=int(time.time() * 1000))

    found = read(terminal.home, work)
    terminal.show("gov.parameters", {"parameters": found}, text=values_text(found))


def _agree(terminal: Terminal, cost: "Cost", *, yes: bool) -> None:
    """Says what it costs, and raises Declined unless somebody said yes."""
    terminal.note(f"one transaction, about {cost.gas:,} gas ({dgai_gas(cost.wei)})")
    agree(terminal, yes=yes)


def _show(terminal: Terminal, command: str, one: "Shown") -> None:
    from dgrid.cli.governing_text import proposal_data, proposal_text

    terminal.show(command, proposal_data(one), text=proposal_text(one))
