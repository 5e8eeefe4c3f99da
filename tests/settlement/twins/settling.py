"""How a gateway's epochs are settled in both laws: billed, closed, collected, claimed, defaulted on, convicted for."""

from collections import defaultdict
from collections.abc import Iterator

import msgspec
from tests.devnet import key_of
from tests.settlement.books import Work, voucher
from tests.settlement.twins.chain import EPOCH_SECONDS, GENESIS_S, Call, Read
from tests.settlement.twins.money import Payees
from tests.settlement.twins.token import Refused, require
from tests.settlement.twins.world import Twins, address_of, allowed

from dgrid.chain.events import Claimed, Collected, Kind
from dgrid.chain.view import Anchor
from dgrid.core.identity import Address, ListingId
from dgrid.core.keccak import keccak
from dgrid.core.money import BPS, Split
from dgrid.core.places import Place
from dgrid.settlement.archives import stored_digest
from dgrid.settlement.claims import Claimable, claimable
from dgrid.settlement.evidence import documents_of
from dgrid.settlement.faults import BadSplit
from dgrid.settlement.proofs import leaf_arguments, seal_arguments
from dgrid.settlement.records import EpochRecords
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.settlement.splits import SplitTerms, split_faults
from dgrid.watcher.challenges import Challenge, Prosecutor
from dgrid.wire.blob import SignedVoucher, decode_record
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.seals import Seal


def end_of(epoch: int) -> int:
    return GENESIS_S + (epoch + 1) * EPOCH_SECONDS


def bill(world: Twins, gateway: str, work: Work, *, lane: int, split: Split | None = None) -> InferenceReceipt:
    """One answer in the epoch that runs, by what counts in it."""
    books, epoch = world.books[gateway], world.chain.epoch
    books.protocol_bps = world.view.parameters.at(epoch).protocol_bps
    return books.answer(epoch, work, lane=lane, split=split)


def open_epochs(world: Twins, gateway: str) -> list[int]:
    """Those with answers and without a root, oldest first."""
    known = {epoch for of, epoch in world.view.roots if of == address_of(gateway)}
    return sorted(epoch for epoch in world.books[gateway].rows if epoch not in known)


def close(world: Twins, gateway: str, epoch: int) -> None:
    """Waits for the epoch's end and anchors its root, if both laws let it."""
    books, contracts = world.books[gateway], world.contracts
    world.chain.pass_until(end_of(epoch))
    previous = books.previous_root
    closed = books.close(epoch, vouchers=tuple(_vouchers(world, gateway)))
    assert closed is not None
    minimum = world.view.parameters.at(world.chain.epoch).minimum_bond_wei
    root, archive = closed.root, key_of("archive")
    stored = [(archive.address, archive.sign(stored_digest(world.domain, archive.address, blob_id=closed.blob_id)))]
    signature = SignedRoot.by(books.key, root, domain=world.domain).signature
    said = world.both(
        lambda: world.laws.money.anchor(books.key.address, epoch, pot=root.pot, minimum_bond=minimum),
        *("reporter", contracts.settlement, "anchor", root, signature, stored),
    )
    if said.refusal is not None:
        books.previous_root = previous
        return
    world.blobs[closed.blob_id] = closed.blob
    records = _records(world, world.view.roots[books.key.address, epoch])
    assert root.pot == sum(receipt.shares.fee for of_lane in records.blob.receipts.values() for receipt in of_lane)
    world.collections.absorb(records)
    for receipt in _receipts(records):
        both_judge_split(world, records, receipt)


def both_judge_split(world: Twins, records: EpochRecords, receipt: InferenceReceipt) -> Challenge | None:
    """Python finds fault with a receipt's parts exactly where the contract would convict for them; then the call."""
    place, epoch = receipt.place, records.anchor.root.epoch
    record = records.blob.record_at(place.lane, place.sequence)
    faults = list(split_faults(ReceiptDocument.of(record, domain=world.domain), SplitTerms.of(world.view, epoch)))
    held = {(key.lane, key.sequence) for key in documents_of(records, world.domain)}
    assert faults or (place.lane, place.sequence) in held  # what is billed as agreed is somebody's work
    fault = BadSplit("; ".join(faults), Place(epoch, place.lane, place.sequence))
    challenge = _prosecutor(world).bad_split(fault, records)
    call = Call(address_of("reporter"), challenge.contract, challenge.function, challenge.arguments)
    refusal = world.chain.would_refuse(call)
    says = None if refusal is None else refusal.name
    assert says == (None if faults else "NotEvidence"), f"Python finds {faults}, the contract says {says}"
    return challenge if faults else None


def convict(world: Twins, challenge: Challenge) -> None:
    """The reporter proves a fault."""
    charge = challenge.charge
    parameters = world.view.parameters.at(charge.epoch)
    law, reporter = world.laws.money, address_of("reporter")
    call = Call(reporter, challenge.contract, challenge.function, challenge.arguments)
    world.both_do(
        lambda: law.convict(charge.gateway, charge.epoch, reporter, stakes=world.laws.stakes, parameters=parameters),
        call,
    )


def bad_splits(world: Twins) -> Iterator[Challenge]:
    """What stands on chain and can be proved wrong."""
    for anchor in world.records.anchors():
        records = _records(world, anchor)
        for receipt in _receipts(records):
            challenge = both_judge_split(world, records, receipt)
            if challenge is not None:
                yield challenge


def collect(world: Twins) -> None:
    """Draws every channel's debt as the settler would."""
    rows = world.collections.due(world.view)
    standing = [row for row in rows if not _is_void(world, row.proof.opened()[1])]
    for row in standing:
        named = row.channel_id, row.lane
        assert row.due_wei == world.laws.money.due(*named, total=row.total_wei, ceiling=row.ceiling_wei)
    drawn, refused = [], 0
    for row in rows:
        try:
            drawn.append(world.laws.money.collect(row.proof.opened()[1], ceiling=row.ceiling_wei))
        except Refused:  # an earlier row took what there was; or the root is void
            refused += 1
    said = world.both(allowed, "reporter", world.contracts.settlement, "collect", [row.arguments() for row in rows])
    assert [event.amount_wei for event in said.events if isinstance(event, Collected)] == drawn
    assert said.rows_refused == refused


def accounts(world: Twins) -> list[Claimable]:
    """All parties' accounts, as anybody reads them; the same in Python's law."""
    told = claimable(world.records, world.chain.rpc, contracts=world.contracts, now_s=world.chain.now_s)
    found: list[Claimable] = world.chain.run(told)
    for one in found:
        assert one.claimed_wei == world.laws.money.tallies[one.party].claimed
    return found


def claim(world: Twins, rows: list[Claimable]) -> None:
    """Claims what is due in one call; a row that gets nothing leaves the others untouched."""
    paid, refused, arguments = list[int](), 0, []
    for row in rows:
        assert row.proof is not None
        receipt, kind = row.proof.opened()[1], row.party.kind
        assert row.earned_wei == world.laws.money.earned(receipt, kind)
        try:
            amount = world.laws.money.claim(receipt, kind, payees=row.payees)
        except Refused:
            refused += 1
        else:
            assert amount <= row.due_wei
            assert all(row.share_of(payee, amount) == part for payee, part in _by_payee(row.payees, amount).items())
            paid += _parts(row.payees, amount)
        arguments.append((kind, row.proof.arguments()))
    said = world.both(allowed, "reporter", world.contracts.settlement, "claim", arguments)
    assert [event.amount_wei for event in said.events if isinstance(event, Claimed)] == paid
    assert said.rows_refused == refused


def claim_by_default(world: Twins, gateway: str, receipt: InferenceReceipt, kind: Kind) -> None:
    """A sealed receipt of an epoch whose root never came, or was voided."""
    seal = _seal_of(world, gateway, receipt)
    row = kind, leaf_arguments(receipt), seal_arguments(seal)
    payees = payees_of(world, receipt, kind)

    def law() -> None:
        require(is_missing(world, receipt), "RootExpected")
        world.laws.money.claim_by_default(receipt, kind, payees=payees)

    world.both(law, "reporter", world.contracts.settlement, "claimByDefault", row)


def is_missing(world: Twins, receipt: InferenceReceipt) -> bool:
    """Whether nobody need wait for the root any longer."""
    gateway, epoch = Address(receipt.parties.gateway), receipt.place.epoch
    if world.view.is_void(gateway, epoch):
        return True
    until = end_of(epoch) + world.view.parameters.at(epoch).default_seconds
    return (gateway, epoch) not in world.view.roots and world.chain.next_s >= until


def payees_of(world: Twins, receipt: InferenceReceipt, kind: Kind) -> Payees:
    if kind is Kind.NODE:
        return ((receipt.parties.node, BPS),)
    name = ListingId(receipt.parties.listing_id), receipt.parties.listing_version
    listing = world.view.listing_versions[name]
    return tuple(zip(listing.payees, listing.bps, strict=True))


def two_roots(world: Twins, anchor: Anchor, gateway: str) -> Challenge:
    """A gateway signs another root for an anchored epoch, and somebody sees both."""
    key, root = key_of(gateway), anchor.root
    other = msgspec.structs.replace(root, blob_id=keccak(root.blob_id))
    signed = [SignedRoot.by(key, one, domain=world.domain) for one in (root, other)]
    return _prosecutor(world).two_roots(*signed)


def _parts(payees: Payees, amount: int) -> list[int]:
    """As the contract tells of them."""
    if not amount:
        return []
    parts = [amount * bps // BPS for _, bps in payees[:-1]]
    return [*parts, amount - sum(parts)]


def anchor_read(world: Twins, anchor: Anchor) -> Read:
    """What the contract keeps of a root."""
    return Read(world.contracts.settlement, "anchorOf", [anchor.root.gateway, anchor.root.epoch], None)


def _by_payee(payees: Payees, amount: int) -> dict[Address, int]:
    found: dict[Address, int] = defaultdict(int)
    for (payee, _), part in zip(payees, _parts(payees, amount), strict=False):
        found[Address(payee)] += part
    return found


def _vouchers(world: Twins, gateway: str) -> Iterator[SignedVoucher]:
    for name, config in world.configs.items():
        if config.gateway == address_of(gateway) and world.ceilings[name]:
            payer = next(key_of(one) for one in ("payer-1", "payer-2") if address_of(one) == config.payer)
            yield voucher(world.escrow_domain, config, payer, world.ceilings[name])


def _records(world: Twins, anchor: Anchor) -> EpochRecords:
    return world.chain.run(world.records.epoch(anchor))


def _receipts(records: EpochRecords) -> Iterator[InferenceReceipt]:
    for of_lane in records.blob.receipts.values():
        yield from of_lane


def _prosecutor(world: Twins) -> Prosecutor:
    return Prosecutor(world.contracts, world.records, view=lambda: world.view)


def _is_void(world: Twins, receipt: InferenceReceipt) -> bool:
    return world.view.is_void(Address(receipt.parties.gateway), receipt.place.epoch)


def _seal_of(world: Twins, gateway: str, receipt: InferenceReceipt) -> Seal:
    rows = world.books[gateway].rows[receipt.place.epoch]
    row = next(one for one in rows if (one.lane, one.sequence) == (receipt.place.lane, receipt.place.sequence))
    return decode_record(row.record).seal
