"""The one list of what is counted, as Prometheus text. Holds numbers only: no content, no key, no caller."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

BUCKETS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000)


@dataclass(slots=True)
class Counter:
    """A number that only grows, for each value of at most one label."""

    name: str
    help: str
    label: str = ""
    values: dict[str, int] = field(default_factory=dict)

    def add(self, amount: int = 1, of: str = "") -> None:
        self.values[of] = self.values.get(of, 0) + amount

    def lines(self) -> list[str]:
        head = [f"# HELP {self.name} {self.help}", f"# TYPE {self.name} counter"]
        if not self.label:
            return [*head, f"{self.name} {self.values.get('', 0)}"]
        return head + [f'{self.name}{{{self.label}="{of}"}} {value}' for of, value in sorted(self.values.items())]


@dataclass(slots=True)
class Gauge:
    """A number that is read when it is asked for."""

    name: str
    help: str
    read: Callable[[], int] = lambda: 0

    def lines(self) -> list[str]:
        return [f"# HELP {self.name} {self.help}", f"# TYPE {self.name} gauge", f"{self.name} {self.read()}"]


@dataclass(slots=True)
class Histogram:
    """Durations in milliseconds, in fixed buckets."""

    name: str
    help: str
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_MS) + 1))
    sum_ms: int = 0

    def observe(self, value_ms: int) -> None:
        self.counts[bisect_left(BUCKETS_MS, value_ms)] += 1
        self.sum_ms += value_ms

    def lines(self) -> list[str]:
        found, running = [f"# HELP {self.name} {self.help}", f"# TYPE {self.name} histogram"], 0
        for bound, count in zip((*BUCKETS_MS, "+Inf"), self.counts, strict=True):
            running += count
            found.append(f'{self.name}_bucket{{le="{bound}"}} {running}')
        return [*found, f"{self.name}_sum {self.sum_ms}", f"{self.name}_count {running}"]


@dataclass(slots=True)
class Metrics:
    """What a gateway counts."""

    requests: Counter = field(
        default_factory=lambda: Counter("dgrid_requests_total", "Chat requests by outcome.", "outcome")
    )
    tokens: Counter = field(default_factory=lambda: Counter("dgrid_tokens_total", "Billed tokens.", "direction"))
    fees: Counter = field(default_factory=lambda: Counter("dgrid_fees_wei_total", "Fees billed, in wei."))
    node_faults: Counter = field(
        default_factory=lambda: Counter("dgrid_node_faults_total", "Failed attempts by cause.", "code")
    )
    retries_refused: Counter = field(
        default_factory=lambda: Counter("dgrid_retries_refused_total", "Attempts not made, for too many had failed.")
    )
    receipts: Counter = field(default_factory=lambda: Counter("dgrid_receipts_sealed_total", "Receipts signed."))
    epochs: Counter = field(
        default_factory=lambda: Counter("dgrid_epochs_total", "Epochs by the state they reached.", "state")
    )
    disclosures: Counter = field(
        default_factory=lambda: Counter("dgrid_disclosures_total", "Epochs' contents by how far they came.", "step")
    )
    duration: Histogram = field(
        default_factory=lambda: Histogram("dgrid_request_duration_ms", "Time to the last byte of an answer.")
    )
    gauges: list[Gauge] = field(default_factory=list)

    def answered(self, fee_wei: int, tokens_in: int, *, tokens_out: int, total_ms: int) -> None:
        """A billed request."""
        self.requests.add(1, "answered")
        self.fees.add(fee_wei)
        self.tokens.add(tokens_in, "in")
        self.tokens.add(tokens_out, "out")
        self.duration.observe(total_ms)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        money = self.requests, self.tokens, self.fees, self.node_faults, self.receipts
        return text_of(*money, self.retries_refused, self.epochs, self.disclosures, self.duration, *self.gauges)


@dataclass(slots=True)
class WatcherMetrics:
    """What a watcher counts."""

    epochs: Counter = field(
        default_factory=lambda: Counter("dgrid_watcher_epochs_total", "Epochs looked at, by what was found.", "found")
    )
    receipts: Counter = field(
        default_factory=lambda: Counter("dgrid_watcher_receipts_total", "Receipts recomputed from blobs.")
    )
    findings: Counter = field(
        default_factory=lambda: Counter("dgrid_watcher_findings_total", "Findings by what became of them.", "outcome")
    )
    demands: Counter = field(
        default_factory=lambda: Counter("dgrid_watcher_demands_total", "Demands for records, by step.", "step")
    )
    penalties: Counter = field(
        default_factory=lambda: Counter("dgrid_watcher_penalties_total", "Evaluators reported for withheld reports.")
    )
    duration: Histogram = field(
        default_factory=lambda: Histogram("dgrid_watcher_check_duration_ms", "Time to check one epoch.")
    )
    gauges: list[Gauge] = field(default_factory=list)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        counters = self.epochs, self.receipts, self.findings, self.demands, self.penalties
        return text_of(*counters, self.duration, *self.gauges)


def text_of(*parts: Counter | Histogram | Gauge) -> bytes:
    """Metrics in Prometheus' text format."""
    return ("\n".join(line for part in parts for line in part.lines()) + "\n").encode()
