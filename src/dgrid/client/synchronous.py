"""The blocking client: drives the flow over the standard library's HTTP. One question at a time; not for threads."""

import http.client
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from dgrid.client.answers import Answer
from dgrid.client.flow import (
    Flow,
    Opened,
    Pause,
    Payment,
    Piece,
    Read,
    Result,
    Send,
    Step,
    Terms,
    ask,
    get_from_all,
    get_from_any,
)
from dgrid.client.requests import Question, chat_order
from dgrid.core.errors import DGridError, NetworkUnreachable
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.reasons import reason_of
from dgrid.wire.verification import Check, verify_receipt

TIMEOUT_S = 120.0
PIECE_BYTES = 64 * 1024
REPLY_BYTES_MAX = 64 * 1024 * 1024


class Client:
    """Asks models through the gateways given, in their order; use it in a `with` block."""

    def __init__(self, gateway_urls: Sequence[str], payment: Payment, *, verify: bool = True) -> None:
        self.terms = Terms(tuple(url.rstrip("/").removesuffix("/v1") for url in gateway_urls), payment, verify)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_exception: object) -> None:
        """Every exchange closes its own connection: nothing stays open."""

    def ask(self, question: Question, *, model: str = "auto", options: Mapping[str, Any] | None = None) -> Answer:
        """The whole answer, its receipt checked. Raises DGridError, CheckFailed when the receipt does not hold."""
        return _result(ask(self.terms, chat_order(question, model=model, options=options)))

    def stream(self, question: Question, *, model: str = "auto", options: Mapping[str, Any] | None = None) -> "Stream":
        """The answer as it comes. Its receipt is checked after the last piece."""
        return Stream(ask(self.terms, chat_order(question, model=model, streamed=True, options=options)))

    def receipts(self, *, limit: int = 20) -> list[dict[str, Any]]:
        """The caller's latest receipts at all gateways that serve, newest first."""
        found = _result(get_from_all(self.terms, f"/v1/receipts?limit={limit}"))
        rows = [row for body in found.values() for row in msgspec.json.decode(body)["receipts"]]
        return sorted(rows, key=lambda row: row.get("served_at_ms", 0), reverse=True)[:limit]

    def receipt(self, receipt_id: str) -> bytes:
        """receipt.json, the owner's copy. Raises ReceiptNotFound."""
        return _result(get_from_any(self.terms, f"/v1/receipts/{receipt_id}"))[1]

    def verify(self, receipt: bytes, *, answer: str | None = None) -> list[Check]:
        """Every check of a receipt, offline. Raises CheckFailed when it is malformed."""
        return verify_receipt(ReceiptDocument.decode(receipt), answer=answer)

    def fetch(self, path: str) -> Any:
        """A JSON document of the first gateway that serves it, such as /v1/models."""
        return msgspec.json.decode(_result(get_from_any(self.terms, path))[1])

    def fetch_all(self, path: str) -> dict[str, Any]:
        """A JSON document of every gateway that serves, by gateway."""
        found = _result(get_from_all(self.terms, path))
        return {url: msgspec.json.decode(body) for url, body in found.items()}


class Stream:
    """An answer on its way: iterate over its text; `answer` is there after the last piece."""

    def __init__(self, flow: Flow[Answer]) -> None:
        self._flow = flow
        self._answer: Answer | None = None

    @property
    def answer(self) -> Answer:
        """The whole answer. Raises DGridError before the stream's end."""
        if self._answer is None:
            raise DGridError("the stream has not ended yet")
        return self._answer

    def __iter__(self) -> Iterator[str]:
        driver = _Driver(self._flow)
        for step in driver:
            if isinstance(step, Piece) and step.text:
                yield step.text
        self._answer = driver.result


def _result(flow: Flow[Result]) -> Result:
    driver = _Driver(flow)
    for _ in driver:
        pass
    result: Result = driver.result
    return result


class _Driver:
    """Does what the flow says; iterates over what it passes out."""

    def __init__(self, flow: Flow[Any]) -> None:
        self._flow = flow
        self._connection: http.client.HTTPConnection | None = None
        self._reply: http.client.HTTPResponse | None = None
        self._left = REPLY_BYTES_MAX
        self.result: Any = None

    def __iter__(self) -> Iterator[Opened | Piece]:
        try:
            step = next(self._flow)
            while True:
                if isinstance(step, (Opened, Piece)):
                    yield step
                    step = self._flow.send(None)
                else:
                    step = self._advance(step)
        except StopIteration as end:
            self.result = end.value
        finally:
            self._close()
            self._flow.close()

    def _advance(self, step: Send | Read | Pause) -> Step:
        try:
            value = self._do(step)
        except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: what is no URL
            return self._flow.throw(NetworkUnreachable(reason_of(error)))
        return self._flow.send(value)

    def _do(self, step: Send | Read | Pause) -> Opened | bytes | None:
        match step:
            case Send():
                return self._send(step)
            case Read():
                return self._read()
            case Pause(seconds):
                time.sleep(seconds)
                return None

    def _send(self, step: Send) -> Opened:
        self._close()
        parts = urlsplit(step.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._connection.request(step.method, target, body=step.body or None, headers=dict(step.headers))
        self._reply, self._left = self._connection.getresponse(), REPLY_BYTES_MAX
        return Opened(self._reply.status, {name.lower(): value for name, value in self._reply.getheaders()})

    def _read(self) -> bytes:
        assert self._reply is not None
        piece = self._reply.read1(PIECE_BYTES)
        self._left -= len(piece)
        if self._left < 0:
            raise http.client.HTTPException(f"a reply has at most {REPLY_BYTES_MAX} bytes")
        return piece

    def _close(self) -> None:
        if self._reply is not None:
            self._reply.close()
        if self._connection is not None:
            self._connection.close()
