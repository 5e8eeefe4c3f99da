"""What a node must not forget: nonces it has served, work that no receipt acknowledges yet, and its latest receipts.

One SQLite file in the node's own folder, WAL, synchronous NORMAL: it survives the death of the process. A loss of
power may take the last moments; that costs the node its memory of them, never a place or a signature of anyone.
Writes are gathered and committed together, at the latest WRITE_DELAY_S after they were made and always before a
signature leaves.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from dgrid.core.errors import StorageUnavailable
from dgrid.machine.database import open_database, transaction
from dgrid.wire.frames import SignedReceipt
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.seals import Seal

WRITE_DELAY_S: Final = 0.05
RETRY_DELAY_S: Final = 1.0
WAITING_MAX: Final = 4096

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS nonces (
    gateway BLOB NOT NULL, nonce BLOB NOT NULL, deadline_ms INTEGER NOT NULL,
    CONSTRAINT one_dispatch_a_nonce PRIMARY KEY (gateway, nonce)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS nonces_by_deadline ON nonces (deadline_ms);
CREATE TABLE IF NOT EXISTS work (
    node_receipt_hash BLOB PRIMARY KEY, gateway BLOB NOT NULL, value_wei TEXT NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,
    in_price_wei TEXT NOT NULL, out_price_wei TEXT NOT NULL, done_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS receipts (
    gateway BLOB NOT NULL, lane INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    total_wei TEXT NOT NULL, receipt BLOB NOT NULL,
    signature BLOB NOT NULL, place INTEGER NOT NULL, size INTEGER NOT NULL, path BLOB NOT NULL,
    CONSTRAINT latest_of_an_epoch PRIMARY KEY (gateway, lane, epoch)
) WITHOUT ROWID;
"""
INSERT_NONCE: Final = "INSERT OR IGNORE INTO nonces VALUES (?, ?, ?)"
DELETE_NONCES: Final = "DELETE FROM nonces WHERE deadline_ms < ?"
INSERT_WORK: Final = "INSERT OR REPLACE INTO work VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
DELETE_WORK: Final = "DELETE FROM work WHERE node_receipt_hash = ?"
INSERT_RECEIPT: Final = "INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
DELETE_RECEIPTS: Final = "DELETE FROM receipts WHERE gateway = ? AND lane = ? AND epoch < ?"


@dataclass(frozen=True, slots=True)
class Work:
    """An answer that was signed and that no receipt of the gateway names yet.

    `value_wei` is the node's part of its price.
    """

    node_receipt_hash: bytes
    gateway: bytes
    value_wei: int
    tokens_in: int
    tokens_out: int
    in_price_wei: int
    out_price_wei: int
    done_ms: int

    def row(self) -> tuple[object, ...]:
        prices = str(self.in_price_wei), str(self.out_price_wei)
        counts = self.tokens_in, self.tokens_out
        return (self.node_receipt_hash, self.gateway, str(self.value_wei), *counts, *prices, self.done_ms)


@dataclass(frozen=True, slots=True)
class HeldReceipt:
    """A receipt that owes this node its total: what a claim is made with."""

    receipt: InferenceReceipt
    signed: SignedReceipt

    @classmethod
    def of(cls, signed: SignedReceipt) -> Self:
        """Raises ValueError."""
        return cls(InferenceReceipt.unpacked(signed.receipt), signed)

    @property
    def epoch(self) -> int:
        return self.receipt.place.epoch

    @property
    def sequence(self) -> int:
        return self.receipt.place.sequence

    @property
    def lane(self) -> int:
        return self.receipt.place.lane

    @property
    def gateway(self) -> bytes:
        return self.receipt.parties.gateway

    @property
    def total_wei(self) -> int:
        return self.receipt.totals.node

    def row(self) -> tuple[object, ...]:
        seal = self.signed.seal
        where = self.gateway, self.lane, self.epoch, self.sequence
        sealed = seal.signature, seal.index, seal.count, b"".join(seal.path)
        return (*where, str(self.total_wei), self.signed.receipt, *sealed)


class Books:
    """The node's memory on disk. Used by one event loop."""

    def __init__(self, path: Path | None) -> None:
        """Opens or makes the file; None keeps everything in memory. Raises StorageUnavailable."""
        try:
            self._database = open_database(path, SCHEMA, durable=False)
        except sqlite3.Error as error:
            raise StorageUnavailable(f"cannot open the node's books at {path}: {error}") from error
        self._waiting: list[tuple[str, tuple[object, ...]]] = []
        self._timer: asyncio.TimerHandle | None = None

    def nonces(self, *, now_ms: int) -> Iterator[tuple[bytes, int, int]]:
        """(gateway, nonce, deadline) of every dispatch that may still be replayed."""
        for gateway, nonce, deadline_ms in self._database.execute(
            "SELECT gateway, nonce, deadline_ms FROM nonces WHERE deadline_ms >= ?", (now_ms,)
        ):
            yield gateway, int.from_bytes(nonce, "big"), deadline_ms

    def work(self) -> Iterator[Work]:
        """Everything that is not acknowledged."""
        for hash_, gateway, value, tokens_in, tokens_out, in_price, out_price, done_ms in self._database.execute(
            "SELECT * FROM work"
        ):
            yield Work(hash_, gateway, int(value), tokens_in, tokens_out, int(in_price), int(out_price), done_ms)

    def receipts(self) -> Iterator[HeldReceipt]:
        """The latest receipt of each gateway, lane and epoch, oldest epoch first."""
        for receipt, signature, index, count, path in self._database.execute(
            "SELECT receipt, signature, place, size, path FROM receipts ORDER BY gateway, lane, epoch"
        ):
            siblings = tuple(path[at : at + 32] for at in range(0, len(path), 32))
            yield HeldReceipt.of(SignedReceipt(receipt, Seal(signature, index, count, siblings)))

    def add_nonce(self, gateway: bytes, nonce: int, *, deadline_ms: int) -> None:
        self._write(INSERT_NONCE, (gateway, nonce.to_bytes(8, "big"), deadline_ms))

    def forget_nonces(self, *, before_ms: int) -> None:
        self._write(DELETE_NONCES, (before_ms,))

    def add_work(self, work: Work) -> None:
        self._write(INSERT_WORK, work.row())

    def drop_work(self, node_receipt_hash: bytes) -> None:
        self._write(DELETE_WORK, (node_receipt_hash,))

    def keep_receipt(self, held: HeldReceipt) -> None:
        self._write(INSERT_RECEIPT, held.row())

    def forget_receipts(self, gateway: bytes, lane: int, *, before_epoch: int) -> None:
        self._write(DELETE_RECEIPTS, (gateway, lane, before_epoch))

    @property
    def behind(self) -> bool:
        """Whether so much waits to be written that no new work should be taken."""
        return len(self._waiting) > WAITING_MAX

    def flush(self) -> None:
        """Commits what waits, in one transaction. Raises StorageUnavailable; then everything waits on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        try:
            with transaction(self._database):
                for statement, values in self._waiting:
                    self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise StorageUnavailable(f"the node's books cannot be written: {error}", retry_after_ms=1000) from error
        self._waiting.clear()

    def close(self) -> None:
        """Commits and closes."""
        self.flush()
        self._database.close()

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        self._waiting.append((statement, values))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_DELAY_S, self._flush_late)

    def _flush_late(self) -> None:
        self._timer = None
        try:
            self.flush()
        except StorageUnavailable:
            self._timer = asyncio.get_running_loop().call_later(RETRY_DELAY_S, self._flush_late)
