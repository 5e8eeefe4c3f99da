"""CPU time of a running network by role, from the scheduler's own count over every process and its children."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.meters import cpu_ns, descendants

IDENTITY = "identity"  # what evaluators' children do: the claimed model reads an answer's tokens
SUPERVISOR = "supervisor"
ROLES = ("node", "gateway", "archive", "settler", "chain", "evaluator", IDENTITY, "encoder", "author", SUPERVISOR)
JUDGING = ("evaluator", IDENTITY, "encoder", "author")


@dataclass(frozen=True, slots=True)
class Reading:
    """What every process has had so far, in nanoseconds, with its role."""

    by_pid: Mapping[int, tuple[str, int]] = field(repr=False)

    @classmethod
    def of(cls, status: Mapping[str, Any], supervisor: int) -> "Reading":
        """`status` is the network's status.json; `supervisor` the process that wrote it."""
        found: dict[int, tuple[str, int]] = {}
        for process in status["processes"]:
            for pid in descendants(process["pid"]) if process["pid"] else []:
                is_child = pid != process["pid"]
                role = IDENTITY if is_child and process["role"] == "evaluator" else process["role"]
                found[pid] = role, cpu_ns([pid])
        for pid in set(descendants(supervisor)) - set(found):
            found[pid] = SUPERVISOR, cpu_ns([pid])
        return cls(found)

    def since(self, before: "Reading") -> dict[str, float]:
        """CPU seconds by role; a process that ended meanwhile is missing, one that began counts from its beginning."""
        total: Counter[str] = Counter()
        for pid, (role, spent_ns) in self.by_pid.items():
            total[role] += max(0, spent_ns - before.by_pid.get(pid, (role, 0))[1])
        return {role: total[role] / 1e9 for role in ROLES}
