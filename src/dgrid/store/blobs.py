"""Blobs as files named by their content: whole and fsynced before anyone promises to keep them, checked when read."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from dgrid.core.errors import CheckFailed, StorageUnavailable
from dgrid.core.keccak import keccak

_DRAFT = ".draft"


class BlobStore:
    """A folder of blobs with a limit on its size. One process writes to it."""

    def __init__(self, folder: Path, *, capacity_bytes: int) -> None:
        self.folder, self._capacity = folder, capacity_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for draft in folder.glob(f"*/*{_DRAFT}"):  # a crash while writing: the sender still has it and sends again
            draft.unlink()
        self.used_bytes = sum(path.stat().st_size for path in folder.glob("*/*"))

    def put(self, blob_id: bytes, blob: bytes) -> None:
        """Stores a blob for good. Raises CheckFailed when it is not the named one, StorageUnavailable."""
        if keccak(blob) != blob_id:
            raise CheckFailed("the blob is not the one its name says")
        self.keep(blob_id, blob)

    def keep(self, blob_id: bytes, blob: bytes) -> None:
        """Stores a blob under the name that whoever made it has just computed. Raises StorageUnavailable."""
        if self.has(blob_id):
            return
        if self.used_bytes + len(blob) > self._capacity:
            raise StorageUnavailable("the archive is full", hint="raise capacity_bytes, or free the disk")
        try:
            self._write(self._path(blob_id), blob)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise StorageUnavailable("the disk is full" if full else f"the disk fails: {error.strerror}") from error
        self.used_bytes += len(blob)

    def get(self, blob_id: bytes) -> bytes | None:
        """A blob, or None. Raises CheckFailed when the file was altered; it is set aside then."""
        path = self._path(blob_id)
        try:
            blob = path.read_bytes()
        except FileNotFoundError:
            return None
        if keccak(blob) != blob_id:
            path.replace(path.with_suffix(".altered"))
            raise CheckFailed("the blob's file was altered on disk")
        return blob

    def has(self, blob_id: bytes) -> bool:
        """Whether a file of that name is here; reading it is what checks it."""
        return self._path(blob_id).exists()

    def forget(self, blob_id: bytes) -> None:
        """Takes a blob off the disk: others keep it now."""
        path = self._path(blob_id)
        if path.exists():
            self.used_bytes -= path.stat().st_size
            path.unlink()

    def ids(self) -> Iterator[bytes]:
        """The names of all blobs."""
        for path in self.folder.glob("*/*"):
            if not path.suffix:
                yield bytes.fromhex(path.name)

    def _path(self, blob_id: bytes) -> Path:
        name = blob_id.hex()
        return self.folder / name[:2] / name

    def _write(self, path: Path, blob: bytes) -> None:
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700)
            _sync_folder(self.folder)
        draft = path.with_suffix(_DRAFT)
        try:
            with draft.open("wb") as file:
                file.write(blob)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """A new name survives a power cut only once its folder is on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
