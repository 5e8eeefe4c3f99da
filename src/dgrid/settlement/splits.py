"""What a fee may be made of: the rules of `Splits.sol`, 5, as Python has them. Pure integers.

Agreed is what the dispatch's prices, the listing's version and the epoch's parameters make of the receipt's tokens. An
answer begun in one epoch may be billed in the next: what counted before will do as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dgrid.chain.view import ChainView
from dgrid.core.errors import InvalidSignature
from dgrid.core.money import BPS, FREE, Price
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import Flag
from dgrid.wire.seals import sealed_by

Listings = Mapping[tuple[bytes, int], Price]


@dataclass(frozen=True, slots=True)
class SplitTerms:
    """What counts for the receipts of one epoch; empty where nobody knows it."""

    listings: Listings | None = None  # by (listing, version)
    protocol_bps: tuple[int, ...] = ()  # in this epoch and the one before
    margin_bps_max: int | None = None  # the higher of both

    @classmethod
    def of(cls, view: ChainView, epoch: int) -> "SplitTerms":
        """As the chain has it."""
        listings = {(bytes(name), version): one.price for (name, version), one in view.listing_versions.items()}
        counted = [view.parameters.at(each) for each in (epoch, max(0, epoch - 1))]
        margin = max(one.maximum_margin_bps for one in counted)
        return cls(listings, tuple(one.protocol_bps for one in counted), margin)


@dataclass(frozen=True, slots=True)
class _Prices:
    """What a receipt's tokens come to."""

    gross: int
    listing: int | None
    margin: int | None


def is_opened(document: ReceiptDocument) -> bool:
    """Whether the record holds the dispatch and the node's receipt that its receipt speaks of."""
    node_receipt = document.node_receipt
    bound = document.receipt.node_receipt_hash == node_receipt.struct_hash()
    return bound and node_receipt.dispatch_hash == document.dispatch.struct_hash()


def is_whole(document: ReceiptDocument) -> bool:
    """Whether the record could be shown on chain: opened, and sealed by its node."""
    if not is_opened(document):
        return False
    try:
        signer = sealed_by(document.domain, document.node_receipt.struct_hash(), document.node_seal)
    except InvalidSignature:
        return False
    return signer == document.receipt.parties.node


def split_faults(document: ReceiptDocument, terms: SplitTerms) -> Iterator[str]:
    """What is wrong with a receipt's tokens, parties and parts, given that `is_opened`."""
    yield from _token_faults(document)
    yield from _dispatch_faults(document)
    shares, flags = document.receipt.shares, document.receipt.usage.flags
    parts = shares.node + shares.listing + shares.protocol + shares.gateway
    if parts != shares.fee:
        yield f"the parts do not sum to the fee: {parts} is not {shares.fee}"
    prices = _prices(document, terms)
    if flags & (Flag.CACHED | Flag.SUPPORT):
        yield from _reduced_faults(document, prices)
    else:
        yield from _whole_faults(document, prices, terms)


def _token_faults(document: ReceiptDocument) -> Iterator[str]:
    usage, node = document.receipt.usage, document.node_receipt
    if usage.tokens_in > node.tokens_in or usage.tokens_out > node.tokens_out:
        yield "more tokens are billed than the node counted"


def _dispatch_faults(document: ReceiptDocument) -> Iterator[str]:
    receipt, dispatch = document.receipt, document.dispatch
    is_cached = bool(receipt.usage.flags & Flag.CACHED)  # it names the dispatch that first made the answer
    if not is_cached and dispatch.request_id != receipt.request_id:
        yield "its dispatch is of another request"
    ordered = dispatch.gateway, dispatch.node, dispatch.token, dispatch.model_id
    parties = receipt.parties
    if ordered != (parties.gateway, parties.node, parties.token, parties.model_id):
        yield "its dispatch is of other parties"


def _prices(document: ReceiptDocument, terms: SplitTerms) -> _Prices:
    usage, dispatch, parties = document.receipt.usage, document.dispatch, document.receipt.parties
    tokens = usage.tokens_in, usage.tokens_out
    gross = Price(dispatch.in_price, dispatch.out_price).gross(*tokens)
    listing = None
    if terms.listings is not None:  # a version that was never listed asks for nothing
        asked = terms.listings.get((parties.listing_id, parties.listing_version), FREE)
        listing = asked.gross(*tokens) if any(parties.listing_id) else 0
    margin = None if terms.margin_bps_max is None else gross * terms.margin_bps_max // BPS
    return _Prices(gross, listing, margin)


def _reduced_faults(document: ReceiptDocument, prices: _Prices) -> Iterator[str]:
    """A cached answer cost its node nothing; one that only supports a consensus may be sold for less."""
    shares = document.receipt.shares
    if document.receipt.usage.flags & Flag.CACHED and shares.node:
        yield "a cached answer pays the node"
    if prices.listing is not None and prices.margin is not None:
        most = prices.gross + prices.listing + prices.margin
        if shares.node + shares.listing + shares.protocol + shares.gateway > most:
            yield f"the fee is above the {most} of a whole answer"


def _whole_faults(document: ReceiptDocument, prices: _Prices, terms: SplitTerms) -> Iterator[str]:
    shares, gross = document.receipt.shares, prices.gross
    if shares.node + shares.protocol != gross:
        yield f"the node's part and the protocol's are not the price of the tokens, {gross}"
    cuts = {gross * bps // BPS for bps in terms.protocol_bps}
    if cuts and shares.protocol not in cuts:
        yield f"the protocol's share is {shares.protocol}, not {' or '.join(map(str, sorted(cuts)))}"
    if prices.listing is not None and shares.listing != prices.listing:
        yield f"the listing's share is {shares.listing}, not {prices.listing}"
    if prices.margin is not None and shares.gateway > prices.margin:
        yield f"the gateway's share is {shares.gateway}, above the highest margin, {prices.margin}"
