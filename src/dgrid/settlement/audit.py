"""Audits an epoch: rebuilds everything from the blob and compares it with the chain, without asking any gateway.

`audit_epoch` is pure; an `Auditor` fetches what it needs from the chain and any one archive. What an audit cannot see:
content (only hashes are public), and leaves that a gateway signed and left out; those a payee shows itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dgrid.chain.view import Anchor
from dgrid.core.epochs import EpochClock
from dgrid.core.errors import CheckFailed, DGridError, NotYet, ReceiptNotFound
from dgrid.core.identity import Address, to_hex
from dgrid.core.money import BPS, Price
from dgrid.core.places import NO_PLACE
from dgrid.settlement.archives import Archives
from dgrid.settlement.proofs import LeafProof
from dgrid.settlement.records import Records, tree_of
from dgrid.wire.blob import EpochBlob, blob_id
from dgrid.wire.documents import ReceiptDocument, Record
from dgrid.wire.messages import EpochRoot, Flag, InferenceReceipt
from dgrid.wire.typed import Domain
from dgrid.wire.verification import verify_receipt

FAILURES_MAX = 100


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
    listings: Mapping[tuple[bytes, int], Price] = field(default_factory=dict)
    protocol_bps: int | None = None  # of the root's epoch, as the one below
    margin_bps_max: int | None = None


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
    failures: tuple[str, ...]
    proof: LeafProof | None = None  # of the one receipt that was asked for

    @property
    def ok(self) -> bool:
        return not self.failures


def audit_epoch(
    blob: bytes, root: EpochRoot, *, onchain_digest: bytes, terms: AuditTerms, request_id: bytes | None = None
) -> AuditReport:
    """Everything that can be checked of one epoch, and the proof of one receipt if its id is given."""
    failures = list(_root_faults(blob, root, onchain_digest))
    try:
        opened = EpochBlob.decode(blob)
        receipts = opened.receipts
        tree = tree_of(opened)
    except DGridError as error:
        return _report(root, failures=[*failures, error.message])
    failures += _header_faults(opened, root, terms.domain)
    failures += _differs("the records' root", tree.records.root.hash, root.records_root)
    failures += _differs("the number of lanes", tree.lane_count, root.lane_count)
    failures += _differs("the pot", tree.pot, root.pot)
    failures += _receipt_faults(opened, root, terms)
    for lane, of_lane in receipts.items():
        failures += _total_faults(lane, of_lane)
    leaves = [receipt for of_lane in receipts.values() for receipt in of_lane]
    proof = None
    if request_id is not None:
        asked = next((leaf for leaf in leaves if leaf.request_id == request_id), None)
        if asked is None:
            failures.append(f"the epoch holds no receipt {to_hex(request_id)}")
        else:
            proof = LeafProof.of(root, tree, receipt=asked)
    return _report(root, failures=failures, leaves=leaves, records_root=tree.records.root.hash, proof=proof)


class Auditor:
    """Audits what the chain holds, with blobs from any archive."""

    def __init__(self, records: Records, archives: Archives, *, domain: Domain) -> None:
        self._records, self._archives, self._domain = records, archives, domain

    async def anchor(self, anchor: Anchor, *, request_id: bytes | None = None) -> AuditReport:
        """Audits one root. Raises CheckFailed and NetworkUnreachable when no archive has the blob."""
        blob = await self._archives.fetch(anchor.root.blob_id)
        versions = self._records.view.listing_versions
        listings: dict[tuple[bytes, int], Price] = {key: listing.price for key, listing in versions.items()}
        view, counted = self._records.view, self._records.view.parameters.at(anchor.root.epoch)
        terms = AuditTerms(self._domain, view.clock, listings, counted.protocol_bps, counted.maximum_margin_bps)
        digest, root = anchor.digest, anchor.root
        return audit_epoch(blob, root, onchain_digest=digest, terms=terms, request_id=request_id)

    async def epoch(self, epoch: int) -> list[AuditReport]:
        """Audits all gateways' roots of an epoch. Raises NotYet when there is none."""
        anchors = [anchor for anchor in self._records.anchors() if anchor.root.epoch == epoch]
        if not anchors:
            raise NotYet(f"nobody has anchored epoch {epoch}", hint="no leaves, no root; else it comes within a minute")
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
    failures: list[str],
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
    shown = tuple(failures[:FAILURES_MAX])
    place = Address(root.gateway), root.epoch
    return AuditReport(*place, records_root, root.records_root, len(shares), sums, root.pot, shown, proof)


def _differs(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        shown = [to_hex(value) if isinstance(value, bytes) else str(value) for value in (found, expected)]
        yield f"{what} is {shown[0]}, not {shown[1]}"


def _root_faults(blob: bytes, root: EpochRoot, onchain_digest: bytes) -> Iterator[str]:
    yield from _differs("the blob's hash", blob_id(blob), root.blob_id)
    yield from _differs("the root's digest", root.struct_hash(), onchain_digest)


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


def _receipt_faults(blob: EpochBlob, root: EpochRoot, terms: AuditTerms) -> Iterator[str]:
    for lane, sequence, record in blob.records():
        for fault in _record_faults(record, (lane, sequence), root, terms):
            yield f"receipt {lane}/{sequence}: {fault}"


def _record_faults(record: Record, place: tuple[int, int], root: EpochRoot, terms: AuditTerms) -> Iterator[str]:
    try:
        document = ReceiptDocument.of(record, domain=terms.domain)
    except ValueError as error:
        yield f"malformed record: {error}"
        return
    receipt = document.receipt
    yield from _differs("its place", tuple(receipt.place.position), (root.epoch, *place))
    yield from _differs("its gateway", receipt.parties.gateway, root.gateway)
    yield from _differs("its token", receipt.parties.token, root.token)
    if terms.clock is not None:
        yield from _differs("the epoch it was served in", terms.clock.epoch_at(receipt.usage.served_at), root.epoch)
    for check in verify_receipt(document):
        if not check.ok:
            yield f"{check.name}: {check.reason}"
    yield from _split_faults(document, terms)


def _split_faults(document: ReceiptDocument, terms: AuditTerms) -> Iterator[str]:
    """The shares against the node's offer, the listing's version and the protocol's cut (PROTOCOL § 3, integers)."""
    receipt, usage = document.receipt, document.receipt.usage
    if usage.flags & (Flag.CACHED | Flag.SUPPORT):
        return
    gross = receipt.shares.node + receipt.shares.protocol
    if terms.protocol_bps is not None:
        yield from _differs("the protocol's share", receipt.shares.protocol, gross * terms.protocol_bps // BPS)
    if terms.margin_bps_max is not None and receipt.shares.gateway > gross * terms.margin_bps_max // BPS:
        yield f"the gateway's share is {receipt.shares.gateway}, above {terms.margin_bps_max} basis points of {gross}"
    price = terms.listings.get((receipt.parties.listing_id, receipt.parties.listing_version))
    if price is not None:
        asked = price.gross(usage.tokens_in, usage.tokens_out)
        yield from _differs("the listing's share", receipt.shares.listing, asked)


def _total_faults(lane: int, receipts: list[InferenceReceipt]) -> Iterator[str]:
    """Each running total is the party's last one plus the share, and `previous` names the leaf of that last one."""
    last: dict[tuple[str, bytes], tuple[int, int]] = {}
    for receipt in receipts:
        where = f"receipt {lane}/{receipt.place.sequence}"
        for name, key, total, share, previous in _lines(receipt):
            before, at = last.get((name, key), (None, None))
            if before is None or at is None:
                if previous == NO_PLACE and total != share:
                    yield f"{where}: the {name}'s first total is {total}, not {share}"
                if previous not in (NO_PLACE, None) and previous >= receipt.place.epoch << 64:
                    yield f"{where}: the {name}'s previous leaf is not there"
            else:
                yield from _differs(f"{where}: the {name}'s total", total, before + share)
                if previous is not None:
                    yield from _differs(f"{where}: the {name}'s previous leaf", previous, at)
            last[(name, key)] = total, receipt.place.position.packed()


def _lines(receipt: InferenceReceipt) -> Iterator[tuple[str, bytes, int, int, int | None]]:
    """(party, key, total, share, previous) of each running total; gateway and protocol have every leaf of the lane."""
    parties, totals, shares, previous = receipt.parties, receipt.totals, receipt.shares, receipt.previous
    yield "payer", parties.channel_id, totals.payer, shares.fee, previous.payer
    yield "node", parties.node, totals.node, shares.node, previous.node
    if any(parties.listing_id):
        key = parties.listing_id + parties.listing_version.to_bytes(4, "big")
        yield "listing", key, totals.listing, shares.listing, previous.listing
    yield "protocol", b"", totals.protocol, shares.protocol, None
    yield "gateway", b"", totals.gateway, shares.gateway, None
