"""Commands about money: wallet, claim, channel. Nothing is sent before it was shown."""

import time
from typing import Annotated, Any

import typer

from dgrid.cli.terminal import Terminal, coins, columns, dgai, many, short, wei_of
from dgrid.core.errors import DGridError, NotYet

Yes = Annotated[bool, typer.Option("--yes", help="Go ahead without being asked.")]
WhichGateway = Annotated[
    str | None, typer.Option("--gateway", metavar="ADDRESS", help="Only the channel to this gateway.")
]


AMOUNTS = "claimable", "quality", "claimed", "unjudged"


class Declined(DGridError):
    """Nobody agreed to what would have been sent."""

    code = "declined"
    exit_code = 4


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(wallet)
    app.command()(claim)
    group = typer.Typer(help="Your channels: deposits at gateways, and how to get them back.")
    group.callback(invoke_without_command=True)(channels)
    group.command("list")(list_channels)
    group.command("deposit")(deposit)
    group.command("withdraw")(withdraw)
    group.command("finalize")(finalize)
    app.add_typer(group, name="channel")


def wallet(
    context: typer.Context,
    *,
    address: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Only this address; else this home.")] = None,
) -> None:
    """Show deposits, what was used of them, and what can be claimed: read from the chain and the archives.

    Without an address: the deposits of this home's user, and the claims of all its keys. Nodes can claim their base
    share with the epoch; `claimable` is due when its challenge window is over. `unjudged` is what quality may add to it
    at most; what it does not add goes back to payers.

    Example: `dgrid wallet --address 0x70997970…`
    """
    from dgrid.cli.accounts import read_wallet

    terminal: Terminal = context.obj
    sheet = read_wallet(terminal.home, address=address)
    rows = [(name.removesuffix("_wei"), dgai(int(amount))) for name, amount in sheet.totals.items()]
    parties = [
        (one["name"], short(one["address"]), *(dgai(int(one[f"{what}_wei"])) for what in AMOUNTS))
        for one in sheet.parties
    ]
    titles = "PAYEE", "ADDRESS", "CLAIMABLE", "OF IT QUALITY", "CLAIMED", "UNJUDGED"
    table = columns(titles, parties) if parties else ""
    text = "\n".join([*(f"{name:<10} {amount}" for name, amount in rows), "", table]).rstrip()
    terminal.show("wallet", {**sheet.totals, "parties": sheet.parties}, text=text)


def claim(context: typer.Context, *, yes: Yes = False) -> None:
    """Claim what the keys of this home have earned. Shows first what it will send and what that costs.

    Example: `dgrid claim --yes`
    """
    from dgrid.cli.accounts import plan_claim, send_claim

    terminal: Terminal = context.obj
    plan = plan_claim(terminal.home)
    rows = [(one["kind"], one["name"], _payer_of(one), dgai(int(one["amount_wei"]))) for one in plan.rows]
    if not rows:
        waiting = f"; {dgai(plan.waiting_wei)} will be, after its challenge window" if plan.waiting_wei else ""
        nothing = {"claims": [], "paid_wei": "0", "waiting_wei": str(plan.waiting_wei), "refused": []}
        terminal.show("claim", nothing, text=f"nothing is due now{waiting}")
        return
    terminal.note(columns(("KIND", "PAYEE", "FROM", "AMOUNT"), rows))
    if plan.waiting_wei:
        terminal.note(f"{dgai(plan.waiting_wei)} more will be due, after its challenge window")
    terminal.note(f"transactions for {many(len(rows), 'row')}, about {plan.gas:,} gas ({dgai_gas(plan.gas_wei)})")
    agree(terminal, yes=yes)
    outcome = send_claim(terminal.home, plan)
    paid = sum(int(one["amount_wei"]) for one in outcome.paid)
    shown = {"claims": outcome.paid, "paid_wei": str(paid), "waiting_wei": str(plan.waiting_wei)}
    payees = many(len({one["payee"] for one in outcome.paid}), "payee")
    lines = [f"claimed {dgai(paid)} for {payees}", *(f"refused: {why}" for why in outcome.refused)]
    terminal.show("claim", {**shown, "refused": outcome.refused}, text="\n".join(lines))


def _payer_of(row: dict[str, str]) -> str:
    """Whose pot a row is paid from."""
    return short(row["gateway"]) if row["gateway"] else "the court"


def dgai_gas(wei: int) -> str:
    """What gas costs, in the chain's own coin."""
    return f"{coins(wei)} of the chain's coin"


def channels(context: typer.Context) -> None:
    """Without a command: the list."""
    if context.invoked_subcommand is None:
        list_channels(context)


def list_channels(context: typer.Context) -> None:
    """List your channels with their balances.

    Example: `dgrid channel list`
    """
    from dgrid.cli.channels import read_channels

    terminal: Terminal = context.obj
    found = read_channels(terminal.home)
    terminal.show("channel.list", {"channels": found}, text=_channels_text(found))


def deposit(
    context: typer.Context,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="How much into each channel, in DGAI.")],
    *,
    gateway: WhichGateway = None,
    yes: Yes = False,
) -> None:
    """Pay into your channels. Gateways serve on it once the deposit is final on the chain.

    Example: `dgrid channel deposit 50 --gateway 0x3c44cddd…`
    """
    from dgrid.cli.channels import DEPOSIT_GAS, deposit_into, read_channels

    terminal: Terminal = context.obj
    amount_wei = wei_of(amount)
    listed = read_channels(terminal.home, gateway=gateway)
    found = [one for one in listed if one["state"] != "withdrawing"]
    if listed and not found:
        hint = "`dgrid channel finalize` pays them out; deposit again after it"
        raise NotYet("your channels are being withdrawn: nothing can be paid into them", hint=hint)
    if found:
        effect = f"{dgai(amount_wei)} into each of {many(len(found), 'channel')}"
        _agree(terminal, found, effect, gas=DEPOSIT_GAS, yes=yes)
    done = deposit_into(terminal.home, [one["channel_id"] for one in found], amount_wei=amount_wei)
    terminal.show("channel.deposit", {"channels": done}, text=_channels_text(done))


def withdraw(context: typer.Context, *, gateway: WhichGateway = None, yes: Yes = False) -> None:
    """Announce the withdrawal of your channels. Their gateways stop serving on them as soon as they see it.

    What was used is still collected during the delay; then `dgrid channel finalize` pays out the rest.

    Example: `dgrid channel withdraw --gateway 0x3c44cddd…`
    """
    from dgrid.cli.channels import ANNOUNCE_GAS, read_channels, request_withdrawals

    terminal: Terminal = context.obj
    found = [one for one in read_channels(terminal.home, gateway=gateway) if one["state"] == "open"]
    if found:
        _agree(terminal, found, "their withdrawal is announced, and serving on them ends", gas=ANNOUNCE_GAS, yes=yes)
    done = request_withdrawals(terminal.home, [one["channel_id"] for one in found])
    terminal.show("channel.withdraw", {"channels": done}, text=_channels_text(done))
    if done:
        wait_s = max(0, max(one["available_at_ms"] or 0 for one in done) // 1000 - int(time.time()))
        terminal.note(f"in {wait_s} s `dgrid channel finalize` pays them out")


def finalize(context: typer.Context, *, gateway: WhichGateway = None, yes: Yes = False) -> None:
    """Pay announced withdrawals out, once their delay is over.

    Example: `dgrid channel finalize`
    """
    from dgrid.cli.channels import FINALIZE_GAS, finalize_withdrawals, read_channels, ready_of

    terminal: Terminal = context.obj
    announced = [one for one in read_channels(terminal.home, gateway=gateway) if one["state"] == "withdrawing"]
    found = ready_of(terminal.home, announced)
    if found:
        whole_wei = sum(int(one["balance_wei"]) for one in found)
        _agree(terminal, found, f"up to {dgai(whole_wei)} come back to you", gas=FINALIZE_GAS, yes=yes)
    done = finalize_withdrawals(terminal.home, [one["channel_id"] for one in found])
    before = {one["channel_id"]: int(one["balance_wei"]) for one in found}
    paid = sum(before[one["channel_id"]] - int(one["balance_wei"]) for one in done)
    text = f"paid out {dgai(paid)}\n{_channels_text(done)}" if done else "no withdrawal was announced"
    terminal.show("channel.finalize", {"channels": done, "paid_wei": str(paid)}, text=text)


def _channels_text(channels: list[dict[str, Any]]) -> str:
    if not channels:
        return "no channels"
    rows = [
        (short(one["channel_id"]), short(one["gateway"]), dgai(int(one["balance_wei"])), one["kind"], one["state"])
        for one in channels
    ]
    return columns(("CHANNEL", "GATEWAY", "BALANCE", "SIGNED BY", "STATE"), rows)


def _agree(terminal: Terminal, channels: list[dict[str, Any]], effect: str, *, gas: int, yes: bool) -> None:
    """Shows the channels, what would become of them, and what that costs; raises Declined unless somebody said yes.

    `gas` is what one channel takes at most, about.
    """
    from dgrid.cli.channels import gas_cost_wei

    whole = gas * len(channels)
    terminal.note(_channels_text(channels))
    terminal.note(effect)
    terminal.note(f"at most about {whole:,} gas ({dgai_gas(gas_cost_wei(terminal.home, whole))})")
    agree(terminal, yes=yes)


def agree(terminal: Terminal, *, yes: bool) -> None:
    """Raises Declined unless somebody said yes."""
    if yes:
        return
    if terminal.json or not typer.get_text_stream("stdin").isatty():
        raise Declined("nothing was sent: nobody agreed", hint="add --yes to go ahead without being asked")
    if not typer.confirm("go ahead?", err=True):
        raise Declined("nothing was sent")
