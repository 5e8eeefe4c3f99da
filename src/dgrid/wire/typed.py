"""EIP-712 messages: one class is the Solidity struct, its hash, its packed bytes and its JSON.

A message's fields carry their Solidity type in the annotation. From that one list follow the type string, the struct
hash (EIP-712 hashStruct), the packed form (the fields' bytes side by side, fixed size) and the JSON form (camelCase
names, 0x hex, amounts as decimal strings). Hashing goes through one `struct` call with precomputed type hashes; a test
holds it equal to `eth_account`.
"""

import struct
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Self, TypeVar, get_type_hints

import msgspec

from dgrid.core.keccak import keccak

SAFE_INTEGER_MAX = 2**53 - 1  # what JSON numbers carry exactly (RFC 8785)


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


class Message(msgspec.Struct, frozen=True):
    """A signed message, or a group of fields inside one."""

    def struct_hash(self) -> bytes:
        """EIP-712 hashStruct. Raises ValueError on a field of the wrong size or out of range."""
        layout = layout_of(type(self))
        return keccak(layout.type_hash + _pack(layout.words, layout.values(self, hashed=True)))

    def packed(self) -> bytes:
        """All fields side by side in their own sizes."""
        layout = layout_of(type(self))
        return _pack(layout.flat, layout.values(self, hashed=False))

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


@dataclass(frozen=True, slots=True)
class Layout:
    """What follows from a message's fields, computed once a class."""

    fields: tuple[Field, ...]
    type_string: str
    type_hash: bytes
    words: struct.Struct
    flat: struct.Struct

    @property
    def size(self) -> int:
        return self.flat.size

    def values(self, message: Message, *, hashed: bool) -> list[Any]:
        """The fields as `struct` takes them; a nested group gives its hash or its packed bytes."""
        values: list[Any] = []
        for field in self.fields:
            value, kind = getattr(message, field.name), field.kind
            if not isinstance(kind, Solidity):
                value = value.struct_hash() if hashed else value.packed()
            elif kind.is_bytes:
                if len(value) != kind.size:
                    raise ValueError(f"{field.name} takes {kind.size} bytes, not {len(value)}")
            elif kind.is_wide:
                value = _wide(value, field)
            values.append(value)
        return values

    def build(self, cls: type[AnyMessage], values: tuple[Any, ...]) -> AnyMessage:
        return cls(*(_unpack_value(field, value) for field, value in zip(self.fields, values, strict=True)))


def _pack(shape: struct.Struct, values: list[Any]) -> bytes:
    try:
        return shape.pack(*values)
    except struct.error as error:
        raise ValueError(f"a field is out of range: {error}") from None


def _wide(value: int, field: Field) -> bytes:
    assert isinstance(field.kind, Solidity)
    try:
        return value.to_bytes(field.kind.size, "big")
    except OverflowError:
        raise ValueError(f"{field.name} is out of range") from None


def _unpack_value(field: Field, value: Any) -> Any:
    if not isinstance(field.kind, Solidity):
        return field.kind.unpacked(value)
    return int.from_bytes(value, "big") if field.kind.is_wide else value


@cache
def layout_of(cls: type[Message]) -> Layout:
    """The layout of a message class."""
    hints = get_type_hints(cls, include_extras=True)
    fields = tuple(_field(name, hints[name]) for name in cls.__struct_fields__)
    type_string = _encode_type(cls, fields)
    words = struct.Struct(">" + "".join(_word_code(field.kind) for field in fields))
    flat = struct.Struct(">" + "".join(_flat_code(field.kind) for field in fields))
    return Layout(fields, type_string, keccak(type_string.encode()), words, flat)


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


def _word_code(kind: Solidity | type[Message]) -> str:
    return f"{32 - kind.size}x{kind.code}" if isinstance(kind, Solidity) else "32s"


def _flat_code(kind: Solidity | type[Message]) -> str:
    return kind.code if isinstance(kind, Solidity) else f"{layout_of(kind).size}s"


@dataclass(frozen=True, slots=True)
class Domain:
    """An EIP-712 domain: which chain and contract a signature is for."""

    name: str
    chain_id: int
    verifying_contract: bytes
    separator: bytes

    def digest(self, struct_hash: bytes) -> bytes:
        """What is signed: keccak(0x19 0x01 ‖ separator ‖ struct hash)."""
        return keccak(b"\x19\x01" + self.separator + struct_hash)


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


def channel_domain(chain_id: int, escrow: bytes) -> Domain:
    """x402's batch-settlement domain: channels and vouchers."""
    return domain("x402 Batch Settlement", chain_id=chain_id, verifying_contract=escrow)
