import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.devnet import Devnet, OnDevnet
from tests.network.dishonest.gateway import Liar
from tests.settlement.books import Books, voucher
from tests.settlement.network import Settling, settling
from tests.settlement.offline import EPOCH, channel, escrow_domain, key, some_books, some_work

from dgrid.chain.view import Anchor, ChainView, Channel
from dgrid.core.identity import ChannelId, Hash
from dgrid.core.money import WEI, Price
from dgrid.settlement.collection import Collections
from dgrid.settlement.records import EpochRecords, open_records
from dgrid.wire.blob import SignedVoucher

CONFIG = channel("payer-0")
NAME = ChannelId(escrow_domain().digest(CONFIG.struct_hash()))


def opened(books: Books, epoch: int, *vouchers: SignedVoucher) -> EpochRecords:
    closed = books.close(epoch, vouchers=vouchers)
    assert closed is not None
    return open_records(Anchor(closed.root, Hash(closed.root.struct_hash()), 1, 1), closed.blob)


def view_of(*, deposited_wei: int = 100 * WEI, drawn_wei: int = 0) -> ChainView:
    of = Channel(NAME, CONFIG, deposited_wei=deposited_wei, drawn_wei=drawn_wei)
    return ChainView(channels={NAME: of}, drawn_in_lane={(NAME, 0): drawn_wei})


def signed(ceiling_wei: int) -> SignedVoucher:
    return voucher(escrow_domain(), CONFIG, key("payer-0"), ceiling_wei)


def test_a_leaf_that_stands_where_it_is_not_signed_for_draws_nothing_and_stops_nobody() -> None:
    books = some_books()
    total = books.answer(EPOCH, some_work(0)).totals.payer
    books.answer(EPOCH, some_work(0))
    closed = books.close(EPOCH, vouchers=(signed(10 * WEI),), close=Liar("misplaced", books.key, []).close)
    assert closed is not None
    collections = Collections(None, domain=escrow_domain())
    collections.absorb(open_records(Anchor(closed.root, Hash(closed.root.struct_hash()), 1, 1), closed.blob))
    assert [row.total_wei for row in collections.due(view_of())] == [total]


def test_what_is_due_is_the_total_less_what_was_drawn_within_ceiling_and_deposit(tmp_path: Path) -> None:
    books = some_books()
    total = books.answer(EPOCH, some_work(0)).totals.payer
    collections = Collections(tmp_path / "collections.sqlite", domain=escrow_domain())
    assert collections.due(view_of()) == []
    collections.absorb(opened(books, EPOCH, signed(10 * WEI)))
    assert [row.due_wei for row in collections.due(view_of())] == [total]
    assert [row.due_wei for row in collections.due(view_of(drawn_wei=total - 5))] == [5]
    assert collections.due(view_of(drawn_wei=total)) == []
    assert [row.due_wei for row in collections.due(view_of(deposited_wei=7))] == [7]
    collections.close()


def test_later_leaves_replace_earlier_ones_also_after_a_restart(tmp_path: Path) -> None:
    books, path = some_books(), tmp_path / "collections.sqlite"
    books.answer(EPOCH, some_work(0))
    first = opened(books, EPOCH, signed(10 * WEI))
    total = books.answer(EPOCH + 1, some_work(0)).totals.payer
    second = opened(books, EPOCH + 1, signed(10 * WEI))
    collections = Collections(path, domain=escrow_domain())
    collections.absorb(second)
    collections.absorb(first)  # blobs come in any order
    collections.close()
    again = Collections(path, domain=escrow_domain())
    assert again.is_absorbed(first.anchor.digest)
    assert [row.total_wei for row in again.due(view_of())] == [total]
    again.close()


def test_the_highest_voucher_that_its_payer_signed_wins(tmp_path: Path) -> None:
    books = some_books()
    total = books.answer(EPOCH, some_work(0)).totals.payer
    forged = voucher(escrow_domain(), CONFIG, key("stranger"), 99 * WEI)
    foreign = voucher(escrow_domain(), channel("payer-1"), key("payer-1"), 99 * WEI)
    garbage = SignedVoucher(b"short", bytes(16), b"")
    collections = Collections(None, domain=escrow_domain())
    collections.absorb(opened(books, EPOCH, forged, signed(total - 1), signed(3), garbage, foreign))
    (row,) = collections.due(view_of())
    assert (row.ceiling_wei, row.due_wei) == (total - 1, total - 1)
    collections.close()


@pytest.mark.parametrize("amount", [b"", b"\xff" * 17, bytes(15) + b"\x01" + bytes(16)], ids=len)
def test_a_voucher_over_no_amount_stops_nobody(amount: bytes) -> None:
    """A gateway writes what it likes into its blob, and settlers read it again after every start."""
    books, other = some_books(), channel("payer-1")
    books.answer(EPOCH, some_work(0))
    odd = msgspec.structs.replace(voucher(escrow_domain(), other, key("payer-1"), WEI), max_claimable=amount)
    collections = Collections(None, domain=escrow_domain())
    collections.absorb(opened(books, EPOCH, odd, signed(10 * WEI)))
    assert len(collections.due(view_of())) == 1


def test_a_channel_without_a_voucher_waits() -> None:
    books = some_books()
    books.answer(EPOCH, some_work(0))
    collections = Collections(None, domain=escrow_domain())
    collections.absorb(opened(books, EPOCH))
    assert collections.due(view_of()) == []
    collections.close()


async def refusals(network: Settling, caplog: pytest.LogCaptureFixture, *, reason: str) -> int:
    """Collects twice, from the first receipt's channel alone; how often another was refused, the first time only."""
    await network.loop.step()
    fee = network.books.receipts[0].shares.fee
    await network.watcher.until(
        lambda view: sorted(one.drawn_wei for one in view.channels.values()) == [0, fee], timeout_s=30
    )
    before = caplog.text.count(reason)
    await network.loop.step()
    assert caplog.text.count(reason) == before
    return before


def test_a_row_that_the_contract_refuses_does_not_block_the_others_nor_repeat(
    on_devnet: OnDevnet, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        good = await network.open_channel("payer-1", amount_wei=10 * WEI)
        bad = await network.open_channel("payer-2", amount_wei=10 * WEI)
        for config in (good, bad):
            network.books.answer(40, network.work(config, "node-1", tokens_in=50_000, tokens_out=1))
        forged = voucher(network.escrow_domain, bad, net.key("stranger"), 10 * WEI)
        await network.anchor(40, network.voucher("payer-1", good, 10 * WEI), forged)
        assert await refusals(network, caplog, reason="WrongVoucherSignature") > 0

    on_devnet(main)


def test_a_row_that_no_transaction_has_room_for_does_not_block_the_others_nor_repeat(
    on_devnet: OnDevnet, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway may write any signature into its blob; a wallet contract might take it."""

    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        good = await network.open_channel("payer-1", amount_wei=10 * WEI)
        bad = await network.open_channel("payer-2", amount_wei=10 * WEI)
        network.books.answer(40, network.work(good, "node-1", tokens_in=50_000, tokens_out=1))
        network.books.answer(40, network.work(bad, "node-1", tokens_in=90_000, tokens_out=1))
        endless = msgspec.structs.replace(network.voucher("payer-2", bad, 10 * WEI), signature=b"\x01" * 200_000)
        await network.anchor(40, network.voucher("payer-1", good, 10 * WEI), endless)
        assert await refusals(network, caplog, reason="it would have") == 1

    on_devnet(main)


@pytest.mark.parametrize("price_wei", [20 * WEI, 10**6 * WEI])
def test_epochs_worth_more_than_a_machine_word_holds_are_collected_like_any_other(
    tmp_path: Path, price_wei: int
) -> None:
    """Sums beside a leaf's path pass 2⁶⁴ wei with 18 DGAI."""
    books, path = some_books(), tmp_path / "collections.sqlite"
    works = [replace(some_work(at), tokens_in=10**6, tokens_out=0, price=Price(price_wei, 0)) for at in (0, 1, 2)]
    total = [books.answer(EPOCH, work).totals.payer for work in works][-1]
    collections = Collections(path, domain=escrow_domain())
    collections.absorb(opened(books, EPOCH, signed(2**100)))
    collections.close()
    (row,) = Collections(path, domain=escrow_domain()).due(view_of(deposited_wei=2**100))
    assert row.due_wei == row.total_wei == total
    assert max(amount for _, amount in row.proof.record_path) > 2**64


def test_a_file_of_an_earlier_form_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "collections.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE absorbed (digest BLOB PRIMARY KEY)")
        db.execute("INSERT INTO absorbed VALUES (x'00')")
        db.commit()
    collections = Collections(path, domain=escrow_domain())
    assert not collections.is_absorbed(bytes(1))
    collections.close()
