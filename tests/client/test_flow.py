"""Asking through real sockets, with both clients: failover, streaming, and gateways that cheat."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.client.serving import WORDS, Gateway, serving
from tests.wire.making import Story, make_document

from dgrid.client import Answer, ApiKey, AsyncClient, Client
from dgrid.client.problems import error_of
from dgrid.client.transcript import StreamBroken
from dgrid.core.errors import (
    CheckFailed,
    DGridError,
    InvalidApiKey,
    ModelNotFound,
    NetworkUnreachable,
    NoNodeAvailable,
    ReceiptNotFound,
)
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.problems import problem_body

KEY = ApiKey("dg-test")
DEAD = "http://127.0.0.1:1"
Asking = Callable[[Sequence[str]], tuple[list[str], Answer]]


def ask(urls: Sequence[str]) -> tuple[list[str], Answer]:
    with Client(urls, KEY) as client:
        answer = client.ask("What does Tim play?")
    return [answer.text], answer


def stream(urls: Sequence[str]) -> tuple[list[str], Answer]:
    with Client(urls, KEY) as client:
        running = client.stream("What does Tim play?")
        return list(running), running.answer


def ask_async(urls: Sequence[str]) -> tuple[list[str], Answer]:
    async def run() -> tuple[list[str], Answer]:
        async with AsyncClient(urls, KEY) as client:
            answer = await client.ask("What does Tim play?")
            return [answer.text], answer

    return asyncio.run(run())


def stream_async(urls: Sequence[str]) -> tuple[list[str], Answer]:
    async def run() -> tuple[list[str], Answer]:
        async with AsyncClient(urls, KEY) as client:
            running = client.stream("What does Tim play?")
            return [text async for text in running], running.answer

    return asyncio.run(run())


WAYS = [ask, stream, ask_async, stream_async]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@every_way
def test_an_answer_comes_with_a_checked_receipt(way: Asking) -> None:
    gateway = Gateway()
    with serving(gateway) as urls:
        pieces, answer = way(urls)
    assert "".join(pieces) == answer.text == "Tim plays the cello."
    assert answer.verified
    assert (answer.tokens_in, answer.tokens_out, answer.fee_wei, answer.model) == (11, 7, 26, "dgrid-mini")
    assert answer.receipt_id in gateway.documents
    assert gateway.asked[0].header(b"authorization") == "Bearer dg-test"


@pytest.mark.parametrize("way", [stream, stream_async])
def test_a_stream_arrives_in_pieces(way: Asking) -> None:
    with serving(Gateway(pace_s=0.05)) as urls:
        pieces, _ = way(urls)
    assert pieces == list(WORDS)


@every_way
def test_a_dead_gateway_is_passed_over(way: Asking) -> None:
    with serving(Gateway()) as urls:
        _, answer = way([DEAD, *urls])
    assert answer.gateway_url == urls[0]


@every_way
def test_a_gateway_without_nodes_is_passed_over(way: Asking) -> None:
    with serving(Gateway(refusal=NoNodeAvailable("none")), Gateway()) as urls:
        _, answer = way(urls)
    assert answer.gateway_url == urls[1]


@every_way
def test_a_gateway_that_dies_before_its_first_word_is_passed_over(way: Asking) -> None:
    broken, sound = Gateway(breaks_after=0, change_reply=lambda _reply: b""), Gateway()
    with serving(broken, sound) as urls:
        _, answer = way(urls)
    assert answer.gateway_url == urls[1]


@pytest.mark.parametrize("way", [stream, stream_async])
def test_a_stream_that_breaks_in_the_middle_is_never_patched_with_another_answer(way: Asking) -> None:
    broken, sound = Gateway(breaks_after=2), Gateway()
    with serving(broken, sound) as urls, pytest.raises((StreamBroken, NetworkUnreachable)):
        way(urls)
    assert not sound.asked


@every_way
def test_a_refusal_that_another_gateway_would_repeat_is_final(way: Asking) -> None:
    other = Gateway()
    with (
        serving(Gateway(refusal=InvalidApiKey("unknown")), other) as urls,
        pytest.raises(InvalidApiKey, match="unknown"),
    ):
        way(urls)
    assert not other.asked


@every_way
def test_no_gateway_at_all_is_said_with_the_remedy(way: Asking) -> None:
    with pytest.raises(NetworkUnreachable, match="no gateway answers") as raised:
        way([DEAD, DEAD])
    assert "dgrid up" in raised.value.hint


@every_way
def test_a_gateways_own_word_says_more_than_a_dead_line(way: Asking) -> None:
    with (
        serving(Gateway(refusal=NoNodeAvailable("all busy"))) as urls,
        pytest.raises(NoNodeAvailable, match="all busy"),
    ):
        way([DEAD, *urls])


@every_way
def test_a_receipt_that_comes_a_little_late_is_waited_for(way: Asking) -> None:
    with serving(Gateway(late=2)) as urls:
        assert way(urls)[1].verified


def other_answer(document: ReceiptDocument) -> ReceiptDocument:
    return make_document(Story(answer="Something else."))


def wrong_chain(document: ReceiptDocument) -> ReceiptDocument:
    return replace(document, chain_id=1)


def no_salt(document: ReceiptDocument) -> ReceiptDocument:
    return replace(document, salt=None)


def dearer(document: ReceiptDocument) -> ReceiptDocument:
    shares = msgspec.structs.replace(document.receipt.shares, fee=document.receipt.shares.fee + 1)
    return replace(document, receipt=msgspec.structs.replace(document.receipt, shares=shares))


@every_way
@pytest.mark.parametrize("forge", [other_answer, wrong_chain, no_salt, dearer])
def test_a_forged_receipt_is_refused(way: Asking, forge: Any) -> None:
    with serving(Gateway(forge=forge), Gateway()) as urls, pytest.raises(CheckFailed, match="does not hold"):
        way(urls)


@every_way
def test_a_changed_answer_is_refused(way: Asking) -> None:
    cheat = Gateway(change_reply=lambda reply: reply.replace(b"cello", b"flute"))
    with serving(cheat) as urls, pytest.raises(CheckFailed, match="answer"):
        way(urls)


@every_way
def test_a_receipt_that_never_comes_is_a_failed_check(way: Asking) -> None:
    with serving(Gateway(late=100)) as urls, pytest.raises(CheckFailed, match="does not show it"):
        way(urls)


def test_without_checking_nothing_is_fetched() -> None:
    gateway = Gateway(late=100)
    with serving(gateway) as urls, Client(urls, KEY, verify=False) as client:
        answer = client.ask("What does Tim play?")
    assert answer.text
    assert not answer.verified


def test_a_retry_carries_the_same_idempotency_key() -> None:
    first, second = Gateway(refusal=None, breaks_after=0, change_reply=lambda _reply: b""), Gateway()
    with serving(first, second) as urls:
        ask(urls)
    keys = [gateway.asked[0].header(b"idempotency-key") for gateway in (first, second)]
    assert keys[0] == keys[1] != ""


def test_receipts_are_found_at_whichever_gateway_gave_them() -> None:
    empty, full = Gateway(), Gateway()
    with serving(empty, full) as urls, Client(urls, KEY) as client:
        answer = Client([urls[1]], KEY).ask("What does Tim play?")
        assert [row["id"] for row in client.receipts()] == [answer.receipt_id]
        assert all(check.ok for check in client.verify(client.receipt(answer.receipt_id), answer=answer.text))
        with pytest.raises(ReceiptNotFound):
            client.receipt("0x" + "00" * 32)


def test_what_is_no_gateway_is_a_typed_error() -> None:
    class Web(Gateway):
        async def handle(self, request: Any) -> Any:
            return msgspec.structs.replace(await super().handle(request), status=418, body=b"I am a teapot")

    with serving(Web()) as urls, pytest.raises(DGridError, match="418"):
        ask(urls)


def test_an_error_page_nested_without_end_is_still_a_typed_error() -> None:
    assert isinstance(error_of(500, b'{"unknown":' + b"[" * 100_000), NetworkUnreachable)


@pytest.mark.parametrize(
    ("told", "kept"),
    [("req_1", "req_1"), ("0x" + "ab" * 32, "0x" + "ab" * 32), ("x\r\nset-cookie: a", ""), ("x" * 200, "")],
    ids=["a name", "a receipt's", "a line break", "too long"],
)
def test_an_error_keeps_the_name_of_its_request_unless_it_would_break_a_header_or_a_log(told: str, kept: str) -> None:
    error = error_of(404, problem_body(ModelNotFound("no such model"), told))
    assert (type(error), error.request_id) == (ModelNotFound, kept)


@pytest.mark.parametrize("name", ["", "0x12", "../network/epochs", "0x" + "ab" * 31 + "\r\nx: y"])
def test_a_receipt_named_by_nonsense_is_never_asked_for(name: str) -> None:
    changed = json.dumps(name)[1:-1].encode()
    gateway = Gateway(change_reply=lambda reply: re.sub(rb"0x[0-9a-f]{64}", changed.replace(b"\\", b"\\\\"), reply))
    with serving(gateway) as urls, pytest.raises(CheckFailed, match="named no receipt"):
        ask(urls)
