"""SQLite files, all opened alike: a log that is written ahead, and no transaction but those that somebody begins."""

import sqlite3
from contextlib import suppress
from pathlib import Path


def open_database(path: Path | None, schema: str, *, durable: bool) -> sqlite3.Connection:
    """The file, made where there is none; without a path it is forgotten with the process. Raises sqlite3.Error.

    What was committed to a `durable` file is there after a loss of power; another file may then have lost its last
    moments, and nothing else.
    """
    db = sqlite3.connect(":memory:" if path is None else path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    db.executescript(schema)
    return db


class transaction:  # noqa: N801 - reads as a statement
    """All that is written in the block, or none of it: BEGIN IMMEDIATE … COMMIT, or ROLLBACK. Raises sqlite3.Error."""

    __slots__ = ("_db",)

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            try:
                self._db.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
        else:
            self._roll_back()

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some failures
            self._db.execute("ROLLBACK")
