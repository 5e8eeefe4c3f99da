"""How far judging has come with one receipt, and who found what of the answer. Public; no word of content.

Shown as the finalized chain and any archive have it. It proves nothing: `dgrid proof` makes the certificate that does,
and asks no gateway for it.
"""

import asyncio
from collections import OrderedDict
from typing import Any

from dgrid.chain.view import Anchor, ChainView, Draw
from dgrid.core.errors import CheckFailed, NetworkUnreachable, RateLimited
from dgrid.core.identity import Address, to_hex
from dgrid.gateway.closing import Archives
from dgrid.gateway.court import Court
from dgrid.gateway.views import Sources, stored_receipt
from dgrid.poq.draw import committee, drawn_for
from dgrid.settlement.evidence import leaf_facts, open_reports
from dgrid.settlement.fates import Fate, fate_of
from dgrid.settlement.findings import finding
from dgrid.settlement.quality import drawn_epoch
from dgrid.settlement.rounds import draw_rules
from dgrid.store.ledger_reading import StoredReceipt
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import EvaluatorReports
from dgrid.wire.quality import LeafKey, Report, Reports

Json = dict[str, Any]
BLOBS_KEPT = 32  # reports of so many evaluators and rounds are not fetched again
WAITING_MAX = 16
FETCH_S = 5.0


class JudgingViews:
    """Answers what became of receipts."""

    def __init__(self, sources: Sources, archives: Archives) -> None:
        self._from, self._opened = sources, OpenedReports(sources.court, archives)

    async def judging(self, request_id: bytes) -> Json:
        """Anchor, draw, committee and findings of a receipt. Raises ReceiptNotFound, RateLimited."""
        stored = stored_receipt(self._from.reader, request_id)
        view, epoch = self._from.court.view, (Address(self._from.gateway), stored.epoch)
        anchor, draw = view.roots.get(epoch), view.draws.get(epoch)
        fate = Fate.NOT_ANCHORED if anchor is None else Fate.UNSEEDED
        shown: Json = {"judging": fate, "anchor": None if anchor is None else _anchor(anchor), "draw": None}
        if draw is None or stored.seal is None:
            return {**shown, "committee": [], "findings": []}
        return {**shown, **await self._drawn(stored, draw, view)}

    async def _drawn(self, stored: StoredReceipt, draw: Draw, view: ChainView) -> Json:
        key = LeafKey(self._from.gateway, stored.epoch, stored.lane, stored.sequence)
        document = self._document(stored)
        leaf, facts = leaf_facts(key, document), drawn_epoch(draw, {key: document})
        rules = draw_rules(view.parameters.at(draw.round))
        purposes = drawn_for(leaf, facts, rules=rules)
        panel = committee(leaf, facts, size=rules.committee_size) if any(purposes) else ()
        return {
            "judging": fate_of(purposes, judged_round=draw.round, view=view),
            "draw": {"round": draw.round, "seed": to_hex(draw.seed), "block": draw.block, **purposes._asdict()},
            "committee": [await self._member(Address(one.address), draw.round, key) for one in panel],
            "findings": list(self._findings(key)),
        }

    def _document(self, stored: StoredReceipt) -> ReceiptDocument:
        assert stored.seal is not None
        return ReceiptDocument.of(stored.record.sealed(stored.seal), domain=self._from.domain)

    async def _member(self, evaluator: Address, judged_round: int, key: LeafKey) -> Json:
        """One of those who were to judge; without a report, `absence` says why."""
        report, absence = await self._opened.report(judged_round, evaluator, key=key)
        return {"evaluator": to_hex(evaluator), "absence": absence, **finding(report)}

    def _findings(self, key: LeafKey) -> list[Json]:
        """What the leaf did to its node's credibility, in the rounds that are still remembered."""
        return [
            {
                "round": judged_round,
                "cause": one.cause,
                "task": one.task or "all",
                "score_bps": one.score_bps,
                "weight_micros": one.weight_micros,
            }
            for judged_round, changes in sorted(self._from.credibility.changes.items())
            for one in changes
            if one.key == key
        ]


class OpenedReports:
    """What evaluators opened, from any archive: one blob at a time, so that a crowd of askers costs no more."""

    def __init__(self, court: Court, archives: Archives, *, fetch_s: float = FETCH_S) -> None:
        self._court, self._archives, self._fetch_s = court, archives, fetch_s
        self._kept: OrderedDict[tuple[bytes, EvaluatorReports], dict[LeafKey, Report]] = OrderedDict()
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def report(self, judged_round: int, evaluator: Address, *, key: LeafKey) -> tuple[Report | None, str]:
        """An evaluator's report on a leaf, or why there is none. Raises RateLimited."""
        opening = self._court.view.openings.get((judged_round, evaluator))
        if opening is None:
            return None, "opened no reports so far"
        said = EvaluatorReports(evaluator, judged_round, opening.reports_root)
        try:
            reports = await self._reports(opening.blob_id, said)
        except (NetworkUnreachable, TimeoutError):
            return None, "no archive answers with its reports now"
        except CheckFailed:
            return None, "no archive holds what it opened, or that counts for nothing"
        found = reports.get(key)
        return found, "" if found is not None else "reported on others: it had its full number of duties"

    async def _reports(self, blob_id: bytes, said: EvaluatorReports) -> dict[LeafKey, Report]:
        """Raises NetworkUnreachable, TimeoutError, CheckFailed, RateLimited."""
        if (kept := self._kept.get((blob_id, said))) is not None:
            return kept
        if self._waiting >= WAITING_MAX:
            raise RateLimited("many ask for reports at this moment", retry_after_ms=1000)
        self._waiting += 1
        try:
            async with self._turn:
                kept = self._kept.get((blob_id, said))  # who was before may have fetched it
                return kept if kept is not None else await self._fetched(blob_id, said)
        finally:
            self._waiting -= 1

    async def _fetched(self, blob_id: bytes, said: EvaluatorReports) -> dict[LeafKey, Report]:
        async with asyncio.timeout(self._fetch_s):
            blob = await self._archives.fetch(blob_id)
        opened: Reports = await asyncio.to_thread(open_reports, blob, self._court.domain, said=said)
        found = self._kept[blob_id, said] = {one.key: one for one in opened.reports}
        while len(self._kept) > BLOBS_KEPT:
            self._kept.popitem(last=False)
        return found


def _anchor(anchor: Anchor) -> Json:
    """Where the root of the receipt's epoch stands on the chain."""
    return {
        "digest": to_hex(anchor.digest),
        "records_root": to_hex(anchor.root.records_root),
        "transaction": to_hex(anchor.transaction),
        "block": anchor.block,
        "anchored_at_ms": anchor.timestamp_ms,
    }
