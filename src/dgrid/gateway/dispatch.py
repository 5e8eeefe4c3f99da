"""Asks a node: signs the dispatch, sends it, and cuts what comes back into frames, suspiciously.

Refuses: replies that are no frames, more frames or bytes than the request can need, anything after the end, a wait
beyond the request's deadline. It looks into no answer; `verify` does.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass

import msgspec

from dgrid.core.errors import (
    ContextLengthExceeded,
    DGridError,
    InvalidRequest,
    NodeFault,
    NodeMisbehaved,
    NodeRefused,
    NodeUnreachable,
    RequestError,
)
from dgrid.gateway.orders import Decision, Order, Plan, Seller
from dgrid.gateway.outbox import Outbox, Parcel
from dgrid.gateway.signing import GroupSealer
from dgrid.wire.frames import (
    CONTENT_TYPE,
    DISPATCH_CONTENT_TYPE,
    DispatchEnvelope,
    FrameKind,
    FrameReader,
    NodeDone,
    decode_done,
    encode,
)
from dgrid.wire.http import ClientReply, HttpClient
from dgrid.wire.messages import Dispatch, NodeReceipt
from dgrid.wire.seals import Seal

logger = logging.getLogger(__name__)

REFUSAL_BYTES_MAX = 16 * 1024
REFUSAL_WORDS_MAX = 200
CODE = re.compile(r"[a-z_]{1,40}")
BYTES_BESIDES_TOKENS = 64 * 1024
BYTES_A_TOKEN = 1024
BYTES_A_TOKEN_SHOWN = 4096  # with log-probabilities, for each alternative
FRAMES_BESIDES_TOKENS = 64
CANCEL_S = 5.0  # for a node to sign what it has delivered
DRAIN_S = 1.0
SEED_LIMIT = 2**53  # what JSON carries exactly
_FRAMES = CONTENT_TYPE.encode()
_HEADERS = {"content-type": DISPATCH_CONTENT_TYPE}
NOT_ITS_FAULT = frozenset({"at_capacity", "draining", "context_length_exceeded", "engine_refused", "invalid_request"})


CALLERS_FAULT: dict[str | None, type[RequestError]] = {
    "invalid_request": InvalidRequest,
    "context_length_exceeded": ContextLengthExceeded,
}


class _RefusalError(msgspec.Struct):
    code: str | None = None
    message: str = ""


class _Refusal(msgspec.Struct):
    error: _RefusalError


class Assignment(msgspec.Struct, frozen=True, gc=False):
    """A signed dispatch, as it was sent."""

    seller: Seller
    dispatch: Dispatch
    dispatch_hash: bytes
    packed: bytes
    seal: Seal


class Bounds(msgspec.Struct, frozen=True, gc=False):
    """What one request's reply may hold at most."""

    bytes_max: int
    frames_max: int

    @classmethod
    def of(cls, order: Order, plan: Plan) -> "Bounds":
        chat, tokens = order.chat, plan.room.tokens_out_max
        each = BYTES_A_TOKEN + (BYTES_A_TOKEN_SHOWN * (1 + (chat.top_logprobs or 0)) if chat.logprobs else 0)
        return cls(BYTES_BESIDES_TOKENS + tokens * each, FRAMES_BESIDES_TOKENS + 2 * tokens)


@dataclass(frozen=True, slots=True)
class Desk:
    """What sending needs."""

    gateway: bytes
    http: HttpClient
    sealer: GroupSealer
    outbox: Outbox
    fence: int
    timeout_ms: int
    now_ms: Callable[[], int]
    spawn: Callable[[Coroutine[object, object, None]], object]


class NodeReply:
    """A node's answer as it comes."""

    def __init__(self, assignment: Assignment, reply: ClientReply, *, bounds: Bounds, desk: Desk) -> None:
        self.assignment = assignment
        self.done: NodeDone | None = None
        self.receipt: NodeReceipt | None = None
        self._reply, self._bounds, self._desk = reply, bounds, desk
        self._reader = FrameReader()
        self._bytes = self._frames = 0

    async def payloads(self) -> AsyncIterator[list[bytes]]:
        """The DATA payloads, as many at a time as have arrived; ends with DONE. Raises NodeFault."""
        pieces = self._reply.pieces()
        async for piece in pieces:
            payloads = self._cut(piece)
            if payloads:
                yield payloads
            if self.done is not None:
                self._desk.spawn(self._drain(pieces))
                return
        raise NodeUnreachable("the node's reply ended before its receipt")

    async def whole(self) -> bytes:
        """The one payload of an answer that travels in one piece. Raises NodeFault."""
        found = self._cut(await self._reply.read(self._bounds.bytes_max))
        if self.done is None:
            raise NodeUnreachable("the node's reply ended before its receipt")
        if len(found) != 1:
            raise NodeMisbehaved(f"an answer in one piece came in {len(found)}")
        return found[0]

    def _cut(self, piece: bytes) -> list[bytes]:
        self._bytes += len(piece)
        if self._bytes > self._bounds.bytes_max:
            raise NodeMisbehaved(f"the reply has more than {self._bounds.bytes_max} bytes")
        payloads = []
        for kind, payload in self._reader.feed(piece):
            if self.done is not None:
                raise NodeMisbehaved("frames follow the receipt")
            if kind is FrameKind.DATA:
                payloads.append(payload)
            else:
                self._open_done(payload)
        self._frames += len(payloads)
        if self._frames > self._bounds.frames_max:
            raise NodeMisbehaved(f"the reply has more than {self._bounds.frames_max} frames")
        return payloads

    def _open_done(self, payload: bytes) -> None:
        try:
            self.done, self.receipt = decode_done(payload)
        except ValueError as error:
            raise NodeMisbehaved(f"malformed receipt: {error}") from None

    async def _drain(self, pieces: AsyncIterator[bytes]) -> None:
        """Lets the reply end in peace, so that its connection can be used again."""
        with contextlib.suppress(DGridError, TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                async for _ in pieces:
                    break
        self._reply.release()

    def abort(self) -> None:
        """Hangs up: the node signs nothing and is paid nothing."""
        self._reply.abort()

    def cancel(self) -> None:
        """Asks the node to stop and to sign what it has delivered; hangs up when it does not."""
        self._desk.spawn(self._cancel())

    async def _cancel(self) -> None:
        assignment = self.assignment
        try:
            async with asyncio.timeout(CANCEL_S):
                url = assignment.seller.endpoint + "/v1/cancel"
                reply = await self._desk.http.request("POST", url, body=assignment.dispatch_hash)
                await reply.read()
                await asyncio.sleep(CANCEL_S)
        except (DGridError, TimeoutError) as error:
            logger.debug("a cancelled stream was left: %s", error)
        if self.done is None:
            self.abort()


class Dispatcher:
    """Sends orders to nodes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._count = 0

    async def send(self, order: Order, plan: Plan, *, decision: Decision) -> NodeReply:
        """A node's reply once its first bytes are here. Raises NodeFault."""
        desk, seller = self._desk, decision.seller
        parcel = desk.outbox.take(seller.node)
        try:
            dispatch = self._dispatch(order, seller, parcel=parcel)
            packed = dispatch.packed()
            dispatch_hash = Dispatch.hash_of(packed)
            seal = await desk.sealer.seal(dispatch_hash)
            assignment = Assignment(seller, dispatch, dispatch_hash, packed, seal)
            envelope = DispatchEnvelope(packed, seal, order.salt, seller.model, order.body, parcel.signed)
            left_s = max(0.001, (dispatch.deadline - desk.now_ms()) / 1000)
            url = seller.endpoint + "/v1/dispatch"
            reply = await desk.http.request("POST", url, body=encode(envelope), headers=_HEADERS, first_byte_s=left_s)
        except BaseException:
            desk.outbox.give_back(seller.node, parcel)
            raise
        if reply.status != 200:
            desk.outbox.give_back(seller.node, parcel)
            raise await refusal_of(reply)
        if reply.headers.get(b"content-type") != _FRAMES:
            reply.abort()
            raise NodeMisbehaved("the reply is not made of frames")
        return NodeReply(assignment, reply, bounds=Bounds.of(order, plan), desk=desk)

    def _dispatch(self, order: Order, seller: Seller, *, parcel: Parcel) -> Dispatch:
        desk, salt, seed = self._desk, order.salt, order.chat.wanted_seed
        self._count += 1
        return Dispatch(
            order.request_id,
            order.forwarded_hash,
            desk.gateway,
            seller.node,
            seller.model_id,
            seller.model_digest,
            order.funds.token,
            seller.price.in_wei,
            seller.price.out_wei,
            int.from_bytes(salt[:6], "big") if seed is None else seed % SEED_LIMIT,
            desk.fence << 32 | self._count,
            order.received_ms + desk.timeout_ms,
            seller.offer_digest,
            parcel.last_hash,
        )


def told(faults: Sequence[NodeFault]) -> DGridError:
    """What the caller hears: where all nodes say that the request itself is at fault, asking again is no use."""
    last = faults[-1]
    if last.param not in CALLERS_FAULT or any(fault.param != last.param for fault in faults):
        last.hint = last.hint or f"nodes asked: {len(faults)}; ask again, or another model"
        return last
    return CALLERS_FAULT[last.param](last.hint)


async def refusal_of(reply: ClientReply) -> NodeFault:
    """Why a node does not serve: the code in its problem object, and as a hint its words, which no log may hold."""
    body = b""
    try:
        async for piece in reply.pieces():
            body += piece
            if len(body) > REFUSAL_BYTES_MAX:
                reply.abort()
                return NodeMisbehaved("the node's refusal is too long")
        refusal = msgspec.json.decode(body, type=_Refusal).error
    except (ValueError, NodeFault):
        return NodeMisbehaved(f"the node answers with status {reply.status} and no reason")
    code = refusal.code if refusal.code is not None and CODE.fullmatch(refusal.code) else "without a code"
    fault = NodeRefused(f"the node refuses: {code}", hint=refusal.message[:REFUSAL_WORDS_MAX])
    fault.param = refusal.code if refusal.code in NOT_ITS_FAULT else None
    return fault
