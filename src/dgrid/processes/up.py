"""`dgrid up`, `down` and `wait`: a whole network on this machine with one command.

The chain first, then every role in a process of its own. State survives: the next `up` in the same home resumes the
same chain, keys, ledgers and blobs. Only loopback is listened on.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import uvloop

from dgrid.core.errors import NetworkUnreachable, UsageError
from dgrid.processes.doctor import port_is_free
from dgrid.processes.home import HOST, PORT_BASES, Home, Ports
from dgrid.processes.network import READY_TIMEOUT_S, Network, Say, UpOptions
from dgrid.wire.server import PortTaken

STOP_TIMEOUT_S = 12.0

__all__ = ["UpOptions", "run_up", "take_down", "wait_ready"]


def run_up(options: UpOptions, *, say: Say = print) -> int:
    """Runs the network until it is told to stop, or starts it in the background. Returns an exit code."""
    _check_options(options)
    home = Home(options.home.resolve())
    home.make()
    if options.detach:
        with home.lock():  # what is wrong is said here, by its own name; the one that stays takes the lock next
            _check_ports(options, home)
        return _detach(options, home, say)
    with home.lock():
        _check_ports(options, home)
        home.keep_port_base(home.port_base(options.port_base))
        return uvloop.run(Network(options, home, say).run())


def _check_options(options: UpOptions) -> None:
    if options.gateways < 1 or options.nodes < 1 or options.gateways > 9 or options.nodes > 20:
        raise UsageError("a network has 1 to 9 gateways and 1 to 20 nodes")
    if not 0 <= options.evaluators <= 10:
        raise UsageError("a network has at most 10 evaluators")
    if not 5 <= options.epoch_seconds <= 24 * 3600:
        raise UsageError("an epoch lasts 5 seconds to a day")
    if options.port_base is not None and options.port_base not in PORT_BASES:
        raise UsageError("the port base lies between 1024 and 65000")


def _check_ports(options: UpOptions, home: Home) -> None:
    sizes = {"gateways": options.gateways, "nodes": options.nodes, "evaluators": options.evaluators}
    wanted = Ports(home.port_base(options.port_base)).of_network(**sizes)
    if taken := [port for port in wanted if not port_is_free(port)]:
        raise PortTaken(
            f"port {', '.join(map(str, taken))} on {HOST} is in use",
            hint="stop what listens there, or move all ports with --port-base",
        )


def _detach(options: UpOptions, home: Home, say: Say) -> int:
    """Starts the same command in the background, passes on what it says, and returns once it serves."""
    arguments = ["--gateways", options.gateways, "--nodes", options.nodes, "--epoch-seconds", options.epoch_seconds]
    arguments += ["--evaluators", options.evaluators, "--port-base", home.port_base(options.port_base)]
    arguments += [] if options.restart else ["--no-restart"]
    home.status_file.unlink(missing_ok=True)
    log_file = home.log_file("up")
    with log_file.open("ab") as log:
        start = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "dgrid", "--home", str(home.path), "up", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    with log_file.open(errors="replace") as said:
        said.seek(start)
        while time.monotonic() < deadline_s and process.poll() is None:
            line = said.readline()
            if line.startswith("ready "):
                say(line.rstrip())
                return 0
            if line:
                say(line.rstrip())
            else:
                time.sleep(0.05)
        last = (log_file.read_bytes()[start:].decode(errors="replace").strip().splitlines() or ["it ended"])[-3:]
    raise NetworkUnreachable("the network did not start: " + " | ".join(last), hint=f"see {log_file}")


def take_down(path: Path, *, say: Say = print) -> int:
    """Stops the network of a home and waits until it is down. Raises NetworkUnreachable when none runs."""
    home = Home(path)
    pid = home.holder()
    if pid is None:
        home.status_file.unlink(missing_ok=True)
        raise NetworkUnreachable(f"no network runs in {path}", hint="`dgrid up` starts one")
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline_s = time.monotonic() + STOP_TIMEOUT_S
    while is_alive(pid):
        if time.monotonic() > deadline_s:
            raise NetworkUnreachable(f"the network (process {pid}) did not stop within {STOP_TIMEOUT_S:.0f} s")
        time.sleep(0.05)
    home.status_file.unlink(missing_ok=True)
    say("stopped")
    return 0


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False


def wait_ready(path: Path, *, timeout_s: float) -> int:
    """Returns once the home's network serves. Raises NetworkUnreachable at the time limit."""
    home = Home(path)
    deadline_s = time.monotonic() + timeout_s
    while home.holder() is None or not home.status_file.exists():
        if time.monotonic() > deadline_s:
            raise NetworkUnreachable(
                f"no network serves in {path} after {timeout_s:.0f} s", hint="`dgrid up` starts one"
            )
        time.sleep(0.05)
    return 0
