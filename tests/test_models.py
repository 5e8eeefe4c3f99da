"""The built-in models that the project ships, held against their catalogue."""

import json
from pathlib import Path
from typing import Any

import pytest

from dgrid.core.keccak import keccak


@pytest.fixture(scope="module")
def entries(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((root / "models/catalog.json").read_text(encoding="utf-8"))
    return found


def test_each_file_has_the_digest_of_the_catalogue(root: Path, entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        content = (root / "models" / entry["file"]).read_bytes()
        assert "0x" + keccak(content).hex() == entry["digest"], "models/tools/catalog.py writes it"
        assert len(content) == entry["bytes"]


def test_a_larger_model_costs_more(entries: list[dict[str, Any]]) -> None:
    by_size = sorted(entries, key=lambda entry: entry["bytes"])
    prices = [(int(entry["in_price_wei"]), int(entry["out_price_wei"])) for entry in by_size]
    assert prices == sorted(prices)
    assert all(0 < price_in <= price_out for price_in, price_out in prices)


def test_every_model_is_on_the_card(root: Path, entries: list[dict[str, Any]]) -> None:
    card = (root / "models/MODEL_CARD.md").read_text(encoding="utf-8")
    assert all(f"`{entry['id']}`" in card for entry in entries)
