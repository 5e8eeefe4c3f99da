"""What judging leaves for everybody: disclosures, reports, canaries, samples and the quality table, each a blob.

A round is the epoch in which a draw's seed was fixed on chain. All five blobs are named by their hash, say which
network they belong to and who made them, and are kept by archives like the records of an epoch. Scores are basis
points, amounts 16 bytes of wei; nothing here is a float, so that whoever recomputes a round gets the same bytes.
Refuses to interpret: what the figures mean is `dgrid.poq`'s to say.
"""

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import NamedTuple

import msgspec

from dgrid.core.errors import CheckFailed
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.core.merkle import SumTree, leaf
from dgrid.wire.decoding import decode_with
from dgrid.wire.documents import Record
from dgrid.wire.grounds import Grounds

MAGIC = b"DGRQ"  # an epoch's blob begins with a length far below this
NOT_SCORED = -1
REPORTS_MAX = 4096
LEAVES_MAX = 65_536
SAMPLES_MAX = 80
AMOUNT_BYTES = 16  # wei do not fit msgpack's integers


class TaskType(StrEnum):
    """What kind of work a request is; scores are compared within one kind only."""

    EXTRACT = "extract"  # a short answer found in a given text
    CHOICE = "choice"  # yes or no, a lettered option, a class
    JSON = "json"  # an object of a given shape
    SUMMARY = "summary"
    CHAT = "chat"  # everything else


class Verdict(IntEnum):
    """What an evaluator says of a duty."""

    JUDGED = 0
    UNDISCLOSED = 1  # the content was not given in time
    ALTERED = 2  # the content is not what the receipt's hashes say


def amount_of(wei: int) -> bytes:
    """An amount as the blobs hold it. Raises OverflowError."""
    return wei.to_bytes(AMOUNT_BYTES, "big")


class LeafKey(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Names one leaf of the network: its gateway and its place there."""

    gateway: bytes
    epoch: int
    lane: int
    sequence: int


class Content(msgspec.Struct, frozen=True, array_like=True):
    """What a drawn leaf's hashes cover: enough to judge it, and to check that it is what was signed."""

    salt: bytes
    request: bytes  # the body as the node got it: `forwardedHash`
    answer: str  # all choices, as `outputHash` covers them
    evidence: bytes


class SealedKey(msgspec.Struct, frozen=True, array_like=True):
    """A content key for one evaluator: a sealed box (X25519) to its registered key."""

    evaluator: bytes
    box: bytes


class DisclosedLeaf(msgspec.Struct, frozen=True, array_like=True):
    """One leaf's content: sealed for its committee, or open where the caller chose `public` (no keys then)."""

    lane: int
    sequence: int
    content: bytes  # msgpack of Content; a secret box (XSalsa20-Poly1305) where there are keys
    keys: tuple[SealedKey, ...] = ()


class Disclosure(msgspec.Struct, frozen=True, array_like=True, tag="disclosure"):
    """A gateway's drawn leaves of one epoch."""

    chain_id: int
    court: bytes
    author: bytes  # the gateway
    epoch: int
    seed: bytes
    leaves: tuple[DisclosedLeaf, ...]


class Identity(msgspec.Struct, frozen=True, array_like=True):
    """What teacher forcing through the claimed model found. Micros are millionths; log-probabilities in nats."""

    tokens: int
    gap_micros: int  # mean absolute difference of the committed log-probabilities
    worst_gap_micros: int
    misses: int  # tokens that the claimed model would not have chosen first, at temperature 0
    likelihood_micros: int  # mean log-probability under the claimed model, at most 0


class Report(msgspec.Struct, frozen=True, array_like=True):
    """One evaluator's findings on one leaf. Scores are basis points, or NOT_SCORED."""

    key: LeafKey
    receipt: bytes  # the leaf's struct hash
    verdict: int
    task: TaskType = TaskType.CHAT
    format_bps: int = NOT_SCORED
    accuracy_bps: int = NOT_SCORED
    consistency_bps: int = NOT_SCORED
    cost_bps: int = NOT_SCORED
    identity: Identity | None = None
    peers: tuple[bytes, ...] = ()  # request ids of the answers it was compared with
    grounds: bytes = b""  # digest of what the scores of a public leaf rest on; empty of any other leaf


class Reports(msgspec.Struct, frozen=True, array_like=True, tag="reports/2"):
    """All of one evaluator's reports of a round, in order of their keys, and the grounds that they name, likewise."""

    chain_id: int
    court: bytes
    author: bytes  # the evaluator
    round: int
    reports: tuple[Report, ...]
    signature: bytes  # over EvaluatorReports{evaluator, round, reportsRoot}
    grounds: tuple[Grounds, ...] = ()


class Canary(msgspec.Struct, frozen=True, array_like=True):
    """A known-answer task, opened after the reveal: proves what its author knew beforehand, and what came back."""

    lane: int
    sequence: int
    salt: bytes  # the receipt's, known to its payer
    body: bytes  # as it was sent: `hashes.request`
    reference: str
    task: TaskType
    output: str  # as `outputHash` covers it
    nonce: bytes
    index: int  # among the leaves of the committed tree
    path: tuple[bytes, ...]


class Canaries(msgspec.Struct, frozen=True, array_like=True, tag="canaries"):
    """One author's canaries that one gateway served in one epoch."""

    chain_id: int
    court: bytes
    author: bytes
    gateway: bytes
    epoch: int
    committed: int  # leaves of the committed tree
    canaries: tuple[Canary, ...]


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """A request that somebody asked to see what model answers: what was signed, what was said, what forcing found."""

    record: Record
    content: Content
    identity: Identity | None  # None where it could not be measured


class Samples(msgspec.Struct, frozen=True, array_like=True, tag="samples"):
    """What one evaluator asked one node, all of it: the requests follow from seed and salt, so none can be left out."""

    chain_id: int
    court: bytes
    author: bytes  # the evaluator
    node: bytes
    model: str
    model_digest: bytes
    seed: bytes  # of the case; for its opener of the root that flagged the node, and of its block
    salt: bytes  # chance; for its opener the secret of its commitment in that root's round
    samples: tuple[Sample, ...]


class CredibilityRow(msgspec.Struct, frozen=True, array_like=True):
    """What is believed of a node's work with one model on one kind of task: a Beta posterior, in millionths of a count.

    `low_bps` and `high_bps` bound the central 90 %. `square_micros` sums the squared scores as `good_micros` sums the
    scores: graded answers scatter less than right-or-wrong ones, so as many of them say more.
    """

    node: bytes
    model: bytes
    task: str  # a TaskType, or "" for all together
    good_micros: int
    bad_micros: int
    mean_bps: int
    low_bps: int
    high_bps: int
    samples: int  # canaries, judgements and identity checks ever counted
    round: int  # when it changed last
    square_micros: int = 0


class CalibrationRow(msgspec.Struct, frozen=True, array_like=True):
    """Sums over an evaluator's scores (x) of canaries of one task against the truth (y), for bias, gain and noise."""

    evaluator: bytes
    task: str
    count: int
    x: int
    y: int
    xx: int
    xy: int
    yy: int


class BalanceRow(msgspec.Struct, frozen=True, array_like=True):
    """An evaluator's account of information: signed, never floored per round."""

    evaluator: bytes
    tasks: int
    balance_micros: int
    window: tuple[int, ...]  # the latest tasks' values, in millionths, oldest first
    paid: bytes  # wei credited so far, in pay-out rows
    missed: int  # duties without an opened report

    @property
    def paid_wei(self) -> int:
        return int.from_bytes(self.paid, "big")


class SuspicionRow(msgspec.Struct, frozen=True, array_like=True):
    """The identity evidence against (or for) one node and model: the latest gaps, oldest first."""

    node: bytes
    model: bytes
    gaps_micros: tuple[int, ...]
    flagged_round: int  # when it was found to run another model; -1: never
    doubts_micros: tuple[int, ...] = ()  # likewise the gaps that most members found, though not nearly all


class PayoutKind(IntEnum):
    """To whom a pay-out row is owed (`QualityCourt.sol`)."""

    NODE = 0
    PAYER = 1
    EVALUATOR = 2


class PayoutAccount(NamedTuple):
    """Whose money: a payee's for the requests of one gateway, or an evaluator's for all, under the zero address."""

    kind: PayoutKind
    gateway: Address
    payee: Address


class PayoutRow(msgspec.Struct, frozen=True, array_like=True):
    """All that the quality roots ever owed on one account: it grows only."""

    kind: int
    gateway: bytes
    payee: bytes
    total: bytes

    @property
    def account(self) -> PayoutAccount:
        return PayoutAccount(PayoutKind(self.kind), Address(self.gateway), Address(self.payee))

    @property
    def total_wei(self) -> int:
        return int.from_bytes(self.total, "big")


class Change(msgspec.Struct, frozen=True, array_like=True):
    """Why a credibility moved in this round: one leaf's share of it."""

    node: bytes
    model: bytes
    task: str
    cause: str  # dgrid.poq.credibility.Cause
    key: LeafKey
    score_bps: int
    weight_micros: int


class LevelRow(msgspec.Struct, frozen=True, array_like=True):
    """How judgements of a node's work with a model compare with the truth: sums over opened canaries that a panel
    judged too, in millionths. They fade like credibility.
    """

    node: bytes
    model: bytes
    count_micros: int
    truth_micros: int  # sum of the true scores
    consensus_micros: int  # sum of what the panels said
    judged_micros: int  # what the node's judgements weigh together
    square_micros: int = 0  # sum of the squared differences of truth and consensus


class QualityTable(msgspec.Struct, frozen=True, array_like=True, tag="table"):
    """The whole state after a round, and why it changed. The next round is computed from this one alone and what the
    chain and the round's blobs say.
    """

    chain_id: int
    court: bytes
    round: int
    previous: bytes  # blob id of the table before; zero for the first
    judged: tuple[tuple[bytes, int], ...]  # (gateway, epoch) of the draws taken in
    releases: tuple[tuple[bytes, bytes], ...]  # (gateway, amount) that this round's pay-outs may take from Settlement
    credibility: tuple[CredibilityRow, ...]
    calibration: tuple[CalibrationRow, ...]
    balances: tuple[BalanceRow, ...]
    suspicions: tuple[SuspicionRow, ...]
    payouts: tuple[PayoutRow, ...]  # in the order of the pay-outs' tree
    changes: tuple[Change, ...]
    levels: tuple[LevelRow, ...] = ()  # ascending by node and model
    waiting: tuple[PayoutRow, ...] = ()  # owed, and in no root yet: those of nodes and payers for whom it had no room


QualityBlob = Disclosure | Reports | Canaries | Samples | QualityTable
_decoder: msgspec.msgpack.Decoder[QualityBlob] = msgspec.msgpack.Decoder(QualityBlob)
_encode = msgspec.msgpack.encode


def encode_quality(blob: QualityBlob) -> bytes:
    """The blob's bytes; its name is their keccak."""
    return MAGIC + _encode(blob)


def is_quality(data: bytes) -> bool:
    """Whether the bytes claim to be one of these blobs."""
    return data[:4] == MAGIC


def decode_quality(data: bytes) -> QualityBlob:
    """Raises CheckFailed when the bytes are none of these blobs."""
    if not is_quality(data):
        raise CheckFailed("not a blob of the judging roles")
    try:
        return decode_with(_decoder, data[4:])
    except ValueError as error:
        raise CheckFailed(f"malformed quality blob: {error}") from None


def encode_content(content: Content) -> bytes:
    return _encode(content)


_content_decoder = msgspec.msgpack.Decoder(Content)


def decode_content(data: bytes) -> Content:
    """Raises ValueError."""
    return decode_with(_content_decoder, data)


def tree_of_items(items: Sequence[bytes]) -> SumTree:
    """The tree over hashes of reports, canaries or credibility rows: nothing is summed. At least one item."""
    return SumTree([leaf(item) for item in items])


def report_item(report: Report) -> bytes:
    """What a report's leaf holds."""
    return keccak(_encode(report))


def reports_root(reports: Sequence[Report]) -> bytes:
    """The root an evaluator commits to; of no reports, 32 zero bytes."""
    return tree_of_items([report_item(report) for report in reports]).root.hash if reports else bytes(32)


def canary_item(nonce: bytes, body: bytes, reference: str) -> bytes:
    """What an author commits to: keccak(nonce ‖ keccak(body) ‖ keccak(reference))."""
    return keccak(nonce + keccak(body) + keccak(reference.encode()))


def credibility_item(row: CredibilityRow) -> bytes:
    """What a credibility row's leaf holds."""
    return keccak(_encode(row))


def credibility_root(rows: Sequence[CredibilityRow]) -> bytes:
    """The root over all rows in order; of none, 32 zero bytes."""
    return tree_of_items([credibility_item(row) for row in rows]).root.hash if rows else bytes(32)


def payout_item(account: PayoutAccount) -> bytes:
    """What a pay-out's leaf holds besides its sum: keccak(abi.encode(kind, gateway, payee))."""
    return keccak(account.kind.to_bytes(32, "big") + account.gateway.rjust(32, b"\0") + account.payee.rjust(32, b"\0"))


def payouts_tree(rows: Sequence[PayoutRow]) -> SumTree:
    """The sum tree that pay-outs are claimed by. At least one row."""
    return SumTree([leaf(payout_item(row.account), row.total_wei) for row in rows])
