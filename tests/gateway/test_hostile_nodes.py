"""Nodes that lie, babble, stall and die: whatever they do is retried elsewhere or ends in a clean error, unbilled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.gateway.stage import API_KEY, DOMAIN, PRICE, Stage, play, until

from dgrid.core.errors import InvalidRequest
from dgrid.core.keccak import keccak, salted_hash
from dgrid.engines.scripted import Script
from dgrid.node.offer import ModelTerms, Place, PublishedOffer
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.frames import CONTENT_TYPE, FrameKind, NodeDone, decode_dispatch, encode, frame
from dgrid.wire.messages import Flag, NodeReceipt
from dgrid.wire.seals import Seal, seal
from dgrid.wire.server import Reply, Request, problem_reply
from dgrid.wire.signatures import SigningKey

KEY = SigningKey(b"\x66" * 32)
TEXT = "Maria lives in Oslo."


class Liar:
    """A registered node that answers as it is told to; honest until bent."""

    def __init__(self, behave: Callable[["Liar", Request], Reply]) -> None:
        terms = ModelTerms("tiny", keccak(b"weights"), PRICE, context=4096, tokenizer="words")
        self.offer = PublishedOffer.sign(KEY, Place(31337, "liar", "here", 32), models=(terms,), now_ms=1)
        self.behave, self.asked = behave, 0

    async def handle(self, request: Request) -> Reply:
        if request.path == "/v1/offer":
            return Reply(200, self.offer.document)
        self.asked += 1
        return self.behave(self, request)


def chunk(text: str, *, model: str = "tiny", streamed: bool = False) -> bytes:
    said = {"role": "assistant", "content": text}
    choice = {"index": 0, ("delta" if streamed else "message"): said, "finish_reason": None if streamed else "stop"}
    return msgspec.json.encode({"id": "chatcmpl-1", "object": "x", "created": 1, "model": model, "choices": [choice]})


def done(request: Request, text: str, *, tokens: tuple[int, int] = (4, 4), key: SigningKey = KEY, **bent: Any) -> bytes:
    envelope, dispatch = decode_dispatch(request.body)
    receipt = NodeReceipt(
        dispatch.struct_hash(), salted_hash(envelope.salt, text.encode()), salted_hash(envelope.salt, b""), *tokens
    )
    receipt = msgspec.structs.replace(receipt, **bent)
    sealed = seal(key, DOMAIN, [receipt.struct_hash()])[0]
    return frame(FrameKind.DONE, encode(NodeDone(receipt.packed(), sealed, b"")))


def frames(*parts: bytes) -> Reply:
    return Reply(200, b"".join(parts), content_type=CONTENT_TYPE.encode())


def data(payload: bytes) -> bytes:
    return frame(FrameKind.DATA, payload)


def streamed(*parts: bytes, forever: bytes = b"", then_break: bool = False) -> Reply:
    async def pieces() -> AsyncIterator[bytes]:
        for part in parts:
            yield part
            await asyncio.sleep(0.01)
        while forever:
            yield forever
            await asyncio.sleep(0)
        if then_break:
            raise ConnectionError

    return Reply(200, pieces(), content_type=CONTENT_TYPE.encode())


def garbage_seal(request: Request) -> bytes:
    envelope, dispatch = decode_dispatch(request.body)
    receipt = NodeReceipt(dispatch.struct_hash(), salted_hash(envelope.salt, TEXT.encode()), bytes(32), 4, 4)
    return frame(FrameKind.DONE, encode(NodeDone(receipt.packed(), Seal(b"\x01" * 65, 0, 1, ()), b"")))


LIES: dict[str, Callable[[Liar, Request], Reply]] = {
    "another signer": lambda _, r: frames(data(chunk(TEXT)), done(r, TEXT, key=SigningKey(b"\x67" * 32))),
    "a garbage signature": lambda _, r: frames(data(chunk(TEXT)), garbage_seal(r)),
    "another answer signed": lambda _, r: frames(data(chunk(TEXT)), done(r, "Something else")),
    "another dispatch signed": lambda _, r: frames(data(chunk(TEXT)), done(r, TEXT, dispatch_hash=bytes(32))),
    "other evidence signed": lambda _, r: frames(data(chunk(TEXT)), done(r, TEXT, evidence_hash=bytes(32))),
    "another model": lambda _, r: frames(data(chunk(TEXT, model="huge")), done(r, TEXT)),
    "an empty answer": lambda _, r: frames(data(chunk("")), done(r, "")),
    "no receipt": lambda _, r: frames(data(chunk(TEXT))),
    "no frames": lambda _, r: Reply(200, b'{"choices":[]}'),
    "garbage frames": lambda _, r: frames(b"\x09" * 64),
    "a line break in a chunk": lambda _, r: frames(data(chunk(TEXT) + b"\n\ndata: {}"), done(r, TEXT)),
    "not JSON": lambda _, r: frames(data(b"{broken"), done(r, TEXT)),
    "an error without a reason": lambda _, r: Reply(500, b"oops"),
    "a refusal without end": lambda _, r: Reply(503, b"x" * 1_000_000),
    "a gigabyte": lambda _, r: streamed(forever=data(chunk("x" * 900_000))),
    "frames without end": lambda _, r: streamed(forever=data(chunk("la", streamed=True))),
    "a redirect": lambda _, r: Reply(302, b"", [(b"location", b"http://127.0.0.1:1/")]),
    "death after the last token": lambda _, r: streamed(data(chunk(TEXT)), then_break=True),
    "bytes after the receipt": lambda _, r: frames(data(chunk(TEXT)), done(r, TEXT), data(chunk(TEXT))),
}


async def joined_by(stage: Stage, liar: Liar) -> None:
    """Puts a liar on the market."""
    server = await stage.listen(liar.handle)
    stage.register(KEY.address, f"http://127.0.0.1:{server.port}")
    await until(lambda: KEY.address in {s.node for s in stage.service.router.market.in_band.get("tiny", ())})


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_lie_is_answered_elsewhere_and_never_billed(tmp_path: Path, lie: str, *, stream: bool) -> None:
    async def scenes(stage: Stage) -> None:
        liar = Liar(LIES[lie])
        await joined_by(stage, liar)
        before = stage.account().spent_wei
        answer = await stage.ask(stream=stream, provider={"order": ["0x" + KEY.address.hex()]})
        assert liar.asked == 1
        spoke_first = stream and b"lives" in answer.body.split(b"error")[0] and b'"error"' in answer.body
        if spoke_first:  # the lie showed only after the client had words: a clean error event
            assert answer.events[-1]["error"]["code"] in ("node_misbehaved", "node_unreachable")
        elif stream and b'"error"' in answer.body:
            assert answer.events[-1]["error"]["code"] == "node_misbehaved"
        else:
            assert answer.status == 200, answer.body
            assert answer.headers[b"x-dgrid-attempts"] == b"2"
            receipt = await stage.get(f"/v1/receipts/{answer.receipt_id}", key=API_KEY)
            assert ReceiptDocument.decode(receipt.body).receipt.parties.node == stage.nodes[0].key.address
        await until(lambda: stage.account().held_wei == 0)
        billed = stage.account().spent_wei - before
        assert billed == (0 if b'"error"' in answer.body else billed)
        assert stage.service.ledger.node_total(KEY.address) == 0

    play(tmp_path, scenes)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_request_that_nodes_find_wrong_is_the_callers_to_mend_and_costs_no_node_its_standing(
    tmp_path: Path, *, stream: bool
) -> None:
    async def scenes(stage: Stage) -> None:
        liar = Liar(lambda _, __: problem_reply(InvalidRequest("the engine refuses the request: no such schema")))
        await joined_by(stage, liar)
        for _ in range(4):
            answer = await stage.ask(stream=stream, provider={"only": ["0x" + KEY.address.hex()]})
            assert (answer.status, answer.code) == (400, "invalid_request")
            assert answer.json["error"]["message"] == "the engine refuses the request: no such schema"
        assert not stage.service.router.loads.of(KEY.address).is_ejected(stage.now_ms())
        await until(lambda: stage.account().held_wei == 0)

    play(tmp_path, scenes)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("wish", [{"stop": ["Maria"]}, {"logit_bias": {"0": 100}}], ids=["stop", "bias"])
def test_an_answer_that_its_caller_ends_at_once_is_empty_and_no_fault(
    tmp_path: Path, wish: dict[str, Any], *, stream: bool
) -> None:
    async def scenes(stage: Stage) -> None:
        for _ in range(4):
            answer = await stage.ask(stream=stream, **wish)
            assert (answer.status, b'"error"' in answer.body) == (200, False)
        assert (await stage.ask(stream=stream)).status == 502

    play(tmp_path, scenes, Script(pieces=()))


def test_a_node_that_lies_about_tokens_gets_the_gateway_s_count_and_is_sent_away(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        liar = Liar(lambda _, r: frames(data(chunk(TEXT)), done(r, TEXT, tokens=(4_000, 4_000))))
        await joined_by(stage, liar)
        answer = await stage.ask(provider={"order": ["0x" + KEY.address.hex()]})
        assert (answer.json["usage"]["prompt_tokens"], answer.json["usage"]["completion_tokens"]) == (4, 4)
        assert stage.service.router.loads.of(KEY.address).is_ejected(stage.now_ms())
        nodes = (await stage.get("/v1/network/nodes")).json["nodes"]
        assert {node["state"] for node in nodes if node["address"] == "0x" + KEY.address.hex()} == {"ejected"}

    play(tmp_path, scenes)


def test_a_node_without_a_known_tokenizer_is_billed_within_the_bytes_it_sent(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        liar = Liar(lambda _, r: frames(data(chunk(TEXT)), done(r, TEXT, tokens=(10**6, 10**6))))
        terms = ModelTerms("tiny", keccak(b"weights"), PRICE, context=4096, tokenizer="unheard of")
        liar.offer = PublishedOffer.sign(KEY, Place(31337, "liar", "here", 4), models=(terms,), now_ms=2)
        await joined_by(stage, liar)
        await stage.nodes[0].server.stop()
        answer = await stage.ask(provider={"only": ["0x" + KEY.address.hex()]}, max_tokens=512)
        assert answer.status == 200, answer.body
        assert answer.json["usage"]["completion_tokens"] <= len(TEXT) + 16
        receipt = await stage.get(f"/v1/receipts/{answer.receipt_id}", key=API_KEY)
        assert ReceiptDocument.decode(receipt.body).receipt.usage.flags & Flag.NODE_COUNTED

    play(tmp_path, scenes)


def test_a_node_that_never_answers_costs_the_deadline_and_nothing_else(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        answer = await stage.ask()
        assert answer.code in ("node_unreachable", "node_refused")  # whose deadline ends first is chance
        await until(lambda: stage.account().held_wei == 0)
        assert stage.account().spent_wei == 0

    play(tmp_path, scenes, Script(first_delay_s=30.0), timeout_s=0.5)


def test_three_failures_in_a_row_send_a_node_away(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        bad = stage.nodes[0].key.address
        for _ in range(3):
            await stage.ask(provider={"order": ["0x" + bad.hex()]})
        assert stage.service.router.loads.of(bad).is_ejected(stage.now_ms())
        asked = len(stage.nodes[0].engine.requests)
        for _ in range(5):
            assert (await stage.ask()).headers[b"x-dgrid-attempts"] == b"1"
        assert len(stage.nodes[0].engine.requests) == asked

    play(tmp_path, scenes, Script(fails_after=0), Script())


@pytest.mark.parametrize("stream", [False, True])
def test_a_node_is_not_held_slow_for_the_time_that_another_took_to_fail(tmp_path: Path, *, stream: bool) -> None:
    async def scenes(stage: Stage) -> None:
        bad, good = (node.key.address for node in stage.nodes)
        answer = await stage.ask(stream=stream, provider={"order": ["0x" + bad.hex()]})
        assert answer.headers[b"x-dgrid-attempts"] == b"2"
        latency_ms = stage.service.router.loads.of(good).latency_ms
        assert latency_ms is not None
        assert latency_ms < 300

    play(tmp_path, scenes, Script(first_delay_s=2.0, fails_after=0), Script())


def test_a_stream_that_breaks_after_its_first_words_is_billed_only_as_far_as_the_node_signs(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        answer = await stage.ask(stream=True)
        assert answer.status == 200
        assert answer.events[-1]["error"]["code"] == "node_unreachable"
        receipt = await stage.get(f"/v1/receipts/{answer.receipt_id}", key=API_KEY)
        usage = ReceiptDocument.decode(receipt.body).receipt.usage
        assert usage.flags & Flag.PARTIAL
        assert usage.tokens_out == 2

    play(tmp_path, scenes, Script(fails_after=2))


def test_the_gateway_asks_nobody_outside_loopback(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.register(b"\x77" * 20, "http://192.0.2.1:9")
        await asyncio.sleep(0.3)
        assert (await stage.ask()).status == 200

    play(tmp_path, scenes)
