"""Where a request goes: first which model, then which node. Decisions are recorded by hash; nothing is sent here."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import msgspec

from dgrid.core.errors import ContextLengthExceeded, NoNodeAvailable
from dgrid.core.keccak import keccak
from dgrid.gateway.counting import Counts, room_of
from dgrid.gateway.orders import Decision, Order, Plan, Room
from dgrid.gateway.route.choose import Moment, can_serve, choose
from dgrid.gateway.route.entrants import Entrant, Field, worst_case_of
from dgrid.gateway.route.load import Loads
from dgrid.gateway.route.market import Market
from dgrid.gateway.route.models import Expected, ModelChoice
from dgrid.gateway.route.picture import EMPTY_PICTURE, Picture
from dgrid.gateway.route.standing import Credibility
from dgrid.gateway.route.wishes import NO_WISHES, Wishes, wishes_of
from dgrid.store.ledger_rows import BudgetExceeded
from dgrid.wire.openai import ChatRequest

NO_NODE_RETRY_MS = 1000
NOBODY_LEFT = "every node that offers it has failed, is full, or has no credit or stake left"
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
    task: str  # what kind of work it was taken for; empty where a model was named
    expected: tuple[Expected, ...]  # what `auto` ranked the models by
    repute: str
    credibility_bps: int | None
    low_bps: int
    high_bps: int
    samples: int
    round: int  # of the quality table that the credibility is from; -1: none yet


@dataclass(slots=True)
class Router:
    """The router of one gateway: a frozen picture, and the loads it measures."""

    counts: Counts
    owed_wei: Callable[[bytes], int]
    exposed_wei: Callable[[bytes], int]
    new_share: Callable[[], float]
    now_ms: Callable[[], int]
    task_of: Callable[[ChatRequest], str]
    loads: Loads = field(default_factory=Loads)
    picture: Picture = EMPTY_PICTURE
    chance: Random = field(default_factory=lambda: Random(secrets.randbits(64)))  # noqa: S311 - spreads load only

    @property
    def market(self) -> Market:
        return self.picture.market

    def see(self, *, market: Market | None = None, credibility: Credibility | None = None) -> None:
        """From now on routes by another market, or by another credibility."""
        known = self.picture
        self.picture = Picture.of(market or known.market, credibility or known.credibility)

    def plan(self, order: Order, available_wei: int) -> Plan:
        """The model and the sellers in reach, and the worst case to hold.

        Raises ModelNotFound, ContextLengthExceeded, NoNodeAvailable or BudgetExceeded.
        """
        wishes, moment = wishes_of(order.chat), self.moment()
        failure: Exception | None = None
        choice = ModelChoice(self.picture, self.loads, task_of=self.task_of, chance=self.chance)
        wanted = choice.wanted(order.chat)
        limit_wei = min(order.max_fee_wei, available_wei)
        for model in wanted.models:
            try:
                found, first = self._able(model, wishes, moment=moment)
                field, room, amount_wei = self._fitting(order, found, limit_wei=limit_wei)
                return Plan(model, field, room, amount_wei, wanted, moment, first if field is found else None)
            except (ContextLengthExceeded, NoNodeAvailable, BudgetExceeded) as error:
                failure = failure or error
        assert failure is not None
        raise failure

    def _able(self, model: str, wishes: Wishes, *, moment: Moment) -> tuple[Field, Entrant]:
        """The sellers in reach, and the one to ask first. Raises NoNodeAvailable."""
        found = self._reachable(model, wishes)
        if not found.sellers:
            raise no_node(model, "every node that offers it is ruled out by the request's wishes (`provider`, `dgrid`)")
        first = choose(found, wishes, moment=moment, excluded=frozenset())
        if first is None:
            raise no_node(model, NOBODY_LEFT)
        return found, first

    def _fitting(self, order: Order, found: Field, *, limit_wei: int) -> tuple[Field, Room, int]:
        """Those with room for the prompt and a price within the limit, and the worst case. Raises BudgetExceeded."""
        room = self._room(order, found)
        if room.is_counted and found.contexts[0] <= room.tokens_in:
            found = found.only(lambda seller: seller.context > room.tokens_in, self.picture.credibility)
        amount_wei = found.worst_wei(room)
        if amount_wei > limit_wei:
            return self._affordable(found, room, limit_wei=limit_wei)
        return found, room, amount_wei

    def _affordable(self, field: Field, room: Room, *, limit_wei: int) -> tuple[Field, Room, int]:
        """The sellers whose worst case stays within the limit. Raises BudgetExceeded when none does."""
        fitting = field.only(lambda seller: worst_case_of(seller.terms, room) <= limit_wei, self.picture.credibility)
        if not fitting.sellers:
            cheapest_wei = worst_case_of(field.sellers[0].terms, room)
            raise BudgetExceeded(
                f"this request may cost {cheapest_wei} wei; {limit_wei} wei are left to spend",
                hint="deposit more, raise the budget, or ask for fewer tokens (max_tokens)",
            )
        return fitting, room, fitting.worst_wei(room)

    def _reachable(self, model: str, wishes: Wishes) -> Field:
        found = self.picture.fields[model]
        if wishes is NO_WISHES:
            return found
        sellers = self.market.models[model].sellers if wishes.names_nodes else found.sellers
        fitting = tuple(seller for seller in sellers if not wishes.refusal(seller))
        return found if fitting == found.sellers else Field.of(fitting, self.picture.credibility)

    def _room(self, order: Order, field: Field) -> Room:
        chat, context = order.chat, field.contexts[1]
        counted = self.counts.prompt(field.sellers[0].tokenizer, chat)
        if counted is not None and counted >= context:
            raise ContextLengthExceeded(
                f"the prompt has {counted} tokens; the model's context has {context}",
                hint="shorten the messages",
                param="messages",
            )
        return room_of(chat, counted=counted, body_bytes=len(order.body), context=context)

    def can_serve(self) -> bool:
        """Whether some model has a node that takes requests: offered, with credit left, not full."""
        moment = self.moment()
        return any(can_serve(seller, moment) for found in self.market.models.values() for seller in found.sellers)

    def moment(self) -> Moment:
        """What a choice made now depends on."""
        return Moment(self.loads, self.now_ms(), self.chance, self.owed_wei, self.exposed_wei, self.new_share)

    def decide(self, order: Order, plan: Plan, *, excluded: frozenset[bytes]) -> Decision:
        """The node to ask next. Raises NoNodeAvailable."""
        wishes, found = wishes_of(order.chat), plan.first
        if found is None or excluded:
            moment = self.moment() if excluded else plan.moment
            found = choose(plan.field, wishes, moment=moment, excluded=excluded)
        if found is None:
            raise no_node(plan.model, NOBODY_LEFT)
        seller, standing = found.seller, found.standing
        load = self.loads.of(seller.node)
        document = _encode(
            DecisionDocument(
                order.chat.model,
                plan.model,
                seller.name,
                len(excluded) + 1,
                len(plan.sellers),
                tuple(["0x" + node.hex() for node in sorted(excluded)]),
                None if load.latency_ms is None else round(load.latency_ms),
                load.in_flight,
                wishes.sort,
                plan.wanted.task,
                plan.wanted.ranking,
                found.repute.value,
                standing.mean_bps if standing.samples else None,
                standing.low_bps,
                standing.high_bps,
                standing.samples,
                self.picture.credibility.round,
            )
        )
        return Decision(seller, standing, keccak(document), document)


def no_node(model: str, reason: str) -> NoNodeAvailable:
    return NoNodeAvailable(f"no node can serve {model} now: {reason}", retry_after_ms=NO_NODE_RETRY_MS)
