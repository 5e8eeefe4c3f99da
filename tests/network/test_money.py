"""Exact money on a running network: each share arrives on the chain to the last unit, and the rest comes back.

Nobody judges here: what quality decides of a node's part stays where it is, to the last unit too.
"""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.network.running import RunningNetwork, until

QUESTION = [{"role": "user", "content": "Tim plays the cello. What does Tim play?"}]
DEPOSITED_WEI = 2 * 1000 * 10**18
BASE_BPS, BPS = 8_000, 10_000  # of a node's running total, claimable with the epoch


def asked_at_both(network: RunningNetwork, folder: Path) -> list[dict[str, Any]]:
    """The signed receipts of some requests at each gateway."""
    documents = []
    for index in (0, 0, 1):
        for model in ("dgrid-nano", "dgrid-mini"):
            reply = network.openai(index).chat.completions.create(model=model, messages=QUESTION)
            name, file = reply.usage.dgrid["receipt_id"], folder / "receipt.json"
            assert network.dgrid("receipts", "get", name, "-o", str(file)).code == 0
            documents.append(json.loads(file.read_bytes()))
    return documents


def owed(network: RunningNetwork, receipts: list[dict[str, Any]]) -> Counter[str]:
    """What the receipts promise each party with the epoch, by address."""
    shares: Counter[str] = Counter()
    nodes: Counter[tuple[str, str, int]] = Counter()
    named = {one["name"]: one["address"] for one in network.dgrid("--json", "wallet").json["parties"]}
    for receipt in receipts:
        parties = receipt["parties"]
        nodes[parties["gateway"], parties["node"], receipt["place"]["lane"]] += int(receipt["shares"]["node"])
        for part, address in (
            ("gateway", parties["gateway"]),
            ("protocol", named["treasury"]),
            ("listing", named["creator"]),
        ):
            shares[address] += int(receipt["shares"][part])
    for (_, node, _), total in nodes.items():
        shares[node] += total * BASE_BPS // BPS
    return shares


@pytest.mark.timeout(300)
def test_every_share_arrives_to_the_last_unit_and_a_withdrawal_gives_back_the_rest(
    own_network: RunningNetwork, tmp_path: Path
) -> None:
    network = own_network
    contracts = network.status["contracts"]
    bonded = network.dgai_of(contracts["settlement"])
    receipts = [document["receipt"] for document in asked_at_both(network, tmp_path)]
    spent = sum(int(receipt["shares"]["fee"]) for receipt in receipts)

    def wallet(*arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = network.dgrid("--json", "wallet", *arguments).json
        return found

    def anchored_wei() -> int:
        shown = wallet()
        return int(shown["claimable_wei"]) + int(shown["unjudged_wei"])

    until(lambda: anchored_wei() == spent, what="all fees to be claimable, or to wait for their quality")
    due = owed(network, receipts)
    unjudged = spent - sum(due.values())
    assert unjudged == int(wallet()["unjudged_wei"]) > 0
    before = {address: network.dgai_of(address) for address in due}
    for address, amount in due.items():
        assert int(wallet("--address", address)["claimable_wei"]) == amount
    claims: list[int] = []

    def all_claimed() -> bool:
        claims.append(int(network.dgrid("--json", "claim", "--yes").json["paid_wei"]))
        return sum(claims) == spent - unjudged

    until(all_claimed, what="the claims")
    assert {address: network.dgai_of(address) - before[address] for address in due} == dict(due)
    shown = wallet()
    assert {name: int(shown[name]) for name in ("deposited_wei", "spent_wei", "held_wei", "claimable_wei")} == {
        "deposited_wei": DEPOSITED_WEI,
        "spent_wei": spent,
        "held_wei": 0,
        "claimable_wei": 0,
    }
    escrow = contracts["channel_escrow"]
    until(lambda: network.dgai_of(escrow) == DEPOSITED_WEI - spent, what="the collection")
    assert network.dgai_of(contracts["settlement"]) == bonded + unjudged
    assert int(shown["claimed_wei"]) == spent - unjudged
    withdrawn(network, DEPOSITED_WEI - spent)
    assert network.dgai_of(escrow) == 0


def withdrawn(network: RunningNetwork, amount_wei: int) -> None:
    """The deposits come back; until then their gateways refuse them, and say why."""
    announced = network.dgrid("--json", "channel", "withdraw", "--yes").json["channels"]
    assert {channel["state"] for channel in announced} == {"withdrawing"}

    late: list[int] = []  # what was served before the gateway noticed: it is paid, too
    until(lambda: _is_refused(network, late), what="the gateway's notice")
    assert network.dgrid("channel", "finalize").code == 6
    available_s = max(channel["available_at_ms"] for channel in announced) / 1000
    time.sleep(max(0.0, available_s - time.time()))
    finalized = until(lambda: _finalized(network), what="the payout")
    assert int(finalized["paid_wei"]) == amount_wei - sum(late)
    assert {channel["balance_wei"] for channel in finalized["channels"]} == {"0"}
    assert network.dgrid("chat", "Hello").code == 4


def _is_refused(network: RunningNetwork, late: list[int]) -> bool:
    try:
        reply = network.openai(max_retries=0).chat.completions.create(model="dgrid-nano", messages=QUESTION)
    except openai.APIStatusError as error:
        return (error.status_code, error.code) == (402, "insufficient_budget")
    late.append(int(reply.usage.dgrid["fee_wei"]))
    return False


def _finalized(network: RunningNetwork) -> Any:
    ran = network.dgrid("--json", "channel", "finalize", "--yes")
    return ran.json if ran.code == 0 else None
