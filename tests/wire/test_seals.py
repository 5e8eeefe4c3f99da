import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgrid.core.errors import InvalidSignature
from dgrid.core.keccak import keccak
from dgrid.core.merkle import SumTree, leaf
from dgrid.wire.messages import Batch
from dgrid.wire.seals import SEAL_MESSAGES_MAX, Seal, batch_digest, seal, sealed_by
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import dgrid_domain

DOMAIN = dgrid_domain(31337, bytes(20))
KEY = SigningKey(keccak(b"a gateway"))
sizes = st.integers(1, SEAL_MESSAGES_MAX)


def messages(size: int) -> list[bytes]:
    return [keccak(bytes((at,))) for at in range(size)]


def names_the_signer(message: bytes, candidate: Seal) -> bool:
    try:
        return sealed_by(DOMAIN, message, candidate) == KEY.address
    except InvalidSignature:
        return False


@settings(max_examples=40, deadline=None)
@given(sizes)
def test_every_message_of_a_batch_is_sealed_by_the_one_signature(size: int) -> None:
    seals = seal(KEY, DOMAIN, messages(size))
    assert len({one.signature for one in seals}) == 1
    assert all(names_the_signer(message, one) for message, one in zip(messages(size), seals, strict=True))


@settings(max_examples=40, deadline=None)
@given(sizes)
def test_a_seal_s_tree_is_the_sum_tree_of_nothing(size: int) -> None:
    tree = SumTree([leaf(message) for message in messages(size)])
    seals = seal(KEY, DOMAIN, messages(size))
    assert [one.path for one in seals] == [tuple(node.hash for node in tree.path(at)) for at in range(size)]
    assert seals[0].signature == KEY.sign(batch_digest(DOMAIN, tree.root.hash))


@settings(max_examples=60, deadline=None)
@given(sizes, st.data())
def test_a_seal_fits_no_other_message_and_has_no_second_form(size: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, size - 1))
    message, one = messages(size)[at], seal(KEY, DOMAIN, messages(size))[at]
    assert not names_the_signer(keccak(message), one)
    for index in range(-1, SEAL_MESSAGES_MAX + 1):
        for count in range(SEAL_MESSAGES_MAX + 2):
            if (index, count) != (one.index, one.count):
                assert not names_the_signer(message, Seal(one.signature, index, count, one.path))


def test_a_batch_of_one_is_a_plain_signature_over_its_leaf() -> None:
    (one,) = seal(KEY, DOMAIN, [keccak(b"m")])
    root = keccak(b"\x00" + keccak(b"m") + bytes(16))
    assert (one.index, one.count, one.path) == (0, 1, ())
    assert one.signature == KEY.sign(DOMAIN.digest(Batch(root).struct_hash())) == KEY.sign(batch_digest(DOMAIN, root))


def test_too_many_messages_share_no_seal() -> None:
    with pytest.raises(ValueError, match="at most"):
        seal(KEY, DOMAIN, [*messages(SEAL_MESSAGES_MAX), bytes(32)])


def test_a_path_longer_than_any_batch_is_refused() -> None:
    endless = Seal(bytes(65), 0, 2**40, tuple(bytes(32) for _ in range(40)))
    with pytest.raises(InvalidSignature, match="count"):
        sealed_by(DOMAIN, bytes(32), endless)


def test_a_seal_of_another_chain_names_somebody_else() -> None:
    (one,) = seal(KEY, DOMAIN, [keccak(b"m")])
    assert sealed_by(dgrid_domain(56, bytes(20)), keccak(b"m"), one) != KEY.address
