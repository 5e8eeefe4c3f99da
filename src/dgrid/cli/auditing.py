"""Behind `dgrid audit`: waits for the root, audits, and lays the reports out. Asks gateways nothing it relies on."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from dgrid.cli.terminal import dgai
from dgrid.cli.wallet_config import chain_config, open_client
from dgrid.config import ChainConfig
from dgrid.core.errors import DGridError, NotYet, ReceiptNotFound
from dgrid.core.identity import to_hex
from dgrid.settlement.audit import AuditReport, Sums
from dgrid.settlement.proofs import LeafProof
from dgrid.settlement.reading import reading
from dgrid.wire.documents import ReceiptDocument

ROUND_S = 1.0
EMPTY_AFTER_MS = 60_000  # a root comes within this time of its epoch's end, or never


class NoRoot(DGridError):
    """Nobody anchored this epoch in time: no receipt was signed in it."""

    code = "no_root"
    exit_code = 5


def audited(
    home: Path, *, request_id: bytes | None = None, epoch: int | None = None, wait_s: float = 0.0
) -> list[AuditReport]:
    """The reports of a receipt's epoch or of all roots of an epoch. Raises NotYet, ReceiptNotFound, CheckFailed."""
    chain, ends_s = chain_config(home), time.monotonic() + wait_s
    while True:
        try:
            return asyncio.run(_audit(chain, request_id=request_id, epoch=epoch))
        except (NotYet, ReceiptNotFound) as error:
            if time.monotonic() + ROUND_S > ends_s:
                raise _not_yet(home, request_id, error) from None
        time.sleep(ROUND_S)


async def _audit(chain: ChainConfig, *, request_id: bytes | None, epoch: int | None) -> list[AuditReport]:
    async with reading(chain) as network:
        if request_id is not None:
            return [await network.auditor.receipt(request_id)]
        assert epoch is not None
        closes_ms = network.parameters.clock.closes_at_ms(epoch)
        if closes_ms > time.time() * 1000:
            raise _still_open(epoch, network.parameters.clock.epoch_at(int(time.time() * 1000)))
        try:
            return await network.auditor.epoch(epoch)
        except NotYet:
            if closes_ms + EMPTY_AFTER_MS > time.time() * 1000:
                raise
            raise NoRoot(f"epoch {epoch} has no root", hint="an epoch in which nothing was served needs none") from None


def _still_open(epoch: int, now: int) -> NotYet:
    if epoch > now:
        return NotYet(f"epoch {epoch} has not begun", hint=f"epoch {now} is open now")
    return NotYet(f"epoch {epoch} is still open", hint="`--wait 60` waits until it is anchored")


def _not_yet(home: Path, request_id: bytes | None, error: DGridError) -> DGridError:
    """A receipt that a gateway knows and the chain does not is not missing: its epoch is not anchored yet."""
    if request_id is None or not isinstance(error, ReceiptNotFound):
        return error
    try:
        document = ReceiptDocument.decode(open_client(home).receipt(to_hex(request_id)))
    except DGridError:
        return error
    epoch = document.receipt.place.epoch
    return NotYet(f"the receipt's epoch {epoch} is not anchored yet", hint="`--wait 60` waits for it")


def report_data(reports: Sequence[AuditReport]) -> dict[str, Any]:
    """All reports as one: the first's roots, everybody's counts, sums and failures; each by itself in `roots`."""
    first = reports[0]
    failures = [f"gateway {to_hex(report.gateway)}: {failure}" for report in reports for failure in report.failures]
    return {
        "ok": all(report.ok for report in reports),
        "epoch": first.epoch,
        "records_root": to_hex(first.records_root),
        "onchain_root": to_hex(first.onchain_root),
        "count": sum(report.count for report in reports),
        "proof": None if first.proof is None else proof_data(first.proof),
        "sums": _sums_data([report.sums for report in reports]),
        "pot_wei": str(sum(report.pot_wei for report in reports)),
        "failures": failures,
        "roots": [_root_data(report) for report in reports],
    }


def _root_data(report: AuditReport) -> dict[str, Any]:
    return {
        "gateway": to_hex(report.gateway),
        "ok": report.ok,
        "records_root": to_hex(report.records_root),
        "onchain_root": to_hex(report.onchain_root),
        "count": report.count,
        "pot_wei": str(report.pot_wei),
    }


def _sums_data(sums: Sequence[Sums]) -> dict[str, str]:
    return {item.name: str(sum(getattr(one, item.name) for one in sums)) for item in fields(Sums)}


def proof_data(proof: LeafProof) -> dict[str, Any]:
    """A receipt's way to its epoch's root, as GET /v1/receipts/{id}/proof shows it."""
    root, receipt = proof.opened()
    lane = proof.lane_root()
    return {
        "epochRoot": root.to_json(),
        "lane": {
            "lane": receipt.place.lane,
            "count": proof.count,
            "root": to_hex(lane.hash),
            "fees": str(lane.total),
            "index": receipt.place.lane,
        },
        "sequence": receipt.place.sequence,
        "leaf": to_hex(receipt.struct_hash()),
        "leafPath": [[to_hex(name), str(total)] for name, total in proof.record_path],
        "lanePath": [[to_hex(name), str(total)] for name, total in proof.lane_path],
    }


def report_text(reports: Sequence[AuditReport]) -> str:
    """The reports for people."""
    return "\n".join(line for report in reports for line in _lines(report))


def _lines(report: AuditReport) -> list[str]:
    sums = asdict(report.sums)
    parts = "  ".join(f"{name.removesuffix('_wei')} {dgai(amount)}" for name, amount in sums.items())
    lines = [
        f"epoch {report.epoch} of gateway {to_hex(report.gateway)}",
        f"  rebuilt root   {to_hex(report.records_root)}",
        f"  root on chain  {to_hex(report.onchain_root)}",
        f"  receipts       {report.count}",
        f"  sums           {parts}",
    ]
    if report.proof is not None:
        place = report.proof.opened()[1].place
        count = report.proof.count
        leaves = "1 leaf" if count == 1 else f"{count:,} leaves"
        lines.append(f"  the receipt    is leaf {place.sequence} of lane {place.lane}, {leaves}")
    lines += [f"  FAILED         {failure}" for failure in report.failures]
    return [*lines, "  ok" if report.ok else "  NOT OK"]
