"""Checks what the gateway wrote while it was measured: a run whose books are wrong is void.

Every receipt is verified as a stranger would verify it; places are consecutive; every running total is the sum of its
shares; fees sum to what the channel spent; closed epochs have the roots their leaves give. Reads the stopped gateway's
own ledger.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from dgrid.core.errors import DGridError
from dgrid.core.merkle import TreeNode
from dgrid.core.places import NO_PLACE
from dgrid.store.ledger_file import LEDGER_NAME
from dgrid.store.ledger_reading import EpochRecord, LedgerReader
from dgrid.wire.blob import epoch_tree
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import EpochRoot, Flag, InferenceReceipt
from dgrid.wire.typed import Domain
from dgrid.wire.verification import verify_receipt

SHARES = ("payer", "node", "listing", "protocol", "gateway")


@dataclass(slots=True)
class Books:
    """What was found; no faults means that everything holds."""

    receipts: int = 0
    epochs: int = 0
    closed_epochs: int = 0
    fees_wei: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def hold(self) -> bool:
        return not self.faults


def check_books(folder: Path, domain: Domain, *, answered: int) -> Books:
    """Checks the ledger in a gateway's folder; `answered` is how many answers its only client got."""
    books, path = Books(), folder / LEDGER_NAME
    with closing(LedgerReader(path)) as ledger:
        totals = RunningTotals()
        for epoch in _epochs(path):
            books.epochs += 1
            try:
                records = list(ledger.records(epoch))
            except DGridError as error:
                books.faults.append(error.message)
                continue
            books.faults += _epoch_faults(records, domain, totals)
            books.receipts += len(records)
            if (row := ledger.epoch(epoch)) is not None:
                books.closed_epochs += 1
                books.faults += _root_faults(records, EpochRoot.unpacked(row.root))
    books.fees_wei = totals.sums["payer"]
    books.faults += _account_faults(path, books, answered)
    return books


def _epochs(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as db:
        return [row[0] for row in db.execute("SELECT DISTINCT epoch FROM receipts ORDER BY epoch")]


def _account_faults(path: Path, books: Books, answered: int) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as db:
        accounts = db.execute("SELECT spent, committed FROM channels").fetchall()
    spent, committed = (sum(int.from_bytes(row[at], "big") for row in accounts) for at in (0, 1))
    if spent != books.fees_wei:
        yield f"the fees sum to {books.fees_wei} wei, the channel spent {spent}"
    if committed != spent:
        yield f"holds of {committed - spent} wei are left"
    if books.receipts != answered:
        yield f"{answered} answers, {books.receipts} receipts"


def _epoch_faults(records: list[EpochRecord], domain: Domain, totals: "RunningTotals") -> Iterator[str]:
    for at, item in enumerate(records):
        if (item.leaf.lane, item.leaf.sequence) != (0, at):
            yield f"after place {at - 1} comes lane {item.leaf.lane}, place {item.leaf.sequence}"
        document = ReceiptDocument.of(item.record, domain=domain)
        receipt = document.receipt
        where = f"{receipt.place.epoch}/{receipt.place.sequence}"
        if receipt.struct_hash() != item.leaf.struct_hash or receipt.shares.fee != item.leaf.fee_wei:
            yield f"{where}: the row's leaf is not the receipt's"
        if receipt.usage.flags & Flag.NODE_COUNTED:
            yield f"{where}: the gateway did not count the tokens itself"
        yield from (f"{where}: {check.name}: {check.reason}" for check in verify_receipt(document) if not check.ok)
        yield from (f"{where}: {fault}" for fault in totals.add(receipt))


class RunningTotals:
    """The lifetime sums of a lane with one payer, one node and one listing."""

    def __init__(self) -> None:
        self.sums = dict.fromkeys(SHARES, 0)
        self._previous = NO_PLACE

    def add(self, receipt: InferenceReceipt) -> Iterator[str]:
        """The next receipt in order of places."""
        shares, totals, previous = receipt.shares, receipt.totals, receipt.previous
        earned = (shares.fee, shares.node, shares.listing, shares.protocol, shares.gateway)
        for name, share in zip(SHARES, earned, strict=True):
            self.sums[name] += share
            if getattr(totals, name) != self.sums[name]:
                yield f"the {name}'s total is {getattr(totals, name)}, the shares sum to {self.sums[name]}"
        if not previous.payer == previous.node == previous.listing == self._previous:
            yield "a party's previous place is not its last"
        self._previous = receipt.place.position.packed()


def _root_faults(records: list[EpochRecord], root: EpochRoot) -> Iterator[str]:
    leaves: dict[int, list[tuple[bytes, int]]] = {}
    for item in records:
        leaves.setdefault(item.leaf.lane, []).append((item.leaf.struct_hash, item.leaf.fee_wei))
    tree = epoch_tree(leaves)
    if tree.records.root != TreeNode(root.records_root, root.pot):
        yield f"epoch {root.epoch}: the root is not that of its leaves"
