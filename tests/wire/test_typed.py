"""Our hashing against `eth_account`'s, which is written independently, for every message of the network."""

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from dgrid.core.keccak import keccak
from dgrid.wire import messages
from dgrid.wire.messages import ChannelConfig, Dispatch, InferenceReceipt, Voucher
from dgrid.wire.signatures import SigningKey, recover
from dgrid.wire.typed import Domain, Message, Solidity, channel_domain, dgrid_domain, layout_of

MESSAGES = [kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, Message)]
MESSAGES.remove(Message)


def values(kind: Solidity | type[Message]) -> st.SearchStrategy[Any]:
    if not isinstance(kind, Solidity):
        return made(kind)
    if kind.is_bytes:
        return st.binary(min_size=kind.size, max_size=kind.size)
    return st.one_of(st.sampled_from([0, 1, 2 ** (8 * kind.size) - 1]), st.integers(0, 2 ** (8 * kind.size) - 1))


def made(kind: type[Message]) -> st.SearchStrategy[Message]:
    return st.builds(kind, *(values(field.kind) for field in layout_of(kind).fields))


def types_of(kind: type[Message]) -> dict[str, list[dict[str, str]]]:
    layout = layout_of(kind)
    types = {kind.__name__: [{"name": field.json_name, "type": field.type_name} for field in layout.fields]}
    for field in layout.fields:
        if not isinstance(field.kind, Solidity):
            types |= types_of(field.kind)
    return types


def plain(message: Message) -> dict[str, Any]:
    fields = {field.json_name: getattr(message, field.name) for field in layout_of(type(message)).fields}
    return {name: plain(value) if isinstance(value, Message) else _hexed(value) for name, value in fields.items()}


def _hexed(value: int | bytes) -> int | str:
    return "0x" + value.hex() if isinstance(value, bytes) else value


def theirs(domain: Domain, message: Message) -> SignableMessage:
    contract = "0x" + domain.verifying_contract.hex()
    data = {"name": domain.name, "version": "1", "chainId": domain.chain_id, "verifyingContract": contract}
    return encode_typed_data(data, types_of(type(message)), plain(message))


domains = st.builds(
    lambda make, chain, contract: make(chain, contract),
    st.sampled_from([dgrid_domain, channel_domain]),
    st.integers(1, 2**53),
    st.binary(min_size=20, max_size=20),
)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@settings(max_examples=40, deadline=None)
@given(data=st.data(), domain=domains)
def test_digest_equals_eth_accounts(kind: type[Message], data: st.DataObject, domain: Domain) -> None:
    message = data.draw(made(kind))
    expected = theirs(domain, message)
    assert message.struct_hash() == expected.body
    assert domain.separator == expected.header
    assert domain.digest(message.struct_hash()) == keccak(b"\x19" + expected.version + expected.header + expected.body)


@settings(max_examples=20, deadline=None)
@given(made(Voucher), domains, st.integers(1, 2**255))
def test_signature_equals_eth_accounts(voucher: Message, domain: Domain, secret: int) -> None:
    key = SigningKey(secret.to_bytes(32, "big"))
    signed = Account.sign_message(theirs(domain, voucher), key.secret)
    digest = domain.digest(voucher.struct_hash())
    assert key.sign(digest) == signed.signature
    assert recover(digest, signed.signature) == key.address


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_packed_form_comes_back_the_same(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(made(kind))
    assert kind.unpacked(message.packed()) == message
    for wrong in (message.packed()[:-1], message.packed() + b"\0"):
        with pytest.raises(ValueError, match="bytes, not"):
            kind.unpacked(wrong)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_json_form_comes_back_the_same_or_is_refused(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(made(kind))
    try:
        assert kind.from_json(message.to_json()) == message
    except ValueError as error:  # a 64-bit number that JSON cannot carry exactly
        assert "is not a whole number" in str(error)  # noqa: PT017


def sample() -> dict[str, Any]:
    fields = (field for field in layout_of(Dispatch).fields)
    sizes = {field.name: field.kind for field in fields if isinstance(field.kind, Solidity)}
    values: dict[str, Any] = {name: bytes(kind.size) if kind.is_bytes else 1 for name, kind in sizes.items()}
    return Dispatch(**values).to_json()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gateway", "0x" + "AB" * 20),
        ("gateway", "ab" * 20),
        ("gateway", "0x" + "ab" * 19),
        ("gateway", 5),
        ("gateway", None),
        ("inPrice", 1),
        ("inPrice", "01"),
        ("inPrice", "-1"),
        ("inPrice", "1.0"),
        ("inPrice", "١"),
        ("inPrice", str(2**128)),
        ("nonce", "1"),
        ("nonce", True),
        ("nonce", -1),
        ("nonce", 1.0),
        ("nonce", 2**53),
        ("unknown", 1),
    ],
)
def test_malformed_json_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"is |takes"):
        Dispatch.from_json({**sample(), name: value})


def test_json_carries_a_number_as_far_as_it_is_exact() -> None:
    assert Dispatch.from_json({**sample(), "nonce": 2**53 - 1}).nonce == 2**53 - 1


@pytest.mark.parametrize("value", [None, [], "x", {}])
def test_json_of_another_shape_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="exactly the fields"):
        Dispatch.from_json(value)


@pytest.mark.parametrize(("field", "value"), [("withdraw_delay", 2**40), ("salt", bytes(31)), ("payer", bytes(21))])
def test_a_field_out_of_range_is_never_hashed_or_packed(field: str, value: object) -> None:
    fields: dict[str, Any] = dict.fromkeys(ChannelConfig.__struct_fields__, bytes(20))
    config = ChannelConfig(**{**fields, "withdraw_delay": 1, "salt": bytes(32), field: value})
    for hashing in (config.struct_hash, config.packed):
        with pytest.raises(ValueError, match=r"out of range|takes"):
            hashing()


def test_the_receipts_type_lists_its_groups_in_alphabetical_order() -> None:
    names = [part.split("(")[0] for part in layout_of(InferenceReceipt).type_string.split(")")[:-1]]
    assert names[0] == "InferenceReceipt"
    assert names[1:] == sorted(names[1:])
    assert len(names) == 8
