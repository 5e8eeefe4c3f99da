"""Checks one receipt offline: signatures, hashes, sums. Needs nobody."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dgrid.core.errors import DGridError
from dgrid.core.identity import model_id, to_hex
from dgrid.core.keccak import salted_hash
from dgrid.core.money import Price
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import Flag
from dgrid.wire.seals import sealed_by


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked; `reason` says what is wrong, or what was found right."""

    name: str
    ok: bool
    reason: str


def verify_receipt(document: ReceiptDocument, *, answer: str | None = None) -> list[Check]:
    """All checks of a receipt; it is valid when every one is ok. `answer` is the text the client got, if at hand."""
    checks = [_run(name, check, document) for name, check in _CHECKS.items()]
    if answer is not None:
        checks.append(_run("answer", lambda document: _answer(document, answer), document))
    return checks


def _run(name: str, check: Callable[[ReceiptDocument], Iterator[str]], document: ReceiptDocument) -> Check:
    try:
        faults = list(check(document))
    except (DGridError, ValueError) as error:
        faults = [str(error)]
    return Check(name, not faults, "; ".join(faults) or "ok")


def _differs(what: str, left: object, right: object) -> Iterator[str]:
    if left != right:
        shown = (to_hex(value) if isinstance(value, bytes) else str(value) for value in (left, right))
        yield f"{what}: {' is not '.join(shown)}"


def _gateway_seal(document: ReceiptDocument) -> Iterator[str]:
    signer = sealed_by(document.domain, document.receipt.struct_hash(), document.seal)
    yield from _differs("the receipt's signer is not its gateway", signer, document.receipt.parties.gateway)


def _dispatch_seal(document: ReceiptDocument) -> Iterator[str]:
    signer = sealed_by(document.domain, document.dispatch.struct_hash(), document.dispatch_seal)
    yield from _differs("the dispatch's signer is not the gateway", signer, document.receipt.parties.gateway)


def _node_seal(document: ReceiptDocument) -> Iterator[str]:
    signer = sealed_by(document.domain, document.node_receipt.struct_hash(), document.node_seal)
    yield from _differs("the node receipt's signer is not the node", signer, document.receipt.parties.node)


def _links(document: ReceiptDocument) -> Iterator[str]:
    receipt, dispatch, node_receipt = document.receipt, document.dispatch, document.node_receipt
    parties = receipt.parties
    yield from _differs("node receipt hash", receipt.node_receipt_hash, node_receipt.struct_hash())
    yield from _differs("dispatch hash", node_receipt.dispatch_hash, dispatch.struct_hash())
    if not receipt.usage.flags & Flag.CACHED:  # a cached answer names the dispatch that first made it
        yield from _differs("request id", dispatch.request_id, receipt.request_id)
    yield from _differs("gateway", dispatch.gateway, parties.gateway)
    yield from _differs("node", dispatch.node, parties.node)
    yield from _differs("token", dispatch.token, parties.token)
    yield from _differs("model id", dispatch.model_id, parties.model_id)
    yield from _differs("model name", model_id(document.model), parties.model_id)


def _usage(document: ReceiptDocument) -> Iterator[str]:
    usage, node = document.receipt.usage, document.node_receipt
    if usage.tokens_in > node.tokens_in or usage.tokens_out > node.tokens_out:
        yield "more tokens are billed than the node counted"
    if usage.flags & ~int(sum(Flag)):
        yield "unknown flags"


def _shares(document: ReceiptDocument) -> Iterator[str]:
    usage, shares, dispatch = document.receipt.usage, document.receipt.shares, document.dispatch
    parts = shares.node + shares.listing + shares.protocol + shares.gateway
    yield from _differs("the parts do not sum to the fee", parts, shares.fee)
    if usage.flags & Flag.CACHED:
        yield from _differs("what a cached answer pays its node", shares.node, 0)
    if usage.flags & (Flag.CACHED | Flag.SUPPORT):  # it may be sold for less than the price of its tokens
        return
    gross = Price(dispatch.in_price, dispatch.out_price).gross(usage.tokens_in, usage.tokens_out)
    yield from _differs(
        "the node's part and the protocol's are not the price of the tokens", shares.node + shares.protocol, gross
    )


def _totals(document: ReceiptDocument) -> Iterator[str]:
    shares, totals = document.receipt.shares, document.receipt.totals
    pairs = {
        "payer": (totals.payer, shares.fee),
        "node": (totals.node, shares.node),
        "listing": (totals.listing, shares.listing),
        "protocol": (totals.protocol, shares.protocol),
        "gateway": (totals.gateway, shares.gateway),
    }
    for name, (total, share) in pairs.items():
        if total < share:
            yield f"the {name}'s running total is below this receipt's share"


def _label(document: ReceiptDocument) -> Iterator[str]:
    yield from _differs("label hash", document.receipt.hashes.label, document.label.digest())


def _answer(document: ReceiptDocument, answer: str) -> Iterator[str]:
    if document.salt is None:
        yield "the receipt holds no salt (fetch it with your own key), so no text can be checked against it"
        return
    expected = document.node_receipt.output_hash
    yield from _differs(
        "the answer is not the one that was signed", salted_hash(document.salt, answer.encode()), expected
    )


_CHECKS: dict[str, Callable[[ReceiptDocument], Iterator[str]]] = {
    "gateway signature": _gateway_seal,
    "dispatch signature": _dispatch_seal,
    "node signature": _node_seal,
    "links": _links,
    "usage": _usage,
    "shares": _shares,
    "totals": _totals,
    "label": _label,
}
