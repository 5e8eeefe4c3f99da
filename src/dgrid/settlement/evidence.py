"""Checks what judging roles published, blob by blob: only what its author signed or committed to counts as evidence.

Each function takes bytes that anybody may have put at an archive, and gives facts, or says why they are none. Fetches
nothing.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from dgrid.chain.view import Draw
from dgrid.core.errors import CheckFailed, DGridError
from dgrid.core.identity import to_hex
from dgrid.core.keccak import salted_hash
from dgrid.core.merkle import TreeNode, leaf, root_of_path
from dgrid.poq.evidence import CanaryTruth, LeafFacts
from dgrid.poq.tasks import question_of, task_of
from dgrid.poq.text import reference_score
from dgrid.settlement.records import EpochRecords
from dgrid.wire.documents import ReceiptDocument, Record
from dgrid.wire.grounds import COMPARED_MAX, GROUNDS_BYTES_MAX
from dgrid.wire.messages import EvaluatorReports
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import (
    AMOUNT_BYTES,
    LEAVES_MAX,
    REPORTS_MAX,
    Canaries,
    Canary,
    Content,
    DisclosedLeaf,
    Disclosure,
    LeafKey,
    PayoutKind,
    QualityTable,
    Reports,
    canary_item,
    decode_quality,
    reports_root,
)
from dgrid.wire.signatures import recover
from dgrid.wire.typed import Domain
from dgrid.wire.verification import verify_receipt

PAYOUT_KINDS = frozenset(PayoutKind)
LeafPlace = tuple[int, int]  # lane and sequence, within a known epoch


class NotEvidence(CheckFailed):
    """Something that was published proves nothing: it is not what its author signed or committed to."""

    code = "not_evidence"


class NotHeld(NotEvidence):
    """No archive holds what was published: to whoever asks now it is as if it had not been."""


# --- leaves -----------------------------------------------------------------------------------------------------------


def documents_of(records: EpochRecords, domain: Domain) -> dict[LeafKey, ReceiptDocument]:
    """An epoch's receipts by place, in order. One that does not hold is nobody's work: it is left out."""
    return {key: document for key, document in _documents(records, domain) if _holds(document, key)}


def _documents(records: EpochRecords, domain: Domain) -> Iterator[tuple[LeafKey, ReceiptDocument]]:
    root = records.anchor.root
    for lane, sequence, record in records.blob.records():
        document = _opened(record, domain)
        if document is not None:
            yield LeafKey(root.gateway, root.epoch, lane, sequence), document


def _opened(record: Record, domain: Domain) -> ReceiptDocument | None:
    try:
        return ReceiptDocument.of(record, domain=domain)
    except ValueError:
        return None


def _holds(document: ReceiptDocument, key: LeafKey) -> bool:
    receipt = document.receipt
    place = LeafKey(receipt.parties.gateway, *receipt.place.position)
    return place == key and all(check.ok for check in verify_receipt(document))


def leaf_facts(key: LeafKey, document: ReceiptDocument) -> LeafFacts:
    """What judging needs to know of a leaf."""
    receipt = document.receipt
    return LeafFacts(
        key=key,
        receipt=receipt.struct_hash(),
        node=receipt.parties.node,
        payer=receipt.parties.payer,
        channel_id=receipt.parties.channel_id,
        model_id=receipt.parties.model_id,
        model_digest=document.dispatch.model_digest,
        fee_wei=receipt.shares.fee,
        node_wei=receipt.shares.node,
        protocol_wei=receipt.shares.protocol,
        node_total_wei=receipt.totals.node,
        tokens_in=receipt.usage.tokens_in,
        tokens_out=receipt.usage.tokens_out,
        ttft_ms=receipt.usage.ttft_ms,
        total_ms=receipt.usage.total_ms,
        privacy=receipt.usage.privacy,
        flags=receipt.usage.flags,
    )


def is_signed(content: Content, document: ReceiptDocument) -> bool:
    """Whether request, answer and evidence are those that gateway and node signed."""
    pairs = (
        (document.dispatch.forwarded_hash, content.request),
        (document.node_receipt.output_hash, content.answer.encode()),
        (document.node_receipt.evidence_hash, content.evidence),
    )
    return all(salted_hash(content.salt, data) == signed for signed, data in pairs)


# --- disclosures ------------------------------------------------------------------------------------------------------


def open_disclosure(data: bytes, court: Domain, *, draw: Draw) -> dict[LeafPlace, DisclosedLeaf]:
    """The leaves that a gateway disclosed of a draw. Raises NotEvidence."""
    blob = _decoded(data)
    if not isinstance(blob, Disclosure):
        raise NotEvidence("the blob is no disclosure")
    _same("the disclosure's network", (blob.chain_id, blob.court), (court.chain_id, court.verifying_contract))
    said, drawn = (blob.author, blob.epoch, blob.seed), (draw.gateway, draw.epoch, draw.seed)
    _same("the disclosure's gateway, epoch and seed", said, drawn)
    return {(leaf.lane, leaf.sequence): leaf for leaf in blob.leaves}


# --- reports ----------------------------------------------------------------------------------------------------------


def open_reports(data: bytes, court: Domain, *, said: EvaluatorReports) -> Reports:
    """What an evaluator opened: reports under the root that it revealed, signed by it. Raises NotEvidence."""
    blob = _decoded(data)
    if not isinstance(blob, Reports):
        raise NotEvidence("the blob holds no reports")
    _same("the reports' network", (blob.chain_id, blob.court), (court.chain_id, court.verifying_contract))
    _same("the reports' author and round", (blob.author, blob.round), (said.evaluator, said.round))
    keys = [report.key for report in blob.reports]
    if len(keys) > REPORTS_MAX or any(left >= right for left, right in itertools.pairwise(keys)):
        raise NotEvidence(f"there are more than {REPORTS_MAX} reports, or not each once in the order of their leaves")
    _same("the reports' root", reports_root(blob.reports), said.reports_root)
    _require_grounds(blob)
    try:
        signer = recover(court.digest(said.struct_hash()), blob.signature)
    except DGridError as error:
        raise NotEvidence(f"the reports' signature: {error.message}") from None
    _same("the reports' signer", signer, said.evaluator)
    return blob


def _require_grounds(blob: Reports) -> None:
    """What a report names it shows, within bounds, and nothing else is shown."""
    named = [report.grounds for report in blob.reports if report.grounds]
    if named != [grounds.digest() for grounds in blob.grounds]:
        raise NotEvidence("the grounds are not those that the reports name")
    if sum(len(grounds.encode()) for grounds in blob.grounds) > GROUNDS_BYTES_MAX:
        raise NotEvidence(f"the grounds have more than {GROUNDS_BYTES_MAX} bytes")
    for grounds in blob.grounds:
        if len(grounds.answers) > COMPARED_MAX or not all(answer.fits for answer in grounds.answers):
            raise NotEvidence(f"a report shows more than {COMPARED_MAX} answers, or one that is too long")


# --- canaries ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CanaryPromise:
    """What an author committed to for an epoch, and the gateway whose share of it is opened."""

    author: bytes
    gateway: bytes
    epoch: int
    root: bytes


def open_canaries(
    data: bytes, court: Domain, *, promise: CanaryPromise, documents: Mapping[LeafKey, ReceiptDocument]
) -> dict[LeafKey, CanaryTruth]:
    """What an author's canaries turned out to be, by leaf; those that prove nothing are left out. Raises NotEvidence.

    The contract took the promise from an appointed author only, before the epoch began.
    """
    blob = _decoded(data)
    if not isinstance(blob, Canaries):
        raise NotEvidence("the blob holds no canaries")
    _same("the canaries' network", (blob.chain_id, blob.court), (court.chain_id, court.verifying_contract))
    said = blob.author, blob.gateway, blob.epoch
    _same("the canaries' author, gateway and epoch", said, (promise.author, promise.gateway, promise.epoch))
    if not 0 < len(blob.canaries) <= blob.committed <= LEAVES_MAX:
        raise NotEvidence(f"no canaries are opened, or more than were committed to, or more than {LEAVES_MAX}")
    truths: dict[LeafKey, CanaryTruth] = {}
    used: set[int] = set()
    for canary in blob.canaries:
        key = LeafKey(blob.gateway, blob.epoch, canary.lane, canary.sequence)
        document = documents.get(key)
        if document is None or key in truths or canary.index in used or not _is_party_free(blob, document):
            continue
        if _is_committed(canary, promise.root, count=blob.committed) and _is_answered(canary, document):
            used.add(canary.index)
            truths[key] = CanaryTruth(_score(canary), canary.task, blob.author)
    return truths


def _is_party_free(blob: Canaries, document: ReceiptDocument) -> bool:
    """An author neither serves nor sells its own canaries."""
    return blob.author not in (document.receipt.parties.node, document.receipt.parties.gateway)


def _is_committed(canary: Canary, root: bytes, *, count: int) -> bool:
    """Whether task and answer were known before the epoch began."""
    start = leaf(canary_item(canary.nonce, canary.body, canary.reference))
    path = tuple(TreeNode(step, 0) for step in canary.path)
    try:
        return root_of_path(start, index=canary.index, count=count, path=path).hash == root
    except ValueError:
        return False


def _is_answered(canary: Canary, document: ReceiptDocument) -> bool:
    """Whether the leaf is that task's and the output its answer; the kind of task is the request's own, not claimed."""
    asked = document.receipt.hashes.request == salted_hash(canary.salt, canary.body)
    answered = document.node_receipt.output_hash == salted_hash(canary.salt, canary.output.encode())
    return asked and answered and _kind_fits(canary)


def _kind_fits(canary: Canary) -> bool:
    try:
        return task_of(decode_chat(canary.body)) is canary.task
    except DGridError:
        return False


def _score(canary: Canary) -> int:
    question = question_of(decode_chat(canary.body))
    return reference_score(canary.task, canary.output, canary.reference, question=question)


# --- tables -----------------------------------------------------------------------------------------------------------


def open_table(data: bytes, court: Domain, *, judged_round: int) -> QualityTable:
    """The table of a round, each pay-out of which names an account and an amount. Its name on chain says that it is the
    one. Raises NotEvidence.
    """
    blob = _decoded(data)
    if not isinstance(blob, QualityTable):
        raise NotEvidence("the blob holds no quality table")
    _same("the table's network", (blob.chain_id, blob.court), (court.chain_id, court.verifying_contract))
    _same("the table's round", blob.round, judged_round)
    if not all(row.kind in PAYOUT_KINDS and len(row.total) == AMOUNT_BYTES for row in (*blob.payouts, *blob.waiting)):
        raise NotEvidence("a pay-out of the table names no account, or no amount")
    return blob


def require(holds: bool, reason: str) -> None:  # noqa: FBT001 (a condition)
    """Raises NotEvidence with the reason unless something holds."""
    if not holds:
        raise NotEvidence(reason)


def _decoded(data: bytes) -> msgspec.Struct:
    try:
        return decode_quality(data)
    except CheckFailed as error:
        raise NotEvidence(error.message) from None


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise NotEvidence(f"{what}: {_shown(found)} is not {_shown(expected)}")


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    return to_hex(value) if isinstance(value, bytes) else str(value)
