"""What payers owe on anchored receipts and have not paid yet: one row for each channel and lane.

`Settlement.collect` draws a row. Kept on disk, so that nothing is read twice: the latest leaf of each channel, and its
best voucher. What is already drawn comes from the chain, so a row is due exactly as long as drawing would move money.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dgrid.chain.view import ChainView
from dgrid.core.errors import InvalidSignature
from dgrid.core.identity import ZERO_ADDRESS, ChannelId
from dgrid.machine.database import open_database, transaction
from dgrid.settlement.proofs import LeafProof
from dgrid.settlement.records import EpochRecords
from dgrid.wire.blob import SignedVoucher
from dgrid.wire.messages import ChannelConfig, Voucher
from dgrid.wire.signatures import recover
from dgrid.wire.typed import Domain

ROWS_AT_ONCE = 16
AMOUNT_BYTES = 16

_FORM = 1  # of the file; one of another form is read anew from the archives
_DROP = "DROP TABLE IF EXISTS leaves; DROP TABLE IF EXISTS vouchers; DROP TABLE IF EXISTS absorbed;"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS leaves (
    channel BLOB NOT NULL,
    lane INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    total_wei TEXT NOT NULL,
    proof BLOB NOT NULL,
    PRIMARY KEY (channel, lane)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vouchers (
    channel BLOB PRIMARY KEY,
    config BLOB NOT NULL,
    ceiling_wei TEXT NOT NULL,
    signature BLOB NOT NULL,
    is_proven INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS absorbed (digest BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """One channel's debt in one lane, with what draws it."""

    channel_id: ChannelId
    lane: int
    total_wei: int
    due_wei: int
    config: ChannelConfig
    ceiling_wei: int
    signature: bytes
    proof: LeafProof

    def arguments(self) -> tuple[Any, ...]:
        """The Solidity struct Collection."""
        return self.config, self.ceiling_wei, self.signature, self.proof.arguments()


class Collections:
    """All channels' latest leaves and vouchers that anchored blobs have shown."""

    def __init__(self, path: Path | None, *, domain: Domain) -> None:
        """`domain` is x402's, of the escrow. Without a path it forgets."""
        self._domain = domain
        self._db = open_database(path, "", durable=False)
        if self._db.execute("PRAGMA user_version").fetchone() != (_FORM,):
            self._db.executescript(f"{_DROP} PRAGMA user_version = {_FORM};")
        self._db.executescript(_SCHEMA)

    def is_absorbed(self, digest: bytes) -> bool:
        """Whether this root's blob was read before."""
        return self._db.execute("SELECT 1 FROM absorbed WHERE digest = ?", (digest,)).fetchone() is not None

    def absorb(self, records: EpochRecords) -> None:
        """Takes an epoch's leaves and vouchers in, once."""
        if self.is_absorbed(records.anchor.digest):
            return
        with transaction(self._db):
            for _, receipts in records.standing():
                latest = {receipt.parties.channel_id: receipt for receipt in receipts}
                for receipt in latest.values():
                    self._keep_leaf(records.proof(receipt))
            for voucher in records.blob.header.vouchers:
                self._keep_voucher(voucher, gateway=records.anchor.root.gateway)
            self._db.execute("INSERT INTO absorbed VALUES (?)", (records.anchor.digest,))

    def due(self, view: ChainView) -> list[CollectionRow]:
        """All rows that would move money now, the largest first."""
        columns = "channel, lane, total_wei, proof, config, ceiling_wei, signature"
        stored = self._db.execute(f"SELECT {columns} FROM leaves JOIN vouchers USING (channel)")  # noqa: S608
        rows = [row for fields in stored if (row := _row(view, fields)) is not None]
        return sorted(rows, key=lambda row: -row.due_wei)

    def forget(self) -> None:
        """Forgets everything: the chain is another one."""
        for table in ("leaves", "vouchers", "absorbed"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 (fixed names)

    def close(self) -> None:
        self._db.close()

    def _keep_leaf(self, proof: LeafProof) -> None:
        _, receipt = proof.opened()
        self._db.execute(
            "INSERT INTO leaves VALUES (?, ?, ?, ?, ?) ON CONFLICT (channel, lane) DO UPDATE SET"
            " epoch = excluded.epoch, total_wei = excluded.total_wei, proof = excluded.proof"
            " WHERE excluded.epoch >= epoch",
            (
                *(receipt.parties.channel_id, receipt.place.lane, receipt.place.epoch, str(receipt.totals.payer)),
                msgspec.json.encode(proof),  # msgpack has no room for sums of 2⁶⁴ wei, which are 18 DGAI
            ),
        )

    def _keep_voucher(self, voucher: SignedVoucher, *, gateway: bytes) -> None:
        """The highest proven ceiling wins; one that only a contract wallet can prove is kept until then."""
        try:
            config = ChannelConfig.unpacked(voucher.config)
        except ValueError:
            return
        if config.gateway != gateway or len(voucher.max_claimable) != AMOUNT_BYTES:
            return
        channel = self._domain.digest(config.struct_hash())
        ceiling = int.from_bytes(voucher.max_claimable, "big")
        proven = _is_proven(self._domain, config, voucher=voucher)
        known = self._db.execute("SELECT is_proven, ceiling_wei FROM vouchers WHERE channel = ?", (channel,)).fetchone()
        if known is None or (proven, ceiling) > (bool(known[0]), int(known[1])):
            values = (channel, voucher.config, str(ceiling), voucher.signature, int(proven))
            self._db.execute("INSERT OR REPLACE INTO vouchers VALUES (?, ?, ?, ?, ?)", values)


def _is_proven(domain: Domain, config: ChannelConfig, *, voucher: SignedVoucher) -> bool:
    channel = domain.digest(config.struct_hash())
    promise = Voucher(channel, int.from_bytes(voucher.max_claimable, "big"))
    authorizer = config.payer if config.payer_authorizer == ZERO_ADDRESS else config.payer_authorizer
    try:
        return recover(domain.digest(promise.struct_hash()), voucher.signature) == authorizer
    except InvalidSignature:
        return False


def _row(view: ChainView, fields: tuple[Any, ...]) -> CollectionRow | None:
    channel_id, lane, total, proof, config, ceiling, signature = fields
    channel = view.channels.get(ChannelId(channel_id))
    if channel is None:
        return None
    owed = int(total) - view.drawn_in_lane.get((channel.id, lane), 0)
    due = min(owed, int(ceiling) - channel.drawn_wei, channel.balance_wei)
    if due <= 0:
        return None
    opened = msgspec.json.decode(proof, type=LeafProof)
    terms = ChannelConfig.unpacked(config), int(ceiling), signature
    return CollectionRow(channel.id, lane, int(total), due, *terms, opened)
