"""The gateway's ledger: holds, receipts, places and balances in one SQLite file, changed in one transaction a tick.

Whatever is asked within one tick of the event loop (4 ms when many requests are in flight; at once for one alone)
shares one BEGIN IMMEDIATE … COMMIT, and every caller's future resolves after it. The books in memory are checked first;
the named constraints of `queries/schema.sql` are the second line. When a write fails, nothing of that tick has
happened: the books are read again from the file and every caller gets StorageUnavailable.

A hold ends with its process, so it stands in memory alone, unless something of it must be known afterwards: a signed
request, an idempotency key. After a failed write holds are written too, until one succeeds: no work goes out unbilled.

A commit survives kill −9. It survives a power cut once `sync` has returned, so receipts are signed only after that.
Refuses: to share a lane. A lock on the folder keeps a second process out, a fencing number in every write keeps out one
that was presumed dead.
"""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from dgrid.core.epochs import EpochClock
from dgrid.core.errors import DGridError, IdempotencyConflict, SignatureReplayed, StorageUnavailable
from dgrid.machine.database import transaction
from dgrid.store.gathering import Gathering
from dgrid.store.ledger_books import NODE_KIND, Account, Books, Lane, OpenHold, Party, parties_of
from dgrid.store.ledger_file import (
    CHECKPOINT_ROWS,
    LEDGER_NAME,
    lock_folder,
    open_database,
    shorten_log,
    storage_failure,
)
from dgrid.store.ledger_group import Group, account_of, amount_of, index_receipts, write
from dgrid.store.ledger_rows import (
    AccountState,
    Billed,
    BudgetExceeded,
    Charge,
    EpochState,
    Funds,
    HoldRequest,
    KnownAnswer,
    LaneLost,
    Promise,
    SealedBatch,
    StoredAnswer,
    Unsealed,
)
from dgrid.store.queries import sql
from dgrid.wire.messages import InferenceReceipt

logger = logging.getLogger(__name__)

ANSWER_KEPT_MS = 24 * 3600 * 1000
ANSWER_BYTES_MAX = 16 * 1024 * 1024
RELEASE_AGAIN_S = 0.5
LANE = 0

_encode = msgspec.msgpack.Encoder().encode
_decode_answer = msgspec.msgpack.Decoder(StoredAnswer).decode


class Ledger:
    """One lane's ledger. Open it once in a process; every method belongs to the event loop's thread."""

    def __init__(self, folder: Path, *, gateway: bytes, clock: EpochClock, now_ms: Callable[[], int]) -> None:
        self.path = folder / LEDGER_NAME
        self.on_billed: Callable[[list[Unsealed]], None] = lambda unsealed: None
        self.before_commit: Callable[[], None] = lambda: None  # may raise OSError: then nothing is committed
        self._gateway, self._clock, self._now_ms = gateway, clock, now_ms
        self._lock = lock_folder(folder)
        self._db = open_database(self.path)
        self._open_holds: dict[bytes, OpenHold] = {}
        self._pending_keys: dict[tuple[bytes, str], tuple[bytes, bytes]] = {}
        self._orders: dict[bytes, int] = {}
        self._group: Group | None = None
        self._gathering = Gathering(self._commit, under_way=self._open_holds.__len__)
        self._wal: int | None = None
        self._rows_moved = 0  # of all rows changed, those that were changed before the last checkpoint
        self._stale = False  # the books may say what the file does not
        self._is_failing = False  # the last write did
        self.fence = self._take_lane()  # grows with each opening: numbers made with it are unique for good
        self._books = self._read_books()

    def _take_lane(self) -> int:
        """Makes the lane ours; what a dead process left in flight is released, and its half-done answers forgotten."""
        try:
            self._db.executescript(sql("schema"))
            with transaction(self._db):
                self._db.execute(sql("create_lane"), (LANE,))
                self._db.execute(sql("take_lane"), (LANE,))
                self._db.execute(sql("release_commitments"))
                self._db.execute(sql("delete_pending_answers"))
                index_receipts(self._db)
        except sqlite3.Error as error:
            raise StorageUnavailable(f"cannot open the ledger {self.path}: {error}") from error
        return int(self._db.execute(sql("read_lane"), (LANE,)).fetchone()[0])

    def _read_books(self) -> Books:
        fence, epoch, sequence, served_at_ms, protocol, gateway = self._db.execute(sql("read_lane"), (LANE,)).fetchone()
        if fence != self.fence:
            raise LaneLost("another process writes this ledger's lane")
        lane = Lane(LANE, epoch, sequence, served_at_ms, amount_of(protocol), amount_of(gateway))
        return Books(self._gateway, lane)

    # --- the money path ---

    def hold(self, request: HoldRequest) -> asyncio.Future[None]:
        """Sets a request's worst-case fee aside, until it is billed or released, or this process ends.

        When the future is done, a signed order and an idempotency key are durable. Raises BudgetExceeded,
        SignatureReplayed or IdempotencyConflict at once; the future raises StorageUnavailable.
        """
        funds, key, loop = request.funds, request.idempotency, asyncio.get_running_loop()
        if self._stale:
            self._reload()
        account = self._account(funds)
        self._refuse_repetitions(request)
        account.hold(request.amount_wei, funds)
        self._open_holds[request.request_id] = OpenHold(funds, request.amount_wei, key.key if key else None)
        if key is None and request.order is None and not self._is_failing:
            held: asyncio.Future[None] = loop.create_future()
            held.set_result(None)
            return held
        if request.order is not None:
            self._orders[request.order.digest] = request.order.deadline_ms
        if key is not None:
            self._pending_keys[funds.channel_id, key.key] = key.body_hash, request.request_id
        group = self._group_now()
        group.hold(request, made_ms=self._now_ms())
        return self._wait(group)

    def release(self, request_id: bytes) -> asyncio.Future[None]:
        """Frees a hold that ends without a fee, and its idempotency key. A hold that is gone already is no error."""
        group = self._group_now()
        hold = self._open_holds.get(request_id)
        if hold is not None:
            channel = hold.funds.channel_id
            self._account(hold.funds).release(hold.amount_wei)
            group.ended[request_id] = self._open_holds.pop(request_id)
            group.releasing.append(request_id)
            group.channels.add(channel)
            if hold.idempotency_key is not None:
                self._pending_keys.pop((channel, hold.idempotency_key), None)
                group.dropped.append((channel, hold.idempotency_key))
        return self._wait(group)

    def serving(self) -> tuple[int, int]:
        """The moment and the epoch of a receipt that is billed at once: none will bear an earlier one."""
        if self._stale:
            self._reload()
        served_at_ms = self._books.lane.raise_floor(self._now_ms())
        return served_at_ms, self._clock.epoch_at(served_at_ms)

    def bill(self, charge: Charge, keep: Callable[[Billed], None] | None = None) -> tuple[Billed, asyncio.Future[None]]:
        """Turns a hold into a receipt at its place, with all running totals; durable when the future is done.

        `keep` is told of the receipt before it can be committed.
        """
        group, books = self._group_now(), self._books
        hold = self._open_holds[charge.request_id]
        self._account(hold.funds)
        parties = parties_of(charge)
        for key in parties:
            self._party(key)
        group.ended[charge.request_id] = self._open_holds.pop(charge.request_id)
        served_at_ms = books.lane.raise_floor(charge.served_at_ms or self._now_ms())
        epoch = self._clock.epoch_at(served_at_ms)
        receipt = books.charge(charge, hold, parties=parties, served_at_ms=served_at_ms, epoch=epoch)
        packed = receipt.packed()
        billed = Billed(receipt, InferenceReceipt.hash_of(packed), packed)
        group.bill(charge, billed, parties=parties)
        if hold.idempotency_key is not None:
            self._write_answer(group, charge, (hold.funds.channel_id, hold.idempotency_key))
        if keep is not None:
            keep(billed)
        return billed, self._wait(group)

    def _write_answer(self, group: Group, charge: Charge, key: tuple[bytes, str]) -> None:
        self._pending_keys.pop(key, None)
        if charge.answer is None or len(charge.answer.body) > ANSWER_BYTES_MAX:
            group.dropped.append(key)  # too large to be given again; the key may be used anew
        else:
            group.finished.append((_encode(charge.answer), *key))

    def _refuse_repetitions(self, request: HoldRequest) -> None:
        order, key = request.order, request.idempotency
        if order is not None and (
            order.digest in self._orders or self._one(sql("read_order"), (order.digest,)) is not None
        ):
            raise SignatureReplayed("this signed request was served before", hint="sign it with another nonce")
        if key is not None and self.known_answer(request.funds.channel_id, key.key) is not None:
            raise IdempotencyConflict("another request with this idempotency key is in progress")

    def known_answer(self, channel_id: bytes, key: str) -> KnownAnswer | None:
        """What is known of an idempotency key of this channel within the last 24 h."""
        if (pending := self._pending_keys.get((channel_id, key))) is not None:
            return KnownAnswer(*pending, None)
        row = self._one(sql("read_answer"), (channel_id, key))
        if row is None:
            return None
        body_hash, request_id, made_ms, stored = row
        if made_ms < self._now_ms() - ANSWER_KEPT_MS:
            return None
        return KnownAnswer(body_hash, request_id, _decode_answer(stored) if stored else None)

    def account_state(self, channel_id: bytes) -> AccountState:
        """What a channel has spent and holds."""
        account = self._books.accounts.get(channel_id) or self._read_account(channel_id)
        if account is None:
            return AccountState(0, 0, 0)
        return AccountState(account.spent_wei, account.held_wei, account.ceiling_wei, account.voucher_signature)

    def node_total(self, node: bytes) -> int:
        """What this gateway has ever owed a node, in wei."""
        return self._party((NODE_KIND, node)).total_wei

    @property
    def open_holds(self) -> int:
        return len(self._open_holds)

    def _account(self, funds: Funds) -> Account:
        accounts = self._books.accounts
        account = accounts.get(funds.channel_id)
        if account is None:
            account = self._read_account(funds.channel_id) or Account(funds.config)
            accounts[funds.channel_id] = account
        return account

    def _read_account(self, channel_id: bytes) -> Account | None:
        row = self._one(sql("read_channel"), (channel_id,))
        holds = [(name, hold) for name, hold in self._open_holds.items() if hold.funds.channel_id == channel_id]
        if row is None and not holds:
            return None
        account = account_of(row) if row is not None else Account(holds[0][1].funds.config)
        for name, hold in holds:
            try:
                account.hold(hold.amount_wei, hold.funds)
            except BudgetExceeded:  # its fee could not be written, and a later hold has what that fee had left over
                del self._open_holds[name]
        return account

    def _party(self, key: tuple[int, bytes]) -> Party:
        parties = self._books.parties
        if (party := parties.get(key)) is None:
            row = self._one(sql("read_party"), key)
            party = parties[key] = Party(amount_of(row[0]), amount_of(row[1])) if row else Party()
        return party

    def keep_batches(self, batches: list[SealedBatch]) -> asyncio.Future[None]:
        """Stores the signatures over receipts; durable against kill −9 when the future is done."""
        group = self._group_now()
        group.batches += [(LANE, batch.epoch, batch.first_sequence, batch.size, batch.signature) for batch in batches]
        return self._wait(group)

    def shut_epoch(self, epoch: int) -> asyncio.Future[None]:
        """From now on no receipt can belong to `epoch` or an earlier one, even if the clock goes back."""
        group = self._group_now()
        self._books.lane.raise_floor(self._clock.closes_at_ms(epoch))
        group.moves_lane = True
        return self._wait(group)

    def keep_epoch(self, epoch: int, *, size: int, root: bytes, signature: bytes) -> asyncio.Future[None]:
        """Stores a closed epoch's signed root."""
        group = self._group_now()
        group.others.append((sql("insert_epoch"), (epoch, size, root, signature, _encode(()))))
        return self._wait(group)

    def advance_epoch(self, epoch: int, state: EpochState, *, promises: tuple[Promise, ...]) -> asyncio.Future[None]:
        """Stores how far an epoch's closing has come."""
        group = self._group_now()
        group.others.append((sql("advance_epoch"), (state.value, _encode(promises), epoch)))
        return self._wait(group)

    def forget_expired(self) -> asyncio.Future[None]:
        """Drops answers older than 24 h and signed orders whose deadline has passed."""
        now_ms, group = self._now_ms(), self._group_now()
        self._orders = {digest: deadline for digest, deadline in self._orders.items() if deadline >= now_ms}
        group.others.append((sql("delete_old_orders"), (now_ms,)))
        group.others.append((sql("delete_old_answers"), (now_ms - ANSWER_KEPT_MS,)))
        return self._wait(group)

    # --- group commit ---

    def _group_now(self) -> Group:
        if self._stale:
            self._reload()
        if self._group is None:
            self._group = Group()
        return self._group

    def _wait(self, group: Group) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        group.waiting.append(future)
        self._gathering.join(loop, len(group.waiting))
        return future

    def _commit(self) -> None:
        group, self._group = self._group, None
        if group is None:
            return
        try:
            self.before_commit()
            with transaction(self._db):
                write(self._db, group, books=self._books, fence=self.fence)
        except (sqlite3.Error, OSError, LaneLost) as error:
            self._fail(group, error)
            return
        self._is_failing = False
        for future in group.waiting:
            if not future.done():
                future.set_result(None)
        if group.unsealed:
            self.on_billed(group.unsealed)

    def _fail(self, group: Group, error: Exception) -> None:
        """Nothing of the group has happened: its holds are gone, those it would have ended stand, and the books follow
        the file.
        """
        logger.error("the ledger could not be written: %s", error)
        failure = error if isinstance(error, LaneLost) else storage_failure(error)
        self._open_holds.update(group.ended)
        for request_id in group.held:
            self._open_holds.pop(request_id, None)
        self._stale = self._is_failing = True
        try:
            self._reload()
        except DGridError as second:
            logger.error("the ledger could not be read again: %s", second)
        for future in group.waiting:
            if not future.done():
                future.set_exception(failure)
        if group.releasing and not isinstance(error, LaneLost):
            asyncio.get_running_loop().call_later(RELEASE_AGAIN_S, self._release_again, group.releasing)

    def _reload(self) -> None:
        """Reads the books again."""
        try:
            self._books = self._read_books()
        except sqlite3.Error as error:
            raise storage_failure(error) from error
        self._pending_keys.clear()
        self._orders.clear()
        self._stale = False

    def _release_again(self, requests: list[bytes]) -> None:
        """What could not be released while the disk was full."""
        for request_id in requests:
            try:
                self.release(request_id).add_done_callback(_forgive)
            except DGridError:
                asyncio.get_running_loop().call_later(RELEASE_AGAIN_S, self._release_again, [request_id])

    # --- reading, syncing, ending ---

    def _one(self, statement: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self._db.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise storage_failure(error) from error
        return row

    def sync(self) -> None:
        """Brings every commit so far to the disk; for a thread. Raises StorageUnavailable."""
        try:
            if self._wal is None:
                self._wal = os.open(f"{self.path}-wal", os.O_RDWR)
            os.fdatasync(self._wal)
        except OSError as error:
            raise storage_failure(error) from error

    @property
    def log_is_long(self) -> bool:
        """Whether a checkpoint is due. The log's size does not tell: its file is written over, and never shrinks."""
        return self._db.total_changes - self._rows_moved >= CHECKPOINT_ROWS

    def checkpoint(self) -> None:
        """Moves the log into the file; for a thread."""
        self._rows_moved = self._db.total_changes
        shorten_log(self.path)

    def close(self) -> None:
        """Writes what is waiting and lets the lane go."""
        self._commit()
        self._db.close()
        for handle in (self._lock, *([] if self._wal is None else [self._wal])):
            os.close(handle)


def _forgive(future: asyncio.Future[None]) -> None:
    """A release that failed again has been put off again; nobody waits for it."""
    if not future.cancelled():
        future.exception()
