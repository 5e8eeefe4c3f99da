"""Commands about cases: who is accused of what, how it was voted, what it cost; accusing and appealing."""

import time
from typing import Annotated, Any

import typer

from dgrid.cli.money import Yes, agree
from dgrid.cli.terminal import Terminal, columns, dgai, short
from dgrid.core.identity import to_hex

TITLES = "CASE", "ABOUT", "ACCUSED", "OPENED BY", "STATE", "VOTES", "AGE"
ABOUT = {"identity": "another model", "undisclosed": "a hidden leaf", "quality_root": "a wrong root"}
CaseId = Annotated[str, typer.Argument(metavar="CASE", help="A case's id, or the beginning of it.")]
Evidence = Annotated[
    str, typer.Option(metavar="BLOB", help="The blob that shows it, by its id; else what the chain names.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Cases: what members are accused of, and what a jury of evaluators found.")
    group.callback(invoke_without_command=True)(cases)
    group.command("list")(list_cases)
    group.command("show")(show)
    group.command("open")(open_case)
    group.command("appeal")(appeal)
    app.add_typer(group, name="cases")


def cases(context: typer.Context) -> None:
    """Without a command: the list."""
    if context.invoked_subcommand is None:
        list_cases(context)


def list_cases(context: typer.Context) -> None:
    """List all cases, the newest first. Read from the chain.

    Example: `dgrid cases list`
    """
    from dgrid.cli.court import all_cases

    terminal: Terminal = context.obj
    found = all_cases(terminal.home)
    text = columns(TITLES, map(_row, found)) if found else "no cases yet"
    terminal.show("cases", {"cases": found}, text=text)


def show(context: typer.Context, case: CaseId) -> None:
    """Show one case: who sat, how each member voted and by which evidence, and where the money went.

    Of a node's case also how many of the replies that its accuser and its members show count, by the members' checks.

    Example: `dgrid cases show 0x5c8f12ab`
    """
    from dgrid.cli.court import one_case

    terminal: Terminal = context.obj
    found = one_case(terminal.home, case)
    terminal.show("cases.show", found, text=_told(found))


def open_case(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="identity, undisclosed or root.")],
    *,
    about: Annotated[str, typer.Argument(metavar="WHAT", help="The node, the receipt's id, or the round.")],
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="With identity: the model that the node sells, or its digest.")
    ] = "",
    evidence: Evidence = "",
    yes: Yes = False,
) -> None:
    """Accuse: a node of selling another model, a gateway of hiding a drawn answer, a quality root of being wrong.

    Takes a bond from this home's user, which is lost unless the jury convicts. Shows first what it will send.
    Evaluators accuse by themselves where they have proof; this is for who knows more.

    Example: `dgrid cases open identity node-1 --model dgrid-mini`
    """
    from dgrid.cli.court import plan_open, send_open

    terminal: Terminal = context.obj
    accusation, bond_wei = plan_open(terminal.home, _complaint(subject, about, model=model, evidence=evidence))
    told = ABOUT[accusation.subject.name.lower()]
    terminal.note(
        f"accuses {short('0x' + accusation.accused.hex())} of {told}; bond {dgai(bond_wei)}, lost on acquittal"
    )
    agree(terminal, yes=yes)
    found = send_open(terminal.home, accusation, bond_wei=bond_wei)
    shown = {"id": found, "subject": accusation.subject.name.lower(), "bond_wei": str(bond_wei)}
    terminal.show("cases.open", shown, text=f"opened case {found}; `dgrid cases show {short(found)}` follows it")


def appeal(context: typer.Context, case: CaseId, *, yes: Yes = False) -> None:
    """Take a first verdict to a larger jury of other members: once, by anyone, against twice the bond.

    The bond goes back if the verdict changes, or if too few members enrol. Nodes, gateways and signers of roots appeal
    by themselves.

    Example: `dgrid cases appeal 0x5c8f12ab --yes`
    """
    from dgrid.cli.court import plan_appeal, send_appeal

    terminal: Terminal = context.obj
    found, bond_wei = plan_appeal(terminal.home, case)
    whole_wei = 2 * bond_wei
    terminal.note(f"appeals in case {short(to_hex(found))}; bond {dgai(whole_wei)}, lost if the verdict stays")
    agree(terminal, yes=yes)
    send_appeal(terminal.home, found, bond_wei=bond_wei)
    shown = {"id": to_hex(found), "bond_wei": str(whole_wei)}
    terminal.show("cases.appeal", shown, text=f"appealed, against {dgai(whole_wei)}")


def _complaint(subject: str, about: str, *, model: str, evidence: str) -> Any:
    from dgrid.chain.case_events import Subject
    from dgrid.cli.court import Complaint

    named = {"identity": Subject.IDENTITY, "undisclosed": Subject.UNDISCLOSED, "root": Subject.QUALITY_ROOT}
    if subject not in named:
        raise typer.BadParameter(f"{subject!r} is none of {', '.join(named)}")
    try:
        return Complaint(named[subject], about, model, bytes.fromhex(evidence.removeprefix("0x")))
    except ValueError:
        raise typer.BadParameter("a blob's id is 0x and 64 hex digits") from None


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    members = one["hearings"][-1]["members"]
    guilty = sum(member["vote"] == "guilty" for member in members)
    votes = f"{guilty} of {len(members)} guilty" if any("guilty" in member["vote"] for member in members) else "-"
    age = f"{max(0, int(time.time()) - one['opened_s'])} s"
    return (
        short(one["id"]),
        ABOUT[one["subject"]],
        _name(one["accused"]),
        _name(one["opener"]),
        one["state"],
        votes,
        age,
    )


def _told(one: dict[str, Any]) -> str:
    lines = [
        f"case      {one['id']}",
        f"about     {ABOUT[one['subject']]}: {one['matter']}",
        f"accused   {_name(one['accused'])}",
        f"opened by {_name(one['opener'])}, bond {dgai(int(one['bond_wei']))}",
        f"evidence  {one['evidence']}{_counted(one['samples'])}",
        f"state     {one['state']}",
    ]
    for hearing in one["hearings"]:
        verdict = f": {hearing['verdict']}" if hearing["verdict"] else ""
        lines += ["", f"{hearing['stage']} hearing, {len(hearing['members'])} of {hearing['size']} seats{verdict}"]
        lines += [f"  {_voted(member)}" for member in hearing["members"]]
    if (ending := one["ending"]) is not None:
        parts = ("slashed", "refunded", "rewarded", "burned")
        money = ", ".join(f"{name} {dgai(int(ending[f'{name}_wei']))}" for name in parts)
        lines += ["", f"{ending['outcome']}: {money}"]
    return "\n".join(lines)


def _voted(member: dict[str, Any]) -> str:
    evidence = f"{member['evidence'] or ''}{_counted(member['samples'])}"
    return f"{_name(member)}  {member['vote']}  {evidence}".rstrip()


def _counted(samples: dict[str, Any] | None) -> str:
    if samples is None:
        return ""
    return f": {samples['replies']} replies count" + (f", for {samples['reason']}" if samples["reason"] else "")


def _name(party: dict[str, Any] | None) -> str:
    if party is None:
        return "who signed it"
    return party["name"] or short(party["address"])
