"""RFC 8785 JSON for our own documents: one value, one sequence of bytes.

Our documents hold only objects, arrays, strings, booleans, null and integers up to 2⁵³ − 1, so sorting keys by their
UTF-16 code units and writing without spaces is the whole of it; a float is refused rather than formatted.
"""

import msgspec

from dgrid.core.errors import CheckFailed

JsonValue = object


def canonical(value: JsonValue) -> bytes:
    """The canonical bytes of a document. Raises CheckFailed on a float or an integer beyond 2⁵³ − 1."""
    return msgspec.json.encode(_ordered(value))


def _ordered(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=_utf16)}
    if isinstance(value, (list, tuple)):
        return [_ordered(item) for item in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > 2**53 - 1):
        raise CheckFailed(f"not a number that a document can hold: {value}")
    return value


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")
