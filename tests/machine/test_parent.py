"""Processes that end with who started them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")

CHILD = "import os, signal, sys, time; from dgrid.machine.parent import end_with_parent; "
PARENT = "import subprocess as s, sys, time; print(s.Popen([sys.executable, '-c', sys.argv[1]]).pid); time.sleep(60)"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
PATIENCE_S = 20.0


@pytest.mark.parametrize(
    "work", ["end_with_parent(os.getppid())", STUBBORN + "end_with_parent(by=signal.SIGKILL)"], ids=["asked", "forced"]
)
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path, work: str) -> None:
    ready = tmp_path / "ready"
    work = CHILD + f"{work}; open({str(ready)!r}, 'w').close(); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-u", "-c", PARENT, work], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until(ready.exists)
        parent.kill()
    until(lambda: not is_alive(child))


def test_a_child_that_comes_after_its_parents_death_ends_at_once() -> None:
    work = CHILD + f"end_with_parent({os.getppid()}); sys.exit(7)"  # as if another had started it
    assert subprocess.run([sys.executable, "-c", work], check=False, timeout=PATIENCE_S).returncode == 0


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s, "it still lives"
        time.sleep(0.05)
