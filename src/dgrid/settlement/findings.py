"""An evaluator's report on one leaf as it is shown to people and programs. Says nothing of its proof."""

from typing import Any

from dgrid.wire.quality import NOT_SCORED, Report, Verdict

SCORES = "accuracy", "consistency", "format", "cost"


def finding(report: Report | None) -> dict[str, Any]:
    """Verdict, scores in basis points and the gap in millionths of a nat; None for what there is none of."""
    return {
        "verdict": None if report is None else Verdict(report.verdict).name.lower(),
        **{f"{name}_bps": _score(report, name) for name in SCORES},
        "gap_micros": report.identity.gap_micros if report is not None and report.identity is not None else None,
    }


def _score(report: Report | None, name: str) -> int | None:
    """A score in basis points; None where the evaluator gave none."""
    found: int = NOT_SCORED if report is None else getattr(report, f"{name}_bps")
    return None if found == NOT_SCORED else found
