"""What the court's events come to: draws, words given and kept, canaries, roots. A pure fold, as all of `view`.

A draw keeps who stood ready to judge at the moment its seed was fixed: whoever joins or declares a model later has no
duty in it, and whoever leaves keeps it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from dgrid.chain.events import (
    AuthorSet,
    CanariesCommitted,
    CanariesOpened,
    Committed,
    CourtEvent,
    Disclosed,
    ModelsDeclared,
    PayoutClaimed,
    Penalized,
    QualityPosted,
    Revealed,
    Role,
    SeedFixed,
)
from dgrid.core.identity import Address, Hash
from dgrid.wire.messages import QualityRoot
from dgrid.wire.quality import PayoutAccount, PayoutKind


@dataclass(frozen=True, slots=True)
class DrawnEvaluator:
    """An active evaluator as it stood when a seed was fixed."""

    address: Address
    stake_wei: int
    encryption_key: bytes
    models: tuple[bytes, ...]  # digests of the models it declared


@dataclass(frozen=True, slots=True)
class Draw:
    """What decides which leaves of a gateway's epoch are judged, by whom, and in which round."""

    gateway: Address
    epoch: int
    round: int
    seed: bytes
    expired: bool
    block: int
    timestamp_ms: int
    evaluators: tuple[DrawnEvaluator, ...]  # in ascending order of their addresses


@dataclass(frozen=True, slots=True)
class Opening:
    """An evaluator's opened reports of a round: their root, and the blob that holds them."""

    reports_root: bytes
    blob_id: bytes


@dataclass(frozen=True, slots=True)
class PostedQuality:
    """A quality root on chain; `digest` is its struct hash."""

    root: QualityRoot
    digest: Hash
    block: int
    timestamp_ms: int
    transaction: bytes = b""  # the one that posted it
    block_hash: bytes = b""  # of the block that took it: nobody foresaw it


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingView:
    """The judging part of a `ChainView`. Treat its collections as read-only."""

    declared: dict[tuple[Role, Address], tuple[bytes, ...]] = field(default_factory=dict)
    draws: dict[tuple[Address, int], Draw] = field(default_factory=dict)  # by gateway and epoch
    disclosures: dict[tuple[Address, int], bytes] = field(default_factory=dict)  # blob ids, by gateway and epoch
    disclosed_ms: dict[tuple[Address, int], int] = field(default_factory=dict)  # when
    commitments: dict[tuple[int, Address], bytes] = field(default_factory=dict)
    openings: dict[tuple[int, Address], Opening] = field(default_factory=dict)
    penalized: dict[tuple[int, Address], int] = field(default_factory=dict)  # what was slashed
    authors: set[Address] = field(default_factory=set)
    canary_roots: dict[tuple[Address, int], bytes] = field(default_factory=dict)  # by author and epoch
    canary_openings: dict[tuple[Address, Address, int], bytes] = field(default_factory=dict)  # author, gateway, epoch
    quality_roots: dict[int, PostedQuality] = field(default_factory=dict)  # in ascending order of rounds
    paid_out: dict[PayoutAccount, int] = field(default_factory=dict)

    def paid_by_court(self, kind: PayoutKind) -> dict[bytes, int]:
        """What the court ever paid for one kind of reason, by payee, whatever gateway's money it was."""
        paid_wei: dict[bytes, int] = defaultdict(int)
        for account, wei in self.paid_out.items():
            if account.kind is kind:
                paid_wei[account.payee] += wei
        return paid_wei

    @property
    def last_quality_round(self) -> int:
        """The round of the last posted root; −1 while there is none."""
        return next(reversed(self.quality_roots), -1)


def change_judging(draft: JudgingView, event: CourtEvent, *, ready: Iterable[DrawnEvaluator]) -> None:
    """Adds one event; `ready` are the evaluators active before it."""
    match event:
        case ModelsDeclared():
            draft.declared[(event.role, event.operator)] = event.digests
        case SeedFixed():
            _add_draw(draft, event, ready)
        case Disclosed():
            draft.disclosures[(event.gateway, event.epoch)] = event.blob_id
            draft.disclosed_ms[(event.gateway, event.epoch)] = event.at.timestamp_ms
        case Committed() | Revealed() | Penalized():
            _change_round(draft, event)
        case AuthorSet() | CanariesCommitted() | CanariesOpened():
            _change_canaries(draft, event)
        case QualityPosted(at, root, digest):
            where = at.block, at.timestamp_ms, at.transaction, at.block_hash
            draft.quality_roots[root.round] = PostedQuality(root, digest, *where)
        case PayoutClaimed():
            draft.paid_out[event.account] = event.claimed_wei
        case _:
            assert_never(event)


def _add_draw(draft: JudgingView, event: SeedFixed, ready: Iterable[DrawnEvaluator]) -> None:
    evaluators = tuple(sorted(ready, key=lambda evaluator: evaluator.address))
    names = event.gateway, event.epoch, event.round
    draft.draws[names[:2]] = Draw(*names, event.seed, event.expired, event.at.block, event.at.timestamp_ms, evaluators)


def _change_round(draft: JudgingView, event: Committed | Revealed | Penalized) -> None:
    key = event.round, event.evaluator
    match event:
        case Committed():
            draft.commitments[key] = event.commitment
        case Revealed():
            draft.openings[key] = Opening(event.reports_root, event.blob_id)
        case Penalized():
            draft.penalized[key] = event.amount_wei


def _change_canaries(draft: JudgingView, event: AuthorSet | CanariesCommitted | CanariesOpened) -> None:
    match event:
        case AuthorSet(allowed=True):
            draft.authors.add(event.author)
        case AuthorSet():
            draft.authors.discard(event.author)
        case CanariesCommitted():
            draft.canary_roots[(event.author, event.epoch)] = event.root
        case CanariesOpened():
            draft.canary_openings[(event.author, event.gateway, event.epoch)] = event.blob_id
