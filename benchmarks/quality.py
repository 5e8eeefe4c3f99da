"""The price of judging: the same network with and without judges, by turns, asked the same questions.

Each trial begins in an empty home: idle for an epoch, asked at a fixed pace until everything was settled and judged,
then asked as fast as it answers. All of it shares this machine's cores, the asking included.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.accounts import is_settled, latest_block, read_accounts
from benchmarks.asking import ask_in_a_loop, ask_paced
from benchmarks.identity import measure_identity
from benchmarks.meters import load_average
from benchmarks.roles import Reading
from benchmarks.stacks import CannotBenchmark, free_ports, last_lines
from benchmarks.verification import Settings, Trial, Verification, Window
from dgrid.chain.parameters import Parameters
from dgrid.core.errors import DGridError
from dgrid.core.money import BPS
from dgrid.processes.home import Home

EVALUATORS = 5
WARM_S = 12.0  # evaluators and the author enrol and open their channels
IDLE_S = 20.0
PACED_S = 40.0
RATE = 1.5
QUIET_S = 45.0  # after the last request: canaries follow traffic by up to two epochs
SETTLED_TIMEOUT_S = 240.0
CROWD_S = 60.0  # the second half is counted: by then the first epoch's answers are being judged
ASKERS = 8
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Running:
    """A network from `dgrid up`."""

    home: Home
    urls: tuple[str, ...]

    def read(self) -> Reading:
        supervisor = self.home.holder()
        if supervisor is None:
            raise CannotBenchmark("the network ended while it was measured")
        return Reading.of(self.home.status(), supervisor)


def measure_quality(say: Say, *, rounds: int, seed: int = 1) -> Verification:
    """All trials, the order of the two networks turned in every other round. Raises CannotBenchmark, DGridError."""
    rules = Parameters()
    shares = rules.quality_bps / BPS, rules.identity_bps / BPS, rules.canary_bps / BPS
    found = Verification(Settings(*shares, committee=rules.committee_size), RATE)
    trials: list[Trial] = []
    for at in range(rounds):
        for is_judged in (at % 2 == 0, at % 2 == 1):
            trials.append(_trial(at, is_judged=is_judged, seed=seed + at))
            say(_progress(trials[-1]))
    return replace(found, trials=trials, checks=asyncio.run(measure_identity(say)))


def _progress(trial: Trial) -> str:
    kind = "with judges" if trial.is_judged else "without"
    speed = trial.crowd.requests_per_second
    return f"round {trial.round + 1}, {kind}: {trial.total_ms:.0f} ms of CPU a request, {speed:.1f} requests/s at most"


def _trial(at: int, *, is_judged: bool, seed: int) -> Trial:
    evaluators = EVALUATORS if is_judged else 0
    with (
        tempfile.TemporaryDirectory(prefix="dgrid-bench-") as folder,
        _network(Home(Path(folder) / "home"), evaluators=evaluators) as network,
    ):
        return asyncio.run(_measure(network, at, is_judged=is_judged, seed=seed))


async def _measure(network: Running, at: int, *, is_judged: bool, seed: int) -> Trial:
    home, key = network.home, network.home.api_key()
    await asyncio.sleep(WARM_S)
    first_block = await latest_block(home)
    idle = _Meter(network)
    await asyncio.sleep(IDLE_S)
    idle_window = idle.stop()
    paced = _Meter(network)
    requests = await ask_paced(network.urls, key, seconds=PACED_S, rate=RATE, seed=seed)
    await _until_settled(home, is_judged=is_judged)
    paced_window = paced.stop()
    accounts = await read_accounts(home, first_block=first_block)
    crowd = await ask_in_a_loop(network.urls, key, seconds=CROWD_S, askers=ASKERS, seed=seed)
    return Trial(at, is_judged, requests, idle_window, paced_window, crowd, accounts, load_average())


class _Meter:
    """CPU by role from now on."""

    def __init__(self, network: Running) -> None:
        self._network = network
        self._begun_s, self._begun = time.monotonic(), network.read()

    def stop(self) -> Window:
        return Window(time.monotonic() - self._begun_s, self._network.read().since(self._begun))


async def _until_settled(home: Home, *, is_judged: bool) -> None:
    """Until canaries have followed and every root was judged; without judges, until the roots must be there."""
    await asyncio.sleep(QUIET_S)
    deadline_s = time.monotonic() + SETTLED_TIMEOUT_S
    while is_judged and not await _is_settled(home):
        if time.monotonic() > deadline_s:
            raise CannotBenchmark(f"not everything was judged within {SETTLED_TIMEOUT_S:.0f} s")
        await asyncio.sleep(5.0)


async def _is_settled(home: Home) -> bool:
    try:
        return await is_settled(home)
    except DGridError:  # an archive is slower than the chain
        return False


@contextlib.contextmanager
def _network(home: Home, *, evaluators: int) -> Iterator[Running]:
    """A network in an empty home, stopped at the end. Raises CannotBenchmark."""
    home.path.parent.mkdir(parents=True, exist_ok=True)
    base = free_ports(60)
    _dgrid(home, "up", "--detach", "--evaluators", str(evaluators), "--port-base", str(base))
    try:
        status = home.status()
        yield Running(home, tuple(url.removesuffix("/v1") for url in status["gateway_urls"]))
    finally:
        _dgrid(home, "down")


def _dgrid(home: Home, *words: str) -> None:
    log = home.path.parent / "dgrid.log"
    command = [str(Path(sys.executable).parent / "dgrid"), "--home", str(home.path), *words]
    with log.open("ab") as output:
        code = subprocess.run(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, check=False).returncode
    if code:
        raise CannotBenchmark(f"dgrid {words[0]} failed: " + " | ".join(last_lines(log)))
