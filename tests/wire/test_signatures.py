import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgrid.core.errors import InvalidSignature
from dgrid.core.keccak import keccak
from dgrid.wire.signatures import SigningKey, recover

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY = SigningKey(keccak(b"a key"))
DIGEST = keccak(b"a digest")
SIGNATURE = KEY.sign(DIGEST)
digests = st.binary(min_size=32, max_size=32)
secrets = st.integers(1, ORDER - 1).map(lambda secret: secret.to_bytes(32, "big"))


def high_s_twin(signature: bytes) -> bytes:
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes((55 - signature[64],))


def compact(signature: bytes) -> bytes:
    """EIP-2098: the parity in the top bit of s."""
    top = signature[32] | (0x80 if signature[64] == 28 else 0)
    return signature[:32] + bytes((top,)) + signature[33:64]


@settings(max_examples=30)
@given(secrets, digests)
def test_a_signature_names_its_signer(secret: bytes, digest: bytes) -> None:
    key = SigningKey(secret)
    assert recover(digest, key.sign(digest)) == key.address
    assert key.sign(digest) == key.sign(digest)


@settings(max_examples=30)
@given(digests)
def test_the_high_s_twin_is_refused(digest: bytes) -> None:
    with pytest.raises(InvalidSignature, match="upper half"):
        recover(digest, high_s_twin(KEY.sign(digest)))


@settings(max_examples=30)
@given(digests)
def test_the_compact_form_is_refused(digest: bytes) -> None:
    with pytest.raises(InvalidSignature, match="65 bytes"):
        recover(digest, compact(KEY.sign(digest)))


@pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 31, 35, 255])
def test_any_other_v_is_refused(v: int) -> None:
    with pytest.raises(InvalidSignature, match="neither 27 nor 28"):
        recover(DIGEST, SIGNATURE[:64] + bytes((v,)))


@pytest.mark.parametrize(
    "signature", [b"", SIGNATURE[:64], SIGNATURE + b"\0", bytes(64) + b"\x1b", b"\xff" * 64 + b"\x1b"]
)
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(InvalidSignature):
        recover(DIGEST, signature)


@pytest.mark.parametrize("zeroed", [slice(0, 32), slice(32, 64)])
def test_a_zero_r_or_s_is_refused(zeroed: slice) -> None:
    parts = bytearray(SIGNATURE)
    parts[zeroed] = bytes(32)
    with pytest.raises(InvalidSignature):
        recover(DIGEST, bytes(parts))


@given(st.binary(min_size=65, max_size=65))
def test_random_bytes_never_crash_recovery(signature: bytes) -> None:
    with contextlib.suppress(InvalidSignature):
        assert len(recover(DIGEST, signature)) == 20


@given(st.integers(0, 64 * 8 - 1))
def test_a_flipped_bit_never_names_the_signer(bit: int) -> None:
    flipped = bytearray(SIGNATURE)
    flipped[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(InvalidSignature):
        assert recover(DIGEST, bytes(flipped)) != KEY.address


def test_a_key_never_shows_its_secret() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert SigningKey.from_hex("0x" + KEY.secret.hex() + "\n").address == KEY.address
