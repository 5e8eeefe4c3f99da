"""What the chain costs a request: gas from our measured snapshots, dollars from two stated prices, tables for a page.

`python -m benchmarks.costs` prints the tables of docs/concepts/costs.md; with `--write` it puts them there. Integers
throughout: gas, wei, and dollars as exact fractions until they are shown. Refuses to know prices: they are inputs.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from benchmarks.places import filled
from dgrid.chain.parameters import Parameters, bsc_parameters
from dgrid.core.money import BPS
from dgrid.poq.turns import RELEASES_MAX

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOTS = ROOT / "contracts" / "snapshots"
PAGE = ROOT / "docs" / "concepts" / "costs.md"
BEGIN, END = "<!-- tables: python -m benchmarks.costs --write -->", "<!-- end of tables -->"

EPOCHS_A_DAY = 24
COIN_USD = 900  # one BNB
Snapshots = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain and what a unit of its gas costs."""

    name: str
    gas_price_wei: int


BSC, OPBNB = Chain("BSC, 0.05 gwei", 50_000_000), Chain("opBNB, 0.001 gwei", 1_000_000)


@dataclass(frozen=True, slots=True)
class Load:
    """A day of a network. Payers have a channel at one gateway each and ask in so many of the day's epochs."""

    requests: int
    payers: int
    epochs_of_a_payer: int
    nodes: int
    gateways: int
    evaluators: int
    creators: int = 3


LOADS = (
    Load(requests=1_000, payers=50, epochs_of_a_payer=4, nodes=5, gateways=1, evaluators=46),
    Load(requests=100_000, payers=2_000, epochs_of_a_payer=6, nodes=50, gateways=3, evaluators=60),
    Load(requests=10_000_000, payers=50_000, epochs_of_a_payer=8, nodes=1_000, gateways=20, evaluators=200),
)


def read_snapshots(folder: Path = SNAPSHOTS) -> Snapshots:
    """The committed gas figures, by contract and call."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    return {contract: {call: int(gas) for call, gas in calls.items()} for contract, calls in found.items()}


def gas_a_day(load: Load, snapshots: Snapshots, parameters: Parameters) -> dict[str, int]:
    """What a day takes, by what it is for. A row of a batch is priced as a further row of the largest one measured."""
    settlement, court = snapshots["Settlement"], snapshots["QualityCourt"]
    epochs = EPOCHS_A_DAY * load.gateways
    archive = settlement["anchor: next, 3 archives"] - settlement["anchor: next, 2 archives"]
    anchor = settlement["anchor: next, 2 archives"] + max(0, parameters.stored_quorum - 2) * archive
    known = settlement["collectOne: first, 64 leaves"] - settlement["collectOne: again, 64 leaves"]
    row = settlement["collect: 32 new channels"] // 32 - known
    claim, listing = settlement["claimOne: node, again, 64 leaves"], "claimOne: listing of two payees, first, 64 leaves"
    judges = judges_of_a_round(load, parameters)
    signers = judges * parameters.quorum_bps // BPS + 1
    signature = court["post: first, 3 signatures, 1 release"] - court["post: first, 2 signatures, 1 release"]
    release = (court["post: first, 2 signatures, 64 releases"] - court["post: first, 2 signatures, 1 release"]) // 63
    post = court["post: next, 2 signatures, 1 release"] + max(0, signers - 2) * signature
    post += (min(load.gateways, RELEASES_MAX) - 1) * release
    seed = court["fixSeed"] + court["disclose"] + court["openCanaries"]
    words = court["commit"] + court["reveal: first of the round"]
    return {
        "roots": epochs * anchor,
        "collecting": load.payers * load.epochs_of_a_payer * row,
        "claims": load.gateways * ((load.nodes + 2) * claim + load.creators * settlement[listing]),
        "judging": epochs * seed + EPOCHS_A_DAY * (judges * words + court["commitCanaries"] + post),
        "quality's part": (load.nodes + load.evaluators) * court["claim: again, 1 of 64 rows"],
    }


def judges_of_a_round(load: Load, parameters: Parameters) -> int:
    """Evaluators that have a duty in a round, at most: who has none commits to nothing."""
    leaves = -(-load.requests // EPOCHS_A_DAY)
    drawn = -(-leaves * (parameters.quality_bps + parameters.identity_bps) // BPS)
    return min(load.evaluators, drawn * parameters.committee_size)


def dollars(gas: int, chain: Chain) -> Fraction:
    """What gas costs, exactly."""
    return Fraction(gas * chain.gas_price_wei * COIN_USD, 10**18)


def tables(snapshots: Snapshots, parameters: Parameters, loads: Sequence[Load] = LOADS) -> str:
    """The page's two tables."""
    days = [gas_a_day(load, snapshots, parameters) for load in loads]
    return "\n".join([*_network_lines(loads), "", *_cost_lines(loads, days)])


def _network_lines(loads: Sequence[Load]) -> Iterator[str]:
    yield "| a day | " + " | ".join(f"{load.requests:,} requests" for load in loads) + " |"
    yield "|---|" + "---|" * len(loads)
    for what, field in (
        ("payers", "payers"),
        ("epochs in which a payer asks", "epochs_of_a_payer"),
        ("nodes", "nodes"),
        ("gateways", "gateways"),
        ("evaluators", "evaluators"),
        ("creators of listings", "creators"),
    ):
        yield f"| {what} | " + " | ".join(f"{getattr(load, field):,}" for load in loads) + " |"


def _cost_lines(loads: Sequence[Load], days: Sequence[dict[str, int]]) -> Iterator[str]:
    yield "| of each request | " + " | ".join(f"at {load.requests:,} a day" for load in loads) + " |"
    yield "|---|" + "---|" * len(loads)
    for part in days[0]:
        cells = (f"{day[part] // load.requests:,} gas" for load, day in zip(loads, days, strict=True))
        yield f"| {part} | " + " | ".join(cells) + " |"
    totals = [sum(day.values()) for day in days]
    cells = (f"**{total // load.requests:,} gas**" for load, total in zip(loads, totals, strict=True))
    yield "| **all** | " + " | ".join(cells) + " |"
    for chain in (BSC, OPBNB):
        cells = (
            f"{shown(dollars(total, chain) / load.requests)} ({shown(dollars(total, chain))} a day)"
            for load, total in zip(loads, totals, strict=True)
        )
        yield f"| {chain.name} | " + " | ".join(cells) + " |"


def shown(usd: Fraction) -> str:
    """Dollars with two figures that count, rounded up."""
    if usd >= 10:
        return f"${-(-usd.numerator // usd.denominator):,}"
    places = 1
    while usd * 10**places < 10:
        places += 1
    scaled = -(-usd.numerator * 10**places // usd.denominator)
    return f"${scaled // 10**places}.{scaled % 10**places:0{places}}"


def page_with(text: str, content: str) -> str:
    """The page with its tables replaced. Raises ValueError where it has no place for them."""
    return filled(text, content, begin=BEGIN, end=END)


def main() -> None:
    """Prints the tables, or writes them into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    content = tables(read_snapshots(), bsc_parameters())
    if parser.parse_args().write:
        PAGE.write_text(page_with(PAGE.read_text(), content))
    else:
        print(content)


if __name__ == "__main__":
    main()
