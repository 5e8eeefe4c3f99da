"""A node's offer is its own or nothing."""

import msgspec
import pytest
from tests.wire.making import GATEWAY, NODE

from dgrid.core.errors import NodeMisbehaved
from dgrid.core.identity import to_hex
from dgrid.wire.offers import ModelOffer, Offer, SignedOffer, decode_offer, offer_digest

MODEL = ModelOffer("m", "0x" + "00" * 32, "q8_0", "chatml", "t", 512, "1", "2")
OFFER = Offer(to_hex(NODE.address), 1, 31337, "llama.cpp", "local", 4, (MODEL,))


def signed(offer: Offer, key: object = NODE) -> bytes:
    signature = to_hex(key.sign(offer_digest(offer)))  # type: ignore[attr-defined]
    return msgspec.json.encode(SignedOffer(offer, signature))


def test_a_nodes_own_offer_is_taken() -> None:
    assert decode_offer(signed(OFFER), node=NODE.address) == OFFER


def test_an_offer_that_another_signed_is_refused() -> None:
    with pytest.raises(NodeMisbehaved, match="not signed by the node"):
        decode_offer(signed(OFFER, GATEWAY), node=NODE.address)


def test_an_offer_of_another_node_is_refused() -> None:
    with pytest.raises(NodeMisbehaved, match="not signed by the node"):
        decode_offer(signed(OFFER), node=GATEWAY.address)


def test_an_altered_price_is_refused() -> None:
    cheaper = signed(OFFER).replace(b'"out_price_wei":"2"', b'"out_price_wei":"1"')
    with pytest.raises(NodeMisbehaved):
        decode_offer(cheaper, node=NODE.address)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"offer":{},"signature":"0x"}', signed(OFFER)[:-9]])
def test_what_is_no_offer_is_refused(data: bytes) -> None:
    with pytest.raises(NodeMisbehaved, match="malformed"):
        decode_offer(data, node=NODE.address)
