"""What a watcher remembers of the epochs it checked: enough to see whether later ones go on from them.

For each party, lane and epoch the two ends of its stretch, and for each lane how many leaves it has. On disk, bounded:
when it is full the older half is forgotten, and nothing that points there is judged any more. Never remembers content.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dgrid.chain.backlog import EVER
from dgrid.core.identity import Address
from dgrid.core.places import Place
from dgrid.machine.database import open_database, transaction
from dgrid.settlement.totals import Begin, End, Party, Stretch

STRETCHES_MAX = 4_000_000  # about 200 bytes each

_SCHEMA = """
CREATE TABLE IF NOT EXISTS epochs (
    gateway BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (gateway, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lanes (
    gateway BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    leaves INTEGER NOT NULL,
    PRIMARY KEY (gateway, epoch, lane)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stretches (
    gateway BLOB NOT NULL,
    lane INTEGER NOT NULL,
    party INTEGER NOT NULL,
    key BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    begins INTEGER NOT NULL,
    previous BLOB NOT NULL,
    before_wei TEXT NOT NULL,
    ends INTEGER NOT NULL,
    total_wei TEXT NOT NULL,
    PRIMARY KEY (gateway, lane, party, key, epoch)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stretches_by_epoch ON stretches (gateway, epoch);
CREATE TABLE IF NOT EXISTS forgotten (gateway BLOB PRIMARY KEY, epoch INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""
_FIELDS = "lane, party, key, epoch, begins, previous, before_wei, ends, total_wei"


@dataclass(frozen=True, slots=True)
class CheckedEpoch:
    """What is kept of an epoch."""

    gateway: Address
    epoch: int
    digest: bytes
    leaves: dict[int, int]  # by lane
    stretches: list[Stretch]


class Memory:
    """All gateways' checked epochs."""

    def __init__(self, path: Path | None, *, stretches_max: int = STRETCHES_MAX) -> None:
        """Without a path it forgets at its end."""
        self._stretches_max = stretches_max
        self._db = open_database(path, _SCHEMA, durable=False)
        self._count: int = self._db.execute("SELECT count(*) FROM stretches").fetchone()[0]

    def close(self) -> None:
        self._db.close()

    def keep(self, checked: CheckedEpoch) -> None:
        """Remembers an epoch, in one transaction; the same again changes nothing."""
        key = checked.gateway, checked.epoch
        with transaction(self._db):
            self._db.execute("INSERT OR REPLACE INTO epochs VALUES (?, ?, ?)", (*key, checked.digest))
            lanes = [(*key, lane, leaves) for lane, leaves in checked.leaves.items()]
            self._db.executemany("INSERT OR REPLACE INTO lanes VALUES (?, ?, ?, ?)", lanes)
            rows = [(checked.gateway, *_row(stretch)) for stretch in checked.stretches]
            self._db.executemany("INSERT OR REPLACE INTO stretches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._count += len(checked.stretches)
        if self._count > self._stretches_max:
            self._forget_half()

    def digests(self, gateway: Address, epochs: range = EVER) -> dict[int, bytes]:
        """The roots under which a gateway's epochs were checked, of some epochs or of all."""
        query = "SELECT epoch, digest FROM epochs WHERE gateway = ? AND epoch >= ? AND epoch < ?"
        return dict(self._db.execute(query, (gateway, epochs.start, epochs.stop)).fetchall())

    def forgotten_until(self, gateway: Address) -> int:
        """The last epoch of which nothing may be remembered; −1 where all is."""
        found = self._db.execute("SELECT epoch FROM forgotten WHERE gateway = ?", (gateway,)).fetchone()
        return -1 if found is None else found[0]

    def leaves(self, gateway: Address, epoch: int, *, lane: int) -> int:
        """How many leaves a checked epoch has in a lane."""
        query = "SELECT leaves FROM lanes WHERE gateway = ? AND epoch = ? AND lane = ?"
        found = self._db.execute(query, (gateway, epoch, lane)).fetchone()
        return 0 if found is None else found[0]

    def end_before(self, gateway: Address, stretch: Stretch) -> End | None:
        """How the party's chain ended before this stretch."""
        place = stretch.begin.place
        query = (
            "SELECT epoch, ends, total_wei FROM stretches WHERE gateway = ? AND lane = ? AND party = ? AND key = ?"
            " AND epoch < ? ORDER BY epoch DESC LIMIT 1"
        )
        values = gateway, place.lane, stretch.party, stretch.key, place.epoch
        found = self._db.execute(query, values).fetchone()
        return None if found is None else End(Place(found[0], place.lane, found[1]), int(found[2]))

    def has_later(self, gateway: Address, epoch: int) -> bool:
        """Whether a later epoch was checked before this one."""
        query = "SELECT 1 FROM epochs WHERE gateway = ? AND epoch > ? LIMIT 1"
        return self._db.execute(query, (gateway, epoch)).fetchone() is not None

    def later(self, gateway: Address, epoch: int) -> Iterator[Stretch]:
        """The stretches of later epochs."""
        query = f"SELECT {_FIELDS} FROM stretches WHERE gateway = ? AND epoch > ?"  # noqa: S608 (fixed names)
        return map(_stretch, self._db.execute(query, (gateway, epoch)))

    def forget(self, gateway: Address) -> None:
        """Forgets a gateway: the chain tells another story of it now."""
        with transaction(self._db):
            for table in ("epochs", "lanes", "stretches", "forgotten"):
                self._db.execute(f"DELETE FROM {table} WHERE gateway = ?", (gateway,))  # noqa: S608 (fixed names)

    def _forget_half(self) -> None:
        query = "SELECT epoch FROM stretches ORDER BY epoch LIMIT 1 OFFSET ?"
        (until,) = self._db.execute(query, (self._count // 2,)).fetchone()
        with transaction(self._db):
            for (gateway,) in self._db.execute("SELECT DISTINCT gateway FROM epochs").fetchall():
                self._db.execute("INSERT OR REPLACE INTO forgotten VALUES (?, ?)", (gateway, until))
            self._db.execute("DELETE FROM stretches WHERE epoch <= ?", (until,))
            self._db.execute("DELETE FROM lanes WHERE epoch <= ?", (until,))
        self._count = self._db.execute("SELECT count(*) FROM stretches").fetchone()[0]


def _row(stretch: Stretch) -> tuple[object, ...]:
    begin, end = stretch.begin, stretch.end
    name = begin.place.lane, int(stretch.party), stretch.key, begin.place.epoch
    previous = begin.previous.to_bytes(16, "big")
    return *name, begin.place.sequence, previous, str(begin.before), end.place.sequence, str(end.total)


def _stretch(row: tuple[Any, ...]) -> Stretch:
    lane, party, key, epoch, begins, previous, before, ends, total = row
    begin = Begin(Place(epoch, lane, begins), int.from_bytes(previous, "big"), int(before))
    return Stretch(Party(party), key, begin, End(Place(epoch, lane, ends), int(total)))
