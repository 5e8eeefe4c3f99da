"""A channel's book: what its receipts show as used, and the most that each request under way may cost.

A change is one line at the file's end, written before the voucher that rests on it leaves: a proxy that is killed goes
on where it was. From time to time, and before the first change, the file is written anew with what still counts, and
flushed; single lines are not: a power cut may lose the last ones, and no money. Every line says what was used up to
it, so whichever are damaged, the next whole one makes up for them: at most a promise is missing, or stands until it
ends. One process writes to a folder's books. Refuses to take a book that cannot be read, or of which no line can, for
an empty one: it would be written over, and receipts that count on from what it held be refused.
"""

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec

from dgrid.core.errors import StorageUnavailable
from dgrid.core.identity import to_hex
from dgrid.wire.decoding import decode_with

logger = logging.getLogger(__name__)

LINES_MAX: Final = 1_024  # a file is read in some milliseconds
Amount = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,78}$")]


class PromisedFee(msgspec.Struct, frozen=True):
    """A request under way: the most it may cost, until when."""

    max_fee_wei: int
    deadline_ms: int


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request is promised a fee; or is done, and what was to end up to a moment is struck with it. Either way so much
    is used by then, as the channel's receipts show it.
    """

    request: str = ""
    max_fee_wei: Amount | None = None
    deadline_ms: int = 0
    used_wei: Amount = "0"
    expired_ms: int = 0


_decoder = msgspec.json.Decoder(Line)


class ChannelBook:
    """What the file of a channel holds."""

    def __init__(self, file: Path) -> None:
        """Raises StorageUnavailable where there is a file that cannot be read, or no line of it."""
        self.used_wei = 0
        self.promises: dict[str, PromisedFee] = {}
        self._file, self._lines = file, LINES_MAX
        self._read()

    @property
    def ceiling_wei(self) -> int:
        """What was used, and all that is promised."""
        return self.used_wei + sum(promise.max_fee_wei for promise in self.promises.values())

    def promise(self, request: str, max_fee_wei: int, *, deadline_ms: int) -> None:
        """Raises OSError where it cannot be written."""
        self._keep(Line(request, str(max_fee_wei), deadline_ms, str(self.used_wei)))

    def close(self, request: str, *, used_wei: int, expired_ms: int) -> None:
        """Strikes what is settled, and promises so old that the running total holds them or never will."""
        self._keep(Line(request, used_wei=str(max(self.used_wei, used_wei)), expired_ms=expired_ms))

    def _keep(self, line: Line) -> None:
        self._take(line)
        lines, self._lines = self._lines + 1, LINES_MAX  # a line that cannot be written may stand there in part
        if lines > LINES_MAX:
            self._rewrite()
            lines = 0
        else:
            with self._file.open("ab") as file:
                file.write(msgspec.json.encode(line) + b"\n")
        self._lines = lines

    def _read(self) -> None:
        """All lines that can be read. The last may be there in part, and no voucher rests on it; another is damaged."""
        try:
            lines = [_line(data) for data in self._file.read_bytes().splitlines()]
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageUnavailable(f"the book {self._file} cannot be read: {error.strerror}") from None
        if lines and not any(lines):
            hint = "move it away: without a book the channel goes on from what the chain shows as drawn"
            raise StorageUnavailable(f"the book {self._file} is damaged: no line of it can be read", hint=hint)
        if damaged := lines[:-1].count(None):
            logger.warning("the book %s: %d damaged lines of %d are passed over", self._file, damaged, len(lines))
        for line in lines:
            if line is not None:
                self._take(line)

    def _take(self, line: Line) -> None:
        self.used_wei = max(self.used_wei, int(line.used_wei))
        if line.max_fee_wei is not None:
            self.promises[line.request] = PromisedFee(int(line.max_fee_wei), line.deadline_ms)
            return
        promises = self.promises.items()
        self.promises = {
            name: one for name, one in promises if name != line.request and one.deadline_ms > line.expired_ms
        }

    def _rewrite(self) -> None:
        used_wei, promises = str(self.used_wei), self.promises.items()
        promised = [Line(name, str(one.max_fee_wei), one.deadline_ms, used_wei) for name, one in promises]
        lines = [Line(used_wei=used_wei), *promised]
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._file.with_suffix(".new")
        with draft.open("wb") as file:
            file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave an empty file in the place of the old one
        draft.replace(self._file)


def _line(data: bytes) -> Line | None:
    try:
        return decode_with(_decoder, data)
    except ValueError:
        return None


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps a folder's books from other processes; let go of when this one ends, however it ends.

    Two that sign for one channel would each know half of what is used. Raises StorageUnavailable.
    """
    lock = os.open(folder / "books.lock", os.O_RDWR | os.O_CREAT, 0o600)
    with contextlib.closing(os.fdopen(lock)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            text = f"another process signs for the channels in {folder}"
            raise StorageUnavailable(text, hint="stop it first") from None
        yield


def book_file(folder: Path, channel_id: bytes) -> Path:
    """Where a channel's book lies."""
    return folder / "channels" / f"{to_hex(channel_id)}.jsonl"


def used_by_channel(folder: Path, channel_id: bytes) -> int:
    """What the receipts of a channel show as used, in wei; 0 where no book was kept."""
    return ChannelBook(book_file(folder, channel_id)).used_wei
