"""Closed epochs without a chain: for what is pure."""

from tests.settlement.books import Books, Work, voucher

from dgrid.core.keccak import keccak
from dgrid.core.money import WEI, Price
from dgrid.settlement.closing import ClosedEpoch
from dgrid.wire.messages import ChannelConfig
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain, channel_domain, dgrid_domain

SETTLEMENT, ESCROW, TOKEN = b"\x05" * 20, b"\x06" * 20, b"\x07" * 20
GENESIS_S, EPOCH_S, EPOCH = 1_700_000_000, 20, 42
LISTING = keccak(b"a listing"), 1, Price(WEI, WEI)


def key(name: str) -> SigningKey:
    return SigningKey(keccak(name.encode()))


def escrow_domain() -> Domain:
    return channel_domain(31337, ESCROW)


def channel(payer: str) -> ChannelConfig:
    owner = key(payer).address
    return ChannelConfig(owner, owner, SETTLEMENT, SETTLEMENT, TOKEN, 120, key("gateway").address + b"t" * 12)


def some_books() -> Books:
    domain = dgrid_domain(31337, SETTLEMENT)
    return Books(key("gateway"), domain, TOKEN, GENESIS_S, EPOCH_S, LISTING)


def some_work(index: int) -> Work:
    config = channel(f"payer-{index % 2}")
    name = escrow_domain().digest(config.struct_hash())
    return Work(config, name, key(f"node-{index % 3}"), 1000 + index, 10 * index)


def a_closed_epoch(*, count: int, epoch: int = EPOCH) -> tuple[Books, ClosedEpoch]:
    """An epoch of `count` leaves by two payers and three nodes, with their vouchers."""
    books = some_books()
    for index in range(count):
        books.answer(epoch, some_work(index))
    vouchers = tuple(voucher(escrow_domain(), channel(name), key(name), 100 * WEI) for name in ("payer-0", "payer-1"))
    closed = books.close(epoch, vouchers=vouchers)
    assert closed is not None
    return books, closed
