"""Where a request goes: first which model, then which node. Decisions are recorded by hash; nothing is sent here."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import msgspec

from dgrid.core.errors import ContextLengthExceeded, NoNodeAvailable
from dgrid.core.keccak import keccak
from dgrid.core.money import worst_case
from dgrid.gateway.counting import Counts, room_of
from dgrid.gateway.orders import Decision, Order, Plan, Room, Seller
from dgrid.gateway.route.choose import Moment, can_serve, choose
from dgrid.gateway.route.load import Loads
from dgrid.gateway.route.market import EMPTY_MARKET, Market
from dgrid.gateway.route.models import wanted_models
from dgrid.gateway.route.wishes import NO_WISHES, Wishes, wishes_of
from dgrid.store.ledger_rows import BudgetExceeded

NO_NODE_RETRY_MS = 1000
NOBODY_LEFT = "every node that offers it has failed, is full or has no credit left"
_encode = msgspec.json.Encoder().encode


class DecisionDocument(msgspec.Struct, frozen=True, gc=False):
    """Why a node was chosen: the bytes behind a receipt's route hash."""

    asked: str
    model: str
    node: str
    attempt: int
    considered: int
    excluded: tuple[str, ...]
    latency_ms: int | None
    in_flight: int
    sort: str


@dataclass(slots=True)
class Router:
    """The router of one gateway: a frozen market, and the loads it measures."""

    counts: Counts
    owed_wei: Callable[[bytes], int]
    now_ms: Callable[[], int]
    loads: Loads = field(default_factory=Loads)
    market: Market = EMPTY_MARKET
    chance: Random = field(default_factory=lambda: Random(secrets.randbits(64)))  # noqa: S311 - spreads load only

    def plan(self, order: Order, available_wei: int) -> Plan:
        """The model and the sellers in reach, and the worst case to hold.

        Raises ModelNotFound, ContextLengthExceeded, NoNodeAvailable or BudgetExceeded.
        """
        wishes = wishes_of(order.chat)
        failure: Exception | None = None
        for model in wanted_models(order.chat, self.market, loads=self.loads):
            try:
                return self._plan_model(order, model, wishes=wishes, limit_wei=min(order.max_fee_wei, available_wei))
            except (ContextLengthExceeded, NoNodeAvailable, BudgetExceeded) as error:
                failure = failure or error
        assert failure is not None
        raise failure

    def _plan_model(self, order: Order, model: str, *, wishes: Wishes, limit_wei: int) -> Plan:
        sellers = self._reachable(model, wishes)
        if not sellers:
            raise no_node(model, "every node that offers it is ruled out by the request's wishes")
        moment = self._moment()
        for seller in sellers:
            if can_serve(seller, moment):
                break
        else:
            raise no_node(model, NOBODY_LEFT)
        room = self._room(order, sellers)
        if room.is_counted:
            sellers = tuple([seller for seller in sellers if seller.context > room.tokens_in])
        fitting, amount_wei = affordable(sellers, room, limit_wei=limit_wei)
        if not fitting:
            cheapest_wei = worst_case_of(sellers[0], room)
            raise BudgetExceeded(
                f"this request may cost {cheapest_wei} wei; {limit_wei} wei are left to spend",
                hint="deposit more, raise the budget, or ask for fewer tokens (max_tokens)",
            )
        return Plan(model, fitting, room, amount_wei)

    def _reachable(self, model: str, wishes: Wishes) -> tuple[Seller, ...]:
        if wishes is NO_WISHES:
            return self.market.in_band[model]
        named = wishes.names_nodes
        sellers = self.market.models[model].sellers if named else self.market.in_band[model]
        return tuple(seller for seller in sellers if not wishes.refusal(seller))

    def _room(self, order: Order, sellers: tuple[Seller, ...]) -> Room:
        chat, context = order.chat, max([seller.context for seller in sellers])
        counted = self.counts.prompt(sellers[0].tokenizer, chat)
        if counted is not None and counted >= context:
            raise ContextLengthExceeded(
                f"the prompt has {counted} tokens; the model's context has {context}", param="messages"
            )
        return room_of(chat, counted=counted, body_bytes=len(order.body), context=context)

    def can_serve(self) -> bool:
        """Whether some model has a node that takes requests: offered, with credit left, not full."""
        moment = self._moment()
        return any(can_serve(seller, moment) for found in self.market.models.values() for seller in found.sellers)

    def _moment(self) -> Moment:
        return Moment(self.loads, self.now_ms(), self.chance, self.owed_wei)

    def decide(self, order: Order, plan: Plan, *, excluded: frozenset[bytes]) -> Decision:
        """The node to ask next. Raises NoNodeAvailable."""
        wishes = wishes_of(order.chat)
        seller = choose(plan.sellers, wishes, moment=self._moment(), excluded=excluded)
        if seller is None:
            raise no_node(plan.model, NOBODY_LEFT)
        load = self.loads.of(seller.node)
        document = _encode(
            DecisionDocument(
                order.chat.model,
                plan.model,
                seller.name,
                len(excluded) + 1,
                len(plan.sellers),
                tuple("0x" + node.hex() for node in sorted(excluded)),
                None if load.latency_ms is None else round(load.latency_ms),
                load.in_flight,
                wishes.sort,
            )
        )
        return Decision(seller, keccak(document), document)


def worst_case_of(seller: Seller, room: Room) -> int:
    """The most a request can cost with this seller."""
    return worst_case(seller.terms, tokens_in=room.tokens_in, tokens_out_max=room.tokens_out_max)


def affordable(sellers: tuple[Seller, ...], room: Room, *, limit_wei: int) -> tuple[tuple[Seller, ...], int]:
    """The sellers whose worst case stays within the limit, and the highest of their worst cases."""
    tokens_in, tokens_out = room.tokens_in, room.tokens_out_max
    costs = [worst_case(seller.terms, tokens_in=tokens_in, tokens_out_max=tokens_out) for seller in sellers]
    if (highest := max(costs)) <= limit_wei:
        return sellers, highest
    fitting = [(seller, cost) for seller, cost in zip(sellers, costs, strict=True) if cost <= limit_wei]
    return tuple(seller for seller, _ in fitting), max((cost for _, cost in fitting), default=0)


def no_node(model: str, reason: str) -> NoNodeAvailable:
    return NoNodeAvailable(f"no node can serve {model} now: {reason}", retry_after_ms=NO_NODE_RETRY_MS)
