"""Bad days on a network of real processes: things die, the money and the receipts stay."""

import os
import shutil
import signal
import threading
import time
from typing import Any

import pytest
from tests.network.running import RunningNetwork, until

QUESTION = [{"role": "user", "content": "Tim plays the cello. What does Tim play?"}]


def receipts_of(network: RunningNetwork, limit: int = 200) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = network.dgrid("--json", "receipts", "--limit", str(limit)).json["receipts"]
    return found


def test_requests_succeed_elsewhere_when_a_node_is_killed_in_the_middle(own_network: RunningNetwork) -> None:
    client = own_network.openai(max_retries=0)
    failures: list[Exception] = []

    def ask(times: int) -> None:
        for _ in range(times):
            try:
                client.chat.completions.create(model="dgrid-mini", messages=QUESTION)
            except Exception as error:  # noqa: BLE001 - any failure at all is what this test looks for
                failures.append(error)

    threads = [threading.Thread(target=ask, args=(30,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    own_network.kill("node-1")
    for thread in threads:
        thread.join()
    assert not failures


def test_a_killed_gateway_loses_no_receipt_and_bills_a_repeated_key_once(own_network: RunningNetwork) -> None:
    client = own_network.openai(max_retries=0)
    headers = {"Idempotency-Key": "one-question"}
    first = client.chat.completions.create(model="dgrid-micro", messages=QUESTION, extra_headers=headers)
    before = receipts_of(own_network)
    assert len(before) == 1
    own_network.kill("gateway-1")

    def again() -> Any:
        try:
            return client.chat.completions.create(model="dgrid-micro", messages=QUESTION, extra_headers=headers)
        except Exception:  # noqa: BLE001 - it is still starting
            return None

    second = until(again, timeout_s=30, what="the gateway's return")
    assert second.id == first.id
    assert second.choices[0].message.content == first.choices[0].message.content
    assert [receipt["id"] for receipt in receipts_of(own_network)] == [receipt["id"] for receipt in before]
    assert own_network.dgrid("audit", before[0]["id"], "--wait", "60", timeout_s=90).code == 0


def test_chat_uses_the_other_gateway_when_one_is_dead(own_network: RunningNetwork) -> None:
    own_network.kill("gateway-1")
    ran = own_network.dgrid("chat", "Tim plays the cello. What does Tim play?", "--model", "dgrid-micro")
    assert ran.code == 0, ran.err
    assert "cello" in ran.out


def test_the_network_is_down_within_ten_seconds_and_nothing_is_left(own_network: RunningNetwork) -> None:
    started_s = time.monotonic()
    assert own_network.down().code == 0
    assert time.monotonic() - started_s < 10
    assert own_network.dgrid("doctor", "--port-base", str(own_network.port_base)).code == 0


@pytest.mark.timeout(240)
def test_an_epoch_audits_with_both_gateways_stopped_and_one_archive_left(
    network_without_restart: RunningNetwork,
) -> None:
    network = network_without_restart
    assert network.dgrid("chat", "Tim plays the cello. What does Tim play?").code == 0
    receipt = until(lambda: receipts_of(network), what="a receipt")[0]
    audited = network.dgrid("--json", "audit", receipt["id"], "--wait", "90", timeout_s=120)
    assert audited.code == 0, audited.out + audited.err
    for name in ("gateway-1", "gateway-2", "archive-1", "archive-2"):
        network.kill(name)
    for name in ("archive-1", "archive-2"):
        shutil.rmtree(network.home / "roles" / name)
    for arguments in (["--epoch", str(audited.json["epoch"])], [receipt["id"]]):
        again = network.dgrid("--json", "audit", *arguments, timeout_s=90)
        assert again.code == 0, again.out + again.err
        assert again.json["ok"] is True
    assert network.dgrid("claim", "--yes", timeout_s=120).code == 0


@pytest.mark.timeout(240)
def test_serving_goes_on_while_the_chain_is_away_and_settles_afterwards(
    network_without_restart: RunningNetwork,
) -> None:
    network = network_without_restart
    chain = network.pid("chain")
    os.kill(chain, signal.SIGSTOP)
    try:
        degraded = until(lambda: _ask(network).get("x-dgrid-degraded") == "chain", timeout_s=30, what="the notice")
        assert degraded
    finally:
        os.kill(chain, signal.SIGCONT)
    receipt = receipts_of(network)[0]
    assert network.dgrid("audit", receipt["id"], "--wait", "90", timeout_s=120).code == 0


def test_down_and_up_again_resume_the_same_network(own_network: RunningNetwork) -> None:
    own_network.openai().chat.completions.create(model="dgrid-micro", messages=QUESTION)
    before = receipts_of(own_network)
    contracts = own_network.status["contracts"]
    assert own_network.down().code == 0
    assert own_network.up().code == 0
    assert own_network.status["contracts"] == contracts
    assert {receipt["id"] for receipt in before} <= {receipt["id"] for receipt in receipts_of(own_network)}


def test_a_killed_supervisor_leaves_no_orphans_and_the_next_start_resumes(own_network: RunningNetwork) -> None:
    own_network.openai().chat.completions.create(model="dgrid-micro", messages=QUESTION)
    before = receipts_of(own_network)
    os.kill(own_network.status["pid"], signal.SIGKILL)
    assert own_network.dgrid("status").code == 3
    ports = ("doctor", "--port-base", str(own_network.port_base))
    until(lambda: own_network.dgrid(*ports).code == 0, timeout_s=20, what="the end of all its processes")
    assert own_network.up().code == 0
    assert {receipt["id"] for receipt in before} <= {receipt["id"] for receipt in receipts_of(own_network)}


# --- what a running network is not harmed by: these share one, the last of the file ---


def test_starting_twice_is_refused_and_leaves_the_running_network_as_it_is(network: RunningNetwork) -> None:
    assert network.up().code == 4
    assert network.dgrid("status").code == 0
    assert network.dgrid("chat", "Hello").code == 0


def test_a_port_in_use_is_said_at_once(network: RunningNetwork, tmp_path: Any) -> None:
    other = RunningNetwork(tmp_path / "other", network.port_base)
    ran = other.up()
    assert ran.code != 0
    assert "in use" in ran.err


def _ask(network: RunningNetwork) -> Any:
    reply = network.openai(max_retries=0).chat.completions.with_raw_response.create(
        model="dgrid-micro", messages=QUESTION
    )
    return reply.headers
