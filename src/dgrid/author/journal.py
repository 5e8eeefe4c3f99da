"""An author's canaries on disk: what was committed to, what was sent, what came back, what was opened.

A batch is here before its root goes on chain, a canary before its request goes out: killed anywhere, the author goes on
where it was, sends nothing twice under another name, and asks none of its own questions twice. Holds the answers'
texts, so it is its owner's alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from dgrid.author.naming import VIRTUAL_NAMES
from dgrid.author.planning import PlannedCanary, batch_root
from dgrid.core.identity import Address
from dgrid.core.merkle import SumTree
from dgrid.machine.database import open_database, transaction
from dgrid.wire.quality import Canary, TaskType, canary_item, tree_of_items

FILE_NAME = "canaries.sqlite"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    epoch INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    is_committed INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS canaries (
    epoch INTEGER NOT NULL REFERENCES batches (epoch),
    place INTEGER NOT NULL,
    nonce BLOB NOT NULL,
    body BLOB NOT NULL,
    model TEXT NOT NULL,
    streamed INTEGER NOT NULL,
    reference TEXT NOT NULL,
    task TEXT NOT NULL,
    gateway BLOB NOT NULL,
    account INTEGER NOT NULL,
    send_at_ms INTEGER NOT NULL,
    idempotency_key TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'answered', 'lost')),
    lane INTEGER,
    sequence INTEGER,
    salt BLOB,
    output TEXT,
    receipt_id TEXT,
    PRIMARY KEY (epoch, place)
) STRICT;
CREATE INDEX IF NOT EXISTS canaries_by_state ON canaries (state, send_at_ms);
CREATE TABLE IF NOT EXISTS own_questions (
    name BLOB PRIMARY KEY  -- of each that was ever planned: an epoch is forgotten, what was asked is not
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS virtual_names (
    name TEXT PRIMARY KEY,
    model TEXT NOT NULL,  -- that answered the latest canary of that name
    epoch INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS openings (
    gateway BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    is_opened INTEGER NOT NULL,
    PRIMARY KEY (gateway, epoch)
) STRICT;
"""
_COLUMNS = "epoch, place, nonce, body, model, streamed, reference, task, gateway, account, send_at_ms, idempotency_key"


class CanaryState(StrEnum):
    """How far a canary has come."""

    WAITING = "waiting"
    SENT = "sent"  # perhaps: the request may be on its way
    ANSWERED = "answered"
    LOST = "lost"  # no answer, or one that belongs to another epoch: it is never opened


@dataclass(frozen=True, slots=True)
class KeptCanary:
    """A canary to be sent. The key makes sending it again the same request."""

    epoch: int
    place: int
    body: bytes
    model: str
    streamed: bool
    gateway: Address
    account: int
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Served:
    """Where a canary's receipt stands, what proves its content, and which model answered."""

    epoch: int
    lane: int
    sequence: int
    salt: bytes
    output: str
    receipt_id: str
    model: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What was committed to for an epoch, or is about to be."""

    epoch: int
    root: bytes
    is_committed: bool


@dataclass(frozen=True, slots=True)
class OpenedBatch:
    """What is shown of an epoch's batch: how many leaves its tree has, and one gateway's canaries."""

    committed: int
    canaries: tuple[Canary, ...]


class Journal:
    """One author's canaries."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        self._db = open_database(path, _SCHEMA, durable=False)

    def close(self) -> None:
        self._db.close()

    # --- batches ------------------------------------------------------------------------------------------------------

    def add_batch(self, epoch: int, batch: Sequence[PlannedCanary], *, keys: Sequence[str]) -> Batch:
        """Keeps an epoch's canaries, in one transaction; the batch that is there already stays. At least one canary."""
        root, marks = batch_root(batch), ", ".join("?" * 12)
        with transaction(self._db):
            if (known := self.batch(epoch)) is not None:
                return known
            self._db.execute("INSERT INTO batches VALUES (?, ?, 0)", (epoch, root))
            rows = [_row(epoch, place, one, key) for place, (one, key) in enumerate(zip(batch, keys, strict=True))]
            insert = f"INSERT INTO canaries ({_COLUMNS}, state) VALUES ({marks}, 'waiting')"  # noqa: S608 fixed
            self._db.executemany(insert, rows)
            own = [(one.task.question,) for one in batch if one.task.question]
            self._db.executemany("INSERT OR IGNORE INTO own_questions VALUES (?)", own)
        return Batch(epoch, root, is_committed=False)

    def batch(self, epoch: int) -> Batch | None:
        row = self._db.execute("SELECT epoch, root, is_committed FROM batches WHERE epoch = ?", (epoch,)).fetchone()
        return None if row is None else Batch(row[0], row[1], bool(row[2]))

    def own_questions(self) -> frozenset[bytes]:
        """The names of all own questions that were ever planned."""
        return frozenset(name for (name,) in self._db.execute("SELECT name FROM own_questions"))

    def note_committed(self, epoch: int) -> None:
        self._db.execute("UPDATE batches SET is_committed = 1 WHERE epoch = ?", (epoch,))

    # --- canaries -----------------------------------------------------------------------------------------------------

    def due(self, epoch: int, *, now_ms: int) -> list[KeptCanary]:
        """Those to be sent now, and those of which it is not known whether they were."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM canaries JOIN batches USING (epoch) WHERE epoch = ? AND is_committed"  # noqa: S608
            " AND (state = 'sent' OR state = 'waiting' AND send_at_ms <= ?) ORDER BY send_at_ms",
            (epoch, now_ms),
        )
        return [_kept(row) for row in rows]

    def note_sending(self, canary: KeptCanary) -> None:
        self._set(canary, CanaryState.SENT)

    def note_lost(self, canary: KeptCanary) -> None:
        self._set(canary, CanaryState.LOST)

    def note_served(self, canary: KeptCanary, served: Served) -> None:
        """An answer of another epoch than the one committed to can never be opened."""
        state = CanaryState.ANSWERED if served.epoch == canary.epoch else CanaryState.LOST
        found = served.lane, served.sequence, served.salt, served.output, served.receipt_id
        self._db.execute(
            "UPDATE canaries SET state = ?, lane = ?, sequence = ?, salt = ?, output = ?, receipt_id = ?"
            " WHERE epoch = ? AND place = ?",
            (state, *found, canary.epoch, canary.place),
        )
        if canary.model in VIRTUAL_NAMES:
            put = "INSERT INTO virtual_names VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET model = ?2, epoch = ?3"
            self._db.execute(put, (canary.model, served.model, served.epoch))

    def led_to(self, *, since_epoch: int) -> dict[str, str]:
        """Which model answered the latest canary that asked for each virtual name; nothing that is older."""
        return dict(self._db.execute("SELECT name, model FROM virtual_names WHERE epoch >= ?", (since_epoch,)))

    def give_up_before(self, epoch: int) -> None:
        """Whatever an earlier epoch left unanswered is lost."""
        self._db.execute(
            "UPDATE canaries SET state = 'lost' WHERE epoch < ? AND state IN ('waiting', 'sent')", (epoch,)
        )

    def counts(self) -> dict[str, int]:
        """How many canaries are in each state."""
        return dict(self._db.execute("SELECT state, count(*) FROM canaries GROUP BY state").fetchall())

    def _set(self, canary: KeptCanary, state: CanaryState) -> None:
        where = canary.epoch, canary.place
        self._db.execute("UPDATE canaries SET state = ? WHERE epoch = ? AND place = ?", (state, *where))

    # --- openings -----------------------------------------------------------------------------------------------------

    def unopened(self) -> list[tuple[Address, int]]:
        """(gateway, epoch) with answered canaries that were neither opened nor given up."""
        rows = self._db.execute(
            "SELECT DISTINCT gateway, epoch FROM canaries WHERE state = 'answered'"
            " EXCEPT SELECT gateway, epoch FROM openings"
        )
        return [(Address(gateway), epoch) for gateway, epoch in rows]

    def opened(self, gateway: Address, epoch: int) -> OpenedBatch:
        """All that a gateway served of an epoch's canaries, each with its way to the root, by their leaves' places."""
        items = self._db.execute(
            "SELECT nonce, body, reference FROM canaries WHERE epoch = ? ORDER BY place", (epoch,)
        ).fetchall()
        tree = tree_of_items([canary_item(*item) for item in items])
        rows = self._db.execute(
            "SELECT lane, sequence, salt, body, reference, task, output, nonce, place FROM canaries"
            " WHERE epoch = ? AND gateway = ? AND state = 'answered' ORDER BY lane, sequence",
            (epoch, gateway),
        )
        return OpenedBatch(tree.count, tuple(_canary(row, tree) for row in rows))

    def note_opened(self, gateway: Address, epoch: int, *, is_opened: bool) -> None:
        self._db.execute("INSERT OR IGNORE INTO openings VALUES (?, ?, ?)", (gateway, epoch, int(is_opened)))

    def forget_before(self, epoch: int) -> None:
        """Drops epochs that nobody asks about any more."""
        for table in ("canaries", "openings", "batches"):
            self._db.execute(f"DELETE FROM {table} WHERE epoch < ?", (epoch,))  # noqa: S608 fixed names


def _row(epoch: int, place: int, one: PlannedCanary, key: str) -> tuple[Any, ...]:
    task = one.task
    known = one.nonce, task.body, task.model, int(task.streamed), task.reference, task.kind.value
    return epoch, place, *known, one.gateway, one.account, one.send_at_ms, key


def _kept(row: tuple[Any, ...]) -> KeptCanary:
    epoch, place, _, body, model, streamed, _, _, gateway, account, _, key = row
    return KeptCanary(epoch, place, body, model, bool(streamed), Address(gateway), account, key)


def _canary(row: tuple[Any, ...], tree: SumTree) -> Canary:
    lane, sequence, salt, body, reference, task, output, nonce, place = row
    path = tuple(step.hash for step in tree.path(place))
    return Canary(lane, sequence, salt, body, reference, TaskType(task), output, nonce, place, path)
