"""What a node sells: a signed, versioned offer, fetched by gateways from GET /v1/offer."""

import msgspec

from dgrid.core.errors import InvalidSignature, NodeMisbehaved
from dgrid.core.keccak import keccak
from dgrid.wire.decoding import decode_with
from dgrid.wire.signatures import recover

OFFER_BYTES_MAX = 64 * 1024


class ModelOffer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model a node serves. Prices are decimal strings: wei per million tokens."""

    model: str
    model_digest: str  # 0x keccak of the weights
    quantization: str
    template: str
    tokenizer: str  # name by which gateways know the tokenizer; empty when they cannot count
    context: int
    in_price_wei: str
    out_price_wei: str


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a node offers. `version` grows with every change."""

    node: str  # 0x address
    version: int  # Unix ms of the offer's making
    chain_id: int
    engine: str
    region: str
    capacity: int  # requests at a time
    models: tuple[ModelOffer, ...]
    draining: bool = False


class SignedOffer(msgspec.Struct, frozen=True):
    offer: Offer
    signature: str  # 0x, over keccak("DGrid offer\n" ‖ canonical JSON of the offer)


_decoder = msgspec.json.Decoder(SignedOffer)


def offer_digest(offer: Offer) -> bytes:
    """What the node signs, and what it registers on chain."""
    return keccak(b"DGrid offer\n" + msgspec.json.encode(offer, order="sorted"))


def decode_offer(data: bytes, *, node: bytes) -> Offer:
    """A node's offer, checked to be its own. Raises NodeMisbehaved."""
    try:
        signed = decode_with(_decoder, data)
        signer = recover(offer_digest(signed.offer), bytes.fromhex(signed.signature.removeprefix("0x")))
    except (ValueError, InvalidSignature) as error:
        raise NodeMisbehaved(f"malformed offer: {error}") from None
    if signer != node or signed.offer.node != "0x" + node.hex():
        raise NodeMisbehaved("the offer is not signed by the node that serves it")
    return signed.offer
