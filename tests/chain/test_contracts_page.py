"""The contracts' page prints gas and sizes; they are the committed ones."""

import json
import re
from pathlib import Path

CONTRACTS = Path(__file__).parents[2] / "contracts"
ARTIFACTS = CONTRACTS.parent / "src" / "dgrid" / "chain" / "artifacts.json"
PAGE = (CONTRACTS / "README.md").read_text()
MAX_RUNTIME_BYTES = 24_576


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_page_prints_every_committed_gas_figure() -> None:
    printed = {
        (contract, call): _number(gas)
        for contract, call, gas in re.findall(r"^\| (\w+) \| ([^|]+) \| ([\d,]+) \|", _section("Gas"), re.MULTILINE)
    }
    measured = {
        (group.stem, call): int(gas)
        for group in (CONTRACTS / "snapshots").glob("*.json")
        for call, gas in json.loads(group.read_text()).items()
    }
    assert printed == measured


def test_a_figure_above_the_one_to_beat_says_why() -> None:
    rows = re.findall(r"^\| \w+ \| [^|]+ \| ([\d,]+) \| ([\d,]+) \| ([^|]*) \|$", _section("Gas"), re.MULTILINE)
    assert len(rows) >= 6
    assert all(why for ours, to_beat, why in rows if _number(ours) > _number(to_beat))


def test_the_page_prints_every_contracts_size_and_all_fit_the_chain() -> None:
    printed = {name: _number(size) for name, size in re.findall(r"^\| (\w+) \| ([\d,]+) \|$", _section("Size"), re.M)}
    built = json.loads(ARTIFACTS.read_text())["contracts"]
    assert printed == {name: contract["runtime_bytes"] for name, contract in built.items()}
    assert max(printed.values()) <= MAX_RUNTIME_BYTES
