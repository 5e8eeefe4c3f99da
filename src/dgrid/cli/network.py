"""Commands about a whole network on this machine: up, down, wait, doctor, status."""

import time
from dataclasses import asdict
from typing import Annotated, Any

import typer

from dgrid.cli.terminal import Terminal, columns, short


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(up)
    app.command()(down)
    app.command()(wait)
    app.command()(doctor)
    app.command()(status)


def up(  # noqa: PLR0913 one for each flag
    context: typer.Context,
    *,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it serves, and leave it running.")] = False,
    gateways: Annotated[int, typer.Option(metavar="COUNT", help="How many gateways.")] = 2,
    nodes: Annotated[
        int, typer.Option(metavar="COUNT", help="How many nodes; they share the three built-in models.")
    ] = 5,
    evaluators: Annotated[
        int, typer.Option(metavar="COUNT", help="How many evaluators judge answers; 0 for none.")
    ] = 5,
    epoch_seconds: Annotated[
        int, typer.Option(metavar="SECONDS", help="How long an epoch lasts; fixed with a home's first start.")
    ] = 20,
    no_restart: Annotated[
        bool, typer.Option("--no-restart", help="Leave a role that died as it is, instead of starting it again.")
    ] = False,
    port_base: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", help="The first gateway's port; all others follow it. Without it the home's last, or 7420."
        ),
    ] = None,
) -> int:
    """Run a whole network here: chain, contracts, gateways, nodes, archives, settler, evaluators, an author, a watcher.

    State is kept in the home; the next start resumes it. Ctrl-C stops everything, and so does `dgrid down`. It listens
    on this machine alone, and says at which address any OpenAI client can ask it, with which key.

    Example: `dgrid up --detach --nodes 3`
    """
    from dgrid.processes.up import UpOptions, run_up

    terminal: Terminal = context.obj
    shape = {"gateways": gateways, "nodes": nodes, "evaluators": evaluators, "epoch_seconds": epoch_seconds}
    options = UpOptions(terminal.home, **shape, restart=not no_restart, detach=detach, port_base=port_base)
    code: int = run_up(options, say=terminal.say)
    if detach and terminal.json:
        _show_status(terminal)
    return code


def down(context: typer.Context) -> int:
    """Stop the network of this home and wait until it is down. What it knows stays.

    Example: `dgrid down`
    """
    from dgrid.processes.up import take_down

    terminal: Terminal = context.obj
    code = take_down(terminal.home, say=terminal.say)
    terminal.show("down", {"stopped": True}, text="")
    return code


def wait(
    context: typer.Context,
    *,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait at most.")] = 60.0,
) -> int:
    """Wait until the network of this home serves.

    Example: `dgrid up & dgrid wait --timeout 30 && dgrid chat "Hello"`
    """
    from dgrid.processes.up import wait_ready

    terminal: Terminal = context.obj
    code = wait_ready(terminal.home, timeout_s=timeout)
    if terminal.json:
        _show_status(terminal)
    return code


def doctor(
    context: typer.Context,
    *,
    port_base: Annotated[
        int | None, typer.Option(metavar="PORT", help="The first gateway's port, as with `dgrid up`.")
    ] = None,
) -> int:
    """Check whether this machine has all that a network needs; what is missing is named with its remedy.

    Of a network that runs, or lies on a public chain, it also says whether endpoints agree and contracts are there.

    Example: `dgrid doctor`
    """
    from dgrid.cli.wallet_config import known_chain
    from dgrid.processes.doctor import diagnose

    terminal: Terminal = context.obj
    findings = diagnose(terminal.home, port_base=port_base, chain=known_chain(terminal.home))
    ok = all(finding.ok for finding in findings)
    width = max(len(finding.name) for finding in findings)
    lines = [
        f"{'ok     ' if finding.ok else 'MISSING'}  {finding.name:<{width}}  {finding.detail}"
        + ("" if finding.ok else f"\n{'':{width + 11}}{finding.remedy}")
        for finding in findings
    ]
    terminal.show("doctor", {"ok": ok, "findings": [asdict(finding) for finding in findings]}, text="\n".join(lines))
    return 0 if ok else 1


def status(context: typer.Context) -> None:
    """Show what runs: processes, addresses, URLs, the epoch.

    Example: `dgrid status --json`
    """
    _show_status(context.obj)


def _show_status(terminal: Terminal) -> None:
    from dgrid.processes.home import Home

    status = Home(terminal.home).status()
    for name in ("pid", "schema"):
        status.pop(name, None)
    status["epoch"] = _epoch_now(status["epoch"])
    terminal.show("status", status, text=_status_text(status))


def _epoch_now(epoch: dict[str, Any]) -> dict[str, int]:
    """The file is written when a role starts or dies; the epoch goes on."""
    from dgrid.core.epochs import EpochClock

    clock = EpochClock(epoch["genesis_s"], epoch["length_s"])
    number = clock.epoch_at(int(time.time() * 1000))
    return {"number": number, "closes_at_ms": clock.closes_at_ms(number)}


def _status_text(status: dict[str, Any]) -> str:
    closes_s = max(0, status["epoch"]["closes_at_ms"] - int(time.time() * 1000)) // 1000
    rows = [
        (one["name"], one["state"], one["pid"] or "-", short(one["address"] or "-"), one["url"])
        for one in status["processes"]
    ]
    head = [
        f"base URL     {status['gateway_url']}",
        f"API key      {status['api_key_file']}",
        f"status page  {status['status_url']}",
        f"chain        {status['chain_rpc']} (id {status['chain_id']})",
        f"epoch        {status['epoch']['number']}, closes in {closes_s} s",
    ]
    return "\n".join([*head, "", columns(("PROCESS", "STATE", "PID", "ADDRESS", "URL"), rows)])
