"""A node with a scripted engine, and a gateway's hand: dispatches, acknowledgements, and what comes back."""

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from dgrid.core.identity import model_id
from dgrid.core.keccak import keccak, salted_hash
from dgrid.core.money import Price, Terms, split_fee
from dgrid.core.places import NO_PLACE
from dgrid.core.places import Place as PlaceTuple
from dgrid.engines.scripted import ScriptedEngine
from dgrid.engines.tokenizers import Tokenizer
from dgrid.node.admit import Sold, Stand
from dgrid.node.books import Books
from dgrid.node.metering import Meter, MeterTerms
from dgrid.node.offer import ModelTerms
from dgrid.node.presence import Presence
from dgrid.wire.frames import DispatchEnvelope, SignedReceipt, encode
from dgrid.wire.messages import (
    Dispatch,
    Hashes,
    InferenceReceipt,
    NodeReceipt,
    Parties,
    Place,
    Previous,
    Shares,
    Totals,
    Usage,
)
from dgrid.wire.seals import seal
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import dgrid_domain

DOMAIN = dgrid_domain(31337, b"\x11" * 20)
TOKEN = b"\x22" * 20
NODE_KEY = SigningKey(b"\x01" * 32)
GATEWAY_KEY = SigningKey(b"\x02" * 32)
SALT = b"\x33" * 32
NOW_MS = 1_800_000_000_000
PRICE = Price(50 * 10**18, 100 * 10**18)
MODEL = ModelTerms("tiny", keccak(b"weights"), PRICE, context=512, quantization="q8_0", template="chatml")
LINE_WEI = 10**18
PROTOCOL_BPS = 200


@dataclass(slots=True)
class ChainStub:
    """What the chain says, to be changed by a test."""

    gateways: set[bytes] = field(default_factory=lambda: {bytes(GATEWAY_KEY.address)})
    line_wei: int = LINE_WEI
    anchored: int = -1
    cuts: dict[int, int] = field(default_factory=dict)  # the protocol's, where it is another than usual

    def is_gateway(self, gateway: bytes) -> bool:
        return gateway in self.gateways

    def credit_line_wei(self, _gateway: bytes) -> int:
        return self.line_wei

    def anchored_epoch(self, _gateway: bytes) -> int:
        return self.anchored

    def protocol_bps(self, epoch: int) -> int:
        return self.cuts.get(epoch, PROTOCOL_BPS)


@dataclass(slots=True)
class Clock:
    now_ms: int = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@dataclass(slots=True)
class GatewayHand:
    """Signs as a gateway does, and keeps the running totals of one lane. Tests bend the results."""

    key: SigningKey = GATEWAY_KEY
    nonce: int = 0
    total_wei: int = 0
    sequence: int = 0
    last: PlaceTuple | None = None

    def envelope(
        self, *, body: dict[str, Any] | None = None, acknowledged: tuple[SignedReceipt, ...] = (), **changes: Any
    ) -> bytes:
        """The body of a POST /v1/dispatch."""
        self.nonce += 1
        raw = msgspec.json.encode({"model": "tiny", "messages": [{"role": "user", "content": "Who?"}], **(body or {})})
        dispatch = Dispatch(
            request_id=keccak(self.nonce.to_bytes(8, "big")),
            forwarded_hash=salted_hash(SALT, raw),
            gateway=self.key.address,
            node=NODE_KEY.address,
            model_id=model_id("tiny"),
            model_digest=MODEL.digest,
            token=TOKEN,
            in_price=PRICE.in_wei,
            out_price=PRICE.out_wei,
            seed=7,
            nonce=self.nonce,
            deadline=NOW_MS + 60_000,
            config_hash=bytes(32),
            last_receipt=bytes(32),
        )
        dispatch = msgspec.structs.replace(dispatch, **changes)
        sealed = seal(self.key, DOMAIN, [dispatch.struct_hash()])[0]
        return encode(DispatchEnvelope(dispatch.packed(), sealed, SALT, "tiny", raw, acknowledged))

    def acknowledge(
        self, node_receipt: NodeReceipt, *, epoch: int = 1, short_wei: int = 0, **usage: int
    ) -> SignedReceipt:
        """The gateway's receipt over a node's, at the next place of the lane."""
        tokens = {"tokens_in": node_receipt.tokens_in, "tokens_out": node_receipt.tokens_out, **usage}
        split = split_fee(Terms(PRICE, Price(0, 0), PROTOCOL_BPS, 500), **tokens)
        self.total_wei += split.node_wei - short_wei
        place = Place(epoch, 0, self.sequence)
        receipt = InferenceReceipt(
            request_id=bytes(32),
            parent_receipt=bytes(32),
            node_receipt_hash=node_receipt.struct_hash(),
            parties=Parties(bytes(32), b"\x44" * 20, self.key.address, NODE_KEY.address, MODEL.id, bytes(32), 0, TOKEN),
            place=place,
            usage=Usage(tokens["tokens_in"], tokens["tokens_out"], 0, 0, 0, 1, 2, NOW_MS),
            shares=Shares(split.fee_wei, split.node_wei, 0, split.protocol_wei, split.gateway_wei),
            totals=Totals(0, self.total_wei, 0, 0, 0),
            previous=Previous(node=NO_PLACE if self.last is None else self.last.packed()),
            hashes=Hashes(*(bytes(32),) * 4),
        )
        self.sequence += 1
        self.last = place.position
        return self.sign(receipt)

    def sign(self, receipt: InferenceReceipt) -> SignedReceipt:
        return SignedReceipt(receipt.packed(), seal(self.key, DOMAIN, [receipt.struct_hash()])[0])


@dataclass(slots=True)
class NodeParts:
    """A node, taken apart."""

    stand: Stand
    engine: ScriptedEngine
    chain: ChainStub
    clock: Clock
    gateway: GatewayHand = field(default_factory=GatewayHand)

    def with_books(self, books: Books) -> "NodeParts":
        """The same node after a restart."""
        meter = Meter(self.stand.terms, self.chain, books)
        presence = Presence(self.stand.presence.capacity)
        return replace(self, stand=replace(self.stand, books=books, meter=meter, presence=presence))


def make_node(
    *,
    engine: ScriptedEngine | None = None,
    books: Books | None = None,
    capacity: int = 2,
    tokenizer: Tokenizer | None = None,
) -> NodeParts:
    engine, chain, clock, books = engine or ScriptedEngine(), ChainStub(), Clock(), books or Books(None)
    terms = MeterTerms(DOMAIN, NODE_KEY.address, TOKEN)
    sold = {bytes(MODEL.id): Sold(MODEL, engine, tokenizer)}
    stand = Stand(terms, sold, Meter(terms, chain, books), books, Presence(capacity), clock)
    return NodeParts(stand, engine, chain, clock)


@pytest.fixture
def parts() -> NodeParts:
    return make_node()


def node_receipt(number: int = 1, *, tokens_in: int = 10, tokens_out: int = 5) -> NodeReceipt:
    return NodeReceipt(keccak(bytes((number,))), bytes(32), bytes(32), tokens_in, tokens_out)
