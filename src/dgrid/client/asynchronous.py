"""The async client: drives the flow over the pooled HTTP client, many questions at a time."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from dgrid.client.answers import Answer
from dgrid.client.flow import (
    Flow,
    Opened,
    Order,
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
from dgrid.core.errors import DGridError, NetworkUnreachable, NodeFault
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.http import ClientLimits, ClientReply, HttpClient
from dgrid.wire.verification import Check, verify_receipt

LIMITS = ClientLimits(first_byte_s=120.0, gap_s=60.0, total_s=900.0)


class AsyncClient:
    """Asks models through the gateways given, in their order; use it in an `async with` block."""

    def __init__(self, gateway_urls: Sequence[str], payment: Payment, *, verify: bool = True) -> None:
        self.terms = Terms(tuple(url.rstrip("/").removesuffix("/v1") for url in gateway_urls), payment, verify)
        self._http = HttpClient(LIMITS)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes all connections."""
        await self._http.close()

    async def ask(self, question: Question, *, model: str = "auto", options: Mapping[str, Any] | None = None) -> Answer:
        """The whole answer, its receipt checked. Raises DGridError, CheckFailed when the receipt does not hold."""
        return await self._result(ask(self.terms, chat_order(question, model=model, options=options)))

    def stream(
        self, question: Question, *, model: str = "auto", options: Mapping[str, Any] | None = None
    ) -> "AsyncStream":
        """The answer as it comes. Its receipt is checked after the last piece."""
        return self.relay(chat_order(question, model=model, streamed=True, options=options))

    def relay(self, order: Order) -> "AsyncStream":
        """An order whose body somebody else wrote, for proxies."""
        return AsyncStream(Driver(ask(self.terms, order), self._http))

    async def receipts(self, *, limit: int = 20) -> list[dict[str, Any]]:
        """The caller's latest receipts at all gateways that serve, newest first."""
        found = await self._result(get_from_all(self.terms, f"/v1/receipts?limit={limit}"))
        rows = [row for body in found.values() for row in msgspec.json.decode(body)["receipts"]]
        return sorted(rows, key=lambda row: row.get("served_at_ms", 0), reverse=True)[:limit]

    async def receipt(self, receipt_id: str) -> bytes:
        """receipt.json, the owner's copy. Raises ReceiptNotFound."""
        return (await self._result(get_from_any(self.terms, f"/v1/receipts/{receipt_id}")))[1]

    def verify(self, receipt: bytes, *, answer: str | None = None) -> list[Check]:
        """Every check of a receipt, offline. Raises CheckFailed when it is malformed."""
        return verify_receipt(ReceiptDocument.decode(receipt), answer=answer)

    async def fetch(self, path: str) -> bytes:
        """A document of the first gateway that serves it, such as /v1/models."""
        return (await self._result(get_from_any(self.terms, path)))[1]

    async def _result(self, flow: Flow[Result]) -> Result:
        driver = Driver(flow, self._http)
        async for _ in driver.steps():
            pass
        result: Result = driver.result
        return result


class AsyncStream:
    """An answer on its way: iterate over its text; `answer` is there after the last piece."""

    def __init__(self, driver: "Driver") -> None:
        self._driver = driver

    @property
    def answer(self) -> Answer:
        """The whole answer. Raises DGridError before the stream's end."""
        if self._driver.result is None:
            raise DGridError("the stream has not ended yet")
        answer: Answer = self._driver.result
        return answer

    async def __aiter__(self) -> AsyncIterator[str]:
        async for step in self._driver.steps():
            if isinstance(step, Piece) and step.text:
                yield step.text

    def steps(self) -> AsyncIterator[Opened | Piece]:
        """The reply's head and its pieces as they come, byte for byte."""
        return self._driver.steps()


class Driver:
    """Does what the flow says; passes on what it passes out."""

    def __init__(self, flow: Flow[Any], http: HttpClient) -> None:
        self._flow, self._http = flow, http
        self._reply: ClientReply | None = None
        self._pieces: AsyncIterator[bytes] | None = None
        self.result: Any = None

    async def steps(self) -> AsyncIterator[Opened | Piece]:
        """Runs the flow to its end; `result` is set then."""
        try:
            step = self._resume(None)
            while True:
                if isinstance(step, (Opened, Piece)):
                    yield step
                    step = self._resume(None)
                else:
                    step = await self._advance(step)
        except _Ended as end:
            self.result = end.value
        finally:
            self._release()
            self._flow.close()

    async def _advance(self, step: Send | Read | Pause) -> Step:
        try:
            value = await self._do(step)
        except NodeFault as error:  # what the pooled client calls a peer is a gateway here
            return self._resume(NetworkUnreachable(error.message))
        return self._resume(value)

    def _resume(self, value: Opened | bytes | DGridError | None) -> Step:
        """The flow's next step. StopIteration must not leave a coroutine, so the end has a name of its own."""
        try:
            return self._flow.throw(value) if isinstance(value, DGridError) else self._flow.send(value)
        except StopIteration as end:
            raise _Ended(end.value) from None

    async def _do(self, step: Send | Read | Pause) -> Opened | bytes | None:
        match step:
            case Send():
                return await self._send(step)
            case Read():
                assert self._pieces is not None
                return await anext(self._pieces, b"")
            case Pause(seconds):
                await asyncio.sleep(seconds)
                return None

    async def _send(self, step: Send) -> Opened:
        self._release()
        self._reply = await self._http.request(step.method, step.url, body=step.body, headers=step.headers)
        self._pieces = self._reply.pieces()
        head = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._reply.headers.items()}
        return Opened(self._reply.status, head)

    def _release(self) -> None:
        if self._reply is not None:
            self._reply.release()
            self._reply = None


class _Ended(Exception):
    """The flow is over."""

    def __init__(self, value: Any) -> None:
        self.value = value
