"""Contents: back as they were for whoever names the receipt, across crashes, within bounds, for nobody else to read."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.places import Place
from dgrid.store.contents import EPOCHS_KEPT, Contents
from dgrid.wire.quality import Content

RECEIPT = b"\x07" * 32


def content(text: str = "Oslo", size: int = 0) -> Content:
    return Content(b"\x01" * 32, b'{"model":"tiny"}' + bytes(size), text, b"evidence")


def opened(folder: Path, capacity_bytes: int = 10**6) -> Contents:
    return Contents(folder / "contents", capacity_bytes=capacity_bytes)


def kept(contents: Contents, *places: Place, size: int = 0) -> None:
    for place in places:
        contents.keep(place, RECEIPT, content=content(f"answer {place.sequence}", size))
    contents.flush()


def test_a_content_comes_back_for_its_receipt_and_for_no_other(tmp_path: Path) -> None:
    contents, place = opened(tmp_path), Place(3, 0, 5)
    kept(contents, place)
    assert contents.get(place, RECEIPT) == content("answer 5")
    assert contents.get(place, bytes(32)) is None
    assert contents.get(Place(3, 0, 4), RECEIPT) is None
    assert contents.get(Place(3, 1, 5), RECEIPT) is None
    assert contents.get(Place(4, 0, 5), RECEIPT) is None


def test_what_was_flushed_survives_a_kill_and_what_was_half_written_is_cut_off(tmp_path: Path) -> None:
    contents = opened(tmp_path)
    kept(contents, *(Place(1, 0, at) for at in range(4)))
    path = tmp_path / "contents" / "1.contents"
    whole = path.stat().st_size
    for torn in range(1, 60):
        with path.open("r+b") as file:
            file.truncate(whole - torn)
        again = opened(tmp_path)
        assert [again.get(Place(1, 0, at), RECEIPT) is not None for at in range(4)] == [True] * 3 + [False]
        kept(again, Place(1, 0, 3))
        assert opened(tmp_path).get(Place(1, 0, 3), RECEIPT) == content("answer 3")
        assert path.stat().st_size == whole


def test_a_place_given_away_twice_belongs_to_the_later_receipt(tmp_path: Path) -> None:
    contents, place = opened(tmp_path), Place(1, 0, 0)
    kept(contents, place)
    contents.keep(place, b"\x08" * 32, content=content("the one that was committed"))
    contents.flush()
    for store in (contents, opened(tmp_path)):
        assert store.get(place, RECEIPT) is None
        assert store.get(place, b"\x08" * 32) == content("the one that was committed")


def test_beyond_its_capacity_the_oldest_epoch_goes_first(tmp_path: Path) -> None:
    contents = opened(tmp_path, capacity_bytes=3000)
    for epoch in range(5):
        kept(contents, Place(epoch, 0, 0), size=1000)
    assert contents.epochs() == [3, 4]
    assert contents.dropped == 3
    assert contents.used_bytes <= 3000
    assert sorted(path.name for path in (tmp_path / "contents").iterdir()) == ["3.contents", "4.contents"]


def test_one_epoch_alone_never_outgrows_the_capacity(tmp_path: Path) -> None:
    contents = opened(tmp_path, capacity_bytes=3000)
    for at in range(9):
        kept(contents, Place(1, 0, at), size=1000)
    assert [contents.get(Place(1, 0, at), RECEIPT) is not None for at in range(9)] == [True] * 2 + [False] * 7
    kept(contents, Place(2, 0, 0), size=1000)
    assert contents.epochs() == [2]


def test_never_holds_more_files_than_it_may(tmp_path: Path) -> None:
    contents = opened(tmp_path)
    for epoch in range(EPOCHS_KEPT + 5):
        kept(contents, Place(epoch, 0, 0))
    assert contents.epochs() == list(range(5, EPOCHS_KEPT + 5))
    assert len(list((tmp_path / "contents").iterdir())) == EPOCHS_KEPT


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        kept(opened(tmp_path), Place(1, 0, 0))
    finally:
        os.umask(before)
    folder = tmp_path / "contents"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_round_that_is_over_leaves_nothing(tmp_path: Path) -> None:
    contents = opened(tmp_path)
    kept(contents, Place(1, 0, 0), Place(2, 0, 0))
    contents.sync()
    contents.forget(1)
    contents.forget(1)
    assert contents.epochs() == [2]
    assert [path.name for path in (tmp_path / "contents").iterdir()] == ["2.contents"]
    kept(contents, Place(2, 0, 1))
    contents.forget(2)
    contents.sync()
    assert contents.used_bytes == 0


def test_a_full_disk_keeps_nothing_of_a_tick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = opened(tmp_path)
    kept(contents, Place(1, 0, 0))
    write, calls = os.write, [30]

    def fills_up(handle: int, data: bytes) -> int:
        if not calls:
            raise OSError(28, "No space left on device")
        return write(handle, data[: calls.pop()])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fills_up)
        with pytest.raises(OSError, match="No space"):
            kept(contents, Place(1, 0, 1))
    kept(contents, Place(1, 0, 2))
    for store in (contents, opened(tmp_path)):
        assert [store.get(Place(1, 0, at), RECEIPT) is not None for at in range(3)] == [True, False, True]


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(0, 40), st.text(max_size=20)), max_size=40))
def test_the_index_read_again_is_the_index_that_was(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[int, int, int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("contents")
    contents, expected = opened(folder), dict[Place, Content]()
    for epoch, lane, sequence, text in entries:
        place = Place(epoch, lane, sequence)
        expected[place] = content(text)
        contents.keep(place, RECEIPT, content=expected[place])
        contents.flush()
    again = opened(folder)
    assert {place: again.get(place, RECEIPT) for place in expected} == expected
    assert again.used_bytes == contents.used_bytes
    contents.close()
    again.close()
