"""A watcher in a network of real processes: two gateways that lie when they settle, and what it costs them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from tests.conftest import ROOT
from tests.network.running import RunningNetwork, until

QUESTION = [{"role": "user", "content": "Tim plays the cello. What does Tim play?"}]
BOND_WEI = 20_000 * 10**18


@contextmanager
def lying(network: RunningNetwork, gateway: str, lie: str) -> Iterator[None]:
    """A gateway's process is replaced by a dishonest build, with the same key, folder and door."""
    network.kill(gateway)
    file = network.home / "config" / f"{gateway}.toml"
    command = [sys.executable, "-m", "tests.network.dishonest.gateway", lie, str(file)]
    with (network.home / "logs" / f"{lie}.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def asked(network: RunningNetwork, index: int) -> str:
    """The id of a receipt that this gateway signed."""
    client = network.openai(index, max_retries=0)

    def answer() -> Any:
        try:
            return client.chat.completions.create(model="dgrid-nano", messages=QUESTION)
        except Exception:  # noqa: BLE001 - it is still starting
            return None

    reply = until(answer, timeout_s=60, what=f"gateway {index + 1}")
    return str(reply.usage.dgrid["receipt_id"])


def watcher_url(network: RunningNetwork) -> str:
    return str(next(process["url"] for process in network.status["processes"] if process["name"] == "watcher-1"))


def findings(network: RunningNetwork) -> list[dict[str, Any]]:
    with urlopen(f"{watcher_url(network)}/v1/findings", timeout=10) as reply:
        found: list[dict[str, Any]] = json.load(reply)["findings"]
        return found


def hand_over(network: RunningNetwork, document: bytes) -> None:
    """What a client does with a receipt that it does not want to see forgotten."""
    request = Request(f"{watcher_url(network)}/v1/receipts", document, {"content-type": "application/json"})
    with urlopen(request, timeout=10) as reply:
        assert reply.status == 202


@pytest.mark.timeout(300)
def test_gateways_that_settle_something_else_than_they_signed_lose_their_bond(
    network_without_restart: RunningNetwork, tmp_path: Path
) -> None:
    network = network_without_restart
    assert asked(network, 0)
    assert asked(network, 1)
    until(lambda: b'found="right"' in metrics(network), what="an honest epoch", timeout_s=60)
    assert findings(network) == []
    watcher, settlement = network.address("watcher-1"), network.status["contracts"]["settlement"]
    before, bonded = network.dgai_of(watcher), network.dgai_of(settlement)
    gateways = network.address("gateway-1"), network.address("gateway-2")
    with lying(network, "gateway-1", "altered"), lying(network, "gateway-2", "underpaid-node"):
        names = [asked(network, 0), asked(network, 0)]
        assert asked(network, 1)
        for name in names:
            file = tmp_path / f"{name}.json"
            assert network.dgrid("receipts", "get", name, "-o", str(file)).code == 0
            hand_over(network, file.read_bytes())
        found = until(lambda: two_convictions(network), what="the convictions", timeout_s=90)
    assert {(one["gateway"], one["challenge"]) for one in found} == {(gateways[0], 1), (gateways[1], 3)}
    collected = 10**18  # of fees meanwhile, at most
    assert network.dgai_of(settlement) <= bonded - BOND_WEI + collected  # half of each bond is gone
    assert network.dgai_of(watcher) - before >= 2 * (BOND_WEI // 2) // 5


def metrics(network: RunningNetwork) -> bytes:
    """Empty while the watcher still starts: nobody waits for it."""
    with suppress(URLError), urlopen(f"{watcher_url(network)}/metrics", timeout=10) as reply:
        return bytes(reply.read())
    return b""


def two_convictions(network: RunningNetwork) -> list[dict[str, Any]]:
    found = [one for one in findings(network) if one["outcome"] == "convicted"]
    return found if len(found) == 2 else []
