"""Where in the chain something happened."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """The place and time of one log."""

    block: int
    index: int
    timestamp_ms: int
    transaction: bytes
    block_hash: bytes = b""
