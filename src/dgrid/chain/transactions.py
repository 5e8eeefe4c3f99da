"""EIP-1559 transactions and RLP: just enough to sign what we send; a test holds them equal to `eth_account`."""

from dataclasses import dataclass

from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.wire.signatures import SigningKey


@dataclass(frozen=True, slots=True)
class Transaction:
    """One unsigned transaction; `to` is None when it creates a contract."""

    chain_id: int
    nonce: int
    tip_wei: int
    fee_wei_max: int  # per unit of gas, tip included
    gas: int
    to: Address | None
    value_wei: int
    data: bytes

    def signed(self, key: SigningKey) -> bytes:
        """The bytes to broadcast."""
        fields: list[object] = [
            self.chain_id,
            self.nonce,
            self.tip_wei,
            self.fee_wei_max,
            self.gas,
            self.to or b"",
            self.value_wei,
            self.data,
            [],
        ]
        signature = key.sign(keccak(b"\x02" + rlp(fields)))
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        return b"\x02" + rlp([*fields, signature[64] - 27, r, s])


def transaction_hash(raw: bytes) -> bytes:
    """The name of a signed transaction."""
    return keccak(raw)


def created_address(sender: Address, nonce: int) -> Address:
    """Where the contract lies that `sender` creates with this nonce."""
    return Address(keccak(rlp([sender, nonce]))[12:])


def rlp(item: object) -> bytes:
    """Ethereum's recursive length prefix. Raises TypeError on what it cannot hold."""
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < 0x80 else _prefixed(0x80, item)
    if isinstance(item, (list, tuple)):
        return _prefixed(0xC0, b"".join(rlp(part) for part in item))
    raise TypeError(f"RLP holds no {type(item).__name__}")


def _prefixed(base: int, payload: bytes) -> bytes:
    if len(payload) < 56:
        return bytes((base + len(payload),)) + payload
    size = len(payload).to_bytes((len(payload).bit_length() + 7) // 8, "big")
    return bytes((base + 55 + len(size),)) + size + payload
