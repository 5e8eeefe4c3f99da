from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from dgrid.chain.transactions import Transaction, created_address, rlp, transaction_hash
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.wire.signatures import SigningKey

KEY = SigningKey(keccak(b"a key"))


@given(
    st.integers(1, 2**53),
    st.integers(0, 2**53),
    st.integers(0, 10**12),
    st.integers(0, 10**19),
    st.binary(max_size=200),
    st.binary(min_size=20, max_size=20),
)
def test_signed_bytes_equal_eth_account(
    chain_id: int, nonce: int, fee: int, value: int, data: bytes, to: bytes
) -> None:
    ours = Transaction(chain_id, nonce, fee // 2, fee, 21_000, Address(to), value, data).signed(KEY)
    fields = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "maxPriorityFeePerGas": fee // 2,
        "maxFeePerGas": fee,
        "gas": 21_000,
        "to": to,
        "value": value,
        "data": data,
    }
    theirs = Account.sign_transaction(fields, KEY.secret)
    assert ours == bytes(theirs.raw_transaction)
    assert transaction_hash(ours) == bytes(theirs.hash)


def test_a_created_contracts_address_is_known_before_it_exists() -> None:
    dev = Address(bytes.fromhex("f39fd6e51aad88f6f4ce6ab8827279cfffb92266"))
    assert created_address(dev, 0).hex() == "5fbdb2315678afecb367f032d93f642f64180aa3"


def test_long_payloads_carry_the_length_of_their_length() -> None:
    assert rlp(b"\x00" * 56)[:2] == b"\xb8\x38"
    assert rlp([b"\x01"] * 60)[:2] == b"\xf8\x3c"
    assert rlp(0) == b"\x80"
    assert rlp(b"\x7f") == b"\x7f"
