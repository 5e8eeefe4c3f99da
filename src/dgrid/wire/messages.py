"""The signed messages of the network (the classes are the Solidity structs of `contracts/src/Types.sol`)."""

from enum import IntEnum, IntFlag

from dgrid.core.places import NO_PLACE
from dgrid.core.places import Place as PlaceTuple
from dgrid.wire.typed import Address20, Bytes32, Message, Uint8, Uint32, Uint40, Uint64, Uint128


class Grade(IntEnum):
    """What the caller bought."""

    SIGNED = 0
    CONSENSUS = 1
    JUDGED = 2
    TEE = 3


class Privacy(IntEnum):
    """Who may see the content besides the serving node."""

    COMMITTEE = 0
    PUBLIC = 1
    NONE = 2
    SEALED = 3


class Flag(IntFlag):
    """Facts about how an answer came to be."""

    PARTIAL = 1  # the client left or the stream broke; the delivered prefix is billed
    SPLICED = 2
    CACHED = 4
    SUPPORT = 8
    NODE_COUNTED = 16  # the gateway had no tokenizer for the model: the node's own count, bounded by bytes
    STREAMED = 32


NOT_WHOLE = Flag.PARTIAL | Flag.SPLICED | Flag.CACHED | Flag.SUPPORT  # says little of the node, and nothing of a model


class InferenceRequest(Message, frozen=True):
    """A payer's order, when it signs itself."""

    request_hash: Bytes32
    payer: Address20
    model_id: Bytes32
    grade: Uint8
    privacy: Uint8
    max_fee: Uint128
    policy_hash: Bytes32
    nonce: Uint64
    deadline: Uint64  # Unix ms
    gateway: Address20


class Dispatch(Message, frozen=True):
    """A gateway's order to a node."""

    request_id: Bytes32
    forwarded_hash: Bytes32
    gateway: Address20
    node: Address20
    model_id: Bytes32
    model_digest: Bytes32
    token: Address20
    in_price: Uint128
    out_price: Uint128
    seed: Uint64
    nonce: Uint64
    deadline: Uint64  # Unix ms
    config_hash: Bytes32
    last_receipt: Bytes32  # struct hash of the node's latest signed receipt of this gateway; zero when there is none


class NodeReceipt(Message, frozen=True):
    """What a node says it did. It knows neither the fee nor the wire, so it signs only its part."""

    dispatch_hash: Bytes32
    output_hash: Bytes32
    evidence_hash: Bytes32
    tokens_in: Uint32
    tokens_out: Uint32


class Parties(Message, frozen=True):
    RECURS = True

    channel_id: Bytes32
    payer: Address20
    gateway: Address20
    node: Address20
    model_id: Bytes32
    listing_id: Bytes32
    listing_version: Uint32
    token: Address20


class Place(Message, frozen=True):
    """The leaf's place for good; see `core.places`."""

    epoch: Uint64
    lane: Uint32
    sequence: Uint64

    @property
    def position(self) -> PlaceTuple:
        return PlaceTuple(self.epoch, self.lane, self.sequence)


class Usage(Message, frozen=True):
    tokens_in: Uint32
    tokens_out: Uint32
    grade: Uint8
    privacy: Uint8
    flags: Uint32
    ttft_ms: Uint32
    total_ms: Uint32
    served_at: Uint64  # Unix ms; decides the epoch


class Shares(Message, frozen=True):
    """This receipt's fee and its parts; they sum to the fee."""

    fee: Uint128
    node: Uint128
    listing: Uint128
    protocol: Uint128
    gateway: Uint128


class Totals(Message, frozen=True):
    """Lifetime sums per gateway, lane and token, this receipt included.

    The payer's are per channel, the listing's per version.
    """

    payer: Uint128
    node: Uint128
    listing: Uint128
    protocol: Uint128
    gateway: Uint128


class Previous(Message, frozen=True):
    """Packed place of each party's last leaf in this lane, or NO_PLACE."""

    payer: Uint128 = NO_PLACE
    node: Uint128 = NO_PLACE
    listing: Uint128 = NO_PLACE


class Hashes(Message, frozen=True):
    request: Bytes32
    route: Bytes32
    wire: Bytes32
    label: Bytes32


class InferenceReceipt(Message, frozen=True):
    """The record of one answer: who, where it stands, what was used, who gets what.

    Grouped so that a challenge opens little.
    """

    request_id: Bytes32
    parent_receipt: Bytes32
    node_receipt_hash: Bytes32
    parties: Parties
    place: Place
    usage: Usage
    shares: Shares
    totals: Totals
    previous: Previous
    hashes: Hashes


class Batch(Message, frozen=True):
    """A Merkle root over messages signed together."""

    root: Bytes32


class EpochRoot(Message, frozen=True):
    """All that one gateway owes for one epoch and token."""

    gateway: Address20
    epoch: Uint64
    token: Address20
    records_root: Bytes32
    lane_count: Uint32
    blob_id: Bytes32
    pot: Uint128
    previous: Bytes32  # struct hash of the gateway's last root for this token; zero for the first


class Stored(Message, frozen=True):
    """An archive's promise to keep a blob."""

    archive: Address20
    blob_id: Bytes32


class ChannelConfig(Message, frozen=True):
    """x402 batch-settlement channel: one payer, one gateway (named in the salt), one token."""

    payer: Address20
    payer_authorizer: Address20
    receiver: Address20
    receiver_authorizer: Address20
    token: Address20
    withdraw_delay: Uint40  # seconds
    salt: Bytes32

    @property
    def gateway(self) -> bytes:
        return self.salt[:20]


class Voucher(Message, frozen=True):
    """The payer's promise: at most this much may be drawn from the channel, ever."""

    channel_id: Bytes32
    max_claimable_amount: Uint128


class EvaluatorReports(Message, frozen=True):
    """An evaluator's word for all its reports of a round (signed in the court's domain)."""

    evaluator: Address20
    round: Uint64
    reports_root: Bytes32


class QualityRoot(Message, frozen=True):
    """What a round's judgements come to. Everybody who computes it from the chain and the blobs gets the same."""

    round: Uint64
    token: Address20
    credibility_root: Bytes32
    payouts_root: Bytes32
    payouts_count: Uint64
    payouts_total: Uint128
    releases_hash: Bytes32  # keccak(abi.encode(Release[])), Release{gateway, amount}
    blob_id: Bytes32  # the quality table
    previous: Bytes32  # struct hash of the last quality root; zero for the first
