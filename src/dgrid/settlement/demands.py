"""Answers demands: who holds an epoch's blob shows the record that somebody asked for on chain, and earns the deposit.

Archives, settlers and watchers all do, each with what it can fetch. One answer is enough; the contract pays the first.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from dgrid.chain.contracts import Contracts, Reverted
from dgrid.chain.demands import Demand, DemandState
from dgrid.chain.sender import Sender, TransactionRefused
from dgrid.chain.view import Anchor, ChainView
from dgrid.core.errors import DGridError
from dgrid.core.identity import to_hex
from dgrid.core.places import Place
from dgrid.settlement.proofs import lane_proof, leaf_arguments, seal_arguments
from dgrid.settlement.records import EpochRecords, open_records
from dgrid.settlement.splits import is_whole
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

AGAIN_MS = 3_000
ANSWERS_AT_ONCE = 16

Fetch = Callable[[bytes], Awaitable[bytes | None]]


def record_arguments(records: EpochRecords, place: Place, *, domain: Domain) -> tuple[Any, ...] | None:
    """The Solidity struct Record of a place; None where what stands there is none. Raises ValueError, CheckFailed."""
    document = ReceiptDocument.of(records.blob.record_at(place.lane, place.sequence), domain=domain)
    if document.receipt.place.position != place or not is_whole(document):
        return None
    proof = records.proof(document.receipt)
    root, _ = proof.opened()
    inclusion = proof.count, proof.record_path, proof.lane_path
    own = document.receipt.usage, document.receipt.hashes, document.node_receipt, document.dispatch
    return (root, leaf_arguments(document.receipt), inclusion), *own, seal_arguments(document.node_seal)


@dataclass
class Answerer:
    """One party's answers."""

    fetch: Fetch
    sender: Sender
    contracts: Contracts
    domain: Domain
    now_ms: Callable[[], int]
    wait_ms: int = 0  # after a demand, so that those who are nearer come first
    _not_before_ms: dict[bytes, int] = field(default_factory=dict)

    async def step(self, view: ChainView) -> int:
        """Answers what it can; how many. Raises ChainUnavailable."""
        open_ones = [one for one in view.demands.values() if one.state is DemandState.OPEN]
        self._not_before_ms = {one.id: self._not_before_ms.get(one.id, self._first_ms()) for one in open_ones}
        due = [one for one in open_ones if self.now_ms() >= self._not_before_ms[one.id]]
        answered = 0
        for demand in due[:ANSWERS_AT_ONCE]:
            self._not_before_ms[demand.id] = self.now_ms() + AGAIN_MS
            anchor = view.roots.get((demand.gateway, demand.place.epoch))
            if anchor is not None and not view.is_void(demand.gateway, demand.place.epoch):
                answered += await self._answer(demand, anchor)
        return answered

    def _first_ms(self) -> int:
        return self.now_ms() + self.wait_ms

    async def _answer(self, demand: Demand, anchor: Anchor) -> bool:
        try:
            call = await self._call(demand.place, anchor)
        except (DGridError, ValueError) as error:
            logger.info("no answer to a demand for %s: %s", demand.place, error)
            return False
        if call is None:
            logger.info("no answer to a demand for %s: what stands there is no whole record", demand.place)
            return False
        function, arguments = call
        try:
            label = f"answer:{to_hex(demand.id)}"
            await self.sender.send(self.contracts.demands, function, arguments, label=label)
        except (Reverted, TransactionRefused) as error:
            logger.info("somebody else answered for %s: %s", demand.place, error.message)
            return False
        logger.info("answered a demand for %s of %s", demand.place, to_hex(demand.gateway))
        return True

    async def _call(self, place: Place, anchor: Anchor) -> tuple[str, list[Any]] | None:
        """The function that answers, and its arguments. Raises DGridError, ValueError."""
        blob = await self.fetch(anchor.root.blob_id)
        if blob is None:
            return None
        records = await asyncio.to_thread(open_records, anchor, blob)
        if place.sequence >= len(records.blob.receipts.get(place.lane, ())):
            return "answerAbsent", [lane_proof(anchor.root, records.tree, lane=place.lane), place.sequence]
        record = record_arguments(records, place, domain=self.domain)
        return None if record is None else ("answer", [record])
