"""One request and the nodes that have been asked for it: what the pipeline's steps hand to each other."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec

from dgrid.gateway.bill import Counted
from dgrid.gateway.dispatch import NodeReply
from dgrid.gateway.orders import Decision, Order, Plan
from dgrid.gateway.relay import Relay
from dgrid.gateway.replies import Bill
from dgrid.wire.exchange import REQUEST_ID
from dgrid.wire.messages import Privacy
from dgrid.wire.server import Headers, Request

PRIVACY_NAMES = {privacy: privacy.name.lower().encode() for privacy in Privacy}


class Attempts(msgspec.Struct):
    """The nodes that have been asked for one request."""

    order: Order
    plan: Plan
    client: Request
    excluded: frozenset[bytes] = frozenset()
    decision: Decision | None = None
    sending: asyncio.Task[Any] | None = None  # waits for `upstream`
    upstream: NodeReply | None = None
    relay: Relay | None = None
    asked_ms: int = 0  # when the node of `decision` was asked

    @property
    def waited_ms(self) -> int:
        """How long the request had waited before, here and for nodes that failed: none of it is this node's latency."""
        return self.asked_ms - self.order.received_ms

    @property
    def count(self) -> int:
        return len(self.excluded) + 1


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream that has begun: what is here already, and what is still to come."""

    relay: Relay
    opening: bytes
    payloads: AsyncIterator[list[bytes]]
    ttft_ms: int


def opened_node(attempts: Attempts) -> bytes:
    """The node that serves."""
    assert attempts.decision is not None
    return attempts.decision.seller.node


def headers_of(attempts: Attempts) -> Headers:
    """What is known before the body: who answers, and where the receipt will be."""
    order, decision = attempts.order, attempts.decision
    assert decision is not None
    receipt_id = order.receipt_id.encode()
    return [
        (REQUEST_ID, receipt_id),
        (b"x-dgrid-receipt-id", receipt_id),
        (b"x-dgrid-node", decision.seller.name.encode()),
        (b"x-dgrid-model", decision.seller.model.encode()),
        (b"x-dgrid-attempts", b"%d" % attempts.count),
        (b"x-dgrid-verify", b"signed"),
        (b"x-dgrid-privacy", PRIVACY_NAMES[order.privacy]),
    ]


def bill_of(attempts: Attempts, counted: Counted, *, fee_wei: int) -> Bill:
    """What the client is told of the bill."""
    order, decision = attempts.order, attempts.decision
    assert decision is not None
    explained = decision.document if order.chat.dgrid is not None and order.chat.dgrid.explain else b""
    tokens = counted.tokens_in, counted.tokens_out
    return Bill(order.receipt_id, fee_wei, decision.seller.name, attempts.count, *tokens, explained)
