"""Draws what payers owe, as soon as a root stands: blobs from the archives, rows to the chain. Anyone may run it."""

import logging
import time

from dgrid.chain.backlog import Backlog
from dgrid.chain.contracts import Contracts
from dgrid.chain.sender import Sender, TransactionReceipt
from dgrid.chain.view import Anchor, ChainView
from dgrid.core.errors import ChainUnavailable, DGridError
from dgrid.core.identity import Address, ChannelId, to_hex
from dgrid.settlement.claims import refusal
from dgrid.settlement.collection import ROWS_AT_ONCE, CollectionRow, Collections
from dgrid.settlement.records import Records

logger = logging.getLogger(__name__)

RETRY_S = 300


class Collector:
    """One settler's collecting."""

    def __init__(self, collections: Collections, records: Records, *, sender: Sender, contracts: Contracts) -> None:
        self._collections, self._records = collections, records
        self._sender, self._contracts = sender, contracts
        self._refused: dict[tuple[ChannelId, int], tuple[int, int]] = {}  # (total, when to try again)
        self._missing: dict[bytes, int] = {}
        self._backlog: Backlog[tuple[Address, int], Anchor] = Backlog()  # roots whose blobs were not read

    async def absorb_new(self) -> None:
        """Reads the blobs of roots that stand and were not read yet."""
        now_s, view = int(time.monotonic()), self._records.view
        self._backlog.look(view.roots, lambda span: self._unread(span, view))
        for (gateway, epoch), anchor in sorted(self._backlog.left.items(), key=lambda item: (item[0][1], item[0][0])):
            if view.is_void(gateway, epoch) or self._missing.get(anchor.digest, 0) > now_s:
                continue
            try:
                self._collections.absorb(await self._records.epoch(anchor))
            except DGridError as error:
                self._missing[anchor.digest] = now_s + 5
                logger.warning("cannot collect for epoch %d: %s", epoch, error.message)
            else:
                self._missing.pop(anchor.digest, None)
                self._backlog.done((gateway, epoch))

    def _unread(self, span: range, view: ChainView) -> dict[tuple[Address, int], Anchor]:
        found = view.roots.between(span.start, span.stop)
        return {place: anchor for place, anchor in found if not self._collections.is_absorbed(anchor.digest)}

    async def collect(self, view: ChainView) -> int | None:
        """Draws what is due; the block of the last drawing, None without one. Raises ChainUnavailable."""
        now_s = int(time.monotonic())
        rows = [row for row in self._collections.due(view) if not self._is_refused(row, now_s)]
        drawn = [await self._draw(rows[at : at + ROWS_AT_ONCE]) for at in range(0, len(rows), ROWS_AT_ONCE)]
        return _latest(drawn)

    async def _draw(self, batch: list[CollectionRow]) -> int | None:
        """Draws rows in one transaction. What is refused as a whole is drawn row by row: a gateway puts what it likes
        into its blob, and one row that no chain takes must hold up nobody else's. Raises ChainUnavailable.
        """
        arguments, label = [row.arguments() for row in batch], f"collect:{time.time_ns()}"  # nothing is drawn twice
        try:
            receipt = await self._sender.send(self._contracts.settlement, "collect", [arguments], label=label)
        except ChainUnavailable:
            raise
        except DGridError as error:
            if len(batch) > 1:
                drawn = [await self._draw([row]) for row in batch]
                return _latest(drawn)
            self._put_off(batch[0], error.message)
            return None
        self._note(batch, receipt)
        return receipt.block_number

    def _is_refused(self, row: CollectionRow, now_s: int) -> bool:
        total, until_s = self._refused.get((row.channel_id, row.lane), (-1, 0))
        return total == row.total_wei and now_s < until_s

    def _note(self, batch: list[CollectionRow], receipt: TransactionReceipt) -> None:
        refused = 0
        for log in receipt.logs:
            decoded = self._contracts.decode_log(log)
            if decoded is None or decoded.name != "RowRefused":
                continue
            self._put_off(batch[decoded.arguments["index"]], refusal(decoded.arguments["reason"]))
            refused += 1
        logger.info("collected from %d channels in block %d", len(batch) - refused, receipt.block_number)

    def _put_off(self, row: CollectionRow, reason: str) -> None:
        self._refused[(row.channel_id, row.lane)] = row.total_wei, int(time.monotonic()) + RETRY_S
        logger.warning("channel %s: %s", to_hex(row.channel_id), reason)


def _latest(blocks: list[int | None]) -> int | None:
    return max((block for block in blocks if block is not None), default=None)
