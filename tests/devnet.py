"""A fresh dev chain with the contracts on it, for any test that needs one: about 0.2 s to start.

A test takes the fixture `on_devnet` (import it in the folder's conftest) and hands it an async function:

    def test_a_deposit_is_seen(on_devnet: OnDevnet) -> None:
        async def main(net: Devnet) -> None: ...
        on_devnet(main)
"""

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from dgrid.chain.contracts import Contract, Contracts
from dgrid.chain.deploy import ORDER, Deployment, create_all, creations, dev_parameters, predicted
from dgrid.chain.devchain import DEV_ACCOUNT, DEV_CHAIN_ID, DevChain
from dgrid.chain.funding import fund_dev
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.chain.watcher import ChainWatcher
from dgrid.config import ChainConfig
from dgrid.core.errors import ChainUnavailable
from dgrid.core.identity import to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI
from dgrid.wire.http import HttpClient
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain, dgrid_domain

POLL_MS = 40
PATIENCE_S = 30.0
PORTS = range(20_000, 32_000)
FORWARDER = "602e8060095f395ff33660019003806001" + "5f375f5f825f5f73{contract}5af1602c575f5ffd5b00"
"""Deploys what calls the contract with all but the first byte of its own data, and fails where that fails."""


@dataclass
class Devnet:
    """The chain, the contracts, and keys made up by name."""

    folder: Path
    chain: DevChain
    config: ChainConfig
    genesis_s: int
    epoch_seconds: int = 2
    http: HttpClient = field(default_factory=HttpClient)
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def contracts(self) -> Contracts:
        return Contracts(self.config)

    @property
    def rpc(self) -> Rpc:
        return self.chain.rpc

    @property
    def domain(self) -> Domain:
        return dgrid_domain(DEV_CHAIN_ID, self.contracts.settlement.address)

    def key(self, name: str) -> SigningKey:
        return key_of(name)

    async def sender(self, name: str, *, dgai_wei: int = 10_000 * WEI) -> Sender:
        """A funded sender; closed with the devnet."""
        sender = Sender(self.rpc, self.key(name), folder=self.folder / name, chain_id=DEV_CHAIN_ID)
        await fund_dev(self.rpc, self.contracts, address=sender.address, dgai_wei=dgai_wei)
        self.stack.push_async_callback(sender.close)
        return sender

    async def watcher(self, name: str) -> ChainWatcher:
        """A running watcher; stopped with the devnet."""
        watcher = ChainWatcher(self.rpc, self.contracts, self.folder / name, poll_ms=POLL_MS)
        await watcher.start()
        self.stack.push_async_callback(watcher.stop)
        return watcher

    async def call_through_another(self, contract: Contract, function: str, arguments: Sequence[Any]) -> None:
        """Calls a contract through one that drops the first byte of its own data and hands on the rest, so that the
        transaction's data does not decode as the call.
        """
        code = bytes.fromhex(FORWARDER.format(contract=contract.address.hex()))
        deployer = await self.sender("deployer", dgai_wei=0)
        made = await deployer.create(code, label=f"forwarder to {contract.name}")
        receipt = await self.rpc.call("eth_getTransactionReceipt", [to_hex(made.hash)])
        data = to_hex(b"\0" + contract.encode(function, arguments))
        call = {
            "from": to_hex(DEV_ACCOUNT.address),
            "to": receipt["contractAddress"],
            "gas": hex(5_000_000),
            "data": data,
        }
        await self.rpc.call("eth_sendTransaction", [call])

    async def balance(self, address: bytes) -> int:
        found: int = await self.contracts.dgai.read(self.rpc, "balanceOf", [address])
        return found

    async def answers(self) -> None:
        """Waits until a chain that was killed answers again."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(ChainUnavailable):
                    await self.rpc.call("eth_blockNumber", [])
                    return
                await asyncio.sleep(0.05)

    async def is_kept(self) -> None:
        """Waits until the chain has written down all that it holds now: its state twice, of which it began the second
        later.
        """
        state, began_s = self.folder / "chain" / "state.json", time.time()
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(2):
                while not state.exists() or state.stat().st_mtime <= began_s:
                    await asyncio.sleep(0.05)
                began_s = state.stat().st_mtime
            while time.time() < state.stat().st_mtime + 0.3:  # it is still being written
                await asyncio.sleep(0.05)

    async def waits(self, count: int = 1) -> None:
        """Waits until so many transactions wait to be mined."""
        async with asyncio.timeout(PATIENCE_S):
            while int((await self.rpc.call("txpool_status", []))["pending"], 16) < count:
                await asyncio.sleep(0.02)

    async def pass_time(self, seconds: int) -> None:
        """Moves the chain's clock on, with a few blocks on top."""
        await self.rpc.call("evm_increaseTime", [seconds])
        await self.rpc.call("anvil_mine", ["0x3"])


OnDevnet = Callable[[Callable[[Devnet], Awaitable[None]]], None]


def key_of(name: str) -> SigningKey:
    return SigningKey(keccak(name.encode()))


def free_port() -> int:
    """A port that nobody listens on, below those that outgoing connections get: none of them takes it meanwhile."""
    while True:
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


async def deploy_contracts(rpc: Rpc, *, terms: Deployment) -> dict[str, str]:
    """Puts all contracts on the dev chain, from its first account; their addresses by name."""
    with TemporaryDirectory() as folder:
        sender = Sender(rpc, DEV_ACCOUNT, folder=Path(folder), chain_id=DEV_CHAIN_ID)
        try:
            nonce = await sender.next_nonce()
            at = predicted(DEV_ACCOUNT.address, nonce)
            await create_all(sender, creations(terms, at, deployer=DEV_ACCOUNT.address), first_nonce=nonce)
        finally:
            await sender.close()
    return {name: to_hex(at[name]) for name in ORDER}


@contextlib.asynccontextmanager
async def running_devnet(
    folder: Path,
    *,
    keep_state: bool = False,
    epoch_seconds: int = 2,
    slots: int = 1,
    changed: Mapping[str, int] | None = None,
) -> AsyncIterator[Devnet]:
    """A devnet with short windows, and parameters that are `changed`; its epochs began an hour ago.

    Blocks are final when 2 · `slots` lie on them.
    """
    chain = DevChain(port=free_port(), folder=folder / "chain" if keep_state else None, slots=slots)
    await chain.start()
    try:
        block = await chain.rpc.block("latest")
        assert block is not None
        genesis_s = block.timestamp_s - 3600
        windows = {"commit_seconds": 10, "reveal_seconds": 8, "open_seconds": 8}
        parameters = replace(dev_parameters(epoch_seconds), stored_quorum=1, **windows, **(changed or {}))
        terms = Deployment(
            genesis_s=genesis_s, epoch_seconds=epoch_seconds, parameters=parameters, authors=(key_of("author").address,)
        )
        addresses = await deploy_contracts(chain.rpc, terms=terms)
        net = Devnet(
            folder, chain, ChainConfig((chain.url,), DEV_CHAIN_ID, addresses, POLL_MS), genesis_s, epoch_seconds
        )
        async with net.stack:
            yield net
        await net.http.close()
    finally:
        await chain.stop()


@pytest.fixture
def on_devnet(tmp_path: Path) -> OnDevnet:
    """Runs an async function on a fresh devnet."""

    def run(main: Callable[[Devnet], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with running_devnet(tmp_path) as net:
                await main(net)

        asyncio.run(whole())

    return run
