"""The gateway's doors: which path leads where, and who may pass. It knows nothing of how anything is served.

Every route stands in one table with what it asks of its caller; what is not in the table is not found.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs

from dgrid.core.errors import DGridError, InvalidRequest, MethodNotAllowed, RouteNotFound
from dgrid.core.identity import Address, address_from_hex, from_hex
from dgrid.core.places import Place
from dgrid.gateway.admit import Admission
from dgrid.gateway.facts import ChainFacts, Channel
from dgrid.gateway.judging_views import JudgingViews
from dgrid.gateway.pipeline import Pipeline
from dgrid.gateway.quality_views import QualityViews
from dgrid.gateway.views import Views
from dgrid.telemetry import Metrics
from dgrid.wire.exchange import REQUEST_ID
from dgrid.wire.failures import Failures, new_request_id
from dgrid.wire.server import Reply, Request, json_reply

LISTED = 20
LISTED_MAX = 1000
PLACE = re.compile(r"([0-9]{1,12})\.([0-9]{1,12})\.([0-9]{1,12})")
WHAT_THERE_IS = "ask POST /v1/chat/completions or GET /v1/models; a base URL ends with /v1"
DEGRADED = (b"x-dgrid-degraded", b"chain")


class Access(StrEnum):
    """Who may use a route."""

    PUBLIC = "public"
    OWNER = "owner"  # an API key is needed
    PAYER = "payer"  # a key or a signed payment; the pipeline checks it with the body


Answer = Callable[[Request, str], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Route:
    """A method, a path (`*` stands for one segment), and who may use it."""

    method: str
    path: str
    access: Access
    answer: Answer

    def argument(self, path: str) -> str | None:
        """What stands in the path's `*`, the empty string where there is none, None where the path does not fit."""
        head, star, tail = self.path.partition("*")
        if not star:
            return "" if path == head else None
        inside = path[len(head) : len(path) - len(tail)]
        fits = path.startswith(head) and path.endswith(tail) and inside and "/" not in inside
        return inside if fits else None

    @property
    def methods(self) -> tuple[str, ...]:
        """What it answers to: whoever gives a document also tells of it."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


@dataclass(frozen=True, slots=True)
class Rooms:
    """What lies behind the doors. `pages` are further static pages, asked by path."""

    pipeline: Pipeline
    admission: Admission
    views: Views
    quality: QualityViews
    judging: JudgingViews
    chain: ChainFacts
    metrics: Metrics
    is_ready: Callable[[], bool]
    failures: Failures
    pages: Sequence[Callable[[str], Reply | None]] = ()


class GatewayApi:
    """Answers HTTP requests for one gateway."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.routes: tuple[Route, ...] = (
            Route("POST", "/v1/chat/completions", Access.PAYER, self._chat),
            Route("GET", "/v1/models", Access.PUBLIC, self._models),
            Route("GET", "/v1/models/*", Access.PUBLIC, self._model),
            Route("GET", "/v1/receipts", Access.OWNER, self._receipts),
            Route("GET", "/v1/receipts/*", Access.PUBLIC, self._receipt),
            Route("GET", "/v1/receipts/*/proof", Access.PUBLIC, self._proof),
            Route("GET", "/v1/receipts/*/judging", Access.PUBLIC, self._judging),
            Route("GET", "/v1/receipts/*/content", Access.OWNER, self._content),
            Route("GET", "/v1/account", Access.OWNER, self._account),
            Route("GET", "/v1/network/nodes", Access.PUBLIC, self._nodes),
            Route("GET", "/v1/network/evaluators", Access.PUBLIC, self._evaluators),
            Route("GET", "/v1/network/quality", Access.PUBLIC, self._quality),
            Route("GET", "/v1/network/epochs", Access.PUBLIC, self._epochs),
            Route("GET", "/v1/network/receipts", Access.PUBLIC, self._latest),
            Route("GET", "/v1/network/parameters", Access.PUBLIC, self._parameters),
            Route("GET", "/healthz", Access.PUBLIC, self._health),
            Route("GET", "/readyz", Access.PUBLIC, self._ready),
            Route("GET", "/metrics", Access.PUBLIC, self._metrics),
        )
        self._exact = {
            (method, route.path): route.answer if route.access is Access.PAYER else named(route.answer)
            for route in self.routes
            if "*" not in route.path
            for method in route.methods
        }
        self._open = tuple((route, named(route.answer)) for route in self.routes if "*" in route.path)
        self._named_page = named(self._page)

    async def handle(self, request: Request) -> Reply:
        """One request. Errors become replies here: the outer edge."""
        try:
            answer, argument = self._find(request)
            reply = await answer(request, argument)
        except DGridError as error:
            self._rooms.metrics.requests.add(1, error.code)
            reply = self._rooms.failures.reply(error, request)
        if self._rooms.chain.state.is_degraded:
            reply.headers.append(DEGRADED)
        return reply

    def _find(self, request: Request) -> tuple[Answer, str]:
        """What answers a request, and the path's argument. Raises MethodNotAllowed."""
        answer = self._exact.get((request.method, request.path))
        if answer is not None:
            return answer, ""
        for route, named_answer in self._open:
            argument = route.argument(request.path) if request.method in route.methods else None
            if argument is not None:
                return named_answer, argument
        if allowed := [route.methods for route in self.routes if route.argument(request.path) is not None]:
            raise not_allowed(request, ", ".join(method for methods in allowed for method in methods))
        return self._named_page, ""

    async def _page(self, request: Request, _: str) -> Reply:
        for page in self._rooms.pages:
            if request.method in ("GET", "HEAD") and (reply := page(request.path)) is not None:
                return reply
        raise RouteNotFound(f"there is no {request.method} {request.path[:80]} here", hint=WHAT_THERE_IS)

    def _caller(self, request: Request) -> Channel:
        return self._rooms.admission.channel_of_key(request.header(b"authorization"))

    def _caller_if_any(self, request: Request) -> Channel | None:
        return self._caller(request) if b"authorization" in request.headers else None

    def _chat(self, request: Request, _: str) -> Awaitable[Reply]:
        return self._rooms.pipeline.serve(request)

    async def _models(self, _request: Request, _: str) -> Reply:
        return json_reply(self._rooms.views.models())

    async def _model(self, _request: Request, name: str) -> Reply:
        return json_reply(self._rooms.views.model(name))

    async def _receipts(self, request: Request, _: str) -> Reply:
        return json_reply(self._rooms.views.receipts_of(self._caller(request), limit=limit_of(request)))

    async def _receipt(self, request: Request, name: str) -> Reply:
        place = place_of(name)
        request_id = receipt_id(name) if place is None else self._rooms.views.receipt_at(place)
        return Reply(200, await self._rooms.views.receipt(request_id, asks=self._caller_if_any(request)))

    async def _proof(self, _request: Request, name: str) -> Reply:
        return json_reply(await self._rooms.views.proof(receipt_id(name)))

    async def _judging(self, _request: Request, name: str) -> Reply:
        return json_reply(await self._rooms.judging.judging(receipt_id(name)))

    async def _content(self, request: Request, name: str) -> Reply:
        content = self._rooms.views.content(receipt_id(name), asks=self._caller(request))
        return Reply(200, content, content_type=b"application/octet-stream")

    async def _account(self, request: Request, _: str) -> Reply:
        return json_reply(self._rooms.views.account(self._caller(request)))

    async def _nodes(self, _request: Request, _: str) -> Reply:
        return json_reply(self._rooms.quality.nodes())

    async def _evaluators(self, _request: Request, _: str) -> Reply:
        return json_reply(self._rooms.quality.evaluators())

    async def _quality(self, request: Request, _: str) -> Reply:
        return json_reply(self._rooms.quality.quality(limit_of(request), node=node_of(request)))

    async def _epochs(self, request: Request, _: str) -> Reply:
        return json_reply(self._rooms.views.epochs(limit_of(request)))

    async def _latest(self, request: Request, _: str) -> Reply:
        return json_reply(self._rooms.views.latest_receipts(limit_of(request)))

    async def _parameters(self, _request: Request, _: str) -> Reply:
        return json_reply(self._rooms.views.parameters())

    async def _health(self, _request: Request, _: str) -> Reply:
        return json_reply({"status": "ok"})

    async def _ready(self, _request: Request, _: str) -> Reply:
        is_ready = self._rooms.is_ready()
        return json_reply({"status": "ready" if is_ready else "starting"}, 200 if is_ready else 503)

    async def _metrics(self, _request: Request, _: str) -> Reply:
        return Reply(200, self._rooms.metrics.text(), content_type=b"text/plain; version=0.0.4")


def named(answer: Answer) -> Answer:
    """The answer under a name of its own. A completion needs none: it is called as its receipt."""

    async def answered(request: Request, argument: str) -> Reply:
        reply = await answer(request, argument)
        reply.headers.append((REQUEST_ID, new_request_id().encode()))
        return reply

    return answered


def not_allowed(request: Request, allow: str) -> MethodNotAllowed:
    """Why a path that is there does not answer."""
    error = MethodNotAllowed(f"{request.path[:80]} does not answer to {request.method}", hint=f"it does to {allow}")
    error.allow = allow
    return error


def receipt_id(text: str) -> bytes:
    """The bytes behind a receipt's id. Raises InvalidRequest."""
    try:
        return from_hex(text, size=32)
    except ValueError:
        raise InvalidRequest("a receipt's id is 0x and 64 hex digits") from None


def place_of(text: str) -> Place | None:
    """A receipt's place as `epoch.lane.sequence`; None for what is none."""
    found = PLACE.fullmatch(text)
    return None if found is None else Place(*map(int, found.groups()))


def node_of(request: Request) -> Address | None:
    """The `node` of a list. Raises InvalidRequest."""
    found = parse_qs(request.query.decode("latin-1")).get("node")
    if found is None:
        return None
    try:
        return address_from_hex(found[-1])
    except ValueError:
        raise InvalidRequest("a node is 0x and 40 hex digits", param="node") from None


def limit_of(request: Request) -> int:
    """The `limit` of a list. Raises InvalidRequest."""
    found = parse_qs(request.query.decode("latin-1")).get("limit", [str(LISTED)])[-1]
    if not found.isascii() or not found.isdigit() or not 1 <= int(found) <= LISTED_MAX:
        raise InvalidRequest(f"limit lies between 1 and {LISTED_MAX}", param="limit")
    return int(found)
