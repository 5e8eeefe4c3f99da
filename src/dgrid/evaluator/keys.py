"""The key that contents are sealed to: X25519, beside the key that signs, in a file that only its owner reads.

Its public half is registered on chain. Losing it loses no stake, only the contents of the draws under way. Refuses to
show the private half.
"""

import os
from pathlib import Path
from typing import Final, Self

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from nacl.secret import SecretBox

from dgrid.config import ConfigError
from dgrid.core.errors import CheckFailed
from dgrid.wire.quality import Content, DisclosedLeaf, decode_content

FILE_NAME: Final = "encryption.key"
KEY_BYTES: Final = 32


class EncryptionKey:
    """An evaluator's private X25519 key."""

    __slots__ = ("_private", "public")

    def __init__(self, secret: bytes) -> None:
        self._private = PrivateKey(secret)
        self.public = bytes(self._private.public_key)

    @classmethod
    def kept_in(cls, folder: Path) -> Self:
        """The folder's key, made at the first start. Raises ConfigError when its file holds none."""
        path = folder / FILE_NAME
        if not path.exists():
            _write_secret(path, bytes(PrivateKey.generate()).hex() + "\n")
        try:
            secret = bytes.fromhex(path.read_text().strip())
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read the key file {path}: {error}") from None
        if len(secret) != KEY_BYTES:
            raise ConfigError(f"{path} does not hold {KEY_BYTES} bytes of hex")
        return cls(secret)

    def open(self, box: bytes) -> bytes:
        """What was sealed to this key. Raises CheckFailed."""
        try:
            return SealedBox(self._private).decrypt(box)
        except (CryptoError, ValueError):
            raise CheckFailed("the box is not sealed to this key") from None

    def __repr__(self) -> str:
        return f"EncryptionKey(0x{self.public.hex()})"


def open_leaf(leaf: DisclosedLeaf, key: EncryptionKey, *, evaluator: bytes) -> Content:
    """A disclosed leaf's content: in the open, or through this evaluator's sealed key. Raises CheckFailed."""
    data = leaf.content
    if leaf.keys:
        box = next((sealed.box for sealed in leaf.keys if sealed.evaluator == evaluator), None)
        if box is None:
            raise CheckFailed("the content is sealed for others only")
        data = _unlocked(data, key.open(box))
    try:
        return decode_content(data)
    except ValueError as error:
        raise CheckFailed(f"malformed content: {error}") from None


def _unlocked(data: bytes, content_key: bytes) -> bytes:
    try:
        return SecretBox(content_key).decrypt(data)
    except (CryptoError, ValueError):
        raise CheckFailed("the content does not open with the key that was sealed") from None


def _write_secret(path: Path, text: str) -> None:
    """Whole or not at all, and never readable by others. A crash leaves a draft that the next start replaces."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
