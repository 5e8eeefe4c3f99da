import asyncio
import sqlite3
from pathlib import Path

import pytest
from tests.node.conftest import GatewayHand, node_receipt

from dgrid.core.errors import StorageUnavailable
from dgrid.node.books import WAITING_MAX, Books, HeldReceipt, Work

WORK = Work(b"\x01" * 32, b"\x02" * 20, 2**100, 10, 5, 2**70, 2**80, 1)


async def fill(path: Path, *, flush: bool) -> list[HeldReceipt]:
    books, gateway = Books(path), GatewayHand()
    held = [HeldReceipt.of(gateway.acknowledge(node_receipt(), epoch=epoch)) for epoch in (1, 1, 2)]
    books.add_nonce(b"\x02" * 20, 2**64 - 1, deadline_ms=100)
    books.add_nonce(b"\x02" * 20, 5, deadline_ms=50)
    books.add_work(WORK)
    for receipt in held:
        books.keep_receipt(receipt)
    if flush:
        books.flush()
    return held


def test_a_node_remembers_after_it_was_killed(tmp_path: Path) -> None:
    held = asyncio.run(fill(tmp_path / "node.sqlite", flush=True))
    books = Books(tmp_path / "node.sqlite")
    assert list(books.nonces(now_ms=60)) == [(b"\x02" * 20, 2**64 - 1, 100)]
    assert list(books.work()) == [WORK]
    assert list(books.receipts()) == held[1:]


def test_what_waits_is_written_soon_without_being_asked(tmp_path: Path) -> None:
    async def wait() -> None:
        await fill(tmp_path / "node.sqlite", flush=False)
        await asyncio.sleep(0.1)

    asyncio.run(wait())
    assert list(Books(tmp_path / "node.sqlite").work()) == [WORK]


def test_forgets_what_it_is_told_to(tmp_path: Path) -> None:
    async def forget() -> None:
        held = await fill(tmp_path / "node.sqlite", flush=True)
        books = Books(tmp_path / "node.sqlite")
        books.forget_nonces(before_ms=101)
        books.drop_work(WORK.node_receipt_hash)
        books.forget_receipts(held[0].gateway, 0, before_epoch=2)
        books.close()

    asyncio.run(forget())
    books = Books(tmp_path / "node.sqlite")
    assert (list(books.nonces(now_ms=0)), list(books.work())) == ([], [])
    assert [receipt.epoch for receipt in books.receipts()] == [2]


def test_a_full_disk_is_a_typed_error_and_nothing_is_lost(tmp_path: Path) -> None:
    async def fail_then_succeed() -> None:
        books = Books(tmp_path / "node.sqlite")
        blocker = sqlite3.connect(tmp_path / "node.sqlite", isolation_level=None)
        books._database.execute("PRAGMA busy_timeout = 0")
        blocker.execute("BEGIN IMMEDIATE")
        books.add_work(WORK)
        with pytest.raises(StorageUnavailable):
            books.flush()
        blocker.execute("ROLLBACK")
        books.close()

    asyncio.run(fail_then_succeed())
    assert list(Books(tmp_path / "node.sqlite").work()) == [WORK]


def test_says_when_too_much_waits() -> None:
    async def pile_up() -> bool:
        books = Books(None)
        for _ in range(WAITING_MAX + 1):
            books.drop_work(b"")
        return books.behind

    assert asyncio.run(pile_up())


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "node.sqlite").write_text("x" * 5000)
    with pytest.raises(StorageUnavailable):
        Books(tmp_path / "node.sqlite")
