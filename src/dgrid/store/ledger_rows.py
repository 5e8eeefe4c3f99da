"""What the ledger takes in and gives back: plain records, no laws and no SQL."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from dgrid.core.errors import InsufficientBudget, StorageUnavailable
from dgrid.core.money import Split
from dgrid.wire.documents import Label, Record
from dgrid.wire.messages import Hashes, InferenceReceipt
from dgrid.wire.seals import Seal

AMOUNT_BYTES = 16
IDEMPOTENCY_KEY_MAX = 255


class LaneLost(StorageUnavailable):
    """Another process has taken the lane; this one must write no more."""

    code = "lane_lost"
    retryable = False


class BudgetExceeded(InsufficientBudget):
    """What is spent and held would exceed the deposit, or the signed voucher."""


class Funds(msgspec.Struct, frozen=True, gc=False):
    """A channel as the finalized chain, and perhaps a signed voucher, describe it."""

    channel_id: bytes
    payer: bytes
    token: bytes
    config: bytes  # packed ChannelConfig
    deposited_wei: int
    ceiling_wei: int | None = None  # the voucher's; None: the deposit is the ceiling
    voucher_signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class OrderDigest:
    """A request that its payer signed: served once, remembered until it expires."""

    digest: bytes
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's own name for a request, and what the request said."""

    key: str
    body_hash: bytes


class HoldRequest(msgspec.Struct, frozen=True, gc=False):
    """The worst-case fee of a request, to be set aside before any byte leaves."""

    request_id: bytes
    funds: Funds
    amount_wei: int
    order: OrderDigest | None = None
    idempotency: IdempotencyKey | None = None


class StoredAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The first reply to an idempotency key, given again to every repetition."""

    status: int
    content_type: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """What is known of an idempotency key; `stored` is None while the request is in progress."""

    body_hash: bytes
    request_id: bytes
    stored: StoredAnswer | None


class UsageFacts(msgspec.Struct, frozen=True, gc=False):
    """A receipt's usage but for the moment of serving, which the ledger decides."""

    tokens_in: int
    tokens_out: int
    grade: int
    privacy: int
    flags: int
    ttft_ms: int
    total_ms: int


class Proof(msgspec.Struct, frozen=True, gc=False):
    """The signed parts that a receipt stands on."""

    dispatch: bytes  # packed Dispatch
    dispatch_seal: Seal
    node_receipt: bytes  # packed NodeReceipt
    node_receipt_hash: bytes
    node_seal: Seal


class Work(msgspec.Struct, frozen=True, gc=False):
    """Which model did it, by whose listing."""

    node: bytes
    model: str
    model_id: bytes
    listing_id: bytes
    listing_version: int


class Charge(msgspec.Struct, frozen=True, gc=False):
    """A finished request, ready to be billed against its hold."""

    request_id: bytes
    work: Work
    usage: UsageFacts
    split: Split
    hashes: Hashes
    proof: Proof
    label: Label
    salt: bytes
    answer: StoredAnswer | None = None
    served_at_ms: int = 0  # what `Ledger.serving` said; 0: now


class UnsealedRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A `Record` before its gateway has sealed it: what a receipt's row keeps."""

    receipt: bytes
    dispatch: bytes
    dispatch_seal: Seal
    node_receipt: bytes
    node_seal: Seal
    model: str
    label: Label

    def sealed(self, seal: Seal) -> Record:
        """The record as it is published."""
        return Record(
            self.receipt,
            seal,
            self.dispatch,
            self.dispatch_seal,
            self.node_receipt,
            self.node_seal,
            self.model,
            self.label,
        )


class Billed(msgspec.Struct, frozen=True, gc=False):
    """A receipt at its place, not yet sealed."""

    receipt: InferenceReceipt
    struct_hash: bytes
    packed: bytes

    @property
    def fee_wei(self) -> int:
        return self.receipt.shares.fee


class Unsealed(msgspec.Struct, frozen=True, gc=False):
    """What the sealer needs of a billed receipt."""

    epoch: int
    sequence: int
    struct_hash: bytes
    node: bytes
    packed: bytes


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """One signature over the receipts of neighbouring places."""

    epoch: int
    first_sequence: int
    size: int
    signature: bytes


class EpochState(StrEnum):
    """How far an epoch's closing has come; each step is durable before the next begins."""

    CLOSED = "closed"
    STORED = "stored"
    HANDED_OVER = "handed_over"
    ANCHORED = "anchored"


class Promise(msgspec.Struct, frozen=True, array_like=True):
    """An archive's signature under `Stored`."""

    archive: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class EpochRow:
    """A closed epoch."""

    epoch: int
    state: EpochState
    size: int
    root: bytes  # packed EpochRoot
    signature: bytes
    promises: tuple[Promise, ...]


@dataclass(frozen=True, slots=True)
class AccountState:
    """What a channel has spent and holds at this moment."""

    spent_wei: int
    held_wei: int
    ceiling_wei: int
    voucher_signature: bytes | None = None
