"""Asking, without I/O: a generator says what to send and what to read, a driver does it.

ask = for each gateway in turn: send → read to the end → fetch the receipt → check it. Another gateway is asked only
while nothing of an answer was passed on, so that nobody reads half of one answer and half of another; and the last
bytes of an answer are passed on only when its receipt holds. Holds no sockets, sleeps never.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from dgrid.client.answers import Answer, check_exchange, require
from dgrid.client.problems import error_of
from dgrid.client.transcript import Transcript
from dgrid.core.errors import (
    CheckFailed,
    DGridError,
    EngineError,
    InsufficientBudget,
    NetworkUnreachable,
    NodeFault,
    NotYet,
    RateLimited,
    ReceiptNotFound,
    Unavailable,
)
from dgrid.core.identity import from_hex
from dgrid.wire.documents import ReceiptDocument

RECEIPT_ATTEMPTS = 5
RECEIPT_PAUSE_S = 0.05
ELSEWHERE = (Unavailable, NodeFault, EngineError, RateLimited, InsufficientBudget)  # worth asking another gateway


@dataclass(frozen=True, slots=True)
class Send:
    """Send this; the driver answers with `Opened`, or throws NetworkUnreachable in."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Read:
    """The next piece of the reply's body; empty at its end."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Opened:
    """A reply's head. The flow also passes it out once an answer begins."""

    status: int
    headers: Mapping[str, str]
    gateway_url: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the answer as they came, and the text of the first choice that they add."""

    data: bytes
    text: str


Step = Send | Read | Pause | Opened | Piece
Result = TypeVar("Result")
Flow = Generator[Step, Any, Result]


@dataclass(frozen=True, slots=True)
class Order:
    """One request of a caller: the body as it goes out."""

    body: bytes
    model: str
    streamed: bool
    idempotency_key: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Payment(Protocol):
    """How requests are paid for."""

    def headers(self, gateway_url: str, order: Order | None) -> Mapping[str, str]:
        """What proves the right to spend; without an order, the right to look. Raises DGridError."""
        ...

    def own(self, gateway_url: str, document: ReceiptDocument) -> ReceiptDocument:
        """The owner's copy of a receipt: with the salt, where the payer chose it."""
        ...

    def settle(self, gateway_url: str, document: ReceiptDocument) -> None:
        """Takes note of a checked receipt. Raises CheckFailed when the payer cannot accept it."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class ApiKey:
    """Payment by an API key: the gateway signs for its channel, up to the channel's balance."""

    key: str

    def headers(self, gateway_url: str, order: Order | None) -> Mapping[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def own(self, gateway_url: str, document: ReceiptDocument) -> ReceiptDocument:
        return document

    def settle(self, gateway_url: str, document: ReceiptDocument) -> None:
        """Nothing to note: the gateway keeps the count, and the chain the deposit."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Whom to ask, how to pay, and whether to check."""

    gateway_urls: tuple[str, ...]
    payment: Payment
    verify: bool = True


def ask(terms: Terms, order: Order) -> Flow[Answer]:
    """The answer of the first gateway that serves. Raises that gateway's error, or NetworkUnreachable."""
    failures: list[DGridError] = []
    for url in terms.gateway_urls:
        exchange = _Exchange(terms, order, url)
        try:
            return (yield from exchange.run())
        except ELSEWHERE as error:
            if exchange.has_begun:
                raise
            failures.append(error)
    raise _most_telling(failures, terms.gateway_urls)


class _Exchange:
    """One order at one gateway."""

    def __init__(self, terms: Terms, order: Order, url: str) -> None:
        self.terms, self.order, self.url = terms, order, url
        self.transcript = Transcript(streamed=order.streamed)
        self.has_begun = False

    def run(self) -> Flow[Answer]:
        """Sends, reads, checks; passes on the reply's head before its first bytes."""
        opened = yield from _open(self.terms, self.order, self.url)
        transcript, text = self.transcript, ""
        while piece := (yield Read()):
            text += transcript.feed(piece)
            if data := transcript.passable():
                yield from self._pass_on(opened, Piece(data, text))
                text = ""
        text += transcript.finish()
        answer = yield from self._checked(_answer(transcript, self.url))
        yield from self._pass_on(opened, Piece(transcript.rest(), text))
        return answer

    def _pass_on(self, opened: Opened, piece: Piece) -> Flow[None]:
        if not self.has_begun:
            self.has_begun = True
            yield opened
        yield piece

    def _checked(self, answer: Answer) -> Flow[Answer]:
        if not self.terms.verify:
            return answer
        document = yield from fetch_document(self.terms, answer.receipt_id, url=self.url)
        receipt_id = answer.receipt_id
        checks = check_exchange(document, self.transcript, sent=self.order.body, receipt_id=receipt_id)
        try:
            require(checks, receipt_id=receipt_id)
            self.terms.payment.settle(self.url, document)
        except CheckFailed as error:
            error.request_id = receipt_id
            raise
        return replace(answer, document=document, checks=checks)


def _open(terms: Terms, order: Order, url: str) -> Flow[Opened]:
    headers = {"content-type": "application/json", **order.headers, **terms.payment.headers(url, order)}
    if order.idempotency_key:
        headers["idempotency-key"] = order.idempotency_key
    opened: Opened = yield Send("POST", f"{url}/v1/chat/completions", headers, order.body)
    if opened.status != 200:
        raise error_of(opened.status, (yield from _body()))
    return Opened(opened.status, opened.headers, url)


def _answer(transcript: Transcript, url: str) -> Answer:
    usage, text = transcript.usage, transcript.answer.choice_text(0)
    bill = usage.dgrid
    return Answer(
        text=text,
        model=transcript.model,
        receipt_id=transcript.receipt_id,
        fee_wei=int(bill.fee_wei) if bill else 0,
        node=bill.node if bill else "",
        tokens_in=usage.prompt_tokens,
        tokens_out=usage.completion_tokens,
        attempts=bill.attempts if bill else 1,
        gateway_url=url,
        raw=bytes(transcript.received),
    )


def fetch_document(terms: Terms, receipt_id: str, *, url: str) -> Flow[ReceiptDocument]:
    """The caller's own copy of a receipt from one gateway. Raises CheckFailed when there is none or it is malformed."""
    if not _is_receipt_id(receipt_id):
        raise CheckFailed("the gateway named no receipt for its answer")
    for _ in range(RECEIPT_ATTEMPTS):
        try:
            data = yield from get(f"{url}/v1/receipts/{receipt_id}", terms.payment.headers(url, None))
        except (ReceiptNotFound, NotYet):  # it is signed in batches, some milliseconds after the answer's last byte
            yield Pause(RECEIPT_PAUSE_S)
        else:
            return terms.payment.own(url, ReceiptDocument.decode(data))
    raise CheckFailed(f"the gateway billed the receipt {receipt_id} and does not show it")


def _is_receipt_id(text: str) -> bool:
    try:
        return len(from_hex(text, size=32)) == 32
    except ValueError:
        return False


def get(url: str, headers: Mapping[str, str]) -> Flow[bytes]:
    """A document's bytes. Raises the gateway's error."""
    opened: Opened = yield Send("GET", url, headers)
    body = yield from _body()
    if opened.status != 200:
        raise error_of(opened.status, body)
    return body


def get_from_any(terms: Terms, path: str) -> Flow[tuple[str, bytes]]:
    """(gateway, bytes) of the first gateway that has the document. Raises the most telling error."""
    failures: list[DGridError] = []
    for url in terms.gateway_urls:
        try:
            return url, (yield from get(url + path, terms.payment.headers(url, None)))
        except (*ELSEWHERE, ReceiptNotFound) as error:
            failures.append(error)
    raise _most_telling(failures, terms.gateway_urls)


def get_from_all(terms: Terms, path: str) -> Flow[dict[str, bytes]]:
    """The document from every gateway that serves. Raises when none does."""
    found: dict[str, bytes] = {}
    failures: list[DGridError] = []
    for url in terms.gateway_urls:
        try:
            found[url] = yield from get(url + path, terms.payment.headers(url, None))
        except ELSEWHERE as error:
            failures.append(error)
    if not found:
        raise _most_telling(failures, terms.gateway_urls)
    return found


def _body() -> Flow[bytes]:
    pieces = []
    while piece := (yield Read()):
        pieces.append(piece)
    return b"".join(pieces)


def _most_telling(failures: Sequence[DGridError], urls: Sequence[str]) -> DGridError:
    """A gateway's own word before a broken line: it says what to do."""
    spoken = [error for error in failures if not isinstance(error, NetworkUnreachable)]
    if spoken:
        return spoken[0]
    if not urls:
        return NetworkUnreachable("no gateway is known here", hint="set DGRID_GATEWAY_URL to one or several")
    reasons = ", ".join(dict.fromkeys(error.message for error in failures))
    return NetworkUnreachable(
        f"no gateway answers at {' or '.join(urls)}: {reasons}",
        hint="`dgrid up` starts a network here; DGRID_GATEWAY_URL names gateways elsewhere",
    )
