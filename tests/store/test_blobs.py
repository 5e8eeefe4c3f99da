import errno
import os
from pathlib import Path
from typing import Any

import pytest

from dgrid.core.errors import CheckFailed, StorageUnavailable
from dgrid.core.keccak import keccak
from dgrid.store.blobs import BlobStore

BLOB = b"an epoch's records"
NAME = keccak(BLOB)


def store_at(folder: Path, capacity_bytes: int = 1000) -> BlobStore:
    return BlobStore(folder / "blobs", capacity_bytes=capacity_bytes)


def test_a_blob_comes_back_and_survives_a_restart(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.put(NAME, BLOB)
    store.put(NAME, BLOB)
    assert store.get(NAME) == BLOB
    again = store_at(tmp_path)
    assert again.get(NAME) == BLOB
    assert again.used_bytes == len(BLOB)
    assert list(again.ids()) == [NAME]


def test_a_blob_under_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed):
        store_at(tmp_path).put(bytes(32), BLOB)


def test_an_altered_file_is_never_served_and_can_be_stored_anew(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.put(NAME, BLOB)
    (path,) = (tmp_path / "blobs").glob("*/*")
    path.write_bytes(BLOB[:-1] + b"!")
    with pytest.raises(CheckFailed, match="altered"):
        store.get(NAME)
    assert store.get(NAME) is None
    store.put(NAME, BLOB)
    assert store.get(NAME) == BLOB


def test_what_a_crash_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    store_at(tmp_path).put(NAME, BLOB)
    draft = tmp_path / "blobs" / NAME.hex()[:2] / "half.draft"
    draft.write_bytes(b"half")
    assert store_at(tmp_path).get(NAME) == BLOB
    assert not draft.exists()


def test_a_full_archive_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="full"):
        store_at(tmp_path, capacity_bytes=3).put(NAME, BLOB)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = store_at(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageUnavailable, match="disk is full"):
        store.put(NAME, BLOB)
    monkeypatch.undo()
    assert not list((tmp_path / "blobs").glob("*/*"))
    store.put(NAME, BLOB)
    assert store.get(NAME) == BLOB
