"""Which published bytes count as evidence: of this network, by whom and of what they must be, each thing once."""

import dataclasses
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace
from tests.settlement.judged import (
    AUTHOR,
    COURT,
    EPOCH,
    ROUND,
    Judged,
    a_judged_epoch,
    a_table,
    evaluators,
    key_of,
    signed,
)
from tests.wire.making import DOMAIN, GATEWAY, TOKEN

from dgrid.chain.view import Anchor
from dgrid.core.identity import Hash
from dgrid.settlement.closing import Closing, ClosingRow, close_epoch
from dgrid.settlement.evidence import (
    CanaryPromise,
    NotEvidence,
    documents_of,
    open_canaries,
    open_disclosure,
    open_reports,
    open_table,
)
from dgrid.settlement.records import open_records
from dgrid.wire.blob import encode_record
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import EvaluatorReports, InferenceReceipt
from dgrid.wire.quality import (
    LEAVES_MAX,
    REPORTS_MAX,
    Canaries,
    DisclosedLeaf,
    Disclosure,
    LeafKey,
    Report,
    encode_quality,
    reports_root,
)

OTHERS = [("chain_id", 1), ("court", b"x" * 20)]
AUTHORS = [*OTHERS, ("author", b"x" * 20), ("epoch", EPOCH + 1)]


@cache
def judged() -> Judged:
    return a_judged_epoch()


@cache
def documents() -> dict[LeafKey, ReceiptDocument]:
    anchor = judged().view.roots[GATEWAY.address, EPOCH]
    return documents_of(open_records(anchor, judged().blobs[anchor.root.blob_id]), DOMAIN)


def counted(canaries: Canaries, *, known: dict[LeafKey, ReceiptDocument] | None = None) -> set[int]:
    """The leaves of which an author's canaries say the truth."""
    promise = CanaryPromise(AUTHOR.address, GATEWAY.address, EPOCH, judged().view.canary_roots[AUTHOR.address, EPOCH])
    found = open_canaries(encode_quality(canaries), COURT, promise=promise, documents=known or documents())
    return {key.sequence for key in found}


@pytest.mark.parametrize(("name", "value"), [*OTHERS, ("round", ROUND + 1)])
def test_a_table_of_another_network_or_round_is_none(name: str, value: Any) -> None:
    table = a_table()
    assert open_table(encode_quality(table), COURT, judged_round=ROUND) == table
    with pytest.raises(NotEvidence, match="is not"):
        open_table(encode_quality(replace(table, **{name: value})), COURT, judged_round=ROUND)


@pytest.mark.parametrize(("name", "value"), [*AUTHORS, ("seed", bytes(32))])
def test_a_disclosure_is_of_the_draw_that_it_names(name: str, value: Any) -> None:
    draw, leaf = judged().view.draws[GATEWAY.address, EPOCH], DisclosedLeaf(2, 3, b"content")
    blob = Disclosure(COURT.chain_id, COURT.verifying_contract, draw.gateway, draw.epoch, draw.seed, (leaf,))
    assert open_disclosure(encode_quality(blob), COURT, draw=draw) == {(2, 3): leaf}
    with pytest.raises(NotEvidence, match="is not"):
        open_disclosure(encode_quality(replace(blob, **{name: value})), COURT, draw=draw)


@pytest.mark.parametrize(
    ("name", "value"),
    [*AUTHORS, ("gateway", b"x" * 20), ("canaries", ()), ("committed", 5), ("committed", LEAVES_MAX + 1)],
)
def test_canaries_are_of_the_promise_that_they_open_and_no_more_than_it(name: str, value: Any) -> None:
    canaries = judged().canaries()
    assert counted(canaries) == {0, 2, 4, 6, 8, 10}
    with pytest.raises(NotEvidence):
        counted(replace(canaries, **{name: value}))


def test_one_known_answer_proves_one_leaf_however_many_asked_the_same() -> None:
    first, second, *rest = (canaries := judged().canaries()).canaries
    again = replace(second, nonce=first.nonce, index=first.index, path=first.path)
    assert counted(replace(canaries, canaries=(first, again, *rest))) == {0, 4, 6, 8, 10}


def test_a_leaf_of_another_request_is_no_canary() -> None:
    """Though its answer is the one that the canary got."""
    document = documents()[key_of(0)]
    receipt = replace(document.receipt, hashes=replace(document.receipt.hashes, request=bytes(32)))
    known = {**documents(), key_of(0): dataclasses.replace(document, receipt=receipt)}
    assert counted(judged().canaries(), known=known) == {2, 4, 6, 8, 10}


def test_a_receipt_that_stands_where_it_does_not_say_is_nobodys_work() -> None:
    rows = []
    for at in range(4):
        record = judged().record(at + 1, EPOCH)
        receipt = InferenceReceipt.unpacked(record.receipt)
        rows.append(ClosingRow(0, at, encode_record(record), receipt.struct_hash(), receipt.shares.fee))
    closed = close_epoch(Closing(DOMAIN, GATEWAY.address, EPOCH, TOKEN), rows)
    assert closed is not None
    anchor = Anchor(closed.root, Hash(closed.root.struct_hash()), 10, 0)
    assert documents_of(open_records(anchor, closed.blob), DOMAIN) == {}


def test_an_evaluator_reports_on_so_many_leaves_and_no_more() -> None:
    key = evaluators()[0]
    for count in (REPORTS_MAX, REPORTS_MAX + 1):
        found = tuple(Report(LeafKey(GATEWAY.address, EPOCH, 0, at), bytes(32), 0) for at in range(count))
        said = EvaluatorReports(key.address, ROUND, reports_root(found))
        blob = encode_quality(signed(key, ROUND, found))
        if count > REPORTS_MAX:
            with pytest.raises(NotEvidence, match="more than"):
                open_reports(blob, COURT, said=said)
        else:
            assert len(open_reports(blob, COURT, said=said).reports) == count
