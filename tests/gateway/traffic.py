"""Requests over simulated time at nodes of known speed: the real routing chooses; clock and chance are given."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

from tests.gateway.test_route import NEW_SHARE, NOW_MS, seller

from dgrid.gateway.route.choose import Moment, choose
from dgrid.gateway.route.entrants import Field
from dgrid.gateway.route.load import Loads, NodeLoad
from dgrid.gateway.route.standing import NOTHING_KNOWN
from dgrid.gateway.route.wishes import NO_WISHES

REFUSED_MS = 2.0


@dataclass(slots=True)
class Machine:
    """A node as it is. `slowdown` says how many times slower than `base_ms` it is at a time; None: it fails."""

    base_ms: float
    cold_ms: float = 0.0  # its first answer takes that much longer
    joins_ms: float = 0.0
    slowdown: Callable[[float], float | None] = lambda _: 1.0
    places: int = 4
    asked: int = 0
    free_ms: list[float] = field(init=False)  # when each place is free again

    def __post_init__(self) -> None:
        self.free_ms = [0.0] * self.places

    def answers(self, now_ms: float, chance: Random) -> tuple[float, bool]:
        """(when it has answered, whether well). Answers differ by a sixth or so; one in 200 takes four times that."""
        slower = self.slowdown(now_ms)
        if slower is None:
            return now_ms + REFUSED_MS, False
        takes_ms = self.base_ms * slower * chance.lognormvariate(0, 0.15) * (4 if chance.random() < 0.005 else 1)
        takes_ms += 0 if self.asked else self.cold_ms
        self.asked += 1
        ends_ms = max(now_ms, self.free_ms[0]) + takes_ms
        heapq.heapreplace(self.free_ms, ends_ms)
        return ends_ms, True


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, and what became of it."""

    at_ms: float
    machine: int
    took_ms: float
    well: bool


@dataclass(slots=True)
class Traffic:
    """Callers that ask, wait for the answer, pause, and ask again."""

    machines: Sequence[Machine]
    callers: int = 1
    pause_ms: float = 0.0
    seed: int = 1
    loads: Loads = field(default_factory=Loads)
    fields: dict[tuple[int, ...], Field] = field(default_factory=dict)  # by who has joined

    def run(self, until_ms: float) -> list[Asked]:
        """Every request, in the order in which they were asked."""
        routing, chance = Random(self.seed), Random(1_000 + self.seed)
        order, found = count(), list[Asked]()
        events: list[tuple[float, int, Asked | None]] = [
            (caller * 0.01, next(order), None) for caller in range(self.callers)
        ]
        while events:
            now_ms, _, ended = heapq.heappop(events)
            if ended is not None:
                self._end(ended, now_ms)
                heapq.heappush(events, (now_ms + self._pause(chance), next(order), None))
            elif now_ms < until_ms:
                asked = self._ask(now_ms, routing, chance=chance)
                found.append(asked)
                heapq.heappush(events, (now_ms + asked.took_ms, next(order), asked))
        return found

    def _pause(self, chance: Random) -> float:
        return chance.expovariate(1 / self.pause_ms) if self.pause_ms else 0.3

    def _ask(self, now_ms: float, routing: Random, *, chance: Random) -> Asked:
        moment = Moment(
            self.loads, NOW_MS + int(now_ms), routing, lambda _: 0, lambda _: 0, new_share=lambda: NEW_SHARE
        )
        chosen = choose(self._field(now_ms), NO_WISHES, moment=moment, excluded=frozenset())
        assert chosen is not None
        at = chosen.seller.node[0] - 1
        self._load(at).in_flight += 1
        ends_ms, well = self.machines[at].answers(now_ms, chance)
        return Asked(now_ms, at, ends_ms - now_ms, well)

    def _end(self, ended: Asked, now_ms: float) -> None:
        load, clock_ms = self._load(ended.machine), NOW_MS + int(now_ms)
        load.in_flight -= 1
        if ended.well:
            load.succeeded(int(now_ms) - int(ended.at_ms), clock_ms)
        else:
            load.failed(clock_ms)

    def _field(self, now_ms: float) -> Field:
        offered = tuple(at for at, machine in enumerate(self.machines) if machine.joins_ms <= now_ms)
        if offered not in self.fields:
            sellers = tuple(seller(at + 1, capacity=self.machines[at].places) for at in offered)
            self.fields[offered] = Field.of(sellers, NOTHING_KNOWN)
        return self.fields[offered]

    def _load(self, at: int) -> NodeLoad:
        return self.loads.of(bytes([at + 1]) * 20)


def shares_of(asked: Sequence[Asked], machines: int) -> list[float]:
    """Which part of the requests each machine got."""
    return [sum(one.machine == at for one in asked) / max(1, len(asked)) for at in range(machines)]
