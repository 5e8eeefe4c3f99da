"""A closed-loop load generator: so many keep-alive connections, each asks again as soon as it is answered.

`python -m benchmarks.generator` reads one JSON object from standard input (see `Task`) and writes one (see `Outcome`).
It meters the stack under test itself, at the first and the last moment of the counted window, so that requests and
CPU time belong to the same window. Nothing is cut off: answers to what was asked before the window's end are awaited.
"""

import asyncio
import sys
import time
from array import array
from typing import cast

import msgspec
import uvloop

from benchmarks.exchange import dispatch_body, request_body
from benchmarks.meters import CoreMeter, cpu_ns, load_average, session_pids
from benchmarks.mock import body_length

DRAIN_S = 30.0
BODIES = {"/v1/chat/completions": request_body, "/v1/dispatch": dispatch_body}  # what is asked where


class Task(msgspec.Struct, frozen=True):
    """What to ask, how, and whom to meter."""

    port: int
    connections: int
    seconds: float
    first_number: int
    path: str = "/v1/chat/completions"
    api_key: str = "sk-none"
    warm_s: float = 0.3
    session: int = 0  # whose CPU time is metered; 0: nobody's
    other_sessions: tuple[int, ...] = ()  # stacks that should sleep meanwhile
    core: int = 1


class Outcome(msgspec.Struct, frozen=True):
    """What was counted in the window. Times in seconds or microseconds, as named."""

    requests: int
    seconds: float
    cpu_us: float  # of the metered session
    core_busy_s: float  # of the whole core
    stolen_s: float
    others_cpu_us: float
    p50_us: float
    p99_us: float
    answered: int  # with the warm-up and the last answers
    refused: int
    first_refusal: str
    load: float


class Caller(asyncio.Protocol):
    """One connection of the loop."""

    transport: asyncio.Transport

    def __init__(self, crowd: "Crowd") -> None:
        self._crowd = crowd
        self._head = crowd.head
        self._buffer = b""
        self._missing = 0  # bytes until the answer is whole; 0: its head has not come
        self._asked_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self) -> None:
        crowd = self._crowd
        crowd.number += 1
        self._asked_s = time.perf_counter()
        self.transport.write(self._head + crowd.body(crowd.number))

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0 or not self._is_whole(data, head_end):
            self._buffer = data
            return
        self._buffer = b""
        self._crowd.on_answer(self, time.perf_counter() - self._asked_s, data)

    @staticmethod
    def _is_whole(data: bytes, head_end: int) -> bool:
        length = body_length(data, head_end)
        return len(data) >= head_end + 4 + length if length else data.endswith(b"0\r\n\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.on_lost(self)


class Crowd:
    """All callers of one task, and what they counted."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.body = BODIES[task.path]
        self.number = task.first_number
        self.head = (
            f"POST {task.path} HTTP/1.1\r\nhost: 127.0.0.1:{task.port}\r\nauthorization: Bearer {task.api_key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(self.body(0))}\r\n\r\n"
        ).encode()
        self.answered = self.refused = 0
        self.first_refusal = ""
        self.latencies = array("d")
        self._callers: set[Caller] = set()
        self._answered_once: set[Caller] = set()
        self._asking = True
        self._waiting = 0
        self._warm = asyncio.Event()  # every caller was answered once, or one was refused
        self._drained = asyncio.Event()

    async def run(self) -> Outcome:
        """Warm up until every caller was answered once, count for the task's seconds, await what is under way."""
        loop = asyncio.get_running_loop()
        for _ in range(self.task.connections):
            _, caller = await loop.create_connection(lambda: Caller(self), "127.0.0.1", self.task.port)
            self._callers.add(caller)
        self._waiting = len(self._callers)
        for caller in list(self._callers):
            caller.ask()
        await asyncio.sleep(self.task.warm_s)
        await self._warm.wait()
        return await self._count()

    async def _count(self) -> Outcome:
        task = self.task
        pids = session_pids(task.session) if task.session else []
        others = [pid for session in task.other_sessions for pid in session_pids(session)]
        first, core = len(self.latencies), CoreMeter.read(task.core)
        begun_s, others_ns, own_ns = time.perf_counter(), cpu_ns(others), cpu_ns(pids)
        await asyncio.sleep(task.seconds)
        own_us = (cpu_ns(pids) - own_ns) / 1e3
        requests, seconds = len(self.latencies) - first, time.perf_counter() - begun_s
        others_us, core_end = (cpu_ns(others) - others_ns) / 1e3, CoreMeter.read(task.core)
        load = load_average()
        counted = sorted(self.latencies[first : first + requests])
        await self._drain()
        return Outcome(
            requests,
            seconds,
            own_us,
            core_end.busy_s - core.busy_s,
            core_end.stolen_s - core.stolen_s,
            others_us,
            _percentile_us(counted, 50),
            _percentile_us(counted, 99),
            self.answered,
            self.refused,
            self.first_refusal,
            load,
        )

    async def _drain(self) -> None:
        self._asking = False
        if self._waiting:
            async with asyncio.timeout(DRAIN_S):
                await self._drained.wait()
        for caller in self._callers:
            caller.transport.abort()

    def on_answer(self, caller: Caller, seconds: float, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 200"):
            self.answered += 1
            self.latencies.append(seconds)
        else:
            self._refuse(data[:400].decode("latin-1"))
        if not self._warm.is_set():
            self._answered_once.add(caller)
            if len(self._answered_once) == self.task.connections:
                self._warm.set()
        if self._asking:
            caller.ask()
        else:
            self._done()

    def on_lost(self, caller: Caller) -> None:
        if self._drained.is_set() or caller not in self._callers:
            return
        self._callers.discard(caller)
        self._refuse("the connection was closed")
        self._done()

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        self.first_refusal = self.first_refusal or reason
        self._warm.set()

    def _done(self) -> None:
        self._waiting -= 1
        if self._waiting <= 0:
            self._drained.set()


def _percentile_us(ordered: list[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1e6 if ordered else 0.0


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)

    async def _run() -> Outcome:
        return await Crowd(given).run()

    print(msgspec.json.encode(uvloop.run(_run())).decode())
