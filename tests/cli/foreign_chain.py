"""A chain that is not the dev chain: anvil under another id, so that what is refused or asked there can be tried."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.devnet import free_port

from dgrid.chain.devchain import find_anvil
from dgrid.core.money import WEI

BSC_TESTNET = 97


@dataclass(frozen=True)
class ForeignChain:
    """One running anvil, behind two names of one address."""

    port: int

    @property
    def urls(self) -> tuple[str, str]:
        return f"http://127.0.0.1:{self.port}", f"http://localhost:{self.port}"

    @property
    def rpc_options(self) -> list[str]:
        return [word for url in self.urls for word in ("--rpc", url)]

    def call(self, method: str, *params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        asked = urllib.request.Request(self.urls[0], body, {"content-type": "application/json"})
        with urllib.request.urlopen(asked, timeout=5) as reply:
            return json.loads(reply.read())["result"]

    def fund(self, address: str, wei: int = 10 * WEI) -> None:
        self.call("anvil_setBalance", address, hex(wei))

    def send(self, sender: str, to: str, data: str) -> None:
        """Sends as anybody, and returns once it is mined."""
        self.call("anvil_impersonateAccount", sender)
        self.fund(sender)
        sent = self.call("eth_sendTransaction", {"from": sender, "to": to, "data": data})
        while self.call("eth_getTransactionReceipt", sent) is None:
            time.sleep(0.02)

    def count(self, address: str) -> int:
        """How many transactions an address has mined."""
        return int(self.call("eth_getTransactionCount", address, "latest"), 16)


@contextmanager
def foreign_chain(chain_id: int = BSC_TESTNET) -> Iterator[ForeignChain]:
    chain = ForeignChain(free_port())
    arguments = (
        f"--port {chain.port} --chain-id {chain_id} --hardfork prague --slots-in-an-epoch 1 --prune-history 500 --quiet"
    )
    process = subprocess.Popen([str(find_anvil()), *arguments.split()], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                chain.call("eth_blockNumber")
                break
            except OSError:
                time.sleep(0.02)
        yield chain
    finally:
        os.kill(process.pid, 15)
        process.wait()
