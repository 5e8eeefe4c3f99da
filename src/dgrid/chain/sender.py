"""Sends transactions of one key so that each intent happens once: journaled before broadcast, re-sent until mined.

A label names an intent. Sending twice under one label, also across a restart, is one transaction, unless the first was
refused. While gas costs more than its ceiling it waits, and says so. Refuses: calls that would revert (before anything
is journaled), and gas above its ceiling.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dgrid.chain.contracts import Contract, Reverted, revert_of
from dgrid.chain.journal import CREATION, Attempt, Entry, Intent, Journal, State
from dgrid.chain.rpc import Call, RawLog, Rpc, RpcError, block_of, log_of
from dgrid.chain.transactions import Transaction, transaction_hash
from dgrid.core.errors import ChainUnavailable, DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.wire.signatures import SigningKey

logger = logging.getLogger(__name__)

JOURNAL_NAME = "transactions.sqlite"
POLL_S, POLL_S_MAX = 0.02, 2.0
TEND_S = 2.0
BUMP_AFTER_S = 30.0
INDEXED_S = 3.0  # by then an endpoint that counts a transaction also finds its receipt
GAS_OF_NOTHING = 21_000


Before = Callable[[], Awaitable[None]]


class TransactionRefused(DGridError):
    """The transaction would take more gas, or more bytes, than our own ceilings allow."""

    code = "transaction_refused"


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What one transaction may cost at most."""

    gas: int = 15_000_000
    fee_wei: int = 500 * 10**9  # a unit of gas
    data_bytes: int = 130_000  # above 128 KiB no node passes it on: it would never be mined, nor what follows it


@dataclass(frozen=True, slots=True)
class TransactionReceipt:
    """A mined transaction that succeeded."""

    hash: bytes
    block_number: int
    logs: tuple[RawLog, ...]


@dataclass(frozen=True, slots=True)
class Prices:
    """What a unit of gas costs now: what the block burns, and what its maker gets."""

    base_fee_wei: int
    tip_wei: int

    @property
    def fee_wei(self) -> int:
        """What to offer: enough while the base fee doubles."""
        return 2 * self.base_fee_wei + self.tip_wei


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
        self._at_ceiling: set[int] = set()  # nonces of which it was said
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
        self,
        contract: Contract,
        function: str,
        arguments: Sequence[Any] = (),
        *,
        label: str,
        value: int = 0,
        before: Before | None = None,
    ) -> TransactionReceipt:
        """Calls a contract and waits until it is mined; waits through times without a chain once it is journaled.

        `before` is done when the contract would take the call, and before that is sent: what it says is not said too
        early by a clock that is ahead. What it raises ends the sending.

        Raises Reverted when the contract refuses, TransactionRefused, and ChainUnavailable only while nothing is sent.
        """
        intent = Intent(label, contract.address, contract.encode(function, arguments), value)
        if before is not None and not self.is_sent(label):
            await self._gas(intent)
            await before()
        return await self._carry(intent)

    async def create(self, code: bytes, *, label: str) -> TransactionReceipt:
        """Creates a contract, as `send` calls one; `code` is its bytecode with the constructor's arguments."""
        return await self._carry(Intent(label, CREATION, code, 0))

    async def _carry(self, intent: Intent) -> TransactionReceipt:
        if not self._bound:
            await self.tend()  # what an earlier life left unsent comes first: nonces have no gaps
        while True:
            if not self.is_sent(intent.label):
                await self._until_affordable(intent.label)
            async with self._lock:
                entry = await self._known_or_new(intent)
            await self._broadcast(entry)
            if (receipt := await self._mined(entry.nonce)) is not None:
                return receipt
            logger.warning("another transaction took the nonce of %s; it is sent again", intent.label)

    def is_sent(self, label: str) -> bool:
        """Whether something under this label is journaled and was not refused."""
        entry = self._journal.latest(label)
        return entry is not None and entry.state in (State.OPEN, State.MINED)

    def nonce_of(self, label: str) -> int | None:
        """The nonce of the last transaction under a label; None when there is none."""
        entry = self._journal.latest(label)
        return None if entry is None else entry.nonce

    async def next_nonce(self) -> int:
        """What the next new transaction would get. Raises ChainUnavailable."""
        await self._bind()
        return self._journal.next_nonce(await self._count("pending"))

    async def tend(self) -> None:
        """Broadcasts again all that the chain does not hold, in order; what pays less than gas costs now, for more.

        Raises ChainUnavailable.
        """
        await self._bind()
        if not (missing := self._journal.from_nonce(await self._count("latest"))):
            return
        prices = await self._prices()
        for entry in missing:
            if entry.state in (State.REVERTED, State.DISPLACED):
                await self._fill(entry, prices)
            elif entry.attempts[-1].fee_wei < prices.base_fee_wei:
                await self._bump(entry, prices)
            else:
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
        # Anvil makes block 0 anew at some restarts. A single endpoint must not make us begin another journal.
        first = await self._rpc.agreed_block(1) or await self._rpc.agreed_block(0)
        if first is None:
            raise ChainUnavailable("the chain does not know its first block")
        if not self._journal.bind(first.hash):
            logger.warning("the journal was of another chain; it is set aside and a new one begins")
        self._bound = True

    # --- what to pay --------------------------------------------------------------------------------------------------

    async def _prices(self) -> Prices:
        """What gas costs now, by what a majority says: one endpoint alone neither overcharges nor stops us."""
        calls: list[Call] = [("eth_getBlockByNumber", ["latest", False]), ("eth_gasPrice", [])]
        base_fee, price = await self._rpc.reached(calls, _wei_of, what="what gas costs")
        return Prices(base_fee, max(1, price - base_fee))

    async def _until_affordable(self, label: str) -> None:
        """Waits while gas costs more than the ceiling: nothing is journaled yet, so nothing is stuck."""
        is_said = False
        while (base_fee := (await self._prices()).base_fee_wei) > self._ceilings.fee_wei:
            if not is_said:
                logger.warning("%s waits: gas costs %d wei, more than %d", label, base_fee, self._ceilings.fee_wei)
                is_said = True
            await asyncio.sleep(TEND_S)

    async def _bump(self, entry: Entry, prices: Prices) -> None:
        """Replaces a transaction that nobody mines by one that pays more, up to the ceiling."""
        last = entry.attempts[-1]
        fee = min(max(last.fee_wei * 5 // 4, prices.fee_wei), self._ceilings.fee_wei)
        if fee * 10 < last.fee_wei * 11:  # what a chain's nodes ask of a replacement
            if entry.nonce not in self._at_ceiling:
                logger.warning("%s waits: it already pays the most it may, %d wei", entry.intent.label, last.fee_wei)
                self._at_ceiling.add(entry.nonce)
            await self._broadcast(entry)
            return
        attempt = self._sign(entry.intent, entry.nonce, fee=fee, tip=min(last.tip_wei * 5 // 4, fee))
        self._journal.add_attempt(entry.nonce, attempt)
        await self._broadcast(self._journal.entry(entry.nonce))

    async def _fill(self, entry: Entry, prices: Prices) -> None:
        """Uses the nonce of a transaction that failed in a block which is gone, for nothing: its sender was told that
        it failed and has gone on, so it must not happen now; and without its nonce nothing after it could.
        """
        nothing = Intent(entry.intent.label, self.address, b"", 0, GAS_OF_NOTHING)
        last = entry.attempts[-1]
        if last.hash != self._sign(nothing, entry.nonce, fee=last.fee_wei, tip=last.tip_wei).hash:
            fee = max(last.fee_wei * 5 // 4, prices.fee_wei)
            attempt = self._sign(nothing, entry.nonce, fee=fee, tip=min(last.tip_wei * 5 // 4, fee))
            self._journal.add_attempt(entry.nonce, attempt)
        await self._broadcast(self._journal.entry(entry.nonce))

    # --- one transaction ----------------------------------------------------------------------------------------------

    async def _known_or_new(self, intent: Intent) -> Entry:
        known = self._journal.latest(intent.label)
        if known is not None and known.state in (State.OPEN, State.MINED):
            return known
        intent = replace(intent, gas=await self._gas(intent))
        nonce_min, prices = await self._count("pending"), await self._prices()
        fee = min(prices.fee_wei, self._ceilings.fee_wei)
        tip = min(prices.tip_wei, fee)
        return self._journal.add(intent, lambda nonce: self._sign(intent, nonce, fee=fee, tip=tip), nonce_min=nonce_min)

    async def _count(self, block: str) -> int:
        """How many transactions of this key a majority of endpoints knows: one that invents some makes no gap."""
        calls: list[Call] = [("eth_getTransactionCount", [to_hex(self.address), block])]
        (count,) = await self._rpc.reached(calls, lambda said: int(said, 16), what="our transactions")
        return count

    async def _gas(self, intent: Intent) -> int:
        if len(intent.data) > self._ceilings.data_bytes:
            raise TransactionRefused(f"it would have {len(intent.data)} bytes, more than {self._ceilings.data_bytes}")
        try:
            calls: list[Call] = [("eth_estimateGas", [self._shown(intent), "pending"])]
            (estimate,) = await self._rpc.reached(calls, lambda said: int(said, 16), what=f"the gas of {intent.label}")
        except RpcError as error:
            raise revert_of(error) from None
        if estimate > self._ceilings.gas:
            raise TransactionRefused(f"it would take {estimate} gas, more than {self._ceilings.gas}")
        return min(estimate * 5 // 4 + 10_000, self._ceilings.gas)

    def _shown(self, intent: Intent) -> dict[str, str]:
        """The intent as JSON-RPC takes a call."""
        to = {"to": to_hex(intent.recipient)} if intent.recipient else {}
        return {"from": to_hex(self.address), "data": to_hex(intent.data), "value": hex(intent.value_wei), **to}

    def _sign(self, intent: Intent, nonce: int, *, fee: int, tip: int) -> Attempt:
        to = Address(intent.recipient) if intent.recipient else None
        unsigned = Transaction(self._chain_id, nonce, tip, fee, intent.gas, to, intent.value_wei, intent.data)
        raw = unsigned.signed(self._key)
        return Attempt(transaction_hash(raw), raw, fee, tip)

    async def _broadcast(self, entry: Entry) -> None:
        """Hands the latest attempt to the chain; what it says against it is settled by looking for the receipt."""
        try:
            await self._rpc.broadcast(entry.attempts[-1].raw)
        except ChainUnavailable:
            return
        except RpcError as error:
            level = logging.DEBUG if _is_known(error) else logging.WARNING
            logger.log(level, "the chain answers to %s: %s", entry.intent.label, error.message)

    async def _mined(self, nonce: int) -> TransactionReceipt | None:
        """The receipt once there is one; None when another transaction took the nonce. Raises Reverted."""
        tended_s = raised_s = time.monotonic()
        pause_s = POLL_S
        while True:
            with contextlib.suppress(ChainUnavailable):
                entry = self._journal.entry(nonce)
                if (found := await self._outcome(entry)) is not None:
                    return await self._close(entry, found)
                if await self._is_displaced(entry):
                    self._journal.set_state(nonce, State.DISPLACED)
                    return None
                if time.monotonic() - raised_s > BUMP_AFTER_S:
                    raised_s = tended_s = time.monotonic()
                    await self._bump_until(nonce)
                elif time.monotonic() - tended_s > TEND_S:
                    tended_s = time.monotonic()
                    await self.tend()  # the chain may have dropped it, or what stands before it
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 3 / 2, POLL_S_MAX)

    async def _bump_until(self, nonce: int) -> None:
        """Offers more for a transaction, and for all that must come before it."""
        prices = await self._prices()
        for entry in self._journal.from_nonce(await self._count("latest")):
            if entry.nonce <= nonce and entry.state is State.OPEN:
                await self._bump(entry, prices)

    async def _outcome(self, entry: Entry) -> "_Outcome | None":
        """What a majority of endpoints says became of any attempt; None while they know of none."""
        calls: list[Call] = [("eth_getTransactionReceipt", [to_hex(one.hash)]) for one in reversed(entry.attempts)]
        return await self._rpc.agreed(calls, _read_outcome, what=f"transaction {entry.nonce} of {to_hex(self.address)}")

    async def _close(self, entry: Entry, found: "_Outcome") -> TransactionReceipt:
        self._at_ceiling.discard(entry.nonce)
        if not found.is_success:
            self._journal.set_state(entry.nonce, State.REVERTED)
            raise await self._reason(entry, found.receipt.block_number)
        self._journal.set_state(entry.nonce, State.MINED)
        return found.receipt

    async def _reason(self, entry: Entry, block: int) -> DGridError:
        """Why a mined transaction failed, by asking the same once more."""
        try:
            await self._rpc.call("eth_call", [self._shown(entry.intent), hex(block)])
        except RpcError as error:
            return revert_of(error)
        return Reverted("Unknown", {})

    async def _is_displaced(self, entry: Entry) -> bool:
        """Whether the nonce is used for good, and by none of our attempts; a wrong yes would send twice. One after the
        other: receipts that were read before the nonce was used would say nothing, and endpoints count a transaction
        before they find its receipt.
        """
        try:
            used = await self._count("finalized")
        except RpcError:  # a node that has just begun anew may not have that block's state yet
            return False
        if used <= entry.nonce or await self._outcome(entry) is not None:
            return False
        await asyncio.sleep(INDEXED_S)
        return await self._outcome(entry) is None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a receipt says."""

    is_success: bool
    receipt: TransactionReceipt


def _wei_of(said: Any) -> int:
    """A block's base fee, or an amount."""
    return block_of(said).base_fee_wei if isinstance(said, dict) else int(said, 16)


def _read_outcome(receipts: list[Any]) -> _Outcome | None:
    found = next((one for one in receipts if one is not None), None)
    if found is None:
        return None
    logs = tuple(log_of(log) for log in found["logs"])
    name = bytes.fromhex(found["transactionHash"][2:])
    receipt = TransactionReceipt(name, int(found["blockNumber"], 16), logs)
    return _Outcome(int(found["status"], 16) == 1, receipt)
