"""secp256k1 signatures, strict: 65 bytes r ‖ s ‖ v, low s, v 27 or 28. High-s twins and compact forms are refused."""

from functools import lru_cache

from coincurve import PrivateKey, PublicKey

from dgrid.core.errors import InvalidSignature
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak

SIGNATURE_BYTES = 65
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_HALF_ORDER = _ORDER // 2
_KNOWN_BATCHES = 4096  # verified roots kept, so that a batch is recovered once and not once a message


class SigningKey:
    """A role's private key. Never printed; the address is public."""

    __slots__ = ("_private", "address")

    def __init__(self, secret: bytes) -> None:
        self._private = PrivateKey(secret)
        self.address = _address_of(self._private.public_key)

    @classmethod
    def from_hex(cls, text: str) -> "SigningKey":
        return cls(bytes.fromhex(text.strip().removeprefix("0x")))

    @property
    def secret(self) -> bytes:
        """The 32 secret bytes: for storing in the role's own folder and for signing transactions."""
        return self._private.secret

    def sign(self, digest: bytes) -> bytes:
        """A deterministic (RFC 6979), low-s signature of a 32-byte digest."""
        signature = self._private.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((signature[64] + 27,))

    def __repr__(self) -> str:
        return f"SigningKey(0x{self.address.hex()})"


def recover(digest: bytes, signature: bytes) -> Address:
    """Who signed the digest. Raises InvalidSignature."""
    if len(signature) != SIGNATURE_BYTES:
        raise InvalidSignature("a signature is 65 bytes: r, s, v")
    if signature[64] not in (27, 28):
        raise InvalidSignature("the signature's v is neither 27 nor 28")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise InvalidSignature("the signature's s is in the upper half (a malleable twin)")
    try:
        public = PublicKey.from_signature_and_message(
            signature[:64] + bytes((signature[64] - 27,)), digest, hasher=None
        )
    except Exception as error:  # coincurve raises bare ValueError and Exception for points off the curve
        raise InvalidSignature("the signature fits no key") from error
    return _address_of(public)


@lru_cache(maxsize=_KNOWN_BATCHES)
def recover_cached(digest: bytes, signature: bytes) -> Address:
    """`recover`, remembering the latest: for roots that many messages share."""
    return recover(digest, signature)


def _address_of(public: PublicKey) -> Address:
    return Address(keccak(public.format(compressed=False)[1:])[12:])
