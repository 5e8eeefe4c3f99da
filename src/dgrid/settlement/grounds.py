"""Checks what evaluators show of public leaves: that a peer was asked what the leaf's own node was, and said just that.

The peer signed the hashes of both, the gateway that it passed the question on; nobody can make up an answer without
their keys. What cannot be seen: who else was asked, and whose answers were left out. Fetches nothing, scores nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from dgrid.core.errors import CheckFailed, InvalidJson
from dgrid.core.keccak import salted_hash
from dgrid.settlement.evidence import NotEvidence, require
from dgrid.settlement.samples import record_of
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.grounds import Compared
from dgrid.wire.messages import NOT_WHOLE
from dgrid.wire.openai import ABOUT_THE_WAY
from dgrid.wire.verification import verify_receipt

ABOUT_THE_CALLER: Final = frozenset({"user", "metadata", "store"})
ABOUT_THE_FORM: Final = frozenset({"stream", "stream_options", "logprobs", "top_logprobs"})
IN_THE_DISPATCH: Final = frozenset({"seed"})  # users seldom name one: in the body it would tell a peer who asks
LEFT_OUT: Final = ABOUT_THE_WAY | ABOUT_THE_CALLER | ABOUT_THE_FORM | IN_THE_DISPATCH


@dataclass(frozen=True, slots=True)
class Asked:
    """A leaf whose request is asked again: its receipt, and the request as its node got it."""

    document: ReceiptDocument
    request: bytes


def fields_asked_again(request: bytes, *, model: str) -> dict[str, Any]:
    """A request as a peer gets it: what was asked stays, what concerned its way and its form does not.

    Its seed is the original's, and stands in the dispatch alone. Raises InvalidJson.
    """
    try:
        fields = msgspec.json.decode(request, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise InvalidJson(f"the request cannot be repeated: {error}") from None
    kept = {name: value for name, value in fields.items() if name not in LEFT_OUT}
    return {**kept, "model": model}


def shown(document: ReceiptDocument, answer: str) -> Compared:
    """A peer's answer as it may be shown. Raises CheckFailed where the receipt holds no salt."""
    if document.salt is None:
        raise CheckFailed("without its salt a receipt ties nobody to a text")
    return Compared(record_of(document), document.salt, answer)


def open_compared(compared: Compared, asked: Asked) -> ReceiptDocument:
    """The receipt of a peer's answer, if that peer gave it to just this question, whole. Raises NotEvidence."""
    domain = asked.document.domain
    try:
        document = ReceiptDocument.of(compared.record, domain=domain, salt=compared.salt)
    except ValueError as error:
        raise NotEvidence(f"malformed receipt: {error}") from None
    failed = [check.reason for check in verify_receipt(document, answer=compared.answer) if not check.ok]
    require(not failed, f"a receipt does not hold: {'; '.join(failed)}")
    dispatch, original = document.dispatch, asked.document.dispatch
    require(dispatch.node != original.node, "an answer is compared with one of the same node")
    require(dispatch.seed == original.seed, "a peer was given another seed")
    require(not document.receipt.usage.flags & NOT_WHOLE, "a peer's answer is not its own, or not whole")
    try:
        body = msgspec.json.encode(fields_asked_again(asked.request, model=document.model))
    except InvalidJson as error:
        raise NotEvidence(error.message) from None
    require(dispatch.forwarded_hash == salted_hash(compared.salt, body), "a peer was asked something else")
    return document


def open_all_compared(
    answers: Collection[Compared], asked: Asked, *, nodes: Collection[bytes], gateways: Collection[bytes]
) -> list[ReceiptDocument]:
    """The receipts of all answers that a leaf was compared with, each given once, by nodes and through gateways that
    ever registered. Raises NotEvidence.
    """
    documents = [open_compared(compared, asked) for compared in answers]
    peers = [(one.dispatch.node, one.dispatch.model_digest, one.model) for one in documents]
    require(len(set(peers)) == len(peers), "a peer is shown twice")
    known = all(one.dispatch.node in nodes and one.dispatch.gateway in gateways for one in documents)
    require(known, "an answer is by a node, or came through a gateway, that never registered")
    return documents
