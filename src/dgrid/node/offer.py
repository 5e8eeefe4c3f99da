"""What this node sells, signed: the document gateways fetch, and the terms that every dispatch is held against."""

from dataclasses import dataclass
from typing import Self

import msgspec

from dgrid.core.errors import NodeMisbehaved
from dgrid.core.identity import model_id, to_hex
from dgrid.core.money import Price
from dgrid.wire.offers import ModelOffer, Offer, SignedOffer, decode_offer, offer_digest
from dgrid.wire.signatures import SigningKey


@dataclass(frozen=True, slots=True)
class ModelTerms:
    """One model as it is sold here. `context` in tokens, prompt and answer together."""

    model: str
    digest: bytes
    price: Price
    context: int
    quantization: str = ""
    template: str = ""
    tokenizer: str = ""

    @property
    def id(self) -> bytes:
        return model_id(self.model)

    def offer(self) -> ModelOffer:
        return ModelOffer(
            self.model,
            to_hex(self.digest),
            self.quantization,
            self.template,
            self.tokenizer,
            self.context,
            str(self.price.in_wei),
            str(self.price.out_wei),
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where and on what the node runs. `capacity` is the number of requests it serves at a time."""

    chain_id: int
    engine: str
    region: str
    capacity: int


@dataclass(frozen=True, slots=True)
class PublishedOffer:
    """An offer, its digest for the registry, and the bytes that gateways get."""

    offer: Offer
    digest: bytes
    document: bytes

    @classmethod
    def sign(cls, key: SigningKey, place: Place, *, models: tuple[ModelTerms, ...], now_ms: int) -> Self:
        """The node's offer as of now; `now_ms` is its version."""
        offers = tuple(model.offer() for model in models)
        node, chain = to_hex(key.address), place.chain_id
        return cls.publish(key, Offer(node, now_ms, chain, place.engine, place.region, place.capacity, offers))

    @classmethod
    def publish(cls, key: SigningKey, offer: Offer) -> Self:
        digest = offer_digest(offer)
        return cls(offer, digest, msgspec.json.encode(SignedOffer(offer, to_hex(key.sign(digest)))))

    def kept(self, key: SigningKey, earlier: bytes) -> Self:
        """The offer in the document `earlier` where only the version differs: what stays the same is not news."""
        try:
            known = decode_offer(earlier, node=key.address)
        except NodeMisbehaved:
            return self
        same = msgspec.structs.replace(known, version=self.offer.version) == self.offer
        return self.publish(key, known) if same else self

    def drained(self, key: SigningKey, *, now_ms: int) -> Self:
        """The same offer, saying that no new work is taken."""
        changed = msgspec.structs.replace(self.offer, draining=True, version=max(now_ms, self.offer.version + 1))
        return self.publish(key, changed)
