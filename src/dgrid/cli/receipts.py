"""Commands about what was signed: receipts, verify, audit."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from dgrid.cli.terminal import Terminal, columns, dgai, short
from dgrid.core.errors import ReceiptNotFound
from dgrid.core.identity import to_hex

COLUMNS = ("id", "model", "node", "tokens_in", "tokens_out", "fee_wei", "epoch", "state")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(rich_markup_mode="markdown")
    group.callback(invoke_without_command=True)(receipts)
    group.command("get")(get)
    group.command("complain")(complain)
    app.add_typer(group, name="receipts")
    app.command()(verify)
    app.command()(audit)


def receipts(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option(metavar="COUNT", help="How many, newest first.", min=1, max=1000)] = 20,
    judged: Annotated[bool, typer.Option("--judged", help="Also how far judging has come with each.")] = False,
) -> None:
    """Receipts, the signed record of each answer: list those of this home's API key, newest first.

    All gateways that answer are asked. `dgrid receipts get` fetches one, `dgrid proof` certifies a judged one.

    Example: `dgrid receipts --limit 5 --judged`
    """
    from dgrid.cli.wallet_config import open_client

    if context.invoked_subcommand is not None:
        return
    terminal: Terminal = context.obj
    found = open_client(terminal.home).receipts(limit=limit)
    if judged and found:
        from dgrid.cli.judging import with_fates

        found = with_fates(terminal.home, found)
    names = (*COLUMNS, "judging") if judged else COLUMNS
    titles = ("RECEIPT", "MODEL", "NODE", "IN", "OUT", "FEE", "EPOCH", "STATE", "JUDGING")[: len(names)]
    rows = [_row(one, names) for one in found]
    terminal.show("receipts", {"receipts": found}, text=columns(titles, rows) if rows else "no receipts yet")


def _row(receipt: dict[str, Any], names: Sequence[str]) -> list[object]:
    cells = {**receipt, "node": short(receipt["node"]), "fee_wei": dgai(int(receipt["fee_wei"]))}
    return [cells.get(name, "-") for name in names]


def get(
    context: typer.Context,
    receipt_id: Annotated[
        str, typer.Argument(metavar="ID", help="A receipt's id, as `dgrid chat` and `dgrid receipts` show it.")
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it; else standard output.")
    ] = None,
) -> None:
    """Fetch one receipt with all signatures: receipt.json, which anyone can verify offline.

    Your own copy also holds the salt that ties the receipt to what was said; keep it as private as the talk itself.

    Example: `dgrid receipts get 0x5c8f… -o receipt.json`
    """
    terminal: Terminal = context.obj
    document = _fetch(terminal, receipt_id)
    if output is None:
        sys.stdout.buffer.write(document + b"\n")
        sys.stdout.buffer.flush()
        return
    write_file(output, document)
    shown = {"id": receipt_id, "file": str(output)}
    terminal.show("receipts.get", shown, text=f"wrote {output}; check it with `dgrid verify {output}`")


def _fetch(terminal: Terminal, receipt_id: str) -> bytes:
    """The copy that `dgrid connect` kept, or the gateways'."""
    from dgrid.cli.wallet_config import open_client
    from dgrid.client.kept import kept_receipt

    request_id_of(receipt_id)
    kept = kept_receipt(terminal.home / "roles" / "user", receipt_id)
    return kept if kept is not None else open_client(terminal.home).receipt(receipt_id)


def complain(
    context: typer.Context,
    receipt_id: Annotated[str, typer.Argument(metavar="ID", help="As `dgrid connect` names it.")],
    *,
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="More receipts of the request.")] = None,
    watcher: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A watcher to tell, or several; else this home's.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it instead of sending it.")
    ] = None,
) -> None:
    """Complain that a gateway charged more for a request than you allowed: a watcher proves it on chain.

    It takes the request as your key signed it, with its maximum, and the receipts that the gateway signed, all of which
    `dgrid connect` keeps. What would not convict is not sent. A conviction costs the gateway half of its bond.

    Example: `dgrid receipts complain 0x5c8f… --watcher http://127.0.0.1:7427`
    """
    from dgrid.cli.complaining import hand_over, overcharge_of, watchers_of

    terminal: Terminal = context.obj
    request_id_of(receipt_id)
    found = overcharge_of(terminal.home, receipt_id, files=[_read(file) for file in files or ()])
    amounts = {"charged_wei": str(found.charged_wei), "allowed_wei": str(found.request.max_fee)}
    shown = {"id": receipt_id, "gateway": to_hex(found.gateway), "epoch": found.epoch, **amounts}
    told = f"{dgai(found.charged_wei)} were charged, {dgai(found.request.max_fee)} allowed"
    if output is not None:
        write_file(output, found.to_json())
        terminal.show("receipts.complain", {**shown, "file": str(output)}, text=f"{told}: wrote {output}")
        return
    taken = hand_over(found, urls=watcher or watchers_of(terminal.home))
    then = f"{', '.join(taken)} proves it when epoch {found.epoch} is anchored"
    terminal.show("receipts.complain", {**shown, "watchers": taken}, text=f"{told}: {then}")


def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A receipt.json or a certificate.json.")],
    *,
    answer: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The answer's text, to check that it is what the receipt's node signed."),
    ] = None,
    rpc: Annotated[
        str, typer.Option(metavar="URL", help="An endpoint of the home's chain, to compare a certificate with.")
    ] = "",
) -> int:
    """Check a receipt or a certificate offline: signatures, hashes, sums, the draw. Asks nobody.

    A certificate also says things of a chain that no file can prove; they are listed, and compared with --rpc.

    Example: `dgrid verify receipt.json --answer answer.txt`

    Example: `dgrid verify certificate.json --rpc http://127.0.0.1:7421`
    """
    from dgrid.cli.verifying import checked_certificate, checked_receipt
    from dgrid.settlement.certificate import is_certificate

    terminal: Terminal = context.obj
    data = _read(file)
    if is_certificate(data):
        found = checked_certificate(data, home=terminal.home, rpc=rpc)
    else:
        found = checked_receipt(data, None if answer is None else _read(answer))
    terminal.show("verify", found.data, text=found.text)
    return 0 if found.is_valid else 1


def write_file(file: Path, document: bytes) -> None:
    """Raises typer.BadParameter."""
    try:
        file.write_bytes(document)
    except OSError as error:
        raise typer.BadParameter(f"cannot write {file}: {error.strerror}") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        hint = "`dgrid receipts get ID -o FILE` writes a receipt to a file, `dgrid proof ID` a certificate"
        raise ReceiptNotFound(f"cannot read {file}: {error.strerror}", hint=hint) from None


def audit(
    context: typer.Context,
    receipt_id: Annotated[str | None, typer.Argument(metavar="ID", help="A receipt's id.")] = None,
    *,
    epoch: Annotated[int | None, typer.Option(metavar="NUMBER", help="A whole epoch, of all gateways.", min=0)] = None,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="How long to wait until the epoch is anchored.")] = 0.0,
) -> int:
    """Rebuild an epoch from its records and compare it with the chain. Asks the chain and any one archive, no gateway.

    With an ID it audits the epoch that holds the receipt and proves that the receipt is in it. Where the epoch was
    judged, it says whether the draw was obeyed, computes the posted quality table again, and scores public answers
    again: an evaluator whose score does not follow from what it shows is named, and fails nothing else.

    Example: `dgrid audit 0x5c8f… --wait 60`

    Example: `dgrid audit --epoch 17`
    """
    from dgrid.cli.auditing import audited, report_data, report_text

    if (receipt_id is None) == (epoch is None):
        raise typer.BadParameter("give a receipt's ID or --epoch N")
    terminal: Terminal = context.obj
    request_id = None if receipt_id is None else request_id_of(receipt_id)
    found = audited(terminal.home, request_id=request_id, epoch=epoch, wait_s=wait, note=terminal.note)
    terminal.show("audit", report_data(found), text=report_text(found))
    return 0 if found.ok else 1


def request_id_of(receipt_id: str) -> bytes:
    """A receipt's id as it was typed. Raises typer.BadParameter."""
    from dgrid.core.identity import from_hex

    try:
        return from_hex(receipt_id, size=32)
    except ValueError:
        raise typer.BadParameter("a receipt's id is 0x and 64 hex digits") from None
