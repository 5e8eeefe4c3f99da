"""`make bench`: measures, checks the books, prints a table, writes benchmarks/results/."""

import argparse
import asyncio
import contextlib
import datetime
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from benchmarks.books import check_books
from benchmarks.exchange import REPLY_BYTES, REQUEST_BYTES
from benchmarks.figures import GATEWAYS, Cell
from benchmarks.generator import Task
from benchmarks.meters import load_average, machine, pss_bytes, session_pids
from benchmarks.page import Run, page, table, targets_table
from benchmarks.quality import measure_quality
from benchmarks.speed import Rounds, ask
from benchmarks.stacks import (
    LOAD_CORE,
    CannotBenchmark,
    Stack,
    relay_to,
    start_litellm,
    start_mock,
    start_nginx,
)
from benchmarks.whole import measure_whole
from dgrid.core.errors import DGridError

RESULTS = Path(__file__).resolve().parent / "results"
QUIET_LOAD = 0.7


def main() -> int:
    """Returns 0 for a valid run, whatever it found; 1 when the books are wrong or something is missing."""
    options = _options()
    say = _say
    try:
        _check_machine(say)
        run = _describe(options)
        if options.part in ("all", "speed"):
            run = asyncio.run(measure_speed(options, run))
        if options.part in ("all", "whole"):
            run = replace(run, whole=measure_whole(say, tries=options.starts))
        if options.part in ("all", "quality"):
            run = replace(run, verification=measure_quality(say, rounds=options.judged_rounds, seed=options.seed))
    except (CannotBenchmark, DGridError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    _write(run, options)
    return 0 if run.books is None or run.books.hold else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--part", choices=("all", "speed", "whole", "quality"), default="all")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each cell; slow stacks get three times as many")
    parser.add_argument("--starts", type=int, default=5, help="cold and resumed starts")
    parser.add_argument("--judged-rounds", type=int, default=2, help="of networks with and without judges")
    parser.add_argument("--stacks", nargs="+", choices=GATEWAYS, default=GATEWAYS)
    parser.add_argument("--note", default="", help="what else ran, for the page")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the cells")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


def _say(line: str) -> None:
    print(f"bench: {line}", flush=True)


def _check_machine(say: Callable[[str], None]) -> None:
    if sys.platform != "linux" or (os.cpu_count() or 1) < 2:
        raise CannotBenchmark("the comparison needs Linux with two cores or more")
    if load_average() > QUIET_LOAD:
        say(f"the load average is {load_average():.2f}: figures are better on an idle machine")


def _describe(options: argparse.Namespace) -> Run:
    conditions: dict[str, object] = {"load average before": round(load_average(), 2)}
    if options.part in ("all", "speed"):
        conditions |= {"rounds": options.rounds, "seconds a cell": options.seconds}
        conditions |= {"request bytes": REQUEST_BYTES, "reply bytes": REPLY_BYTES}
    if options.note:
        conditions["besides"] = options.note
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    return Run(date, machine(), {"Python": platform.python_version()}, conditions)


async def measure_speed(options: argparse.Namespace, run: Run) -> Run:
    """The rounds, with the books checked afterwards."""
    os.sched_setaffinity(0, {LOAD_CORE})
    with tempfile.TemporaryDirectory(prefix="dgrid-bench-") as folder:
        try:
            return await _measure_stacks(options, run, Path(folder))
        finally:
            os.sched_setaffinity(0, range(os.cpu_count() or 1))


async def _measure_stacks(options: argparse.Namespace, run: Run, folder: Path) -> Run:
    async with contextlib.AsyncExitStack() as exits:
        gateway = None
        if "dgrid" in options.stacks:
            from benchmarks.network import gateway_under_test

            _say("starting dgrid")
            gateway = await exits.enter_async_context(gateway_under_test(folder))
        stacks = _started(exits, folder, options.stacks, node=gateway.node if gateway is not None else None)
        if gateway is not None:
            stacks.append(gateway.stack)
        asked = [_first_answer(stack) for stack in stacks]
        pss = {stack.name: pss_bytes(session_pids(stack.session)) for stack in stacks if stack.session}
        cells = await asyncio.to_thread(_all_cells, options, stacks)
        books = None
        if gateway is not None:
            gateway.stop()
            _say("checking every receipt")
            answered = sum(cell.answered for cell in cells if cell.stack == "dgrid") + asked[-1] + 1
            books = await asyncio.to_thread(check_books, gateway.folder, gateway.domain, answered=answered)
    versions = {**run.versions, **{stack.name: stack.version for stack in stacks if stack.version}}
    return replace(run, cells=cells, books=books, pss_start_bytes=pss, versions=versions)


def _started(
    exits: contextlib.AsyncExitStack, folder: Path, names: Sequence[str], *, node: Stack | None
) -> list[Stack]:
    """The mock, the peers before it, and where there is a node, that and nginx before that."""
    stacks = [start_mock(folder)]
    exits.callback(stacks[0].stop)
    if "nginx" in names:
        _say("starting nginx")
        stacks.append(start_nginx(folder, upstream=stacks[0].port, node=(node or stacks[0]).port))
        exits.callback(stacks[-1].stop)
        if node is not None:
            stacks += [node, relay_to(node, stacks[-1])]
    if "litellm" in names:
        _say("starting litellm")
        stacks.append(start_litellm(folder, upstream=stacks[0].port))
        exits.callback(stacks[-1].stop)
    return stacks


def _first_answer(stack: Stack) -> int:
    """Asks once, so that what a stack loads at its first request is in its memory; how many answers that were."""
    outcome = ask(Task(stack.port, 1, 0.0, 0, path=stack.path, api_key=stack.api_key, warm_s=0.0))
    if outcome.refused:
        raise CannotBenchmark(f"{stack.name} does not serve: {outcome.first_refusal}")
    return outcome.answered


def _all_cells(options: argparse.Namespace, stacks: Sequence[Stack]) -> list[Cell]:
    return list(_cells(options, stacks))


def _cells(options: argparse.Namespace, stacks: Sequence[Stack]) -> Iterator[Cell]:
    yield from Rounds(options.rounds, options.seconds, options.seed).run(stacks, _say)


def _write(run: Run, options: argparse.Namespace) -> None:
    options.results.mkdir(parents=True, exist_ok=True)
    name = run.date if options.part == "all" else f"{run.date}-{options.part}"
    (options.results / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(run.to_json())) + b"\n")
    (options.results / f"{name}.md").write_text(page(run))
    if run.cells:
        print("\n" + table(run))
    print("\n" + targets_table(run))
    if run.books is not None and not run.books.hold:
        _say(f"VOID: {len(run.books.faults)} faults in the books; first: {run.books.faults[0]}")
    _say(f"written to {options.results / name}.md and .json")


if __name__ == "__main__":
    sys.exit(main())
