"""Reads receipts and epochs out of the ledger: for callers, for the sealer after a restart, for the closing of an
epoch.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from dgrid.core.errors import CheckFailed
from dgrid.core.places import NO_PLACE, Place, unpack_place
from dgrid.store.ledger import LANE
from dgrid.store.ledger_file import open_database, storage_failure
from dgrid.store.ledger_rows import EpochRow, EpochState, Promise, Unsealed, UnsealedRecord
from dgrid.store.queries import sql
from dgrid.wire.documents import Record
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.seals import Seal, seals_under

_decode_record = msgspec.msgpack.Decoder(UnsealedRecord).decode
_decode_promises = msgspec.msgpack.Decoder(tuple[Promise, ...]).decode


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt as the ledger keeps it; `seal` is None until its batch is signed."""

    epoch: int
    lane: int
    sequence: int
    channel_id: bytes
    salt: bytes
    record: UnsealedRecord
    seal: Seal | None


@dataclass(frozen=True, slots=True)
class ListedReceipt:
    """A receipt in a list."""

    epoch: int
    lane: int
    sequence: int
    request_id: bytes
    model: str
    receipt: InferenceReceipt


class EpochLeaf(msgspec.Struct, frozen=True, gc=False):
    """One leaf of an epoch's trees."""

    lane: int
    sequence: int
    struct_hash: bytes
    fee_wei: int


class EpochRecord(msgspec.Struct, frozen=True, gc=False):
    """One sealed record of an epoch, at its place."""

    leaf: EpochLeaf
    channel_id: bytes
    record: Record


class LedgerReader:
    """A second, reading connection to a ledger's file. One thread uses it."""

    def __init__(self, path: Path) -> None:
        self._db = open_database(path)

    def close(self) -> None:
        self._db.close()

    def receipt(self, request_id: bytes) -> StoredReceipt | None:
        """A request's receipt, with its seal if it has one."""
        row = self._row("read_receipt", request_id) or self._row("read_new_receipt", request_id)
        if row is None:
            return None
        epoch, lane, sequence, channel_id, struct_hash, record, salt = row
        seal = self._seal(epoch, lane, sequence, struct_hash)
        return StoredReceipt(epoch, lane, sequence, channel_id, salt, _decode_record(record), seal)

    def _seal(self, epoch: int, lane: int, sequence: int, struct_hash: bytes) -> Seal | None:
        batch = self._row("read_batch", lane, epoch, sequence)
        if batch is None or sequence >= batch[0] + batch[1]:
            return None
        first, size, signature = batch
        hashes: list[bytes] = [row[0] for row in self._rows("read_struct_hashes", lane, epoch, first, first + size)]
        at: int = sequence - first
        assert hashes[at] == struct_hash, "a batch names another receipt"
        return seals_under(signature, hashes)[at]

    def receipts_of(self, channel_id: bytes, limit: int) -> list[ListedReceipt]:
        """A channel's latest receipts, newest first: each names the place of the one before."""
        row, found = self._row("read_channel", channel_id), list[ListedReceipt]()
        previous = NO_PLACE if row is None else int.from_bytes(row[-1], "big")
        while len(found) < limit and (place := unpack_place(previous, lane=LANE)) is not None:
            found.append(_listed(self._rows("read_place", *place)[0]))
            previous = found[-1].receipt.previous.payer
        return found

    def at(self, place: Place) -> ListedReceipt | None:
        """The receipt at a place."""
        row = self._row("read_place", *place)
        return None if row is None else _listed(row)

    def latest(self, limit: int) -> list[ListedReceipt]:
        """The gateway's latest receipts, newest first."""
        return [_listed(row) for row in self._rows("read_latest_receipts", limit)]

    def unsealed(self) -> list[Unsealed]:
        """Receipts billed before a crash that no signature covers yet, in the order of their places."""
        return [
            Unsealed(epoch, sequence, struct_hash, node, _decode_record(record).receipt)
            for epoch, sequence, struct_hash, node, record in self._rows("read_unsealed", LANE, LANE, LANE)
        ]

    def of_node(self, node: bytes, limit: int) -> list[tuple[bytes, bytes, Seal]]:
        """A node's latest sealed receipts, oldest first: (struct hash, packed receipt, seal)."""
        found = []
        for epoch, lane, sequence, struct_hash, record in self._rows("read_node_receipts", node, limit):
            if (seal := self._seal(epoch, lane, sequence, struct_hash)) is not None:
                found.append((struct_hash, _decode_record(record).receipt, seal))
        return found[::-1]

    def totals_before(self, since_epoch: int) -> list[tuple[int, bytes, int]]:
        """(epoch, node, what it had earned before) of each node and epoch it earned in, from an epoch on, in order."""
        found = []
        for epoch, node, record in self._rows("read_first_of_nodes", since_epoch):
            receipt = InferenceReceipt.unpacked(_decode_record(record).receipt)
            found.append((epoch, node, receipt.totals.node - receipt.shares.node))
        return found

    # --- epochs ---

    def epoch_to_close(self) -> int | None:
        """The oldest epoch with receipts and no root yet."""
        row = self._row("read_open_epoch")
        return None if row is None else row[0]

    def leaves(self, epoch: int) -> list[EpochLeaf]:
        """An epoch's leaves in order of lane and sequence."""
        rows = self._rows("read_epoch_leaves", epoch)
        return [EpochLeaf(lane, sequence, item, int.from_bytes(fee, "big")) for lane, sequence, item, fee in rows]

    def records(self, epoch: int) -> Iterator[EpochRecord]:
        """An epoch's sealed records in order. Raises CheckFailed when a record has no seal yet."""
        rows = iter(self._rows("read_epoch_records", epoch))
        for lane, first, size, signature in self._rows("read_epoch_batches", epoch):
            batch = list(islice(rows, size))
            if [row[:2] for row in batch] != [(lane, first + at) for at in range(size)]:
                raise CheckFailed(f"the receipts at {epoch}/{lane} up to {first} are not sealed yet")
            yield from map(_sealed, batch, seals_under(signature, [row[2] for row in batch]))
        for lane, sequence, *_ in rows:
            raise CheckFailed(f"the receipt at {epoch}/{lane}/{sequence} is not sealed yet")

    def epochs(self, limit: int) -> list[EpochRow]:
        """Closed epochs, newest first."""
        return [_epoch(row) for row in self._rows("read_epochs", limit)]

    def unfinished_epochs(self) -> list[EpochRow]:
        """Closed epochs that are not anchored yet, oldest first."""
        return [_epoch(row) for row in self._rows("read_unfinished_epochs")]

    def epoch(self, epoch: int) -> EpochRow | None:
        """A closed epoch."""
        row = self._row("read_epoch", epoch)
        return None if row is None else _epoch(row)

    def voucher(self, channel_id: bytes) -> tuple[bytes, int, bytes | None]:
        """A channel's packed configuration, its ceiling in wei, and the payer's signature over it, if it signs."""
        row = self._row("read_channel", channel_id)
        assert row is not None, "a receipt names a channel that the ledger does not know"
        config, _, _, _, ceiling, signature, _ = row
        return config, int.from_bytes(ceiling, "big"), signature

    # --- SQL ----------------------------------------------------------------------------------------------------------

    def _rows(self, name: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            with closing(self._db.execute(sql_of(name), values)) as cursor:
                return cursor.fetchall()
        except sqlite3.Error as error:
            raise storage_failure(error) from error

    def _row(self, name: str, *values: Any) -> tuple[Any, ...] | None:
        rows = self._rows(name, *values)
        return rows[0] if rows else None


_known: dict[str, str] = {}


def sql_of(name: str) -> str:
    """A statement, read from its file once."""
    if name not in _known:
        _known[name] = sql(name)
    return _known[name]


def _listed(row: tuple[Any, ...]) -> ListedReceipt:
    epoch, lane, sequence, request_id, record = row
    unsealed = _decode_record(record)
    return ListedReceipt(epoch, lane, sequence, request_id, unsealed.model, InferenceReceipt.unpacked(unsealed.receipt))


def _sealed(row: tuple[Any, ...], seal: Seal) -> EpochRecord:
    lane, sequence, struct_hash, fee, record, channel_id = row
    place = EpochLeaf(lane, sequence, struct_hash, int.from_bytes(fee, "big"))
    return EpochRecord(place, channel_id, _decode_record(record).sealed(seal))


def _epoch(row: tuple[Any, ...]) -> EpochRow:
    epoch, state, size, root, signature, stored = row
    return EpochRow(epoch, EpochState(state), size, root, signature, _decode_promises(stored))
