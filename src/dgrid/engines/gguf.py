"""Reads the metadata in front of a GGUF file: tokenizer, template, context.

It never reads tensors, and it refuses a file whose lengths are beyond what a model's metadata needs, so that a
hostile file costs neither memory nor time. The format is described in ggml's ``docs/gguf.md``.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

Scalar = int | float | bool | str
Value: TypeAlias = "Scalar | list[Value]"

MAGIC: Final = b"GGUF"
VERSIONS: Final = (2, 3)
ENTRY_COUNT_MAX: Final = 4096
ARRAY_LENGTH_MAX: Final = 2_000_000
STRING_BYTES_MAX: Final = 1 << 20
STRING_TYPE: Final = 8
ARRAY_TYPE: Final = 9
NESTING_MAX: Final = 2

NUMBERS: Final[Mapping[int, struct.Struct]] = {
    kind: struct.Struct(f"<{letter}")
    for kind, letter in {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }.items()
}
"""GGUF's value types that have a fixed size."""


class NotAModelFileError(ValueError):
    """The file is not GGUF, is cut short, or states lengths that no model needs."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A little-endian cursor over an open file."""

    file: BinaryIO

    def take(self, size: int) -> bytes:
        data = self.file.read(size)
        if len(data) != size:
            raise NotAModelFileError("the file ends inside its metadata")
        return data

    def number(self, kind: int) -> int | float | bool:
        layout = NUMBERS.get(kind)
        if layout is None:
            raise NotAModelFileError(f"unknown value type {kind}")
        value: int | float | bool = layout.unpack(self.take(layout.size))[0]
        return value

    def length(self, ceiling: int) -> int:
        value = int(self.number(10))
        if value > ceiling:
            raise NotAModelFileError(f"a length of {value} is more than the {ceiling} allowed")
        return value

    def text(self) -> str:
        # Some vocabularies hold pieces that are not UTF-8; they only have to stay distinct.
        return self.take(self.length(STRING_BYTES_MAX)).decode("utf-8", "surrogateescape")

    def value(self, kind: int, depth: int = 0) -> Value:
        if kind == STRING_TYPE:
            return self.text()
        if kind != ARRAY_TYPE:
            return self.number(kind)
        if depth >= NESTING_MAX:
            raise NotAModelFileError("arrays are nested too deeply")
        return self.array(depth)

    def array(self, depth: int) -> list[Value]:
        kind, count = int(self.number(4)), self.length(ARRAY_LENGTH_MAX)
        read: Callable[[], Value]
        if kind in NUMBERS:
            size = NUMBERS[kind].size
            return list(struct.unpack(f"<{count}{NUMBERS[kind].format[1:]}", self.take(size * count)))
        read = self.text if kind == STRING_TYPE else lambda: self.value(kind, depth + 1)
        return [read() for _ in range(count)]


def read_metadata(path: Path) -> dict[str, Value]:
    """Every key and value in front of the tensors of the GGUF file at `path`.

    Raises NotAModelFileError for anything else, OSError where the file cannot be read.
    """
    with path.open("rb") as file:
        reader = Reader(file)
        if reader.take(len(MAGIC)) != MAGIC:
            raise NotAModelFileError(f"{path.name} is not a GGUF file")
        version = int(reader.number(4))
        if version not in VERSIONS:
            raise NotAModelFileError(f"GGUF version {version} is not known")
        reader.number(10)  # the number of tensors, which nobody asks for here
        count = reader.length(ENTRY_COUNT_MAX)
        return dict(read_entry(reader) for _ in range(count))


def read_entry(reader: Reader) -> tuple[str, Value]:
    key = reader.text()
    return key, reader.value(int(reader.number(4)))
