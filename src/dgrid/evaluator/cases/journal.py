"""How an evaluator votes, fixed on disk before anybody hears of it: a restart opens the same vote with the same salt.

Fixed once a case and stage, whatever the chain does afterwards. Bounded: votes of cases long over are forgotten.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dgrid.machine.database import open_database

FILE_NAME: Final = "cases.sqlite"
VOTES_KEPT: Final = 1024

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

    def fix(self, vote: FixedVote) -> FixedVote:
        """Fixes a vote for good; returns the one that was fixed first."""
        values = (vote.case, vote.stage, vote.guilty, vote.evidence, vote.salt)
        columns = "case_id, stage, guilty, evidence, salt"
        self._db.execute(f"INSERT OR IGNORE INTO votes ({columns}) VALUES (?, ?, ?, ?, ?)", values)  # noqa: S608
        self._db.execute("DELETE FROM votes WHERE number <= (SELECT max(number) FROM votes) - ?", (VOTES_KEPT,))
        found = self.vote(vote.case, vote.stage)
        assert found is not None
        return found

    def vote(self, case: bytes, stage: int) -> FixedVote | None:
        """What was fixed for a stage of a case."""
        row = self._db.execute(
            "SELECT case_id, stage, guilty, evidence, salt FROM votes WHERE case_id = ? AND stage = ?", (case, stage)
        ).fetchone()
        return None if row is None else FixedVote(row[0], row[1], bool(row[2]), row[3], row[4])
