"""A key's transactions on disk: written before they are broadcast, kept to be sent again. Neither signs nor sends."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dgrid.machine.database import open_database, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS transactions (
    nonce INTEGER PRIMARY KEY,
    label TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'mined', 'reverted', 'displaced')),
    recipient BLOB NOT NULL,
    data BLOB NOT NULL,
    value_wei TEXT NOT NULL,
    gas INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS transactions_by_label ON transactions (label, nonce);
CREATE TABLE IF NOT EXISTS attempts (
    hash BLOB PRIMARY KEY,
    nonce INTEGER NOT NULL REFERENCES transactions (nonce),
    raw BLOB NOT NULL,
    fee_wei TEXT NOT NULL,
    tip_wei TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS attempts_by_nonce ON attempts (nonce);
"""


CREATION = b""  # the recipient of what creates a contract


class State(StrEnum):
    """What became of a transaction."""

    OPEN = "open"
    MINED = "mined"
    REVERTED = "reverted"
    DISPLACED = "displaced"  # another transaction of the same key took its nonce


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to happen, before it has a nonce."""

    label: str
    recipient: bytes
    data: bytes
    value_wei: int
    gas: int = 0  # estimated before it is journaled


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed form of a transaction; a later one pays more and replaces it."""

    hash: bytes
    raw: bytes
    fee_wei: int
    tip_wei: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction with all its attempts, the latest last."""

    nonce: int
    state: State
    intent: Intent
    attempts: tuple[Attempt, ...]


class Journal:
    """One key's transactions. Safe for several processes of one owner; SQLite keeps the order of nonces."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._open()

    def _open(self) -> None:
        self._db = open_database(self._path, _SCHEMA, durable=True)

    def bind(self, genesis_hash: bytes) -> bool:
        """Ties the journal to one chain. False when it was of another, which is then set aside under its own name."""
        row = self._db.execute("SELECT value FROM identity WHERE name = 'genesis'").fetchone()
        same = row is None or row[0] == genesis_hash
        if not same:
            self._db.close()
            self._path.replace(self._path.with_suffix(f".{row[0].hex()[:8]}"))
            for ending in ("-wal", "-shm"):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
            self._open()
        self._db.execute("INSERT OR IGNORE INTO identity VALUES ('genesis', ?)", (genesis_hash,))
        return same

    def next_nonce(self, nonce_min: int) -> int:
        """The nonce after all that are journaled, and not below `nonce_min`."""
        (highest,) = self._db.execute("SELECT max(nonce) FROM transactions").fetchone()
        return nonce_min if highest is None else max(nonce_min, int(highest) + 1)

    def add(self, intent: Intent, sign: Callable[[int], Attempt], *, nonce_min: int) -> Entry:
        """Gives the call the next nonce and its first attempt, in one transaction."""
        with transaction(self._db):
            nonce = self.next_nonce(nonce_min)
            attempt = sign(nonce)
            values = (nonce, intent.label, State.OPEN, intent.recipient, intent.data, str(intent.value_wei), intent.gas)
            self._db.execute("INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            self._insert_attempt(nonce, attempt)
        return Entry(nonce, State.OPEN, intent, (attempt,))

    def add_attempt(self, nonce: int, attempt: Attempt) -> None:
        """Another signed form of the same transaction, before it is broadcast."""
        self._insert_attempt(nonce, attempt)

    def set_state(self, nonce: int, state: State) -> None:
        self._db.execute("UPDATE transactions SET state = ? WHERE nonce = ?", (state, nonce))

    def latest(self, label: str) -> Entry | None:
        """The last transaction under a label."""
        found = self._read("WHERE label = ? ORDER BY nonce DESC LIMIT 1", (label,))
        return found[0] if found else None

    def entry(self, nonce: int) -> Entry:
        """The transaction of a nonce. Raises KeyError."""
        if not (found := self._read("WHERE nonce = ?", (nonce,))):
            raise KeyError(nonce)
        return found[0]

    def from_nonce(self, nonce: int) -> list[Entry]:
        """All transactions from a nonce on, in order."""
        return self._read("WHERE nonce >= ? ORDER BY nonce", (nonce,))

    def open_entries(self) -> list[Entry]:
        """All transactions of which nothing is known yet, in order."""
        return self._read("WHERE state = ? ORDER BY nonce", (State.OPEN,))

    def close(self) -> None:
        self._db.close()

    def _insert_attempt(self, nonce: int, attempt: Attempt) -> None:
        values = (attempt.hash, nonce, attempt.raw, str(attempt.fee_wei), str(attempt.tip_wei))
        self._db.execute("INSERT OR IGNORE INTO attempts VALUES (?, ?, ?, ?, ?)", values)

    def _read(self, where: str, values: tuple[object, ...]) -> list[Entry]:
        columns = "nonce, state, label, recipient, data, value_wei, gas"
        rows = self._db.execute(f"SELECT {columns} FROM transactions {where}", values).fetchall()  # noqa: S608 (fixed texts)
        return [
            Entry(nonce, State(state), Intent(label, to, data, int(value), gas), self._attempts(nonce))
            for nonce, state, label, to, data, value, gas in rows
        ]

    def _attempts(self, nonce: int) -> tuple[Attempt, ...]:
        rows = self._db.execute(
            "SELECT hash, raw, fee_wei, tip_wei FROM attempts WHERE nonce = ? ORDER BY rowid", (nonce,)
        )
        return tuple(Attempt(name, raw, int(fee), int(tip)) for name, raw, fee, tip in rows)
