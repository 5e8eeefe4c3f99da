import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.node.conftest import GATEWAY_KEY, MODEL, NOW_MS, PRICE, SALT, GatewayHand, NodeParts, make_node, node_receipt

from dgrid.core.errors import (
    ContextLengthExceeded,
    DGridError,
    InvalidJson,
    InvalidRequest,
    InvalidSignature,
    SignatureExpired,
    SignatureReplayed,
    StorageUnavailable,
)
from dgrid.core.keccak import salted_hash
from dgrid.engines.catalog import Catalog
from dgrid.engines.tokenizers import load_tokenizer
from dgrid.node import refusals
from dgrid.node.admit import DEADLINE_AHEAD_MS_MAX, Admission, Sold
from dgrid.node.books import WAITING_MAX, Books
from dgrid.wire.frames import DispatchEnvelope, decode_dispatch, encode
from dgrid.wire.signatures import SigningKey


def in_loop(test: Callable[[NodeParts], None]) -> Callable[[], None]:
    async def run() -> None:
        test(make_node())

    def wrapped() -> None:
        asyncio.run(run())

    return wrapped


@in_loop
def test_admits_what_is_signed_priced_and_covered(parts: NodeParts) -> None:
    admitted = Admission(parts.stand).admit(parts.gateway.envelope(body={"max_tokens": 20, "temperature": 0.5}))
    assert admitted.sold.terms.model == "tiny"
    assert (admitted.request.tokens_max, admitted.request.seed) == (20, 7)
    assert admitted.worst_wei == PRICE.gross(512, 20)
    assert parts.stand.meter.account(GATEWAY_KEY.address).reserved_wei == admitted.worst_wei
    assert parts.stand.presence.in_flight == 1


@in_loop
def test_leaving_gives_everything_back(parts: NodeParts) -> None:
    admission = Admission(parts.stand)
    admission.leave(admission.admit(parts.gateway.envelope()))
    assert parts.stand.meter.account(GATEWAY_KEY.address).reserved_wei == 0
    assert parts.stand.presence.in_flight == 0


CHANGES: list[tuple[dict[str, Any], type[DGridError]]] = [
    ({"node": b"\x05" * 20}, refusals.NotForThisNode),
    ({"deadline": NOW_MS}, SignatureExpired),
    ({"deadline": NOW_MS + DEADLINE_AHEAD_MS_MAX + 1}, InvalidRequest),
    ({"model_id": b"\x05" * 32}, refusals.ModelNotOffered),
    ({"model_digest": b"\x05" * 32}, refusals.ModelNotOffered),
    ({"token": b"\x05" * 20}, refusals.ModelNotOffered),
    ({"in_price": PRICE.in_wei - 1}, refusals.PriceTooLow),
    ({"out_price": PRICE.out_wei - 1}, refusals.PriceTooLow),
    ({"gateway": b"\x05" * 20}, InvalidSignature),
    ({"forwarded_hash": b"\x05" * 32}, InvalidSignature),
]


@pytest.mark.parametrize(("changes", "expected"), CHANGES, ids=lambda value: str(value)[:40])
def test_refuses_a_dispatch_that_would_not_be_paid_as_offered(
    changes: dict[str, Any], expected: type[DGridError]
) -> None:
    async def run() -> None:
        parts = make_node()
        with pytest.raises(expected):
            Admission(parts.stand).admit(parts.gateway.envelope(**changes))
        assert parts.stand.presence.in_flight == 0
        assert not list(parts.stand.books.nonces(now_ms=0))

    asyncio.run(run())


@in_loop
def test_a_body_that_was_not_signed_is_refused(parts: NodeParts) -> None:
    envelope, _ = decode_dispatch(parts.gateway.envelope())
    other = msgspec.structs.replace(envelope, body=envelope.body.replace(b"Who", b"How"))
    with pytest.raises(InvalidSignature, match="body"):
        Admission(parts.stand).admit(encode(other))


@in_loop
def test_a_stranger_cannot_dispatch_in_a_gateways_name(parts: NodeParts) -> None:
    stranger = GatewayHand(key=SigningKey(b"\x09" * 32))
    with pytest.raises(InvalidSignature):
        Admission(parts.stand).admit(stranger.envelope(gateway=GATEWAY_KEY.address))
    with pytest.raises(refusals.UnknownGateway):
        Admission(parts.stand).admit(stranger.envelope())


@in_loop
def test_a_dispatch_is_served_once(parts: NodeParts) -> None:
    admission, data = Admission(parts.stand), parts.gateway.envelope()
    admission.admit(data)
    with pytest.raises(SignatureReplayed):
        admission.admit(data)
    assert parts.stand.presence.in_flight == 1
    assert parts.stand.meter.account(GATEWAY_KEY.address).reserved_wei == PRICE.gross(512, 512)


def test_a_dispatch_is_served_once_across_a_restart(tmp_path: Path) -> None:
    async def run(data: bytes | None) -> bytes:
        books = Books(tmp_path / "node.sqlite")
        parts = make_node(books=books)
        sent = data or parts.gateway.envelope()
        try:
            Admission(parts.stand).admit(sent)
        finally:
            books.close()
        return sent

    sent = asyncio.run(run(None))
    with pytest.raises(SignatureReplayed):
        asyncio.run(run(sent))


@in_loop
def test_takes_only_so_much_at_a_time_and_nothing_while_draining(parts: NodeParts) -> None:
    admission = Admission(parts.stand)
    for _ in range(parts.stand.presence.capacity * 9):
        admission.admit(parts.gateway.envelope(body={"max_tokens": 1}))
    with pytest.raises(refusals.AtCapacity) as caught:
        admission.admit(parts.gateway.envelope(body={"max_tokens": 1}))
    assert caught.value.retry_after_ms > 0
    parts.stand.presence.draining = True
    with pytest.raises(refusals.Draining):
        admission.admit(parts.gateway.envelope())


@in_loop
def test_stops_at_the_credit_line(parts: NodeParts) -> None:
    parts.chain.line_wei = PRICE.gross(512, 20) - 1
    with pytest.raises(refusals.CreditLineReached):
        Admission(parts.stand).admit(parts.gateway.envelope(body={"max_tokens": 20}))
    assert parts.stand.presence.in_flight == 0


@in_loop
def test_a_short_total_shown_with_the_dispatch_ends_the_service(parts: NodeParts) -> None:
    admission, gateway = Admission(parts.stand), parts.gateway
    receipts = gateway.acknowledge(node_receipt(1)), gateway.acknowledge(node_receipt(2), short_wei=1)
    with pytest.raises(refusals.TotalShort):
        admission.admit(gateway.envelope(acknowledged=receipts))
    with pytest.raises(refusals.TotalShort):
        admission.admit(gateway.envelope())


@in_loop
def test_takes_no_work_that_it_could_not_write_down(parts: NodeParts) -> None:
    for _ in range(WAITING_MAX + 1):
        parts.stand.books.drop_work(b"")
    with pytest.raises(StorageUnavailable):
        Admission(parts.stand).admit(parts.gateway.envelope())


def with_tokenizer(parts: NodeParts) -> Admission:
    tokenizer = load_tokenizer(Catalog.built_in().model("dgrid-micro").path)
    return Admission(replace(parts.stand, models={bytes(MODEL.id): Sold(MODEL, parts.engine, tokenizer)}))


@in_loop
def test_counts_the_prompt_and_leaves_the_rest_of_the_context_to_the_answer(parts: NodeParts) -> None:
    admitted = with_tokenizer(parts).admit(parts.gateway.envelope())
    assert admitted.tokens_in is not None
    assert 5 < admitted.tokens_in < 20
    assert admitted.request.tokens_max == 512 - admitted.tokens_in
    assert admitted.worst_wei == PRICE.gross(admitted.tokens_in, admitted.request.tokens_max)


@in_loop
def test_a_prompt_beyond_the_context_never_reaches_the_engine(parts: NodeParts) -> None:
    long = {"messages": [{"role": "user", "content": "Maria lives in Oslo. " * 200}]}
    with pytest.raises(ContextLengthExceeded):
        with_tokenizer(parts).admit(parts.gateway.envelope(body=long))
    assert parts.stand.presence.in_flight == 0


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b"{", InvalidJson), (b'{"model":"tiny","messages":[]}', InvalidRequest), (b"[" * 100_000, DGridError)],
)
def test_a_body_that_is_no_request_is_refused_as_such(body: bytes, expected: type[DGridError]) -> None:
    async def run() -> None:
        parts = make_node()
        data = parts.gateway.envelope(forwarded_hash=salted_hash(SALT, body))
        envelope, _ = decode_dispatch(data)
        with pytest.raises(expected):
            Admission(parts.stand).admit(encode(msgspec.structs.replace(envelope, body=body)))

    asyncio.run(run())


@given(data=st.one_of(st.binary(), st.integers(0, 400).map(lambda cut: GatewayHand().envelope()[:cut])))
def test_whatever_arrives_is_answered_with_a_typed_error(data: bytes) -> None:
    async def run() -> None:
        with pytest.raises(DGridError):
            Admission(make_node().stand).admit(data)

    asyncio.run(run())


@given(at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_in_the_dispatch_is_refused(at: int, bit: int) -> None:
    async def run() -> None:
        parts = make_node()
        envelope, _ = decode_dispatch(parts.gateway.envelope())
        at_byte = at % len(envelope.dispatch)
        packed = bytearray(envelope.dispatch)
        packed[at_byte] ^= 1 << bit
        changed = DispatchEnvelope(bytes(packed), envelope.seal, SALT, "tiny", envelope.body)
        with pytest.raises(DGridError):
            Admission(parts.stand).admit(encode(changed))

    asyncio.run(run())
