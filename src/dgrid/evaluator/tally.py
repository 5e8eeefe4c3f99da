"""What an evaluator counts, as Prometheus text. Numbers only."""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field

from dgrid.core.errors import ChainUnavailable, DGridError, NotYet
from dgrid.telemetry import Counter

logger = logging.getLogger(__name__)


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
        default_factory=lambda: Counter(
            "dgrid_evaluator_votes_total", "Votes opened in cases, by what was found.", "vote"
        )
    )

    async def tried(self, name: str, deed: Awaitable[None]) -> None:
        """Does a step and counts how it ended; what cannot be done yet is no refusal."""
        try:
            await deed
        except (NotYet, ChainUnavailable) as error:
            logger.debug("%s: not yet: %s", name, error.message)
        except DGridError as error:
            self.refused.add(1, error.code)
            logger.info("%s: %s", name, error.message)
        else:
            self.steps.add(1, name)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        lines = [
            line for one in (self.steps, self.refused, self.reports, self.repeats, self.votes) for line in one.lines()
        ]
        return ("\n".join(lines) + "\n").encode()
