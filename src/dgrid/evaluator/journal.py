"""What an evaluator has met, found and promised, on disk before anybody hears of it.

Killed at any step it goes on from here: reports are not made twice, a secret is drawn once, the commitment of a round
is fixed the moment it is written, whatever the chain does afterwards, and no gateway is allowed a question's fee twice.
Which transactions left is the sender's own journal's to know; what the chain took is the chain's to say. Bounded:
rounds long posted are forgotten, and a gateway has one row.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from dgrid.chain.view import Draw
from dgrid.core.identity import Address
from dgrid.machine.database import open_database, transaction
from dgrid.settlement.binding import salt_of
from dgrid.wire.grounds import Grounds
from dgrid.wire.messages import QualityRoot
from dgrid.wire.quality import LeafKey, Report

FILE_NAME: Final = "evaluator.sqlite"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS draws (
    gateway BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    seed BLOB NOT NULL,
    round INTEGER NOT NULL,
    PRIMARY KEY (gateway, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS duties (
    gateway BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    report BLOB,
    PRIMARY KEY (gateway, epoch, lane, sequence),
    FOREIGN KEY (gateway, epoch) REFERENCES draws (gateway, epoch) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS grounds (
    gateway BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    grounds BLOB NOT NULL,
    PRIMARY KEY (gateway, epoch, lane, sequence),
    FOREIGN KEY (gateway, epoch, lane, sequence) REFERENCES duties ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS commitments (
    round INTEGER PRIMARY KEY,
    secret BLOB NOT NULL,
    reports_root BLOB NOT NULL,
    blob_id BLOB NOT NULL,
    blob BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS signatures (
    round INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS allowances (
    gateway BLOB PRIMARY KEY,
    before_wei TEXT,  -- what its channel had been paid when it was first looked at; NULL until then
    asked_wei TEXT NOT NULL
) STRICT;
"""
_PLACE: Final = "gateway = ? AND epoch = ? AND lane = ? AND sequence = ?"


@dataclass(frozen=True, slots=True)
class Commitment:
    """What an evaluator stands by in a round: fixed before it is sent, the same after every restart."""

    round: int
    secret: bytes  # what its samples of nodes follow from; until it shows such, only its hash is known
    reports_root: bytes
    blob_id: bytes
    blob: bytes

    @property
    def salt(self) -> bytes:
        """What is shown when it is opened."""
        return salt_of(self.secret)


@dataclass(frozen=True, slots=True)
class SignedRoot:
    """This evaluator's word for a round's result."""

    root: QualityRoot
    signature: bytes


class Journal:
    """One evaluator's memory. One process writes to it."""

    def __init__(self, path: Path) -> None:
        self._db = open_database(path, _SCHEMA, durable=True)
        self._db.execute("PRAGMA foreign_keys=ON")

    def close(self) -> None:
        self._db.close()

    # --- duties -------------------------------------------------------------------------------------------------------

    def note_draw(self, draw: Draw, duties: Iterable[LeafKey]) -> None:
        """A draw and this evaluator's duties in it, as they are now known; reports already made for them stay.

        Duties of another seed, which the chain lost, go with all that was found for them.
        """
        where, places = (draw.gateway, draw.epoch), {(key.lane, key.sequence) for key in duties}
        with transaction(self._db):
            if not self._knows(draw):
                self._db.execute("DELETE FROM draws WHERE gateway = ? AND epoch = ?", where)
                self._db.execute("INSERT INTO draws VALUES (?, ?, ?, ?)", (*where, draw.seed, draw.round))
            known = set(self._db.execute("SELECT lane, sequence FROM duties WHERE gateway = ? AND epoch = ?", where))
            gone = [(*where, *place) for place in known - places]
            new = [(*where, *place) for place in places - known]
            self._db.executemany(f"DELETE FROM duties WHERE {_PLACE}", gone)  # noqa: S608 (fixed texts)
            self._db.executemany("INSERT INTO duties VALUES (?, ?, ?, ?, NULL)", new)

    def drop_lost(self, draws: Mapping[tuple[Address, int], Draw]) -> None:
        """Forgets the draws that the chain no longer knows, or knows by another seed."""
        noted = self._db.execute("SELECT gateway, epoch, seed, round FROM draws").fetchall()
        for gateway, epoch, seed, number in noted:
            known = draws.get((Address(gateway), epoch))
            if known is None or (known.seed, known.round) != (seed, number):
                self._db.execute("DELETE FROM draws WHERE gateway = ? AND epoch = ?", (gateway, epoch))

    def _knows(self, draw: Draw) -> bool:
        where = "gateway = ? AND epoch = ? AND seed = ? AND round = ?"
        values = draw.gateway, draw.epoch, draw.seed, draw.round
        return self._db.execute(f"SELECT 1 FROM draws WHERE {where}", values).fetchone() is not None  # noqa: S608

    def open_duties(self, gateway: bytes, epoch: int) -> list[LeafKey]:
        """The duties of a draw without a report yet."""
        where = "gateway = ? AND epoch = ? AND report IS NULL ORDER BY lane, sequence"
        rows = self._db.execute(f"SELECT gateway, epoch, lane, sequence FROM duties WHERE {where}", (gateway, epoch))  # noqa: S608
        return [LeafKey(*row) for row in rows]

    def keep_report(self, report: Report, *, seed: bytes, grounds: Grounds | None = None) -> None:
        """A finished report; dropped when the draw it was made for is no longer the one that is known."""
        key = report.key
        place = key.gateway, key.epoch, key.lane, key.sequence
        with transaction(self._db):
            kept = self._db.execute(
                f"UPDATE duties SET report = ? WHERE {_PLACE}"  # noqa: S608 (fixed texts)
                " AND EXISTS (SELECT 1 FROM draws"
                " WHERE gateway = duties.gateway AND epoch = duties.epoch AND seed = ?)",
                (msgspec.msgpack.encode(report), *place, seed),
            )
            if kept.rowcount and grounds is not None:
                self._db.execute("INSERT OR REPLACE INTO grounds VALUES (?, ?, ?, ?, ?)", (*place, grounds.encode()))

    def reports(self, number: int) -> tuple[Report, ...]:
        """All reports made for a round's draws, in order of their keys."""
        rows = self._db.execute(
            "SELECT report FROM duties JOIN draws USING (gateway, epoch) WHERE round = ? AND report IS NOT NULL",
            (number,),
        )
        found = [msgspec.msgpack.decode(data, type=Report) for (data,) in rows]
        return tuple(sorted(found, key=lambda report: report.key))

    def grounds(self, number: int) -> dict[bytes, Grounds]:
        """What the reports of a round rest on where anybody may see it, by digest."""
        rows = self._db.execute(
            "SELECT grounds FROM grounds JOIN draws USING (gateway, epoch) WHERE round = ?", (number,)
        )
        found = [msgspec.msgpack.decode(data, type=Grounds) for (data,) in rows]
        return {one.digest(): one for one in found}

    # --- promises -----------------------------------------------------------------------------------------------------

    def fix(self, commitment: Commitment) -> Commitment:
        """Fixes a round's commitment for good; returns the one that was fixed first."""
        values = (commitment.round, commitment.secret, commitment.reports_root, commitment.blob_id, commitment.blob)
        self._db.execute("INSERT OR IGNORE INTO commitments VALUES (?, ?, ?, ?, ?)", values)
        found = self.commitment(commitment.round)
        assert found is not None
        return found

    def commitment(self, number: int) -> Commitment | None:
        """What was fixed for a round."""
        row = self._db.execute(
            "SELECT round, secret, reports_root, blob_id, blob FROM commitments WHERE round = ?", (number,)
        ).fetchone()
        return None if row is None else Commitment(*row)

    def secret(self, number: int) -> bytes | None:
        """What this evaluator's samples in a round follow from."""
        known = self.commitment(number)
        return None if known is None else known.secret

    def keep_signature(self, signed: SignedRoot) -> None:
        """Keeps the latest root signed for a round: a root that was posted meanwhile changes what follows."""
        values = (signed.root.round, signed.root.packed(), signed.signature)
        self._db.execute("INSERT OR REPLACE INTO signatures VALUES (?, ?, ?)", values)

    def signature(self, number: int) -> SignedRoot | None:
        """What was signed for a round."""
        row = self._db.execute("SELECT root, signature FROM signatures WHERE round = ?", (number,)).fetchone()
        return None if row is None else SignedRoot(QualityRoot.unpacked(row[0]), row[1])

    def agrees_with(self, root: QualityRoot) -> bool:
        """Whether this evaluator computed the same root for its round, and signed it."""
        known = self.signature(root.round)
        return known is not None and known.root == root

    # --- allowances ---------------------------------------------------------------------------------------------------

    def add_asked(self, gateway: bytes, budget_wei: int) -> None:
        """One more question that leaves for a gateway, and may cost so much."""
        before_wei, asked_wei = self._allowance(gateway)
        self._keep_allowance(gateway, before_wei, asked_wei + budget_wei)

    def may_draw_wei(self, gateway: bytes, *, paid_in_wei: int) -> int:
        """What a gateway's questions may cost so far, and what its channel had been paid when it was first looked at,
        which is now where it was not before.
        """
        before_wei, asked_wei = self._allowance(gateway)
        if before_wei is None:
            before_wei = paid_in_wei
            self._keep_allowance(gateway, before_wei, asked_wei)
        return before_wei + asked_wei

    def _allowance(self, gateway: bytes) -> tuple[int | None, int]:
        query = "SELECT before_wei, asked_wei FROM allowances WHERE gateway = ?"
        before_wei, asked_wei = self._db.execute(query, (gateway,)).fetchone() or (None, 0)
        return None if before_wei is None else int(before_wei), int(asked_wei)

    def _keep_allowance(self, gateway: bytes, before_wei: int | None, asked_wei: int) -> None:
        values = gateway, None if before_wei is None else str(before_wei), str(asked_wei)
        self._db.execute("INSERT OR REPLACE INTO allowances VALUES (?, ?, ?)", values)

    # --- what is over -------------------------------------------------------------------------------------------------

    def forget_before(self, number: int) -> None:
        """Forgets the rounds before this one: nobody asks for them any more."""
        for table in ("draws", "commitments", "signatures"):
            self._db.execute(f"DELETE FROM {table} WHERE round < ?", (number,))  # noqa: S608 (fixed names)
