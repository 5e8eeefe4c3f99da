"""The deployed contracts on a chain of their own, one call after another, a second a block: nothing is left to chance.

Told who sends what, it answers with the events, or the name of the contract's refusal. Its clock moves only by blocks.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Self, TypeVar

from tests.devnet import deploy_contracts, free_port

from dgrid.chain.contracts import Contract, Contracts, Reverted, revert_of
from dgrid.chain.deploy import Deployment
from dgrid.chain.devchain import DEV_ACCOUNT, DEV_CHAIN_ID, DevChain
from dgrid.chain.events import ChainEvent
from dgrid.chain.parameters import Parameters
from dgrid.chain.reading import event_of
from dgrid.chain.rpc import BATCH_MAX, RawLog, RpcError
from dgrid.config import ChainConfig
from dgrid.core.identity import Address, to_hex
from dgrid.core.money import WEI

GENESIS_S = 1_900_000_000
EPOCH_SECONDS = 20
BLOCKS_BETWEEN = 4  # however much time passes: what waits for blocks goes on
GAS = hex(12_000_000)
Told = TypeVar("Told")


class Call(NamedTuple):
    """Who calls what."""

    sender: bytes
    contract: Contract
    function: str
    arguments: Sequence[Any] = ()


class Read(NamedTuple):
    """A view to ask, and what the laws say that it answers."""

    contract: Contract
    function: str
    arguments: Sequence[Any]
    expected: Any


@dataclass(frozen=True)
class Said:
    """What came of a call: its events, or why the contract refused."""

    events: tuple[ChainEvent, ...] = ()
    told: tuple[tuple[str, dict[str, Any]], ...] = ()  # every event of our contracts, also those that nobody folds
    refusal: str | None = None
    rows_refused: int = 0


class _FixedChain(DevChain):
    """A chain whose first block has the same time on every machine."""

    def arguments(self) -> list[str]:
        return [*super().arguments(), "--timestamp", str(GENESIS_S - 1), "--auto-impersonate"]


class TwinChain:
    """Use as a context manager: it owns the chain's process and the loop that speaks with it."""

    def __init__(self, *, parameters: Parameters, base_bps: int) -> None:
        self._terms = Deployment(
            genesis_s=GENESIS_S, epoch_seconds=EPOCH_SECONDS, parameters=parameters, base_share_bps=base_bps
        )
        self._runner = asyncio.Runner()
        self._chain = _FixedChain(port=free_port())
        self.stack = contextlib.AsyncExitStack()  # what else ends with it
        self.now_s = 0
        self.contracts: Contracts

    def __enter__(self) -> Self:
        self.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.stack.aclose())
        self.run(self._chain.stop())
        self._runner.close()

    def run(self, told: Coroutine[Any, Any, Told]) -> Told:
        """Waits for something that speaks with the chain or with a server of the test."""
        return self._runner.run(told)

    @property
    def rpc(self) -> Any:
        return self._chain.rpc

    @property
    def next_s(self) -> int:
        """The time of the next block: what its calls are told."""
        return self.now_s + 1

    @property
    def epoch(self) -> int:
        """The epoch of the next block."""
        return (self.next_s - GENESIS_S) // EPOCH_SECONDS

    @property
    def round_of_draw(self) -> int:
        """The round of what the next block draws: its epoch, or the next one in the last quarter."""
        return (self.next_s + EPOCH_SECONDS // 4 - GENESIS_S) // EPOCH_SECONDS

    def ask(self, method: str, *params: Any) -> Any:
        return self.run(self.rpc.call(method, list(params)))

    def snapshot(self) -> tuple[str, int]:
        return self.ask("evm_snapshot"), self.now_s

    def revert(self, snapshot: tuple[str, int]) -> tuple[str, int]:
        """Back to a snapshot, which is then used up; a fresh one of the same."""
        self.ask("evm_revert", snapshot[0])
        self.ask("anvil_setBlockTimestampInterval", 1)
        self.now_s = snapshot[1]
        return self.snapshot()

    def pass_until(self, time_s: int) -> None:
        """The next block has this time, unless it is past."""
        if time_s >= self.next_s + BLOCKS_BETWEEN:
            self.ask("evm_setNextBlockTimestamp", time_s - BLOCKS_BETWEEN)
            self.now_s = time_s - BLOCKS_BETWEEN - 1
        if time_s > self.next_s:
            self.mine(time_s - self.next_s)

    def mine(self, blocks: int) -> None:
        self.ask("anvil_mine", hex(blocks))
        self.now_s += blocks

    def hash_of_block(self, number: int) -> bytes:
        return bytes.fromhex(self.ask("eth_getBlockByNumber", hex(number), False)["hash"][2:])

    def do(self, call: Call) -> Said:
        """Makes a call in the next block."""
        receipt = self.run(self._mined(call))
        self.now_s += 1
        assert int(receipt["blockNumber"], 16) > 0
        if receipt["status"] == "0x0":
            refusal = self.would_refuse(call)
            assert refusal is not None
            return Said(refusal=refusal.name)
        return self._said(receipt)

    def would_refuse(self, call: Call) -> Reverted | None:
        """What the contract would say against a call, as of the last block."""
        return self.run(self._refusal(call))

    def read(self, reads: Sequence[Read]) -> list[Any]:
        """What the contracts say now."""
        found: list[Any] = []
        for at in range(0, len(reads), BATCH_MAX):
            found += self.run(self._read(reads[at : at + BATCH_MAX]))
        return found

    async def _start(self) -> None:
        await self._chain.start()
        await self._chain.pause_final()
        await self.rpc.call("anvil_setBlockTimestampInterval", [1])
        addresses = await deploy_contracts(self.rpc, terms=self._terms)
        self.contracts = Contracts(ChainConfig((self._chain.url,), DEV_CHAIN_ID, addresses))
        self.now_s = (await self.rpc.block("latest")).timestamp_s

    async def events_so_far(self) -> tuple[ChainEvent, ...]:
        """Everything our contracts said."""
        last = await self.rpc.block("latest")
        logs = await self.rpc.logs(0, last, [contract.address for contract in self.contracts.all])
        numbers = sorted({log.block_number for log in logs})
        blocks = await self.rpc.blocks(numbers)
        times = dict(zip(numbers, (block.timestamp_s for block in blocks), strict=True))
        return tuple(self._events(logs, times))

    async def _mined(self, call: Call) -> dict[str, Any]:
        sent = await self.rpc.call("eth_sendTransaction", [{**_message(call), "gas": GAS}])
        while (receipt := await self.rpc.call("eth_getTransactionReceipt", [sent])) is None:
            await asyncio.sleep(0)
        found: dict[str, Any] = receipt
        return found

    async def _refusal(self, call: Call) -> Reverted | None:
        try:
            await self.rpc.call("eth_call", [_message(call), "latest"])
        except RpcError as error:
            refusal = revert_of(error)
            assert isinstance(refusal, Reverted), refusal
            return refusal
        return None

    async def _read(self, reads: Sequence[Read]) -> list[Any]:
        calls = [("eth_call", [_message(Call(bytes(20), *read[:3])), "latest"]) for read in reads]
        results = await self.rpc.batch(calls)
        return [
            read.contract.decode_result(read.function, bytes.fromhex(result[2:]))
            for read, result in zip(reads, results, strict=True)
        ]

    def _said(self, receipt: dict[str, Any]) -> Said:
        logs = [_raw(log) for log in receipt["logs"]]
        decoded = [self.contracts.decode_log(log) for log in logs]
        refused = sum(one is not None and one.name == "RowRefused" for one in decoded)
        times = {log.block_number: self.now_s for log in logs}
        told = tuple((one.name, one.arguments) for one in decoded if one is not None)
        return Said(tuple(self._events(logs, times)), told, rows_refused=refused)

    def _events(self, logs: Iterable[RawLog], times: dict[int, int]) -> Iterable[ChainEvent]:
        for log in logs:
            decoded = self.contracts.decode_log(log)
            if decoded is not None and (event := event_of(decoded, timestamp_s=times[log.block_number])) is not None:
                yield event


def _message(call: Call) -> dict[str, str]:
    data = call.contract.encode(call.function, call.arguments)
    return {"from": to_hex(call.sender), "to": to_hex(call.contract.address), "data": to_hex(data)}


def _raw(log: dict[str, Any]) -> RawLog:
    word = partial(int, base=16)
    return RawLog(
        bytes.fromhex(log["address"][2:]),
        tuple(bytes.fromhex(topic[2:]) for topic in log["topics"]),
        bytes.fromhex(log["data"][2:]),
        word(log["blockNumber"]),
        bytes.fromhex(log["blockHash"][2:]),
        bytes.fromhex(log["transactionHash"][2:]),
        word(log["logIndex"]),
    )


def funded(chain: TwinChain, addresses: Iterable[Address], *, dgai_wei: int) -> None:
    """Gives each gas and DGAI."""
    for address in addresses:
        chain.ask("anvil_setBalance", to_hex(address), hex(10**9 * WEI))
        said = chain.do(Call(DEV_ACCOUNT.address, chain.contracts.dgai, "transfer", [address, dgai_wei]))
        assert said.refusal is None, said.refusal
