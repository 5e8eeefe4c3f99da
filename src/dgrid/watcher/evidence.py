"""What gateways signed and somebody showed us: receipts by place, roots by epoch. Waits here for the chain's word.

On disk and bounded. Takes only what a gateway of this network signed; a second signature for one place or epoch is kept
beside the first, a third is not needed.

Whoever fills it, the gateway itself with receipts that it signs for nobody, shuts nobody out: of a gateway's full share
the payer with the most pieces gives one up for a payer with fewer, and all channels that the chain does not know count
as one payer. Of roots the oldest make room; and the second signature, which convicts, is always taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from dgrid.core.errors import CheckFailed, InvalidRequest, InvalidSignature, StorageUnavailable, WrongChain
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import keccak
from dgrid.core.places import Place
from dgrid.machine.database import open_database
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.wire.documents import seal_from_json
from dgrid.wire.messages import EpochRoot, InferenceReceipt
from dgrid.wire.seals import Seal, sealed_by
from dgrid.wire.typed import Domain

KEPT_OF_A_GATEWAY = 20_000
OVERCHARGES_KEPT = 100
SIGNATURES_KEPT = 2  # for one place or epoch
DOCUMENT_BYTES_MAX = 64 * 1024

_SCHEMA = """
CREATE TABLE IF NOT EXISTS receipts (
    gateway BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    hash BLOB NOT NULL,
    receipt BLOB NOT NULL,
    seal BLOB NOT NULL,
    payer BLOB NOT NULL,
    PRIMARY KEY (gateway, epoch, lane, sequence, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS roots (
    gateway BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    hash BLOB NOT NULL,
    root BLOB NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (gateway, epoch, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS overcharges (
    gateway BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    hash BLOB NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (gateway, epoch, hash)
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class HeldReceipt:
    """A receipt under its gateway's seal."""

    receipt: InferenceReceipt
    seal: Seal

    @property
    def gateway(self) -> Address:
        return Address(self.receipt.parties.gateway)

    @property
    def place(self) -> Place:
        return self.receipt.place.position

    @classmethod
    def from_json(cls, data: bytes, *, domain: Domain) -> Self:
        """The receipt in a document: a receipt.json, or only its fields `receipt` and `seal`.

        Raises InvalidRequest, InvalidSignature, WrongChain.
        """
        if len(data) > DOCUMENT_BYTES_MAX:
            raise InvalidRequest(f"a receipt has at most {DOCUMENT_BYTES_MAX} bytes")
        try:
            said = msgspec.json.decode(data, type=_ReceiptJson)
            held = cls(InferenceReceipt.from_json(said.receipt), seal_from_json(said.seal))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InvalidRequest(f"malformed receipt: {error}") from None
        if said.settlement not in ("", to_hex(domain.verifying_contract)):
            raise WrongChain("the receipt is of another network")
        held.check(domain)
        return held

    def check(self, domain: Domain) -> None:
        """Raises InvalidSignature when the gateway did not seal it."""
        if sealed_by(domain, self.receipt.struct_hash(), self.seal) != self.gateway:
            raise InvalidSignature("the receipt is not sealed by its gateway")


class _ReceiptJson(msgspec.Struct):
    receipt: Any
    seal: Any
    settlement: str = ""


class Evidence:
    """All that is held, until it is compared with what the chain holds."""

    def __init__(self, path: Path | None, *, kept_of_a_gateway: int = KEPT_OF_A_GATEWAY) -> None:
        self._kept = kept_of_a_gateway
        self._db = open_database(path, _SCHEMA, durable=True)
        if not any(row[1] == "payer" for row in self._db.execute("PRAGMA table_info(receipts)")):
            self._db.execute("ALTER TABLE receipts ADD COLUMN payer BLOB NOT NULL DEFAULT x''")
        self._db.execute("CREATE INDEX IF NOT EXISTS by_payer ON receipts (gateway, payer)")

    def close(self) -> None:
        self._db.close()

    def hold_receipt(self, held: HeldReceipt, *, payer: bytes = b"") -> None:
        """Keeps a checked receipt of a payer's channel; of one that the chain does not know, it is nobody's.

        Raises StorageUnavailable when too much of this payer waits, CheckFailed.
        """
        place, name = held.place, held.receipt.struct_hash()
        if max(place) >= 1 << 63:
            raise CheckFailed("no lane ever comes to such a place")
        here = "SELECT hash FROM receipts WHERE gateway = ? AND epoch = ? AND lane = ? AND sequence = ?"
        beside = [found for (found,) in self._db.execute(here, (held.gateway, *place))]
        if name in beside or len(beside) >= SIGNATURES_KEPT:
            return
        if not beside and self._count_of("receipts", held.gateway) >= self._kept:
            self._make_room(held.gateway, payer)
        values = held.gateway, *place, name, held.receipt.packed(), msgspec.msgpack.encode(held.seal), payer
        columns = "gateway, epoch, lane, sequence, hash, receipt, seal, payer"
        self._db.execute(f"INSERT INTO receipts ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608 (fixed)

    def hold_root(self, held: SignedRoot) -> None:
        """Keeps a checked root, in place of the gateway's oldest when too many wait. Raises CheckFailed."""
        gateway, epoch, name = held.gateway, held.root.epoch, held.root.struct_hash()
        if epoch >= 1 << 63:
            raise CheckFailed("there will be no such epoch")
        here = "SELECT hash FROM roots WHERE gateway = ? AND epoch = ?"
        beside = [found for (found,) in self._db.execute(here, (gateway, epoch))]
        if name in beside or len(beside) >= SIGNATURES_KEPT:
            return
        values = gateway, epoch, name, held.root.packed(), held.signature
        self._db.execute("INSERT INTO roots VALUES (?, ?, ?, ?, ?)", values)
        if not beside and self._count_of("roots", gateway) > self._kept:
            oldest = "SELECT min(epoch) FROM roots WHERE gateway = ?"
            self._db.execute(f"DELETE FROM roots WHERE gateway = ? AND epoch = ({oldest})", (gateway, gateway))  # noqa: S608 (fixed)

    def epochs(self) -> list[tuple[Address, int]]:
        """(gateway, epoch) of all receipts that wait, oldest first."""
        found = self._db.execute("SELECT DISTINCT gateway, epoch FROM receipts ORDER BY epoch")
        return [(Address(gateway), epoch) for gateway, epoch in found]

    def receipts(self, gateway: Address, epoch: int) -> Iterator[HeldReceipt]:
        """The receipts of an epoch, in order of their places."""
        query = "SELECT receipt, seal FROM receipts WHERE gateway = ? AND epoch = ? ORDER BY lane, sequence, hash"
        for receipt, seal in self._db.execute(query, (gateway, epoch)).fetchall():
            yield HeldReceipt(InferenceReceipt.unpacked(receipt), msgspec.msgpack.decode(seal, type=Seal))

    def roots(self) -> list[SignedRoot]:
        """All roots that wait, each gateway's in order of epochs."""
        found = self._db.execute("SELECT root, signature FROM roots ORDER BY gateway, epoch, hash")
        return [SignedRoot(EpochRoot.unpacked(root), signature) for root, signature in found]

    def drop_receipts(self, gateway: Address, epoch: int) -> None:
        """They were compared, or their epoch does not count."""
        self._db.execute("DELETE FROM receipts WHERE gateway = ? AND epoch = ?", (gateway, epoch))

    def drop_root(self, held: SignedRoot) -> None:
        key = held.gateway, held.root.epoch, held.root.struct_hash()
        self._db.execute("DELETE FROM roots WHERE gateway = ? AND epoch = ? AND hash = ?", key)

    def hold_overcharge(self, gateway: Address, epoch: int, *, document: bytes) -> None:
        """Keeps a checked document; of one gateway a few are enough, each convicts. Raises CheckFailed."""
        if epoch >= 1 << 63:
            raise CheckFailed("there will be no such epoch")
        if self._count_of("overcharges", gateway) < OVERCHARGES_KEPT:
            values = gateway, epoch, keccak(document), document
            self._db.execute("INSERT OR IGNORE INTO overcharges VALUES (?, ?, ?, ?)", values)

    def overcharges(self) -> list[bytes]:
        """All documents that wait."""
        return [document for (document,) in self._db.execute("SELECT document FROM overcharges ORDER BY epoch")]

    def drop_overcharge(self, gateway: Address, document: bytes) -> None:
        self._db.execute("DELETE FROM overcharges WHERE gateway = ? AND hash = ?", (gateway, keccak(document)))

    def count(self, table: str = "receipts") -> int:
        """How many wait."""
        found: int = self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 (fixed names)
        return found

    def _count_of(self, table: str, gateway: Address) -> int:
        query = f"SELECT count(*) FROM {table} WHERE gateway = ?"  # noqa: S608 (fixed names)
        found: int = self._db.execute(query, (gateway,)).fetchone()[0]
        return found

    def _make_room(self, gateway: Address, payer: bytes) -> None:
        """Takes a piece from the payer with the most, unless that is who asks. Raises StorageUnavailable."""
        query = "SELECT payer, count(*) FROM receipts WHERE gateway = ? GROUP BY payer ORDER BY count(*) DESC, payer"
        counts = dict(self._db.execute(query, (gateway,)).fetchall())
        most = next(iter(counts), payer)
        if counts.get(payer, 0) + 1 >= counts.get(most, 0):
            raise StorageUnavailable("too much of this gateway and payer waits here already")
        order = "WHERE gateway = ? AND payer = ? ORDER BY epoch DESC, lane DESC, sequence DESC LIMIT 1"
        (last,) = self._db.execute(f"SELECT epoch, lane, sequence, hash FROM receipts {order}", (gateway, most))  # noqa: S608 (fixed)
        one = "gateway = ? AND epoch = ? AND lane = ? AND sequence = ? AND hash = ?"
        self._db.execute(f"DELETE FROM receipts WHERE {one}", (gateway, *last))  # noqa: S608 (fixed)
