"""Commands about quality: proof, evaluators. Why nodes are believed is `dgrid nodes --why`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dgrid.cli.terminal import Terminal, columns, dgai, short

EVALUATOR_TITLES = ("EVALUATOR", "NAME", "STAKE", "TASKS", "BALANCE", "PAID", "MISSED", "COMMITTED", "OPENED", "STATE")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(proof)
    app.command()(evaluators)


def proof(
    context: typer.Context,
    receipt_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="A receipt's id; else the latest of this home's that was judged.")
    ] = None,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where to write it.")] = Path(
        "certificate.json"
    ),
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait until its round was judged.")] = 0.0,
) -> None:
    """Certify how a receipt was judged: certificate.json, which anyone can verify offline.

    It holds the receipt and its place in the anchored epoch, what drew it and whom, their signed reports, and the
    node's credibility under the quality root. A receipt that was not drawn has none (exit 5); one whose round is not
    judged yet will have one (exit 6). Asks the chain and any one archive; a gateway only which receipts are yours.

    Example: `dgrid proof --wait 120`

    Example: `dgrid proof 0x5c8f… -o certificate.json`
    """
    from dgrid.cli.certificates import findings_data, findings_text
    from dgrid.cli.judging import certificate
    from dgrid.cli.receipts import request_id_of, write_file
    from dgrid.cli.signers import key_names

    terminal: Terminal = context.obj
    wanted = None if receipt_id is None else request_id_of(receipt_id)
    made = certificate(terminal.home, request_id=wanted, wait_s=wait, note=terminal.note)
    write_file(output, made.encode())
    found = findings_data(made, key_names(terminal.home))
    text = f"{findings_text(found)}\nwrote {output}; check it with `dgrid verify {output}`"
    terminal.show("proof", {**found, "file": str(output)}, text=text)


def evaluators(context: typer.Context) -> None:
    """List the evaluators: stake, what they judged, pay, and the reports they promised and opened.

    BALANCE is what an evaluator's judgements were worth beyond a guess; it is paid for that. Read from the chain and
    any one archive.

    Example: `dgrid evaluators`
    """
    from dgrid.cli.judging import evaluators as found_evaluators

    terminal: Terminal = context.obj
    found = found_evaluators(terminal.home)
    text = columns(EVALUATOR_TITLES, map(_row, found)) if found else "no evaluators yet"
    terminal.show("evaluators", {"evaluators": found}, text=text)


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    rounds = [one[name] if one[name] is not None else "-" for name in ("committed_round", "opened_round")]
    balance = f"{one['balance'] / 1_000_000:+.3f}"
    money = dgai(int(one["stake_wei"])), one["tasks"], balance, dgai(int(one["paid_wei"]))
    return short(one["address"]), one["name"] or "-", *money, one["missed"], *rounds, one["state"]
