"""What gateways signed and somebody showed us: receipts by place, roots by epoch. Waits here for the chain's word.

On disk and bounded. Takes only what a gateway of this network signed; a second signature for one place or epoch is kept
beside the first, a third is not needed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from dgrid.core.errors import CheckFailed, InvalidRequest, InvalidSignature, StorageUnavailable, WrongChain
from dgrid.core.identity import Address, to_hex
from dgrid.core.places import Place
from dgrid.machine.database import open_database
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.wire.documents import seal_from_json
from dgrid.wire.messages import EpochRoot, InferenceReceipt
from dgrid.wire.seals import Seal, sealed_by
from dgrid.wire.typed import Domain

KEPT_OF_A_GATEWAY = 20_000
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

    def close(self) -> None:
        self._db.close()

    def hold_receipt(self, held: HeldReceipt) -> None:
        """Keeps a checked receipt. Raises StorageUnavailable when too many of this gateway wait, CheckFailed."""
        place = held.place
        if max(place) >= 1 << 63:
            raise CheckFailed("no lane ever comes to such a place")
        values = held.gateway, *place, held.receipt.struct_hash(), held.receipt.packed()
        self._hold("receipts", held.gateway, (*values, msgspec.msgpack.encode(held.seal)))

    def hold_root(self, held: SignedRoot) -> None:
        """Keeps a checked root. Raises StorageUnavailable, CheckFailed."""
        if held.root.epoch >= 1 << 63:
            raise CheckFailed("there will be no such epoch")
        values = held.gateway, held.root.epoch, held.root.struct_hash(), held.root.packed(), held.signature
        self._hold("roots", held.gateway, values)

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

    def count(self, table: str = "receipts") -> int:
        """How many wait."""
        found: int = self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 (fixed names)
        return found

    def _hold(self, table: str, gateway: Address, values: Sequence[object]) -> None:
        query = f"SELECT count(*) FROM {table} WHERE gateway = ?"  # noqa: S608 (fixed names)
        if self._db.execute(query, (gateway,)).fetchone()[0] >= self._kept:
            raise StorageUnavailable("too much of this gateway waits here already")
        marks = ", ".join("?" * len(values))
        self._db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", values)  # noqa: S608 (fixed names)
