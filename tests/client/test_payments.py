"""What a wallet signs, and what it refuses to be billed for."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.client.serving import Gateway, serving
from tests.wire.making import DOMAIN, GATEWAY, PAYER, TOKEN, Story, make_document

from dgrid.client import Client
from dgrid.client.book import book_file
from dgrid.client.flow import Order
from dgrid.client.kept import kept_request
from dgrid.client.payments import ChannelDomains, ChannelWallet, Wallets
from dgrid.core.errors import CheckFailed, NetworkUnreachable
from dgrid.core.identity import channel_salt, from_hex, to_hex
from dgrid.core.keccak import salted_hash
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import ChannelConfig, InferenceRequest, Voucher
from dgrid.wire.signatures import recover
from dgrid.wire.typed import channel_domain

VOUCHERS = channel_domain(31337, bytes(20))
CONFIG = ChannelConfig(
    PAYER.address, PAYER.address, bytes(20), bytes(20), TOKEN, 900, channel_salt(GATEWAY.address, b"t" * 12)
)
ORDER = Order(b'{"model":"auto"}', "auto", streamed=False)
NOW_MS = 1_790_000_000_000


def wallet(folder: Path, *, now_ms: int = NOW_MS, max_fee_wei: int = 10**18) -> ChannelWallet:
    domains = ChannelDomains(DOMAIN, VOUCHERS)
    return ChannelWallet(PAYER, CONFIG, domains=domains, folder=folder, now_ms=lambda: now_ms, max_fee_wei=max_fee_wei)


def opened(header: str) -> dict[str, Any]:
    payment: dict[str, Any] = json.loads(base64.urlsafe_b64decode(header))
    return payment


def request_of(payment: dict[str, Any]) -> InferenceRequest:
    return InferenceRequest.from_json(payment["request"])


def billed(wallet: ChannelWallet, payment: dict[str, Any], **story: Any) -> ReceiptDocument:
    """The receipt for a signed request."""
    digest = DOMAIN.digest(request_of(payment).struct_hash())
    salt = from_hex(payment["salt"], size=32)
    return make_document(Story(request_id=digest, salt=salt, channel_id=wallet.channel_id, sent=ORDER.body, **story))


def test_a_signed_request_says_what_is_asked_and_by_whom(tmp_path: Path) -> None:
    payer = wallet(tmp_path)
    payment = opened(payer.sign(ORDER))
    request = request_of(payment)
    assert request.request_hash == salted_hash(from_hex(payment["salt"], size=32), ORDER.body)
    assert (request.payer, request.gateway) == (PAYER.address, GATEWAY.address)
    assert NOW_MS < request.deadline <= NOW_MS + 3_600_000
    assert recover(DOMAIN.digest(request.struct_hash()), from_hex(payment["signature"], size=65)) == PAYER.address
    assert kept_request(tmp_path, to_hex(DOMAIN.digest(request.struct_hash()))) == request


def test_a_voucher_covers_what_was_used_and_what_is_under_way(tmp_path: Path) -> None:
    payer = wallet(tmp_path, max_fee_wei=100 * 10**9)
    first, second = opened(payer.sign(ORDER)), opened(payer.sign(ORDER))
    assert [payment["voucher"]["maxClaimableAmount"] for payment in (first, second)] == [str(10**11), str(2 * 10**11)]
    document = billed(payer, first)
    payer.settle(document)
    fee = document.receipt.shares.fee
    assert payer.used_wei == fee
    third = opened(payer.sign(ORDER))
    amount = int(third["voucher"]["maxClaimableAmount"])
    assert amount == fee + 2 * 10**11
    digest = VOUCHERS.digest(Voucher(payer.channel_id, amount).struct_hash())
    assert recover(digest, from_hex(third["voucher"]["signature"], size=65)) == PAYER.address


def test_no_request_is_signed_twice_alike(tmp_path: Path) -> None:
    payer = wallet(tmp_path)
    payments = [opened(payer.sign(ORDER)) for _ in range(5)]
    assert len({payment["request"]["nonce"] for payment in payments}) == 5
    assert len({payment["salt"] for payment in payments}) == 5


def test_the_owner_adds_the_salt_to_its_receipt(tmp_path: Path) -> None:
    payer = wallet(tmp_path)
    document = billed(payer, opened(payer.sign(ORDER)))
    assert payer.own(replace(document, salt=None)) == document


def test_a_receipt_settles_once(tmp_path: Path) -> None:
    payer = wallet(tmp_path)
    document = billed(payer, opened(payer.sign(ORDER)))
    payer.settle(document)
    with pytest.raises(CheckFailed, match="did not sign, or billed before"):
        payer.settle(document)


def test_a_bill_for_something_else_is_refused(tmp_path: Path) -> None:
    payer = wallet(tmp_path)
    payment = opened(payer.sign(ORDER))
    with pytest.raises(CheckFailed, match="did not sign"):
        payer.settle(make_document())
    with pytest.raises(CheckFailed, match="another channel or payer"):
        payer.settle(billed(payer, payment, payer=bytes(20)))


def test_a_bill_above_the_signed_maximum_is_refused(tmp_path: Path) -> None:
    payer = wallet(tmp_path, max_fee_wei=10**6)
    payment = opened(payer.sign(ORDER))
    with pytest.raises(CheckFailed, match="above the signed maximum"):
        payer.settle(billed(payer, payment))


def test_a_running_total_above_every_promise_is_refused(tmp_path: Path) -> None:
    payer = wallet(tmp_path)
    payment = opened(payer.sign(ORDER))
    with pytest.raises(CheckFailed, match="more than was promised"):
        payer.settle(billed(payer, payment, paid_before=10**18))


def test_ceilings_go_on_after_a_restart(tmp_path: Path) -> None:
    before = wallet(tmp_path)
    before.settle(billed(before, opened(before.sign(ORDER))))
    before.sign(ORDER)
    after = wallet(tmp_path)
    assert (after.used_wei, after.ceiling_wei) == (before.used_wei, before.ceiling_wei)


def test_a_promise_that_nobody_took_up_is_forgotten_in_time(tmp_path: Path) -> None:
    wallet(tmp_path).sign(ORDER)
    later = wallet(tmp_path, now_ms=NOW_MS + 600_000)
    document = billed(later, opened(later.sign(ORDER)))
    later.settle(document)
    assert later.ceiling_wei == document.receipt.shares.fee


def test_a_lost_book_starts_at_what_the_chain_drew(tmp_path: Path) -> None:
    payer = wallet(tmp_path)
    payer.raise_used(500)
    payer.raise_used(400)
    assert payer.used_wei == 500
    payer.sign(ORDER)
    book_file(tmp_path, payer.channel_id).unlink()
    assert wallet(tmp_path).used_wei == 0


def test_a_damaged_line_loses_neither_what_was_used_nor_what_is_under_way(tmp_path: Path) -> None:
    """A lower voucher than those signed before buys nothing, and receipts that count on would be refused."""
    payer = wallet(tmp_path)
    payer.settle(billed(payer, opened(payer.sign(ORDER))))
    payer.settle(billed(payer, opened(payer.sign(ORDER)), paid_before=payer.used_wei))
    payer.sign(ORDER)
    book = book_file(tmp_path, payer.channel_id)
    lines = book.read_bytes().splitlines(keepends=True)
    for at in range(len(lines) - 1):
        book.write_bytes(b"".join([*lines[:at], b"\0" * len(lines[at]), b"\n", *lines[at + 1 :]]))
        again = wallet(tmp_path)
        assert again.used_wei == payer.used_wei
        assert again.ceiling_wei >= payer.ceiling_wei


def test_asking_with_vouchers_needs_no_key_and_ends_with_a_checked_receipt(tmp_path: Path) -> None:
    payer = wallet(tmp_path)
    gateway = Gateway()
    with serving(gateway) as urls, Client(urls, Wallets({urls[0]: payer})) as client:
        answer = client.ask("What does Tim play?")
    assert answer.verified
    assert not gateway.asked[0].header(b"authorization")
    assert answer.document is not None
    assert payer.used_wei == answer.document.receipt.totals.payer


def test_a_gateway_without_a_channel_gets_no_signature() -> None:
    with pytest.raises(NetworkUnreachable, match="no channel"):
        Wallets({}).headers("http://127.0.0.1:1", ORDER)
    assert Wallets({}).headers("http://127.0.0.1:1", None) == {}


def test_a_receipt_is_kept_as_the_gateway_signed_it(tmp_path: Path) -> None:
    document = billed(payer := wallet(tmp_path), opened(payer.sign(ORDER)))
    assert msgspec.json.decode(document.encode())["receipt"]["parties"]["channelId"] == "0x" + payer.channel_id.hex()
