"""A gateway in a few lines: real HTTP, real receipts, and a way to misbehave. For tests of everything that asks."""

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.wire.making import NODE, SALT, Story, make_document

from dgrid.core.errors import DGridError, ReceiptNotFound
from dgrid.core.identity import from_hex, to_hex
from dgrid.core.keccak import keccak
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import InferenceRequest
from dgrid.wire.server import Reply, Request, Server, json_reply, problem_reply

WORDS = ("Tim ", "plays ", "the ", "cello.")


@dataclass
class Gateway:
    """What it answers, and how it cheats."""

    words: tuple[str, ...] = WORDS
    refusal: DGridError | None = None
    breaks_after: int | None = None  # words; then the connection ends
    forge: Callable[[ReceiptDocument], ReceiptDocument] = lambda document: document
    change_reply: Callable[[bytes], bytes] = lambda reply: reply
    late: int = 0  # how often the receipt is not there yet
    pace_s: float = 0.0
    story: Story = field(default_factory=Story)
    asked: list[Request] = field(default_factory=list)
    documents: dict[str, ReceiptDocument] = field(default_factory=dict)
    url: str = ""
    remembers: bool = False  # answers a repeated idempotency key as the first time
    remembered: dict[str, bytes] = field(default_factory=dict)

    async def handle(self, request: Request) -> Reply:
        if self.refusal is not None:
            return problem_reply(self.refusal, self.refusal.request_id)
        if request.path == "/v1/chat/completions":
            self.asked.append(request)
            if (known := self.remembered.get(request.header(b"idempotency-key"))) is not None:
                return Reply(200, known)
            return self._complete(request)
        if request.path == "/v1/receipts":
            return json_reply({"receipts": [{"id": name} for name in self.documents]})
        return self._show(request)

    def _show(self, request: Request) -> Reply:
        self.late -= 1
        document = self.documents.get(request.path.rpartition("/")[2])
        if document is None or self.late >= 0:
            raise ReceiptNotFound("no such receipt")
        shown = document if request.header(b"authorization") else replace(document, salt=None)
        return Reply(200, self.forge(shown).encode())

    def _complete(self, request: Request) -> Reply:
        body = json.loads(request.body)
        story = self._story(request)
        name = to_hex(story.request_id)
        if body.get("stream"):
            covered = b"".join(self._events(name))
            self.documents[name] = make_document(replace(story, received=covered))
            return Reply(200, self._stream(name), content_type=b"text/event-stream")
        usage = self._usage(name)
        message = {"role": "assistant", "content": "".join(self.words)}
        reply = {"model": "dgrid-mini", "choices": [{"index": 0, "message": message}], "usage": usage}
        data = json.dumps(reply).encode()
        self.documents[name] = make_document(replace(story, received=data))
        if self.remembers:
            self.remembered[request.header(b"idempotency-key")] = data
        return Reply(200, self.change_reply(data))

    def _story(self, request: Request) -> Story:
        story = replace(self.story, answer="".join(self.words), sent=request.body, salt=SALT)
        header = request.header(b"x-dgrid-payment")
        if not header:
            return replace(story, request_id=keccak(request.body + bytes([len(self.asked)])))
        payment = json.loads(base64.urlsafe_b64decode(header))
        digest = story.domain.digest(InferenceRequest.from_json(payment["request"]).struct_hash())
        salt, channel = from_hex(payment["salt"], size=32), from_hex(payment["channelId"], size=32)
        return replace(story, request_id=digest, salt=salt, channel_id=channel)

    def _usage(self, name: str) -> dict[str, object]:
        bill = {"receipt_id": name, "fee_wei": "26", "node": to_hex(NODE.address), "attempts": 1}
        return {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "dgrid": bill}

    def _events(self, name: str) -> Iterator[bytes]:
        for word in self.words:
            yield _event({"model": "dgrid-mini", "choices": [{"delta": {"content": word}}]})
        yield _event({"choices": [], "usage": self._usage(name)})

    async def _stream(self, name: str) -> AsyncIterator[bytes]:
        for count, event in enumerate(self._events(name)):
            if count == self.breaks_after:
                raise ConnectionResetError
            yield self.change_reply(event)
            await asyncio.sleep(self.pace_s)
        yield b": receipt " + name.encode() + b"\n\ndata: [DONE]\n\n"


def _event(value: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


@contextmanager
def serving(*gateways: Gateway) -> Iterator[list[str]]:
    """Runs the gateways in a thread of their own; their URLs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    servers = [Server(gateway.handle, host="127.0.0.1", port=0) for gateway in gateways]
    try:
        for server in servers:
            asyncio.run_coroutine_threadsafe(server.start(), loop).result(5)
        yield [f"http://127.0.0.1:{server.port}" for server in servers]
    finally:
        for server in servers:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
