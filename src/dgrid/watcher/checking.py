"""Checks one epoch: alone, as an audit does, and against the epochs of the same gateway that were checked before.

Needs the records; what to do about a fault is decided elsewhere. An epoch may come after later ones, when its records
were long in coming: then the later ones are held against it too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dgrid.core.identity import Address
from dgrid.settlement.audit import AuditTerms, record_faults
from dgrid.settlement.faults import Fault, limited
from dgrid.settlement.joins import join_faults
from dgrid.settlement.records import EpochRecords
from dgrid.settlement.totals import Stretch, steps_of
from dgrid.watcher.memory import CheckedEpoch, Memory


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one gateway's epochs, as `joins` asks for it."""

    memory: Memory
    gateway: Address
    is_anchored: Callable[[int], bool]
    unknown: frozenset[int]  # anchored epochs whose records were not seen

    def count(self, epoch: int, lane: int) -> int | None:
        """How many leaves a lane has; None where its records are not known, or not any more."""
        if not self.is_anchored(epoch):
            return 0
        if epoch in self.unknown or epoch <= self.memory.forgotten_until(self.gateway):
            return None
        return self.memory.leaves(self.gateway, epoch, lane=lane)

    def is_known_between(self, first: int, last: int) -> bool:
        """Whether all roots after `first` and before `last` were checked and are remembered."""
        if first < self.memory.forgotten_until(self.gateway):
            return False
        return not any(first < epoch < last for epoch in self.unknown)


@dataclass(frozen=True, slots=True)
class Examined:
    """An epoch looked at alone: its faults, and what is to be remembered of it."""

    faults: list[Fault]
    checked: CheckedEpoch


def examine(records: EpochRecords, terms: AuditTerms) -> Examined:
    """Everything that one epoch shows by itself. Takes most of the time; touches no memory."""
    root, receipts = records.anchor.root, records.blob.receipts
    stretches: list[Stretch] = []
    for lane, leaves in receipts.items():
        stretches += steps_of(root.epoch, lane, receipts=leaves)[0]
    counts = {lane: len(leaves) for lane, leaves in receipts.items()}
    checked = CheckedEpoch(Address(root.gateway), root.epoch, records.anchor.digest, counts, stretches)
    return Examined(record_faults(records.blob, records.tree, root=root, terms=terms), checked)


def join_with_others(checked: CheckedEpoch, known: Known) -> list[Fault]:
    """What is wrong between an epoch and those before it."""
    return limited(fault for stretch in checked.stretches for fault in _join(stretch, known))


def late_faults(known: Known, *, epoch: int) -> list[Fault]:
    """What an epoch shows of later ones that were checked before it; it is remembered already."""
    if not known.memory.has_later(known.gateway, epoch):
        return []
    later = list(known.memory.later(known.gateway, epoch))
    return limited(fault for stretch in later for fault in _join(stretch, known))


def _join(stretch: Stretch, known: Known) -> Iterator[Fault]:
    earlier = known.memory.end_before(known.gateway, stretch)
    yield from join_faults(stretch.party, stretch.begin, earlier=earlier, lanes=known)
