"""One role as a real process, against a test's own dev chain."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from tests.devnet import Devnet, free_port

from dgrid.config import ArchiveConfig, AuthorConfig, EvaluatorConfig, RoleConfig, SettlerConfig, WatcherConfig, to_toml
from dgrid.core.errors import DGridError

START_S = 15.0


class RoleProcess:
    """Starts, asks, stops and kills one role."""

    def __init__(self, net: Devnet, kind: str, config: RoleConfig) -> None:
        self.net, self.kind, self.config = net, kind, config
        self.file = net.folder / f"{config.name}.toml"
        self.log = net.folder / f"{config.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> "RoleProcess":
        self.file.write_text(to_toml(self.config))
        command = [sys.executable, "-m", "dgrid.processes", self.kind, str(self.file), str(os.getpid())]
        self._spawn(command)
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s and self.process is not None and self.process.poll() is None:
            with contextlib.suppress(DGridError):
                await self.ask("GET", "/healthz")
                return self
            await asyncio.sleep(0.02)
        raise AssertionError(f"{self.config.name} did not start: {self.log.read_text()}")

    def _spawn(self, command: list[str]) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
        reply = await self.net.http.request(method, self.config.url + path, body=body)
        return reply.status, msgspec.json.decode(await reply.read())

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@contextlib.asynccontextmanager
async def running(net: Devnet, kind: str, *, name: str) -> AsyncIterator[RoleProcess]:
    """A role with a key of its own, enrolled by itself; killed at the end if it still runs."""
    role = RoleProcess(net, kind, role_config(net, kind, name))
    try:
        yield await role.start()
    finally:
        if role.process is not None and role.process.poll() is None:
            role.kill()


def role_config(net: Devnet, kind: str, name: str) -> RoleConfig:
    key_file = net.folder / f"{name}.key"
    key_file.write_text(net.key(name).secret.hex())
    folder = net.folder / name
    folder.mkdir(exist_ok=True)
    types: dict[str, type[RoleConfig]] = {
        "archive": ArchiveConfig,
        "author": AuthorConfig,
        "evaluator": EvaluatorConfig,
        "settler": SettlerConfig,
        "watcher": WatcherConfig,
    }
    config = types[kind](name, Path(folder), key_file, "127.0.0.1", free_port(), net.config)
    return replace(config, dev=True)
