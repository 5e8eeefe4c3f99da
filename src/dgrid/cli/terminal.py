"""What every command shares: which home it is about, and how it speaks to people and to programs."""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from dgrid.core.errors import DGridError
from dgrid.core.money import BPS, WEI, amount_text, scaled

HOME_NAME = ".dgrid"
NOTHING = "-"
STAKE_MAX = 2**96 - 1  # what contracts count stakes in; the whole supply is less
NUMBER = re.compile(r"([+-]?[0-9,]+|-)(\.[0-9]+)?( [^\s0-9]+)?")  # whole, decimals, unit


@dataclass(frozen=True, slots=True)
class Terminal:
    """The global flags of one invocation."""

    home: Path
    json: bool = False
    quiet: bool = False

    def show(self, command: str, data: Mapping[str, Any], *, text: str) -> None:
        """The result: `text` for people, `data` under its schema's name for programs."""
        if self.json:
            print(json.dumps({"schema": f"dgrid.{command}/1", **data}), flush=True)
        elif text:
            print(text, flush=True)

    def say(self, line: str) -> None:
        """A line on the way; silent for programs and with --quiet."""
        if not self.json and not self.quiet:
            print(line, flush=True)

    def note(self, line: str) -> None:
        """A line beside the result, on standard error, so that the result can be piped."""
        if not self.json and not self.quiet:
            print(line, file=sys.stderr, flush=True)


def report(error: DGridError, *, as_json: bool) -> int:
    """Shows an error on standard error; the exit code it ends with."""
    if as_json:
        named = {"request_id": error.request_id} if error.request_id else {}
        shown = {"error": {"code": error.code, "message": error.message, "hint": error.hint, **named}}
        print(json.dumps(shown), file=sys.stderr, flush=True)
    else:
        print(f"dgrid: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"       {error.hint}", file=sys.stderr, flush=True)
        if error.request_id:
            print(f"       the gateway's name for the request: {error.request_id}", file=sys.stderr, flush=True)
    return error.exit_code


def home_path(given: Path | None) -> Path:
    """--home, else $DGRID_HOME, else the nearest .dgrid upward from here, else ~/.dgrid."""
    if given is not None:
        return given
    if named := os.environ.get("DGRID_HOME"):
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / HOME_NAME).is_dir():
            return folder / HOME_NAME
    return Path.home() / HOME_NAME


def columns(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in plain text; of a column of numbers the points stand below each other."""
    body = [[str(cell) for cell in row] for row in rows]
    made = [_column(title, [row[at] for row in body]) for at, title in enumerate(titles)]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*made, strict=True))


def _column(title: str, cells: list[str]) -> list[str]:
    """A column's cells, its title first, all of one width."""
    parts = [found.groups("") for cell in cells if (found := NUMBER.fullmatch(cell))]
    if len(parts) < len(cells) or all(cell == NOTHING for cell in cells):
        width = max(len(cell) for cell in (title, *cells))
        return [cell.ljust(width) for cell in (title, *cells)]
    whole = max(len(part[0]) for part in parts)
    lined = [part[0].rjust(whole) + part[1] + part[2] for part in parts]
    width = max(len(cell) for cell in (title, *lined))
    filled = max(len(cell) for cell in lined)
    return [title.rjust(width), *(cell.ljust(filled).rjust(width) for cell in lined)]


def wei_of(text: str) -> int:
    """An amount in DGAI as wei. Raises typer.BadParameter."""
    try:
        wei = scaled(text, WEI)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no amount of DGAI: {error}") from None
    if wei > STAKE_MAX:
        raise typer.BadParameter(f"{text} DGAI are more than there can be")
    return wei


def dgai(wei: int) -> str:
    """An amount for people: DGAI with as many decimals as it needs."""
    return f"{amount_text(wei)} DGAI"


def coins(wei: int) -> str:
    """An amount of the chain's own coin, with six decimals, rounded up."""
    millionths = -(-wei // 10**12)
    return f"{millionths // 10**6:,}.{millionths % 10**6:06}"


def percent(bps: int) -> str:
    """A share for people, from basis points."""
    return f"{bps / 100:g} %"


def percentage(bps: int) -> str:
    """A measured share for people, rounded to a tenth of a percent."""
    return f"{bps / 100:.1f} %"


def bps_of(text: str) -> int:
    """A share in percent, with or without its sign, as basis points. Raises typer.BadParameter."""
    try:
        bps = scaled(text.removesuffix("%").strip(), 100)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no share in percent, such as 5 or 2.5%: {error}") from None
    if bps > BPS:
        raise typer.BadParameter(f"{text} is more than 100 %")
    return bps


def many(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count:,} {noun}s"


def short(name: str) -> str:
    """An address or hash, shortened for people."""
    return f"{name[:8]}…{name[-4:]}" if len(name) > 16 else name
