"""What is put under test: each stack is a server that relays one chat request to an upstream.

A stack runs alone on its core, in a session of its own, so that all its processes are found and metered. Everything it
writes goes to a temporary folder. Nothing here needs root.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.exchange import MODEL
from benchmarks.figures import CONNECTIONS

HOST = "127.0.0.1"
UNDER_TEST_CORE = 1
LOAD_CORE = 0
START_TIMEOUT_S = 90.0
BENCH_ENVIRONMENT = Path(".venv-bench")
LITELLM_KEY = "sk-bench-b0f7c1d2e3a4958677665544"


class CannotBenchmark(Exception):
    """This machine lacks something that the comparison needs."""


@dataclass(slots=True)
class Stack:
    """A stack that runs: where it listens, with which key, in which session, and how many ask it at once."""

    name: str
    port: int
    session: int = 0  # 0: there is no gateway in between
    api_key: str = "sk-none"
    seconds_factor: float = 1.0  # a slow stack is measured longer
    version: str = ""
    pss_start_bytes: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)
    path: str = "/v1/chat/completions"
    connections: tuple[int, ...] = CONNECTIONS

    def stop(self) -> None:
        """Asks every process to end, and waits."""
        for process in self.processes:
            end(process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def free_ports(count: int = 40) -> int:
    """The first of so many neighbouring ports that nobody listens on: a network's port base."""
    for base in range(20_000, 30_000, count):
        if all(is_free(port) for port in range(base, base + count)):
            return base
    raise CannotBenchmark(f"no {count} neighbouring ports are free")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def spawn(
    command: Sequence[str | Path], *, core: int, log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a program on one core, in a session of its own; what it says goes to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
    os.sched_setaffinity(process.pid, {core})
    return process


def end(process: subprocess.Popen[bytes], *, seconds: float = 10.0) -> None:
    """SIGTERM, then SIGKILL to the whole session's leader and group."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def await_port(port: int, process: subprocess.Popen[bytes], *, log: Path) -> None:
    """Returns once the port accepts. Raises CannotBenchmark when the process ends first, or never listens."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.05)
    raise CannotBenchmark(f"{log.stem} did not start: " + " | ".join(last_lines(log)))


def last_lines(log: Path, count: int = 3) -> list[str]:
    return log.read_text(errors="replace").strip().splitlines()[-count:]


def start_mock(folder: Path) -> Stack:
    """The upstream of all stacks but DGrid's, beside the load generator."""
    port, log = free_port(), folder / "mock.log"
    process = spawn([sys.executable, "-m", "benchmarks.mock", str(port)], core=LOAD_CORE, log=log)
    await_port(port, process, log=log)
    return Stack("direct", port, processes=[process])


def start_nginx(folder: Path, *, upstream: int, node: int) -> Stack:
    """nginx as a plain reverse proxy with kept connections, one worker. Raises CannotBenchmark when it is missing.

    It relays dispatches to `node`, everything else to `upstream`.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise CannotBenchmark("nginx is missing; Debian, Ubuntu: sudo apt-get install nginx-light")
    port, log = free_port(), folder / "nginx.log"
    config = folder / "nginx.conf"
    ports = {"port": port, "upstream": upstream, "node": node}
    config.write_text(NGINX_CONFIG.format(user=_nginx_user(), folder=folder, host=HOST, **ports))
    process = spawn(
        [program, "-p", folder, "-c", config, "-e", folder / "nginx-error.log"], core=UNDER_TEST_CORE, log=log
    )
    await_port(port, process, log=log)
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    return Stack("nginx", port, process.pid, version=said.strip().rpartition("/")[2], processes=[process])


def relay_to(node: Stack, nginx: Stack) -> Stack:
    """The same nginx, asked for what lies at the node."""
    return Stack("relay", nginx.port, nginx.session, path=node.path, connections=node.connections)


def _nginx_user() -> str:
    """Started by root, nginx would give its worker to `nobody`, who cannot read the folder."""
    return "user root;" if os.geteuid() == 0 else ""


NGINX_CONFIG = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_body_buffer_size 16k;
  keepalive_requests 100000000;
  upstream mock {{ server {host}:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  upstream node {{ server {host}:{node}; keepalive 256; keepalive_requests 100000000; }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server {{
    listen {host}:{port} backlog=512;
    location / {{ proxy_pass http://mock; }}
    location = /v1/dispatch {{ proxy_pass http://node; }}
  }}
}}
"""


def start_litellm(folder: Path, *, upstream: int) -> Stack:
    """LiteLLM's proxy: one worker, two deployments of the mock, a master key, no database, errors only in the log."""
    program = BENCH_ENVIRONMENT / "bin" / "litellm"
    if not program.exists():
        raise CannotBenchmark("LiteLLM's environment is missing; `make bench` makes it")
    port, log = free_port(), folder / "litellm.log"
    config = folder / "litellm.yaml"
    deployment = LITELLM_DEPLOYMENT.format(model=MODEL, url=f"http://{HOST}:{upstream}/v1")
    config.write_text("model_list:\n" + deployment * 2 + LITELLM_SETTINGS.format(key=LITELLM_KEY))
    process = spawn(
        [program.resolve(), "--config", config, "--host", HOST, "--port", str(port), "--num_workers", "1"],
        core=UNDER_TEST_CORE,
        log=log,
        environment={"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"},
    )
    await_port(port, process, log=log)
    python = BENCH_ENVIRONMENT / "bin" / "python"
    asked = "import importlib.metadata as m; print(m.version('litellm'))"
    version = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    return Stack("litellm", port, process.pid, LITELLM_KEY, 3.0, version, processes=[process])


LITELLM_DEPLOYMENT = """  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: {url}
      api_key: sk-mock
"""
LITELLM_SETTINGS = """litellm_settings:
  telemetry: false
  set_verbose: false
general_settings:
  master_key: {key}
"""
