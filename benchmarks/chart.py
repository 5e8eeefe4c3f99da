"""The picture of the comparison: DGrid's gateway beside nginx and LiteLLM, as SVG from one run. Pure.

Its scale is logarithmic, since the stacks lie a thousand times apart: each line is ten times the one before.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NAMES = {"nginx": "nginx", "dgrid": "DGrid's gateway", "litellm": "LiteLLM"}
WIDTH, PANEL, BAR, ROW, TOP = 980, 260, 20, 34, 96
LEFT, GAP = 136, 14  # of the first panel; between panels
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t d">
<title id="t">{title}</title>
<desc id="d">{description}</desc>
<style>
text{{font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#1d2327;font-size:13px}}
.title{{font-size:15px;font-weight:600}} .sub{{font-size:12px;fill:#4d575d}} .name{{text-anchor:end}}
.scale{{font-size:11px;fill:#4d575d;text-anchor:middle}} .line{{stroke:#e2dfd5}}
.bar{{fill:#c9c5b8}} .ours{{fill:#0b6e5b}}
</style>
<rect width="{width}" height="{height}" fill="#fbfaf7"/>"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure: what stands above it, and each stack's value."""

    title: str
    about: str
    unit: str
    values: Mapping[str, float]
    floor: int  # where the scale begins, a power of ten
    decades: int

    def width_of(self, value: float) -> float:
        """A bar's length in pixels; a value below the floor has none."""
        share = math.log10(max(value, self.floor) / self.floor) / self.decades
        return round(share * (PANEL - 60), 1)  # leaves room for the figure behind the longest bar


def panels(run: Mapping[str, Any]) -> tuple[Panel, ...]:
    """What the picture shows of a run: processor time, added wait, memory."""
    rows = {row["stack"]: row for row in run["rows"]}
    pss = run["pss_start_bytes"]
    return (
        Panel("Processor time", "a request, 64 connections", "µs", {n: rows[n]["cpu_us"]["64"] for n in NAMES}, 1, 5),
        Panel("Added wait", "median, 1 connection", "µs", {n: rows[n]["added_p50_us"] for n in NAMES}, 1, 5),
        Panel("Memory", "of the process at its start", "MB", {n: pss[n] / 1e6 for n in NAMES}, 1, 3),
    )


def drawn(run: Mapping[str, Any]) -> str:
    """The SVG. Raises KeyError where the run lacks one of the stacks."""
    return "\n".join(_drawing(panels(run), f"One request through each stack, measured on {run['date']}")) + "\n"


def _drawing(shown: Sequence[Panel], title: str) -> Iterator[str]:
    height = TOP + ROW * len(NAMES) + 34
    yield HEAD.format(width=WIDTH, height=height, title=title, description=" ".join(map(_told, shown)))
    yield f'<text x="20" y="28" class="title">{title}</text>'
    for row, name in enumerate(NAMES.values()):
        yield f'<text x="{LEFT - 10}" y="{_row(row) + 15}" class="name">{name}</text>'
    for place, panel in enumerate(shown):
        yield from _panel(panel, LEFT + place * (PANEL + GAP))
    yield "</svg>"


def _told(panel: Panel) -> str:
    """A panel for who hears the picture."""
    said = ", ".join(f"{NAMES[name]} {_figure(value)} {panel.unit}" for name, value in panel.values.items())
    return f"{panel.title} {panel.about}: {said}."


def _panel(panel: Panel, left: int) -> Iterator[str]:
    bottom = _row(len(NAMES)) - 4
    yield f'<text x="{left}" y="58" class="title">{panel.title}</text>'
    yield f'<text x="{left}" y="76" class="sub">{panel.unit} {panel.about}</text>'
    for decade in range(panel.decades + 1):
        x = left + panel.width_of(panel.floor * 10**decade)
        yield f'<path d="M{x} {TOP - 8}V{bottom}" class="line"/>'
        yield f'<text x="{x}" y="{bottom + 16}" class="scale">{_short(panel.floor * 10**decade)}</text>'
    for row, (name, value) in enumerate(panel.values.items()):
        width, ours = panel.width_of(value), " ours" if name == "dgrid" else ""
        yield f'<rect x="{left}" y="{_row(row)}" width="{width}" height="{BAR}" class="bar{ours}"/>'
        yield f'<text x="{left + width + 6}" y="{_row(row) + 15}">{_figure(value)}</text>'


def _row(number: int) -> int:
    return TOP + number * ROW


def _figure(value: float) -> str:
    return f"{value:,.0f}"


def _short(value: int) -> str:
    return f"{value // 1000}k" if value >= 1000 else str(value)
