"""The members change the running network: gateway, settler, evaluators and court obey a vote, and nobody restarts."""

import time
from functools import partial
from typing import Any

import pytest
from tests.network.running import EPOCH_SECONDS, RunningNetwork, until

QUESTION = "Ada {number} lives in Oslo now. She works as a nurse in town. Where does Ada {number} live now?"
VOTE = ("protocol_bps=300", "stored_quorum=3", "committee_size=2", "evaluator_rate_wei=0.0006DGAI", "reveal_seconds=7")
ROUND_S = 90.0


def asked(network: RunningNetwork, count: int) -> list[str]:
    """Asks shortly after an epoch has begun, so that all is served in it; the receipts' ids."""
    until_epoch(network, epoch_now(network) + 1)
    return asked_now(network, count)


def asked_now(network: RunningNetwork, count: int) -> list[str]:
    client, ids = network.openai(), list[str]()
    for number in range(count):
        messages = [{"role": "user", "content": QUESTION.format(number=number)}]
        raw = client.chat.completions.with_raw_response.create(model="dgrid-mini", messages=messages)
        ids.append(raw.headers["x-dgrid-receipt-id"])
    return ids


def state_of(network: RunningNetwork, receipt_id: str) -> Any:
    found = network.dgrid("receipts", "--json").json["receipts"]
    return next(one for one in found if one["id"] == receipt_id)


def judged(network: RunningNetwork, receipt_id: str) -> Any:
    """The audit of a receipt's epoch once its round is posted and something of it was drawn."""

    def look() -> Any:
        asked_now(network, 1)  # a round that every evaluator was late for is taken in by the next one with traffic
        found = network.dgrid("audit", receipt_id, "--wait", "20", "--json")
        rounds = found.json["quality"] if found.code == 0 else []
        return found.json if rounds and rounds[0]["state"] == "posted" else None

    return until(look, what="the epoch to be judged", timeout_s=2 * ROUND_S)  # a root waits for the one before


def cut_bps(audit: Any) -> int:
    sums = {name: int(amount) for name, amount in audit["sums"].items()}
    return round(10_000 * sums["protocol_wei"] / (sums["protocol_wei"] + sums["node_wei"]))


def seats(audit: Any) -> float:
    """Duties of each drawn answer: a root may take in draws of earlier rounds, which keep their own committees."""
    (found,) = audit["quality"]
    assert found["drawn"] > 0
    assert (found["recomputes"], found["differences"]) == (True, [])
    return float(found["duties"] / found["drawn"])


def passed(network: RunningNetwork, number: int) -> int:
    """Votes a proposal through; the epoch from which it counts."""

    def done(*words: str) -> bool:
        return network.dgrid("gov", *words, "--yes").code == 0

    for step in (("vote", str(number), "for"), ("queue", str(number)), ("execute", str(number))):
        until(partial(done, *step), what=f"gov {step[0]}", timeout_s=60)
    shown = network.dgrid("gov", "show", str(number), "--json").json
    assert shown["state"] == "executed"
    return int(shown["in_effect_from"])


def epoch_now(network: RunningNetwork) -> int:
    return int(time.time() - network.status["epoch"]["genesis_s"]) // EPOCH_SECONDS


def until_epoch(network: RunningNetwork, epoch: int) -> None:
    genesis_s = network.status["epoch"]["genesis_s"]
    time.sleep(max(0.0, genesis_s + epoch * EPOCH_SECONDS - time.time()) + 0.5)


@pytest.mark.timeout(500)
def test_a_vote_changes_what_gateway_settler_evaluators_and_court_do(judged_network: RunningNetwork) -> None:
    network = judged_network
    refused = network.dgrid("gov", "propose", "reporter_bps=3000", "bond_seconds=20", "--json", "--yes")
    assert refused.code == 4
    assert "Bond" in refused.err
    before = asked(network, 10)[0]
    made = network.dgrid("gov", "propose", *VOTE, "--title", "Judge with two", "--json", "--yes")
    assert made.code == 0, made.err
    assert network.dgrid("gov", "queue", "1", "--yes").code == 6
    assert {one["name"]: one["new"] for one in made.json["changes"]}["evaluator_rate_wei"] == str(6 * 10**14)
    audit = judged(network, before)
    assert (audit["ok"], cut_bps(audit), seats(audit)) == (True, 200, 3)

    first = passed(network, 1)
    still = asked_now(network, 1)[0]
    assert state_of(network, still)["epoch"] < first
    until(lambda: state_of(network, still)["state"] == "anchored", what="the last epoch of before")
    until_epoch(network, first)
    network.pause("archive-3")
    after = asked(network, 10)[0]
    until_epoch(network, state_of(network, after)["epoch"] + 2)
    assert state_of(network, after)["state"] != "anchored", "two archives no longer suffice"
    network.go_on("archive-3")

    audit = judged(network, after)
    assert audit["epoch"] >= first
    assert (audit["ok"], cut_bps(audit)) == (True, 300)
    assert 2 <= seats(audit) < 3
    assert cut_bps(network.dgrid("audit", still, "--json").json) == 200
    values = {one["name"]: one["value"] for one in network.dgrid("gov", "parameters", "--json").json["parameters"]}
    assert (values["protocol_bps"], values["committee_size"], values["reveal_seconds"]) == ("300", "2", "7")
    replayed = network.dgrid("gov", "simulate", "protocol_bps=200", "--epochs", "1000", "--json").json
    assert replayed["receipts"] >= 21
