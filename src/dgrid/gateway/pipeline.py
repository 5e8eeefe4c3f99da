"""One request from the door to the receipt: admit → route → dispatch → verify → bill. The only file that knows the
order.

A request is held for before any byte leaves, retried elsewhere only while nothing has reached its caller, and billed
before its caller sees the last byte. Whatever ends without a receipt is released and costs nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TypeVar

from dgrid.core.errors import DGridError, IdempotencyConflict, NodeFault, NodeUnreachable, RateLimited
from dgrid.gateway.admit import Admission
from dgrid.gateway.attempts import Attempts, Opened, bill_of, headers_of, opened_node
from dgrid.gateway.bill import Case, Cashier, Times, wire_hash
from dgrid.gateway.counting import Counts
from dgrid.gateway.dispatch import Dispatcher, NodeReply, told
from dgrid.gateway.orders import Decision, Order, Plan
from dgrid.gateway.relay import Relay
from dgrid.gateway.replies import (
    STREAM_END,
    STREAM_TYPE,
    Bill,
    error_event,
    stream_tail,
    usage_event,
    whole_body,
)
from dgrid.gateway.retries import RetryBudget
from dgrid.gateway.route import Router
from dgrid.gateway.route.load import comparable_ms
from dgrid.gateway.verify import Asked, Delivery, Verified, is_blank, read_chunk, verify
from dgrid.store.ledger import Ledger
from dgrid.store.ledger_rows import HoldRequest, StoredAnswer
from dgrid.telemetry import Metrics
from dgrid.wire.answers import Answer
from dgrid.wire.failures import Failures
from dgrid.wire.server import Reply, Request
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

Answered = TypeVar("Answered")
REPLAYED = (b"x-dgrid-cache", b"replay")


class ClientGone(ConnectionError):
    """Nobody is there to take the answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one gateway takes on."""

    attempts: int = 3
    in_flight_max: int = 1024
    in_flight_of_channel_max: int = 256


@dataclass(frozen=True, slots=True)
class Parts:
    """The steps, in their order, and what they share."""

    admission: Admission
    router: Router
    dispatcher: Dispatcher
    counts: Counts
    cashier: Cashier
    ledger: Ledger
    domain: Domain
    metrics: Metrics
    failures: Failures
    now_ms: Callable[[], int]
    spawn: Callable[[Coroutine[object, object, None]], object]


class Pipeline:
    """Serves chat completions."""

    def __init__(self, parts: Parts, limits: Limits | None = None) -> None:
        self._parts, self._limits = parts, limits or Limits()
        self._in_flight: dict[bytes, int] = {}
        self._total = 0
        self._retries = RetryBudget()

    async def serve(self, request: Request) -> Reply:
        """A request's answer, whole or as a stream. Raises DGridError while nothing has been sent."""
        parts = self._parts
        order = parts.admission.admit(request)
        request.order_id = order.request_id
        if (replay := self._replay(order)) is not None:
            return replay
        self._enter(order)
        try:
            plan = self._plan(order)
            held = parts.ledger.hold(
                HoldRequest(order.request_id, order.funds, plan.amount_wei, order.signed, order.idempotency)
            )
        except BaseException:
            self._leave(order)
            raise
        attempts = Attempts(order, plan, request)
        try:
            attempts.client.on_gone.append(lambda: self._client_gone(attempts))
            await held
            if order.streamed:
                return await self._open_stream(attempts)
            reply = await self._first_good(attempts, self._whole)
        except BaseException:
            self._release(order)
            self._leave(order)
            raise
        self._leave(order)
        return reply

    def _plan(self, order: Order) -> Plan:
        funds = order.funds
        state = self._parts.ledger.account_state(funds.channel_id)
        ceiling_wei = funds.deposited_wei
        if funds.ceiling_wei is not None:
            ceiling_wei = min(ceiling_wei, max(funds.ceiling_wei, state.ceiling_wei))
        return self._parts.router.plan(order, max(0, ceiling_wei - state.spent_wei - state.held_wei))

    # --- trying ---

    async def _first_good(self, attempts: Attempts, ask: Callable[[Attempts], Awaitable[Answered]]) -> Answered:
        """The first answer that holds, from at most three different nodes."""
        parts, faults = self._parts, []
        while True:
            decision = attempts.decision = parts.router.decide(
                attempts.order, attempts.plan, excluded=attempts.excluded
            )
            load, attempts.asked_ms = parts.router.loads.of(decision.seller.node), parts.now_ms()
            load.in_flight += 1
            try:
                attempts.upstream = await self._send(attempts, decision)
                return await ask(attempts)
            except NodeFault as fault:
                load.in_flight -= 1
                faults.append(fault)
                self._blame(attempts, fault)
                if not self._may_retry(attempts):
                    raise told(faults) from None
                attempts.excluded |= {decision.seller.node}
            except BaseException:
                load.in_flight -= 1
                self._hang_up(attempts)
                raise

    async def _send(self, attempts: Attempts, decision: Decision) -> NodeReply:
        """The node's reply once it begins. A client that hangs up meanwhile ends the wait, and with it the node's work.

        Raises NodeFault, ClientGone.
        """
        self._check_client(attempts)
        attempts.sending = asyncio.current_task()
        try:
            return await self._parts.dispatcher.send(attempts.order, attempts.plan, decision=decision)
        except asyncio.CancelledError:
            self._check_client(attempts)
            raise
        finally:
            attempts.sending = None

    def _may_retry(self, attempts: Attempts) -> bool:
        """Whether another node may be asked: there is one, the request had not its share, nor have all together."""
        asked = attempts.count
        if asked >= self._limits.attempts or asked >= len(attempts.plan.sellers):
            return False
        if self._retries.spend():
            return True
        self._parts.metrics.retries_refused.add()
        return False

    def _blame(self, attempts: Attempts, fault: NodeFault, *, is_stream: bool = False) -> None:
        """A failed attempt: the node loses standing unless it said why in good faith. A gone client ends the matter."""
        self._hang_up(attempts)
        if not is_stream:
            self._check_client(attempts)
        node = opened_node(attempts)
        if fault.param is None:
            self._parts.router.loads.of(node).failed(self._parts.now_ms())
        self._parts.metrics.node_faults.add(1, fault.code)
        request_id = attempts.order.receipt_id
        logger.info("node 0x%s failed request %s: %s: %s", node.hex(), request_id, fault.code, fault.message)

    def _hang_up(self, attempts: Attempts) -> None:
        if attempts.upstream is not None:
            attempts.upstream.abort()
            attempts.upstream = None

    def _check_client(self, attempts: Attempts) -> None:
        if attempts.client.gone:
            raise ClientGone

    def _client_gone(self, attempts: Attempts) -> None:
        """Before the first word nothing is owed. Of a stream the node may sign what it has delivered so far."""
        if attempts.sending is not None:
            attempts.sending.cancel()
        elif attempts.upstream is None:
            return
        elif attempts.relay is not None and attempts.relay.began:
            attempts.relay.client_left()
            attempts.upstream.cancel()
        else:
            attempts.upstream.abort()

    # --- an answer in one piece ---

    async def _whole(self, attempts: Attempts) -> Reply:
        parts, order, upstream = self._parts, attempts.order, attempts.upstream
        assert upstream is not None
        assert attempts.decision is not None
        payload = await upstream.whole()
        seller = attempts.decision.seller
        answer = Answer()
        answer.add(read_chunk(payload, seller.model))
        verified = self._verify(attempts, answer, delivered=None)
        case = self._case(attempts)
        priced = parts.cashier.price(case, verified)
        body = whole_body(payload, bill_of(attempts, verified, fee_wei=priced.fee_wei))
        total_ms = parts.now_ms() - order.received_ms
        headers = headers_of(attempts)
        stored = None
        if order.idempotency is not None:
            stored = StoredAnswer(200, b"application/json", tuple(headers), body)
        wire = wire_hash(order.salt, body)
        times = Times(total_ms, total_ms)
        _, committed = parts.cashier.charge(case, verified, priced=priced, wire=wire, times=times, answer=stored)
        await committed
        parts.router.loads.of(seller.node).in_flight -= 1
        self._credit(attempts, verified, comparable_ms(total_ms - attempts.waited_ms, verified.tokens_out))
        parts.metrics.answered(priced.fee_wei, verified.tokens_in, tokens_out=verified.tokens_out, total_ms=total_ms)
        return Reply(200, body, headers)

    # --- streams ---

    async def _open_stream(self, attempts: Attempts) -> Reply:
        """A stream whose first words are here: until then another node can still take over."""
        opened = await self._first_good(attempts, self._opened)
        return Reply(200, self._events(attempts, opened), headers_of(attempts), STREAM_TYPE)

    async def _opened(self, attempts: Attempts) -> Opened:
        order, upstream = attempts.order, attempts.upstream
        assert upstream is not None
        relay = Relay(upstream.assignment.seller.model, order.salt, keep=order.idempotency is not None)
        payloads, opening = upstream.payloads(), b""
        async for batch in payloads:
            opening += relay.take(batch)
            if not relay.answer.is_empty:
                break
        else:
            self._verify(attempts, relay.answer, delivered=None)  # the whole answer is here: it must hold
            if is_blank(relay.answer, order):
                raise NodeUnreachable("the node broke off before the first word")
        attempts.relay = relay
        return Opened(relay, opening, payloads, self._parts.now_ms() - order.received_ms)

    async def _events(self, attempts: Attempts, opened: Opened) -> AsyncIterator[bytes]:
        """The stream as the client gets it; ends with a receipt, or with an error and no fee."""
        parts, relay, billed = self._parts, opened.relay, False
        try:
            self._check_client(attempts)
            yield relay.send(opened.opening)
            async for batch in opened.payloads:
                if events := relay.take(batch):
                    yield relay.send(events)
            tail = await self._bill_stream(attempts, opened)
            billed = True
            yield tail
        except DGridError as error:
            if isinstance(error, NodeFault):
                self._blame(attempts, error, is_stream=True)
                error.hint = error.hint or "nothing of it is billed: ask again"
            parts.metrics.requests.add(1, error.code)
            yield self._broken(attempts, error) + STREAM_END
        except ClientGone:
            pass
        finally:
            parts.router.loads.of(opened_node(attempts)).in_flight -= 1
            if not billed:
                self._hang_up(attempts)
                self._release(attempts.order)
            self._leave(attempts.order)

    async def _bill_stream(self, attempts: Attempts, opened: Opened) -> bytes:
        """Verifies and bills a stream that has ended; gives its last bytes, which leave after the commit."""
        parts, order, relay = self._parts, attempts.order, opened.relay
        if relay.delivered == "":
            raise ClientGone
        verified = self._verify(attempts, relay.answer, delivered=relay.delivered)
        case = self._case(attempts)
        priced = parts.cashier.price(case, verified)
        bill = bill_of(attempts, verified, fee_wei=priced.fee_wei)
        last = b""
        if relay.delivered is None:
            last = relay.send(self._last_events(attempts, relay, bill))
        tail = last + stream_tail(order.receipt_id)
        total_ms = parts.now_ms() - order.received_ms
        times, stored = Times(opened.ttft_ms, total_ms), None
        if (kept := relay.kept()) is not None and relay.delivered is None:
            stored = StoredAnswer(200, STREAM_TYPE, tuple(headers_of(attempts)), kept + tail[len(last) :])
        _, committed = parts.cashier.charge(
            case, verified, priced=priced, wire=relay.wire_hash(), times=times, answer=stored
        )
        await committed
        self._credit(attempts, verified, opened.ttft_ms - attempts.waited_ms)
        parts.metrics.answered(priced.fee_wei, verified.tokens_in, tokens_out=verified.tokens_out, total_ms=total_ms)
        return tail

    def _broken(self, attempts: Attempts, error: DGridError) -> bytes:
        """The event that tells of a stream that cannot go on; the log has it under the same name."""
        request_id = attempts.order.receipt_id
        self._parts.failures.note(error, request_id)
        return error_event(error, request_id)

    def _last_events(self, attempts: Attempts, relay: Relay, bill: Bill) -> bytes:
        """What follows the answer: the usage where it was asked for, and the error where the node broke off."""
        upstream, options = attempts.upstream, attempts.order.chat.stream_options
        assert upstream is not None
        assert upstream.done is not None
        usage = usage_event(relay.first_payload, bill) if options is not None and options.include_usage else b""
        if upstream.done.partial:
            cut = NodeUnreachable("the node broke off", hint="what it delivered and signed was billed")
            return usage + self._broken(attempts, cut)
        return usage

    # --- what both share ---

    def _verify(self, attempts: Attempts, answer: Answer, *, delivered: str | None) -> Verified:
        parts, upstream = self._parts, attempts.upstream
        assert upstream is not None
        assert upstream.done is not None
        assert upstream.receipt is not None
        assignment = upstream.assignment
        asked = Asked(attempts.order, attempts.plan, assignment.seller, assignment.dispatch_hash)
        delivery = Delivery(answer, upstream.done, upstream.receipt, delivered)
        return verify(asked, delivery, counts=parts.counts, domain=parts.domain)

    def _case(self, attempts: Attempts) -> Case:
        upstream = attempts.upstream
        assert upstream is not None
        assert upstream.done is not None
        assert attempts.decision is not None
        return Case(attempts.order, attempts.plan, attempts.decision, upstream.assignment, upstream.done)

    def _credit(self, attempts: Attempts, verified: Verified, latency_ms: float) -> None:
        """A served request: the node's latency is known; one that claims too much is sent away nevertheless."""
        assert attempts.decision is not None
        seller, now_ms = attempts.decision.seller, self._parts.now_ms()
        load = self._parts.router.loads.of(seller.node)
        load.succeeded(latency_ms, now_ms)
        if verified.overcounted:
            load.eject(now_ms)
            self._parts.metrics.node_faults.add(1, "overcounted")
            logger.warning("node %s claims more tokens than there are: %s", seller.name, verified.overcounted)

    def _replay(self, order: Order) -> Reply | None:
        key = order.idempotency
        known = self._parts.ledger.known_answer(order.funds.channel_id, key.key) if key is not None else None
        if known is None or key is None:
            return None
        if known.body_hash != key.body_hash:
            raise IdempotencyConflict("this idempotency key was used with another body")
        if known.stored is None:
            raise IdempotencyConflict("a request with this idempotency key is in progress", retry_after_ms=1000)
        stored = known.stored
        return Reply(stored.status, stored.body, [*stored.headers, REPLAYED], stored.content_type)

    def _enter(self, order: Order) -> None:
        channel = order.funds.channel_id
        mine = self._in_flight.get(channel, 0)
        if self._total >= self._limits.in_flight_max or mine >= self._limits.in_flight_of_channel_max:
            raise RateLimited(f"{mine} requests of this channel are in progress", retry_after_ms=1000)
        self._in_flight[channel] = mine + 1
        self._total += 1
        self._retries.earn()

    def _leave(self, order: Order) -> None:
        channel = order.funds.channel_id
        self._total -= 1
        if (left := self._in_flight.get(channel, 1) - 1) > 0:
            self._in_flight[channel] = left
        else:
            self._in_flight.pop(channel, None)

    def _release(self, order: Order) -> None:
        self._parts.spawn(self._release_hold(order))

    async def _release_hold(self, order: Order) -> None:
        try:
            await self._parts.ledger.release(order.request_id)
        except DGridError as error:  # the ledger tries again by itself
            logger.error("a hold could not be released yet: %s", error.message)
