"""Keeps routing's picture of credibility up to date: the table of the latest final quality root, from any archive.

Believes nobody: the blob must hash to the name that evaluators signed, its rows to the root beside it. Until the next
table is here the last one stands.
"""

import asyncio
import logging
from collections.abc import Callable
from itertools import islice

from dgrid.chain.view import PostedQuality
from dgrid.core.errors import CheckFailed, DGridError
from dgrid.gateway.closing import Archives
from dgrid.gateway.court import Court
from dgrid.gateway.route.standing import Credibility
from dgrid.settlement.evidence import open_table
from dgrid.wire.quality import Change, QualityTable, credibility_root

logger = logging.getLogger(__name__)

LOOK_S = 0.5
AGAIN_S = 2.0
ROUNDS_KEPT = 20  # the latest rounds of which it is known what moved credibility
CHANGES_KEPT = 1_000  # of each


class CredibilityReader:
    """Follows one court's quality roots."""

    def __init__(self, court: Court, archives: Archives, *, publish: Callable[[Credibility], None]) -> None:
        self.posted: PostedQuality | None = None  # the root that `table` belongs to
        self.table: QualityTable | None = None
        self.changes: dict[int, tuple[Change, ...]] = {}  # what moved credibility in each of the latest rounds
        self._court, self._archives, self._publish = court, archives, publish

    async def run(self) -> None:
        """Looks again and again until cancelled."""
        while True:
            try:
                await self.look()
                await self.recall()
                await asyncio.sleep(LOOK_S)
            except DGridError as error:
                logger.info("the quality table cannot be had yet: %s", error.message)
                await asyncio.sleep(AGAIN_S)

    async def look(self) -> None:
        """Takes a newer table, if there is one. Raises NetworkUnreachable, CheckFailed."""
        view = self._court.view
        posted = view.quality_roots.get(view.last_quality_round)
        if posted is None or posted == self.posted:
            return
        table = await self._table(posted)
        self.posted, self.table = posted, table
        self.changes[table.round] = table.changes[:CHANGES_KEPT]
        self._publish(Credibility.of(table.round, table.credibility))
        logger.info("routing by the credibility of round %d", table.round)

    async def recall(self) -> None:
        """Reads what moved credibility in one more of the latest rounds. Raises NetworkUnreachable, CheckFailed."""
        roots = self._court.view.quality_roots
        latest = list(islice(reversed(roots), ROUNDS_KEPT))
        self.changes = {number: self.changes[number] for number in latest if number in self.changes}
        number = next((number for number in latest if number not in self.changes), None)
        if number is None:
            return
        try:
            table = await self._table(roots[number])
        except CheckFailed:
            self.changes[number] = ()  # what no archive has is not asked for again; what none answers for is
            raise
        self.changes[number] = table.changes[:CHANGES_KEPT]

    async def _table(self, posted: PostedQuality) -> QualityTable:
        """The table behind a root, from an archive. Raises NetworkUnreachable, CheckFailed."""
        return checked_table(await self._archives.fetch(posted.root.blob_id), posted, court=self._court)


def checked_table(blob: bytes, posted: PostedQuality, *, court: Court) -> QualityTable:
    """The table behind a root. Raises CheckFailed when it is another."""
    table = open_table(blob, court.domain, judged_round=posted.root.round)
    if credibility_root(table.credibility) != posted.root.credibility_root:
        raise CheckFailed("the table's credibility does not lead to the root on chain")
    return table
