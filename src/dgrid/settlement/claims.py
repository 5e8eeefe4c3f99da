"""What a payee can claim: its running total in its latest leaf, less what it claimed. Needs the chain and any archive.

A leaf pays once its root's challenge window is over; what newer leaves add is shown as waiting. Anyone may send a
claim; the money goes to the party. The gateway and the protocol are paid last, when all payers' channels were
collected.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dgrid.chain.contracts import Contracts, decode_revert
from dgrid.chain.events import Claimed, Kind
from dgrid.chain.reading import event_of
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender, TransactionReceipt
from dgrid.chain.view import Anchor, ChainView
from dgrid.core.identity import NO_LISTING, Address, ListingId, to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import BPS
from dgrid.settlement.finishing import overdue_from_s
from dgrid.settlement.proofs import LeafProof, leaf_arguments, seal_arguments
from dgrid.settlement.records import EpochRecords, Records
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.seals import Seal

ROWS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Party:
    """Whose running total: the key under which the contract keeps what was claimed."""

    gateway: Address
    kind: Kind
    lane: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Claimable:
    """One party's account at one gateway and lane. `proof` is there when something is due."""

    party: Party
    payees: tuple[tuple[Address, int], ...]  # with their basis points
    earned_wei: int  # by the latest leaf whose challenge window is over
    waiting_wei: int  # what later leaves add
    claimed_wei: int
    proof: LeafProof | None

    @property
    def due_wei(self) -> int:
        return max(0, self.earned_wei - self.claimed_wei)

    @property
    def total_due_wei(self) -> int:
        """Due now or soon."""
        return max(0, self.earned_wei + self.waiting_wei - self.claimed_wei)

    def share_of(self, address: Address, amount_wei: int) -> int:
        """A payee's parts, each rounded down; the last of the table has what that leaves, as on chain."""
        left, own = amount_wei, 0
        for at, (payee, bps) in enumerate(self.payees):
            part = left if at + 1 == len(self.payees) else amount_wei * bps // BPS
            left -= part
            own += part if payee == address else 0
        return own


@dataclass(frozen=True, slots=True)
class ClaimOutcome:
    """What a call of `claim` paid, and why rows were refused."""

    paid: tuple[Claimed, ...]
    refused: tuple[str, ...]


@dataclass(slots=True)
class _Account:
    """One party while epochs are read, the newest first."""

    latest: InferenceReceipt
    payees: tuple[tuple[Address, int], ...]
    ready: InferenceReceipt | None = None
    records: EpochRecords | None = field(default=None, repr=False)

    def note(self, receipt: InferenceReceipt, final: EpochRecords | None) -> None:
        """The first leaf of an epoch whose window is over is the one to show."""
        if self.ready is None and final is not None:
            self.ready, self.records = receipt, final


async def claimable(
    records: Records, rpc: Rpc, *, contracts: Contracts, now_s: int, address: Address | None = None
) -> list[Claimable]:
    """Every party's account, or those that pay `address`. Raises CheckFailed, NetworkUnreachable, ChainUnavailable."""
    accounts: dict[Party, _Account] = {}
    for anchor in records.anchors():
        opened = await records.epoch(anchor)
        ready = pays_from_s(records.view, anchor) <= now_s
        for party, receipt in _latest_leaves(opened):
            if party not in accounts:  # epochs come newest first: the first leaf seen is the latest
                accounts[party] = _Account(receipt, _payees(records, receipt, party.kind))
            accounts[party].note(receipt, opened if ready else None)
    wanted = {
        party: account
        for party, account in accounts.items()
        if address is None or any(payee == address for payee, _ in account.payees)
    }
    claimed = await _claimed(rpc, contracts, list(wanted))
    base = records.view.facts.base_share_bps
    return [_claimable(party, account, claimed=claimed[party], base_bps=base) for party, account in wanted.items()]


def pays_from_s(view: ChainView, anchor: Anchor) -> int:
    """When a root's challenge window is over: as long as counted when it was anchored."""
    return anchor.timestamp_ms // 1000 + view.parameters_at(anchor.timestamp_ms).challenge_seconds


async def claim(sender: Sender, contracts: Contracts, *, rows: Sequence[Claimable]) -> ClaimOutcome:
    """Sends what is due. Raises Reverted, ChainUnavailable."""
    due = [row for row in rows if row.due_wei and row.proof is not None]
    paid: list[Claimed] = []
    refused: list[str] = []
    for at in range(0, len(due), ROWS_AT_ONCE):
        batch = due[at : at + ROWS_AT_ONCE]
        arguments = [(row.party.kind, row.proof.arguments()) for row in batch if row.proof is not None]
        receipt = await sender.send(contracts.settlement, "claim", [arguments], label=f"claim:{time.time_ns()}")
        outcome = _outcome(contracts, receipt)
        paid += outcome.paid
        refused += outcome.refused
    return ClaimOutcome(tuple(paid), tuple(refused))


def pays_by_default(view: ChainView, gateway: Address, *, epoch: int, now_s: int) -> bool:
    """Whether sealed receipts of an epoch pay without a root: none came in time, or a conviction voided it."""
    if view.is_void(gateway, epoch):
        return True
    return (gateway, epoch) not in view.roots and now_s >= overdue_from_s(view, epoch)


async def claim_by_default(
    sender: Sender, contracts: Contracts, *, kind: Kind, receipt: InferenceReceipt, seal: Seal, claimed_wei: int = 0
) -> tuple[Claimed, ...]:
    """Claims by a sealed receipt of an epoch whose root never came, and returns what that paid. Sent once for what was
    claimed before: a receipt may pay again when its line grows. Raises Reverted (RootExpected before its time).
    """
    row = kind, leaf_arguments(receipt), seal_arguments(seal)
    label = f"claim-by-default:{kind}:{to_hex(receipt.struct_hash())}:{claimed_wei}"
    sent = await sender.send(contracts.settlement, "claimByDefault", [row], label=label)
    return _outcome(contracts, sent).paid


def party_key(receipt: InferenceReceipt, kind: Kind) -> bytes:
    """The key of a leaf's party, as the contract computes it."""
    parties = receipt.parties
    match kind:
        case Kind.NODE:
            return bytes(12) + parties.node
        case Kind.LISTING:
            return keccak(parties.listing_id + parties.listing_version.to_bytes(32, "big"))
        case Kind.GATEWAY:
            return bytes(12) + parties.gateway
        case Kind.PROTOCOL:
            return bytes(32)


def total_of(receipt: InferenceReceipt, kind: Kind) -> int:
    """The running total of a leaf's party."""
    totals = receipt.totals
    match kind:
        case Kind.NODE:
            return totals.node
        case Kind.LISTING:
            return totals.listing
        case Kind.GATEWAY:
            return totals.gateway
        case Kind.PROTOCOL:
            return totals.protocol


def earned_wei(receipt: InferenceReceipt, kind: Kind, *, base_bps: int) -> int:
    """What of a party's running total a leaf pays: of a node's the base share, rounded down, and of others' all."""
    total = total_of(receipt, kind)
    return total * base_bps // BPS if kind is Kind.NODE else total


def _latest_leaves(records: EpochRecords) -> Iterator[tuple[Party, InferenceReceipt]]:
    """Each party's last leaf in each lane of one epoch."""
    gateway = Address(records.anchor.root.gateway)
    for lane, receipts in records.standing():
        last: dict[Party, InferenceReceipt] = {}
        for receipt in receipts:
            for kind in Kind:
                if kind is not Kind.LISTING or receipt.parties.listing_id != NO_LISTING:
                    last[Party(gateway, kind, lane, party_key(receipt, kind))] = receipt
        yield from last.items()


def _payees(records: Records, receipt: InferenceReceipt, kind: Kind) -> tuple[tuple[Address, int], ...]:
    parties = receipt.parties
    match kind:
        case Kind.NODE:
            return ((Address(parties.node), BPS),)
        case Kind.GATEWAY:
            return ((Address(parties.gateway), BPS),)
        case Kind.PROTOCOL:
            return ((Address(records.view.facts.treasury), BPS),)
        case Kind.LISTING:
            listing = records.view.listing_versions.get((ListingId(parties.listing_id), parties.listing_version))
            return () if listing is None else tuple(zip(listing.payees, listing.bps, strict=True))


def _claimable(party: Party, account: _Account, *, claimed: int, base_bps: int) -> Claimable:
    earned = 0 if account.ready is None else earned_wei(account.ready, party.kind, base_bps=base_bps)
    waiting = earned_wei(account.latest, party.kind, base_bps=base_bps) - earned
    proof = None
    if account.ready is not None and account.records is not None and earned > claimed:
        proof = account.records.proof(account.ready)
    return Claimable(party, account.payees, earned, waiting, claimed, proof)


async def _claimed(rpc: Rpc, contracts: Contracts, parties: Sequence[Party]) -> dict[Party, int]:
    settlement = contracts.settlement
    names = [(party.gateway, party.kind, party.lane, party.key) for party in parties]
    return dict(zip(parties, await settlement.agreed_each(rpc, "claimedOf", names), strict=True))


def _outcome(contracts: Contracts, receipt: TransactionReceipt) -> ClaimOutcome:
    paid: list[Claimed] = []
    refused: list[str] = []
    for log in receipt.logs:
        decoded = contracts.decode_log(log)
        if decoded is None:
            continue
        if decoded.name == "RowRefused":
            refused.append(refusal(decoded.arguments["reason"]))
        elif isinstance(event := event_of(decoded, timestamp_s=0), Claimed):
            paid.append(event)
    return ClaimOutcome(tuple(paid), tuple(refused))


def refusal(reason: bytes) -> str:
    """Why a row of a batch was refused, in words."""
    known = decode_revert(reason)
    return f"unknown reason {to_hex(reason)}" if known is None else known.message
