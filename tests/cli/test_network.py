"""`dgrid status`, `wait` and `down` over what a running network wrote."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Dgrid

from dgrid.processes.home import Home

FIELDS = {
    *("gateway_url", "gateway_urls", "api_key_file", "chain_rpc", "chain_id", "contracts", "status_url"),
    *("processes", "epoch", "schema"),
}


@pytest.fixture
def held(tmp_path: Path) -> Iterator[None]:
    """The home as a supervisor that lives holds it."""
    home = Home(tmp_path / ".dgrid")
    home.make()
    with home.lock():
        yield


def write_status(folder: Path) -> dict[str, Any]:
    """A status.json as `dgrid up` writes it, some epochs ago."""
    process = {"role": "node", "name": "node-1", "pid": 7, "address": "0x" + "ab" * 20, "url": "u", "state": "running"}
    status = {
        "schema": "dgrid.status/1",
        "pid": os.getpid(),
        "gateway_url": "http://127.0.0.1:7420/v1",
        "gateway_urls": ["http://127.0.0.1:7420/v1"],
        "api_key_file": "api_key",
        "chain_rpc": "http://127.0.0.1:7421",
        "chain_id": 31337,
        "contracts": {},
        "status_url": "http://127.0.0.1:7420/status",
        "processes": [process],
        "epoch": {"number": 0, "closes_at_ms": 0, "genesis_s": int(time.time()) - 100, "length_s": 20},
    }
    folder.mkdir(exist_ok=True)
    (folder / "status.json").write_text(json.dumps(status))
    return status


@pytest.mark.usefixtures("held")
def test_status_is_what_outside_checks_rely_on_with_the_epoch_of_now(dgrid: Dgrid, tmp_path: Path) -> None:
    write_status(tmp_path / ".dgrid")
    shown = dgrid("status", "--json").data
    assert shown.keys() == FIELDS
    assert shown["epoch"]["number"] == 5
    assert shown["epoch"]["closes_at_ms"] > time.time() * 1000
    text = dgrid("status").out
    assert "node-1" in text
    assert "epoch        5" in text


def test_the_status_of_a_network_that_died_is_not_believed(dgrid: Dgrid, tmp_path: Path) -> None:
    write_status(tmp_path / ".dgrid")
    for words in (["status"], ["wait", "--timeout", "0.1"], ["down"]):
        shown = dgrid(*words, "--json")
        assert (shown.code, shown.error["code"]) == (3, "network_unreachable")


def test_waiting_ends_at_the_time_limit(dgrid: Dgrid) -> None:
    assert dgrid("wait", "--timeout", "0.1", "--json").code == 3


@pytest.mark.usefixtures("held")
def test_waiting_for_what_serves_returns_at_once(dgrid: Dgrid, tmp_path: Path) -> None:
    write_status(tmp_path / ".dgrid")
    assert dgrid("wait", "--json").data["chain_id"] == 31337


def test_stopping_nothing_is_an_error(dgrid: Dgrid) -> None:
    assert dgrid("down").code == 3


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("how", [["--detach"], []])
def test_a_second_start_is_refused_and_leaves_the_first_as_it_is(dgrid: Dgrid, tmp_path: Path, how: list[str]) -> None:
    write_status(tmp_path / ".dgrid")
    again = dgrid("up", *how, "--json")
    assert (again.code, again.error["code"]) == (4, "home_in_use")
    assert dgrid("status").code == 0


@pytest.mark.parametrize("words", [["up", "--gateways", "0"], ["up", "--nodes", "99"], ["up", "--epoch-seconds", "1"]])
def test_a_network_of_impossible_shape_is_refused(dgrid: Dgrid, words: list[str]) -> None:
    assert dgrid(*words).code == 2


def test_the_doctor_names_what_it_looked_at(dgrid: Dgrid) -> None:
    shown = dgrid("doctor", "--json", "--port-base", "21400")
    assert {"python", "ports", "disk"} <= {finding["name"] for finding in shown.data["findings"]}
    assert shown.code == (0 if shown.data["ok"] else 1)
