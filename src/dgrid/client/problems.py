"""A gateway's error object as the error it stands for. The reverse of `wire/problems`."""

import re
from functools import cache
from typing import Final

import msgspec

from dgrid.core.errors import DGridError, NetworkUnreachable
from dgrid.wire.decoding import decode_with

PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")  # it goes on into headers and logs


class _Error(msgspec.Struct):
    message: str = ""
    param: str | None = None
    code: str | None = None
    request_id: str = ""


class _Availability(msgspec.Struct):
    retry_after_ms: int = 0


class _Problem(msgspec.Struct):
    error: _Error
    availability: _Availability = msgspec.field(default_factory=_Availability)


_decoder = msgspec.json.Decoder(_Problem)


def error_of(status: int, body: bytes, *, who: str = "gateway") -> DGridError:
    """The error that a reply of this status stands for; a body that is none of ours still gives a typed error."""
    try:
        found = decode_with(_decoder, body)
    except ValueError:
        return NetworkUnreachable(f"the {who} answered {status} and no more", hint=f"is it a DGrid {who}?")
    said = found.error
    error = _kinds().get(said.code or "", DGridError)(
        said.message, param=said.param, retry_after_ms=found.availability.retry_after_ms
    )
    error.request_id = said.request_id if PLAIN_NAME.fullmatch(said.request_id) else ""
    return error


@cache
def _kinds() -> dict[str, type[DGridError]]:
    """The shared tree's classes by code; of several with one code the most special."""
    kinds: dict[str, type[DGridError]] = {}
    waiting = [DGridError]
    while waiting:
        kind = waiting.pop(0)
        kinds[kind.code] = kind
        waiting += [child for child in kind.__subclasses__() if child.__module__ == DGridError.__module__]
    return kinds
