"""SQLite files, all opened alike: a log that is written ahead, and no transaction but those that somebody begins."""

import sqlite3
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
