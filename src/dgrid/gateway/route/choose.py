"""Chooses a node: hard filters, then the better of two drawn by chance (power of two choices over peak-EWMA).

Pure: the same sellers, loads, wishes and chance give the same choice. Credibility has its place in `score`; until
evaluators measure it, every node stands in the interval from 0 to 10,000.
"""

from collections.abc import Callable, Sequence
from random import Random

import msgspec

from dgrid.gateway.orders import Seller
from dgrid.gateway.route.load import Loads, NodeLoad
from dgrid.gateway.route.wishes import Wishes

CREDIBILITY_LOW_BPS, CREDIBILITY_HIGH_BPS = 0, 10_000
CAPACITY_STRETCH = 16  # a node queues a little; more than this many times its places would only wait


class Moment(msgspec.Struct, frozen=True, gc=False):
    """What a choice depends on besides the offers."""

    loads: Loads
    now_ms: int
    chance: Random
    owed_wei: Callable[[bytes], int]  # unsettled, by node


def choose(sellers: Sequence[Seller], wishes: Wishes, *, moment: Moment, excluded: frozenset[bytes]) -> Seller | None:
    """The node to ask next, or None when every one is excluded, full or at the end of its credit line."""
    able = [seller for seller in sellers if seller.node not in excluded and can_serve(seller, moment)]
    ready = [seller for seller in able if not moment.loads.of(seller.node).is_ejected(moment.now_ms)]
    if 2 * len(ready) < len(able):  # never more than half are kept away: better a doubtful node than none
        ready = able
    if not ready:
        return None
    for name in wishes.order:
        for seller in ready:
            if seller.name == name:
                return seller
    return _best(ready, wishes, moment=moment)


def can_serve(seller: Seller, moment: Moment) -> bool:
    """Whether a node takes one more request: not full, and below its credit line."""
    return (
        moment.loads.of(seller.node).in_flight < seller.capacity * CAPACITY_STRETCH
        and moment.owed_wei(seller.node) < seller.line_wei
    )


def _best(ready: Sequence[Seller], wishes: Wishes, *, moment: Moment) -> Seller:
    if wishes.sort == "price":
        return min(ready, key=lambda seller: (seller.blended_wei, _cost(seller, moment)))
    if wishes.sort:
        return min(ready, key=lambda seller: _cost(seller, moment))
    return two_choices(ready, moment)


def two_choices(ready: Sequence[Seller], moment: Moment) -> Seller:
    """The cheaper in waiting of two different sellers drawn by chance."""
    count = len(ready)
    if count == 1:
        return ready[0]
    first = int(moment.chance.random() * count)
    second = int(moment.chance.random() * (count - 1))
    second += second >= first
    one, other = ready[first], ready[second]
    return one if _cost(one, moment) <= _cost(other, moment) else other


def _cost(seller: Seller, moment: Moment) -> float:
    return score(moment.loads.of(seller.node), seller)


def score(load: NodeLoad, seller: Seller) -> float:
    """Lower is better. A node filled beyond its places waits in proportion."""
    return load.cost() * max(1.0, (load.in_flight + 1) / max(1, seller.capacity))
