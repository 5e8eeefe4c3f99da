"""The page of benchmarks says what the committed runs say, the latest of each, and so does its picture."""

from typing import Any

import pytest
from benchmarks.chart import drawn
from benchmarks.standing import (
    BEGIN,
    END,
    PAGE,
    PICTURE,
    committed_runs,
    compared,
    page_with,
    standings,
    table,
)


def run_with(*targets: tuple[str, float | None], stacks: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "targets": [{"name": name, "limit": 8.0, "measured": value, "unit": ""} for name, value in targets],
        "rows": [{"stack": stack} for stack in stacks],
    }


def test_the_page_holds_the_latest_figures() -> None:
    text = PAGE.read_text()
    assert page_with(text, table(standings(committed_runs()))) == text, "python -m benchmarks.standing --write"


def test_the_picture_is_of_the_latest_run_with_all_stacks() -> None:
    assert PICTURE.read_text() == drawn(compared(committed_runs())), "python -m benchmarks.standing --write"


def test_of_each_promise_the_latest_figure_counts() -> None:
    found = standings({"1": run_with(("cpu", 9.0)), "2": run_with(("cpu", 7.0))})
    assert [(one.target.measured, one.target.met, one.run) for one in found] == [(7.0, True, "2")]


def test_a_run_that_left_something_out_hides_nothing() -> None:
    found = standings({"1": run_with(("cpu", 9.0)), "2": run_with(("cpu", None), ("wait", 1.0))})
    assert [(one.target.name, one.run) for one in found] == [("cpu", "1"), ("wait", "2")]


def test_a_promise_that_is_made_later_stands_where_its_run_has_it() -> None:
    old, new = run_with(("cpu", 9.0), ("wait", 1.0), ("memory", 2.0)), run_with(("cpu", 7.0), ("own wait", 1.0))
    found = standings({"1": old, "2": new})
    assert [(one.target.name, one.run) for one in found] == [
        ("cpu", "2"),
        ("own wait", "2"),
        ("wait", "1"),
        ("memory", "1"),
    ]


def test_a_figure_that_nothing_is_promised_of_is_shown_without_a_verdict() -> None:
    run = {"targets": [{"name": "wait", "limit": None, "measured": 6.5, "unit": ""}]}
    assert "| wait | 6.5 | – | not the goal |" in table(standings({"1": run}))


def test_without_all_stacks_there_is_nothing_to_draw() -> None:
    with pytest.raises(LookupError):
        compared({"1": run_with(stacks=("direct", "nginx", "dgrid"))})


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        page_with("# Benchmarks", "table")
    assert page_with(f"a {BEGIN} old {END} b", "new") == f"a {BEGIN}\n\nnew\n\n{END} b"
