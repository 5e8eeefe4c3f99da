import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.identity import Address, address_from_hex, api_key_tag, channel_salt, from_hex, model_id, to_hex
from dgrid.core.keccak import RunningHash, keccak, salted_hash


@given(st.binary(max_size=64))
def test_hex_comes_back_as_the_same_bytes(data: bytes) -> None:
    assert from_hex(to_hex(data), size=len(data)) == data


@pytest.mark.parametrize(
    "text", ["", "0x", "0x12", "12" * 20, "0x" + "1" * 39, "0x" + "zz" * 20, "0x" + " 1" * 20, "0x" + "11 " * 13 + " "]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 any message will do
        address_from_hex(text)


@given(st.binary(min_size=20, max_size=20), st.text(max_size=40))
def test_a_channels_salt_names_its_gateway_and_its_key(gateway: bytes, api_key: str) -> None:
    salt = channel_salt(Address(gateway), api_key_tag(api_key))
    assert len(salt) == 32
    assert salt[:20] == gateway
    assert salt[20:] == keccak(api_key.encode())[:12]


def test_a_model_is_the_hash_of_its_name() -> None:
    assert to_hex(model_id("")) == "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=50), max_size=5))
def test_a_running_hash_equals_the_hash_of_the_whole(salt: bytes, pieces: list[bytes]) -> None:
    running = RunningHash(salt)
    for piece in pieces:
        running.update(piece)
    assert running.digest() == salted_hash(salt, b"".join(pieces)) == keccak(b"".join([salt, *pieces]))
