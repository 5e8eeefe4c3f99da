"""What is handed in waits within bounds, and nobody can shut out what somebody else holds."""

import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.devnet import Devnet, OnDevnet
from tests.settlement.offline import EPOCH, a_closed_epoch, key, some_books, some_work
from tests.watcher.stage import watched

from dgrid.core.errors import StorageUnavailable
from dgrid.core.places import Place
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.watcher.evidence import Evidence, HeldReceipt
from dgrid.wire.blob import decode_record
from dgrid.wire.messages import InferenceReceipt

KEPT = 12


def receipts(count: int, *, epoch: int = EPOCH) -> list[HeldReceipt]:
    books = some_books()
    for index in range(count):
        books.answer(epoch, some_work(index))
    records = [decode_record(row.record) for row in books.rows[epoch]]
    return [HeldReceipt(InferenceReceipt.unpacked(one.receipt), one.seal) for one in records]


SOME = receipts(60)
GATEWAY = SOME[0].gateway


@settings(max_examples=60, deadline=None)
@given(owners=st.lists(st.sampled_from([b"", b"a", b"b", b"c"]), max_size=len(SOME)))
def test_however_it_is_filled_it_is_bounded_and_a_payer_with_little_keeps_all(owners: list[bytes]) -> None:
    evidence = Evidence(None, kept_of_a_gateway=KEPT)
    given_of: dict[bytes, set[bytes]] = {}
    for held, payer in zip(SOME, owners, strict=False):
        try:
            evidence.hold_receipt(held, payer=payer)
        except StorageUnavailable:
            assert evidence.count() == KEPT
        given_of.setdefault(payer, set()).add(held.receipt.struct_hash())
        assert evidence.count() <= KEPT
    kept = {held.receipt.struct_hash() for held in evidence.receipts(GATEWAY, EPOCH)}
    for hashes in given_of.values():
        if len(hashes) <= KEPT // 4:  # no more than its part among four
            assert hashes <= kept


def test_the_second_receipt_for_a_place_is_taken_when_all_is_full_and_a_third_is_not_kept() -> None:
    evidence = Evidence(None, kept_of_a_gateway=2)
    for held in SOME[:2]:
        evidence.hold_receipt(held)
    with pytest.raises(StorageUnavailable):
        evidence.hold_receipt(SOME[2])
    for number in (1, 2):
        other = msgspec.structs.replace(SOME[0].receipt, request_id=bytes((number,)) * 32)
        evidence.hold_receipt(HeldReceipt(other, SOME[0].seal))
    assert [held.place for held in evidence.receipts(GATEWAY, EPOCH)] == [SOME[0].place] * 2 + [SOME[1].place]


def test_of_roots_the_oldest_make_room_and_of_an_epoch_two_are_kept() -> None:
    books, closed = a_closed_epoch(count=1)
    evidence = Evidence(None, kept_of_a_gateway=3)
    for epoch in (5, 1, 2, 3):
        for mark in range(4):
            root = msgspec.structs.replace(closed.root, epoch=epoch, records_root=bytes((mark,)) * 32)
            evidence.hold_root(SignedRoot.by(books.key, root, domain=books.domain))
    assert [held.root.epoch for held in evidence.roots()] == [3, 3, 5, 5]


def test_a_file_of_before_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "evidence.sqlite"
    old = sqlite3.connect(path)
    columns = "gateway BLOB NOT NULL, epoch INTEGER NOT NULL, lane INTEGER NOT NULL, sequence INTEGER NOT NULL"
    columns += ", hash BLOB NOT NULL, receipt BLOB NOT NULL, seal BLOB NOT NULL"
    old.execute(f"CREATE TABLE receipts ({columns}, PRIMARY KEY (gateway, epoch, lane, sequence, hash)) STRICT")
    values = GATEWAY, *SOME[0].place, SOME[0].receipt.struct_hash(), SOME[0].receipt.packed()
    old.execute("INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, msgspec.msgpack.encode(SOME[0].seal)))
    old.commit()
    old.close()
    evidence = Evidence(path)
    evidence.hold_receipt(SOME[1], payer=b"a")
    assert list(evidence.receipts(GATEWAY, EPOCH)) == SOME[:2]
    evidence.close()


def test_evidence_waits_as_long_as_its_gateway_has_anything_to_lose(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        now = stage.network.watcher.clock.epoch_at(1000 * await net.rpc.now_s())
        stage.work(now, lanes=(0,))
        evidence, stranger = stage.watch.service.evidence, key("a gateway without stake and bond").address
        parties = msgspec.structs.replace(SOME[0].receipt.parties, gateway=stranger)
        place = msgspec.structs.replace(SOME[0].receipt.place, epoch=now)
        gone = HeldReceipt(msgspec.structs.replace(SOME[0].receipt, parties=parties, place=place), SOME[0].seal)
        evidence.hold_receipt(stage.held(Place(now, 0, 0)))
        evidence.hold_receipt(gone)
        view = await stage.step()
        assert evidence.count() == 2
        ended_s = view.clock.closes_at_ms(now) // 1000 - await net.rpc.now_s()
        await stage.pass_time(max(0, ended_s) + view.parameters.last.bond_seconds + 2)
        await stage.step()
        left = evidence.epochs()
        assert left == [(stage.network.books.key.address, now)]

    on_devnet(main)
