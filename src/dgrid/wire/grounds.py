"""What an evaluator shows of a public leaf beside its scores: the answers it compared with, as their nodes signed them.

Request and answer of a public leaf lie open already, so this gives away nobody's content but the evaluator's own
re-runs; with both of them anybody scores the leaf again. Refuses to hold more than its bounds: what cannot be shown is
not compared with.
"""

from enum import IntEnum

import msgspec

from dgrid.core.keccak import keccak
from dgrid.wire.documents import Record

COMPARED_MAX = 3  # answers that one is compared with
ANSWER_BYTES_MAX = 64 * 1024  # of each of their texts
RECORD_BYTES_MAX = 16 * 1024  # of each of their records
GROUNDS_BYTES_MAX = 32 * 1024 * 1024  # of all that one blob holds


class Method(IntEnum):
    """How likeness was found."""

    RULES = 0  # by rules on the texts alone
    ENCODER = 1  # by rules and the sentence encoder that the project publishes


class Compared(msgspec.Struct, frozen=True, array_like=True):
    """A peer's answer, and what proves that it was asked for and given."""

    record: Record
    salt: bytes  # the receipt's, known to its payer
    answer: str  # all choices, as `outputHash` covers them

    @property
    def fits(self) -> bool:
        """Whether it is small enough to be shown."""
        record = msgspec.msgpack.encode(self.record)
        return len(self.answer.encode()) <= ANSWER_BYTES_MAX and len(record) <= RECORD_BYTES_MAX


class Grounds(msgspec.Struct, frozen=True, array_like=True):
    """What the scores of one public leaf rest on."""

    method: Method
    answers: tuple[Compared, ...] = ()

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self)

    def digest(self) -> bytes:
        """By what a report names its grounds."""
        return keccak(self.encode())
