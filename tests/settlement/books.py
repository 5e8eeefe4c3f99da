"""A gateway's books as tests need them: real receipts, sealed by real keys, with totals and places that hold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from dgrid.core.identity import NO_LISTING, model_id
from dgrid.core.keccak import ZERO_HASH, keccak, salted_hash
from dgrid.core.money import FREE, WEI, Price, Split, Terms, split_fee
from dgrid.core.places import NO_PLACE
from dgrid.settlement.closing import ClosedEpoch, Closing, ClosingRow, close_epoch
from dgrid.wire.blob import SignedVoucher, encode_record
from dgrid.wire.documents import Label, Record
from dgrid.wire.messages import (
    ChannelConfig,
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
    Voucher,
)
from dgrid.wire.quality import Content
from dgrid.wire.seals import seal
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain

MODEL = "dgrid-nano"
Close = Callable[..., ClosedEpoch | None]  # as `close_epoch`
PRICE = Price(2 * WEI, 6 * WEI)


@dataclass(frozen=True)
class Work:
    """One answer: who paid, who served, how much."""

    channel: ChannelConfig
    channel_id: bytes
    node: SigningKey
    tokens_in: int
    tokens_out: int
    said: Content | None = None  # what the hashes cover, where somebody looks at it
    digest: bytes = keccak(b"weights")
    price: Price = PRICE
    flags: int = 0
    request_id: bytes = b""  # of a request that its payer signed
    seed: int = 7


@dataclass
class Books:
    """What one gateway keeps."""

    key: SigningKey
    domain: Domain
    token: bytes
    clock_start_s: int
    epoch_seconds: int
    listing: tuple[bytes, int, Price] = (NO_LISTING, 0, FREE)
    protocol_bps: int = 200
    margin_bps: int = 500
    previous_root: bytes = ZERO_HASH
    deadline_s: int = 0  # of every dispatch; 0: long after the clock's start
    rows: dict[int, list[ClosingRow]] = field(default_factory=dict)
    receipts: list[InferenceReceipt] = field(default_factory=list)
    _totals: dict[tuple[int, str, bytes], int] = field(default_factory=dict)  # by lane
    _places: dict[tuple[int, str, bytes], int] = field(default_factory=dict)
    _nonces: "count[int]" = field(default_factory=count)

    def answer(self, epoch: int, work: Work, *, lane: int = 0, split: Split | None = None) -> InferenceReceipt:
        """Bills one answer; a liar by another split than was agreed."""
        nonce = next(self._nonces)
        request_id = work.request_id or keccak(self.key.address + nonce.to_bytes(8, "big"))
        dispatch = self._dispatch(request_id, work, nonce)
        output, evidence = keccak(b"output"), keccak(b"evidence")
        if work.said is not None:
            output = salted_hash(work.said.salt, work.said.answer.encode())
            evidence = salted_hash(work.said.salt, work.said.evidence)
        node_receipt = NodeReceipt(dispatch.struct_hash(), output, evidence, work.tokens_in, work.tokens_out)
        split = split or self.agreed(work)
        place = Place(epoch, lane, sum(row.lane == lane for row in self.rows.get(epoch, [])))
        receipt = self._receipt(place, work, split, request_id, node_receipt)
        (dispatch_seal,) = seal(self.key, self.domain, [dispatch.struct_hash()])
        (node_seal,) = seal(work.node, self.domain, [node_receipt.struct_hash()])
        (receipt_seal,) = seal(self.key, self.domain, [receipt.struct_hash()])
        record = Record(
            receipt.packed(),
            receipt_seal,
            dispatch.packed(),
            dispatch_seal,
            node_receipt.packed(),
            node_seal,
            MODEL,
            Label(),
        )
        row = ClosingRow(lane, place.sequence, encode_record(record), receipt.struct_hash(), split.fee_wei)
        self.rows.setdefault(epoch, []).append(row)
        self.receipts.append(receipt)
        return receipt

    def agreed(self, work: Work) -> Split:
        """What an answer costs, and who gets which part of it."""
        terms = Terms(work.price, self.listing[2], self.protocol_bps, self.margin_bps)
        return split_fee(terms, tokens_in=work.tokens_in, tokens_out=work.tokens_out)

    def close(
        self, epoch: int, *, vouchers: tuple[SignedVoucher, ...] = (), close: Close = close_epoch
    ) -> ClosedEpoch | None:
        """Closes an epoch; its root follows the last one. A liar closes it otherwise."""
        closing = Closing(self.domain, self.key.address, epoch, self.token, self.previous_root)
        rows = sorted(self.rows.get(epoch, []), key=lambda row: (row.lane, row.sequence))
        closed = close(closing, rows, vouchers=vouchers)
        if closed is not None:
            self.previous_root = closed.root.struct_hash()
        return closed

    def _dispatch(self, request_id: bytes, work: Work, nonce: int) -> Dispatch:
        deadline = 1000 * (self.deadline_s or self.clock_start_s + 10**6)
        return Dispatch(
            request_id,
            keccak(b"forwarded") if work.said is None else salted_hash(work.said.salt, work.said.request),
            self.key.address,
            work.node.address,
            model_id(MODEL),
            work.digest,
            self.token,
            work.price.in_wei,
            work.price.out_wei,
            work.seed,
            nonce,
            deadline,
            ZERO_HASH,
            ZERO_HASH,
        )

    def _receipt(
        self, place: Place, work: Work, split: Split, request_id: bytes, node_receipt: NodeReceipt
    ) -> InferenceReceipt:
        listing_id, version, _ = self.listing
        served_ms = (self.clock_start_s + place.epoch * self.epoch_seconds) * 1000 + 5
        parties = Parties(
            work.channel_id,
            work.channel.payer,
            self.key.address,
            work.node.address,
            model_id(MODEL),
            listing_id,
            version,
            self.token,
        )
        keys = {
            "payer": work.channel_id,
            "node": work.node.address,
            "listing": listing_id + bytes((version,)),
            "protocol": b"",
            "gateway": b"",
        }
        shares = Shares(split.fee_wei, split.node_wei, split.listing_wei, split.protocol_wei, split.gateway_wei)
        parts = (split.fee_wei, split.node_wei, split.listing_wei, split.protocol_wei, split.gateway_wei)
        totals, places = [], []
        for (name, key), part in zip(keys.items(), parts, strict=True):
            line = place.lane, name, key
            places.append(self._places.get(line, NO_PLACE))
            self._totals[line] = self._totals.get(line, 0) + part
            self._places[line] = place.position.packed()
            totals.append(self._totals[line])
        usage = Usage(work.tokens_in, work.tokens_out, 0, 0, work.flags, 10, 20, served_ms)
        hashes = Hashes(keccak(b"request"), keccak(b"route"), keccak(b"wire"), Label().digest())
        return InferenceReceipt(
            request_id,
            ZERO_HASH,
            node_receipt.struct_hash(),
            parties,
            place,
            usage,
            shares,
            Totals(*totals),
            Previous(*places[:3]),
            hashes,
        )


def voucher(domain: Domain, config: ChannelConfig, key: SigningKey, ceiling_wei: int) -> SignedVoucher:
    """A payer's promise in x402's domain."""
    promise = Voucher(domain.digest(config.struct_hash()), ceiling_wei)
    return SignedVoucher(
        config.packed(), ceiling_wei.to_bytes(16, "big"), key.sign(domain.digest(promise.struct_hash()))
    )
