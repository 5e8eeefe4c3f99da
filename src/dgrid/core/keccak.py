"""Keccak-256, the one hash of the network."""

from sha3 import keccak_256

ZERO_HASH = bytes(32)


def keccak(data: bytes) -> bytes:
    """The 32-byte Keccak-256 digest of `data` (Ethereum's variant, not NIST's SHA3-256)."""
    digest: bytes = keccak_256(data).digest()
    return digest


def salted_hash(salt: bytes, data: bytes) -> bytes:
    """keccak(salt ‖ data): hides content from guessing; `salt` is 32 random bytes known to the parties only."""
    digest: bytes = keccak_256(salt + data).digest()
    return digest


class RunningHash:
    """A salted hash over bytes that arrive piece by piece."""

    __slots__ = ("_state",)

    def __init__(self, salt: bytes) -> None:
        self._state = keccak_256(salt)

    def update(self, data: bytes) -> None:
        self._state.update(data)

    def digest(self) -> bytes:
        """The digest so far; more bytes may follow."""
        digest: bytes = self._state.digest()
        return digest
