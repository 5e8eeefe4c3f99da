"""Questions asked on a running network are judged by evaluators that nobody told of them."""

import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from tests.network.conftest import JUDGED
from tests.network.running import RunningNetwork, until
from tests.network.stranger import stranger_home

from dgrid.config import ChainConfig

TOO_EARLY = 425
OPENING_IS_OVER_S = 20  # after a commitment: 10 s for commitments, 8 s for openings
QUESTION = "Ada {number} lives in Oslo. She works as a nurse. Where does Ada {number} live?"


def doors(network: RunningNetwork) -> list[str]:
    return [process["url"] for process in network.status["processes"] if process["role"] == "evaluator"]


def fetched(url: str) -> bytes:
    with urlopen(url, timeout=10) as reply:
        data: bytes = reply.read()
        return data


def counted(network: RunningNetwork, name: str) -> int:
    """A figure summed over all evaluators."""
    texts = [fetched(f"{door}/metrics").decode() for door in doors(network)]
    return sum(int(found) for text in texts for found in re.findall(rf"^{re.escape(name)} (\d+)$", text, re.MULTILINE))


def health(door: str) -> Any:
    return json.loads(fetched(f"{door}/healthz"))


def signature(door: str, number: int) -> Any:
    """An evaluator's signed root of a round; None where the others had posted it before it signed."""
    try:
        return json.loads(fetched(f"{door}/v1/quality/{number}"))
    except HTTPError as error:
        if error.code != TOO_EARLY:
            raise
        return None


def chain_of(network: RunningNetwork) -> ChainConfig:
    status = network.status
    return ChainConfig((status["chain_rpc"],), status["chain_id"], status["contracts"])


def assert_that_a_stranger_scores_again(network: RunningNetwork, home: Path) -> None:
    """What was said of public answers follows from the chain and the archives, with the gateway stopped."""
    stranger = RunningNetwork(stranger_home(home, chain_of(network)), 0)
    receipts = {one["id"] for one in network.dgrid("receipts", "--json").json["receipts"]}
    epoch = until(lambda: epoch_scored_again(stranger, receipts), what="public answers in a posted round")
    network.pause("gateway-1")
    try:
        audit = stranger.dgrid("audit", "--epoch", str(epoch), "--json")
    finally:
        network.go_on("gateway-1")
    assert audit.code == 0, audit.out + audit.err
    (judging,) = audit.json["quality"]
    assert judging["rescored"] > 0
    assert (judging["recomputes"], judging["not_rescored"], judging["unfounded"]) == (True, 0, [])


def epoch_scored_again(stranger: RunningNetwork, receipts: set[str]) -> int | None:
    """An epoch in whose round reports on public answers were scored again. Forgets receipts that were in none."""
    audit = stranger.dgrid("audit", sorted(receipts)[0], "--json")
    if audit.code == 0 and any(one["state"] == "posted" for one in audit.json["quality"]):
        receipts.discard(sorted(receipts)[0])
    found = audit.code == 0 and any(one.get("rescored") for one in audit.json["quality"])
    return int(audit.json["epoch"]) if found else None


@pytest.mark.timeout(240)
def test_what_is_asked_is_judged_beside_other_nodes_answers_and_the_round_is_posted(
    judged_network: RunningNetwork, tmp_path: Path
) -> None:
    network = judged_network
    asked = network.openai()
    for number in range(12):
        messages = [{"role": "user", "content": QUESTION.format(number=number)}]
        privacy = {"dgrid": {"privacy": "public" if number % 2 else "committee"}}
        asked.chat.completions.create(model="auto", messages=messages, extra_body=privacy)
    judged = 'dgrid_evaluator_reports_total{verdict="judged"}'
    until(lambda: counted(network, judged) >= 3, what="a leaf's committee to judge it", timeout_s=90)
    assert counted(network, "dgrid_evaluator_repeats_total") > 0
    posted = until(lambda: [door for door in doors(network) if health(door)["last_posted_round"] >= 0], what="a root")
    number = health(posted[0])["last_posted_round"]
    signed = [found for door in doors(network) if (found := signature(door, number)) is not None]
    assert signed
    assert all(one["root"]["round"] == number and one["root"]["blobId"] == one["blob_id"] for one in signed)
    assert_that_a_stranger_scores_again(network, tmp_path / "stranger")
    until(lambda: judged_models(network), what="a model's credibility to be listed")


def judged_models(network: RunningNetwork) -> list[str]:
    """The models of which `dgrid models` says how good their answers were found to be."""
    head, *lines = network.dgrid("models").out.splitlines()
    assert head.split()[-5:] == ["PUBLISHED", "CREDIBILITY", "LOW", "HIGH", "SAMPLES"]
    sold = [line.split() for line in lines if line.startswith("dgrid-")]
    assert len(sold) == len({name for name, *_ in sold}) == 3
    return [name for name, *_, samples in sold if int(samples) > 0]


def evaluators_of(network: RunningNetwork) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = network.dgrid("evaluators", "--json").json["evaluators"]
    return found


def waiting_to_open(network: RunningNetwork) -> list[str]:
    """Who committed to a round and has not opened it."""
    return [one["address"] for one in evaluators_of(network) if one["rounds"]["committed"] > one["rounds"]["opened"]]


@pytest.mark.soak
@pytest.mark.timeout(240)
def test_a_network_that_is_stopped_between_commitment_and_opening_costs_nobody_its_stake(
    judged_network: RunningNetwork,
) -> None:
    network = judged_network
    staked = {one["address"]: one["stake_wei"] for one in evaluators_of(network)}
    assert network.dgrid("chat", QUESTION.format(number=1)).code == 0
    committed = until(lambda: waiting_to_open(network), what="a commitment")
    assert network.down().code == 0
    time.sleep(OPENING_IS_OVER_S)
    assert network.up(*JUDGED).code == 0
    assert network.dgrid("chat", QUESTION.format(number=2)).code == 0
    until(lambda: opened_again(network, committed), what="the next round's openings")
    for one in evaluators_of(network):
        assert one["rounds"]["withheld"] == 0
        assert one["stake_wei"] == staked[one["address"]]


def opened_again(network: RunningNetwork, committed: list[str]) -> bool:
    """Whether those who were stopped have opened a later round than the one that they could not open."""
    found = [one for one in evaluators_of(network) if one["address"] in committed]
    return all(one["opened_round"] == one["committed_round"] is not None for one in found)
