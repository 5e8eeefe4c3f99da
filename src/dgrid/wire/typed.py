"""EIP-712 messages: one class is the Solidity struct, its hash, its packed bytes and its JSON.

A message's fields carry their Solidity type in the annotation. From that one list follow the type string, the struct
hash (EIP-712 hashStruct), the packed form (the fields' bytes side by side, fixed size) and the JSON form (camelCase
names, 0x hex, amounts as decimal strings). Hashing starts from the packed bytes, so that fields are checked and written
once for both: one `struct` call cuts them apart, another pads each to a word. A test holds the hash equal to
`eth_account`'s.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from operator import itemgetter
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_type_hints

import msgspec

from dgrid.core.keccak import keccak

SAFE_INTEGER_MAX = 2**53 - 1  # what JSON numbers carry exactly (RFC 8785)
WORD = 32
GROUPS_REMEMBERED = 4096

_astuple = msgspec.structs.astuple


@dataclass(frozen=True, slots=True)
class Solidity:
    """The Solidity type of a field."""

    name: str
    size: int
    code: str  # of `struct`; sizes that `struct` has no integer for travel as bytes

    @property
    def is_bytes(self) -> bool:
        return self.name in ("bytes32", "address")

    @property
    def is_wide(self) -> bool:
        """An integer that `struct` cannot write."""
        return not self.is_bytes and self.code.endswith("s")


Bytes32 = Annotated[bytes, Solidity("bytes32", 32, "32s")]
Address20 = Annotated[bytes, Solidity("address", 20, "20s")]
Uint8 = Annotated[int, Solidity("uint8", 1, "B")]
Uint32 = Annotated[int, Solidity("uint32", 4, "I")]
Uint40 = Annotated[int, Solidity("uint40", 5, "5s")]
Uint64 = Annotated[int, Solidity("uint64", 8, "Q")]
Uint128 = Annotated[int, Solidity("uint128", 16, "16s")]


class Message(msgspec.Struct, frozen=True, gc=False):
    """A signed message, or a group of fields inside one."""

    RECURS: ClassVar[bool] = False  # a group whose same values meet again and again: its hashes are remembered

    def struct_hash(self) -> bytes:
        """EIP-712 hashStruct. Raises ValueError on a field of the wrong size or out of range."""
        layout = layout_of(self.__class__)
        return layout.hash_of(layout.flat.pack(layout.flattened(self)))

    def packed(self) -> bytes:
        """All fields side by side in their own sizes, the groups' fields in their places."""
        layout = layout_of(self.__class__)
        return layout.flat.pack(layout.flattened(self))

    @classmethod
    def hash_of(cls, packed: bytes) -> bytes:
        """The struct hash of the message behind its packed form. Raises ValueError."""
        return layout_of(cls).hash_of(packed)

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """The message behind its packed form. Raises ValueError."""
        layout = layout_of(cls)
        if len(data) != layout.size:
            raise ValueError(f"{cls.__name__} takes {layout.size} bytes, not {len(data)}")
        return layout.build(cls, layout.flat.unpack(data))

    def to_json(self) -> dict[str, Any]:
        """Names as in the Solidity struct; bytes as 0x hex, amounts as decimal strings."""
        return {field.json_name: field.to_json(getattr(self, field.name)) for field in layout_of(type(self)).fields}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """The message behind its JSON form; unknown, missing and malformed fields are refused. Raises ValueError."""
        layout = layout_of(cls)
        if not isinstance(data, dict) or data.keys() != {field.json_name for field in layout.fields}:
            raise ValueError(f"{cls.__name__} takes exactly the fields {[field.json_name for field in layout.fields]}")
        return cls(*(field.from_json(data[field.json_name]) for field in layout.fields))


AnyMessage = TypeVar("AnyMessage", bound=Message)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: a Solidity value, or a nested group."""

    name: str
    json_name: str
    kind: Solidity | type[Message]

    @property
    def type_name(self) -> str:
        return self.kind.name if isinstance(self.kind, Solidity) else self.kind.__name__

    def to_json(self, value: Any) -> object:
        if not isinstance(self.kind, Solidity):
            return value.to_json()
        if self.kind.is_bytes:
            return "0x" + value.hex()
        return str(value) if self.kind.size > 8 else value

    def from_json(self, value: Any) -> Any:
        if not isinstance(self.kind, Solidity):
            return self.kind.from_json(value)
        return _bytes_from_json(value, self) if self.kind.is_bytes else _integer_from_json(value, self)


def _bytes_from_json(value: object, field: Field) -> bytes:
    assert isinstance(field.kind, Solidity)
    if (
        not isinstance(value, str)
        or len(value) != 2 + 2 * field.kind.size
        or value != value.lower()
        or value[:2] != "0x"
    ):
        raise ValueError(f"{field.json_name} is not {field.kind.size} bytes of lower-case 0x hex")
    return bytes.fromhex(value[2:])


def _integer_from_json(value: object, field: Field) -> int:
    assert isinstance(field.kind, Solidity)
    if field.kind.size > 8:
        if not isinstance(value, str) or not value.isascii() or not value.isdigit() or str(int(value)) != value:
            raise ValueError(f"{field.json_name} is not a decimal string")
        value = int(value)
    elif not isinstance(value, int) or isinstance(value, bool) or value > SAFE_INTEGER_MAX:
        raise ValueError(f"{field.json_name} is not a whole number")
    if not 0 <= value < 1 << 8 * field.kind.size:
        raise ValueError(f"{field.json_name} is out of range")
    return value


class Shape:
    """How a row of values is written, each in its size. Checks what `struct` would not."""

    __slots__ = ("_names", "_octets", "_pack", "_shape", "_sizes", "_take", "_wide")

    def __init__(self, fields: Sequence[tuple[str, Solidity]]) -> None:
        self._shape = struct.Struct(">" + "".join(kind.code for _, kind in fields))
        self._names = [name for name, _ in fields]
        self._octets = [at for at, (_, kind) in enumerate(fields) if kind.is_bytes]
        self._sizes = [fields[at][1].size for at in self._octets]
        self._wide = [(at, kind.size) for at, (_, kind) in enumerate(fields) if kind.is_wide]
        # The checks run for every message that is hashed: once in C over all octets, not one by one. One octet field
        # alone is taken twice, for `itemgetter` gives no tuple of one.
        if len(self._octets) == 1:
            self._octets, self._sizes = self._octets * 2, self._sizes * 2
        self._take = itemgetter(*self._octets) if self._octets else None
        self._pack = self._shape.pack

    def pack(self, values: list[Any]) -> bytes:
        """The values' bytes; the list is used up. Raises ValueError."""
        take = self._take
        if take is not None and list(map(len, take(values))) != self._sizes:  # `struct` would cut or fill them silently
            raise ValueError(self._wrong_size(values))
        try:
            for at, size in self._wide:
                values[at] = values[at].to_bytes(size, "big")
            return self._pack(*values)
        except (struct.error, OverflowError) as error:
            raise ValueError(f"a field is out of range: {error}") from None

    def unpack(self, data: bytes) -> list[Any]:
        values = list(self._shape.unpack(data))
        for at, _ in self._wide:
            values[at] = int.from_bytes(values[at], "big")
        return values

    def _wrong_size(self, values: list[Any]) -> str:
        wrong = next(at for at, size in zip(self._octets, self._sizes, strict=True) if len(values[at]) != size)
        size = self._sizes[self._octets.index(wrong)]
        return f"{self._names[wrong]} takes {size} bytes, not {len(values[wrong])}"


Hasher = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Group:
    """A message inside a message, and which of the flat form's values are its own."""

    kind: type[Message]
    values: slice


@dataclass(frozen=True, slots=True)
class Layout:
    """What follows from a message's fields, computed once a class. Groups are one level deep and come last."""

    fields: tuple[Field, ...]
    type_string: str
    type_hash: bytes
    size: int  # of the packed form
    flat: Shape
    cut: Callable[[bytes], tuple[bytes, ...]]  # the packed form into each field's bytes
    pad: Callable[..., bytes]  # those bytes into words
    plain: int  # how many fields come before the groups
    groups: tuple[Group, ...]
    parts: tuple[tuple[slice, bytes, Hasher], ...]  # each group's words, type hash, and hash function

    def flattened(self, message: Message) -> list[Any]:
        """The values of the fields, and of the groups' in their places."""
        values = _astuple(message)
        if not self.groups:
            return [*values]
        return [*values[: self.plain], *chain.from_iterable(map(_astuple, values[self.plain :]))]

    def build(self, cls: type[AnyMessage], values: list[Any]) -> AnyMessage:
        """The message with these values in its flat form."""
        for group in reversed(self.groups):
            values[group.values] = [group.kind(*values[group.values])]
        return cls(*values)

    def hash_of(self, packed: bytes) -> bytes:
        """hashStruct of the packed form. Raises ValueError."""
        if len(packed) != self.size:
            raise ValueError(f"the packed form takes {self.size} bytes, not {len(packed)}")
        words = self.pad(*self.cut(packed))
        if not self.groups:
            return keccak(self.type_hash + words)
        hashes = [hasher(type_hash + words[part]) for part, type_hash, hasher in self.parts]
        return keccak(b"".join((self.type_hash, words[: WORD * self.plain], *hashes)))


@cache
def layout_of(cls: type[Message]) -> Layout:
    """The layout of a message class."""
    hints = get_type_hints(cls, include_extras=True)
    fields = tuple(_field(name, hints[name]) for name in cls.__struct_fields__)
    type_string = _encode_type(cls, fields)
    inner = [one for field in fields for one in _inner(field)]
    sizes = [kind.size for _, kind in inner]
    groups = tuple(_groups(fields))
    return Layout(
        fields,
        type_string,
        keccak(type_string.encode()),
        sum(sizes),
        Shape(inner),
        struct.Struct("".join(f"{size}s" for size in sizes)).unpack,
        struct.Struct("".join(f"{WORD - size}x{size}s" for size in sizes)).pack,
        len(fields) - len(groups),
        groups,
        tuple(map(_part, groups)),
    )


def _part(group: Group) -> tuple[slice, bytes, Hasher]:
    words = slice(WORD * group.values.start, WORD * group.values.stop)
    return words, layout_of(group.kind).type_hash, _remembered if group.kind.RECURS else keccak


_remembered: Hasher = lru_cache(maxsize=GROUPS_REMEMBERED)(keccak)


def _inner(field: Field) -> list[tuple[str, Solidity]]:
    """What a field is in the flat form: itself, or its group's fields."""
    if isinstance(field.kind, Solidity):
        return [(field.name, field.kind)]
    return [pair for inner in layout_of(field.kind).fields for pair in _inner(inner)]


def _groups(fields: Sequence[Field]) -> Iterator[Group]:
    first, found = 0, False
    for field in fields:
        count = len(_inner(field))
        if not isinstance(field.kind, Solidity):
            yield Group(field.kind, slice(first, first + count))
        assert not found or not isinstance(field.kind, Solidity), "groups come last"
        found = not isinstance(field.kind, Solidity)
        first += count


def _field(name: str, hint: Any) -> Field:
    head, *rest = name.split("_")
    kind = hint if isinstance(hint, type) else hint.__metadata__[0]
    return Field(name, head + "".join(part.capitalize() for part in rest), kind)


def _encode_type(cls: type[Message], fields: tuple[Field, ...]) -> str:
    """EIP-712 encodeType: the struct, then the structs it holds in alphabetical order (groups are one level deep)."""
    nested = sorted(
        (field.kind for field in fields if not isinstance(field.kind, Solidity)), key=lambda kind: kind.__name__
    )
    own = f"{cls.__name__}({','.join(f'{field.type_name} {field.json_name}' for field in fields)})"
    return own + "".join(layout_of(kind).type_string for kind in nested)


@dataclass(frozen=True, slots=True)
class Domain:
    """An EIP-712 domain: which chain and contract a signature is for."""

    name: str
    chain_id: int
    verifying_contract: bytes
    separator: bytes

    def digest(self, struct_hash: bytes) -> bytes:
        """What is signed."""
        return digest_under(self.separator, struct_hash)


def digest_under(separator: bytes, struct_hash: bytes) -> bytes:
    """keccak(0x19 0x01 ‖ the domain's separator ‖ struct hash)."""
    return keccak(b"\x19\x01" + separator + struct_hash)


_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")


def domain(name: str, *, chain_id: int, verifying_contract: bytes) -> Domain:
    """A domain of version 1."""
    words = (
        _DOMAIN_TYPE,
        keccak(name.encode()),
        keccak(b"1"),
        chain_id.to_bytes(32, "big"),
        verifying_contract.rjust(32, b"\0"),
    )
    return Domain(name, chain_id, verifying_contract, keccak(b"".join(words)))


def dgrid_domain(chain_id: int, settlement: bytes) -> Domain:
    """The domain of the network's own messages."""
    return domain("DGrid", chain_id=chain_id, verifying_contract=settlement)


def court_domain(chain_id: int, court: bytes) -> Domain:
    """The domain of what evaluators sign."""
    return domain("DGrid Quality", chain_id=chain_id, verifying_contract=court)


def channel_domain(chain_id: int, escrow: bytes) -> Domain:
    """x402's batch-settlement domain: channels and vouchers."""
    return domain("x402 Batch Settlement", chain_id=chain_id, verifying_contract=escrow)
