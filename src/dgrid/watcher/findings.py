"""What a watcher found and what became of it, on disk: read by people, and by itself so as not to say a thing twice."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dgrid.core.identity import Address
from dgrid.machine.database import open_database

KEPT = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS findings (
    label TEXT PRIMARY KEY,
    gateway BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    challenge INTEGER NOT NULL,
    text TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('convicted', 'refused', 'unprovable')),
    reason TEXT NOT NULL,
    found_at_ms INTEGER NOT NULL
) STRICT;
"""


class FindingOutcome(StrEnum):
    """What became of a finding."""

    CONVICTED = "convicted"
    REFUSED = "refused"  # the contract does not see it so, or somebody was faster
    UNPROVABLE = "unprovable"  # wrong, but no contract can be shown it


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found."""

    label: str
    gateway: Address
    epoch: int
    challenge: int  # its number; 0 for what no challenge is about
    text: str
    outcome: FindingOutcome
    reason: str
    found_at_ms: int


class Findings:
    """The latest findings."""

    def __init__(self, path: Path | None) -> None:
        self._db = open_database(path, _SCHEMA, durable=True)

    def close(self) -> None:
        self._db.close()

    def note(self, finding: Finding) -> None:
        """Keeps a finding; under the same label the latest outcome counts."""
        values = finding.label, finding.gateway, finding.epoch, finding.challenge, finding.text
        outcome = finding.outcome, finding.reason, finding.found_at_ms
        self._db.execute("INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, *outcome))
        kept = "SELECT label FROM findings ORDER BY found_at_ms DESC LIMIT ?"
        self._db.execute(f"DELETE FROM findings WHERE label NOT IN ({kept})", (KEPT,))  # noqa: S608 (fixed text)

    def latest(self, count: int) -> list[Finding]:
        """The newest first."""
        found = self._db.execute("SELECT * FROM findings ORDER BY found_at_ms DESC, rowid DESC LIMIT ?", (count,))
        return [
            Finding(label, Address(gateway), epoch, challenge, text, FindingOutcome(outcome), reason, at_ms)
            for label, gateway, epoch, challenge, text, outcome, reason, at_ms in found
        ]
