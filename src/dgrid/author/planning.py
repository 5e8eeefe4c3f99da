"""Plans an epoch's canaries: how many, at which gateway, from which account, when, and with which task.

Each request of others brings a canary with the network's canary share, so that their number tells nothing; each goes
out at a moment of its own. None of the author's own questions is planned twice. Pure: chance, traffic and the
way requests are written come in. Where no account can pay nothing is planned: what is planned counts as asked.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dgrid.author.chance import Chance
from dgrid.author.generator import KnownTask, WriteBody, known_task, own_task
from dgrid.author.naming import Answering
from dgrid.author.stock import OwnQuestion
from dgrid.author.traffic import Traffic
from dgrid.core.identity import Address
from dgrid.core.money import BPS
from dgrid.wire.quality import canary_item, tree_of_items

BATCH_MAX: Final = 256
REQUESTS_COUNTED_MAX: Final = 10_000
BEGIN_BPS, END_BPS = 500, 8_000  # of the epoch: its answer must fall into it as well


@dataclass(frozen=True, slots=True)
class PlannedCanary:
    """One request to come."""

    task: KnownTask
    nonce: bytes
    gateway: Address
    account: int
    send_at_ms: int


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What a plan keeps to. `accounts` are those that can pay at each gateway, `share_bps` is how many canaries a
    request brings.
    """

    share_bps: int
    opens_ms: int
    closes_ms: int
    accounts: Mapping[Address, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Pen:
    """What a plan's requests are made with. `own_bps` of them are the fresh own questions, while these last.

    `led_to` says which model answered the latest canary that asked for a virtual name.
    """

    write: WriteBody
    nonce: Callable[[], bytes]
    fresh: Sequence[OwnQuestion] = ()
    own_bps: int = BPS
    led_to: Mapping[str, str] = field(default_factory=dict)


def plan_batch(chance: Chance, traffic: Traffic, *, terms: PlanTerms, pen: Pen) -> list[PlannedCanary]:
    """An epoch's canaries in the order of their sending; none when nobody asked anything, or no account can pay."""
    found = [one for one in sorted(traffic.by_gateway.items()) if terms.accounts.get(one[0])]
    gateways = [gateway for gateway, asked in found for _ in range(_count(chance, asked, terms))]
    chance.random.shuffle(gateways)
    span_ms = terms.closes_ms - terms.opens_ms
    first_ms, last_ms = terms.opens_ms + span_ms * BEGIN_BPS // BPS, terms.opens_ms + span_ms * END_BPS // BPS
    answering = Answering(traffic.models, pen.led_to)
    tasks = _tasks(chance, answering, count=min(len(gateways), BATCH_MAX), pen=pen)
    planned = [
        PlannedCanary(task, pen.nonce(), gateway, chance.one(terms.accounts[gateway]), chance.whole(first_ms, last_ms))
        for task, gateway in zip(tasks, gateways, strict=False)
    ]
    return sorted(planned, key=lambda one: one.send_at_ms)


def _tasks(chance: Chance, answering: Answering, *, count: int, pen: Pen) -> Iterator[KnownTask]:
    """So many tasks: own questions in any order by their share, for the rest new ones."""
    fresh = chance.some(pen.fresh, count)
    for _ in range(count):
        if fresh and chance.random.randrange(BPS) < pen.own_bps:
            yield own_task(chance, fresh.pop(), answering=answering, write=pen.write)
        else:
            yield known_task(chance, answering=answering, write=pen.write)


def _count(chance: Chance, asked: int, terms: PlanTerms) -> int:
    return sum(chance.random.randrange(BPS) < terms.share_bps for _ in range(min(asked, REQUESTS_COUNTED_MAX)))


def batch_items(batch: Sequence[PlannedCanary]) -> list[bytes]:
    """What the leaves of a batch's tree hold, in order."""
    return [canary_item(one.nonce, one.task.body, one.task.reference) for one in batch]


def batch_root(batch: Sequence[PlannedCanary]) -> bytes:
    """What is committed to. At least one canary."""
    return tree_of_items(batch_items(batch)).root.hash
