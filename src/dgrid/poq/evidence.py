"""What a round is judged from: draws with their leaves, what evaluators opened, what canaries turned out to be.

`settlement.quality` collects these from the chain and the archives and checks signatures, roots and inclusion; here
they are facts. Refuses to hold content: scores of canaries arrive computed, texts stay outside.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dgrid.wire.messages import Flag, Privacy
from dgrid.wire.quality import LeafKey, Report, TaskType

RoundAndEvaluator = tuple[int, bytes]
GatewayEpoch = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class EvaluatorFacts:
    """An active evaluator at the moment a seed was fixed."""

    address: bytes
    stake_wei: int
    models: frozenset[bytes]  # digests it declared that it can run


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafFacts:
    """One leaf of a drawn epoch: what its receipt says, and the model digest of its dispatch."""

    key: LeafKey
    receipt: bytes  # the receipt's struct hash
    node: bytes
    payer: bytes
    channel_id: bytes
    model_id: bytes
    model_digest: bytes
    fee_wei: int
    node_wei: int
    protocol_wei: int
    node_total_wei: int  # the node's running total at this gateway and lane, this leaf included
    tokens_in: int
    tokens_out: int
    ttft_ms: int
    total_ms: int
    privacy: int
    flags: int

    @property
    def gross_wei(self) -> int:
        """What the node's offer asked: its part and the protocol's, which is taken from it."""
        return self.node_wei + self.protocol_wei

    @property
    def is_public(self) -> bool:
        """Whether its caller lets everybody read it."""
        return self.privacy == Privacy.PUBLIC

    @property
    def is_open(self) -> bool:
        """Whether it may be drawn: its caller lets others see it, and a node worked for it alone."""
        readable = self.privacy in (Privacy.COMMITTEE, Privacy.PUBLIC)
        return readable and not self.flags & (Flag.CACHED | Flag.SUPPORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnEpoch:
    """A gateway's epoch whose seed is fixed, and who could be drawn to judge it."""

    gateway: bytes
    epoch: int
    round: int
    seed: bytes
    expired: bool  # the chain no longer knew the block hash: every leaf is drawn
    evaluators: tuple[EvaluatorFacts, ...]
    leaves: tuple[LeafFacts, ...]


@dataclass(frozen=True, slots=True)
class CanaryTruth:
    """How good the answer to a known-answer task was, by `poq.text`, once its author opened it."""

    score_bps: int
    task: TaskType
    author: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundEvidence:
    """All that the table of `round` is computed from, besides the table before it.

    A round that nobody posted is taken in by the next: the draws may be of several rounds, and what was opened is kept
    by round, so that a report that came a round late (when the others' were public) counts for nothing.
    """

    chain_id: int
    court: bytes
    round: int
    previous_table_id: bytes  # blob id; zero for the first table
    draws: tuple[DrawnEpoch, ...]
    openings: Mapping[RoundAndEvaluator, tuple[Report, ...]]  # those that match their commitment and signature
    committed: frozenset[RoundAndEvaluator] = frozenset()  # who committed, opened or not
    canaries: Mapping[LeafKey, CanaryTruth] = field(default_factory=dict)
    acquittals: Mapping[tuple[bytes, bytes], int] = field(default_factory=dict)  # by node and digest: the epoch
