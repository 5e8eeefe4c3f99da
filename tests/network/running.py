"""A running network of real processes, as the tests of this folder see it: through the command line and HTTP only."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

BALANCE_OF = "0x70a08231"
EPOCH_SECONDS = 6
START_TIMEOUT_S = 120


@dataclass(frozen=True)
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class RunningNetwork:
    """One home with everything running."""

    home: Path
    port_base: int
    clients: list[Any] = field(default_factory=list)

    def dgrid(self, *arguments: str, timeout_s: float = 60) -> Ran:
        """Runs a dgrid command in this home."""
        command = [sys.executable, "-m", "dgrid", "--home", str(self.home), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    def up(self, *arguments: str) -> Ran:
        """Starts the network in the background."""
        common = ("--detach", "--port-base", str(self.port_base), "--epoch-seconds", str(EPOCH_SECONDS))
        return self.dgrid("up", *common, *arguments, timeout_s=START_TIMEOUT_S)

    def down(self) -> Ran:
        return self.dgrid("down")

    @property
    def status(self) -> Any:
        return json.loads((self.home / "status.json").read_text())

    @property
    def api_key(self) -> str:
        return (self.home / "api_key").read_text().strip()

    def pid(self, name: str) -> int:
        return int(next(process["pid"] for process in self.status["processes"] if process["name"] == name))

    def kill(self, name: str) -> None:
        """kill −9: the process gets no chance to tidy up."""
        os.kill(self.pid(name), signal.SIGKILL)

    def openai(self, index: int = 0, **options: Any) -> Any:
        """The official client, pointed at one gateway."""
        from openai import OpenAI

        client = OpenAI(base_url=self.status["gateway_urls"][index], api_key=self.api_key, **options)
        self.clients.append(client)
        return client

    @contextmanager
    def staying(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A dgrid command that stays until it is told to stop, and then ends well."""
        command = [sys.executable, "-m", "dgrid", "--home", str(self.home), *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                yield process
            finally:
                process.terminate()
            assert process.wait(10) == 0

    def pause(self, name: str) -> None:
        """A process that neither answers nor ends."""
        os.kill(self.pid(name), signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGCONT)

    def address(self, name: str) -> str:
        return str(next(process["address"] for process in self.status["processes"] if process["name"] == name))

    def dgai_of(self, address: str) -> int:
        """What the token's contract says an address owns, in wei: asked of the chain itself."""
        call = {"to": self.status["contracts"]["dgai"], "data": BALANCE_OF + address[2:].rjust(64, "0")}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
        request = Request(self.status["chain_rpc"], json.dumps(asked).encode(), {"content-type": "application/json"})
        with urlopen(request, timeout=10) as reply:
            return int(json.load(reply)["result"], 16)

    def active_evaluators(self) -> int:
        """How many can be drawn to judge, the models that they can run declared."""
        found = self.dgrid("evaluators", "--json").json["evaluators"]
        return sum(one["state"] == "active" and one["models"] > 0 for one in found)

    def close(self) -> None:
        """Closes what the tests opened, and stops the network."""
        for client in self.clients:
            client.close()
        self.down()


def until(found: Callable[[], Any], *, timeout_s: float = 60, what: str = "the condition") -> Any:
    """The first truthy value of `found`, or a failure after the time limit."""
    deadline_s = time.monotonic() + timeout_s
    while not (value := found()):
        assert time.monotonic() < deadline_s, f"{what} did not come true within {timeout_s} s"
        time.sleep(0.2)
    return value
