"""Audits an epoch: rebuilds everything from the blob and compares it with the chain, without asking any gateway.

`audit_epoch` is pure; an `Auditor` fetches what it needs from the chain and any one archive. What an audit cannot see:
content (only hashes are public), and leaves that a gateway signed and left out; those a payee shows itself. How totals
go on from other epochs is a watcher's to see, who keeps them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dgrid.chain.view import Anchor, ChainView
from dgrid.core.epochs import EpochClock
from dgrid.core.errors import CheckFailed, DGridError, NotYet, ReceiptNotFound
from dgrid.core.identity import Address, to_hex
from dgrid.core.places import Place
from dgrid.settlement.archives import Archives
from dgrid.settlement.faults import BadSplit, Fault, Irregular, Misplaced, NoWay, Unshowable, WrongSum, limited
from dgrid.settlement.joins import OneEpoch, join_faults
from dgrid.settlement.proofs import LeafProof
from dgrid.settlement.records import NO_ROOT_YET, Records, tree_of
from dgrid.settlement.splits import SplitTerms, is_opened, is_whole, split_faults
from dgrid.settlement.totals import steps_of
from dgrid.wire.blob import EpochBlob, EpochTree, blob_id
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import EpochRoot, InferenceReceipt
from dgrid.wire.typed import Domain
from dgrid.wire.verification import verify_receipt

FAILURES_MAX = 100
NOTHING_KNOWN = SplitTerms()
SPLITS_CHECKS = ("shares", "usage", "links")  # what `splits` found wrong already, by the contract's rules


@dataclass(frozen=True, slots=True)
class Sums:
    """All fees of an epoch and their parts."""

    fee_wei: int = 0
    node_wei: int = 0
    listing_wei: int = 0
    protocol_wei: int = 0
    gateway_wei: int = 0


@dataclass(frozen=True, slots=True)
class AuditTerms:
    """What receipts are held to besides themselves; empty where the auditor does not know."""

    domain: Domain
    clock: EpochClock | None = None
    splits: SplitTerms = NOTHING_KNOWN

    @classmethod
    def of(cls, view: ChainView, epoch: int, *, domain: Domain) -> "AuditTerms":
        """What the chain holds the receipts of an epoch to."""
        return cls(domain, view.clock, SplitTerms.of(view, epoch))


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found; `ok` when nothing is wrong."""

    gateway: Address
    epoch: int
    records_root: bytes  # as rebuilt; zero when the blob cannot be read
    onchain_root: bytes
    count: int
    sums: Sums
    pot_wei: int
    faults: tuple[Fault, ...]
    proof: LeafProof | None = None  # of the one receipt that was asked for

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def failures(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        return tuple(fault.text for fault in self.faults[:FAILURES_MAX])


def audit_epoch(
    blob: bytes, root: EpochRoot, *, onchain_digest: bytes, terms: AuditTerms, request_id: bytes | None = None
) -> AuditReport:
    """Everything that can be checked of one epoch, and the proof of one receipt if its id is given."""
    faults: list[Fault] = [*_root_faults(blob, root, onchain_digest)]
    try:
        opened = EpochBlob.decode(blob)
        receipts, tree = opened.receipts, tree_of(opened)
    except DGridError as error:
        return _report(root, faults=[*faults, NoWay(error.message)])
    faults += record_faults(opened, tree, root=root, terms=terms)
    leaves = [receipt for of_lane in receipts.values() for receipt in of_lane]
    proof = None
    if request_id is not None:
        asked = next((leaf for leaf in leaves if leaf.request_id == request_id), None)
        if asked is None:
            faults.append(Irregular(f"the epoch holds no receipt {to_hex(request_id)}"))
        else:
            proof = LeafProof.of(root, tree, receipt=asked)
    return _report(root, faults=faults, leaves=leaves, records_root=tree.records.root.hash, proof=proof)


def record_faults(blob: EpochBlob, tree: EpochTree, *, root: EpochRoot, terms: AuditTerms) -> list[Fault]:
    """What is wrong with an opened blob beside its root, and inside."""
    return limited(_record_faults(blob, tree, root, terms))


def _record_faults(blob: EpochBlob, tree: EpochTree, root: EpochRoot, terms: AuditTerms) -> Iterator[Fault]:
    yield from map(Irregular, _header_faults(blob, root, terms.domain))
    yield from map(NoWay, _differs("the records' root", tree.records.root.hash, root.records_root))
    yield from map(NoWay, _differs("the number of lanes", tree.lane_count, root.lane_count))
    yield from map(WrongSum, _differs("the pot", tree.pot, root.pot))
    yield from _receipt_faults(blob, root, terms)
    for lane, of_lane in blob.receipts.items():
        _, steps = steps_of(root.epoch, lane, receipts=of_lane)
        for step in steps:
            yield from join_faults(step.party, step.later, earlier=step.earlier, lanes=OneEpoch())


class Auditor:
    """Audits what the chain holds, with blobs from any archive."""

    def __init__(self, records: Records, archives: Archives, *, domain: Domain) -> None:
        self._records, self._archives, self._domain = records, archives, domain

    async def anchor(self, anchor: Anchor, *, request_id: bytes | None = None) -> AuditReport:
        """Audits one root. Raises CheckFailed and NetworkUnreachable when no archive has the blob."""
        blob = await self._archives.fetch(anchor.root.blob_id)
        terms = AuditTerms.of(self._records.view, anchor.root.epoch, domain=self._domain)
        digest, root = anchor.digest, anchor.root
        return audit_epoch(blob, root, onchain_digest=digest, terms=terms, request_id=request_id)

    async def epoch(self, epoch: int) -> list[AuditReport]:
        """Audits all gateways' roots of an epoch. Raises NotYet when there is none."""
        anchors = [anchor for anchor in self._records.anchors() if anchor.root.epoch == epoch]
        if not anchors:
            raise NotYet(f"nobody has anchored epoch {epoch}", hint=NO_ROOT_YET)
        return [await self.anchor(anchor) for anchor in anchors]

    async def receipt(self, request_id: bytes) -> AuditReport:
        """Finds a receipt, newest epochs first, and audits its epoch. Raises ReceiptNotFound."""
        for anchor in self._records.anchors():
            try:
                records = await self._records.epoch(anchor)
            except CheckFailed:  # a blob that does not fit its root may be the one: audit says what is wrong with it
                report = await self.anchor(anchor, request_id=request_id)
                if report.proof is not None:
                    return report
                continue
            if records.find(request_id) is not None:
                return await self.anchor(anchor, request_id=request_id)
        raise ReceiptNotFound(
            f"no anchored epoch holds the receipt {to_hex(request_id)}", hint="its epoch may still be open: --wait"
        )


def _report(
    root: EpochRoot,
    *,
    faults: list[Fault],
    leaves: list[InferenceReceipt] | None = None,
    records_root: bytes = bytes(32),
    proof: LeafProof | None = None,
) -> AuditReport:
    shares = [leaf.shares for leaf in leaves or ()]
    sums = Sums(
        sum(share.fee for share in shares),
        sum(share.node for share in shares),
        sum(share.listing for share in shares),
        sum(share.protocol for share in shares),
        sum(share.gateway for share in shares),
    )
    place = Address(root.gateway), root.epoch
    return AuditReport(*place, records_root, root.records_root, len(shares), sums, root.pot, tuple(faults), proof)


def _differs(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        shown = [to_hex(value) if isinstance(value, bytes) else str(value) for value in (found, expected)]
        yield f"{what} is {shown[0]}, not {shown[1]}"


def _root_faults(blob: bytes, root: EpochRoot, onchain_digest: bytes) -> Iterator[Fault]:
    yield from map(NoWay, _differs("the blob's hash", blob_id(blob), root.blob_id))
    yield from map(Irregular, _differs("the root's digest", root.struct_hash(), onchain_digest))


def _header_faults(blob: EpochBlob, root: EpochRoot, domain: Domain) -> Iterator[str]:
    header = blob.header
    yield from _differs("the blob's chain", header.chain_id, domain.chain_id)
    yield from _differs("the blob's settlement contract", header.settlement, domain.verifying_contract)
    yield from _differs("the blob's gateway", header.gateway, root.gateway)
    yield from _differs("the blob's epoch", header.epoch, root.epoch)
    yield from _differs("the blob's token", header.token, root.token)
    lanes = [lane.lane for lane in header.lanes]
    if lanes != sorted(set(lanes)) or not all(lane.record_sizes for lane in header.lanes):
        yield "the blob's lanes are not in ascending order, each with records"


def _receipt_faults(blob: EpochBlob, root: EpochRoot, terms: AuditTerms) -> Iterator[Fault]:
    for lane, sequence, record in blob.records():
        place, what = Place(root.epoch, lane, sequence), f"receipt {lane}/{sequence}: "
        try:
            document = ReceiptDocument.of(record, domain=terms.domain)
        except ValueError as error:
            yield Unshowable(f"{what}malformed record: {error}", place)
            continue
        yield from (Misplaced(what + text, place) for text in _place_faults(document.receipt, place, root))
        yield from _document_faults(document, place, root=root, terms=terms)


def _place_faults(receipt: InferenceReceipt, place: Place, root: EpochRoot) -> Iterator[str]:
    yield from _differs("its place", tuple(receipt.place.position), tuple(place))
    yield from _differs("its gateway", receipt.parties.gateway, root.gateway)
    yield from _differs("its token", receipt.parties.token, root.token)


def _document_faults(document: ReceiptDocument, place: Place, *, root: EpochRoot, terms: AuditTerms) -> Iterator[Fault]:
    what = f"receipt {place.lane}/{place.sequence}: "
    if terms.clock is not None:
        served = terms.clock.epoch_at(document.receipt.usage.served_at)
        yield from map(Irregular, _differs(f"{what}the epoch it was served in", served, root.epoch))
    wrong = [*split_faults(document, terms.splits)] if is_opened(document) else []
    yield from (BadSplit(f"{what}{text}", place) for text in wrong)
    for check in verify_receipt(document):
        text = f"{what}{check.name}: {check.reason}"
        if check.ok or (wrong and check.name in SPLITS_CHECKS):
            continue
        yield Irregular(text) if is_whole(document) else Unshowable(text, place)
