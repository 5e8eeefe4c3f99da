"""What quality decides of a node's pay: the part above the base share, paid by a multiplier m, the rest to its payers.

m = clip(1 + g·z, 0.8, 1). z compares a node with the others that sell the same model, task by task: the difference to
their median, plus what chance explains (1.645 standard errors); at most 0. Tasks are weighted by how much is known of
both sides, as Mantel and Haenszel (1959) weigh strata. What counts is the evidence alone: the prior is the same for
everybody and is taken off first, or it would hide a shortfall for as long as there is little evidence. So a small model
is not paid less for being small, a mix of hard tasks costs nobody anything, and an honest node is not fined for bad
luck. Whoever has no peer is not compared (the identity check still holds); whoever runs another model than it claims
gets the least. Nothing is rescaled over a pool: no other node's pay rises by it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt

from dgrid.core.money import BPS
from dgrid.poq.credibility import ALL_TASKS, Z_MICROS, counts_of, prior_counts, priors
from dgrid.poq.evidence import DrawnEpoch, LeafFacts
from dgrid.poq.integers import clamp, nearest
from dgrid.poq.rules import MICROS, CredibilityRules, PayRules
from dgrid.wire.quality import CredibilityRow

NodeAndModel = tuple[bytes, bytes]

NOTHING: Mapping[bytes, int] = {}
RELEASE_MAX_WEI = 2**96 - 1  # the court counts what one root takes of a gateway in 96 bits


@dataclass(frozen=True, slots=True)
class Settled:
    """How one node's part above the base is shared out for one epoch and lane. The sums are conserved."""

    gateway: bytes
    node: bytes
    released_wei: int
    node_wei: int
    refunds: tuple[tuple[bytes, int], ...]  # payer, wei


@dataclass(frozen=True, slots=True)
class Known:
    """What evidence says of a node on a task: how much there is, in thousandths of a count, its mean, and the variance
    of that in squared basis points. The mean may lie beyond 0 to 10,000 where the prior was once another.
    """

    counts: int
    mean_bps: int
    variance: int


class Multipliers:
    """m of every node and model, by one table's credibility."""

    def __init__(
        self,
        rows: Sequence[CredibilityRow],
        rules: PayRules,
        *,
        credibility: CredibilityRules,
        flagged: frozenset[NodeAndModel],
    ) -> None:
        self._rules, self._credibility, self._flagged = rules, credibility, flagged
        self._priors = priors(rows, credibility, flagged=flagged)
        self._peers: dict[tuple[bytes, str], list[CredibilityRow]] = defaultdict(list)  # by model and task
        self._own: dict[NodeAndModel, list[CredibilityRow]] = defaultdict(list)
        for row in rows:
            if row.task != ALL_TASKS and (row.node, row.model) not in flagged:
                self._peers[row.model, row.task].append(row)
                self._own[row.node, row.model].append(row)

    @property
    def least_bps(self) -> int:
        """What no m falls below: the base share is paid already."""
        return max(self._rules.multiplier_min_bps, self._rules.base_share_bps)

    def of(self, node: bytes, model: bytes) -> int:
        """In basis points, rounded down."""
        if (node, model) in self._flagged:
            return self.least_bps
        lost = self._rules.gain_bps * self.shortfall_bps(node, model) // self._rules.unit_bps
        return clamp(BPS + lost, self.least_bps, high=BPS)

    def shortfall_bps(self, node: bytes, model: bytes) -> int:
        """How far a node lies below its peers beyond what chance explains: 0 or less."""
        difference = variance = weight = 0
        for row in self._own[node, model]:
            peers = [peer for peer in self._peers[model, row.task] if peer.node != node]
            own, other = self._known(row), self._known(_middle(peers)) if peers else None
            if own is not None and other is not None:
                shared = own.counts * other.counts // (own.counts + other.counts)
                difference += shared * (own.mean_bps - other.mean_bps)
                variance += shared * shared * (own.variance + other.variance)
                weight += shared
        if not weight:
            return 0
        chance = (isqrt(variance) + 1) * Z_MICROS // MICROS
        return min(0, (difference + chance) // weight)

    def _known(self, row: CredibilityRow) -> "Known | None":
        """The evidence in a row; None where it is less than one count."""
        prior = self._priors.get(row.task) or prior_counts(self._credibility.prior_mean_bps, self._credibility)
        counts, mean = counts_of(row), row.mean_bps
        found = counts.total - prior.total
        if found < MICROS:
            return None
        scatter = mean * (BPS - mean) * counts.total // counts.effective(self._credibility)
        return Known(found // 1_000, nearest((counts.good - prior.good) * BPS, found), scatter * MICROS // found)


def settle(
    draw: DrawnEpoch, multipliers: Multipliers, *, rules: PayRules, most_wei: int = RELEASE_MAX_WEI
) -> tuple[Settled, ...]:
    """An epoch's parts above the base, by lane and node; nothing where they are nothing.

    In sum they are at most `most_wei`, and at most the part of the epoch's fees above the base, rounded down. The
    contract releases that part of all epochs together, rounded up; it would refuse a whole root if one gateway promised
    more.
    """
    by_party: dict[tuple[int, bytes], list[LeafFacts]] = defaultdict(list)
    for leaf in draw.leaves:
        by_party[leaf.key.lane, leaf.node].append(leaf)
    fees_wei = sum(leaf.fee_wei for leaf in draw.leaves)
    left_wei = min(most_wei, fees_wei * (BPS - rules.base_share_bps) // BPS)
    settled: list[Settled] = []
    for (_, node), leaves in sorted(by_party.items()):
        released_wei = min(left_wei, above_base(leaves, rules.base_share_bps))
        if released_wei:
            left_wei -= released_wei
            kept_wei, refunds = _share_out(released_wei, leaves, multipliers=multipliers, rules=rules)
            settled.append(Settled(draw.gateway, node, released_wei, kept_wei, refunds))
    return tuple(settled)


def settle_all(
    draws: Iterable[DrawnEpoch], multipliers: Multipliers, *, rules: PayRules, waiting: Mapping[bytes, int] = NOTHING
) -> list[Settled]:
    """Several epochs' parts; those of one gateway, with what waits already, within what one root may take of it."""
    left_wei = defaultdict(lambda: RELEASE_MAX_WEI, {name: RELEASE_MAX_WEI - wei for name, wei in waiting.items()})
    settled: list[Settled] = []
    for draw in sorted(draws, key=lambda draw: (draw.gateway, draw.epoch)):
        found = settle(draw, multipliers, rules=rules, most_wei=left_wei[draw.gateway])
        left_wei[draw.gateway] -= sum(one.released_wei for one in found)
        settled += found
    return settled


def above_base(leaves: Sequence[LeafFacts], base_share_bps: int) -> int:
    """What the epoch adds to a node's total, less what it adds to the base share of it.

    The base is ⌊total · share / 10⁴⌋ of the lifetime total, as the contract pays it, so nothing is lost to rounding
    over many epochs. Never more than the leaves' own part: a gateway with broken totals releases no more.
    """
    first = min(leaves, key=lambda leaf: leaf.key.sequence)
    old = max(0, first.node_total_wei - first.node_wei)
    new = max(old, max(leaves, key=lambda leaf: leaf.key.sequence).node_total_wei)
    new = min(new, old + sum(leaf.node_wei for leaf in leaves))
    return new - old - (new * base_share_bps // BPS - old * base_share_bps // BPS)


def split_refund(amount_wei: int, weights: Mapping[bytes, int]) -> tuple[tuple[bytes, int], ...]:
    """An amount shared out by weights (some above 0), each part rounded down, what that leaves to the heaviest; of
    equally heavy ones to the lowest address. The parts sum to the amount.
    """
    total = sum(weights.values())
    parts = {payer: amount_wei * weight // total for payer, weight in sorted(weights.items())}
    heaviest = min(weights, key=lambda payer: (-weights[payer], payer))
    parts[heaviest] += amount_wei - sum(parts.values())
    return tuple((payer, part) for payer, part in parts.items() if part)


def _share_out(
    released_wei: int, leaves: Sequence[LeafFacts], *, multipliers: Multipliers, rules: PayRules
) -> tuple[int, tuple[tuple[bytes, int], ...]]:
    """What m leaves to the node, and what goes back to its payers."""
    node = leaves[0].node
    by_model = {model: multipliers.of(node, model) for model in {leaf.model_id for leaf in leaves}}
    multiplier, weights = _weighted(leaves, by_model), _refund_weights(leaves, by_model)
    span = BPS - rules.base_share_bps
    kept = released_wei * (multiplier - rules.base_share_bps) // span if weights and span else released_wei
    return kept, split_refund(released_wei - kept, weights) if kept < released_wei else ()


def _weighted(leaves: Iterable[LeafFacts], by_model: Mapping[bytes, int]) -> int:
    """m over the node's models, weighted by what each earned; rounded down."""
    parts = [(leaf.node_wei, by_model[leaf.model_id]) for leaf in leaves]
    earned = sum(wei for wei, _ in parts)
    return sum(wei * multiplier for wei, multiplier in parts) // earned if earned else BPS


def _refund_weights(leaves: Iterable[LeafFacts], by_model: Mapping[bytes, int]) -> dict[bytes, int]:
    """By payer: fees, each weighted by how much m took from what was bought with it. Nobody where m took nothing."""
    weights: dict[bytes, int] = defaultdict(int)
    for leaf in leaves:
        weights[leaf.payer] += leaf.fee_wei * (BPS - by_model[leaf.model_id])
    return {payer: weight for payer, weight in weights.items() if weight > 0}


def _middle(peers: Sequence[CredibilityRow]) -> CredibilityRow:
    """The peer with the lower median mean."""
    return sorted(peers, key=lambda row: (row.mean_bps, row.node))[(len(peers) - 1) // 2]
