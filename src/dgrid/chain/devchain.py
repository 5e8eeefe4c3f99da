"""The embedded dev chain: Foundry's anvil, its state kept in a folder, blocks made final while something is not.

It mines on demand and makes a block final when two more lie on it: after each transaction three empty blocks follow, so
that the court can draw from what was anchored there. For five minutes more it lays blocks every ten seconds, so that
whoever waits for a window's end on the final chain sees it; then an idle chain writes nothing. Killed by force it may
lose its last seconds, even finalized blocks; `Sender` and `ChainWatcher` know that. Refuses to be more than a
development chain: its accounts are public.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

from dgrid.chain.rpc import Rpc, RpcError
from dgrid.config import DEV_CHAIN_ID as DEV_CHAIN_ID
from dgrid.core.errors import ChainUnavailable, DGridError
from dgrid.machine.parent import end_with_parent
from dgrid.wire.http import HttpClient
from dgrid.wire.signatures import SigningKey

logger = logging.getLogger(__name__)

# The first account of the test mnemonic every Ethereum tool ships: public on purpose, worthless off a dev chain.
DEV_ACCOUNT = SigningKey.from_hex("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
STATES_KEPT = 500  # of the last blocks, in memory: what is read or undone lies within a few dozen
BEAT_S, BEATS_FOR_S = 10.0, 300.0  # blocks for the time alone, and until how long after the last transaction
BLOCKS_AFTER = 3  # finality takes 2 (--slots-in-an-epoch 1), a draw's seed the third block after its root
HOST = "127.0.0.1"
START_S = 30.0
READY_POLL_S = 0.02
STOP_POLLS = 250
POLL_S = 0.2
RESTART_S, RESTART_S_MAX = 1.0, 30.0


class DevChainMissing(DGridError):
    """No anvil on this machine."""

    code = "devchain_missing"
    exit_code = 3


class DevChainFailed(DGridError):
    """Anvil did not start, or stopped."""

    code = "devchain_failed"


def find_anvil() -> Path:
    """The anvil that came with the contracts' packages, else the one on PATH. Raises DevChainMissing."""
    shipped = "contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
    for folder in Path(__file__).resolve().parents:
        if (found := folder / shipped).is_file():
            return found
    if on_path := shutil.which("anvil"):
        return Path(on_path)
    raise DevChainMissing(
        "anvil is not on this machine", hint="run `make setup`, or install Foundry and put it on PATH"
    )


class DevChain:
    """One anvil process, started again when it dies, and the loop that makes its blocks final."""

    def __init__(self, *, port: int, folder: Path | None = None, log_file: Path | None = None, slots: int = 1) -> None:
        """Without a folder the chain forgets everything when it stops. A block is final when 2 · `slots` lie on it."""
        self.port, self.folder, self.log_file, self.slots = port, folder, log_file, slots
        self.url = f"http://{HOST}:{port}"
        self._http = HttpClient()
        self.rpc = Rpc([self.url], self._http, chain_id=DEV_CHAIN_ID)
        self._process: subprocess.Popen[bytes] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._filled = -1
        self._used_s = self._laid_s = 0.0
        self._is_paused = False
        self._finalizing = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.is_running else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Starts anvil and returns once it answers. Raises DevChainMissing, DevChainFailed."""
        self._spawn()
        await self._ready()
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Stops anvil, which writes its state; kills it when it takes too long."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._http.close()
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        for _ in range(STOP_POLLS):
            if not self.is_running:
                break
            await asyncio.sleep(READY_POLL_S)
        else:
            self._process.kill()
        self._process.wait()
        self._process = None

    def kill(self) -> None:
        """Kills anvil as a crash would; it is started again. For trying what that does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def pause_final(self) -> None:
        """Leaves what is mined from now on unfinalized, for trying reorganizations."""
        async with self._finalizing:
            self._is_paused = True

    async def make_final(self) -> None:
        """Lays empty blocks on what was mined since the last time. Raises ChainUnavailable."""
        head = int(await self.rpc.call("eth_blockNumber", []), 16)
        if head not in (self._filled, 0):
            self._used_s = time.monotonic()
            await self._lay(head)

    async def _lay(self, head: int) -> None:
        await self.rpc.call("anvil_mine", [hex(BLOCKS_AFTER)])
        self._filled, self._laid_s = head + BLOCKS_AFTER, time.monotonic()

    async def _keep_time(self) -> None:
        """Lets time pass on chain for a while after the last transaction: a window's end is seen by blocks alone."""
        now_s = time.monotonic()
        if self._filled > 0 and now_s - self._laid_s >= BEAT_S and now_s - self._used_s < BEATS_FOR_S:
            await self._lay(self._filled)

    def arguments(self) -> list[str]:
        """Anvil's command line after the program's name."""
        plain = (
            f"--host {HOST} --port {self.port} --chain-id {DEV_CHAIN_ID} --hardfork prague"
            f" --slots-in-an-epoch {self.slots}"
            f" --prune-history {STATES_KEPT}"  # what it lays on disk else, gigabytes, is left there when it is killed
            " --quiet"  # it writes a line for every call it answers, for ever
        )
        if self.folder is None:
            return plain.split()
        return [*plain.split(), "--state", str(self.folder / "state.json"), "--state-interval", "2"]

    def _spawn(self) -> None:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = [str(find_anvil()), *self.arguments()]
        with contextlib.ExitStack() as files:
            log: int = subprocess.DEVNULL
            if self.log_file is not None:
                log = files.enter_context(self.log_file.open("ab")).fileno()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the supervisor, which stops the chain last
                preexec_fn=partial(end_with_parent, os.getpid()),  # noqa: PLW1509 (no threads here; an orphan keeps the port)
            )

    async def _ready(self) -> None:
        deadline_s = time.monotonic() + START_S
        while True:
            if not self.is_running:
                raise DevChainFailed("anvil stopped while starting", hint=f"is port {self.port} free?")
            try:
                await self.rpc.call("eth_blockNumber", [])
            except ChainUnavailable as error:
                if time.monotonic() > deadline_s:
                    raise DevChainFailed(f"anvil does not answer: {error.message}") from None
                await asyncio.sleep(READY_POLL_S)
            else:
                return

    async def _keep(self) -> None:
        pause_s = RESTART_S
        while True:
            await asyncio.sleep(POLL_S)
            if not self.is_running:
                logger.warning("the chain stopped; it starts again in %.0f s", pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, RESTART_S_MAX)
                self._filled = -1
                self._spawn()
            async with self._finalizing:
                if not self._is_paused:
                    with contextlib.suppress(ChainUnavailable, RpcError):
                        await self.make_final()
                        await self._keep_time()
