"""What the court's events come to: draws, words given and kept, canaries, roots. A pure fold, as all of `view`.

A draw keeps who stood ready to judge at the moment its seed was fixed: whoever joins or declares a model later has no
duty in it, and whoever leaves keeps it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self, assert_never

from dgrid.chain.by_epoch import ByEpoch
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


class Draws(ByEpoch[tuple[Address, int], Draw]):
    """All draws by gateway and epoch, and by round: a seed may come long after its epoch."""

    __slots__ = ("_gateways", "_in_rounds")

    def __init__(self, entries: Mapping[tuple[Address, int], Draw] | None = None) -> None:
        self._gateways: set[Address] = set()
        self._in_rounds: ByEpoch[tuple[int, Address, int], Draw] = ByEpoch()
        super().__init__(entries)

    @property
    def gateways(self) -> list[Address]:
        """Those of whom something was ever drawn, in ascending order."""
        return sorted(self._gateways)

    def in_rounds(self, first: int, end: int | None = None) -> Iterator[Draw]:
        """The draws of the rounds from `first` on, up to but without `end`."""
        return (draw for _, draw in self._in_rounds.between(first, end))

    def in_round(self, number: int) -> Iterator[Draw]:
        """The draws of one round."""
        return self.in_rounds(number, number + 1)

    def copy(self) -> Self:
        twin = super().copy()
        twin._gateways, twin._in_rounds = self._gateways.copy(), self._in_rounds.copy()  # noqa: SLF001 (of its kind)
        return twin

    def __setitem__(self, key: tuple[Address, int], draw: Draw) -> None:
        if (known := self.get(key)) is not None:
            del self._in_rounds[known.round, *key]
        super().__setitem__(key, draw)
        self._gateways.add(draw.gateway)
        self._in_rounds[draw.round, *key] = draw

    def __delitem__(self, key: tuple[Address, int]) -> None:
        del self._in_rounds[self[key].round, *key]
        super().__delitem__(key)


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
    block_hash: bytes = b""  # of the block that took it, which nobody could foresee


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingView:
    """The judging part of a `ChainView`. Treat its collections as read-only."""

    declared: dict[tuple[Role, Address], tuple[bytes, ...]] = field(default_factory=dict)
    draws: Draws = field(default_factory=Draws)
    disclosures: ByEpoch[tuple[Address, int], bytes] = field(default_factory=ByEpoch)  # blob ids, by gateway and epoch
    disclosed_ms: ByEpoch[tuple[Address, int], int] = field(default_factory=ByEpoch)  # when
    commitments: ByEpoch[tuple[int, Address], bytes] = field(default_factory=ByEpoch)
    openings: ByEpoch[tuple[int, Address], Opening] = field(default_factory=ByEpoch)
    penalized: ByEpoch[tuple[int, Address], int] = field(default_factory=ByEpoch)  # what was slashed
    rounds_opened: dict[Address, int] = field(default_factory=dict)  # how many, by evaluator
    rounds_withheld: dict[Address, int] = field(default_factory=dict)
    authors: set[Address] = field(default_factory=set)
    canary_roots: ByEpoch[tuple[Address, int], bytes] = field(default_factory=ByEpoch)  # by author and epoch
    canary_openings: ByEpoch[tuple[Address, Address, int], bytes] = field(default_factory=ByEpoch)  # author, gateway, …
    quality_roots: ByEpoch[int, PostedQuality] = field(default_factory=ByEpoch)  # in ascending order of rounds
    paid_out: dict[PayoutAccount, int] = field(default_factory=dict)

    def unopened(self) -> Iterator[tuple[int, Address]]:
        """The commitments that were neither opened nor reported."""
        return self.commitments.without(self.openings, self.penalized)

    def judges_of(self, number: int) -> list[Address]:
        """Who opened its reports of a round, in order of opening: these may sign the round's root."""
        return [evaluator for (_, evaluator), _ in self.openings.of(number)]

    def paid_by_court(self, kind: PayoutKind) -> dict[bytes, int]:
        """What the court ever paid for one kind of reason, by payee, whatever gateway's money it was."""
        paid_wei: dict[bytes, int] = defaultdict(int)
        for account, wei in self.paid_out.items():
            if account.kind is kind:
                paid_wei[account.payee] += wei
        return paid_wei

    def newest_quality(self) -> Iterator[PostedQuality]:
        """The posted roots, the last round's first."""
        return (self.quality_roots[number] for number in reversed(self.quality_roots))

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
            where = at.block, at.timestamp_ms, at.block_hash
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
            draft.rounds_opened[event.evaluator] = draft.rounds_opened.get(event.evaluator, 0) + 1
        case Penalized():
            draft.penalized[key] = event.amount_wei
            draft.rounds_withheld[event.evaluator] = draft.rounds_withheld.get(event.evaluator, 0) + 1


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
