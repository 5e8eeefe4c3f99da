"""What a watcher has seen, on disk: final logs, how far they reach, and the contracts' terms. One chain a file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from dgrid.chain.facts import Facts
from dgrid.chain.rpc import Block, RawLog
from dgrid.machine.database import open_database, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS logs (
    block_number INTEGER NOT NULL,
    log_index INTEGER NOT NULL,
    block_hash BLOB NOT NULL,
    timestamp_s INTEGER NOT NULL,
    address BLOB NOT NULL,
    topics BLOB NOT NULL,
    data BLOB NOT NULL,
    transaction_hash BLOB NOT NULL,
    PRIMARY KEY (block_number, log_index)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
"""


Fact = TypeVar("Fact")


class Timed(msgspec.Struct, frozen=True, array_like=True):
    """A log with the time of its block."""

    log: RawLog
    timestamp_s: int


class Cursor:
    """The watcher's file."""

    def __init__(self, path: Path | None) -> None:
        """Without a path it forgets."""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = open_database(path, _SCHEMA, durable=False)

    @property
    def last(self) -> Block | None:
        """The final block up to which all logs are here."""
        return self._fact("last", Block)

    @property
    def facts(self) -> Facts | None:
        """The deployment's terms."""
        return self._fact("deployment", Facts)

    def bind(self, identity: bytes) -> None:
        """Forgets everything that was seen of other contracts or another chain id."""
        row = self._db.execute("SELECT value FROM facts WHERE name = 'identity'").fetchone()
        if row is not None and row[0] != identity:
            self.forget()
        self._db.execute("INSERT OR REPLACE INTO facts VALUES ('identity', ?)", (identity,))

    def keep_facts(self, facts: Facts) -> None:
        self._keep("deployment", facts)

    def append(self, logs: Sequence[Timed], last: Block) -> None:
        """Final logs, and how far they reach, in one transaction."""
        rows = [
            (
                *(one.log.block_number, one.log.index, one.log.block_hash, one.timestamp_s),
                *(one.log.address, b"".join(one.log.topics), one.log.data, one.log.transaction_hash),
            )
            for one in logs
        ]
        with transaction(self._db):
            self._db.executemany("INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._keep("last", last)

    def logs(self) -> Iterator[Timed]:
        """All logs in order."""
        columns = "block_number, log_index, block_hash, timestamp_s, address, topics, data, transaction_hash"
        for row in self._db.execute(f"SELECT {columns} FROM logs ORDER BY block_number, log_index"):  # noqa: S608
            number, index, block_hash, timestamp_s, address, topics, data, transaction = row
            split = tuple(topics[at : at + 32] for at in range(0, len(topics), 32))
            yield Timed(RawLog(address, split, data, number, block_hash, transaction, index), timestamp_s)

    def forget(self) -> None:
        """Forgets the chain: it is another one, or lost what it had called final."""
        with transaction(self._db):
            self._db.execute("DELETE FROM logs")
            self._db.execute("DELETE FROM facts WHERE name != 'identity'")

    def close(self) -> None:
        self._db.close()

    def _keep(self, name: str, value: object) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, msgspec.msgpack.encode(value)))

    def _fact(self, name: str, kind: type[Fact]) -> Fact | None:
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else msgspec.msgpack.decode(row[0], type=kind)
