"""The ledger's file: opening it, its log, and the lock that keeps other processes out."""

import fcntl
import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from dgrid.core.errors import StorageUnavailable
from dgrid.store.ledger_rows import LaneLost

LEDGER_NAME = "ledger.sqlite"
CHECKPOINT_ROWS = 2048  # changed since the last one; each changes about a page of the log, of 4 kB
CHECKPOINT_HARD_BYTES = 256 * 1024 * 1024

logger = logging.getLogger(__name__)


def open_database(path: Path) -> sqlite3.Connection:
    """A connection that leaves transactions and checkpoints to us. Raises StorageUnavailable."""
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=5.0, cached_statements=256)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("PRAGMA cache_size = -4000")
    except sqlite3.Error as error:
        raise storage_failure(error) from error
    return db


def storage_failure(error: Exception) -> StorageUnavailable:
    """What a caller is told when the disk is full or broken."""
    return StorageUnavailable(
        f"the gateway cannot write its ledger: {error}",
        hint="nothing was billed; try again, or use another gateway",
        retry_after_ms=1000,
    )


def lock_folder(folder: Path) -> int:
    """Holds the folder until the process ends, however it ends. Raises LaneLost."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "ledger.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise LaneLost(f"another process uses the ledger in {folder}", hint="stop it first") from None
    return lock


def shorten_log(path: Path) -> None:
    """Moves the log into the file. A very long one makes writers wait for it."""
    log = path.with_name(path.name + "-wal")
    try:
        size = log.stat().st_size
        with closing(open_database(path)) as db:
            db.execute("PRAGMA wal_checkpoint(" + ("TRUNCATE" if size > CHECKPOINT_HARD_BYTES else "PASSIVE") + ")")
    except (sqlite3.Error, OSError, StorageUnavailable) as error:
        logger.warning("the ledger's log stays long: %s", error)
