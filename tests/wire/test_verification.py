"""What a receipt must say to be valid, each rule broken by a gateway or node that signs the lie properly."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.wire.making import DOMAIN, GATEWAY, NODE, Story, make_document

from dgrid.core.keccak import keccak
from dgrid.wire.documents import Label, ReceiptDocument
from dgrid.wire.messages import Flag, InferenceReceipt
from dgrid.wire.seals import seal
from dgrid.wire.verification import verify_receipt

HONEST = make_document()


def failures(document: ReceiptDocument, answer: str | None = None) -> dict[str, str]:
    return {check.name: check.reason for check in verify_receipt(document, answer=answer) if not check.ok}


def signed_anew(document: ReceiptDocument) -> ReceiptDocument:
    """The gateway and the node put their names under whatever the document says."""
    hashes = document.receipt.struct_hash(), document.dispatch.struct_hash(), document.node_receipt.struct_hash()
    (first,), (second,), (third,) = (
        seal(key, DOMAIN, [struct_hash]) for key, struct_hash in zip((GATEWAY, GATEWAY, NODE), hashes, strict=True)
    )
    return replace(document, seal=first, dispatch_seal=second, node_seal=third)


def lying_receipt(group: str, **lies: Any) -> ReceiptDocument:
    """A receipt whose gateway changed some fields of a group and signed it."""
    receipt = HONEST.receipt
    changed = msgspec.structs.replace(getattr(receipt, group), **lies)
    return signed_anew(replace(HONEST, receipt=msgspec.structs.replace(receipt, **{group: changed})))


def test_an_honest_receipt_passes_every_check() -> None:
    assert failures(HONEST, answer=Story().answer) == {}


def test_an_answer_that_was_not_signed_is_named() -> None:
    assert "not the one that was signed" in failures(HONEST, answer="Another answer.")["answer"]


def test_a_public_copy_cannot_vouch_for_a_text() -> None:
    assert "no salt" in failures(replace(HONEST, salt=None), answer=Story().answer)["answer"]


@pytest.mark.parametrize(
    ("group", "lies", "check", "reason"),
    [
        ("usage", {"tokens_in": 12}, "usage", "more tokens"),
        ("usage", {"tokens_out": 8}, "usage", "more tokens"),
        ("usage", {"flags": 1 << 20}, "usage", "unknown flags"),
        ("shares", {"fee": 1}, "shares", "do not sum"),
        ("shares", {"node": 1}, "shares", "price of the tokens"),
        ("totals", {"payer": 0}, "totals", "payer"),
        ("totals", {"node": 0}, "totals", "node"),
        ("parties", {"node": bytes(20)}, "links", "node"),
        ("parties", {"token": bytes(20)}, "links", "token"),
        ("parties", {"model_id": bytes(32)}, "links", "model"),
        ("hashes", {"label": bytes(32)}, "label", "label hash"),
    ],
)
def test_a_lie_that_is_properly_signed_is_found(group: str, lies: dict[str, Any], check: str, reason: str) -> None:
    assert reason in failures(lying_receipt(group, **lies))[check]


def test_a_gateway_that_signs_for_another_is_found() -> None:
    found = failures(lying_receipt("parties", gateway=NODE.address))
    assert {"gateway signature", "dispatch signature", "links"} <= found.keys()


def test_a_receipt_for_another_dispatch_is_found() -> None:
    other = msgspec.structs.replace(HONEST.dispatch, nonce=99)
    assert "dispatch hash" in failures(signed_anew(replace(HONEST, dispatch=other)))["links"]


def test_a_receipt_over_another_node_receipt_is_found() -> None:
    other = msgspec.structs.replace(HONEST.node_receipt, output_hash=keccak(b"other"))
    assert "node receipt hash" in failures(signed_anew(replace(HONEST, node_receipt=other)))["links"]


def test_a_receipt_of_another_chain_is_found() -> None:
    assert "gateway signature" in failures(replace(HONEST, chain_id=56))


def test_an_embellished_label_is_found() -> None:
    assert "label hash" in failures(replace(HONEST, label=Label(("finished", "perfect"))))["label"]


def test_billing_less_than_the_node_counted_is_allowed_at_its_price() -> None:
    cheaper = make_document(Story(tokens_out=6)).receipt
    kept = msgspec.structs.replace(HONEST.receipt, usage=cheaper.usage, shares=cheaper.shares, totals=cheaper.totals)
    assert isinstance(kept, InferenceReceipt)
    assert failures(signed_anew(replace(HONEST, receipt=kept))) == {}


def reduced(flag: Flag, **shares: int) -> ReceiptDocument:
    """A cached or supporting answer, for which its caller paid less."""
    receipt = HONEST.receipt
    cheaper = msgspec.structs.replace(receipt.shares, **shares)
    cheaper = msgspec.structs.replace(cheaper, fee=cheaper.node + cheaper.listing + cheaper.protocol + cheaper.gateway)
    flagged = msgspec.structs.replace(receipt.usage, flags=flag)
    kept = msgspec.structs.replace(receipt, usage=flagged, shares=cheaper)
    return signed_anew(replace(HONEST, receipt=kept))


def test_what_is_cached_or_only_supports_may_be_sold_for_less() -> None:
    assert failures(reduced(Flag.CACHED, node=0)) == {}
    assert failures(reduced(Flag.SUPPORT, node=1, protocol=0)) == {}
    assert "price of the tokens" in failures(reduced(Flag.PARTIAL, node=1))["shares"]


def test_a_cached_answer_pays_no_node_and_names_the_dispatch_that_first_made_it() -> None:
    assert "pays its node" in failures(reduced(Flag.CACHED))["shares"]
    cached = reduced(Flag.CACHED, node=0)
    other = msgspec.structs.replace(cached.receipt, request_id=keccak(b"another request"))
    assert failures(signed_anew(replace(cached, receipt=other))) == {}
