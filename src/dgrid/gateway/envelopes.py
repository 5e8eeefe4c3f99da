"""Closes a drawn leaf's content for the eyes of its committee: one key a leaf, sealed to each member's registered key.

The content is a secret box (XSalsa20-Poly1305) under a key of its own; that key is a sealed box (X25519) for each
member. What its caller made `public` stays open. Refuses to leave anybody a key who was not drawn.
"""

import logging
from collections.abc import Mapping

import nacl.utils
from nacl.exceptions import CryptoError
from nacl.public import PublicKey, SealedBox
from nacl.secret import SecretBox

from dgrid.wire.messages import Privacy
from dgrid.wire.quality import Content, DisclosedLeaf, LeafKey, SealedKey, encode_content

logger = logging.getLogger(__name__)


def enclose(content: Content, key: LeafKey, *, privacy: int, members: Mapping[bytes, bytes]) -> DisclosedLeaf:
    """A leaf for the disclosure. `members`: the committee's addresses and their X25519 keys, as registered."""
    data = encode_content(content)
    if privacy == Privacy.PUBLIC:
        return DisclosedLeaf(key.lane, key.sequence, data)
    secret = nacl.utils.random(SecretBox.KEY_SIZE)
    boxes = [(member, box) for member in sorted(members) if (box := _sealed(secret, member, members[member]))]
    keys = tuple(SealedKey(member, box) for member, box in boxes)
    return DisclosedLeaf(key.lane, key.sequence, bytes(SecretBox(secret).encrypt(data)), keys)


def _sealed(secret: bytes, member: bytes, registered: bytes) -> bytes:
    """The key for one member; empty where what it registered is no key, for which it has only itself to blame."""
    try:
        return bytes(SealedBox(PublicKey(registered)).encrypt(secret))
    except (CryptoError, ValueError, TypeError):
        logger.warning("nothing can be sealed for the evaluator 0x%s: its encryption key is unusable", member.hex())
        return b""
