"""Solidity's ABI for the types our contracts use: uintN, address, bool, bytesN, bytes, string, arrays, tuples.

Written here because the general library costs every process 0.3 s and 25 MB at start; a property test holds the two
equal. Refuses: signed integers and fixed-point numbers, which no contract of ours has; data cut short or out of range.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dgrid.core.keccak import keccak
from dgrid.wire.typed import Message

WORD = 32
ITEMS_MAX = 100_000  # more in one array is a lie about its length


class AbiError(ValueError):
    """Data or a value that does not fit its type."""


@dataclass(frozen=True, slots=True)
class Word:
    """A value of one word: an unsigned integer, an address, a boolean or fixed bytes."""

    name: str
    size: int  # bytes that carry the value
    is_left: bool = False  # fixed bytes stand at the word's left end
    is_dynamic = False
    head = WORD

    def encode(self, value: Any) -> bytes:
        if isinstance(value, (bytes, bytearray)):
            if len(value) != self.size or self.name.startswith("uint"):
                raise AbiError(f"{self.name} takes {self.size} bytes, not {len(value)}")
            return bytes(value).ljust(WORD, b"\0") if self.is_left else bytes(value).rjust(WORD, b"\0")
        if not isinstance(value, int) or self.is_left or self.name == "address":
            raise AbiError(f"{self.name} cannot hold a {type(value).__name__}")
        if not 0 <= value < 1 << 8 * self.size or (self.name == "bool" and value > 1):
            raise AbiError(f"{value} is out of range for {self.name}")
        return int(value).to_bytes(WORD, "big")

    def decode(self, data: bytes, at: int) -> Any:
        word = _slice(data, at, WORD)
        used, padding = (
            (word[: self.size], word[self.size :]) if self.is_left else (word[-self.size :], word[: -self.size])
        )
        if any(padding):
            raise AbiError(f"the word is not a {self.name}")
        if self.is_left or self.name == "address":
            return used
        value = int.from_bytes(used, "big")
        if self.name != "bool":
            return value
        if value > 1:
            raise AbiError("the word is not a bool")
        return bool(value)


@dataclass(frozen=True, slots=True)
class Text:
    """`bytes` or `string`."""

    name: str
    is_dynamic = True
    head = WORD

    def encode(self, value: Any) -> bytes:
        data = value.encode() if self.name == "string" else bytes(value)
        return len(data).to_bytes(WORD, "big") + data + bytes(-len(data) % WORD)

    def decode(self, data: bytes, at: int) -> Any:
        size = int.from_bytes(_slice(data, at, WORD), "big")
        content = _slice(data, at + WORD, size)
        return content.decode(errors="replace") if self.name == "string" else content


@dataclass(frozen=True, slots=True)
class Tuple:
    """A struct, or a list of arguments."""

    parts: "tuple[AbiType, ...]"
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"({','.join(part.name for part in self.parts)})"

    @property
    def is_dynamic(self) -> bool:
        return any(part.is_dynamic for part in self.parts)

    @property
    def head(self) -> int:
        return WORD if self.is_dynamic else self.inline

    @property
    def inline(self) -> int:
        """Bytes of all the heads together."""
        return sum(part.head for part in self.parts)

    def encode(self, value: Any) -> bytes:
        return _encode_parts(self.parts, _fields(value, self.names))

    def decode(self, data: bytes, at: int) -> Any:
        return _decode_parts(self.parts, data, at)


@dataclass(frozen=True, slots=True)
class Array:
    """T[] or T[n]."""

    item: "AbiType"
    length: int | None

    @property
    def name(self) -> str:
        return f"{self.item.name}[{'' if self.length is None else self.length}]"

    @property
    def is_dynamic(self) -> bool:
        return self.length is None or self.item.is_dynamic

    @property
    def head(self) -> int:
        return WORD if self.is_dynamic else self.item.head * (self.length or 0)

    def encode(self, value: Any) -> bytes:
        if self.length is not None and len(value) != self.length:
            raise AbiError(f"{self.name} takes {self.length} items")
        count = len(value).to_bytes(WORD, "big") if self.length is None else b""
        return count + _encode_parts([self.item] * len(value), value)

    def decode(self, data: bytes, at: int) -> Any:
        count = self.length
        if count is None:
            count = int.from_bytes(_slice(data, at, WORD), "big")
            at += WORD
        if count > ITEMS_MAX:
            raise AbiError("an array is longer than its data")
        return _decode_parts((self.item,) * count, data, at)


AbiType = Word | Text | Tuple | Array


def _fields(value: Any, names: Sequence[str]) -> Sequence[Any]:
    if isinstance(value, Message):
        return [getattr(value, name) for name in value.__struct_fields__]
    if isinstance(value, dict):
        return [value[name] for name in names]
    if isinstance(value, (tuple, list)):
        return value
    raise AbiError(f"cannot encode a {type(value).__name__} as a struct")


def _encode_parts(parts: Sequence[AbiType], values: Sequence[Any]) -> bytes:
    if len(parts) != len(values):
        raise AbiError(f"{len(parts)} values are wanted, {len(values)} given")
    heads: list[bytes] = []
    tails: list[bytes] = []
    at = sum(part.head for part in parts)
    for part, value in zip(parts, values, strict=True):
        encoded = part.encode(value)
        if part.is_dynamic:
            heads.append(at.to_bytes(WORD, "big"))
            tails.append(encoded)
            at += len(encoded)
        else:
            heads.append(encoded)
    return b"".join(heads + tails)


def _decode_parts(parts: Sequence[AbiType], data: bytes, start: int) -> tuple[Any, ...]:
    values, at = [], start
    for part in parts:
        where = start + int.from_bytes(_slice(data, at, WORD), "big") if part.is_dynamic else at
        values.append(part.decode(data, where))
        at += part.head
    return tuple(values)


def _slice(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise AbiError("the data is cut short")
    return data[at : at + size]


def type_of(entry: dict[str, Any]) -> AbiType:
    """The type of one parameter as a JSON ABI describes it. Raises AbiError."""
    text: str = entry["type"]
    if text.endswith("]"):
        base, _, length = text[:-1].rpartition("[")
        return Array(type_of({**entry, "type": base}), int(length) if length else None)
    if text == "tuple":
        return tuple_of(entry["components"])
    if text in ("bytes", "string"):
        return Text(text)
    if text in ("address", "bool"):
        return Word(text, 20 if text == "address" else 1)
    if text.startswith("uint"):
        return Word(text, int(text[4:]) // 8)
    if text.startswith("bytes"):
        return Word(text, int(text[5:]), is_left=True)
    raise AbiError(f"no contract of ours uses {text}")


def tuple_of(entries: Sequence[dict[str, Any]]) -> Tuple:
    """The parameters of a function, an event or an error, or a struct's components."""
    return Tuple(tuple(type_of(entry) for entry in entries), tuple(entry["name"] for entry in entries))


def selector(signature: str) -> bytes:
    """The 4 bytes that name a function or an error."""
    return keccak(signature.encode())[:4]
