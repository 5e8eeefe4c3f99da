"""What a node saw its engine choose: token ids and log-probabilities, compact, committed to by its receipt.

bytes = version (1) ‖ number of choices (1) ‖ for each choice: number of tokens (4) ‖ ids (4 each) ‖
log-probabilities (float32 each), all big endian. An id of 2**32 - 1 means that the engine did not say.
`evidenceHash` = keccak(salt ‖ bytes).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

VERSION: Final = 1
UNKNOWN_ID: Final = 2**32 - 1
TOKENS_MAX: Final = 120_000  # keeps the bytes below a frame's limit


@dataclass(frozen=True, slots=True)
class ChoiceEvidence:
    """One choice's tokens, in order. Log-probabilities in nats."""

    ids: Sequence[int]
    logprobs: Sequence[float]


def encode_evidence(choices: Sequence[ChoiceEvidence]) -> bytes:
    """Raises ValueError for more than 255 choices, more than TOKENS_MAX tokens, or ids and log-probabilities of
    different number.
    """
    if len(choices) > 255 or sum(len(choice.ids) for choice in choices) > TOKENS_MAX:
        raise ValueError(f"evidence holds at most 255 choices and {TOKENS_MAX} tokens")
    parts = [bytes((VERSION, len(choices)))]
    for choice in choices:
        count = len(choice.ids)
        if len(choice.logprobs) != count:
            raise ValueError("each token has one log-probability")
        ids = (UNKNOWN_ID if token < 0 else token for token in choice.ids)
        parts.append(struct.pack(f">I{count}I{count}f", count, *ids, *choice.logprobs))
    return b"".join(parts)


def decode_evidence(data: bytes) -> list[ChoiceEvidence]:
    """The choices behind their bytes. Raises ValueError on anything malformed."""
    if len(data) < 2 or data[0] != VERSION:
        raise ValueError("not evidence of a known version")
    choices, at = [], 2
    for _ in range(data[1]):
        if len(data) < at + 4:
            raise ValueError("the evidence is cut short")
        count = int.from_bytes(data[at : at + 4], "big")
        end = at + 4 + 8 * count
        if count > TOKENS_MAX or len(data) < end:
            raise ValueError("the evidence is cut short")
        values = struct.unpack(f">{count}I{count}f", data[at + 4 : end])
        choices.append(ChoiceEvidence(values[:count], values[count:]))
        at = end
    if at != len(data):
        raise ValueError("bytes follow the evidence")
    return choices
