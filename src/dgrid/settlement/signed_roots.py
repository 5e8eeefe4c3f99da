"""A root under its gateway's signature, as it travels: to settlers, to archives with its blob, to watchers."""

from dataclasses import dataclass
from typing import Any, Self

import msgspec

from dgrid.core.errors import InvalidRequest, InvalidSignature
from dgrid.core.identity import Address, to_hex
from dgrid.wire.messages import EpochRoot
from dgrid.wire.signatures import SigningKey, recover
from dgrid.wire.typed import Domain

SIGNATURE_BYTES = 65


@dataclass(frozen=True, slots=True)
class SignedRoot:
    """What a gateway says that it owes for one epoch."""

    root: EpochRoot
    signature: bytes

    @property
    def gateway(self) -> Address:
        return Address(self.root.gateway)

    @property
    def digest(self) -> bytes:
        return self.root.struct_hash()

    @classmethod
    def by(cls, key: SigningKey, root: EpochRoot, *, domain: Domain) -> Self:
        """Signs a root."""
        return cls(root, key.sign(domain.digest(root.struct_hash())))

    def to_header(self) -> str:
        """As an HTTP header carries it: packed root, then signature."""
        return to_hex(self.root.packed() + self.signature)

    @classmethod
    def from_header(cls, text: str, *, domain: Domain) -> Self:
        """Raises InvalidRequest, InvalidSignature."""
        try:
            data = bytes.fromhex(text.removeprefix("0x"))
            signed = cls(EpochRoot.unpacked(data[:-SIGNATURE_BYTES]), data[-SIGNATURE_BYTES:])
        except ValueError as error:
            raise InvalidRequest(f"malformed root: {error}") from None
        return signed._checked(domain)

    @classmethod
    def from_json(cls, data: bytes, *, domain: Domain) -> Self:
        """The root in what a gateway hands to settlers: its fields `root` and `signature`.

        Raises InvalidRequest, InvalidSignature.
        """
        try:
            said = msgspec.json.decode(data, type=_RootJson)
            signed = cls(EpochRoot.from_json(said.root), bytes.fromhex(said.signature.removeprefix("0x")))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidRequest(f"malformed root: {error}") from None
        return signed._checked(domain)

    def _checked(self, domain: Domain) -> Self:
        if recover(domain.digest(self.digest), self.signature) != self.gateway:
            raise InvalidSignature("the root is not signed by its gateway")
        return self


class _RootJson(msgspec.Struct):
    root: Any
    signature: str
