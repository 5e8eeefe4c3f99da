"""Says what this machine lacks to run a network, and whether its chain can be believed, each with its remedy.

Changes nothing.
"""

import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dgrid.config import ChainConfig
from dgrid.core.errors import DGridError
from dgrid.processes.chain_doctor import chain_findings
from dgrid.processes.findings import Finding
from dgrid.processes.home import HOST, Home, Ports

DISK_BYTES_MIN = 1024**3
GLIBC_MIN = (2, 35)


def diagnose(home: Path, *, port_base: int | None = None, chain: ChainConfig | None = None) -> list[Finding]:
    """All findings, in the order in which a start would need them; last those about the home's `chain`, if any."""
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        _glibc,
        _anvil,
        _engine,
        _models,
        _encoder,
        lambda: _disk(home),
        lambda: _ports(home, Ports(Home(home).port_base(port_base))),
    )
    return [*(check() for check in checks), *chain_findings(home, chain)]


def _python() -> Finding:
    ok = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Finding("python", ok, platform.python_version(), "install Python 3.11, 3.12 or 3.13")


def _glibc() -> Finding:
    name, version = platform.libc_ver()
    ok = name == "glibc" and tuple(int(part) for part in version.split(".")[:2]) >= GLIBC_MIN
    remedy = "the bundled chain needs glibc 2.35 or newer (Debian 12, Ubuntu 22.04)"
    return Finding("libc", ok, f"{name or 'unknown'} {version}", remedy)


def _anvil() -> Finding:
    from dgrid.chain.devchain import find_anvil

    try:
        binary = find_anvil()
        shown = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (DGridError, OSError, subprocess.SubprocessError) as error:
        return Finding("chain (anvil)", False, str(error), "run `make setup`, or put Foundry's anvil on PATH")
    return Finding("chain (anvil)", True, shown.splitlines()[0])


def _engine() -> Finding:
    """Imports the engine in a process of its own: a missing instruction set kills, it does not raise."""
    done = subprocess.run(
        [sys.executable, "-c", "import xllamacpp"], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode == 0:
        return Finding("engine (llama.cpp)", True, "loads")
    if done.returncode < 0:
        remedy = "the processor lacks AVX2; point nodes at another engine with --engine-url"
        return Finding("engine (llama.cpp)", False, f"killed by signal {-done.returncode}", remedy)
    last = (done.stderr.strip().splitlines() or ["it does not load"])[-1]
    remedy = "apt-get install libgomp1" if "libgomp" in done.stderr else "run `make setup`"
    return Finding("engine (llama.cpp)", False, last, remedy)


def _models() -> Finding:
    from dgrid.engines.catalog import Catalog

    try:
        models = Catalog.built_in().models
        for model in models:
            model.check()
    except (DGridError, OSError) as error:
        return Finding("models", False, str(error), "restore the models folder from the repository")
    return Finding("models", True, ", ".join(model.id for model in models))


def _encoder() -> Finding:
    """A network runs without it, and judges less well: that is said, and is no fault."""
    from dgrid.engines.encoder_server import encoder_file

    try:
        found = encoder_file()
    except DGridError:
        return Finding("encoder", True, "none, so answers are judged by rules alone: `make setup` makes it")
    return Finding("encoder", True, f"{found.name}, {found.stat().st_size / 1024**2:.0f} MiB")


def _disk(home: Path) -> Finding:
    folder = home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    ok = free >= DISK_BYTES_MIN and os.access(folder, os.W_OK)
    return Finding("disk", ok, f"{free / 1024**3:.1f} GiB free at {home}", "free some space, or choose another --home")


def _ports(home: Path, ports: Ports) -> Finding:
    if Home(home).holder() is not None:
        return Finding("ports", True, "the network of this home has them")
    wanted = ports.of_network(gateways=2, nodes=5, evaluators=5)
    taken = [port for port in wanted if not port_is_free(port)]
    shown = f"taken: {', '.join(map(str, taken))}" if taken else f"{min(wanted)}–{max(wanted)} are free"
    return Finding("ports", not taken, shown, "stop what uses them, or move all with --port-base")


def port_is_free(port: int) -> bool:
    """Whether nothing listens on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
