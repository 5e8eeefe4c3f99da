"""Identities: what names a party, a request, a model or a channel. All are raw bytes; hex is for showing."""

import base64
from typing import NewType

from dgrid.core.keccak import keccak

Address = NewType("Address", bytes)  # 20 bytes
Hash = NewType("Hash", bytes)  # 32 bytes
ChannelId = NewType("ChannelId", bytes)  # 32 bytes
RequestId = NewType("RequestId", bytes)  # 32 bytes, shown to clients as the receipt id
ModelId = NewType("ModelId", bytes)  # 32 bytes: keccak of the model's name
ListingId = NewType("ListingId", bytes)  # 32 bytes

ZERO_ADDRESS = Address(bytes(20))
NO_LISTING = ListingId(bytes(32))


def model_id(name: str) -> ModelId:
    """The on-chain identity of a model's name."""
    return ModelId(keccak(name.encode()))


def to_hex(value: bytes) -> str:
    """0x and lower-case hex."""
    return "0x" + value.hex()


def from_hex(text: str, *, size: int) -> bytes:
    """The bytes behind 0x-hex of exactly `size` bytes. Raises ValueError."""
    value = bytes.fromhex(text[2:]) if text.startswith("0x") and len(text) == 2 + 2 * size else b""
    if len(value) != size or not text.isalnum():  # fromhex takes spaces
        raise ValueError(f"expected 0x and {2 * size} hex digits")
    return value


def address_from_hex(text: str) -> Address:
    """An address from 0x-hex in any case. Raises ValueError."""
    return Address(from_hex(text, size=20))


def api_key_of(secret: bytes) -> str:
    """An API key that follows from 32 secret bytes."""
    return "dg-" + base64.urlsafe_b64encode(secret).decode().rstrip("=")


def api_key_tag(api_key: str) -> bytes:
    """The 12 bytes by which an API key's channel is found on chain: the tail of the channel's salt."""
    return keccak(api_key.encode())[:12]


def channel_salt(gateway: Address, tag: bytes) -> bytes:
    """A channel's salt: the one gateway it serves, and 12 bytes that tell its payer's channels apart."""
    if len(gateway) != 20 or len(tag) != 12:
        raise ValueError("a salt is 20 bytes of gateway and 12 bytes of tag")
    return gateway + tag
