"""Questions asked on a running network are judged by evaluators that nobody told of them."""

import json
import re
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from tests.network.running import RunningNetwork, until

TOO_EARLY = 425
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


def serves(door: str) -> bool:
    try:
        return bool(health(door))
    except URLError:
        return False  # it is still starting: a network serves before its judges do


def signature(door: str, number: int) -> Any:
    """An evaluator's signed root of a round; None where the others had posted it before it signed."""
    try:
        return json.loads(fetched(f"{door}/v1/quality/{number}"))
    except HTTPError as error:
        if error.code != TOO_EARLY:
            raise
        return None


@pytest.mark.timeout(240)
def test_what_is_asked_is_judged_beside_other_nodes_answers_and_the_round_is_posted(
    judged_network: RunningNetwork,
) -> None:
    network = judged_network
    asked = network.openai()
    until(lambda: all(map(serves, doors(network))), what="all evaluators to serve")
    for number in range(12):
        messages = [{"role": "user", "content": QUESTION.format(number=number)}]
        asked.chat.completions.create(model="auto", messages=messages)
    judged = 'dgrid_evaluator_reports_total{verdict="judged"}'
    until(lambda: counted(network, judged) >= 3, what="a leaf's committee to judge it", timeout_s=90)
    assert counted(network, "dgrid_evaluator_repeats_total") > 0
    posted = until(lambda: [door for door in doors(network) if health(door)["last_posted_round"] >= 0], what="a root")
    number = health(posted[0])["last_posted_round"]
    signed = [found for door in doors(network) if (found := signature(door, number)) is not None]
    assert signed
    assert all(one["root"]["round"] == number and one["root"]["blobId"] == one["blob_id"] for one in signed)
