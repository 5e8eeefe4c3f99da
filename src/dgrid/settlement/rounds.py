"""A round of judging as the chain knows it: when each step is, which rounds wait for a root, and the root of a table.

A round is the epoch in which seeds were fixed; those of its last quarter are of the next. Pure: a view and times come
in, nothing is fetched.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from dgrid.chain.attendance import Attendance
from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.court import Release, release_hash
from dgrid.chain.parameters import Parameters
from dgrid.chain.view import ChainView, Draw, PostedQuality
from dgrid.core.identity import Address
from dgrid.core.keccak import ZERO_HASH
from dgrid.poq.rounds import releases
from dgrid.poq.rules import DrawRules, PayRules, QualityRules, Weights
from dgrid.wire.blob import blob_id
from dgrid.wire.messages import QualityRoot
from dgrid.wire.quality import QualityTable, credibility_root, encode_quality, payouts_tree

RoundAndEvaluator = tuple[int, Address]
Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class Windows:
    """When a round's steps begin, Unix seconds; each lasts until the next (`QualityCourt.windowsOf`)."""

    commit_from_s: int
    reveal_from_s: int
    open_from_s: int
    post_from_s: int


def windows_of(view: ChainView, judged_round: int) -> Windows:
    """The windows of a round, by the seconds that counted in it."""
    parameters = view.parameters.at(judged_round)
    commit_from_s = view.clock.closes_at_ms(judged_round) // 1000
    reveal_from_s = commit_from_s + parameters.commit_seconds
    open_from_s = reveal_from_s + parameters.reveal_seconds
    return Windows(commit_from_s, reveal_from_s, open_from_s, open_from_s + parameters.open_seconds)


def was_watched(view: ChainView, judged_round: int, *, attendance: Attendance) -> bool:
    """Whether who looked on can tell that an evaluator withheld its reports.

    Where nobody could see the chain nobody could open either: a network that was stopped, or a chain that was away,
    makes no silence. The contract would take the report all the same, so that whoever reports must not make it.
    """
    windows = windows_of(view, judged_round)
    return attendance.saw(windows.reveal_from_s, windows.open_from_s)


def rules_of(view: ChainView, judged_round: int) -> QualityRules:
    """The numbers by which a round is judged: those that counted in it, and the published constants."""
    return rules_under(view.parameters.at(judged_round), view, judged_round=judged_round)


def rules_under(parameters: Parameters, view: ChainView, *, judged_round: int) -> QualityRules:
    """The same with these parameters' weights, pay and gain; what was drawn stays drawn."""
    earlier = {draw.round for draw in draws_of(view, judged_round)} - {judged_round}
    return QualityRules(
        draw=draw_rules(view.parameters.at(judged_round)),
        pay=PayRules(
            base_share_bps=view.facts.base_share_bps,
            gain_bps=parameters.gain_bps,
            evaluator_rate_wei=parameters.evaluator_rate_wei,
            pool_cap_wei=parameters.pool_cap_wei,
        ),
        drawn_before={number: draw_rules(view.parameters.at(number)) for number in earlier},
        weights=Weights(
            format=parameters.format_weight,
            accuracy=parameters.accuracy_weight,
            consistency=parameters.consistency_weight,
            cost=parameters.cost_weight,
        ),
    )


def draw_rules(parameters: Parameters) -> DrawRules:
    """Which leaves are drawn in a round that has these parameters."""
    return DrawRules(
        quality_bps=parameters.quality_bps,
        identity_bps=parameters.identity_bps,
        committee_size=parameters.committee_size,
        duty_cap=parameters.duty_cap,
    )


def posted_before(view: ChainView, judged_round: int) -> PostedQuality | None:
    """The root that a round's root follows; None when it is the first."""
    return next((posted for posted in view.newest_quality() if posted.root.round < judged_round), None)


def posted_over(view: ChainView, judged_round: int) -> PostedQuality | None:
    """The first root that takes a round in; None while there is none."""
    return next((posted for _, posted in view.quality_roots.between(judged_round)), None)


def draws_of(view: ChainView, judged_round: int) -> list[Draw]:
    """The draws that a round's root takes in: its own, and those of rounds before it that nobody posted a root for."""
    before = posted_before(view, judged_round)
    since = -1 if before is None else before.root.round
    found = view.draws.in_rounds(since + 1, judged_round + 1)
    return sorted(found, key=lambda draw: (draw.gateway, draw.epoch))


def in_rounds(words: ByEpoch[RoundAndEvaluator, Said], rounds: Iterable[int]) -> list[tuple[RoundAndEvaluator, Said]]:
    """What evaluators said in some rounds, in ascending order."""
    found = (one for number in rounds for one in words.of(number))
    return sorted(found, key=lambda one: one[0])


def canaries_in(view: ChainView, draws: Iterable[Draw]) -> list[tuple[tuple[Address, Address, int], bytes]]:
    """The opened canaries of drawn epochs: (author, gateway, epoch) and blob id, in ascending order."""
    places = {(draw.gateway, draw.epoch) for draw in draws}
    epochs = {epoch for _, epoch in places}
    found = (one for epoch in epochs for one in view.canary_openings.of(epoch))
    return sorted(one for one in found if one[0][1:] in places)


def rounds_due(view: ChainView, *, now_s: int) -> list[int]:
    """The rounds that could be posted now, oldest first: over, judged by someone, and above the last posted."""
    opened = {number for (number, _), _ in view.openings.between(view.last_quality_round + 1)}
    return sorted(number for number in opened if windows_of(view, number).post_from_s <= now_s)


def root_of(table: QualityTable, *, token: bytes, previous: PostedQuality | None) -> QualityRoot:
    """What evaluators sign for a table. Raises OverflowError when its pay-outs leave 128 bits."""
    tree = payouts_tree(table.payouts) if table.payouts else None
    return QualityRoot(
        round=table.round,
        token=token,
        credibility_root=credibility_root(table.credibility),
        payouts_root=ZERO_HASH if tree is None else tree.root.hash,
        payouts_count=len(table.payouts),
        payouts_total=0 if tree is None else tree.root.total,
        releases_hash=release_hash(releases_of(table)),
        blob_id=blob_id(encode_quality(table)),
        previous=ZERO_HASH if previous is None else previous.digest,
    )


def releases_of(table: QualityTable) -> list[Release]:
    """What a table's pay-outs take of each gateway's funds, in the root's order."""
    return [Release(Address(gateway), amount_wei) for gateway, amount_wei in releases(table)]
