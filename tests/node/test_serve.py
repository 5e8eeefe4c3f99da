import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from tests.node.conftest import DOMAIN, GATEWAY_KEY, MODEL, NODE_KEY, NOW_MS, SALT, NodeParts, make_node

from dgrid.core.errors import EngineError
from dgrid.core.keccak import salted_hash
from dgrid.engines.catalog import Catalog
from dgrid.engines.scripted import Script, ScriptedEngine
from dgrid.engines.tokenizers import Tokenizer
from dgrid.node.offer import Place, PublishedOffer
from dgrid.node.serve import NodeService, operator_token
from dgrid.wire.answers import Answer
from dgrid.wire.evidence import decode_evidence
from dgrid.wire.frames import FrameKind, FrameReader, NodeDone, decode_dispatch, decode_done
from dgrid.wire.http import ClientReply, HttpClient
from dgrid.wire.messages import NodeReceipt
from dgrid.wire.offers import decode_offer
from dgrid.wire.openai import decode_chunk
from dgrid.wire.seals import sealed_by
from dgrid.wire.server import Server

Work = Callable[["Caller"], Awaitable[None]]


class Caller:
    """A gateway's HTTP side, and the node it talks to."""

    def __init__(self, parts: NodeParts, url: str) -> None:
        self.parts, self.url, self.client = parts, url, HttpClient()

    async def post(self, path: str, body: bytes = b"", **headers: str) -> ClientReply:
        return await self.client.request("POST", self.url + path, body=body, headers=headers)

    async def dispatch(self, **body: Any) -> "Heard":
        data = self.parts.gateway.envelope(body=body)
        reply = await self.post("/v1/dispatch", data)
        return Heard(data, reply.status, await reply.read())


class Heard:
    """What came back for one dispatch."""

    def __init__(self, sent: bytes, status: int, body: bytes) -> None:
        self.sent, self.status, self.body = sent, status, body
        self.answer, self.objects = Answer(), list[dict[str, Any]]()
        self.done: tuple[NodeDone, NodeReceipt] | None = None
        for kind, payload in FrameReader().feed(body) if status == 200 else ():
            if kind is FrameKind.DONE:
                self.done = decode_done(payload)
            else:
                self.answer.add(decode_chunk(payload))
                self.objects.append(msgspec.json.decode(payload))

    @property
    def error_code(self) -> str:
        code: str = msgspec.json.decode(self.body)["error"]["code"]
        return code

    def check_signed(self) -> NodeReceipt:
        """The node's receipt, after checking that it is signed and says what was heard."""
        assert self.done is not None
        done, receipt = self.done
        assert sealed_by(DOMAIN, receipt.struct_hash(), done.seal) == NODE_KEY.address
        assert receipt.dispatch_hash == decode_dispatch(self.sent)[1].struct_hash()
        assert receipt.output_hash == self.answer.output_hash(SALT)
        assert receipt.evidence_hash == salted_hash(SALT, done.evidence)
        return receipt


def serve(work: Work, *, engine: ScriptedEngine | None = None, tokenizer: Tokenizer | None = None) -> None:
    async def run() -> None:
        parts = make_node(engine=engine, tokenizer=tokenizer)
        offer = PublishedOffer.sign(NODE_KEY, Place(31337, "scripted", "local", 2), models=(MODEL,), now_ms=NOW_MS)
        server = Server(NodeService(parts.stand, NODE_KEY, offer).handle, host="127.0.0.1", port=0)
        await server.start()
        caller = Caller(parts, f"http://127.0.0.1:{server.port}")
        try:
            await asyncio.wait_for(work(caller), 30)
        finally:
            await caller.client.close()
            await server.stop()
        assert parts.stand.presence.in_flight == 0
        assert parts.stand.meter.account(GATEWAY_KEY.address).reserved_wei == 0

    asyncio.run(run())


def test_a_whole_answer_comes_with_its_signed_receipt() -> None:
    async def work(caller: Caller) -> None:
        heard = await caller.dispatch()
        receipt = heard.check_signed()
        assert heard.answer.text() == "Maria lives in Oslo."
        assert (receipt.tokens_in, receipt.tokens_out) == (10, 5)
        assert heard.objects[0]["usage"] == {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        assert heard.objects[0]["object"] == "chat.completion"
        assert heard.objects[0]["choices"][0]["finish_reason"] == "stop"
        assert heard.objects[0]["choices"][0]["logprobs"] is None

    serve(work)


def test_a_streamed_answer_is_the_same_answer_and_costs_the_same() -> None:
    async def work(caller: Caller) -> None:
        whole = await caller.dispatch(n=2)
        streamed = await caller.dispatch(n=2, stream=True, stream_options={"include_usage": True})
        assert streamed.answer.text() == whole.answer.text()
        assert streamed.answer.finish_reasons == {0: "stop", 1: "stop"}
        one, other = whole.check_signed(), streamed.check_signed()
        assert (one.tokens_in, one.tokens_out) == (other.tokens_in, other.tokens_out) == (10, 10)
        assert one.output_hash == other.output_hash
        assert streamed.objects[-1]["usage"]["completion_tokens"] == 10
        assert streamed.objects[0]["choices"][0]["delta"]["role"] == "assistant"

    serve(work)


def test_the_evidence_names_every_token() -> None:
    async def work(caller: Caller) -> None:
        heard = await caller.dispatch(stream=True)
        assert heard.done is not None
        (choice,) = decode_evidence(heard.done[0].evidence)
        assert list(choice.ids) == [0, 1, 2, 3, 4]
        assert list(choice.logprobs) == [-0.5] * 5

    serve(work)


@pytest.mark.parametrize("stream", [True, False])
def test_log_probabilities_are_shown_to_those_who_ask(*, stream: bool) -> None:
    async def work(caller: Caller) -> None:
        heard = await caller.dispatch(stream=stream, logprobs=True, top_logprobs=2)
        shown = [c["logprobs"] for o in heard.objects for c in o["choices"] if c["logprobs"]]
        tokens = [token for logprobs in shown for token in logprobs["content"]]
        assert [token["token"] for token in tokens] == ["Maria", " lives", " in", " Oslo", "."]
        assert "id" not in tokens[0]

    serve(work)


def test_without_evidence_the_engines_own_count_is_taken() -> None:
    async def work(caller: Caller) -> None:
        receipt = (await caller.dispatch()).check_signed()
        assert (receipt.tokens_in, receipt.tokens_out) == (10, 5)

    serve(work, engine=ScriptedEngine(Script(without_evidence=True)))


def test_what_a_forced_format_spells_out_is_billed_as_the_text_it_is() -> None:
    tokenizer = Catalog.built_in().tokenizers()["dgrid-micro"]

    async def work(caller: Caller) -> None:
        for stream in (True, False):
            heard = await caller.dispatch(n=2, stream=stream)
            receipt = heard.check_signed()
            assert heard.answer.choice_text(0) == "Maria"
            assert receipt.tokens_out == 2 * tokenizer.count_reply("Maria") < 10

    serve(work, engine=ScriptedEngine(Script(tuple("Maria"))), tokenizer=tokenizer)


def test_an_engine_that_fails_before_a_word_is_an_error_and_costs_nothing() -> None:
    async def work(caller: Caller) -> None:
        for stream in (True, False):
            heard = await caller.dispatch(stream=stream)
            assert (heard.status, heard.error_code) == (EngineError.status, "engine_error")
        assert not caller.parts.stand.meter.account(GATEWAY_KEY.address).work

    serve(work, engine=ScriptedEngine(Script(fails_after=0)))


def test_an_engine_that_breaks_off_leaves_a_signed_prefix() -> None:
    async def work(caller: Caller) -> None:
        heard = await caller.dispatch(stream=True)
        receipt = heard.check_signed()
        assert heard.answer.text() == "Maria lives"
        assert heard.done is not None
        assert heard.done[0].partial
        assert receipt.tokens_out == 2
        assert (await caller.dispatch()).status == EngineError.status

    serve(work, engine=ScriptedEngine(Script(fails_after=2)))


def test_a_cancelled_stream_ends_with_a_receipt_for_what_was_delivered() -> None:
    async def work(caller: Caller) -> None:
        data = caller.parts.gateway.envelope(body={"stream": True})
        reply = await caller.post("/v1/dispatch", data)
        received, cancelled = b"", False
        async for piece in reply.pieces():
            received += piece
            if not cancelled:
                cancelled = True
                answer = await caller.post("/v1/cancel", decode_dispatch(data)[1].struct_hash())
                assert answer.status == 202
                await answer.read()
        heard = Heard(data, 200, received)
        receipt = heard.check_signed()
        assert heard.done is not None
        assert heard.done[0].partial
        assert "Maria lives in Oslo.".startswith(heard.answer.text())
        assert 1 <= receipt.tokens_out < 5

    serve(work, engine=ScriptedEngine(Script(token_delay_s=0.1)))


def test_a_gateway_that_hangs_up_stops_the_engine_and_is_sent_nothing_more() -> None:
    engine = ScriptedEngine(Script(endless=True, token_delay_s=0.02))

    async def work(caller: Caller) -> None:
        for stream in (True, False):
            data = caller.parts.gateway.envelope(body={"stream": stream})
            sending = asyncio.create_task(caller.post("/v1/dispatch", data))
            await asyncio.sleep(0.15)
            if stream:
                (await sending).abort()
            else:
                sending.cancel()
        await asyncio.sleep(0.1)
        assert engine.cancelled == 2
        assert not caller.parts.stand.meter.account(GATEWAY_KEY.address).work

    serve(work, engine=engine)


def test_a_dispatch_ends_at_its_deadline() -> None:
    async def work(caller: Caller) -> None:
        caller.parts.clock.now_ms = NOW_MS + 60_000 - 250
        heard = await caller.dispatch(stream=True)
        assert heard.check_signed().tokens_out >= 1
        assert heard.done is not None
        assert heard.done[0].partial
        assert (await caller.dispatch()).error_code == "engine_unavailable"

    serve(work, engine=ScriptedEngine(Script(endless=True, token_delay_s=0.02)))


def test_many_answers_share_a_signature() -> None:
    async def work(caller: Caller) -> None:
        heard = await asyncio.gather(*(caller.dispatch(max_tokens=2) for _ in range(16)))
        assert all(one.check_signed() for one in heard)
        assert len({one.done[0].seal.signature for one in heard if one.done}) < 16

    serve(work)


def test_a_refusal_says_why() -> None:
    async def work(caller: Caller) -> None:
        caller.parts.chain.line_wei = 0
        heard = await caller.dispatch()
        assert (heard.status, heard.error_code) == (503, "unknown_gateway")

    serve(work)


def test_the_offer_is_public_and_says_when_the_node_drains() -> None:
    async def work(caller: Caller) -> None:
        async def offer() -> bool:
            reply = await caller.client.request("GET", caller.url + "/v1/offer")
            return decode_offer(await reply.read(), node=NODE_KEY.address).draining

        assert not await offer()
        assert (await caller.post("/v1/drain")).status == 401
        assert (await caller.post("/v1/drain", authorization="Bearer " + "0" * 64)).status == 401
        assert (await caller.post("/v1/drain", authorization=f"Bearer {operator_token(NODE_KEY)}")).status == 200
        assert await offer()
        assert (await caller.dispatch()).error_code == "draining"

    serve(work)


def test_health_counts_and_other_doors_are_closed() -> None:
    async def work(caller: Caller) -> None:
        await caller.dispatch()
        reply = await caller.client.request("GET", caller.url + "/healthz")
        assert msgspec.json.decode(await reply.read()) == {
            "state": "serving", "capacity": 2, "in_flight": 0, "served": 1,
        }  # fmt: skip
        for method, path in (("GET", "/v1/dispatch"), ("POST", "/v1/offer"), ("GET", "/"), ("POST", "/v1/cancel")):
            reply = await caller.client.request(method, caller.url + path, body=b"")
            assert reply.status in (400, 404)
            await reply.read()
        assert (await caller.post("/v1/cancel", b"\0" * 32)).status == 404

    serve(work)
