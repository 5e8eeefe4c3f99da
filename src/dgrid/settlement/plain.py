"""Records of the judging blobs as JSON that people can read, and back: camelCase names, 0x hex, nothing lost.

For documents only; blobs travel as msgpack. Refuses fields that are unknown, missing or of another type.
"""

from collections.abc import Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from dgrid.core.identity import to_hex

AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)
Steps = tuple[tuple[str, bytes], ...]  # a path whose every step says on which side the sibling stands
LEFT, RIGHT = "left", "right"


def to_plain(value: Any) -> Any:
    """A record, or a value in one, as JSON holds it."""
    if isinstance(value, msgspec.Struct):
        return {_camel(name): to_plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def from_plain(kind: type[AnyStruct], data: object) -> AnyStruct:
    """The record behind its JSON. Raises ValueError."""
    hints = get_type_hints(kind)
    names = {_camel(name): name for name in kind.__struct_fields__}
    if not isinstance(data, dict) or data.keys() != names.keys():
        raise ValueError(f"{kind.__name__} takes exactly the fields {list(names)}")
    return kind(**{name: _value(hints[name], data[shown]) for shown, name in names.items()})


def _value(hint: Any, data: object) -> Any:
    if isinstance(hint, UnionType):
        inner = next(one for one in get_args(hint) if one is not NoneType)
        return None if data is None else _value(inner, data)
    if get_origin(hint) is tuple:
        if not isinstance(data, list):
            raise ValueError("expected a list")
        return tuple(_value(get_args(hint)[0], item) for item in data)
    if hint is bytes:
        return octets(data)
    if issubclass(hint, msgspec.Struct):
        return from_plain(hint, data)
    if issubclass(hint, Enum):
        return hint(data)
    if not isinstance(data, hint) or isinstance(data, bool):
        raise ValueError(f"expected {hint.__name__}")
    return data


def octets(data: object, *, size: int | None = None) -> bytes:
    """The bytes behind lower-case 0x hex, of one size if it is given. Raises ValueError."""
    if not isinstance(data, str) or data[:2] != "0x" or data != data.lower():
        raise ValueError("expected lower-case 0x hex")
    value = bytes.fromhex(data[2:])
    if size is not None and len(value) != size:
        raise ValueError(f"expected {size} bytes, not {len(value)}")
    return value


def path_to_plain(path: Steps) -> list[list[str]]:
    return [[side, to_hex(sibling)] for side, sibling in path]


def path_from_plain(data: Sequence[Sequence[str]]) -> Steps:
    """Raises ValueError."""
    if any(len(step) != 2 or step[0] not in (LEFT, RIGHT) for step in data):
        raise ValueError("a step of a path is a side and a hash")
    return tuple((step[0], octets(step[1], size=32)) for step in data)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
