"""Writes a run down: a table for the terminal, a JSON file with every cell, a page for the repository."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.books import Books
from benchmarks.figures import CONNECTIONS, UPSTREAMS, Cell, Figures, Row, Target
from benchmarks.verification import Verification
from benchmarks.verification_page import verification_lines
from benchmarks.whole import Whole

NAMES = {
    "direct": "direct",
    "node": "DGrid's node",
    "relay": "nginx before the node",
    "nginx": "nginx",
    "litellm": "LiteLLM",
    "dgrid": "DGrid's gateway",
}
VERDICTS = {True: "met", False: "**missed**", None: "not the goal"}
HEADER = (
    "stack",
    "CPU µs a request, 1 / 16 / 64 connections",
    "CPU, 64: × nginx",
    "CPU, 64: of LiteLLM",
    "p50 µs added to its own upstream's, 1 connection (× nginx before the same)",
    "p50 µs added to the mock's (× nginx)",
    "p99 µs added to the mock's",
    "requests/s, 1 / 16 / 64",
    "rate, 64: × nginx / × LiteLLM",
    "of its core, 64",
    "PSS MB at start",
)


@dataclass(frozen=True, slots=True)
class Run:
    """Everything one run found; what was not asked for is None."""

    date: str
    machine: Mapping[str, object]
    versions: Mapping[str, str]
    conditions: Mapping[str, object]
    cells: Sequence[Cell] = ()
    pss_start_bytes: Mapping[str, int] = field(default_factory=dict)
    books: Books | None = None
    whole: Whole | None = None
    verification: Verification | None = None

    def to_json(self) -> dict[str, Any]:
        figures = Figures(self.counted)
        return {
            "schema": "dgrid.bench/1",
            "date": self.date,
            "machine": self.machine,
            "versions": self.versions,
            "conditions": self.conditions,
            "rows": [asdict(row) for row in figures.rows()],
            "targets": [{**asdict(target), "met": target.met} for target in self.targets()],
            "pss_start_bytes": self.pss_start_bytes,
            "books": asdict(self.books) if self.books else None,
            "whole": asdict(self.whole) if self.whole else None,
            "verification": self.verification.to_json() if self.verification else None,
            "cells": [asdict(cell) for cell in self.cells],
        }

    @property
    def counted(self) -> list[Cell]:
        """The cells that no other stack disturbed."""
        return [cell for cell in self.cells if cell.round >= 0]

    def targets(self) -> list[Target]:
        figures = Figures(self.counted)
        speed = figures.targets() if {"dgrid", "nginx", "direct"} <= set(figures.stacks) else []
        whole = self.whole.targets() if self.whole else []
        return speed + whole + (self.verification.targets() if self.verification else [])


def table(run: Run) -> str:
    """The comparison as a Markdown table."""
    lines = [_line(HEADER), _line(["---"] * len(HEADER))]
    lines += [_line(_columns(row, run)) for row in Figures(run.counted).rows()]
    return "\n".join(lines)


def _line(columns: Sequence[str]) -> str:
    return "| " + " | ".join(columns) + " |"


def _columns(row: Row, run: Run) -> list[str]:
    upstream = row.stack not in UPSTREAMS
    pss = run.pss_start_bytes.get(row.stack, 0)
    return [
        NAMES[row.stack],
        "–" if upstream else " / ".join(_number(row.cpu_us[many]) for many in CONNECTIONS),
        _number(row.cpu_times_nginx, 2),
        "–" if row.cpu_of_litellm is None else f"1/{_number(1 / row.cpu_of_litellm)}",
        "–" if upstream else f"{_number(row.own_p50_us)} ({_number(row.own_p50_times_nginx, 2)})",
        f"{_number(row.added_p50_us)} ({_number(row.added_p50_times_nginx, 2)})",
        _number(row.added_p99_us),
        " / ".join(_number(row.requests_per_second[many]) for many in CONNECTIONS),
        f"{_number(row.rate_times_nginx, 2)} / {_number(row.rate_times_litellm)}",
        "–" if math.isnan(row.own_share) or upstream else f"{row.own_share:.0%}",
        _number(pss / 1e6) if pss else "–",
    ]


def _number(value: float | None, digits: int = 0) -> str:
    if value is None or math.isnan(value):
        return "–"
    return f"{value:,.{digits}f}"


def targets_table(run: Run) -> str:
    """Promises beside measurements."""
    lines = [_line(["promise", "limit", "measured", ""]), _line(["---"] * 4)]
    for target in run.targets():
        measured = "–" if target.measured is None else figure_text(target.measured)
        lines.append(_line([target.name, limit_text(target), measured, VERDICTS[target.met]]))
    return "\n".join(lines)


def limit_text(target: Target) -> str:
    """What was promised, or a dash."""
    return "–" if target.limit is None else f"≤ {figure_text(target.limit)} {target.unit}".strip()


def figure_text(value: float) -> str:
    """A promised or measured figure as pages have it: a small share as a fraction, anything else with two places."""
    return f"1/{1 / value:.0f}" if 0 < value < 0.2 else f"{value:.2f}".rstrip("0").rstrip(".")


def page(run: Run) -> str:
    """The page that the repository keeps."""
    return "\n".join(_page_lines(run)) + "\n"


def _page_lines(run: Run) -> Iterator[str]:
    yield f"# Measured on {run.date}"
    yield ""
    yield "Made by `make bench`. How it is measured and how to read it: [docs/benchmarks.md](../../docs/benchmarks.md)."
    yield ""
    yield from _pairs("Machine", run.machine)
    yield from _pairs("Versions", run.versions)
    yield from _pairs("Conditions", run.conditions)
    if run.cells:
        yield from ("", "## One gateway on one core", "", table(run), "", _reading(run.counted))
    if run.books is not None:
        yield from ("", _books_line(run.books))
    if run.whole is not None:
        yield from ("", "## The whole network on this machine", "", *run.whole.lines())
    if run.verification is not None:
        yield from ("", "## The price of judging", "", *verification_lines(run.verification))
    yield from ("", "## Promises", "", targets_table(run))
    if run.cells:
        yield from ("", "## What these numbers do not show", "", LIMITS)


def _pairs(name: str, values: Mapping[str, object]) -> Iterator[str]:
    yield f"- {name}: " + ", ".join(f"{key} {value}" for key, value in values.items())


def _reading(cells: Sequence[Cell]) -> str:
    foreign = median(cell.foreign_share for cell in cells if cell.stack in UPSTREAMS)
    loads = sorted(cell.load for cell in cells)
    return (
        f"Medians over the rounds; ratios are medians of pairs of the same round. The load average lay between "
        f"{loads[0]:.2f} and {loads[-1]:.2f} (the benchmark's own work included); anything but the stack under test "
        f"took {foreign:.1%} of its core (median of the cells)."
    )


def _books_line(books: Books) -> str:
    if books.hold:
        return (
            f"Afterwards all {books.receipts:,} receipts of the run were verified, with three signatures each, in "
            f"{books.epochs} epochs ({books.closed_epochs} closed, with the roots that their leaves give): places are "
            f"consecutive, every running total is the sum of its shares, and the fees, {books.fees_wei} wei, are what "
            f"the channel spent."
        )
    return f"**Void: {len(books.faults)} faults in the books.** First: {books.faults[0]}"


LIMITS = """\
- One request of 871 bytes, one answer of 956, not streamed; long contexts and streams cost other amounts.
- Loopback, no TLS, no slow clients, no failing nodes; one gateway process, so one core.
- Where a stack used clearly less than its whole core, the load generator and the upstream on the other core were the
  limit: its requests/s are then a floor, its CPU a request still holds.
- Two waits are given with one connection: what a stack adds to its own upstream's, beside nginx before the same one,
  and what it adds to the mock's. The goal counts the first: DGrid's node signs and hashes, which is no gateway's work;
  and any relay before it waits longer, since its answers are larger and it has gone cold between two requests.
- The peers do less: nginx neither authenticates nor counts, signs or keeps anything; LiteLLM checks one master key and
  has no database. DGrid's node answers with evidence of 1.7 kB that the others' upstream does not send.
- The answers' words repeat, as they do in ordinary language: counting their tokens costs less than for noise.
- The stand-in for a node, the chain, archives and settler run beside the load generator: their cost is not in the
  gateway's figures, and no model runs.
- Deposit, bond and credit line are larger than `make up` sets them, or the run would end at the credit line.\
"""
