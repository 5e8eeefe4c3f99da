"""Checks what a node delivered and signed, before anything is billed; what can be counted here is counted here."""

import msgspec

from dgrid.core.errors import InvalidSignature, NodeMisbehaved
from dgrid.core.keccak import salted_hash
from dgrid.gateway.counting import Counts
from dgrid.gateway.orders import Order, Plan, Seller
from dgrid.wire.answers import CHOICE_SEPARATOR, Answer
from dgrid.wire.frames import NodeDone
from dgrid.wire.messages import Flag, NodeReceipt
from dgrid.wire.openai import Chunk, decode_chunk
from dgrid.wire.seals import sealed_by
from dgrid.wire.typed import Domain

SPARE_TOKENS = 16  # by which two honest counts of one text may differ
SPARE_PART = 4  # and by which part of the count
PASSED = ("signature", "output", "evidence", "model")
PASSED_COUNTED = (*PASSED, "count")
PARTIAL, STREAMED, NODE_COUNTED = int(Flag.PARTIAL), int(Flag.STREAMED), int(Flag.NODE_COUNTED)  # plain, for speed


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What was asked of which node."""

    order: Order
    plan: Plan
    seller: Seller
    dispatch_hash: bytes


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """All that a node sent for one dispatch. `delivered` is what reached the client, where that is less."""

    answer: Answer
    done: NodeDone
    receipt: NodeReceipt
    delivered: str | None = None


class Verified(msgspec.Struct, frozen=True, gc=False):
    """A delivery that holds, with the counts to bill."""

    tokens_in: int
    tokens_out: int
    flags: int
    validity: tuple[str, ...]
    receipt_hash: bytes
    text: str  # all that the node sent: what its receipt's hash covers
    overcounted: str  # in which count the node claimed far more than there is, or the empty string


def read_chunk(payload: bytes, model: str) -> Chunk:
    """One JSON object of an answer. Raises NodeMisbehaved when it is none, or of another model."""
    if b"\n" in payload or b"\r" in payload:
        raise NodeMisbehaved("a line break in a chunk")  # it could forge events of the stream
    try:
        chunk = decode_chunk(payload)
    except ValueError as error:
        raise NodeMisbehaved(f"malformed chunk: {error}") from None
    if chunk.model != model:
        raise NodeMisbehaved(f"the answer is of the model {chunk.model[:80]!r}, not {model}")
    return chunk


def verify(asked: Asked, delivery: Delivery, *, counts: Counts, domain: Domain) -> Verified:
    """Raises NodeMisbehaved when a signature, a hash or the answer itself is not what it must be."""
    signed = text = delivery.answer.text()
    receipt_hash = check_signed(asked, delivery, text=text, domain=domain)
    if is_blank(delivery.answer, asked.order) and not delivery.done.partial:
        raise NodeMisbehaved("the answer is empty")
    room, receipt = asked.plan.room, delivery.receipt
    text = text if delivery.delivered is None else delivery.delivered
    own_in = room.tokens_in if room.is_counted else None
    own_out = (
        None if delivery.answer.has_calls or asked.order.chat.tools else count_text(counts, asked.seller, text=text)
    )
    overcounted = far_above(receipt.tokens_in, own_in, name="in")
    if delivery.delivered is None:
        overcounted = overcounted or far_above(receipt.tokens_out, own_out, name="out")
    bound_out = len(text.encode("utf-8", "surrogatepass")) + SPARE_TOKENS if own_out is None else own_out
    flags = flags_of(asked.order, delivery)
    if own_in is None or own_out is None:
        flags |= NODE_COUNTED
    return Verified(
        min(receipt.tokens_in, room.tokens_in),
        min(receipt.tokens_out, bound_out, room.tokens_out_max),
        flags,
        PASSED if flags & NODE_COUNTED else PASSED_COUNTED,
        receipt_hash,
        signed,
        overcounted,
    )


def is_blank(answer: Answer, order: Order) -> bool:
    """Nothing was said, and no stop text or bias of the caller's can have ended it before its first letter."""
    return answer.is_empty and not ((order.chat.stop or order.chat.logit_bias) and answer.finish_reasons)


def flags_of(order: Order, delivery: Delivery) -> int:
    """What is known of an answer before it is counted."""
    partial = delivery.done.partial or delivery.delivered is not None
    return (PARTIAL if partial else 0) | (STREAMED if order.streamed else 0)


def check_signed(asked: Asked, delivery: Delivery, *, text: str, domain: Domain) -> bytes:
    """The struct hash of the node's receipt, if it signed exactly what it sent. Raises NodeMisbehaved."""
    receipt, done, salt = delivery.receipt, delivery.done, asked.order.salt
    if receipt.dispatch_hash != asked.dispatch_hash:
        raise NodeMisbehaved("the node's receipt is for another dispatch")
    if receipt.output_hash != salted_hash(salt, text.encode("utf-8", "surrogatepass")):
        raise NodeMisbehaved("the node signed another answer than it sent")
    if receipt.evidence_hash != salted_hash(salt, done.evidence):
        raise NodeMisbehaved("the node signed other evidence than it sent")
    receipt_hash = NodeReceipt.hash_of(done.receipt)
    try:
        signer = sealed_by(domain, receipt_hash, done.seal)
    except InvalidSignature as error:
        raise NodeMisbehaved(f"the node's receipt is not signed: {error.message}") from None
    if signer != asked.seller.node:
        raise NodeMisbehaved("the node's receipt is signed by someone else")
    return receipt_hash


def count_text(counts: Counts, seller: Seller, *, text: str) -> int | None:
    """The tokens of all choices together, as counted here; None where nobody here can."""
    total = 0
    for choice in text.split(CHOICE_SEPARATOR):
        counted = counts.reply(seller.tokenizer, choice)
        if counted is None:
            return None
        total += counted
    return total


def far_above(claimed: int, counted: int | None, *, name: str) -> str:
    """The name of a count that no difference between tokenizers explains."""
    if counted is None or claimed <= counted + max(SPARE_TOKENS, counted // SPARE_PART):
        return ""
    return f"{name}: {claimed} claimed, {counted} counted"
