"""Where the figures stand: of each promise the latest that was measured, from the committed runs, for the page.

`python -m benchmarks.standing` prints the table of docs/benchmarks.md; with `--write` it puts it there, and draws the
picture beside it (`benchmarks.chart`). Refuses to measure: a figure is in benchmarks/results, or it is nowhere.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.chart import drawn
from benchmarks.figures import GATEWAYS, Target
from benchmarks.page import VERDICTS, figure_text, limit_text
from benchmarks.places import filled

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
PICTURE = ROOT / "docs" / "images" / "speed.svg"
BEGIN, END = "<!-- table: python -m benchmarks.standing --write -->", "<!-- end of table -->"


@dataclass(frozen=True, slots=True)
class Standing:
    """A promise, what was measured last, and the run that says so."""

    target: Target
    run: str


def committed_runs(folder: Path = RESULTS) -> dict[str, Mapping[str, Any]]:
    """All runs by name, the oldest first; of one day, a whole run counts as later than a part."""
    files = sorted(folder.glob("*.json"), key=lambda file: file.name)
    return {file.stem: json.loads(file.read_text()) for file in files}


def standings(runs: Mapping[str, Mapping[str, Any]]) -> list[Standing]:
    """The latest figure of each promise. A run that left something out, LiteLLM say, does not hide an earlier one."""
    found: dict[str, Standing] = {}
    for name, run in runs.items():
        for one in run["targets"]:
            if one["measured"] is not None:
                target = Target(one["name"], one["limit"], one["measured"], one["unit"])
                found[target.name] = Standing(target, name)
    return [found[promise] for promise in promised(runs) if promise in found]


def promised(runs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The names of all promises as the runs have them in order, a later one behind what it stands behind in its run."""
    names: list[str] = []
    for run in runs.values():
        place = len(names)
        for one in run["targets"]:
            if one["name"] not in names:
                names.insert(place, one["name"])
            place = names.index(one["name"]) + 1
    return names


def compared(runs: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The latest run in which all stacks were measured beside each other. Raises LookupError where none was."""
    whole = [run for run in runs.values() if {row["stack"] for row in run["rows"]} >= set(GATEWAYS)]
    if not whole:
        raise LookupError("no committed run has all stacks")
    return whole[-1]


def table(standing: Sequence[Standing]) -> str:
    """The promises as a Markdown table, figure beside goal."""
    return "\n".join(_lines(standing))


def _lines(standing: Sequence[Standing]) -> Iterator[str]:
    yield "| What | Measured | Goal | | Run |"
    yield "|---|---|---|---|---|"
    for one in standing:
        target = one.target
        measured = f"{figure_text(target.measured or 0)} {target.unit}".strip()
        run = f"[{one.run}](../benchmarks/results/{one.run}.md)"
        yield f"| {target.name} | {measured} | {limit_text(target)} | {VERDICTS[target.met]} | {run} |"


def page_with(text: str, content: str) -> str:
    """The page with its table replaced. Raises ValueError where it has no place for it."""
    return filled(text, content, begin=BEGIN, end=END)


def main() -> None:
    """Prints the table, or writes it and the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.standing", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    runs = committed_runs()
    content = table(standings(runs))
    if parser.parse_args().write:
        PAGE.write_text(page_with(PAGE.read_text(), content))
        PICTURE.write_text(drawn(compared(runs)))
    else:
        print(content)


if __name__ == "__main__":
    main()
