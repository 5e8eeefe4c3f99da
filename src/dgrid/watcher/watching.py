"""A watcher's work, step by step: every epoch that was anchored is fetched, recomputed, and held against the others.

What is wrong goes to the contracts, epoch by epoch, oldest first; what was signed and shown to us is held against what
stands there. Believes the finalized chain alone. An epoch counts as checked only when its faults are dealt with, so a
watcher that is killed does it again, and the sender's journal keeps it from saying anything twice.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from dgrid.chain.view import Anchor, ChainView
from dgrid.core.errors import CheckFailed, NetworkUnreachable
from dgrid.core.identity import Address, to_hex
from dgrid.settlement.archives import Archives
from dgrid.settlement.audit import AuditTerms
from dgrid.settlement.faults import (
    BadSplit,
    BrokenTotal,
    Fault,
    Gap,
    Irregular,
    Misplaced,
    MissingPrevious,
    NoWay,
    Unshowable,
    WrongSum,
)
from dgrid.settlement.records import EpochRecords, tree_of
from dgrid.telemetry import WatcherMetrics
from dgrid.watcher.challenges import Challenge, Prosecutor
from dgrid.watcher.checking import Examined, examine, join_with_others, late_faults
from dgrid.watcher.memory import Memory
from dgrid.watcher.sending import Accuser
from dgrid.wire.blob import EpochBlob

logger = logging.getLogger(__name__)

REFUSED_MAX = 8  # challenges of one epoch that the contracts may refuse before it is left
AGAIN_MS = 3_000


@dataclass
class EpochWatch:
    """Checks anchored epochs."""

    archives: Archives
    memory: Memory
    prosecutor: Prosecutor
    accuser: Accuser
    metrics: WatcherMetrics
    terms: Callable[[int], AuditTerms]  # what receipts of an epoch are held to
    now_ms: Callable[[], int]
    away: dict[bytes, str] = field(default_factory=dict)  # digests of roots whose records nobody gives, and why
    _not_before_ms: dict[bytes, int] = field(default_factory=dict)

    async def step(self, view: ChainView) -> None:
        """Checks what is new. Raises ChainUnavailable, RpcError."""
        known = {gateway: self._known(gateway, view) for gateway in {gateway for gateway, _ in view.roots}}
        for anchor in sorted(view.roots.values(), key=lambda anchor: (anchor.root.epoch, anchor.root.gateway)):
            gateway, epoch = Address(anchor.root.gateway), anchor.root.epoch
            if epoch in known[gateway] or view.is_void(gateway, epoch) or self.accuser.is_convicted(gateway, epoch):
                continue
            if self.now_ms() >= self._not_before_ms.get(anchor.digest, 0):
                await self._check(anchor, view)

    def _known(self, gateway: Address, view: ChainView) -> dict[int, bytes]:
        """The checked epochs. A dev chain may lose what was final: then the gateway is looked at anew."""
        known = self.memory.digests(gateway)
        for epoch, digest in known.items():
            anchor = view.roots.get((gateway, epoch))
            if anchor is None or anchor.digest != digest:
                logger.warning("the chain tells another story of %s: it is checked anew", to_hex(gateway))
                self.memory.forget(gateway)
                return {}
        return known

    async def _check(self, anchor: Anchor, view: ChainView) -> None:
        try:
            blob = await self.archives.fetch(anchor.root.blob_id)
        except (CheckFailed, NetworkUnreachable) as error:
            self._note_away(anchor, error.message)
            return
        try:
            records = await asyncio.to_thread(_opened, anchor, blob)
        except CheckFailed as error:
            self._note_away(anchor, error.message)
            return
        examined = await asyncio.to_thread(examine, records, self.terms(anchor.root.epoch))
        if any(isinstance(fault, NoWay | WrongSum) for fault in examined.faults):
            await self._judge_sums(records, examined)
            return
        await self._judge(records, examined, view)

    def _note_away(self, anchor: Anchor, reason: str) -> None:
        if anchor.digest not in self.away:
            logger.warning("epoch %d of %s: %s", anchor.root.epoch, to_hex(anchor.root.gateway), reason)
            self.metrics.epochs.add(1, "away")
        self.away[anchor.digest] = reason
        self._not_before_ms[anchor.digest] = self.now_ms() + AGAIN_MS

    async def _judge_sums(self, records: EpochRecords, examined: Examined) -> None:
        """The records do not lead to the root, or not to its pot: one lie about a sum may be why."""
        text = next(fault.text for fault in examined.faults if isinstance(fault, NoWay | WrongSum))
        challenge = await asyncio.to_thread(self.prosecutor.wrong_sum, records, text)
        if challenge is None or not await self.accuser.accuse(challenge):
            self._note_away(records.anchor, text)

    async def _judge(self, records: EpochRecords, examined: Examined, view: ChainView) -> None:
        """Deals with an epoch's faults, then remembers it."""
        root = records.anchor.root
        gateway = Address(root.gateway)
        roots = [epoch for of, epoch in view.roots if of == gateway]
        joined = join_with_others(examined.checked, self.memory, roots=roots)
        is_convicted = await self._accuse([*examined.faults, *joined], records)
        self.memory.keep(examined.checked)
        self.away.pop(records.anchor.digest, None)
        self._not_before_ms.pop(records.anchor.digest, None)
        if not is_convicted:
            await self._judge_later(records, roots)
        self.metrics.epochs.add(1, "faulty" if examined.faults or joined else "right")
        self.metrics.receipts.add(sum(examined.checked.leaves.values()))
        logger.info(
            "checked epoch %d of %s: %d faults", root.epoch, to_hex(gateway), len(examined.faults) + len(joined)
        )

    async def _judge_later(self, records: EpochRecords, roots: list[int]) -> None:
        gateway, epoch = Address(records.anchor.root.gateway), records.anchor.root.epoch
        for fault in late_faults(self.memory, gateway, epoch=epoch, roots=roots):
            assert isinstance(fault, BrokenTotal | MissingPrevious | Gap)
            later = await self.prosecutor.epoch_at(gateway, fault.later.epoch)
            if await self._accuse([fault], later):
                return

    async def _accuse(self, faults: list[Fault], records: EpochRecords) -> bool:
        """Sends challenges until one convicts."""
        refused = 0
        root = records.anchor.root
        for fault in faults:
            try:
                challenge = await self._challenge(fault, records)
            except (CheckFailed, NetworkUnreachable) as error:
                logger.warning("cannot show that %s: %s", fault.text, error.message)
                continue
            if challenge is None:
                self.accuser.note_unprovable(Address(root.gateway), root.epoch, text=fault.text)
            elif await self.accuser.accuse(challenge):
                return True
            else:
                refused += 1
            if refused == REFUSED_MAX:
                logger.error("the contracts see none of epoch %d's faults as they look from here", root.epoch)
                return False
        return False

    async def _challenge(self, fault: Fault, records: EpochRecords) -> Challenge | None:
        """The call that shows a fault; None where there is none. Raises CheckFailed, NetworkUnreachable."""
        match fault:
            case BrokenTotal():
                return await self.prosecutor.broken_total(fault, records)
            case MissingPrevious():
                return await self.prosecutor.missing_previous(fault, records)
            case Gap():
                return await self.prosecutor.gap(fault, records)
            case Irregular() | NoWay() | WrongSum() | Misplaced() | Unshowable() | BadSplit():
                return None


def _opened(anchor: Anchor, blob: bytes) -> EpochRecords:
    """A blob's records, whether or not they lead to the root. Raises CheckFailed."""
    opened = EpochBlob.decode(blob)
    return EpochRecords(anchor, opened, tree_of(opened))
