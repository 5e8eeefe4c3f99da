"""The page of parameters is the catalogue. Written anew by `python -m tests.test_parameter_page`."""

from pathlib import Path

from dgrid.chain.parameters import Tunable, catalogue

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "parameters.md"
HEAD = """# Parameters

Every number that the members can change, in the contract's order. `dgrid gov parameters` shows what counts now and what
is decided to come; [governance.md](../concepts/governance.md) says how they change and what refuses a change. Bounds
and the largest step of one vote are fixed at deployment. Shares are basis points (10,000 are the whole), amounts are in
DGAI here and in wei on chain; of weights only the ratios count.

| Parameter | Unit | Dev | BSC | Bounds | Step | Read by | What it is |
|---|---|---|---|---|---|---|---|
"""


def row(one: Tunable) -> str:
    bounds = f"{one.shown(one.bounds.minimum)} to {one.shown(one.bounds.maximum)}"
    values = one.shown(one.dev), one.shown(one.bsc), bounds, one.shown(one.bounds.change_max)
    return "| " + " | ".join((f"`{one.name}`", one.shown_unit, *values, one.readers, one.about)) + " |\n"


def page() -> str:
    return HEAD + "".join(map(row, catalogue()))


def test_the_page_is_the_catalogue() -> None:
    assert PAGE.read_text() == page()


if __name__ == "__main__":
    PAGE.write_text(page())
