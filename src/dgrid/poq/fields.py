"""Compares JSON answers field by field. An answer that does not parse is worth nothing, whatever it looks like."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import msgspec

from dgrid.core.money import BPS
from dgrid.poq.words import words

FENCE: Final = "```"
OPENING: Final = re.compile(rf"\s*{FENCE}(?:json)?(\s*)", re.IGNORECASE)
DEPTH_MAX: Final = 16
FIELDS_MAX: Final = 2_000
UNREADABLE: Final = object()


def fields_score(output: str, reference: str) -> int | None:
    """The share of fields that both have with the same value, of the fields of the larger one.

    None when the reference itself is no JSON object or list; 0 when the output is none.
    """
    wanted = parsed(reference)
    if not isinstance(wanted, dict | list):
        return None
    given = parsed(output)
    if not isinstance(given, dict | list):
        return 0
    ours, theirs = dict(leaves(given)), dict(leaves(wanted))
    if not ours and not theirs:
        return BPS if type(given) is type(wanted) else 0
    same = sum(place in ours and is_same_value(ours[place], value) for place, value in theirs.items())
    return same * BPS // max(len(ours), len(theirs))


def parsed(text: str) -> Any:
    """The value of a JSON text, with or without a code fence around it; UNREADABLE for any other."""
    try:
        return msgspec.json.decode(unfenced(text).encode())
    except (ValueError, RecursionError):
        return UNREADABLE


def unfenced(text: str) -> str:
    """What stands in a code fence, or else the text itself. No single pattern does it: that would take cubic time to
    fail, for example on a fence with many blank lines behind it, and nodes write these texts.
    """
    opening, written = OPENING.match(text), text.rstrip()
    if opening is None or "\n" not in opening[1] or not written.endswith(FENCE):
        return text
    begin, end = opening.start(1) + opening[1].rindex("\n") + 1, len(written) - len(FENCE)
    return written[begin:end].rstrip() if begin <= end else text


def leaves(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every place in a value and what stands there, at most FIELDS_MAX of them."""
    yield from islice(_walk(value, place), FIELDS_MAX)


def _walk(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    inside: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inside = [(name.casefold(), each) for name, each in value.items()]
    elif isinstance(value, list):
        inside = list(enumerate(value))
    if not inside or len(place) >= DEPTH_MAX:
        yield place, value
        return
    for name, each in inside:
        yield from _walk(each, (*place, name))


def is_same_value(left: Any, right: Any) -> bool:
    """Equal values; texts may differ in case, articles and punctuation. A number is no text, and true is not 1."""
    if isinstance(left, str) and isinstance(right, str):
        return words(left) == words(right) if words(left) else left.strip() == right.strip()
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    return type(left) is type(right) and bool(left == right)
