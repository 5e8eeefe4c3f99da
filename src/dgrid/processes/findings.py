"""One thing that the doctor looked at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is well, and what to do where it is not."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
