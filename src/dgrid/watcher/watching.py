"""A watcher's work, step by step: every epoch that was anchored is fetched, recomputed, and held against the others.

What is wrong goes to the contracts, epoch by epoch, oldest first; what was signed and shown to us is held against what
stands there. Believes the finalized chain alone. An epoch counts as checked only when its faults are dealt with, so a
watcher that is killed does it again, and the sender's journal keeps it from saying anything twice.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field

from dgrid.chain.backlog import Backlog
from dgrid.chain.view import Anchor, ChainView
from dgrid.core.errors import (
    CheckFailed,
    InvalidSignature,
    NetworkUnreachable,
    StorageUnavailable,
)
from dgrid.core.identity import Address, to_hex
from dgrid.core.places import Place
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
from dgrid.watcher.backing_off import Backoff
from dgrid.watcher.challenges import Challenge, Prosecutor
from dgrid.watcher.checking import Examined, Known, examine, join_with_others, late_faults
from dgrid.watcher.demanding import Demander
from dgrid.watcher.evidence import Evidence, HeldReceipt
from dgrid.watcher.memory import Memory
from dgrid.watcher.sending import Accuser
from dgrid.wire.blob import EpochBlob
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

REFUSED_MAX = 8  # challenges of one epoch that the contracts may refuse before it is left
AGAIN_MS = 3_000
UNASKED_MS = 60_000


@dataclass(frozen=True, slots=True)
class _Lost:
    """What to ask for of a root that is not over its blob's records."""

    text: str
    leaves: dict[int, int]  # how many, by lane
    places: tuple[Place, ...]  # below which a lie about a sum is
    answers: int  # that were seen when this was found out


@dataclass
class EpochWatch:
    """Checks anchored epochs."""

    archives: Archives
    memory: Memory
    evidence: Evidence
    prosecutor: Prosecutor
    accuser: Accuser
    demander: Demander
    metrics: WatcherMetrics
    terms: Callable[[int], AuditTerms]  # what receipts of an epoch are held to
    domain: Domain
    now_ms: Callable[[], int]
    patience_ms: int
    backoff: Backoff
    away: dict[bytes, int] = field(default_factory=dict)  # since when nobody gives a root's records, by its digest
    _not_before_ms: dict[bytes, int] = field(default_factory=dict)
    _backlog: Backlog[tuple[Address, int], Anchor] = field(default_factory=Backlog)  # roots that were not checked
    _lost: dict[bytes, _Lost] = field(default_factory=dict)  # roots whose blobs lead nowhere, by digest

    async def step(self, view: ChainView) -> None:
        """Checks what is new, each epoch whatever became of the others. Raises ChainUnavailable."""
        self._look_for_unchecked(view)
        new = [one for (gateway, epoch), one in self._backlog.left.items() if not view.is_void(gateway, epoch)]
        self._forget_all_but({one.digest for one in new})
        for anchor in sorted(new, key=lambda anchor: (anchor.root.epoch, anchor.root.gateway)):
            gateway, epoch = Address(anchor.root.gateway), anchor.root.epoch
            if self.accuser.is_convicted(gateway, epoch):
                continue
            if self.now_ms() >= self._not_before_ms.get(anchor.digest, 0) and self.backoff.is_due(anchor.digest):
                with self.backoff.trying(anchor.digest, f"epoch {epoch} of {to_hex(gateway)} is not checked"):
                    await self._check(anchor, view)

    def _forget_all_but(self, digests: Set[bytes]) -> None:
        """What is noted of roots that were checked, or taken away."""
        for noted in (self.away, self._not_before_ms, self._lost):
            for digest in noted.keys() - digests:
                del noted[digest]
        self.demander.forget(digests)

    def _look_for_unchecked(self, view: ChainView) -> None:
        """A dev chain may lose what was final: then the gateway is looked at anew."""
        for gateway in view.last_epochs:
            if not all(self._are_same(gateway, span, view) for span in self._backlog.changed(view.roots)):
                logger.warning("the chain tells another story of %s: it is checked anew", to_hex(gateway))
                self.memory.forget(gateway)
                self._backlog.look_anew()
        self._backlog.look(view.roots, lambda span: self._unchecked(span, view))

    def _are_same(self, gateway: Address, span: range, view: ChainView) -> bool:
        """Whether the chain has all that was checked."""
        checked = self.memory.digests(gateway, span).items()
        anchors = ((view.roots.get((gateway, epoch)), digest) for epoch, digest in checked)
        return all(anchor is not None and anchor.digest == digest for anchor, digest in anchors)

    def _unchecked(self, span: range, view: ChainView) -> dict[tuple[Address, int], Anchor]:
        checked = {gateway: self.memory.digests(gateway, span) for gateway in view.last_epochs}
        found = view.roots.between(span.start, span.stop)
        return {(gateway, epoch): anchor for (gateway, epoch), anchor in found if epoch not in checked[gateway]}

    async def _check(self, anchor: Anchor, view: ChainView) -> None:
        """Fetches an epoch and deals with what is wrong in it."""
        lost = self._lost.get(anchor.digest)
        if lost is not None and lost.answers == len(self.demander.answered(anchor)):
            await self._ask_for(anchor, lost)
            return
        started_ms = self.now_ms()
        try:
            blob = await self.archives.fetch(anchor.root.blob_id)
        except (CheckFailed, NetworkUnreachable) as error:
            await self._is_away(anchor, error.message)
            return
        try:
            records = await asyncio.to_thread(_opened, anchor, blob)
        except CheckFailed as error:
            await self._leads_nowhere(anchor, {}, text=error.message)
            return
        examined = await asyncio.to_thread(examine, records, self.terms(anchor.root.epoch))
        if any(isinstance(fault, NoWay | WrongSum) for fault in examined.faults):
            await self._judge_sums(records, examined)
        else:
            await self._judge(records, examined, view)
        self.metrics.duration.observe(self.now_ms() - started_ms)

    async def _is_away(self, anchor: Anchor, reason: str) -> None:
        """No archive gives the records: they are asked for again, and after a while demanded."""
        first_ms = self.away.setdefault(anchor.digest, self.now_ms())
        self._not_before_ms[anchor.digest] = self.now_ms() + AGAIN_MS
        if self.now_ms() - first_ms < self.patience_ms:
            logger.info("epoch %d of %s: %s", anchor.root.epoch, to_hex(anchor.root.gateway), reason)
        else:
            await self.demander.want_any(anchor, {}, reason=reason)

    async def _leads_nowhere(
        self, anchor: Anchor, counts: dict[int, int], *, text: str, places: Iterable[Place] = ()
    ) -> None:
        """What the blob holds is not what the root is over, and never will be."""
        self.away.setdefault(anchor.digest, self.now_ms())
        answers = len(self.demander.answered(anchor))
        lost = self._lost[anchor.digest] = _Lost(text, counts, tuple(places), answers)
        await self._ask_for(anchor, lost)

    async def _ask_for(self, anchor: Anchor, lost: "_Lost") -> None:
        if not await self.demander.want_below(anchor, lost.places, reason=lost.text):
            await self.demander.want_any(anchor, lost.leaves, reason=lost.text)

    async def _judge_sums(self, records: EpochRecords, examined: Examined) -> None:
        """The records do not lead to the root, or not to its pot: one lie about a sum may be why."""
        text = next(fault.text for fault in examined.faults if isinstance(fault, NoWay | WrongSum))
        found = await asyncio.to_thread(self.prosecutor.wrong_sum, records, text)
        challenge, places = (None, [found]) if isinstance(found, Place) else (found, [])
        if found is None:
            challenge, places = await self._several_sums(records, text)
        if challenge is None or not await self.accuser.accuse(challenge):
            await self._leads_nowhere(records.anchor, examined.checked.leaves, text=text, places=places)

    async def _several_sums(self, records: EpochRecords, text: str) -> tuple[Challenge | None, list[Place]]:
        """What the answers so far show of several lies: one of them, or below which places they are, the deepest first.

        Raises ChainUnavailable, RpcError.
        """
        places: list[Place] = []
        for demand in self.demander.answered(records.anchor):
            shown = await self.demander.shown(demand, records)
            found = [] if shown is None else list(self.prosecutor.shown_sums(shown, records, text=text))
            for one in found:
                if isinstance(one, Challenge):
                    return one, []
            places = [one for one in found if isinstance(one, Place)] + places
        return None, places

    async def _judge(self, records: EpochRecords, examined: Examined, view: ChainView) -> None:
        """Deals with an epoch's faults, then remembers it."""
        root = records.anchor.root
        gateway = Address(root.gateway)
        joined = join_with_others(examined.checked, self._known(gateway, view))
        faults = [*examined.faults, *joined]
        is_convicted = await self._accuse(faults, records)
        if not is_convicted and not await self._has_asked(faults, records):
            self._not_before_ms[records.anchor.digest] = self.now_ms() + UNASKED_MS  # perhaps there is a deposit then
            return
        self.memory.keep(examined.checked)
        self._backlog.done((gateway, root.epoch))
        self.away.pop(records.anchor.digest, None)
        self._not_before_ms.pop(records.anchor.digest, None)
        if not is_convicted:
            await self._judge_later(records, view)
        self.metrics.epochs.add(1, "faulty" if faults else "right")
        self.metrics.receipts.add(sum(examined.checked.leaves.values()))
        logger.info(
            "checked epoch %d of %s: %d faults", root.epoch, to_hex(gateway), len(examined.faults) + len(joined)
        )

    def _known(self, gateway: Address, view: ChainView) -> Known:
        unchecked = frozenset(epoch for of, epoch in self._backlog.left if of == gateway)
        return Known(self.memory, gateway, lambda epoch: (gateway, epoch) in view.roots, unchecked)

    async def _judge_later(self, records: EpochRecords, view: ChainView) -> None:
        gateway, epoch = Address(records.anchor.root.gateway), records.anchor.root.epoch
        for fault in late_faults(self._known(gateway, view), epoch=epoch):
            assert isinstance(fault, BrokenTotal | MissingPrevious | Gap)
            try:
                later = await self.prosecutor.epoch_at(gateway, fault.later.epoch)
            except (CheckFailed, NetworkUnreachable) as error:
                logger.warning("cannot show that %s: %s", fault.text, error.message)
                continue
            if await self._accuse([fault], later):
                return

    async def _accuse(self, faults: list[Fault], records: EpochRecords) -> bool:
        """Sends challenges until one convicts; asks for what can be shown by asking alone."""
        astray = [fault for fault in faults if isinstance(fault, Misplaced)]
        refused = 0
        for fault in astray or faults:  # a leaf that stands astray makes nonsense of the totals around it
            try:
                challenge = await self._challenge(fault, records)
            except (CheckFailed, NetworkUnreachable) as error:
                logger.warning("cannot show that %s: %s", fault.text, error.message)
                continue
            if challenge is None:
                self._note(fault, records)
            elif await self.accuser.accuse(challenge):
                return True
            elif (refused := refused + 1) == REFUSED_MAX:
                break
        return False

    def _note(self, fault: Fault, records: EpochRecords) -> None:
        """What no challenge is about can only be said; what can be asked for is asked for."""
        root = records.anchor.root
        if not isinstance(fault, Misplaced | Unshowable):
            self.accuser.note_unprovable(Address(root.gateway), root.epoch, text=fault.text)

    async def _has_asked(self, faults: list[Fault], records: EpochRecords) -> bool:
        """Whoever says that a record stands somewhere may be asked for it: one that cannot be shown is enough."""
        asked = next((fault for fault in faults if isinstance(fault, Misplaced | Unshowable)), None)
        return asked is None or await self.demander.want(records.anchor, asked.place, reason=asked.text)

    def _as_omitted(self, fault: Misplaced, records: EpochRecords) -> Challenge | None:
        """A leaf signed for another place of the epoch is missing there; one of another epoch is kept until then."""
        record = records.blob.record_at(fault.place.lane, fault.place.sequence)
        held = HeldReceipt(InferenceReceipt.unpacked(record.receipt), record.seal)
        root = records.anchor.root
        if (held.gateway, held.receipt.parties.token) != (root.gateway, root.token):
            return None
        try:
            held.check(self.domain)
            if held.place.epoch == root.epoch:
                return self.prosecutor.omitted(held, records)
            self.evidence.hold_receipt(held)
        except (InvalidSignature, CheckFailed, StorageUnavailable) as error:
            logger.info("%s, and its seal shows nothing: %s", fault.text, error.message)
        return None

    async def _challenge(self, fault: Fault, records: EpochRecords) -> Challenge | None:
        """The call that shows a fault; None where there is none. Raises CheckFailed, NetworkUnreachable."""
        match fault:
            case BrokenTotal():
                return await self.prosecutor.broken_total(fault, records)
            case MissingPrevious():
                return await self.prosecutor.missing_previous(fault, records)
            case Gap():
                return await self.prosecutor.gap(fault, records)
            case BadSplit():
                return self.prosecutor.bad_split(fault, records)
            case Misplaced():
                return self._as_omitted(fault, records)
            case Irregular() | NoWay() | WrongSum() | Unshowable():
                return None


def _opened(anchor: Anchor, blob: bytes) -> EpochRecords:
    """A blob's records, whether or not they lead to the root. Raises CheckFailed."""
    opened = EpochBlob.decode(blob)
    return EpochRecords(anchor, opened, tree_of(opened))
