"""One tick's writes: gathered as rows, executed in the order that the constraints need, all or none."""

import asyncio
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dgrid.store.ledger_books import Account, Books, OpenHold, Party, PartyKey
from dgrid.store.ledger_rows import AMOUNT_BYTES, Billed, Charge, HoldRequest, LaneLost, Unsealed, UnsealedRecord
from dgrid.store.queries import sql

_READ_FENCE = sql("read_fence")
_INSERT_RECEIPT, _INSERT_BATCH, _INSERT_ORDER = sql("insert_receipt"), sql("insert_batch"), sql("insert_order")
_INSERT_ANSWER, _FINISH_ANSWER, _DELETE_ANSWER = sql("insert_answer"), sql("finish_answer"), sql("delete_answer")
_WRITE_CHANNEL, _WRITE_PARTY, _WRITE_LANE = sql("write_channel"), sql("write_party"), sql("write_lane")

_INDEX_RECEIPTS, _NOTE_INDEXED = sql("index_receipts"), sql("note_indexed")

INDEX_EVERY = 1024
Rows = list[tuple[Any, ...]]
_encode = msgspec.msgpack.Encoder().encode


@dataclass(slots=True)
class Group:
    """The writes of one tick, in the order of their statements."""

    orders: Rows = field(default_factory=list)
    answers: Rows = field(default_factory=list)
    receipts: Rows = field(default_factory=list)
    finished: Rows = field(default_factory=list)
    dropped: Rows = field(default_factory=list)
    batches: Rows = field(default_factory=list)
    others: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    channels: set[bytes] = field(default_factory=set)
    parties: set[PartyKey] = field(default_factory=set)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    unsealed: list[Unsealed] = field(default_factory=list)
    held: list[bytes] = field(default_factory=list)
    ended: dict[bytes, OpenHold] = field(default_factory=dict)
    releasing: list[bytes] = field(default_factory=list)
    moves_lane: bool = False  # also without receipts

    def hold(self, request: HoldRequest, *, made_ms: int) -> None:
        """Adds what is written of a hold."""
        channel, order, key = request.funds.channel_id, request.order, request.idempotency
        self.channels.add(channel)
        self.held.append(request.request_id)
        if order is not None:
            self.orders.append((order.digest, order.deadline_ms))
        if key is not None:
            self.answers.append((channel, key.key, key.body_hash, request.request_id, made_ms))

    def bill(self, charge: Charge, billed: Billed, *, parties: Iterable[PartyKey]) -> None:
        """Adds a receipt, and whose totals it moves."""
        place, channel = billed.receipt.place, billed.receipt.parties.channel_id
        self.receipts.append(receipt_row(charge, billed, channel_id=channel))
        self.unsealed.append(Unsealed(place.epoch, place.sequence, billed.struct_hash, charge.work.node, billed.packed))
        self.channels.add(channel)
        self.parties.update(parties)


def write(db: sqlite3.Connection, group: Group, *, books: Books, fence: int) -> None:
    """Executes a group's statements inside the caller's transaction. Raises LaneLost, sqlite3.Error."""
    many, lane = db.executemany, books.lane
    if group.receipts or group.moves_lane:
        row = (lane.epoch, lane.next_sequence, lane.served_at_ms, wide(lane.protocol_wei), wide(lane.gateway_wei))
        is_ours = db.execute(_WRITE_LANE, (*row, lane.lane, fence)).rowcount == 1
    else:
        is_ours = db.execute(_READ_FENCE, (lane.lane,)).fetchone() == (fence,)
    if not is_ours:
        raise LaneLost("another process writes this ledger's lane")
    if group.receipts:
        many(_INSERT_RECEIPT, group.receipts)
        books.unindexed += len(group.receipts)
        if books.unindexed >= INDEX_EVERY:
            index_receipts(db)
            books.unindexed = 0
    if group.channels:
        many(_WRITE_CHANNEL, [channel_row(channel, books.accounts[channel]) for channel in group.channels])
    if group.parties:
        many(_WRITE_PARTY, [party_row(key, books.parties[key]) for key in group.parties])
    for statement, rows in rarer(group):
        if rows:
            many(statement, rows)
    for statement, values in group.others:
        db.execute(statement, values)


def index_receipts(db: sqlite3.Connection) -> None:
    """Makes the index by request know every receipt."""
    db.execute(_INDEX_RECEIPTS)
    db.execute(_NOTE_INDEXED)


def rarer(group: Group) -> tuple[tuple[str, Rows], ...]:
    """What few requests need."""
    return (
        (_INSERT_ORDER, group.orders),
        (_INSERT_ANSWER, group.answers),
        (_FINISH_ANSWER, group.finished),
        (_DELETE_ANSWER, group.dropped),
        (_INSERT_BATCH, group.batches),
    )


def channel_row(channel_id: bytes, account: Account) -> tuple[Any, ...]:
    amounts = (account.spent_wei, account.committed_wei, account.funded_wei, account.ceiling_wei)
    written = (wide(amount) for amount in amounts)
    return (channel_id, account.config, *written, account.voucher_signature, wide(account.previous))


def account_of(row: tuple[Any, ...]) -> Account:
    """The account in a row of `read_channel`. Nothing is held: the row knows what was when it was written."""
    config, spent, _, funded, ceiling, voucher, previous = row
    return Account(config, amount_of(spent), 0, amount_of(funded), amount_of(ceiling), voucher, amount_of(previous))


def party_row(key: tuple[int, bytes], party: Party) -> tuple[Any, ...]:
    return (*key, wide(party.total_wei), wide(party.previous))


def receipt_row(charge: Charge, billed: Billed, *, channel_id: bytes) -> tuple[Any, ...]:
    """A receipt with the proofs it stands on, for `insert_receipt`."""
    place, proof, work = billed.receipt.place, charge.proof, charge.work
    record = UnsealedRecord(
        billed.packed,
        proof.dispatch,
        proof.dispatch_seal,
        proof.node_receipt,
        proof.node_seal,
        work.model,
        charge.label,
    )
    return (
        *(place.epoch, place.lane, place.sequence, charge.request_id, channel_id, work.node),
        *(billed.struct_hash, wide(billed.fee_wei), _encode(record), charge.salt),
    )


def wide(amount: int) -> bytes:
    """An amount as the rows hold it."""
    return amount.to_bytes(AMOUNT_BYTES, "big")


def amount_of(data: bytes) -> int:
    return int.from_bytes(data, "big")
