"""What was said, kept for the judges: a leaf's content from its billing until its round is over, and not longer.

One file per epoch, only appended to: head (size, lane, sequence, receipt) ‖ msgpack of `Content`. In memory stands one
offset a leaf, read again from the heads at a start. `flush` goes before the ledger's commit, so no receipt outlives a
kill −9 without its content; `sync` goes before the signature. A place that a failed commit gave away twice belongs to
the later entry; whoever asks names the receipt, and gets nothing for another. Nothing in here is ever logged.

Bounded: beyond its capacity the oldest epoch goes first, and where one epoch alone is too large, it gets no more.
"""

import logging
import os
import struct
from array import array
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from threading import Lock

from dgrid.core.errors import StorageUnavailable
from dgrid.core.places import Place
from dgrid.wire.quality import Content, decode_content, encode_content

logger = logging.getLogger(__name__)

EPOCHS_KEPT = 64  # files, each with its handle
SUFFIX = ".contents"
NOWHERE = 2**64 - 1
_HEAD = struct.Struct(">IIQ32s")  # size of what follows, lane, sequence, receipt
_Entry = tuple[int, int, int, bytes]  # epoch, lane, sequence, head and content


class EpochFile:
    """One epoch's contents. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, 0
        self._offsets: dict[int, array[int]] = {}
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._read_heads(os.fstat(self._handle).st_size)

    def _read_heads(self, end: int) -> None:
        """Finds every whole entry; what a crash left half written is cut off."""
        while self.size + _HEAD.size <= end:
            size, lane, sequence, _ = _HEAD.unpack(os.pread(self._handle, _HEAD.size, self.size))
            if size == 0 or self.size + _HEAD.size + size > end:
                break
            self._note(lane, sequence)
            self.size += _HEAD.size + size
        if self.size < end:
            os.ftruncate(self._handle, self.size)

    def _note(self, lane: int, sequence: int) -> None:
        offsets = self._offsets.setdefault(lane, array("Q"))
        if sequence >= len(offsets):
            offsets.extend([NOWHERE] * (sequence + 1 - len(offsets)))
        offsets[sequence] = self.size

    def append(self, entries: list[_Entry]) -> None:
        """Writes all or nothing."""
        data = b"".join([entry[3] for entry in entries])
        try:
            written = 0
            while written < len(data):
                written += os.write(self._handle, memoryview(data)[written:])
        except OSError:
            os.ftruncate(self._handle, self.size)
            raise
        for _, lane, sequence, entry in entries:
            self._note(lane, sequence)
            self.size += len(entry)

    def read(self, lane: int, sequence: int) -> tuple[bytes, bytes] | None:
        """(receipt, content) at a place."""
        offsets = self._offsets.get(lane)
        if offsets is None or sequence >= len(offsets) or offsets[sequence] == NOWHERE:
            return None
        size, _, _, receipt = _HEAD.unpack(os.pread(self._handle, _HEAD.size, offsets[sequence]))
        return receipt, os.pread(self._handle, size, offsets[sequence] + _HEAD.size)

    def close(self) -> None:
        os.close(self._handle)


class Contents:
    """A gateway's kept contents. The event loop's thread owns it; only `sync` may run in another."""

    def __init__(self, folder: Path, *, capacity_bytes: int) -> None:
        """Takes over what an earlier process kept. Raises StorageUnavailable."""
        self.dropped = 0  # epochs and leaves that went, or were never kept, for want of room
        self._folder, self._capacity = folder, capacity_bytes
        self._waiting: list[_Entry] = []
        self._unsynced: set[Path] = set()
        self._lock = Lock()
        self._full_epoch = -1
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            self._files = {int(path.stem): EpochFile(path) for path in self._newest_first()}
        except OSError as error:
            raise contents_failure(error) from error
        self.used_bytes = sum(file.size for file in self._files.values())

    def _newest_first(self) -> Iterator[Path]:
        found = [path for path in self._folder.glob(f"*{SUFFIX}") if path.stem.isdecimal()]
        for count, path in enumerate(sorted(found, key=lambda one: -int(one.stem))):
            if count < EPOCHS_KEPT:
                yield path
            else:
                path.unlink()

    def epochs(self) -> list[int]:
        """The epochs of which something is kept, oldest first."""
        return sorted(self._files)

    def keep(self, place: Place, receipt: bytes, *, content: Content) -> None:
        """Takes a leaf's content; it is written with the next `flush`."""
        data = encode_content(content)
        head = _HEAD.pack(len(data), place.lane, place.sequence, receipt)
        self._waiting.append((place.epoch, place.lane, place.sequence, head + data))

    def flush(self) -> None:
        """Writes what was taken. Raises OSError, and then nothing of it is kept."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for epoch, group in groupby(waiting, key=_epoch_of):
            entries = list(group)
            size = sum([len(entry[3]) for entry in entries])
            if not self._has_room(epoch, size):
                self.dropped += len(entries)
                continue
            file = self._file(epoch)
            file.append(entries)
            self.used_bytes += size
            with self._lock:
                self._unsynced.add(file.path)

    def _file(self, epoch: int) -> EpochFile:
        if epoch not in self._files:
            while len(self._files) >= EPOCHS_KEPT:
                self._drop_oldest()
            self._files[epoch] = EpochFile(self._folder / f"{epoch}{SUFFIX}")
        return self._files[epoch]

    def _has_room(self, epoch: int, size: int) -> bool:
        while self.used_bytes + size > self._capacity and any(known < epoch for known in self._files):
            self._drop_oldest()
        if self.used_bytes + size <= self._capacity:
            return True
        if self._full_epoch != epoch:
            self._full_epoch = epoch
            logger.warning("epoch %d fills the room for contents: its further leaves cannot be judged", epoch)
        return False

    def _drop_oldest(self) -> None:
        oldest = min(self._files)
        logger.warning("the contents of epoch %d made room for newer ones: it cannot be judged any more", oldest)
        self.dropped += 1
        self.forget(oldest)

    def sync(self) -> None:
        """Brings what was flushed to the disk; for a thread. Raises StorageUnavailable."""
        with self._lock:
            paths, self._unsynced = self._unsynced, set()
        try:
            for path in paths:
                _sync_file(path)
        except OSError as error:
            with self._lock:
                self._unsynced |= paths
            raise contents_failure(error) from error

    def get(self, place: Place, receipt: bytes) -> Content | None:
        """The content of the leaf at a place, if it is that receipt's; None where nothing readable is kept."""
        file = self._files.get(place.epoch)
        try:
            found = None if file is None else file.read(place.lane, place.sequence)
            return None if found is None or found[0] != receipt else decode_content(found[1])
        except (OSError, ValueError) as error:
            logger.error("the content at %d/%d/%d cannot be read: %s", *place, type(error).__name__)
            return None

    def forget(self, epoch: int) -> None:
        """Deletes an epoch's contents."""
        if (file := self._files.pop(epoch, None)) is not None:
            self.used_bytes -= file.size
            file.close()
            file.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets the files go; what waits was never promised to anybody."""
        for file in self._files.values():
            file.close()
        self._files.clear()


def _epoch_of(entry: _Entry) -> int:
    return entry[0]


def _sync_file(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:  # its round is over meanwhile
        return
    try:
        os.fdatasync(handle)
    finally:
        os.close(handle)


def contents_failure(error: OSError) -> StorageUnavailable:
    """What a caller is told when contents cannot be kept."""
    return StorageUnavailable(f"the gateway cannot keep contents: {error.strerror}", retry_after_ms=1000)
