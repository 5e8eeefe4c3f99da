"""Answers demands: who holds an epoch's blob shows the record that somebody asked for on chain, and earns the deposit.

Archives, settlers and watchers all do, each with what it can fetch. One answer is enough; the contract pays the first.
Whoever demands a thousand records at once must not outrun them: a blob is fetched and opened once for all that is asked
of it, many answers are on their way together, and those whose time ends first go first.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dgrid.chain.contracts import Contracts
from dgrid.chain.demands import Demand, DemandState
from dgrid.chain.sender import Sender
from dgrid.chain.view import Anchor, ChainView
from dgrid.core.errors import DGridError
from dgrid.core.identity import to_hex
from dgrid.core.keccak import keccak
from dgrid.core.places import Place
from dgrid.settlement.proofs import lane_proof, leaf_arguments, seal_arguments
from dgrid.settlement.records import EpochRecords, open_records
from dgrid.settlement.splits import is_whole
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

AGAIN_MS = 3_000
ANSWERS_AT_ONCE = 32  # on their way to the chain
BLOBS_AT_ONCE = 4  # fetched or opened together: one that nobody gives does not keep the others waiting
DUE_MAX = 512  # answered in one step
SPREAD_MS = 2_000

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
    spread_ms: int = 0  # within which each party's turn falls elsewhere, so that two seldom pay for one answer
    _not_before_ms: dict[bytes, int] = field(default_factory=dict)

    async def step(self, view: ChainView) -> int:
        """Answers what it can; how many. What the chain did not take is tried again."""
        open_ones = [one for one in view.demands.values() if one.state is DemandState.OPEN]
        self._not_before_ms = {one.id: self._not_before_ms.get(one.id) or self._first_ms(one) for one in open_ones}
        blobs, sends = asyncio.Semaphore(BLOBS_AT_ONCE), asyncio.Semaphore(ANSWERS_AT_ONCE)
        answered = await asyncio.gather(
            *(self._answer_all(anchor, asked, blobs, sends) for anchor, asked in self._due(open_ones, view))
        )
        return sum(answered)

    def _due(self, open_ones: Iterable[Demand], view: ChainView) -> list[tuple[Anchor, list[Demand]]]:
        """What to answer now, by root; what ends first comes first, and among equals each party has its own order."""
        due = [one for one in open_ones if self.now_ms() >= self._not_before_ms[one.id]]
        due = [one for one in due if not view.is_void(one.gateway, one.place.epoch)]
        due.sort(key=lambda one: (one.until_ms, self._turn(one)))
        found: dict[bytes, tuple[Anchor, list[Demand]]] = {}
        for one in due[:DUE_MAX]:
            self._not_before_ms[one.id] = self.now_ms() + AGAIN_MS
            if (anchor := view.roots.get((one.gateway, one.place.epoch))) is not None:
                found.setdefault(anchor.digest, (anchor, []))[1].append(one)
        return list(found.values())

    def _first_ms(self, demand: Demand) -> int:
        return self.now_ms() + self.wait_ms + self._turn(demand) % (self.spread_ms + 1)

    def _turn(self, demand: Demand) -> int:
        return int.from_bytes(keccak(self.sender.address + demand.id)[:8], "big")

    async def _answer_all(
        self, anchor: Anchor, asked: list[Demand], blobs: asyncio.Semaphore, sends: asyncio.Semaphore
    ) -> int:
        """All that is asked of one blob, fetched and opened once; how many were answered."""
        async with blobs:
            try:
                blob = await self.fetch(anchor.root.blob_id)
                records = None if blob is None else await asyncio.to_thread(open_records, anchor, blob)
            except (DGridError, ValueError) as error:
                logger.info("no answer to %d demands for epoch %d: %s", len(asked), anchor.root.epoch, error)
                return 0
            if records is None:
                return 0
            return sum(await asyncio.gather(*(self._answer(one, records, sends) for one in asked)))

    async def _answer(self, demand: Demand, records: EpochRecords, sends: asyncio.Semaphore) -> bool:
        async with sends:
            try:
                call = await asyncio.to_thread(self._call, demand.place, records)
            except (DGridError, ValueError) as error:
                logger.info("no answer to a demand for %s: %s", demand.place, error)
                return False
            if call is None:
                logger.info("no answer to a demand for %s: what stands there is no whole record", demand.place)
                return False
            label = f"answer:{to_hex(demand.id)}"
            try:
                await self.sender.send(self.contracts.demands, *call, label=label)
            except DGridError as error:  # somebody was faster, or the chain is away
                logger.info("the answer for %s is not taken: %s", demand.place, error.message)
                return False
        logger.info("answered a demand for %s of %s", demand.place, to_hex(demand.gateway))
        return True

    def _call(self, place: Place, records: EpochRecords) -> tuple[str, list[Any]] | None:
        """The function that answers, and its arguments. Raises CheckFailed, ValueError."""
        if place.sequence >= len(records.blob.receipts.get(place.lane, ())):
            lane = lane_proof(records.anchor.root, records.tree, lane=place.lane)
            return "answerAbsent", [lane, place.sequence]
        record = record_arguments(records, place, domain=self.domain)
        return None if record is None else ("answer", [record])
