"""A channel's book: on disk before a voucher leaves, one line a change, and the same whenever it is opened again."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.client import book
from dgrid.client.book import ChannelBook, book_file, held, used_by_channel
from dgrid.core.errors import StorageUnavailable

CHANNEL = bytes(32)
FEE_WEI = 10**18
NAMES, PROMISED_MAX = st.sampled_from(("a", "b", "c", "d")), 4


class Step(NamedTuple):
    """A request is promised so much until then, or done."""

    name: str
    wei: int
    moment_ms: int
    is_promise: bool


STEPS = st.lists(st.builds(Step, NAMES, st.integers(0, 10**30), st.integers(1, 50), st.booleans()), max_size=30)
PROMISES = st.builds(Step, NAMES, st.integers(0, 10**30), st.integers(1, 50), st.just(True))


def do(one: ChannelBook, step: Step) -> None:
    if step.is_promise:
        one.promise(step.name, step.wei, deadline_ms=step.moment_ms)
    else:
        one.close(step.name, used_wei=step.wei, expired_ms=step.moment_ms)


def state(one: ChannelBook) -> tuple[int, dict[str, int]]:
    return one.used_wei, {name: promise.max_fee_wei for name, promise in one.promises.items()}


def test_it_is_the_same_when_it_is_opened_again_however_often_it_was_written_anew(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    @given(STEPS, st.integers(0, 4))
    def holds(steps: list[Step], lines_max: int) -> None:
        monkeypatch.setattr(book, "LINES_MAX", lines_max)
        file = tmp_path_factory.mktemp("book") / "channels" / "one.jsonl"
        one = ChannelBook(file)
        for step in steps:
            do(one, step)
            assert state(ChannelBook(file)) == state(one)
            assert len(file.read_bytes().splitlines()) <= 1 + PROMISED_MAX + lines_max

    holds()


@given(steps=st.lists(PROMISES, min_size=1, max_size=9))
def test_a_line_that_is_there_in_part_takes_nothing_along(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    file = tmp_path_factory.mktemp("book") / "one.jsonl"
    one = ChannelBook(file)
    states = [state(one)]
    for step in steps:
        do(one, step)
        states.append(state(one))
    whole = file.read_bytes()
    for length in range(len(whole) - 1, whole.rstrip(b"\n").rfind(b"\n"), -1):
        file.write_bytes(whole[:length])
        assert state(ChannelBook(file)) in states[-2:]
        again = ChannelBook(file)
        again.promise("e", 5, deadline_ms=0)
        assert state(ChannelBook(file)) == state(again)


@given(steps=st.lists(st.builds(Step, NAMES, st.integers(0, 10**30), st.integers(1, 50), st.booleans()), min_size=3))
def test_a_damaged_line_takes_nothing_of_what_follows_it(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    """Whichever it is: all that is used stays, and every promise but its own."""
    file = tmp_path_factory.mktemp("book") / "one.jsonl"
    one = ChannelBook(file)
    for step in steps:
        do(one, step)
    lines = file.read_bytes().splitlines(keepends=True)
    for at, line in enumerate(lines[:-1]):
        file.write_bytes(b"".join([*lines[:at], line[:7], b"\0\n", *lines[at + 1 :]]))
        used_wei, promised = state(ChannelBook(file))
        assert used_wei == one.used_wei
        assert promised.keys() >= one.promises.keys() - {json.loads(line).get("request")}


def test_damage_is_said_and_a_last_line_that_is_there_in_part_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "one.jsonl"
    one = ChannelBook(file)
    for name in "abc":
        one.promise(name, FEE_WEI, deadline_ms=1)
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    ChannelBook(file)
    assert not caplog.records
    file.write_bytes(whole[:9] + b"\0" + whole[10:])
    ChannelBook(file)
    assert "1 damaged lines of 4 are passed over" in caplog.text


@pytest.mark.parametrize("data", [b"nonsense", b"\0" * 80, b"\0\n\0\n", b"[" * 100_000, b'{"used_wei":"-1"}\n'])
def test_a_book_of_which_no_line_can_be_read_is_not_taken_for_an_empty_one(tmp_path: Path, data: bytes) -> None:
    file = book_file(tmp_path, CHANNEL)
    file.parent.mkdir()
    file.write_bytes(data)
    with pytest.raises(StorageUnavailable, match="damaged") as refused:
        ChannelBook(file)
    assert "move it away" in refused.value.hint
    assert file.read_bytes() == data


def test_a_change_is_one_line_however_many_requests_are_under_way(tmp_path: Path) -> None:
    few, many = ChannelBook(tmp_path / "few.jsonl"), ChannelBook(tmp_path / "many.jsonl")
    for number in range(500):
        many.promise(f"{number:03}", FEE_WEI, deadline_ms=1)
    few.promise("000", FEE_WEI, deadline_ms=1)
    sizes = [path.stat().st_size for path in (tmp_path / "few.jsonl", tmp_path / "many.jsonl")]
    for one in (few, many):
        one.promise("abc", FEE_WEI, deadline_ms=1)
    grown = [path.stat().st_size for path in (tmp_path / "few.jsonl", tmp_path / "many.jsonl")]
    assert grown[0] - sizes[0] == grown[1] - sizes[1] < 100


def test_a_disk_that_was_full_for_a_moment_leaves_a_whole_book(tmp_path: Path) -> None:
    file = book_file(tmp_path, CHANNEL)
    one = ChannelBook(file)
    one.promise("a", FEE_WEI, deadline_ms=1)
    held = file.read_bytes()
    file.unlink()
    file.mkdir()  # nothing can be written there
    with pytest.raises(OSError, match="directory"):
        one.promise("b", FEE_WEI, deadline_ms=1)
    file.rmdir()
    file.write_bytes(held + b'{"request":"b","max')
    one.close("a", used_wei=7, expired_ms=0)
    assert state(ChannelBook(file)) == (7, {"b": FEE_WEI})
    assert used_by_channel(tmp_path, CHANNEL) == 7


def test_a_book_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    file = book_file(tmp_path, CHANNEL)
    file.mkdir(parents=True)  # as any fault of the disk
    with pytest.raises(StorageUnavailable, match="cannot be read"):
        ChannelBook(file)
    with pytest.raises(StorageUnavailable, match="cannot be read"):
        used_by_channel(tmp_path, CHANNEL)


def test_two_processes_never_write_to_one_folders_books(tmp_path: Path) -> None:
    program = "import sys, pathlib, dgrid.client.book as b\nwith b.held(pathlib.Path(sys.argv[1])): pass"
    again = [sys.executable, "-c", program]
    with held(tmp_path):
        tried = subprocess.run([*again, str(tmp_path)], check=False, capture_output=True, text=True)
        assert "another process signs" in tried.stderr
    assert subprocess.run([*again, str(tmp_path)], check=False).returncode == 0


def test_what_is_written_anew_is_flushed_before_it_takes_the_old_ones_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: flushed.append(os.fstat(number).st_size))
    file = book_file(tmp_path, CHANNEL)
    ChannelBook(file).promise("a", FEE_WEI, deadline_ms=1)
    assert flushed == [file.stat().st_size]


def test_a_channel_without_a_book_has_used_nothing(tmp_path: Path) -> None:
    assert used_by_channel(tmp_path, CHANNEL) == 0
    assert not list(tmp_path.iterdir())
