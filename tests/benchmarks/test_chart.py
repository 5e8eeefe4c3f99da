"""The picture of the comparison: true to its figures, and readable without eyes."""

import xml.etree.ElementTree as ElementTree
from typing import Any

from benchmarks.chart import Panel, drawn
from hypothesis import given
from hypothesis import strategies as st

SVG = "{http://www.w3.org/2000/svg}"
CPU = {"nginx": 20.0, "dgrid": 368.0, "litellm": 11_687.0}
RUN: dict[str, Any] = {
    "date": "2026-11-21",
    "rows": [{"stack": name, "cpu_us": {"64": value}, "added_p50_us": value} for name, value in CPU.items()],
    "pss_start_bytes": {"nginx": 4_000_000, "dgrid": 29_000_000, "litellm": 333_000_000},
}
PANEL = Panel("CPU", "a request", "µs", {}, 1, 5)


def test_every_figure_is_in_the_picture_and_in_its_description() -> None:
    picture = ElementTree.fromstring(drawn(RUN))
    said = picture.findtext(f"{SVG}desc") or ""
    written = {text.text for text in picture.iter(f"{SVG}text")}
    assert {"20", "368", "11,687", "4", "29", "333"} <= written
    assert "DGrid's gateway 368 µs" in said
    assert "LiteLLM 333 MB" in said


def test_one_bar_a_panel_is_ours() -> None:
    classes = [bar.get("class") for bar in ElementTree.fromstring(drawn(RUN)).iter(f"{SVG}rect")]
    assert classes.count("bar ours") == 3
    assert classes.count("bar") == 6


@given(st.floats(1, 100_000), st.floats(1, 100_000))
def test_the_larger_figure_never_has_the_shorter_bar(one: float, other: float) -> None:
    shorter, longer = sorted((one, other))
    assert PANEL.width_of(shorter) <= PANEL.width_of(longer)


@given(st.floats(1, 10_000))
def test_ten_times_as_much_is_one_line_further(value: float) -> None:
    step = PANEL.width_of(10) - PANEL.width_of(1)
    assert abs(PANEL.width_of(10 * value) - PANEL.width_of(value) - step) <= 0.11


def test_nothing_is_drawn_to_the_left_of_the_scale() -> None:
    assert PANEL.width_of(0.5) == 0
