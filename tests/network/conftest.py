"""One network for the tests of a file that only use it; a network of its own for each test that breaks something."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.network.running import RunningNetwork, until

SHARED_PORT_BASE = 17420
OWN_PORT_BASE = 17520
JUDGED = ("--gateways", "1", "--nodes", "3", "--evaluators", "3")
UNJUDGED = ("--evaluators", "0")  # whoever judges asks and pays too: money would not come out even


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNetwork]:
    """A network that the tests of a file share and leave as they found it; gone before those of the next begin."""
    yield from _running(tmp_path_factory.mktemp("network"), SHARED_PORT_BASE, *UNJUDGED)


@pytest.fixture
def own_network(tmp_path: Path) -> Iterator[RunningNetwork]:
    """A network that a test may harm."""
    yield from _running(tmp_path / "home", OWN_PORT_BASE, *UNJUDGED)


@pytest.fixture
def network_without_restart(tmp_path: Path) -> Iterator[RunningNetwork]:
    """A network that a test may harm, and whose dead stay dead."""
    yield from _running(tmp_path / "home", OWN_PORT_BASE, "--no-restart", *UNJUDGED)


@pytest.fixture
def small_network(tmp_path: Path) -> Iterator[RunningNetwork]:
    """One gateway and two nodes, which sell dgrid-mini and dgrid-micro."""
    yield from _running(tmp_path / "home", OWN_PORT_BASE, "--gateways", "1", "--nodes", "2", *UNJUDGED)


@pytest.fixture
def judged_network(tmp_path: Path) -> Iterator[RunningNetwork]:
    """One gateway, three nodes and three evaluators, which can be drawn."""
    yield from _running(tmp_path / "home", OWN_PORT_BASE, *JUDGED, evaluators=3)


def _running(home: Path, port_base: int, *arguments: str, evaluators: int = 0) -> Iterator[RunningNetwork]:
    """A network once it serves, and so many evaluators, which start last, can be drawn."""
    running = RunningNetwork(home, port_base)
    started = running.up(*arguments)
    assert started.code == 0, started.err + _logs(home)
    try:
        until(lambda: evaluators == 0 or running.active_evaluators() >= evaluators, what="the evaluators")
        yield running
    finally:
        running.close()
        shutil.rmtree(home, ignore_errors=True)


def _logs(home: Path) -> str:
    return "".join(f"\n== {path.name}\n{path.read_text()[-2000:]}" for path in sorted((home / "logs").glob("*.log")))
