"""Collects, choice by choice, which tokens the engine reports to have chosen."""

from typing import Final

from dgrid.core.errors import EngineError
from dgrid.engines.engine import Token
from dgrid.wire.evidence import TOKENS_MAX, UNKNOWN_ID, ChoiceEvidence, encode_evidence

LOGPROB_MIN: Final = -1e9  # engines write "impossible" in different ways; this fits the format


class EvidenceCollector:
    """Grows with an answer; `encode` gives the bytes that a receipt commits to."""

    __slots__ = ("_collected", "count")

    def __init__(self, choices: int) -> None:
        self._collected: list[tuple[list[int], list[float]]] = [([], []) for _ in range(choices)]
        self.count = 0

    def add(self, choice: int, tokens: tuple[Token, ...]) -> None:
        """Raises EngineError when there are more tokens than evidence holds."""
        ids, logprobs = self._collected[choice]
        self.count += len(tokens)
        if self.count > TOKENS_MAX:
            raise EngineError(f"evidence holds at most {TOKENS_MAX} tokens")
        for token in tokens:
            ids.append(token.id if 0 <= token.id < UNKNOWN_ID else UNKNOWN_ID)
            logprobs.append(max(token.logprob, LOGPROB_MIN))

    def encode(self) -> bytes:
        return encode_evidence([ChoiceEvidence(ids, logprobs) for ids, logprobs in self._collected])
