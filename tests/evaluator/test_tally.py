"""Counting how steps end: none of them ends the loop that does them."""

import asyncio
import sqlite3

import pytest

from dgrid.core.errors import CheckFailed, NotYet
from dgrid.evaluator.tally import Tally


def tried(tally: Tally, error: Exception | None) -> None:
    async def deed() -> None:
        if error is not None:
            raise error

    asyncio.run(tally.tried("Commit", deed()))


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (None, {'dgrid_evaluator_steps_total{step="Commit"} 1'}),
        (NotYet("too early"), set()),
        (CheckFailed("no"), {'dgrid_evaluator_refusals_total{code="check_failed"} 1'}),
        (ValueError("no"), {'dgrid_evaluator_refusals_total{code="internal_error"} 1'}),
        (sqlite3.OperationalError("disk full"), {'dgrid_evaluator_refusals_total{code="internal_error"} 1'}),
    ],
)
def test_a_step_that_fails_is_counted_and_ends_nothing(error: Exception | None, lines: set[str]) -> None:
    tally = Tally()
    tried(tally, error)
    assert {line for line in tally.text().decode().splitlines() if "Commit" in line or "code=" in line} == lines


def test_a_fault_of_ours_is_logged_by_its_place_and_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    tried(Tally(), ValueError("what the user said"))
    assert "Commit failed: ValueError < test_tally.py:" in caplog.text
    assert "what the user said" not in caplog.text
