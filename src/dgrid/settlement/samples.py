"""Samples as a case's members read them: only what the accused node itself signed counts, and all of it.

Before it opens a case about a node's model its opener has asked that node itself, while nobody was accused; its blob
shows the requests, and the node's own receipts over the replies. So a node that runs the true model only while a case
is open convicts itself. The requests follow from a seed and a salt, each with the seed that its reply is drawn under:
whoever asks can neither pick those that suit it nor draw a reply again until it does, only stop after some number of
them. An opener's salt is the secret that it had committed to before anybody knew the seed (`binding`). What this cannot
bind: where a gateway that lies for the asker cuts a reply; and what differs when a node answers the same request twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from dgrid.chain.case_events import Outcome
from dgrid.chain.case_view import Case
from dgrid.chain.view import ChainView
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.settlement.binding import is_bound
from dgrid.settlement.evidence import NotEvidence, is_signed, require
from dgrid.settlement.hearings import terms_of
from dgrid.wire.documents import ReceiptDocument, Record
from dgrid.wire.messages import NOT_WHOLE
from dgrid.wire.openai import ABOUT_THE_WAY
from dgrid.wire.quality import SAMPLES_MAX, Content, Sample, Samples, decode_quality
from dgrid.wire.typed import Domain
from dgrid.wire.verification import verify_receipt

WriteSample = Callable[[bytes, str], bytes]
"""The body of a request: from 32 bytes of chance and a model's name. All evaluators write them alike."""

DISPATCH_MS_MAX = 15 * 60_000  # a node takes no dispatch that ends later: its own clock bounds when it was asked
SEED_BYTES = 6  # as many as a gateway draws for who asks for no seed: the dispatch looks like any other
SWORN_MS_MAX = 60 * 60_000  # older samples say nothing of the node as it is


@dataclass(frozen=True, slots=True)
class SampleTerms:
    """What samples are checked against."""

    domain: Domain  # the receipts'
    court: Domain
    write: WriteSample


@dataclass(frozen=True, slots=True)
class Question:
    """One request of a set, and the seed of its dispatch: not in the body, by which the node would know it."""

    body: bytes
    seed: int


def fresh_salt(salt: bytes) -> bytes:
    """What a juror's own set follows from, of the salt that seals its vote: its blob shows this, and not that."""
    return keccak(b"DGrid fresh samples" + salt)


def sample_chance(seed: bytes, salt: bytes, *, index: int) -> bytes:
    """What a set's request of this number is made from."""
    return keccak(b"DGrid sample" + seed + salt + index.to_bytes(4, "big"))


def sample_questions(
    seeds: tuple[bytes, bytes], *, model: str, numbers: range, write: WriteSample
) -> Iterator[Question]:
    """The requests of these numbers under (seed, salt), in order."""
    for index in numbers:
        chance = sample_chance(*seeds, index=index)
        drawn = keccak(b"DGrid sample seed" + chance)[:SEED_BYTES]
        yield Question(write(chance, model), int.from_bytes(drawn, "big"))


def record_of(document: ReceiptDocument) -> Record:
    """A receipt as a blob holds it."""
    return Record(
        document.receipt.packed(),
        document.seal,
        document.dispatch.packed(),
        document.dispatch_seal,
        document.node_receipt.packed(),
        document.node_seal,
        document.model,
        document.label,
    )


def open_sworn(data: bytes, case: Case, *, view: ChainView, terms: SampleTerms) -> list[Content]:
    """What the opener of a case about a node's model asked it beforehand. Raises NotEvidence unless all of it holds."""
    blob = _samples_of(case.opener, data, case=case, terms=terms)
    seeds = blob.seed, blob.salt
    bound = is_bound(view, case.opener, seeds=seeds, at_ms=case.opened_ms)
    require(bound, "its opener had not committed to this salt before the seed existed")
    count, asked = terms_of(view, case).case_samples, len(blob.samples)
    require(0 < asked <= SAMPLES_MAX and asked % count == 0, f"the samples are not whole sets of {count}")
    documents = _documents_of(blob, terms)
    questions = sample_questions(seeds, model=blob.model, numbers=range(asked), write=terms.write)
    since_ms = _since_ms(view, case)
    for sample, document, question in zip(blob.samples, documents, questions, strict=True):
        _check(sample, document, case=case, question=question)
        _check_time(document, since_ms=since_ms)
    return [sample.content for sample in blob.samples]


def open_fresh(
    data: bytes, case: Case, *, member: Address, view: ChainView, stage: int, terms: SampleTerms
) -> list[Content]:
    """What a member asked the node in a hearing, as far as it came. Raises NotEvidence unless all of it holds.

    It is for who doubts a vote, and binds nobody: a member could keep replies back, and try salts.
    """
    blob = _samples_of(member, data, case=case, terms=terms)
    require(blob.seed == case.hearings[stage].seed, "the samples are not of this hearing")
    count = terms_of(view, case).case_samples
    require(len(blob.samples) <= count, f"the samples are more than {count}")
    documents = _documents_of(blob, terms)
    asked = sample_questions((blob.seed, blob.salt), model=blob.model, numbers=range(count), write=terms.write)
    questions = {question.seed: question for question in asked}
    for sample, document in zip(blob.samples, documents, strict=True):
        question = questions.pop(document.dispatch.seed, None)
        if question is None:
            raise NotEvidence("a reply is to none of the requests, or to one of them once more")
        _check(sample, document, case=case, question=question)
    return [sample.content for sample in blob.samples]


def _samples_of(author: Address, data: bytes, *, case: Case, terms: SampleTerms) -> Samples:
    """One evaluator's samples of the accused."""
    try:
        blob = decode_quality(data)
    except CheckFailed as error:
        raise NotEvidence(error.message) from None
    if not isinstance(blob, Samples):
        raise NotEvidence("the blob holds no samples")
    require(blob.author == author, "the samples are another evaluator's")
    require((blob.node, blob.model_digest) == (case.accused, case.matter), "the samples are of another node or model")
    here = terms.court.chain_id, terms.court.verifying_contract
    require((blob.chain_id, blob.court) == here, "the samples are of another network")
    return blob


def _documents_of(blob: Samples, terms: SampleTerms) -> list[ReceiptDocument]:
    try:
        documents = [ReceiptDocument.of(sample.record, domain=terms.domain) for sample in blob.samples]
    except ValueError as error:
        raise NotEvidence(f"malformed receipt: {error}") from None
    require(len({one.receipt.request_id for one in documents}) == len(documents), "a reply is shown twice")
    return documents


def _check(sample: Sample, document: ReceiptDocument, *, case: Case, question: Question) -> None:
    faults = [check.reason for check in verify_receipt(document) if not check.ok]
    require(not faults, f"a receipt does not hold: {'; '.join(faults)}")
    dispatch = document.dispatch
    require((dispatch.node, dispatch.model_digest) == (case.accused, case.matter), "a receipt is of another node")
    require(not document.receipt.usage.flags & NOT_WHOLE, "a reply is not the node's own, or not whole")
    require(is_signed(sample.content, document), "a reply is not what was signed")
    require(is_asked(sample.content.request, question.body), "a request does not follow from seed and salt")
    require(dispatch.seed == question.seed, "a reply is under another seed than its request's own")


def _check_time(document: ReceiptDocument, *, since_ms: int) -> None:
    """A reply counts from the last conviction on, for nobody is convicted twice of one thing. It is in any event from
    before the case, which names the blob that holds it.
    """
    served_ms, deadline_ms = document.receipt.usage.served_at, document.dispatch.deadline
    require(since_ms <= served_ms, "a reply is from before the last conviction, or more than an hour old")
    require(0 <= deadline_ms - served_ms <= DISPATCH_MS_MAX, "a reply's time is not that of its dispatch")


def _since_ms(view: ChainView, case: Case) -> int:
    """From when on replies count: after the last conviction, and no longer than SWORN_MS_MAX before the case.

    What follows the case, its own verdict too, changes nothing: whoever checks it later finds the same.
    """
    ended = [one.ending.timestamp_ms for one in view.cases.values() if one.ending and _convicted(one, case)]
    return max(case.opened_ms - SWORN_MS_MAX, *(one for one in ended if one <= case.opened_ms), 0)


def _convicted(one: Case, case: Case) -> bool:
    return one.charge == case.charge and one.outcome is Outcome.CONVICTED


def is_asked(request: bytes, body: bytes) -> bool:
    """Whether a node was asked what a body asks: all but what concerns its way."""
    try:
        asked, wanted = (msgspec.json.decode(one, type=dict[str, Any]) for one in (request, body))
    except (ValueError, RecursionError):
        return False
    return _kept(asked) == _kept(wanted)


def _kept(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in ABOUT_THE_WAY}
