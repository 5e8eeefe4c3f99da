"""Chooses a node: hard filters, then mostly the better of two drawn by chance (power of two choices).

Better is what waits less for what it is worth: peak-EWMA latency times load over the square of the credibility, which
is drawn from its posterior, so that who is little known is tried now and then. The odds follow the costs: nearly equal
nodes share the work and its pay, and one that costs twice as much is seldom asked. Latencies count as far as they are
known, so that neither a cold first answer nor an old slow one decides. Pure: the same field, loads, wishes and chance
give the same choice. A doubtful node gets a hundredth of the model's requests, all of them together; more only when
nobody else is able to serve at all, or when the caller names it.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random

import msgspec

from dgrid.gateway.orders import Seller
from dgrid.gateway.route.entrants import Entrant, Field, Repute
from dgrid.gateway.route.load import Loads, NodeLoad, slowness
from dgrid.gateway.route.standing import sampled
from dgrid.gateway.route.wishes import Wishes

CAPACITY_STRETCH = 16  # a node queues a little; more than this many times its places would only wait
LEAN = 3  # the odds of two nodes are their costs' inverse to this power: 8 to 1 where one is twice as loaded
DOUBTFUL_SHARE = 0.01


class Moment(msgspec.Struct, frozen=True, gc=False):
    """What a choice depends on besides the offers."""

    loads: Loads
    now_ms: int
    chance: Random
    owed_wei: Callable[[bytes], int]  # unsettled, by node
    exposed_wei: Callable[[bytes], int]  # earned and not finally checked, by node
    new_share: Callable[[], float]  # of a model's requests, for nodes hardly judged yet


def choose(field: Field, wishes: Wishes, *, moment: Moment, excluded: frozenset[bytes]) -> Entrant | None:
    """The node to ask next, or None when every one is excluded, full or at the end of its credit line."""
    if wishes.order and (named := _named(field, wishes, moment=moment, excluded=excluded)) is not None:
        return named
    waiting: list[Entrant] = []
    for entrants in _turn(field, wishes, moment):
        able, ready = _fit(entrants, moment, excluded)
        if ready:
            # Never more than half are kept away: better a node that failed than a crowd at the few that did not.
            return _best(able if 2 * len(ready) < len(able) else ready, wishes, moment=moment)
        if able and able[0].repute is not Repute.DOUBTFUL:
            waiting = waiting or able
    if not waiting and not (waiting := _all_able(field, moment, excluded)):
        return None
    return _best(waiting, wishes, moment=moment)


def _turn(field: Field, wishes: Wishes, moment: Moment) -> Iterator[Sequence[Entrant]]:
    """Whose turn it is, then who steps in for them. A wish for the cheapest or the fastest looks at all but the
    doubtful, whose answers may be cheap and fast for a reason."""
    proven, new, doubtful, chance = field.proven, field.new, field.doubtful, moment.chance
    if wishes.sort:
        yield proven.entrants + new.entrants
        return
    roll = chance.random() if new.entrants or doubtful.entrants else 1.0
    if roll < DOUBTFUL_SHARE:
        yield doubtful.some(chance)
    elif new.entrants and proven.entrants and roll < DOUBTFUL_SHARE + moment.new_share():
        yield new.some(chance)
    yield proven.some(chance)
    yield new.some(chance)


def _fit(
    entrants: Sequence[Entrant], moment: Moment, excluded: frozenset[bytes]
) -> tuple[list[Entrant], list[Entrant]]:
    """(who is able to serve, who of them has not just failed)"""
    able = [one for one in entrants if one.seller.node not in excluded and can_serve(one.seller, moment)]
    return able, [one for one in able if not moment.loads.of(one.seller.node).is_ejected(moment.now_ms)]


def _all_able(field: Field, moment: Moment, excluded: frozenset[bytes]) -> list[Entrant]:
    """Everybody who could serve, the doubtful last: reached when chance met only who cannot, or nobody else is left."""
    for heat in (field.proven, field.new, field.doubtful):
        able, ready = _fit(heat.entrants, moment, excluded)
        if able:
            return ready or able
    return []


def _named(field: Field, wishes: Wishes, *, moment: Moment, excluded: frozenset[bytes]) -> Entrant | None:
    """The first of the caller's own order that is ready."""
    for name in wishes.order:
        _, ready = _fit([field.find(seller) for seller in field.sellers if seller.name == name], moment, excluded)
        if ready:
            return ready[0]
    return None


def can_serve(seller: Seller, moment: Moment) -> bool:
    """Whether a node may take one more request: not full, below its credit line, and with stake for what it earns."""
    return (
        moment.loads.of(seller.node).in_flight < seller.capacity * CAPACITY_STRETCH
        and moment.owed_wei(seller.node) < seller.line_wei
        and moment.exposed_wei(seller.node) < seller.exposure_wei
    )


def _best(ready: Sequence[Entrant], wishes: Wishes, *, moment: Moment) -> Entrant:
    if wishes.sort == "price":
        return min(ready, key=lambda one: (one.seller.blended_wei, waiting_of(one, moment)))
    if wishes.sort:
        return min(ready, key=lambda one: waiting_of(one, moment))
    return two_choices(ready, moment)


def two_choices(ready: Sequence[Entrant], moment: Moment) -> Entrant:
    """Mostly the better of two different ones drawn by chance."""
    count = len(ready)
    if count == 1:
        return ready[0]
    first = int(moment.chance.random() * count)
    second = int(moment.chance.random() * (count - 1))
    second += second >= first
    one, other = ready[first], ready[second]
    ratio = cost_ratio(one, other, moment=moment)
    return one if moment.chance.random() * (1 + ratio**LEAN) < 1 else other


def cost_ratio(one: Entrant, other: Entrant, *, moment: Moment) -> float:
    """How many times as much of a wait one costs as the other, for what each is believed to be worth."""
    loads = moment.loads
    slower = slowness(loads.of(one.seller.node), loads.of(other.seller.node), now_ms=moment.now_ms)
    return slower * burden_of(one, moment) / burden_of(other, moment)


def burden_of(entrant: Entrant, moment: Moment) -> float:
    """By how much a node's load makes its answers wait, over what they are believed to be worth."""
    load = moment.loads.of(entrant.seller.node)
    crowd = (load.in_flight + 1) * fullness(load, entrant.seller) * load.reluctance(moment.now_ms)
    return crowd / sampled(entrant.mean, entrant.spread, chance=moment.chance) ** 2


def waiting_of(entrant: Entrant, moment: Moment) -> float:
    """What one more request would wait, roughly. Lower is better."""
    load = moment.loads.of(entrant.seller.node)
    return load.cost() * fullness(load, entrant.seller) * load.reluctance(moment.now_ms)


def fullness(load: NodeLoad, seller: Seller) -> float:
    """A node filled beyond its places makes one more request wait in proportion."""
    return max(1.0, (load.in_flight + 1) / max(1, seller.capacity))
