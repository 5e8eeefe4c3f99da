"""Sends transactions of one key so that each intent happens once: journaled before broadcast, re-sent until mined.

A label names an intent. Sending twice under one label, also across a restart, is one transaction, unless the first was
refused. Refuses: calls that would revert (before anything is journaled), gas and fees above their ceilings.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dgrid.chain.contracts import Contract, Reverted, revert_of
from dgrid.chain.journal import Attempt, Call, Entry, Journal, State
from dgrid.chain.rpc import RawLog, Rpc, RpcError, log_of
from dgrid.chain.transactions import Transaction, transaction_hash
from dgrid.core.errors import ChainUnavailable, DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.wire.signatures import SigningKey

logger = logging.getLogger(__name__)

JOURNAL_NAME = "transactions.sqlite"
POLL_S = 0.1
TEND_S = 2.0
BUMP_AFTER_S = 30.0
TIP_WEI = 10**9


class TransactionRefused(DGridError):
    """The chain takes the transaction under no circumstances: no gas money, or above our own ceilings."""

    code = "transaction_refused"


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What one transaction may cost at most."""

    gas: int = 15_000_000
    fee_wei: int = 500 * 10**9  # a unit of gas


@dataclass(frozen=True, slots=True)
class TransactionReceipt:
    """A mined transaction that succeeded."""

    hash: bytes
    block_number: int
    gas_used: int
    logs: tuple[RawLog, ...]


def _is_known(error: RpcError) -> bool:
    """Whether the chain only says that it has the transaction, or had it."""
    return any(word in error.message.lower() for word in ("already", "nonce too low", "underpriced"))


class Sender:
    """One key's way to the chain. `start` it for a role's life; a single `send` also works without."""

    def __init__(
        self, rpc: Rpc, key: SigningKey, *, folder: Path, chain_id: int, ceilings: Ceilings | None = None
    ) -> None:
        self._rpc, self._key, self._chain_id = rpc, key, chain_id
        self._ceilings = ceilings or Ceilings()
        self._journal = Journal(folder / JOURNAL_NAME)
        self._lock = asyncio.Lock()
        self._bound = False
        self._tending: asyncio.Task[None] | None = None

    @property
    def address(self) -> Address:
        return self._key.address

    async def start(self) -> None:
        """Sends again, now and from time to time, what the chain does not know (after a restart, or its own)."""
        self._tending = asyncio.create_task(self._tend_forever())

    async def close(self) -> None:
        """Stops tending; what is not mined stays in the journal."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.gather(self._tending, return_exceptions=True)
        self._journal.close()

    async def send(
        self, contract: Contract, function: str, arguments: Sequence[Any] = (), *, label: str, value: int = 0
    ) -> TransactionReceipt:
        """Calls a contract and waits until it is mined; waits through times without a chain once it is journaled.

        Raises Reverted when the contract refuses, TransactionRefused, and ChainUnavailable only while nothing is sent.
        """
        data = contract.encode(function, arguments)
        if not self._bound:
            await self.tend()  # what an earlier life left unsent comes first: nonces have no gaps
        while True:
            async with self._lock:
                entry = await self._known_or_new(label, contract.address, data, value)
            await self._broadcast(entry)
            if (receipt := await self._mined(entry.nonce)) is not None:
                return receipt
            logger.warning("another transaction took the nonce of %s; it is sent again", label)

    def is_sent(self, label: str) -> bool:
        """Whether something under this label is journaled and was not refused."""
        entry = self._journal.latest(label)
        return entry is not None and entry.state in (State.OPEN, State.MINED)

    async def tend(self) -> None:
        """Broadcasts again all that the chain does not hold, in order. Raises ChainUnavailable."""
        await self._bind()
        count = int(await self._rpc.call("eth_getTransactionCount", [to_hex(self.address), "latest"]), 16)
        for entry in self._journal.from_nonce(count):
            await self._broadcast(entry)

    async def settle(self) -> None:
        """Waits until nothing that was sent before is open, so that the chain's state is the one to decide on."""
        await self.tend()
        for entry in self._journal.open_entries():
            with contextlib.suppress(DGridError):
                await self._mined(entry.nonce)

    async def _tend_forever(self) -> None:
        while True:
            with contextlib.suppress(ChainUnavailable, RpcError):
                await self.tend()
            await asyncio.sleep(TEND_S)

    async def _bind(self) -> None:
        if self._bound:
            return
        first = await self._rpc.block(1) or await self._rpc.block(0)  # anvil makes block 0 anew at some restarts
        if first is None:
            raise ChainUnavailable("the chain does not know its first block")
        if not self._journal.bind(first.hash):
            logger.warning("the journal was of another chain; it is set aside and a new one begins")
        self._bound = True

    async def _known_or_new(self, label: str, to: Address, data: bytes, value: int) -> Entry:
        known = self._journal.latest(label)
        if known is not None and known.state in (State.OPEN, State.MINED):
            return known
        call = Call(label, to, data, value, await self._gas(to, data, value))
        nonce_min = int(await self._rpc.call("eth_getTransactionCount", [to_hex(self.address), "pending"]), 16)
        fee, tip = await self._fees()
        return self._journal.add(call, lambda nonce: self._sign(call, nonce, fee=fee, tip=tip), nonce_min=nonce_min)

    async def _gas(self, to: Address, data: bytes, value: int) -> int:
        call = {"from": to_hex(self.address), "to": to_hex(to), "data": to_hex(data), "value": hex(value)}
        try:
            estimate = int(await self._rpc.call("eth_estimateGas", [call, "pending"]), 16)
        except RpcError as error:
            raise revert_of(error) from None
        if estimate > self._ceilings.gas:
            raise TransactionRefused(f"it would take {estimate} gas, more than {self._ceilings.gas}")
        return min(estimate * 5 // 4 + 10_000, self._ceilings.gas)

    async def _fees(self) -> tuple[int, int]:
        block = await self._rpc.block("latest")
        assert block is not None
        fee = min(2 * block.base_fee_wei + TIP_WEI, self._ceilings.fee_wei)
        if fee < block.base_fee_wei:
            raise TransactionRefused(f"gas costs {block.base_fee_wei} wei, more than {self._ceilings.fee_wei}")
        return fee, min(TIP_WEI, fee)

    def _sign(self, call: Call, nonce: int, *, fee: int, tip: int) -> Attempt:
        to = Address(call.recipient)
        unsigned = Transaction(self._chain_id, nonce, tip, fee, call.gas, to, call.value_wei, call.data)
        raw = unsigned.signed(self._key)
        return Attempt(transaction_hash(raw), raw, fee, tip)

    async def _broadcast(self, entry: Entry) -> None:
        """Hands the latest attempt to the chain; what it says against it is settled by looking for the receipt."""
        try:
            await self._rpc.call("eth_sendRawTransaction", [to_hex(entry.attempts[-1].raw)])
        except ChainUnavailable:
            return
        except RpcError as error:
            level = logging.DEBUG if _is_known(error) else logging.WARNING
            logger.log(level, "the chain answers to %s: %s", entry.call.label, error.message)

    async def _mined(self, nonce: int) -> TransactionReceipt | None:
        """The receipt once there is one; None when another transaction took the nonce. Raises Reverted."""
        sent_s = time.monotonic()
        while True:
            with contextlib.suppress(ChainUnavailable):
                entry = self._journal.entry(nonce)
                if (found := await self._receipt(entry)) is not None:
                    return await self._outcome(entry, found)
                if await self._is_displaced(entry):
                    self._journal.set_state(nonce, State.DISPLACED)
                    return None
                if time.monotonic() - sent_s > BUMP_AFTER_S:
                    await self._bump(entry)
                    sent_s = time.monotonic()
            await asyncio.sleep(POLL_S)

    async def _receipt(self, entry: Entry) -> dict[str, Any] | None:
        for attempt in reversed(entry.attempts):
            found: dict[str, Any] | None = await self._rpc.call("eth_getTransactionReceipt", [to_hex(attempt.hash)])
            if found is not None:
                return found
        return None

    async def _outcome(self, entry: Entry, found: dict[str, Any]) -> TransactionReceipt:
        if int(found["status"], 16) != 1:
            self._journal.set_state(entry.nonce, State.REVERTED)
            raise await self._reason(entry, found["blockNumber"])
        self._journal.set_state(entry.nonce, State.MINED)
        logs = tuple(log_of(log) for log in found["logs"])
        name = bytes.fromhex(found["transactionHash"][2:])
        return TransactionReceipt(name, int(found["blockNumber"], 16), int(found["gasUsed"], 16), logs)

    async def _reason(self, entry: Entry, block: str) -> DGridError:
        """Why a mined transaction failed, by asking the same once more."""
        call = {"from": to_hex(self.address), "to": to_hex(entry.call.recipient), "data": to_hex(entry.call.data)}
        try:
            await self._rpc.call("eth_call", [call, block])
        except RpcError as error:
            return revert_of(error)
        return Reverted("Unknown", {})

    async def _is_displaced(self, entry: Entry) -> bool:
        count = int(await self._rpc.call("eth_getTransactionCount", [to_hex(self.address), "finalized"]), 16)
        return count > entry.nonce and await self._receipt(entry) is None

    async def _bump(self, entry: Entry) -> None:
        """Replaces a transaction that nobody mines by one that pays more, up to the ceiling."""
        last = entry.attempts[-1]
        fee, tip = last.fee_wei * 5 // 4, last.tip_wei * 5 // 4
        if fee > self._ceilings.fee_wei:
            logger.warning("%s waits: it already pays the most it may", entry.call.label)
            await self._broadcast(entry)
            return
        attempt = self._sign(entry.call, entry.nonce, fee=fee, tip=tip)
        self._journal.add_attempt(entry.nonce, attempt)
        await self._broadcast(self._journal.entry(entry.nonce))
