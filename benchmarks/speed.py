"""The rounds: every stack under every number of connections, in an order shuffled anew each time."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from benchmarks.figures import CONNECTIONS, Cell
from benchmarks.generator import Outcome, Task
from benchmarks.stacks import LOAD_CORE, UNDER_TEST_CORE, CannotBenchmark, Stack

OTHERS_SHARE_MAX = 0.03  # of the core: a cell in which another stack of the run woke up is measured again
TRIES = 4
CELL_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often and how long to measure."""

    rounds: int = 6
    seconds: float = 1.5
    seed: int = 0

    def run(self, stacks: Sequence[Stack], say: Callable[[str], None]) -> Iterator[Cell]:
        """All cells, interleaved. Raises CannotBenchmark when a stack refuses requests."""
        chance = random.Random(self.seed)
        total = 0
        for at in range(self.rounds):
            for connections in CONNECTIONS:
                these = asked(stacks, connections=connections)
                for stack in chance.sample(these, len(these)):
                    for cell in self._cells(stack, stacks, connections=connections, place=(at, total)):
                        total += cell.answered
                        yield cell
            say(f"round {at + 1} of {self.rounds} done, load average {os.getloadavg()[0]:.2f}")

    def _cells(
        self, stack: Stack, stacks: Sequence[Stack], *, connections: int, place: tuple[int, int]
    ) -> Iterator[Cell]:
        """The cell, after those that another stack disturbed (in round −1: they count for the books alone)."""
        at, total = place
        others = tuple({other.session for other in stacks} - {0, stack.session})
        for left in reversed(range(TRIES)):
            task = Task(
                stack.port,
                connections,
                self.seconds * stack.seconds_factor,
                total,
                path=stack.path,
                api_key=stack.api_key,
                session=stack.session,
                other_sessions=others,
                core=UNDER_TEST_CORE,
            )
            outcome = ask(task)
            if outcome.refused:
                raise CannotBenchmark(f"{stack.name} refused {outcome.refused} requests: {outcome.first_refusal}")
            quiet = outcome.others_cpu_us <= OTHERS_SHARE_MAX * outcome.seconds * 1e6
            yield Cell(at if quiet or not left else -1, stack.name, connections, **msgspec.structs.asdict(outcome))
            if quiet:
                return
            total += outcome.answered


def asked(stacks: Sequence[Stack], *, connections: int) -> list[Stack]:
    """Those that are measured under so many connections."""
    return [stack for stack in stacks if connections in stack.connections]


def ask(task: Task) -> Outcome:
    """Runs the load generator for one task."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.generator"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    os.sched_setaffinity(process.pid, {LOAD_CORE})
    output, _ = process.communicate(msgspec.json.encode(task), timeout=CELL_TIMEOUT_S)
    if process.returncode:
        raise CannotBenchmark("the load generator failed")
    return msgspec.json.decode(output, type=Outcome)
