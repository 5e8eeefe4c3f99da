"""Commands about what was signed: receipts, verify, audit."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from dgrid.cli.terminal import Terminal, columns, dgai, short
from dgrid.core.errors import CheckFailed, ReceiptNotFound

COLUMNS = ("id", "model", "node", "tokens_in", "tokens_out", "fee_wei", "epoch", "state")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(rich_markup_mode="markdown")
    group.callback(invoke_without_command=True)(receipts)
    group.command("get")(get)
    app.add_typer(group, name="receipts")
    app.command()(verify)
    app.command()(audit)


def receipts(
    context: typer.Context, *, limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=1000)] = 20
) -> None:
    """Receipts, the signed record of each answer: list those of this home's API key, newest first.

    All gateways that answer are asked. `dgrid receipts get` fetches one.

    Example: `dgrid receipts --limit 5`
    """
    from dgrid.cli.wallet_config import open_client

    if context.invoked_subcommand is not None:
        return
    terminal: Terminal = context.obj
    found = open_client(terminal.home).receipts(limit=limit)
    rows = [_row(one) for one in found]
    titles = ("RECEIPT", "MODEL", "NODE", "IN", "OUT", "FEE", "EPOCH", "STATE")
    terminal.show("receipts", {"receipts": found}, text=columns(titles, rows) if rows else "no receipts yet")


def _row(receipt: dict[str, Any]) -> list[object]:
    cells = {**receipt, "node": short(receipt["node"]), "fee_wei": dgai(int(receipt["fee_wei"]))}
    return [cells.get(name, "-") for name in COLUMNS]


def get(
    context: typer.Context,
    receipt_id: Annotated[str, typer.Argument(metavar="ID", help="As `dgrid chat` and `dgrid receipts` show it.")],
    *,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file; else standard output.")] = None,
) -> None:
    """Fetch one receipt with all signatures: receipt.json, which anyone can verify without us.

    Your own copy also holds the salt that ties the receipt to what was said; keep it as private as the talk itself.

    Example: `dgrid receipts get 0x5c8f… -o receipt.json`
    """
    terminal: Terminal = context.obj
    document = _fetch(terminal, receipt_id)
    if output is None:
        sys.stdout.buffer.write(document + b"\n")
        sys.stdout.buffer.flush()
        return
    _write(output, document)
    shown = {"id": receipt_id, "file": str(output)}
    terminal.show("receipts.get", shown, text=f"wrote {output}; check it with `dgrid verify {output}`")


def _fetch(terminal: Terminal, receipt_id: str) -> bytes:
    """The copy that `dgrid connect` kept, or the gateways'."""
    from dgrid.cli.wallet_config import open_client
    from dgrid.client.kept import kept_receipt

    _request_id(receipt_id)
    kept = kept_receipt(terminal.home / "roles" / "user", receipt_id)
    return kept if kept is not None else open_client(terminal.home).receipt(receipt_id)


def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A receipt.json.")],
    *,
    answer: Annotated[Path | None, typer.Option(help="A file with the answer's text, to check it too.")] = None,
) -> int:
    """Check a receipt offline: signatures, hashes, sums. Asks nobody.

    Example: `dgrid verify receipt.json --answer answer.txt`
    """
    from dgrid.wire.documents import ReceiptDocument
    from dgrid.wire.verification import Check, verify_receipt

    terminal: Terminal = context.obj
    data, text = _read(file), None if answer is None else _read(answer)
    try:
        document = ReceiptDocument.decode(data)
    except CheckFailed as error:
        checks = [Check("document", ok=False, reason=error.message)]
    else:
        checks = verify_receipt(document, answer=_answer_text(document, text))
    valid = all(check.ok for check in checks)
    lines = [f"{'ok     ' if check.ok else 'FAILED '} {check.name:<18} {check.reason}" for check in checks]
    shown = {"valid": valid, "checks": [asdict(check) for check in checks]}
    terminal.show("verify", shown, text="\n".join([*lines, "valid" if valid else "NOT VALID"]))
    return 0 if valid else 1


def _write(file: Path, document: bytes) -> None:
    try:
        file.write_bytes(document)
    except OSError as error:
        raise typer.BadParameter(f"cannot write {file}: {error.strerror}") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ReceiptNotFound(f"cannot read {file}: {error.strerror}") from None


def _answer_text(document: Any, data: bytes | None) -> str | None:
    """The text to check: as it is, or without the line break that a terminal put at its end."""
    from dgrid.core.keccak import salted_hash

    if data is None:
        return None
    trimmed = data.removesuffix(b"\n")
    fits = document.salt is not None and salted_hash(document.salt, trimmed) == document.node_receipt.output_hash
    return (trimmed if fits else data).decode("utf-8", "replace")


def audit(
    context: typer.Context,
    receipt_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="A receipt's id.")] = None,
    *,
    epoch: Annotated[int | None, typer.Option(help="A whole epoch, of all gateways.", min=0)] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait until the epoch is anchored.")] = 0.0,
) -> int:
    """Rebuild an epoch from its blob and compare it with the chain. Asks the chain and any one archive, no gateway.

    With an ID it audits the epoch that holds the receipt and proves that the receipt is in it.

    Example: `dgrid audit 0x5c8f… --wait 60`

    Example: `dgrid audit --epoch 17`
    """
    from dgrid.cli.auditing import audited, report_data, report_text

    if (receipt_id is None) == (epoch is None):
        raise typer.BadParameter("give a receipt's ID or --epoch N")
    terminal: Terminal = context.obj
    request_id = None if receipt_id is None else _request_id(receipt_id)
    reports = audited(terminal.home, request_id=request_id, epoch=epoch, wait_s=wait)
    terminal.show("audit", report_data(reports), text=report_text(reports))
    return 0 if all(report.ok for report in reports) else 1


def _request_id(receipt_id: str) -> bytes:
    from dgrid.core.identity import from_hex

    try:
        return from_hex(receipt_id, size=32)
    except ValueError:
        raise typer.BadParameter("a receipt's id is 0x and 64 hex digits") from None
