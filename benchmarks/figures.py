"""From measured cells to the figures that are shown. Pure.

Every ratio is the median of pairs from the same round: what disturbed the machine in a round disturbed both.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

GATEWAYS = ("nginx", "litellm", "dgrid")
STACKS = ("direct", "node", "relay", *GATEWAYS)
UPSTREAMS = {"nginx": "direct", "litellm": "direct", "relay": "node", "dgrid": "node"}  # the others are upstreams
RELAYS = {"direct": "nginx", "node": "relay"}  # nginx before each upstream
CONNECTIONS = (1, 16, 64)
CPU_TIMES_NGINX_MAX = 8.0
CPU_OF_LITELLM_MAX = 1 / 50
ADDED_P50_TIMES_NGINX_MAX = 4.5


@dataclass(frozen=True, slots=True)
class Cell:
    """One stack under one number of connections in one round."""

    round: int
    stack: str
    connections: int
    requests: int
    seconds: float
    cpu_us: float  # of the stack's whole session
    core_busy_s: float
    stolen_s: float
    others_cpu_us: float  # of the other stacks on the same core, which should sleep
    p50_us: float
    p99_us: float
    answered: int
    refused: int
    first_refusal: str
    load: float

    @property
    def cpu_per_request_us(self) -> float:
        return self.cpu_us / self.requests if self.requests else float("nan")

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def own_share(self) -> float:
        """How much of its core the stack used: near 1, it was the limit."""
        return self.cpu_us / 1e6 / self.seconds

    @property
    def foreign_share(self) -> float:
        """How much of the core went to anything else, the machine's owner included."""
        return max(0.0, self.core_busy_s + self.stolen_s - self.cpu_us / 1e6) / self.seconds


@dataclass(frozen=True, slots=True)
class Row:
    """One stack's line of the table: medians over the rounds; None where a figure has no meaning."""

    stack: str
    cpu_us: dict[int, float]
    added_p50_us: float
    added_p99_us: float
    requests_per_second: dict[int, float]
    own_share: float  # of the core, at most connections
    cpu_times_nginx: float | None
    cpu_of_litellm: float | None
    added_p50_times_nginx: float | None
    own_p50_us: float | None  # added to what its own upstream takes by itself; None where that was not asked
    own_p50_times_nginx: float | None  # what nginx adds before the same upstream
    rate_times_nginx: float | None
    rate_times_litellm: float | None


@dataclass(frozen=True, slots=True)
class Target:
    """A figure the project promises, beside what was measured. Without a limit it is shown, but nothing is promised."""

    name: str
    limit: float | None
    measured: float | None
    unit: str = ""

    @property
    def met(self) -> bool | None:
        if self.limit is None:
            return None
        return self.measured is not None and self.measured <= self.limit


class Figures:
    """All cells of a run."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self.cells = list(cells)
        self._by_place = {(cell.round, cell.stack, cell.connections): cell for cell in self.cells}
        self.rounds = sorted({cell.round for cell in self.cells})
        self.stacks = [stack for stack in STACKS if any(cell.stack == stack for cell in self.cells)]

    def paired(self, measure: Callable[[Cell], float], *, stack: str, other: str, connections: int) -> float | None:
        """The median over the rounds of a measure of `stack` divided by the same of `other`; None without pairs."""
        pairs = self._pairs(stack, other, connections)
        return median(measure(own) / measure(their) for own, their in pairs) if pairs else None

    def added(self, stack: str, percentile: Callable[[Cell], float], *, upstream: str = "direct") -> list[float]:
        """What a stack adds to the latency of an upstream with one connection, a round each."""
        return [percentile(own) - percentile(alone) for own, alone in self._pairs(stack, upstream, 1)]

    def row(self, stack: str) -> Row:
        widest = CONNECTIONS[-1]
        added_nginx, added = self.added("nginx", _p50), self.added(stack, _p50)
        gateway, upstream = stack in GATEWAYS, UPSTREAMS.get(stack, stack)
        own = self.added(stack, _p50, upstream=upstream) if upstream != stack else []
        return Row(
            stack,
            {many: self._median(stack, many, lambda cell: cell.cpu_per_request_us) for many in CONNECTIONS},
            _median_or_nan(added),
            _median_or_nan(self.added(stack, lambda cell: cell.p99_us)),
            {many: self._median(stack, many, lambda cell: cell.requests_per_second) for many in CONNECTIONS},
            self._median(stack, widest, lambda cell: cell.own_share),
            self.paired(_cpu, stack=stack, other="nginx", connections=widest) if gateway else None,
            self.paired(_cpu, stack=stack, other="litellm", connections=widest) if gateway else None,
            _times(added, added_nginx) if gateway else None,
            median(own) if own else None,
            _times(own, self.added(RELAYS[upstream], _p50, upstream=upstream)),
            self.paired(_rate, stack=stack, other="nginx", connections=widest),
            self.paired(_rate, stack=stack, other="litellm", connections=widest),
        )

    def rows(self) -> list[Row]:
        return [self.row(stack) for stack in self.stacks]

    def targets(self) -> list[Target]:
        """What the project promises of its gateway's speed."""
        row = self.row("dgrid")
        return [
            Target("CPU a request, 64 connections, × nginx", CPU_TIMES_NGINX_MAX, row.cpu_times_nginx),
            Target("CPU a request, 64 connections, of LiteLLM's", CPU_OF_LITELLM_MAX, row.cpu_of_litellm),
            Target("p50 added before the same upstream, × nginx's", ADDED_P50_TIMES_NGINX_MAX, row.own_p50_times_nginx),
            Target("added p50, × nginx's", None, row.added_p50_times_nginx),
        ]

    def _pairs(self, stack: str, other: str, connections: int) -> list[tuple[Cell, Cell]]:
        places = [((at, stack, connections), (at, other, connections)) for at in self.rounds]
        found = self._by_place
        return [(found[own], found[their]) for own, their in places if own in found and their in found]

    def _median(self, stack: str, connections: int, measure: Callable[[Cell], float]) -> float:
        chosen = [cell for cell in self.cells if cell.stack == stack and cell.connections == connections]
        return _median_or_nan([measure(cell) for cell in chosen])


def _cpu(cell: Cell) -> float:
    return cell.cpu_per_request_us


def _rate(cell: Cell) -> float:
    return cell.requests_per_second


def _p50(cell: Cell) -> float:
    return cell.p50_us


def _times(added: Sequence[float], others: Sequence[float]) -> float | None:
    """The median of a round's ratios."""
    ratios = [own / their for own, their in zip(added, others, strict=False)]
    return median(ratios) if ratios else None


def _median_or_nan(values: Sequence[float]) -> float:
    return median(values) if values else float("nan")
