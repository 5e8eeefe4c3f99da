"""Reads what the kernel counts: CPU time, memory and load. Linux only.

CPU time is the scheduler's own (`/proc/*/task/*/schedstat`, nanoseconds), summed over every process of a session, so
that children and threads count and time taken by others does not.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


def session_pids(session: int) -> list[int]:
    """All processes of a session: what was started with `start_new_session` and everything it started."""
    found = []
    for entry in os.listdir(PROC):  # noqa: PTH208 names are all that is needed, and this runs while others are measured
        if entry.isdigit() and _session_of(entry) == session:
            found.append(int(entry))
    return found


def descendants(pid: int) -> list[int]:
    """A process, its children, theirs, and so on."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir(PROC):  # noqa: PTH208
        if entry.isdigit():
            children.setdefault(_stat(entry)[1], []).append(int(entry))
    found = [pid]
    for parent in found:  # grows while it is read
        found += children.get(parent, [])
    return found


def _session_of(pid: str) -> int:
    return _stat(pid)[3]


def _stat(pid: str) -> tuple[int, int, int, int]:
    """0, the parent, the process group, the session; −1 for a process that has ended meanwhile."""
    try:
        words = (PROC / pid / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return (-1, -1, -1, -1)
    return (0, int(words[1]), int(words[2]), int(words[3]))


def cpu_ns(pids: Iterable[int]) -> int:
    """CPU time that the processes and all their living threads have had."""
    return sum(_threads_ns(pid) for pid in pids)


def _threads_ns(pid: int) -> int:
    total = 0
    try:
        threads = os.listdir(PROC / str(pid) / "task")  # noqa: PTH208
        for thread in threads:
            total += int((PROC / str(pid) / "task" / thread / "schedstat").read_text().split()[0])
    except OSError:
        pass
    return total


def pss_bytes(pids: Iterable[int]) -> int:
    """Proportional memory of the processes: pages that several share are divided among them."""
    total = 0
    for pid in pids:
        try:
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


@dataclass(frozen=True, slots=True)
class CoreMeter:
    """How long one core has been busy, and how much of it was stolen from this machine, since boot."""

    at_s: float
    busy_s: float
    stolen_s: float

    @classmethod
    def read(cls, core: int) -> "CoreMeter":
        line = next(line for line in (PROC / "stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
        user, nice, system, _idle, _iowait, irq, softirq, steal = (int(word) for word in line.split()[1:9])
        tick = os.sysconf("SC_CLK_TCK")
        return cls(time.monotonic(), (user + nice + system + irq + softirq) / tick, steal / tick)


def load_average() -> float:
    return os.getloadavg()[0]


def machine() -> dict[str, object]:
    """What a reader needs to know of the machine."""
    cpu = [line for line in (PROC / "cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = next(line for line in (PROC / "meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "processor": cpu[0].partition(":")[2].strip() if cpu else "unknown",
        "cores": os.cpu_count(),
        "memory_mb": int(memory.split()[1]) // 1024,
        "kernel": os.uname().release,
    }
