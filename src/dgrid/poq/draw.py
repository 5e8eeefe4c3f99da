"""Who judges which leaf: follows from the chain's seed alone, so that anybody can say who should have judged what.

H = keccak256, read as a big-endian integer. A leaf is drawn when H(seed ‖ "quality" ‖ receipt) falls below its share of
2²⁵⁶, and again with "identity". An evaluator's rank for a leaf is H(seed ‖ receipt ‖ evaluator) over its stake in whole
tokens; the committee are the lowest ranks among those who declared the leaf's model and are not party to it. Whoever
would get more duties in a round than the cap keeps those of the lowest H; the others are nobody's.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dgrid.core.keccak import keccak
from dgrid.core.money import BPS, WEI
from dgrid.poq.evidence import DrawnEpoch, EvaluatorFacts, LeafFacts
from dgrid.poq.rules import DrawRules

HASH_BITS = 256


class Purposes(NamedTuple):
    """What a leaf is drawn for: to be judged, and to be read with the claimed model."""

    quality: bool
    identity: bool


@dataclass(frozen=True, slots=True)
class Duty:
    """One leaf that one evaluator must report on."""

    evaluator: bytes
    round: int
    leaf: LeafFacts
    quality: bool
    identity: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A duty before the cap, with what orders it."""

    lot: int
    duty: Duty


def is_drawn(leaf: LeafFacts, draw: DrawnEpoch, *, purpose: bytes, share_bps: int) -> bool:
    """Whether the seed chose a leaf. `purpose` is b"quality" or b"identity"."""
    if not leaf.is_open:
        return False
    return draw.expired or _number(draw.seed + purpose + leaf.receipt) * BPS < share_bps << HASH_BITS


def drawn_for(leaf: LeafFacts, draw: DrawnEpoch, *, rules: DrawRules) -> Purposes:
    """What the seed chose a leaf for, if for anything."""
    return Purposes(
        is_drawn(leaf, draw, purpose=b"quality", share_bps=rules.quality_bps),
        is_drawn(leaf, draw, purpose=b"identity", share_bps=rules.identity_bps),
    )


def lot(seed: bytes, receipt: bytes, *, evaluator: bytes) -> int:
    """An evaluator's lot for a leaf: an even draw from 0 to 2²⁵⁶ − 1."""
    return _number(seed + receipt + evaluator)


def committee(leaf: LeafFacts, draw: DrawnEpoch, *, size: int) -> tuple[EvaluatorFacts, ...]:
    """Those who judge a drawn leaf, lowest rank first; of equal ranks the lower address."""
    parties = {leaf.node, leaf.payer, draw.gateway}
    able = (one for one in draw.evaluators if leaf.model_digest in one.models and one.address not in parties)
    ranked = sorted((_rank(leaf, draw, one), one.address, one) for one in able)
    return tuple(one for _, _, one in ranked[:size])


def duties(draws: Iterable[DrawnEpoch], rules: DrawRules) -> tuple[Duty, ...]:
    """All duties of the draws, under the cap of each evaluator and round; in order of evaluator and leaf.

    Give all draws of a round together: the cap holds over all gateways.
    """
    by_owner: dict[tuple[int, bytes], list[_Candidate]] = defaultdict(list)
    for draw in draws:
        for candidate in _candidates(draw, rules):
            by_owner[draw.round, candidate.duty.evaluator].append(candidate)
    kept = [duty for owned in by_owner.values() for duty in _under_cap(owned, rules.duty_cap)]
    return tuple(sorted(kept, key=lambda duty: (duty.evaluator, duty.leaf.key)))


def _candidates(draw: DrawnEpoch, rules: DrawRules) -> Iterator[_Candidate]:
    for leaf in draw.leaves:
        purposes = drawn_for(leaf, draw, rules=rules)
        if any(purposes):
            for member in committee(leaf, draw, size=rules.committee_size):
                number = lot(draw.seed, leaf.receipt, evaluator=member.address)
                yield _Candidate(number, Duty(member.address, draw.round, leaf, *purposes))


def _under_cap(owned: Sequence[_Candidate], cap: int) -> list[Duty]:
    return [one.duty for one in sorted(owned, key=lambda one: (one.lot, one.duty.leaf.key))[:cap]]


def _rank(leaf: LeafFacts, draw: DrawnEpoch, evaluator: EvaluatorFacts) -> int:
    number = lot(draw.seed, leaf.receipt, evaluator=evaluator.address)
    return number // max(1, evaluator.stake_wei // WEI)


def _number(data: bytes) -> int:
    return int.from_bytes(keccak(data), "big")
