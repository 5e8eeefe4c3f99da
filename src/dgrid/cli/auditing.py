"""Behind `dgrid audit`: waits for the root, audits, and lays the reports out. Asks gateways nothing it relies on."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from dgrid.cli.later import Note, awaited, sooner_or_later
from dgrid.cli.rounds import audited_quality
from dgrid.cli.terminal import dgai, many
from dgrid.cli.wallet_config import chain_config
from dgrid.config import ChainConfig
from dgrid.core.errors import DGridError, NotYet
from dgrid.core.identity import to_hex
from dgrid.settlement.audit import AuditReport, Sums
from dgrid.settlement.proofs import LeafProof
from dgrid.settlement.reading import NetworkReader, reading

EMPTY_AFTER_MS = 60_000  # a root comes within this time of its epoch's end, or never


class NoRoot(DGridError):
    """Nobody anchored this epoch in time: no receipt was signed in it."""

    code = "no_root"
    exit_code = 5


@dataclass(frozen=True, slots=True)
class Audited:
    """What was found of an epoch's records, and of what judging made of them."""

    reports: list[AuditReport]
    quality: list[dict[str, Any]]

    @property
    def ok(self) -> bool:
        """A round that is still being judged fails nothing; one that does not recompute does."""
        return all(report.ok for report in self.reports) and not any(one["differences"] for one in self.quality)


def audited(
    home: Path, *, request_id: bytes | None = None, epoch: int | None = None, wait_s: float, note: Note
) -> Audited:
    """A receipt's epoch or all roots of an epoch, with their rounds. Raises NotYet, ReceiptNotFound, CheckFailed."""
    chain, explain = chain_config(home), partial(sooner_or_later, home, request_id=request_id)

    def look() -> Audited:
        return asyncio.run(_audit(chain, request_id=request_id, epoch=epoch))

    return awaited(look, wait_s=wait_s, note=note, explain=explain)


async def _audit(chain: ChainConfig, *, request_id: bytes | None, epoch: int | None) -> Audited:
    async with reading(chain) as network:
        reports = await _reports(network, request_id=request_id, epoch=epoch)
        return Audited(reports, await audited_quality(network, reports))


async def _reports(network: NetworkReader, *, request_id: bytes | None, epoch: int | None) -> list[AuditReport]:
    if request_id is not None:
        return [await network.auditor.receipt(request_id)]
    assert epoch is not None
    closes_ms = network.view.clock.closes_at_ms(epoch)
    if closes_ms > time.time() * 1000:
        raise _still_open(epoch, network.view.clock.epoch_at(int(time.time() * 1000)))
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


def report_data(found: Audited) -> dict[str, Any]:
    """All reports as one: the first's roots, everybody's counts, sums and failures; each by itself in `roots`."""
    reports, first = found.reports, found.reports[0]
    failures = [f"gateway {to_hex(report.gateway)}: {failure}" for report in reports for failure in report.failures]
    failures += [f"round {one['round']}: {difference}" for one in found.quality for difference in one["differences"]]
    return {
        "ok": found.ok,
        "epoch": first.epoch,
        "records_root": to_hex(first.records_root),
        "onchain_root": to_hex(first.onchain_root),
        "count": sum(report.count for report in reports),
        "proof": None if first.proof is None else proof_data(first.proof),
        "sums": _sums_data([report.sums for report in reports]),
        "pot_wei": str(sum(report.pot_wei for report in reports)),
        "failures": failures,
        "roots": [_root_data(report) for report in reports],
        "quality": found.quality,
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


def report_text(found: Audited) -> str:
    """The reports for people."""
    lines = [line for report in found.reports for line in _lines(report)]
    return "\n".join([*lines, *(line for one in found.quality for line in _quality_lines(one))])


def _quality_lines(one: dict[str, Any]) -> list[str]:
    if one["state"] != "posted":
        return [f"judging  {one['state']}"]
    reports = f"{one['reported']} opened, {len(one['missed'])} missed, {len(one['unbidden'])} unbidden"
    lines = [
        f"judging  round {one['round']}",
        f"  draw           {many(one['drawn'], 'receipt')}, {many(one['duties'], 'report')} due",
        f"  reports        {reports}; {one['undisclosed']} say that nothing was disclosed",
        f"  credibility    {one['credibility_root']}",
        f"  pay-outs       {dgai(int(one['payouts_wei']))} so far, root {one['payouts_root']}",
    ]
    lines += _scores_lines(one)
    lines += [f"  not counted    {why}" for why in one["refused"]]
    lines += [f"  FAILED         {difference}" for difference in one["differences"]]
    return [*lines, "  recomputes" if one["recomputes"] else "  DOES NOT RECOMPUTE"]


def _scores_lines(one: dict[str, Any]) -> list[str]:
    """What became of the scores that anybody can compute again; silent where no request was public."""
    left = f"; {one['not_rescored']} cannot be" if one["not_rescored"] else ""
    lines = [f"  public scores  {one['rescored']} reports scored again{left}"] if one["rescored"] or left else []
    for lie in one["unfounded"]:
        leaf = f"{lie['epoch']}/{lie['lane']}/{lie['sequence']} of {lie['gateway']}"
        lines.append(f"  NOT FOUNDED    {lie['evaluator']} on {leaf}: {lie['reason']}")
    return lines


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
