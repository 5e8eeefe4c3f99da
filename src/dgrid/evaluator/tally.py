"""What an evaluator counts, as Prometheus text. Numbers only."""

from dataclasses import dataclass, field

from dgrid.telemetry import Counter


@dataclass(slots=True)
class Tally:
    """What an evaluator counts."""

    steps: Counter = field(
        default_factory=lambda: Counter("dgrid_evaluator_steps_total", "Steps done on chain, by kind.", "step")
    )
    refused: Counter = field(
        default_factory=lambda: Counter("dgrid_evaluator_refusals_total", "Steps that failed, by error.", "code")
    )
    reports: Counter = field(
        default_factory=lambda: Counter("dgrid_evaluator_reports_total", "Leaves reported on, by verdict.", "verdict")
    )
    repeats: Counter = field(
        default_factory=lambda: Counter("dgrid_evaluator_repeats_total", "Answers of peers that came.")
    )

    votes: Counter = field(
        default_factory=lambda: Counter("dgrid_evaluator_votes_total", "Votes in cases, by what was found.", "vote")
    )

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        lines = [
            line for one in (self.steps, self.refused, self.reports, self.repeats, self.votes) for line in one.lines()
        ]
        return ("\n".join(lines) + "\n").encode()
