from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.devnet import Devnet, OnDevnet
from tests.settlement.books import Books
from tests.settlement.network import settling
from tests.settlement.offline import EPOCH, EPOCH_S, GENESIS_S, LISTING, a_closed_epoch, some_books, some_work

from dgrid.core.epochs import EpochClock
from dgrid.core.errors import CheckFailed, NotYet, ReceiptNotFound
from dgrid.core.money import WEI
from dgrid.settlement.audit import AuditReport, AuditTerms, audit_epoch
from dgrid.settlement.closing import ClosingRow
from dgrid.settlement.reading import reading
from dgrid.settlement.splits import SplitTerms
from dgrid.wire.blob import EpochBlob, encode_blob, encode_record
from dgrid.wire.documents import Record
from dgrid.wire.messages import EpochRoot, InferenceReceipt
from dgrid.wire.seals import seal

COUNT = 6


def terms(books: Books) -> AuditTerms:
    listing_id, version, price = LISTING
    agreed = SplitTerms({(listing_id, version): price}, (200,), 2_000)
    return AuditTerms(books.domain, EpochClock(GENESIS_S, EPOCH_S), agreed)


def audited(books: Books, blob: bytes, root: EpochRoot, request_id: bytes | None = None) -> AuditReport:
    digest = root.struct_hash()
    return audit_epoch(blob, root, onchain_digest=digest, terms=terms(books), request_id=request_id)


def altered(change: Callable[[InferenceReceipt], InferenceReceipt], *, at: int) -> tuple[Books, AuditReport]:
    """The audit of an epoch in which the gateway itself signed a changed receipt at one place."""
    books = some_books()
    for index in range(COUNT):
        books.answer(EPOCH, some_work(index))
    row = books.rows[EPOCH][at]
    record = msgspec.msgpack.decode(row.record, type=Record)
    receipt = change(InferenceReceipt.unpacked(record.receipt))
    (resealed,) = seal(books.key, books.domain, [receipt.struct_hash()])
    record = msgspec.structs.replace(record, receipt=receipt.packed(), seal=resealed)
    books.rows[EPOCH][at] = ClosingRow(
        0, row.sequence, encode_record(record), receipt.struct_hash(), receipt.shares.fee
    )
    closed = books.close(EPOCH)
    assert closed is not None
    return books, audited(books, closed.blob, closed.root)


def test_an_honest_epoch_has_no_failures_and_its_sums_are_the_receipts() -> None:
    books, closed = a_closed_epoch(count=COUNT)
    asked = books.receipts[3]
    report = audited(books, closed.blob, closed.root, asked.request_id)
    assert report.failures == ()
    assert report.count == COUNT
    assert report.sums.fee_wei == closed.root.pot == sum(receipt.shares.fee for receipt in books.receipts)
    assert report.records_root == report.onchain_root
    assert report.proof is not None
    assert report.proof.opened()[1] == asked
    assert report.proof.lane_root() == closed.tree.lanes[0].root


def replace_shares(receipt: InferenceReceipt, **parts: int) -> InferenceReceipt:
    return msgspec.structs.replace(receipt, shares=msgspec.structs.replace(receipt.shares, **parts))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda r: replace_shares(r, fee=r.shares.fee + 1), "parts do not sum"),
        (lambda r: replace_shares(r, node=r.shares.node - 1, protocol=r.shares.protocol + 1), "protocol's share"),
        (lambda r: replace_shares(r, listing=r.shares.listing - 1, gateway=r.shares.gateway + 1), "listing's share"),
        (
            lambda r: msgspec.structs.replace(r, totals=msgspec.structs.replace(r.totals, node=r.totals.node - 1)),
            "node's total",
        ),
        (
            lambda r: msgspec.structs.replace(r, totals=msgspec.structs.replace(r.totals, payer=r.totals.payer + 1)),
            "payer's total",
        ),
        (
            lambda r: msgspec.structs.replace(r, previous=msgspec.structs.replace(r.previous, node=EPOCH << 64)),
            "node's previous leaf",
        ),
        (
            lambda r: msgspec.structs.replace(r, place=msgspec.structs.replace(r.place, sequence=99)),
            "its place",
        ),
        (
            lambda r: msgspec.structs.replace(r, usage=msgspec.structs.replace(r.usage, served_at=1)),
            "served in",
        ),
        (
            lambda r: msgspec.structs.replace(
                r, usage=msgspec.structs.replace(r.usage, tokens_out=r.usage.tokens_out + 1)
            ),
            "more tokens",
        ),
        (
            lambda r: msgspec.structs.replace(r, parties=msgspec.structs.replace(r.parties, token=bytes(20))),
            "its token",
        ),
    ],
    ids=["sum", "protocol", "listing", "total", "payer", "previous", "place", "time", "tokens", "token"],
)
def test_what_a_gateway_signed_wrongly_is_named(
    change: Callable[[InferenceReceipt], InferenceReceipt], fault: str
) -> None:
    _, report = altered(change, at=4)
    assert not report.ok
    assert any(fault in failure for failure in report.failures), report.failures


def test_every_byte_of_a_blob_counts() -> None:
    books, closed = a_closed_epoch(count=2)
    for at in range(0, len(closed.blob), 7):
        flipped = closed.blob[:at] + bytes((closed.blob[at] ^ 1,)) + closed.blob[at + 1 :]
        assert not audited(books, flipped, closed.root).ok


def test_a_root_that_the_chain_does_not_hold_fails() -> None:
    books, closed = a_closed_epoch(count=2)
    report = audit_epoch(closed.blob, closed.root, onchain_digest=bytes(32), terms=terms(books))
    assert any("digest" in failure for failure in report.failures)


def test_a_foreign_header_fails() -> None:
    books, closed = a_closed_epoch(count=2)
    opened = EpochBlob.decode(closed.blob)
    header = msgspec.structs.replace(opened.header, chain_id=56, epoch=1)
    blob = encode_blob(header, [opened.body])
    failures = audited(books, blob, closed.root).failures
    assert any("chain" in failure for failure in failures)
    assert any("epoch" in failure for failure in failures)


def test_a_missing_receipt_is_said_to_be_missing() -> None:
    books, closed = a_closed_epoch(count=1)
    report = audited(books, closed.blob, closed.root, b"\x09" * 32)
    assert report.proof is None
    assert any("no receipt" in failure for failure in report.failures)


def test_a_stranger_audits_with_the_chain_and_one_archive_alone(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=2)
        config = await network.open_channel("payer-1", amount_wei=10 * WEI)
        receipts = []
        for epoch in (30, 31):
            receipts.append(
                network.books.answer(epoch, network.work(config, "node-1", tokens_in=50_000, tokens_out=epoch))
            )
            await network.anchor(epoch, network.voucher("payer-1", config, 10 * WEI))
        await network.servers[0].stop()  # one archive is gone
        async with reading(net.config) as reader:
            report = await reader.auditor.receipt(receipts[0].request_id)
            assert report.ok, report.failures
            assert (report.epoch, report.count) == (30, 1)
            assert report.proof is not None
            (by_epoch,) = await reader.auditor.epoch(31)
            assert by_epoch.ok
            with pytest.raises(NotYet):
                await reader.auditor.epoch(32)
            with pytest.raises(ReceiptNotFound):
                await reader.auditor.receipt(b"\x09" * 32)
        _tamper(network.stores[1].folder)
        async with reading(net.config) as reader:
            with pytest.raises(CheckFailed, match="no archive holds"):
                await reader.auditor.receipt(receipts[0].request_id)

    on_devnet(main)


def _tamper(folder: Path) -> None:
    for path in folder.glob("*/*"):
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(bytes(data))
