"""The benchmarks' own arithmetic, and that they run; no time is tested here."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator

import msgspec
import pytest
from benchmarks.exchange import REPLY_BYTES, REQUEST_BYTES, Reply, dispatch_body, request_body
from benchmarks.figures import Cell, Figures
from benchmarks.generator import Crowd, Outcome, Task
from benchmarks.meters import cpu_ns, descendants, pss_bytes, session_pids
from benchmarks.mock import MockOpenAI, body_length
from benchmarks.speed import asked
from benchmarks.stacks import Stack

from dgrid.wire.frames import decode_dispatch


def cell(at: int, stack: str, *, connections: int = 64, cpu_us: float = 0.0, p50_us: float = 0.0) -> Cell:
    return Cell(at, stack, connections, 100, 1.0, cpu_us * 100, 1.0, 0.0, 0.0, p50_us, p50_us, 100, 0, "", 0.5)


def test_a_ratio_is_the_median_of_pairs_and_not_the_ratio_of_medians() -> None:
    own, theirs = (100, 300, 200), (10, 20, 40)
    cells = [cell(at, "dgrid", cpu_us=cost) for at, cost in enumerate(own)]
    cells += [cell(at, "nginx", cpu_us=cost) for at, cost in enumerate(theirs)]
    assert Figures(cells).row("dgrid").cpu_times_nginx == pytest.approx(10.0)


def test_added_latency_is_what_lies_above_direct_in_the_same_round() -> None:
    cells = [
        cell(at, stack, connections=1, p50_us=p50_us)
        for at, round_of in enumerate(
            ({"direct": 20, "nginx": 100, "dgrid": 340}, {"direct": 50, "nginx": 90, "dgrid": 250})
        )
        for stack, p50_us in round_of.items()
    ]
    row = Figures(cells).row("dgrid")
    assert row.added_p50_us == pytest.approx(260.0)
    assert row.added_p50_times_nginx == pytest.approx(4.5)


def test_a_gateway_is_compared_with_nginx_before_the_same_upstream_and_before_the_mock() -> None:
    p50s = {"direct": 20, "node": 120, "nginx": 100, "relay": 220, "dgrid": 520}
    figures = Figures(cell(0, stack, connections=1, p50_us=p50_us) for stack, p50_us in p50s.items())
    row = figures.row("dgrid")
    assert row.own_p50_us == 400
    assert row.own_p50_times_nginx == pytest.approx(4.0)
    assert row.added_p50_us == 500
    assert row.added_p50_times_nginx == pytest.approx(6.25)
    assert figures.row("nginx").own_p50_times_nginx == pytest.approx(1.0)
    promised = {target.name: target.met for target in figures.targets()}
    assert promised["p50 added before the same upstream, × nginx's"]
    assert promised["added p50, × nginx's"] is None, "shown, but not what is promised"


def test_a_run_that_asked_no_node_has_no_figure_of_its_own() -> None:
    p50s = {"direct": 20, "nginx": 100, "dgrid": 520}
    row = Figures(cell(0, stack, connections=1, p50_us=p50_us) for stack, p50_us in p50s.items()).row("dgrid")
    assert row.own_p50_us is None
    assert row.own_p50_times_nginx is None


def test_a_stack_is_asked_only_as_it_says() -> None:
    node = Stack("node", 1, connections=(1,))
    assert [stack.name for stack in asked([Stack("nginx", 2), node], connections=1)] == ["nginx", "node"]
    assert [stack.name for stack in asked([Stack("nginx", 2), node], connections=64)] == ["nginx"]


def test_a_dispatch_carries_the_request_of_its_number() -> None:
    envelope, _ = decode_dispatch(dispatch_body(7))
    assert envelope.body == request_body(7)


def test_a_promise_without_a_measurement_is_not_met() -> None:
    cells = [cell(0, stack, cpu_us=10) for stack in ("direct", "nginx", "dgrid")]
    met = {target.name: target.met for target in Figures(cells).targets()}
    assert met["CPU a request, 64 connections, × nginx"]
    assert not met["CPU a request, 64 connections, of LiteLLM's"]


def test_every_exchange_has_its_stated_size_and_a_number_of_its_own() -> None:
    assert {len(request_body(number)) for number in (0, 1, 99_999_999)} == {REQUEST_BYTES}
    assert {len(Reply(255, 215).body(number)) for number in (0, 1, 99_999_999)} == {REPLY_BYTES}
    assert request_body(1) != request_body(2)
    said = msgspec.json.decode(Reply().body(7))
    assert said["choices"][0]["message"]["content"].encode() == Reply().text(7)


@pytest.mark.parametrize(
    "name", [b"content-length: ", b"Content-Length:", b"X: y\r\ncontent-type: a\r\nContent-length: "]
)
def test_the_length_of_a_message_is_found_however_its_name_is_written(name: bytes) -> None:
    data = b"HTTP/1.1 200 OK\r\n" + name + b"12\r\n\r\n"
    assert body_length(data, data.find(b"\r\n\r\n")) == 12


def test_every_answer_is_counted_once_with_warm_up_and_drain() -> None:
    async def load() -> Outcome:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(MockOpenAI, "127.0.0.1", 0)
        before = MockOpenAI.number
        port = server.sockets[0].getsockname()[1]
        outcome = await Crowd(Task(port, 3, 0.05, 0, warm_s=0.02, core=0)).run()
        server.close()
        assert outcome.answered == MockOpenAI.number - before
        return outcome

    outcome = asyncio.run(load())
    assert outcome.refused == 0
    assert 0 < outcome.requests < outcome.answered


@pytest.fixture
def spinning() -> Iterator[subprocess.Popen[bytes]]:
    """A session whose child, not its leader, burns CPU time."""
    burn = "import time\nwhile True: pass"
    leader = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    process = subprocess.Popen([sys.executable, "-c", leader], start_new_session=True)
    yield process
    for pid in session_pids(process.pid):
        if pid != process.pid:
            subprocess.run(["kill", "-9", str(pid)], check=True)
    process.wait()


def test_the_cpu_time_of_a_session_holds_that_of_its_children(spinning: subprocess.Popen[bytes]) -> None:
    while len(session_pids(spinning.pid)) < 2:
        time.sleep(0.01)
    pids = session_pids(spinning.pid)
    assert set(pids) == set(descendants(spinning.pid))
    (child,) = set(pids) - {spinning.pid}
    begun_ns = cpu_ns([child])
    while cpu_ns([child]) == begun_ns:
        time.sleep(0.01)
    assert cpu_ns(pids) >= cpu_ns([child]) > begun_ns
    assert pss_bytes(pids) > 0
