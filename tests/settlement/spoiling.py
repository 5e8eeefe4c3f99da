"""Blobs as no honest role writes them: each field of its type, and else anything."""

from collections.abc import Iterator
from enum import Enum
from typing import Any, TypeVar, cast

import msgspec
from hypothesis import strategies as st

Blob = TypeVar("Blob", bound=msgspec.Struct)
Way = tuple[str | int, ...]

INTEGERS = st.sampled_from((-(2**63), -1, 0, 7, 10_001, 2**31, 2**53, 2**63 - 1, 2**64 - 1))
BYTES = st.sampled_from((b"", b"\0", b"\xff" * 17, b"\xff" * 20, b"\xff" * 33, bytes(999)))
TEXTS = st.sampled_from(("", "x", "\0", "extract", "canary", "\N{GRINNING FACE}" * 999))


def spoiled(blob: Blob, data: st.DataObject) -> Blob:
    """The blob with a few of its fields changed."""
    for _ in range(data.draw(st.integers(1, 3))):
        way = data.draw(st.sampled_from(list(_ways(blob))))
        blob = cast(Blob, _put(blob, way, data.draw(_other(_at(blob, way)))))
    return blob


def _ways(value: object, way: Way = ()) -> Iterator[Way]:
    """To each field and list, and to what is in them."""
    if way:
        yield way
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _ways(getattr(value, name), (*way, name))
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            yield from _ways(item, (*way, at))


def _at(value: Any, way: Way) -> Any:
    for step in way:
        value = getattr(value, step) if isinstance(step, str) else value[step]
    return value


def _put(value: Any, way: Way, new: object) -> Any:
    if not way:
        return new
    step, *rest = way
    if isinstance(step, str):
        return msgspec.structs.replace(value, **{step: _put(getattr(value, step), tuple(rest), new)})
    return (*value[:step], _put(value[step], tuple(rest), new), *value[step + 1 :])


def _other(value: object) -> st.SearchStrategy[object]:
    match value:
        case Enum():
            return st.sampled_from(list(type(value)))
        case int():
            return INTEGERS
        case bytes():
            return BYTES
        case str():
            return TEXTS
        case tuple():
            return st.sampled_from(((), value[:-1], value[::-1], value + value))
        case _:
            return st.just(value)
