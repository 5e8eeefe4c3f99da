"""Waiting for what is not there yet: as long as was said, telling each thing once."""

import pytest

from dgrid.cli import later
from dgrid.cli.later import awaited
from dgrid.core.errors import DGridError, NotYet, ReceiptNotFound


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "ROUND_S", 0.01)


def test_it_tells_what_it_waits_for_once_and_returns_what_comes() -> None:
    refusals = [ReceiptNotFound("no epoch holds it"), NotYet("no seed"), NotYet("no seed"), NotYet("no root")]
    told: list[str] = []

    def look() -> int:
        if refusals:
            raise refusals.pop(0)
        return 7

    def explain(error: DGridError) -> DGridError:
        return NotYet("its epoch is open") if isinstance(error, ReceiptNotFound) else error

    assert awaited(look, wait_s=5.0, note=told.append, explain=explain) == 7
    assert told == ["its epoch is open; waiting …", "no seed; waiting …", "no root; waiting …"]


def test_without_patience_it_says_nothing_and_refuses_at_once() -> None:
    told: list[str] = []

    def look() -> int:
        raise NotYet("no root")

    with pytest.raises(NotYet, match="sooner"):
        awaited(look, wait_s=0.0, note=told.append, explain=lambda _: NotYet("no sooner than tomorrow"))
    assert told == []
