"""Closes epochs, step by step, each durable before the next: closed → stored → handed over → anchored.

closed: no receipt can join any more; the blob is on disk, the root signed and kept. stored: a quorum of archives
promised to keep the blob. handed over: a settler has journaled the root. anchored: the finalized chain shows it. Killed
anywhere, it goes on from the last step that is on disk; the root of an epoch is computed and signed once. An empty
epoch has no root.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import closing as ending
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dgrid.core.epochs import EpochClock
from dgrid.core.errors import CheckFailed, DGridError
from dgrid.core.keccak import ZERO_HASH
from dgrid.gateway.court import Court
from dgrid.gateway.facts import ChainFacts
from dgrid.gateway.sealing import ReceiptSealer
from dgrid.settlement.closing import ClosedEpoch, Closing, ClosingRow, close_epoch
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.store.blobs import BlobStore
from dgrid.store.ledger import Ledger
from dgrid.store.ledger_reading import LedgerReader
from dgrid.store.ledger_rows import EpochRow, EpochState, Promise
from dgrid.wire.blob import SignedVoucher, encode_record
from dgrid.wire.messages import EpochRoot, InferenceReceipt, Voucher
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

LOOK_S = 0.25
GRACE_MS = 250  # after an epoch's end: requests being billed at that moment are through
AGAIN_MS = (500, 1000, 2000, 5000)
RECENT_EPOCHS = 64
BLOBS_BYTES_MAX = 64 * 1024**3  # on their way to the archives


class Promised(Protocol):
    """An archive's promise to keep a blob."""

    @property
    def archive(self) -> bytes: ...

    @property
    def signature(self) -> bytes: ...


class Archives(Protocol):
    """Where blobs are kept."""

    async def put(
        self, blob: bytes, *, key: SigningKey, root: SignedRoot | None = None, enough: int = 1
    ) -> Sequence[Promised]:
        """Offers a blob to every archive; the promises of those that took it, by address. An epoch's has its root.

        Once most have taken it, and `enough`, the slowest may be left out.
        """
        ...

    async def fetch(self, blob_id: bytes) -> bytes:
        """Bytes that hash to the name. Raises NetworkUnreachable, CheckFailed."""
        ...


class Settlers(Protocol):
    """Who carries roots to the chain."""

    async def hand_over(self, root: EpochRoot, signature: bytes, *, promises: Sequence[Promise]) -> None:
        """Returns once a settler has journaled the root. Raises DGridError."""
        ...


@dataclass(frozen=True, slots=True)
class Office:
    """What closing needs."""

    key: SigningKey
    domain: Domain
    channels: Domain
    token: bytes
    clock: EpochClock
    quorum: Callable[[], int]  # of archives, as it counts now
    folder: Path
    now_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Partners:
    """Whom a gateway talks to besides clients and nodes."""

    chain: ChainFacts
    archives: Archives
    settlers: Settlers
    court: Court


class EpochCloser:
    """Closes one gateway's epochs."""

    def __init__(self, ledger: Ledger, sealer: ReceiptSealer, *, office: Office, partners: Partners) -> None:
        self.on_step: Callable[[int, EpochState], None] = lambda epoch, state: None
        self._ledger, self._sealer, self._office, self._partners = ledger, sealer, office, partners
        self._reader = LedgerReader(ledger.path)
        self._blobs = BlobStore(office.folder / "epochs", capacity_bytes=BLOBS_BYTES_MAX)
        self._fresh = b"", b""  # the name and the blob of the epoch closed last, for its first way to the archives
        self._failures: dict[int, int] = {}
        self._not_before_ms: dict[int, int] = {}

    async def run(self) -> None:
        """Looks again and again until cancelled."""
        while True:
            try:
                await self.look()
            except DGridError as error:
                logger.error("an epoch could not be closed yet: %s", error.message)
                await asyncio.sleep(1.0)
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Closes what is over and moves every unfinished epoch one step, oldest first."""
        now_ms = self._office.now_ms()
        while (epoch := self._reader.epoch_to_close()) is not None:
            if now_ms < self._office.clock.closes_at_ms(epoch) + GRACE_MS:
                break
            await self._close(epoch)
        for row in self._unfinished():
            if now_ms >= self._not_before_ms.get(row.epoch, 0):
                await self._move_on(row, now_ms)

    def close(self) -> None:
        self._reader.close()

    def _unfinished(self) -> list[EpochRow]:
        """Oldest first; with those that the chain has forgotten, as a dev chain may."""
        chain = self._partners.chain
        recent = self._reader.epochs(RECENT_EPOCHS)
        lost = [
            row
            for row in recent
            if row.state is EpochState.ANCHORED
            and not chain.state.is_degraded
            and chain.anchored_root(row.epoch) is None
        ]
        return sorted([*self._reader.unfinished_epochs(), *lost], key=lambda row: row.epoch)

    # --- closed ---

    async def _close(self, epoch: int) -> None:
        await self._ledger.shut_epoch(epoch)
        await self._sealer.settled()
        closed = await asyncio.to_thread(self._compute, epoch)
        signature = SignedRoot.by(self._office.key, closed.root, domain=self._office.domain).signature
        size = sum(tree.count for tree in closed.tree.lanes.values() if tree is not None)
        await self._ledger.keep_epoch(epoch, size=size, root=closed.root.packed(), signature=signature)
        self._reached(epoch, EpochState.CLOSED)

    def _compute(self, epoch: int) -> ClosedEpoch:
        """The root and blob of an epoch, the blob on disk. In a thread, with a connection of its own."""
        office = self._office
        with ending(LedgerReader(self._ledger.path)) as reader:
            before = [row for row in reader.epochs(1) if row.epoch < epoch]
            previous = EpochRoot.unpacked(before[0].root).struct_hash() if before else ZERO_HASH
            last: dict[bytes, bytes] = {}
            rows = []
            for record in reader.records(epoch):
                place = record.leaf
                rows.append(
                    ClosingRow(
                        place.lane, place.sequence, encode_record(record.record), place.struct_hash, place.fee_wei
                    )
                )
                last[record.channel_id] = record.record.receipt
            vouchers = [self._voucher(reader, channel, receipt) for channel, receipt in sorted(last.items())]
        closing = Closing(office.domain, office.key.address, epoch, office.token, previous)
        closed = close_epoch(closing, rows, vouchers=vouchers)
        if closed is None:
            raise CheckFailed(f"epoch {epoch} has no receipts")
        self._blobs.keep(closed.blob_id, closed.blob)
        self._fresh = closed.blob_id, closed.blob
        return closed

    def _voucher(self, reader: LedgerReader, channel_id: bytes, last: bytes) -> SignedVoucher:
        """The payer's latest voucher; for a channel that this gateway signs for, one over exactly what was spent, as
        its last receipt says, packed.
        """
        config, ceiling, signature = reader.voucher(channel_id)
        if signature is None:
            amount = InferenceReceipt.unpacked(last).totals.payer
            signature = self._office.key.sign(self._office.channels.digest(Voucher(channel_id, amount).struct_hash()))
            return SignedVoucher(config, amount.to_bytes(16, "big"), signature)
        return SignedVoucher(config, ceiling.to_bytes(16, "big"), signature)

    # --- the further steps ---

    async def _move_on(self, row: EpochRow, now_ms: int) -> None:
        try:
            await self._step(row)
            self._failures.pop(row.epoch, None)
            self._not_before_ms.pop(row.epoch, None)
        except DGridError as error:
            count = self._failures[row.epoch] = self._failures.get(row.epoch, 0) + 1
            self._not_before_ms[row.epoch] = now_ms + AGAIN_MS[min(count, len(AGAIN_MS)) - 1]
            logger.warning("epoch %d waits at %s: %s", row.epoch, row.state.value, error.message)

    async def _step(self, row: EpochRow) -> None:
        root = EpochRoot.unpacked(row.root)
        anchored = self._partners.chain.anchored_root(row.epoch)
        if anchored is not None:
            await self._anchored(row, root, anchored)
        elif row.state is EpochState.CLOSED or len(row.promises) < self._office.quorum():  # perhaps raised meanwhile
            await self._store(row, root)
        elif row.state is EpochState.STORED:
            await self._partners.settlers.hand_over(root, row.signature, promises=row.promises)
            await self._advance(row, EpochState.HANDED_OVER, row.promises)
        elif row.state is EpochState.ANCHORED or self._is_overdue(row):
            await self._partners.settlers.hand_over(root, row.signature, promises=row.promises)
            self._not_before_ms[row.epoch] = self._office.now_ms() + AGAIN_MS[-1]

    def _is_overdue(self, row: EpochRow) -> bool:
        """Whether a settler should be reminded: it may have lost its folder."""
        after_ms = self._office.clock.closes_at_ms(row.epoch) + 2 * 1000 * self._office.clock.length_s
        return self._office.now_ms() > after_ms

    async def _store(self, row: EpochRow, root: EpochRoot) -> None:
        blob = await asyncio.to_thread(self._blob, row.epoch, root)
        signed = SignedRoot(root, row.signature)
        wanted = self._office.quorum()
        put = await self._partners.archives.put(blob, key=self._office.key, root=signed, enough=wanted)
        promises = tuple(Promise(one.archive, one.signature) for one in put)
        if len(promises) < wanted:
            raise CheckFailed(f"{len(promises)} of {wanted} archives keep the blob")
        await self._advance(row, EpochState.STORED, promises)

    def _blob(self, epoch: int, root: EpochRoot) -> bytes:
        (fresh, blob), self._fresh = self._fresh, (b"", b"")
        if fresh == root.blob_id:
            return blob
        found = self._blobs.get(root.blob_id)
        if found is None:
            raise CheckFailed(f"the blob of epoch {epoch} is not on disk")
        return found

    async def _anchored(self, row: EpochRow, root: EpochRoot, anchored: EpochRoot) -> None:
        if anchored.struct_hash() != root.struct_hash():
            raise CheckFailed(f"the chain shows another root for epoch {row.epoch}")
        if row.state is not EpochState.ANCHORED:
            await self._advance(row, EpochState.ANCHORED, row.promises)
            await asyncio.to_thread(self._blobs.forget, root.blob_id)

    async def _advance(self, row: EpochRow, state: EpochState, promises: tuple[Promise, ...]) -> None:
        await self._ledger.advance_epoch(row.epoch, state, promises=promises)
        self._reached(row.epoch, state)

    def _reached(self, epoch: int, state: EpochState) -> None:
        self.on_step(epoch, state)
        logger.info("epoch %d is %s", epoch, state.value.replace("_", " "))
