"""The picture of the live trial: what is believed of each node, with its interval, as SVG from the page's own table.

`python -m benchmarks.trial_picture` draws it anew. Pure but for the two files; what it shows is what the page says.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.chart import HEAD, WIDTH

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "quality-measured.md"
PICTURE: Final = ROOT / "docs" / "images" / "believed.svg"
ROW_OF_PAGE: Final = re.compile(
    r"^\| (?P<name>[\w-]+) \| (?P<model>[\w-]+) \| (?P<mean>[\d.]+) \((?P<low>[\d.]+) to (?P<high>[\d.]+)\) "
    r"\| (?P<found>\w+) \| (?P<share>[\d.]+%) \|",
    re.MULTILINE,
)
LEFT, SCALE, ROW, TOP = 250, 560, 30, 84
STYLE: Final = """\
<style>
.reach{stroke:#0b6e5b;stroke-width:3;stroke-linecap:round} .mean{fill:#0b6e5b}
.flagged .reach{stroke:#b3392f} .flagged .mean{fill:#b3392f} .note{font-size:12px;fill:#4d575d}
</style>"""


@dataclass(frozen=True, slots=True)
class Shown:
    """One node of the page's table; shares of one."""

    name: str
    model: str
    low: float
    mean: float
    high: float
    is_flagged: bool
    traffic: str

    @property
    def told(self) -> str:
        """For who hears the picture."""
        flagged = ", flagged" if self.is_flagged else ""
        return f"{self.name} sells {self.model}: {self.mean:.2f}, {self.low:.2f} to {self.high:.2f}{flagged}."


def shown_on(page: str) -> list[Shown]:
    """The nodes of the page's live table, in its order."""
    return [
        Shown(
            one["name"],
            one["model"],
            float(one["low"]),
            float(one["mean"]),
            float(one["high"]),
            one["found"] == "flagged",
            one["share"],
        )
        for one in ROW_OF_PAGE.finditer(page)
    ]


def drawn(nodes: Sequence[Shown]) -> str:
    """The SVG."""
    return "\n".join(_drawing(nodes)) + "\n"


def _drawing(nodes: Sequence[Shown]) -> Iterator[str]:
    bottom = TOP + ROW * len(nodes)
    title = "What a live network believes of its nodes"
    yield HEAD.format(width=WIDTH, height=bottom + 44, title=title, description=" ".join(one.told for one in nodes))
    yield STYLE
    yield f'<text x="20" y="28" class="title">{title}</text>'
    yield '<text x="20" y="50" class="sub">credibility and its 90 % interval; red: flagged by identity checks</text>'
    yield f'<text x="{LEFT + SCALE + 24}" y="50" class="sub">of the requests</text>'
    for tenth in range(0, 11, 2):
        x = _place(tenth / 10)
        yield f'<path d="M{x} {TOP - 14}V{bottom}" class="line"/>'
        yield f'<text x="{x}" y="{bottom + 18}" class="scale">{tenth / 10:.1f}</text>'
    for row, node in enumerate(nodes):
        yield from _node(node, TOP + row * ROW + 6)
    yield "</svg>"


def _node(node: Shown, y: int) -> Iterator[str]:
    yield f'<g class="{"flagged" if node.is_flagged else "honest"}">'
    yield f'<text x="20" y="{y + 4}">{node.name}</text><text x="120" y="{y + 4}" class="note">{node.model}</text>'
    yield f'<path d="M{_place(node.low)} {y}H{_place(node.high)}" class="reach"/>'
    yield f'<circle cx="{_place(node.mean)}" cy="{y}" r="6" class="mean"/>'
    yield f'<text x="{LEFT + SCALE + 24}" y="{y + 4}" class="note">{node.traffic}</text></g>'


def _place(share: float) -> float:
    return round(LEFT + SCALE * share, 1)


if __name__ == "__main__":
    PICTURE.write_text(drawn(shown_on(PAGE.read_text())))
    sys.stdout.write(f"wrote {PICTURE.relative_to(ROOT)}\n")
