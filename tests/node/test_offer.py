import pytest
from tests.node.conftest import GATEWAY_KEY, MODEL, NODE_KEY, NOW_MS

from dgrid.core.errors import NodeMisbehaved
from dgrid.core.identity import to_hex
from dgrid.node.offer import Place, PublishedOffer
from dgrid.wire.offers import decode_offer

PUBLISHED = PublishedOffer.sign(NODE_KEY, Place(31337, "scripted", "local", 4), models=(MODEL,), now_ms=NOW_MS)


def test_a_gateway_reads_what_the_node_sells() -> None:
    offer = decode_offer(PUBLISHED.document, node=NODE_KEY.address)
    assert offer.node == to_hex(NODE_KEY.address)
    assert offer.models[0].model_digest == to_hex(MODEL.digest)
    assert (offer.models[0].in_price_wei, offer.capacity, offer.version) == (str(MODEL.price.in_wei), 4, NOW_MS)


def test_an_offer_is_its_nodes_alone() -> None:
    with pytest.raises(NodeMisbehaved):
        decode_offer(PUBLISHED.document, node=GATEWAY_KEY.address)


@pytest.mark.parametrize(("old", "new"), [(b"q8_0", b"f16!"), (b'"capacity":4', b'"capacity":9'), (b"50000", b"10000")])
def test_a_changed_offer_is_found_out(old: bytes, new: bytes) -> None:
    assert old in PUBLISHED.document
    with pytest.raises(NodeMisbehaved):
        decode_offer(PUBLISHED.document.replace(old, new, 1), node=NODE_KEY.address)


def test_draining_is_a_newer_offer() -> None:
    drained = PUBLISHED.drained(NODE_KEY, now_ms=NOW_MS)
    assert decode_offer(drained.document, node=NODE_KEY.address).draining
    assert drained.offer.version > PUBLISHED.offer.version
    assert drained.digest != PUBLISHED.digest
