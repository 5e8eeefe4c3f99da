"""How an evaluator votes, fixed on disk before anybody hears of it: a restart opens the same vote with the same salt.

Fixed once a case and stage, whatever the chain does afterwards, with the blob that the vote rests on: nobody else has
that before votes are opened. Bounded: votes of cases long over are forgotten, and a blob once an archive has it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dgrid.machine.database import open_database, transaction

FILE_NAME: Final = "cases.sqlite"
VOTES_KEPT: Final = 1024
BLOBS_KEPT: Final = 128  # votes back; it sits in eight cases at once

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS votes (
    number INTEGER PRIMARY KEY,
    case_id BLOB NOT NULL,
    stage INTEGER NOT NULL,
    guilty INTEGER NOT NULL,
    evidence BLOB NOT NULL,
    salt BLOB NOT NULL,
    UNIQUE (case_id, stage)
) STRICT;
CREATE TABLE IF NOT EXISTS blobs (
    number INTEGER PRIMARY KEY REFERENCES votes,
    blob BLOB NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class FixedVote:
    """What an evaluator stands by in one stage of a case."""

    case: bytes
    stage: int
    guilty: bool
    evidence: bytes  # names the blob that the vote rests on; zero where it rests on none
    salt: bytes


class VoteJournal:
    """One evaluator's votes. One process writes to it."""

    def __init__(self, path: Path) -> None:
        self._db = open_database(path, _SCHEMA, durable=True)

    def close(self) -> None:
        self._db.close()

    def fix(self, vote: FixedVote, *, blob: bytes = b"") -> FixedVote:
        """Fixes a vote for good, with the blob that is still to be shown; returns the one that was fixed first."""
        values = (vote.case, vote.stage, vote.guilty, vote.evidence, vote.salt)
        columns = "case_id, stage, guilty, evidence, salt"
        with transaction(self._db):
            fixed = self._db.execute(f"INSERT OR IGNORE INTO votes ({columns}) VALUES (?, ?, ?, ?, ?)", values)  # noqa: S608
            if fixed.rowcount and blob:
                self._db.execute("INSERT INTO blobs VALUES (?, ?)", (fixed.lastrowid, blob))
            for table, kept in (("votes", VOTES_KEPT), ("blobs", BLOBS_KEPT)):
                self._db.execute(f"DELETE FROM {table} WHERE number <= (SELECT max(number) FROM votes) - ?", (kept,))  # noqa: S608
        found = self.vote(vote.case, vote.stage)
        assert found is not None
        return found

    def vote(self, case: bytes, stage: int) -> FixedVote | None:
        """What was fixed for a stage of a case."""
        row = self._db.execute(
            "SELECT case_id, stage, guilty, evidence, salt FROM votes WHERE case_id = ? AND stage = ?", (case, stage)
        ).fetchone()
        return None if row is None else FixedVote(row[0], row[1], bool(row[2]), row[3], row[4])

    def blob(self, case: bytes, stage: int) -> bytes | None:
        """What the vote rests on, until it was `shown`."""
        sql = "SELECT blob FROM blobs JOIN votes USING (number) WHERE case_id = ? AND stage = ?"
        row = self._db.execute(sql, (case, stage)).fetchone()
        return None if row is None else bytes(row[0])

    def unshown(self) -> frozenset[tuple[bytes, int]]:
        """The stages of cases whose blob no archive has yet."""
        return frozenset(self._db.execute("SELECT case_id, stage FROM blobs JOIN votes USING (number)"))

    def shown(self, case: bytes, stage: int) -> None:
        """Forgets a blob that an archive has."""
        of = "number IN (SELECT number FROM votes WHERE case_id = ? AND stage = ?)"
        self._db.execute(f"DELETE FROM blobs WHERE {of}", (case, stage))  # noqa: S608 (fixed text)
