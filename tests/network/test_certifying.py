"""A judged answer is certified, audited and explained, and what quality decides of its pay can be claimed."""

from pathlib import Path
from typing import Any

import pytest
from tests.network.running import RunningNetwork, until

QUESTION = "Ada {number} lives in Oslo now. She works as a nurse in town. Where does Ada {number} live now?"
ROUND_S = 120.0


def asked(network: RunningNetwork, count: int) -> None:
    client = network.openai()
    for number in range(count):
        messages = [{"role": "user", "content": QUESTION.format(number=number)}]
        client.chat.completions.create(model="dgrid-mini" if number % 2 else "auto", messages=messages)


def certified(network: RunningNetwork, file: Path) -> str | None:
    """The first of the home's receipts that was drawn, and of which somebody reported in time."""
    for receipt in network.dgrid("receipts", "--json").json["receipts"]:
        made = network.dgrid("proof", receipt["id"], "-o", str(file), "--json")
        if made.code == 0 and made.json["reports"]:
            return str(receipt["id"])
        assert made.code in (0, 5, 6), made.err
    return None


def most_sampled(network: RunningNetwork) -> Any:
    """The node of which most is known; None until the gateway has read a table, a moment after it was posted."""
    node = max(network.dgrid("nodes", "--json").json["nodes"], key=lambda one: one["samples"])
    return node if node["samples"] else None


@pytest.mark.timeout(300)
def test_what_was_judged_is_certified_audited_explained_and_paid(
    judged_network: RunningNetwork, tmp_path: Path
) -> None:
    network, file = judged_network, tmp_path / "certificate.json"
    asked(network, 16)
    receipt_id = until(lambda: certified(network, file), what="a certificate", timeout_s=ROUND_S)
    latest = network.dgrid("proof", "-o", str(tmp_path / "latest.json"), "--json")
    assert (latest.code, latest.json["node"][:2]) == (0, "0x")
    assert network.dgrid("verify", str(tmp_path / "latest.json"), "--json").json["valid"] is True
    checked = network.dgrid("verify", str(file), "--json")
    assert (checked.code, checked.json["valid"]) == (0, True)
    assert checked.json["to_compare"]
    compared = network.dgrid("verify", str(file), "--rpc", network.status["chain_rpc"], "--json")
    assert (compared.code, compared.json["to_compare"]) == (0, [])
    assert sum(check["name"].startswith("chain: ") for check in compared.json["checks"]) == 6
    data = file.read_bytes()
    file.write_bytes(data[:-40] + bytes((data[-40] ^ 1,)) + data[-39:])
    assert network.dgrid("verify", str(file), "--json").code == 1

    (judging,) = network.dgrid("audit", receipt_id, "--json").json["quality"]
    assert (judging["state"], judging["recomputes"], judging["differences"]) == ("posted", True, [])
    assert judging["reported"] > 0

    believed = until(lambda: most_sampled(network), what="a node that is believed something of")
    why = network.dgrid("nodes", "--why", believed["address"], "--json").json
    assert why["node"] == believed["address"]
    assert all(change["receipt_id"] for change in why["changes"])
    assert why["changes"]

    evaluators: list[dict[str, Any]] = network.dgrid("evaluators", "--json").json["evaluators"]
    assert [one["state"] for one in evaluators] == ["active"] * 3
    assert all(one["opened_round"] is not None and one["rounds"]["withheld"] == 0 for one in evaluators)

    def quality_due() -> bool:
        return any(row["quality_wei"] != "0" for row in network.dgrid("wallet", "--json").json["parties"])

    until(quality_due, what="the court to owe something")

    def paid_by_court() -> list[dict[str, str]]:
        claims: list[dict[str, str]] = network.dgrid("claim", "--yes", "--json").json["claims"]
        return [one for one in claims if one["kind"] == "quality"]

    paid = until(paid_by_court, what="the quality root to become final", timeout_s=ROUND_S)
    assert all(int(one["amount_wei"]) > 0 for one in paid)
