"""The node's doors: dispatches in, frames out; the offer; health; the operator's drain.

It knows the paths and nothing of how they are served. What it does not know is not found.
"""

import hmac
from collections.abc import AsyncIterator
from typing import Final

from dgrid.core.errors import InvalidApiKey, InvalidRequest, RouteNotFound
from dgrid.core.identity import address_from_hex
from dgrid.core.keccak import keccak
from dgrid.node.admit import Admission, Admitted, Stand
from dgrid.node.delivery import Delivery, Desk
from dgrid.node.offer import PublishedOffer
from dgrid.node.receipts import Sealer
from dgrid.wire.frames import CONTENT_TYPE
from dgrid.wire.server import Reply, Request, json_reply
from dgrid.wire.signatures import SigningKey

FRAMES: Final = CONTENT_TYPE.encode()
HASH_BYTES: Final = 32


def operator_token(key: SigningKey) -> str:
    """What the operator's tools prove themselves with: only who holds the node's key can make it."""
    return keccak(b"DGrid node operator\n" + key.secret).hex()


class NodeService:
    """Answers HTTP requests for one node."""

    def __init__(self, stand: Stand, key: SigningKey, offer: PublishedOffer) -> None:
        self.offer = offer
        self._stand, self._key = stand, key
        self._admission = Admission(stand)
        self._desk = Desk(stand.terms, stand.meter, Sealer(key, stand.terms.domain, before=stand.books.flush))
        self._deliveries: dict[bytes, Delivery] = {}
        self._routes = {
            ("POST", "/v1/dispatch"): self._dispatch,
            ("POST", "/v1/cancel"): self._cancel,
            ("POST", "/v1/drain"): self._drain,
            ("GET", "/v1/offer"): self._show_offer,
            ("GET", "/healthz"): self._show_health,
            ("GET", "/readyz"): self._show_ready,
        }

    async def handle(self, request: Request) -> Reply:
        """One request. Raises DGridError."""
        route = self._routes.get((request.method, request.path))
        if route is None:
            raise RouteNotFound(f"there is no {request.method} {request.path[:80]} here")
        return await route(request)

    def drain(self) -> None:
        """No new work from now on; the offer says so."""
        if not self._stand.presence.draining:
            self._stand.presence.draining = True
            self.offer = self.offer.drained(self._key, now_ms=self._stand.now_ms())

    async def _dispatch(self, request: Request) -> Reply:
        admitted = self._admission.admit(request.body)
        delivery = Delivery(admitted, self._desk, now_ms=self._stand.now_ms())
        self._deliveries[admitted.dispatch_hash] = delivery
        request.on_gone.append(delivery.hang_up)
        try:
            if not admitted.chat.stream:
                return await self._whole(delivery)
            writer, opening = await delivery.opening()
        except BaseException:
            await self._leave(delivery)
            raise
        return Reply(200, self._stream(delivery, opening, delivery.rest(writer)), content_type=FRAMES)

    async def _whole(self, delivery: Delivery) -> Reply:
        body = await delivery.whole()
        await self._leave(delivery)
        return Reply(200, body, content_type=FRAMES)

    async def _stream(self, delivery: Delivery, opening: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            yield opening
            async for frames in rest:
                yield frames
        finally:
            await self._leave(delivery)

    async def _leave(self, delivery: Delivery) -> None:
        admitted: Admitted = delivery.admitted
        if self._deliveries.pop(admitted.dispatch_hash, None) is not None:
            self._admission.leave(admitted)
        await delivery.close()

    async def _cancel(self, request: Request) -> Reply:
        """Cuts the dispatch whose hash is the body; its stream ends with a receipt for what was delivered."""
        if len(request.body) != HASH_BYTES:
            raise InvalidRequest(f"the body is the dispatch's hash, {HASH_BYTES} bytes")
        delivery = self._deliveries.get(request.body)
        if delivery is None:
            raise RouteNotFound("no such dispatch is being served")
        delivery.leash.pull()
        return json_reply({"cancelled": True}, 202)

    async def _drain(self, request: Request) -> Reply:
        token = request.header(b"authorization").removeprefix("Bearer ")
        if not hmac.compare_digest(token.encode(), operator_token(self._key).encode()):
            raise InvalidApiKey("only the node's operator may drain it")
        self.drain()
        return json_reply(self._stand.presence.to_json())

    async def _show_offer(self, _request: Request) -> Reply:
        return Reply(200, self.offer.document)

    async def _show_health(self, _request: Request) -> Reply:
        return json_reply(self._stand.presence.to_json())

    async def _show_ready(self, request: Request) -> Reply:
        """Whether a dispatch of the gateway in the query (gateway=0x…) would be let in: known, and on credit."""
        name, _, value = request.query.partition(b"=")
        try:
            gateway = address_from_hex(value.decode("ascii")) if name == b"gateway" else None
        except ValueError:
            gateway = None
        if gateway is None:
            raise InvalidRequest("ask for /readyz?gateway=0x…")
        is_ready = not self._stand.presence.draining and self._stand.meter.gives_credit(gateway)
        return json_reply({"status": "ready" if is_ready else "starting"}, 200 if is_ready else 503)
