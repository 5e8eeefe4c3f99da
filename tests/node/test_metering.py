import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.node.conftest import GATEWAY_KEY, LINE_WEI, NOW_MS, PRICE, GatewayHand, NodeParts, make_node, node_receipt

from dgrid.core.errors import NodeRefused
from dgrid.node.books import Books, Work
from dgrid.node.metering import UNACKNOWLEDGED_AGE_MS, UNACKNOWLEDGED_COUNT_MAX, Meter, is_far_below
from dgrid.node.refusals import AcknowledgeFirst, CreditLineReached, TotalShort, UnknownGateway
from dgrid.wire.frames import SignedReceipt
from dgrid.wire.messages import Flag, InferenceReceipt, NodeReceipt

GATEWAY = GATEWAY_KEY.address


def in_loop(test: Callable[[NodeParts], None]) -> Callable[[], None]:
    """The books write from an event loop; the meter itself never waits."""

    async def run() -> None:
        test(make_node())

    def wrapped() -> None:
        asyncio.run(run())

    wrapped.__name__ = test.__name__
    return wrapped


def work_for(receipt: NodeReceipt, *, value_wei: int = 1000, done_ms: int = NOW_MS) -> Work:
    counts = receipt.tokens_in, receipt.tokens_out
    return Work(receipt.struct_hash(), GATEWAY, value_wei, *counts, PRICE.in_wei, PRICE.out_wei, done_ms)


def bent(signed: SignedReceipt, gateway: GatewayHand, **changes: Any) -> SignedReceipt:
    receipt = InferenceReceipt.unpacked(signed.receipt)
    return gateway.sign(msgspec.structs.replace(receipt, **changes))


@in_loop
def test_an_unknown_gateway_and_one_without_a_line_are_not_served(parts: NodeParts) -> None:
    parts.stand.meter.check_gateway(GATEWAY)
    with pytest.raises(UnknownGateway, match="registered"):
        parts.stand.meter.check_gateway(b"\x09" * 20)
    parts.chain.line_wei = 0
    with pytest.raises(UnknownGateway, match="credit line"):
        parts.stand.meter.check_gateway(GATEWAY)


@in_loop
def test_credit_is_given_to_a_registered_gateway_with_a_line(parts: NodeParts) -> None:
    assert parts.stand.meter.gives_credit(GATEWAY)
    assert not parts.stand.meter.gives_credit(b"\x09" * 20)
    parts.chain.line_wei = 0
    assert not parts.stand.meter.gives_credit(GATEWAY)


@in_loop
def test_stops_at_the_credit_line_and_goes_on_once_debt_is_settled(parts: NodeParts) -> None:
    meter, gateway = parts.stand.meter, parts.gateway
    big = node_receipt(tokens_in=9_000, tokens_out=5_000)
    meter.acknowledge(GATEWAY, [gateway.acknowledge(big, epoch=1)])
    owed_wei = gateway.total_wei
    with pytest.raises(CreditLineReached):
        meter.reserve(GATEWAY, LINE_WEI - owed_wei + 1, now_ms=NOW_MS)
    meter.reserve(GATEWAY, LINE_WEI - owed_wei, now_ms=NOW_MS)
    with pytest.raises(CreditLineReached):
        meter.reserve(GATEWAY, 1, now_ms=NOW_MS)
    meter.release(GATEWAY, LINE_WEI - owed_wei)
    parts.chain.anchored = 1
    meter.reserve(GATEWAY, LINE_WEI, now_ms=NOW_MS)


@in_loop
def test_only_debt_of_later_epochs_counts_after_a_root(parts: NodeParts) -> None:
    meter, gateway = parts.stand.meter, parts.gateway
    meter.acknowledge(GATEWAY, [gateway.acknowledge(node_receipt(n), epoch=n // 2) for n in range(6)])
    share_wei = gateway.total_wei // 6
    for anchored, owed in ((-1, 6), (0, 4), (1, 2), (2, 0)):
        assert meter.account(GATEWAY).owed_wei(anchored) == owed * share_wei


@in_loop
def test_work_without_receipts_is_bounded_in_value(parts: NodeParts) -> None:
    meter = parts.stand.meter
    meter.record(work_for(node_receipt(1), value_wei=LINE_WEI // 4))
    meter.reserve(GATEWAY, 1, now_ms=NOW_MS)
    meter.record(work_for(node_receipt(2), value_wei=1))
    with pytest.raises(AcknowledgeFirst):
        meter.reserve(GATEWAY, 1, now_ms=NOW_MS)
    meter.acknowledge(GATEWAY, [parts.gateway.acknowledge(node_receipt(2))])
    meter.reserve(GATEWAY, 1, now_ms=NOW_MS)


@in_loop
def test_work_without_receipts_is_bounded_in_number_and_lost_after_a_while(parts: NodeParts) -> None:
    meter = parts.stand.meter
    for number in range(UNACKNOWLEDGED_COUNT_MAX):
        receipt = NodeReceipt(number.to_bytes(32, "big"), bytes(32), bytes(32), 1, 1)
        meter.record(work_for(receipt, value_wei=0))
    with pytest.raises(AcknowledgeFirst):
        meter.reserve(GATEWAY, 1, now_ms=NOW_MS + UNACKNOWLEDGED_AGE_MS)
    meter.reserve(GATEWAY, 1, now_ms=NOW_MS + UNACKNOWLEDGED_AGE_MS + 1)
    assert not meter.account(GATEWAY).work


STEPS = st.lists(st.tuples(st.sampled_from(("record", "acknowledge", "wait")), st.integers(0, 4)), max_size=20)


@given(STEPS)
def test_the_books_hold_the_work_that_is_open_and_its_worth_is_its_sum(steps: list[tuple[str, int]]) -> None:
    async def run() -> None:
        parts, now_ms = make_node(), NOW_MS
        meter, books = parts.stand.meter, parts.stand.books
        for step, number in steps:
            receipt = node_receipt(number)
            if step == "record":
                meter.record(work_for(receipt, value_wei=number, done_ms=now_ms))
            elif step == "acknowledge":
                meter.acknowledge(GATEWAY, [parts.gateway.acknowledge(receipt)])
            else:
                now_ms += UNACKNOWLEDGED_AGE_MS + 1
                meter.reserve(GATEWAY, 0, now_ms=now_ms)
            books.flush()
            account = meter.account(GATEWAY)
            assert {work.node_receipt_hash for work in books.work()} == account.work.keys()
            assert account.open_wei == sum(work.value_wei for work in account.work.values())

    asyncio.run(run())


@given(st.permutations(range(4)))
def test_a_restarted_node_loses_the_oldest_work_first_however_it_was_written(order: list[int]) -> None:
    async def run() -> None:
        parts = make_node()
        for number in order:
            parts.stand.books.add_work(work_for(node_receipt(number), done_ms=NOW_MS + number))
        parts.stand.books.flush()
        meter = parts.with_books(parts.stand.books).stand.meter
        for lost in range(1, 4):
            meter.reserve(GATEWAY, 0, now_ms=NOW_MS + UNACKNOWLEDGED_AGE_MS + lost)
            assert [work.done_ms - NOW_MS for work in meter.account(GATEWAY).work.values()] == list(range(lost, 4))

    asyncio.run(run())


@given(shares=st.lists(st.integers(1, 5000), min_size=1, max_size=8), order=st.randoms(use_true_random=False))
def test_honest_receipts_are_taken_in_any_order(shares: list[int], order: Any) -> None:
    async def run() -> None:
        parts = make_node()
        parts.chain.line_wei = 10**24
        receipts = [node_receipt(n, tokens_out=tokens) for n, tokens in enumerate(shares)]
        for receipt in receipts:
            parts.stand.meter.record(work_for(receipt))
        signed = [parts.gateway.acknowledge(receipt) for receipt in receipts]
        order.shuffle(signed)
        for one in [*signed, *signed]:
            parts.stand.meter.acknowledge(GATEWAY, [one])
        assert parts.stand.meter.account(GATEWAY).owed_wei(-1) == parts.gateway.total_wei
        assert not parts.stand.meter.account(GATEWAY).work

    asyncio.run(run())


@given(
    count=st.integers(2, 6),
    short_at=st.integers(1, 5),
    by_wei=st.integers(1, 10**14),
    order=st.randoms(use_true_random=False),
)
def test_a_total_that_leaves_a_share_out_is_found_in_any_order(
    count: int, short_at: int, by_wei: int, order: Any
) -> None:
    async def run() -> None:
        parts = make_node()
        at = short_at % (count - 1) + 1
        receipts = [node_receipt(n) for n in range(count)]
        signed = [parts.gateway.acknowledge(r, short_wei=by_wei if n == at else 0) for n, r in enumerate(receipts)]
        pair = [signed[at - 1], signed[at]]
        order.shuffle(pair)
        with pytest.raises(TotalShort):
            parts.stand.meter.acknowledge(GATEWAY, pair)
        with pytest.raises(TotalShort):
            parts.stand.meter.acknowledge(GATEWAY, [])

    asyncio.run(run())


@in_loop
def test_another_receipt_at_the_same_place_is_evidence(parts: NodeParts) -> None:
    signed = parts.gateway.acknowledge(node_receipt())
    twin = bent(signed, parts.gateway, request_id=b"\x01" * 32)
    with pytest.raises(TotalShort, match="one place"):
        parts.stand.meter.acknowledge(GATEWAY, [signed, twin])


@pytest.mark.parametrize("which", ["tokens_in", "tokens_out"])
def test_a_receipt_that_bills_far_fewer_tokens_ends_the_service(which: str) -> None:
    @in_loop
    def check(parts: NodeParts) -> None:
        receipt = node_receipt(tokens_in=400, tokens_out=400)
        parts.stand.meter.record(work_for(receipt))
        with pytest.raises(TotalShort, match="bills 100 of 400"):
            parts.stand.meter.acknowledge(GATEWAY, [parts.gateway.acknowledge(receipt, **{which: 100})])

    check()


def cut(parts: NodeParts, number: int, *, delivered: int) -> None:
    """An answer of 10,000 tokens, of which the client took so many."""
    meter, gateway = parts.stand.meter, parts.gateway
    receipt = node_receipt(number, tokens_out=10_000)
    meter.record(work_for(receipt))
    signed = gateway.acknowledge(receipt, tokens_out=delivered)
    usage = InferenceReceipt.unpacked(signed.receipt).usage
    meter.acknowledge(GATEWAY, [bent(signed, gateway, usage=msgspec.structs.replace(usage, flags=Flag.PARTIAL))])


@in_loop
def test_a_client_that_leaves_early_pays_for_what_reached_it(parts: NodeParts) -> None:
    parts.chain.line_wei = 10**24
    for number in range(10):
        cut(parts, number, delivered=100)
    with pytest.raises(TotalShort, match="cut answers"):
        cut(parts, 10, delivered=100)


@in_loop
def test_a_gateway_whose_clients_took_a_quarter_is_believed_forever(parts: NodeParts) -> None:
    parts.chain.line_wei = 10**24
    for number in range(30):
        cut(parts, number, delivered=2_500)
    with pytest.raises(TotalShort, match="cut answers"):
        cut(parts, 30, delivered=2_499)


@in_loop
def test_a_receipt_is_held_to_what_the_protocol_takes_in_its_own_epoch(parts: NodeParts) -> None:
    meter, gateway = parts.stand.meter, parts.gateway
    parts.chain.cuts = {0: 0, 2: 0}
    meter.record(work_for(node_receipt(1)))
    meter.acknowledge(GATEWAY, [gateway.acknowledge(node_receipt(1), epoch=1)])
    meter.record(work_for(node_receipt(2)))
    with pytest.raises(TotalShort, match="part of the price"):
        meter.acknowledge(GATEWAY, [gateway.acknowledge(node_receipt(2), epoch=2)])


@in_loop
def test_a_receipt_with_a_smaller_share_than_the_price_ends_the_service(parts: NodeParts) -> None:
    receipt = node_receipt()
    parts.stand.meter.record(work_for(receipt))
    signed = parts.gateway.acknowledge(receipt)
    shares = InferenceReceipt.unpacked(signed.receipt).shares
    less = msgspec.structs.replace(shares, node=shares.node - 1, protocol=shares.protocol + 1)
    with pytest.raises(TotalShort, match="part of the price"):
        parts.stand.meter.acknowledge(GATEWAY, [bent(signed, parts.gateway, shares=less)])


@in_loop
def test_receipts_of_others_are_not_taken(parts: NodeParts) -> None:
    signed = parts.gateway.acknowledge(node_receipt())
    stranger = GatewayHand(key=type(GATEWAY_KEY)(b"\x07" * 32))
    parties = InferenceReceipt.unpacked(signed.receipt).parties
    wrong = (
        bent(signed, parts.gateway, parties=msgspec.structs.replace(parties, node=b"\x05" * 20)),
        bent(signed, parts.gateway, parties=msgspec.structs.replace(parties, token=b"\x05" * 20)),
        bent(signed, stranger),
        SignedReceipt(signed.receipt[:-1], signed.seal),
    )
    for one in wrong:
        with pytest.raises(NodeRefused):
            parts.stand.meter.acknowledge(GATEWAY, [one])
    assert parts.stand.meter.receipts() == []


@in_loop
def test_only_what_is_needed_is_kept(parts: NodeParts) -> None:
    meter = parts.stand.meter
    for epoch in range(10):
        parts.chain.anchored = epoch - 2
        meter.acknowledge(GATEWAY, [parts.gateway.acknowledge(node_receipt(epoch), epoch=epoch)])
    parts.stand.books.flush()
    assert [receipt.epoch for receipt in parts.stand.books.receipts()] == [7, 8, 9]
    assert meter.receipts()[0].total_wei == parts.gateway.total_wei


def test_a_restarted_node_knows_its_totals_and_cannot_be_cheated(tmp_path: Any) -> None:
    async def before(gateway: GatewayHand) -> None:
        parts = make_node(books=Books(tmp_path / "node.sqlite"))
        parts.stand.meter.record(work_for(node_receipt(9)))
        parts.stand.meter.acknowledge(GATEWAY, [gateway.acknowledge(node_receipt(n)) for n in range(3)])
        parts.stand.books.flush()

    async def after(gateway: GatewayHand) -> None:
        parts = make_node()
        meter = Meter(parts.stand.terms, parts.chain, Books(tmp_path / "node.sqlite"))
        assert meter.account(GATEWAY).owed_wei(-1) == gateway.total_wei
        assert node_receipt(9).struct_hash() in meter.account(GATEWAY).work
        with pytest.raises(TotalShort):
            meter.acknowledge(GATEWAY, [gateway.acknowledge(node_receipt(4), short_wei=1)])

    gateway = GatewayHand()
    asyncio.run(before(gateway))
    asyncio.run(after(gateway))


@given(counted=st.integers(0, 10**6))
def test_a_tolerable_difference_between_two_counts_is_tolerated(counted: int) -> None:
    assert not is_far_below(counted, counted)
    assert not is_far_below(max(0, counted - 16), counted)
    assert not is_far_below(counted * 3 // 4, counted)
    assert counted < 100 or is_far_below(counted // 2, counted)
