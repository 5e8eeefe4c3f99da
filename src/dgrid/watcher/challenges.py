"""From a fault to the call that proves it: `Challenges.sol` 1 to 4, `Splits.sol` 5, argument for argument.

A call is built from records that lead to their roots; what no record can show has no call. Sends nothing.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from dgrid.chain.contracts import Contract, Contracts
from dgrid.chain.view import Anchor, ChainView
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import ZERO_HASH
from dgrid.core.places import Place
from dgrid.settlement.faults import BadSplit, BrokenTotal, Gap, MissingPrevious
from dgrid.settlement.proofs import LaneWay, LeafProof, absence, lane_proof, leaf_arguments, seal_arguments
from dgrid.settlement.records import EpochRecords, Records
from dgrid.settlement.shown_sums import lies_beside, lies_shown
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.settlement.sums import Lie, wrong_sum
from dgrid.watcher.evidence import HeldReceipt
from dgrid.watcher.overcharges import Overcharge
from dgrid.wire.messages import Dispatch, EpochRoot, InferenceReceipt, NodeReceipt

logger = logging.getLogger(__name__)

IDLE_ROOTS_MAX = 500  # more do not fit one transaction

LaneProof = tuple[Any, ...]
_UNREAD_ROOT = EpochRoot(bytes(20), 0, bytes(20), ZERO_HASH, 0, ZERO_HASH, 0, ZERO_HASH)
_UNREAD_LANE: LaneProof = (_UNREAD_ROOT, 0, (0, 0, ZERO_HASH, 0), ())
_UNREAD_ABSENCE = (_UNREAD_LANE, ZERO_HASH, 0, ())


class Number(IntEnum):
    """A challenge's number in the contracts' events."""

    OMITTED = 1
    DOUBLE = 2
    BROKEN_TOTAL = 3
    WRONG_POT = 4
    BAD_SPLIT = 5
    WITHHELD = 6


@dataclass(frozen=True, slots=True)
class Charge:
    """Who is accused of what."""

    number: Number
    gateway: Address
    epoch: int  # from which on its roots become void
    text: str

    def label(self, function: str) -> str:
        """Names the intent in the sender's journal: one of a kind for an epoch is enough."""
        return f"challenge:{function}:{to_hex(self.gateway)}:{self.epoch}"


@dataclass(frozen=True, slots=True)
class Challenge:
    """A call that convicts a gateway if the contract agrees."""

    charge: Charge
    contract: Contract
    function: str
    arguments: Sequence[Any]

    @property
    def label(self) -> str:
        return self.charge.label(self.function)


class Prosecutor:
    """Builds the calls of one network."""

    def __init__(self, contracts: Contracts, records: Records, *, view: Callable[[], ChainView]) -> None:
        self._contracts, self._records, self._view = contracts, records, view

    async def broken_total(self, fault: BrokenTotal, records: EpochRecords) -> Challenge | None:
        """3. None when the idle roots in between are too many. Raises CheckFailed, NetworkUnreachable."""
        later = proof_at(records, fault.later)
        earlier = (
            () if fault.earlier is None else (proof_at(await self._epoch_of(fault.earlier, records), fault.earlier),)
        )
        idle: list[LaneProof] | None = []
        if fault.party.has_whole_lane and fault.later.sequence == 0:
            idle = await self._idle(records, fault)
        if idle is None:
            return None
        charge = _charge(Number.BROKEN_TOTAL, records, text=fault.text)
        arguments = later.arguments(), [one.arguments() for one in earlier], idle
        return self._call(charge, "proveBrokenTotal", fault.party, *arguments)

    async def missing_previous(self, fault: MissingPrevious, records: EpochRecords) -> Challenge:
        """3. Raises CheckFailed, NetworkUnreachable."""
        later, named = proof_at(records, fault.later), fault.named
        lane = _UNREAD_LANE
        if (Address(records.anchor.root.gateway), named.epoch) in self._view().roots:
            lane = lane_of(await self._epoch_of(named, records), named.lane)
        charge = _charge(Number.BROKEN_TOTAL, records, text=fault.text)
        return self._call(charge, "proveMissingPrevious", fault.party, later.arguments(), lane)

    async def gap(self, fault: Gap, records: EpochRecords) -> Challenge:
        """3. Raises CheckFailed, NetworkUnreachable."""
        between = proof_at(await self._epoch_of(fault.between, records), fault.between)
        later, charge = proof_at(records, fault.later), _charge(Number.BROKEN_TOTAL, records, text=fault.text)
        return self._call(charge, "proveGap", fault.party, later.arguments(), between.arguments())

    def bad_split(self, fault: BadSplit, records: EpochRecords) -> Challenge:
        """5. Raises ValueError, CheckFailed when the record cannot be read."""
        place = fault.place
        record = records.blob.record_at(place.lane, place.sequence)
        proof, usage = proof_at(records, place), InferenceReceipt.unpacked(record.receipt).usage
        opened = NodeReceipt.unpacked(record.node_receipt), Dispatch.unpacked(record.dispatch)
        charge = _charge(Number.BAD_SPLIT, records, text=fault.text)
        return Challenge(charge, self._contracts.splits, "proveBadSplit", (proof.arguments(), usage, *opened))

    async def above_maximum(self, found: Overcharge) -> Challenge | None:
        """5. None when a receipt is not at its place, which convicts too. Raises CheckFailed, NetworkUnreachable."""
        proofs = []
        for held in found.receipts:
            if (found.gateway, held.place.epoch) not in self._view().roots:
                return None
            records = await self.epoch_at(found.gateway, held.place.epoch)
            if self.omitted(held, records) is not None:
                return None
            proofs.append(records.proof(held.receipt).arguments())
        text = f"{len(proofs)} receipts charge {found.charged_wei} wei, the request allows {found.request.max_fee}"
        charge = Charge(Number.BAD_SPLIT, found.gateway, found.epoch, text)
        return Challenge(charge, self._contracts.splits, "proveAboveMaximum", (found.request, proofs))

    def wrong_sum(self, records: EpochRecords, text: str) -> Challenge | Place | None:
        """4. Or the place that nobody can answer for; None when no single sum explains the root.

        The records need not lead to it.
        """
        found = wrong_sum(records.tree, records.anchor.root, receipts=records.blob.receipts)
        return found if found is None else self._of_sum(found, records, text)

    def shown_sums(
        self, shown: LeafProof | LaneWay, records: EpochRecords, *, text: str
    ) -> Iterator[Challenge | Place]:
        """4. What was shown under the root says of the sums beside it: lies, or where to ask for them."""
        root, tree, receipts = records.anchor.root, records.tree, records.blob.receipts
        if isinstance(shown, LaneWay):
            lies = lies_beside(shown, tree, root=root, receipts=receipts)
        else:
            lies = lies_shown(shown, tree, receipts=receipts)
        try:
            yield from (self._of_sum(found, records, text) for found in lies)
        except ValueError as error:
            logger.info("what was shown says nothing of the sums: %s", error)

    def _of_sum(self, found: Lie | Place, records: EpochRecords, text: str) -> Challenge | Place:
        if isinstance(found, Place):
            return found
        root, (trail, receipt) = records.anchor.root, found
        charge = _charge(Number.WRONG_POT, records, text=text)
        if receipt is None:
            return self._call(charge, "proveWrongPot", root, trail.arguments())
        return self._call(charge, "proveWrongFee", root, leaf_arguments(receipt), trail.arguments())

    def omitted(self, held: HeldReceipt, records: EpochRecords) -> Challenge | None:
        """1. None when the receipt stands at its place."""
        place = held.place
        of_lane = records.blob.receipts.get(place.lane, [])
        found = of_lane[place.sequence] if place.sequence < len(of_lane) else None
        if found is not None and found.struct_hash() == held.receipt.struct_hash():
            return None
        what = "is not there" if found is None else "stands there altered"
        charge = _charge(Number.OMITTED, records, text=f"receipt {_at(place)} {what}")
        shown = absence(records.anchor.root, records.tree, place=place, found=found)
        return self._call(charge, "proveOmitted", *_signed(held), shown)

    def passed_over(self, held: HeldReceipt) -> Challenge:
        """1. A receipt of an epoch that the gateway went past without a root."""
        text = f"receipt {_at(held.place)} has no root, and a later epoch has"
        charge = Charge(Number.OMITTED, held.gateway, held.place.epoch, text)
        return self._call(charge, "proveOmitted", *_signed(held), _UNREAD_ABSENCE)

    def double_place(self, one: HeldReceipt, other: HeldReceipt) -> Challenge:
        """2. Two receipts for one place."""
        text = f"two receipts are signed for {_at(one.place)}"
        charge = Charge(Number.DOUBLE, one.gateway, one.place.epoch, text)
        return self._call(charge, "proveDoublePlace", *_signed(one), *_signed(other))

    def two_roots(self, one: SignedRoot, other: SignedRoot) -> Challenge:
        """2. Two roots for one epoch."""
        charge = Charge(Number.DOUBLE, one.gateway, one.root.epoch, "two roots are signed for the epoch")
        return self._call(charge, "proveTwoRoots", one.root, one.signature, other.root, other.signature)

    async def _epoch_of(self, place: Place, records: EpochRecords) -> EpochRecords:
        if place.epoch == records.anchor.root.epoch:
            return records
        return await self.epoch_at(Address(records.anchor.root.gateway), place.epoch)

    async def epoch_at(self, gateway: Address, epoch: int) -> EpochRecords:
        """The records of another epoch. Raises CheckFailed, NetworkUnreachable."""
        return await self._records.epoch(self._records.anchor(gateway, epoch))

    async def _idle(self, records: EpochRecords, fault: BrokenTotal) -> list[LaneProof] | None:
        """The roots between the leaf's and that of the lane's leaf before, newest first."""
        since = -1 if fault.earlier is None else fault.earlier.epoch
        between = [
            anchor
            for (gateway, _), anchor in self._view().roots.between(since + 1, fault.later.epoch)
            if gateway == records.anchor.root.gateway
        ]
        if len(between) > IDLE_ROOTS_MAX:
            return None
        between.sort(key=lambda anchor: -anchor.root.epoch)
        return [await self._lane_in(anchor, fault.later.lane) for anchor in between]

    async def _lane_in(self, anchor: Anchor, lane: int) -> LaneProof:
        if lane >= anchor.root.lane_count:
            return anchor.root, lane, (lane, 0, ZERO_HASH, 0), ()
        return lane_of(await self._records.epoch(anchor), lane)

    def _call(self, charge: Charge, function: str, *arguments: object) -> Challenge:
        return Challenge(charge, self._contracts.challenges, function, arguments)


def _charge(number: Number, records: EpochRecords, *, text: str) -> Charge:
    root = records.anchor.root
    return Charge(number, Address(root.gateway), root.epoch, text)


def proof_at(records: EpochRecords, place: Place) -> LeafProof:
    """The proof of the leaf at a place."""
    return records.proof(records.blob.receipts[place.lane][place.sequence])


def lane_of(records: EpochRecords, lane: int) -> LaneProof:
    """What the epoch's root holds for a lane."""
    return lane_proof(records.anchor.root, records.tree, lane=lane)


def _signed(held: HeldReceipt) -> tuple[Any, ...]:
    return leaf_arguments(held.receipt), seal_arguments(held.seal)


def _at(place: Place) -> str:
    return f"{place.lane}/{place.sequence} of epoch {place.epoch}"
