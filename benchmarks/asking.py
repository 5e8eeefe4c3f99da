"""Asks a running network as clients do: questions of the canaries' generator, whole and streamed, from one seed.

Receipts are not checked here, so that the load costs little beside what is measured: what was billed is read from the
chain and the archives afterwards.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.canaries import BESIDE_BUILT_IN
from benchmarks.stacks import CannotBenchmark
from dgrid.author.chance import Chance
from dgrid.author.generator import KnownTask, known_task
from dgrid.client import ApiKey
from dgrid.client.asynchronous import AsyncClient
from dgrid.client.flow import Order
from dgrid.core.errors import NodeMisbehaved
from dgrid.processes.author_asking import write_body

WARM_PART = 2  # of a crowd's time, the first half is not counted
BLANK_PART = 100  # a model says nothing at all to one question in some thousands; more than one of these is a fault


@dataclass(frozen=True, slots=True)
class Crowd:
    """What a closed loop came to in its counted half."""

    askers: int
    answered: int
    seconds: float
    p50_ms: float

    @property
    def requests_per_second(self) -> float:
        return self.answered / self.seconds


class Questions:
    """An endless, seeded row of chat requests."""

    def __init__(self, seed: int) -> None:
        self._chance = Chance(random.Random(seed))

    def next(self) -> KnownTask:
        return known_task(self._chance, answering=BESIDE_BUILT_IN, write=write_body)


async def ask_paced(urls: Sequence[str], api_key: str, *, seconds: float, rate: float, seed: int) -> int:
    """So many requests a second, by turns at each gateway; how many were answered. Raises DGridError for a refusal."""
    questions, begun_s, asked = Questions(seed), time.monotonic(), 0
    async with _clients(urls, api_key) as clients, asyncio.TaskGroup() as group:
        while (due_s := begun_s + asked / rate) < begun_s + seconds:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            group.create_task(_answered(clients[asked % len(clients)], questions.next()))
            asked += 1
    return asked


async def ask_in_a_loop(urls: Sequence[str], api_key: str, *, seconds: float, askers: int, seed: int) -> Crowd:
    """Each asker asks again as soon as it is answered. Raises DGridError for a refusal, CannotBenchmark for silence."""
    questions, begun_s = Questions(seed), time.monotonic()
    latencies: list[float] = []
    blanks = 0

    async def one(client: AsyncClient) -> None:
        nonlocal blanks
        while (asked_s := time.monotonic()) < begun_s + seconds:
            try:
                await _answered(client, questions.next())
            except NodeMisbehaved:  # nobody had an answer that a gateway may bill
                blanks += 1
                continue
            if asked_s >= begun_s + seconds / WARM_PART:
                latencies.append(time.monotonic() - asked_s)

    async with _clients(urls, api_key) as clients, asyncio.TaskGroup() as group:
        for at in range(askers):
            group.create_task(one(clients[at % len(clients)]))
    if blanks * BLANK_PART >= len(latencies):
        raise CannotBenchmark(f"{blanks} questions had no answer, {len(latencies)} had one in the counted time")
    counted_s = time.monotonic() - begun_s - seconds / WARM_PART
    return Crowd(askers, len(latencies), counted_s, median(latencies) * 1e3)


async def _answered(client: AsyncClient, task: KnownTask) -> None:
    async for _ in client.relay(Order(task.body, task.model, task.streamed)):
        pass


@contextlib.asynccontextmanager
async def _clients(urls: Sequence[str], api_key: str) -> AsyncIterator[list[AsyncClient]]:
    clients = [AsyncClient([url], ApiKey(api_key), verify=False) for url in urls]
    try:
        yield clients
    finally:
        for client in clients:
            await client.close()
