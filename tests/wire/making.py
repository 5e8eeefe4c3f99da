"""Receipts made as the network makes them, with keys that everybody knows. For tests of every package."""

from dataclasses import dataclass, replace

from dgrid.core.identity import NO_LISTING, model_id
from dgrid.core.keccak import ZERO_HASH, keccak, salted_hash
from dgrid.core.money import FREE, Price, Terms, split_fee
from dgrid.wire.documents import Label, ReceiptDocument, Record
from dgrid.wire.messages import (
    Dispatch,
    Flag,
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
from dgrid.wire.typed import Domain, dgrid_domain

SETTLEMENT = keccak(b"settlement")[:20]
TOKEN = keccak(b"token")[:20]
DOMAIN = dgrid_domain(31337, SETTLEMENT)
GATEWAY = SigningKey(keccak(b"gateway"))
NODE = SigningKey(keccak(b"node"))
PAYER = SigningKey(keccak(b"payer"))
SALT = keccak(b"salt")
TERMS = Terms(Price(10**15, 2 * 10**15), FREE, protocol_bps=200, margin_bps=500)
SERVED_AT_MS = 1_790_000_000_000


@dataclass(frozen=True)
class Story:
    """What happened; everything else follows."""

    answer: str = "An answer."
    model: str = "dgrid-mini"
    tokens_in: int = 11
    tokens_out: int = 7
    epoch: int = 5
    sequence: int = 0
    batch: int = 1  # how many messages share each seal
    request_id: bytes = keccak(b"request")
    sent: bytes = b"{}"
    received: bytes = b"data: [DONE]\n\n"
    payer: bytes = PAYER.address
    channel_id: bytes = keccak(b"channel")
    salt: bytes = SALT
    paid_before: int = 0
    gateway: SigningKey = GATEWAY
    node: SigningKey = NODE
    digest: bytes = keccak(b"weights")
    evidence: bytes | None = None  # what the node committed to; None: nobody has it
    seed: int = 7
    privacy: int = 0
    flags: int = Flag.STREAMED
    domain: Domain = DOMAIN


def make_record(story: Story | None = None) -> Record:
    """A record that every check finds right."""
    story = story or Story()
    dispatch, label = _dispatch(story), Label(("finished",))
    node_receipt = NodeReceipt(
        dispatch.struct_hash(),
        salted_hash(story.salt, story.answer.encode()),
        keccak(b"evidence") if story.evidence is None else salted_hash(story.salt, story.evidence),
        story.tokens_in,
        story.tokens_out,
    )
    receipt = _receipt(story, node_receipt, label)
    seals = [
        seal(key, story.domain, _batch(message.struct_hash(), story.batch))[story.batch // 2]
        for key, message in ((story.gateway, receipt), (story.gateway, dispatch), (story.node, node_receipt))
    ]
    return Record(
        *(receipt.packed(), seals[0], dispatch.packed(), seals[1], node_receipt.packed(), seals[2]), story.model, label
    )


def make_document(story: Story | None = None, *, salted: bool = True) -> ReceiptDocument:
    """The record opened; the owner's copy unless `salted` is false."""
    story = story or Story()
    document = ReceiptDocument.of(make_record(story), domain=story.domain, salt=story.salt)
    return document if salted else replace(document, salt=None)


def _batch(struct_hash: bytes, size: int) -> list[bytes]:
    others = [keccak(bytes((at,))) for at in range(size)]
    others[size // 2] = struct_hash
    return others


def _dispatch(story: Story) -> Dispatch:
    return Dispatch(
        request_id=story.request_id,
        forwarded_hash=salted_hash(story.salt, story.sent),
        gateway=story.gateway.address,
        node=story.node.address,
        model_id=model_id(story.model),
        model_digest=story.digest,
        token=TOKEN,
        in_price=TERMS.node.in_wei,
        out_price=TERMS.node.out_wei,
        seed=story.seed,
        nonce=1,
        deadline=SERVED_AT_MS + 60_000,
        config_hash=ZERO_HASH,
        last_receipt=ZERO_HASH,
    )


def _receipt(story: Story, node_receipt: NodeReceipt, label: Label) -> InferenceReceipt:
    split = split_fee(TERMS, tokens_in=story.tokens_in, tokens_out=story.tokens_out)
    node_wei = 0 if story.flags & Flag.CACHED else split.node_wei
    rest = split.listing_wei, split.protocol_wei, split.gateway_wei
    parts = node_wei + sum(rest), node_wei, *rest
    sent, received = salted_hash(story.salt, story.sent), salted_hash(story.salt, story.received)
    usage = Usage(story.tokens_in, story.tokens_out, 0, story.privacy, story.flags, 12, 120, SERVED_AT_MS)
    totals = Totals(parts[0] + story.paid_before, *parts[1:])
    return InferenceReceipt(
        request_id=story.request_id,
        parent_receipt=ZERO_HASH,
        node_receipt_hash=node_receipt.struct_hash(),
        parties=_parties(story),
        place=Place(story.epoch, 0, story.sequence),
        usage=usage,
        shares=Shares(*parts),
        totals=totals,
        previous=Previous(),
        hashes=Hashes(sent, keccak(b"route"), received, label.digest()),
    )


def _parties(story: Story) -> Parties:
    parties = story.channel_id, story.payer, story.gateway.address, story.node.address, model_id(story.model)
    return Parties(*parties, NO_LISTING, 0, TOKEN)
