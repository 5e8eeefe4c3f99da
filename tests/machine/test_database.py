"""What is the same in every role's file."""

import sqlite3
from pathlib import Path

import pytest

from dgrid.machine.database import open_database, transaction

SCHEMA = "CREATE TABLE IF NOT EXISTS words (word TEXT NOT NULL) STRICT;"


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_a_durable_file_waits_for_the_disk_at_each_commit(tmp_path: Path, *, durable: bool, level: int) -> None:
    db = open_database(tmp_path / "words.sqlite", SCHEMA, durable=durable)
    assert db.execute("PRAGMA synchronous").fetchone() == (level,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_what_was_written_is_there_for_the_next_who_opens(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    first = open_database(path, SCHEMA, durable=True)
    first.execute("INSERT INTO words VALUES ('kept')")  # no transaction waits to be committed
    second = open_database(path, SCHEMA, durable=True)
    assert second.execute("SELECT word FROM words").fetchall() == [("kept",)]
    first.close()
    second.close()


def test_without_a_path_each_opens_its_own() -> None:
    first, second = (open_database(None, SCHEMA, durable=True) for _ in range(2))
    first.execute("INSERT INTO words VALUES ('forgotten')")
    assert second.execute("SELECT word FROM words").fetchall() == []
    first.close()
    second.close()


def write(db: sqlite3.Connection, *statements: str) -> None:
    with transaction(db):
        for statement in statements:
            db.execute(statement)


def test_of_a_block_that_fails_nothing_is_kept_and_the_next_one_can_begin() -> None:
    db = open_database(None, SCHEMA, durable=True)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        write(db, "INSERT INTO words VALUES ('lost')", "INSERT INTO nowhere VALUES (1)")
    write(db, "INSERT INTO words VALUES ('kept')")
    assert db.execute("SELECT word FROM words").fetchall() == [("kept",)]
    db.close()


def test_a_failure_is_told_as_it_was_where_sqlite_has_rolled_back_by_itself() -> None:
    db = open_database(None, SCHEMA, durable=True)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        write(db, "ROLLBACK", "INSERT INTO nowhere VALUES (1)")
    db.close()
