"""The whole network as `make up` starts it: how soon it answers, cold and resumed, and what it keeps in memory."""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.figures import Target
from benchmarks.meters import descendants, pss_bytes
from benchmarks.stacks import HOST, CannotBenchmark, end, free_ports, last_lines

TRIES = 5
IDLE_S = 30.0
ANSWER_TIMEOUT_S = 90.0
IDLE_MB_MAX = 1500.0
COLD_S_MAX = 15.0
RESUME_S_MAX = 10.0
QUESTION = {
    "model": "auto",
    "max_tokens": 16,
    "messages": [{"role": "user", "content": "Tim plays the cello. What does Tim play?"}],
}


@dataclass(frozen=True, slots=True)
class Whole:
    """Seconds from the command to the first answer, and the memory of every process after a while of idling."""

    cold_s: list[float] = field(default_factory=list)
    resume_s: list[float] = field(default_factory=list)
    pss_mb: dict[str, float] = field(default_factory=dict)

    def targets(self) -> list[Target]:
        return [
            Target("idle memory of the whole network (PSS)", IDLE_MB_MAX, round(self.sum_mb), "MB"),
            Target("first answer after a cold `dgrid up`", COLD_S_MAX, round(median(self.cold_s), 2), "s"),
            Target("first answer after a resumed `dgrid up`", RESUME_S_MAX, round(median(self.resume_s), 2), "s"),
        ]

    @property
    def sum_mb(self) -> float:
        return sum(self.pss_mb.values())

    def lines(self) -> Iterator[str]:
        """For the page."""
        yield f"- First answer after `dgrid up` in an empty home: {_seconds(self.cold_s)}"
        yield f"- First answer after `dgrid up` in a home that was stopped: {_seconds(self.resume_s)}"
        each = ", ".join(f"{name} {size:.0f}" for name, size in self.pss_mb.items())
        yield f"- Memory after {IDLE_S:.0f} s of idling, sum of PSS: **{self.sum_mb:.0f} MB** ({each})"


def _seconds(values: list[float]) -> str:
    return f"**{median(values):.2f} s**, median of {len(values)} ({', '.join(f'{value:.2f}' for value in values)})"


def measure_whole(say: Callable[[str], None], *, tries: int = TRIES, idle_s: float = IDLE_S) -> Whole:
    """Starts, stops and resumes networks in fresh homes. Raises CannotBenchmark."""
    whole = Whole()
    for at in range(tries):
        with tempfile.TemporaryDirectory(prefix="dgrid-bench-") as folder:
            home = Path(folder) / "home"
            with running(home) as (_, seconds):
                whole.cold_s.append(round(seconds, 3))
            with running(home) as (process, seconds):
                whole.resume_s.append(round(seconds, 3))
                if at == tries - 1:
                    time.sleep(idle_s)
                    whole.pss_mb.update(memory_by_process(process.pid, home))
        say(f"start {at + 1} of {tries}: cold {whole.cold_s[-1]:.2f} s, resumed {whole.resume_s[-1]:.2f} s")
    return whole


@contextlib.contextmanager
def running(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A network from `dgrid up`; gives its process and the seconds from the command to the first answer."""
    home.parent.mkdir(parents=True, exist_ok=True)
    log, base = home.parent / "up.log", free_ports()
    command = [Path(sys.executable).parent / "dgrid", "--home", home, "up", "--port-base", str(base)]
    started_s = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _await_answer(home, f"http://{HOST}:{base}", process, log=log)
        yield process, time.monotonic() - started_s
    finally:
        process.send_signal(signal.SIGINT)
        end(process, seconds=20.0)


def _await_answer(home: Path, url: str, process: subprocess.Popen[bytes], *, log: Path) -> None:
    deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            if answer(url, (home / "api_key").read_text().strip()):
                return
        time.sleep(0.02)
    raise CannotBenchmark("the network did not answer: " + " | ".join(last_lines(log)))


def answer(url: str, api_key: str) -> str:
    """One chat. Raises OSError when it is refused (urllib's errors are OSErrors)."""
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        json.dumps(QUESTION).encode(),
        {"authorization": f"Bearer {api_key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        said: str = json.load(reply)["choices"][0]["message"]["content"]
        return said


def memory_by_process(supervisor: int, home: Path) -> dict[str, float]:
    """PSS in MB of every process of a network with its children; the supervisor's is called `up`."""
    status = json.loads((home / "status.json").read_text())
    named = {item["name"]: set(descendants(item["pid"])) for item in status["processes"] if item["pid"]}
    rest = set(descendants(supervisor)).difference(*named.values())
    return {name: round(pss_bytes(pids) / 1e6, 1) for name, pids in {**named, "up": rest}.items()}
