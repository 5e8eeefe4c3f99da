"""Decides whether a dispatch is served: everything that makes it payable is checked before the engine hears of it.

The order is by cost: what needs no arithmetic first, the signature before anything is remembered, the nonce last. A
refusal says why, and leaves nothing behind.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dgrid.core.errors import (
    ContextLengthExceeded,
    InvalidRequest,
    InvalidSignature,
    SignatureExpired,
    SignatureReplayed,
    StorageUnavailable,
)
from dgrid.core.identity import model_id
from dgrid.core.keccak import salted_hash
from dgrid.core.money import Price
from dgrid.engines.engine import Engine, EngineRequest
from dgrid.engines.requests import conversation, engine_request
from dgrid.engines.tokenizers import Tokenizer
from dgrid.node.books import Books
from dgrid.node.metering import Meter, MeterTerms
from dgrid.node.offer import ModelTerms
from dgrid.node.presence import Presence
from dgrid.node.refusals import ModelNotOffered, NotForThisNode, PriceTooLow
from dgrid.wire.frames import DispatchEnvelope, decode_dispatch
from dgrid.wire.messages import Dispatch
from dgrid.wire.openai import ChatRequest, decode_chat
from dgrid.wire.seals import sealed_by

DEADLINE_AHEAD_MS_MAX: Final = 15 * 60_000  # bounds how long a nonce must be remembered
NONCES_PRUNED_EVERY: Final = 4096


@dataclass(frozen=True, slots=True)
class Sold:
    """A model that this node serves: its terms, what runs it, what counts its tokens."""

    terms: ModelTerms
    engine: Engine
    tokenizer: Tokenizer | None


@dataclass(frozen=True, slots=True)
class Admitted:
    """A dispatch that will be served and paid."""

    dispatch: Dispatch
    dispatch_hash: bytes
    salt: bytes
    sold: Sold
    chat: ChatRequest
    request: EngineRequest
    tokens_in: int | None  # None where no tokenizer is known: the engine's count is taken
    worst_wei: int

    @property
    def price(self) -> Price:
        return Price(self.dispatch.in_price, self.dispatch.out_price)


class SeenNonces:
    """Which dispatches were served, until none of them can be valid any more."""

    def __init__(self, books: Books, *, now_ms: int) -> None:
        self._books = books
        self._seen = {(gateway, nonce): deadline_ms for gateway, nonce, deadline_ms in books.nonces(now_ms=now_ms)}
        self._until_pruning = NONCES_PRUNED_EVERY

    def take(self, dispatch: Dispatch, *, now_ms: int) -> None:
        """Raises SignatureReplayed for one that was taken before."""
        key = dispatch.gateway, dispatch.nonce
        if key in self._seen:
            raise SignatureReplayed("this dispatch was served before")
        self._seen[key] = dispatch.deadline
        self._books.add_nonce(dispatch.gateway, dispatch.nonce, deadline_ms=dispatch.deadline)
        self._until_pruning -= 1
        if self._until_pruning == 0:
            self._prune(now_ms)

    def _prune(self, now_ms: int) -> None:
        self._until_pruning = NONCES_PRUNED_EVERY
        self._seen = {key: deadline_ms for key, deadline_ms in self._seen.items() if deadline_ms >= now_ms}
        self._books.forget_nonces(before_ms=now_ms)


@dataclass(frozen=True, slots=True)
class Stand:
    """What a node stands on: its terms and its memory."""

    terms: MeterTerms
    models: Mapping[bytes, Sold]  # by model id
    meter: Meter
    books: Books
    presence: Presence
    now_ms: Callable[[], int]


class Admission:
    """Checks dispatches for one node."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._nonces = SeenNonces(stand.books, now_ms=stand.now_ms())

    def admit(self, data: bytes) -> Admitted:
        """The dispatch in a request's body, with the request's worst case set aside. Raises a refusal; see `refusals`.

        Whoever is given an Admitted must call `leave` when its work is over.
        """
        stand, now_ms = self._stand, self._stand.now_ms()
        envelope, dispatch = self._open(data, now_ms)
        sold = self._sold(envelope, dispatch)
        dispatch_hash = self._check_signature(envelope, dispatch)
        stand.meter.check_gateway(dispatch.gateway)
        stand.meter.acknowledge(dispatch.gateway, envelope.acknowledged)
        chat = decode_chat(envelope.body)
        tokens_in, tokens_max = room(chat, sold)
        request = engine_request(envelope.body, chat, seed=dispatch.seed, tokens_max=tokens_max)
        price = Price(dispatch.in_price, dispatch.out_price)
        tokens_in_worst = sold.terms.context if tokens_in is None else tokens_in
        worst_wei = price.gross(tokens_in_worst, request.tokens_max * request.choices)
        self._enter(dispatch, worst_wei, now_ms)
        return Admitted(dispatch, dispatch_hash, envelope.salt, sold, chat, request, tokens_in, worst_wei)

    def leave(self, admitted: Admitted) -> None:
        """Ends what `admit` began."""
        self._stand.meter.release(admitted.dispatch.gateway, admitted.worst_wei)
        self._stand.presence.leave()

    def _open(self, data: bytes, now_ms: int) -> tuple[DispatchEnvelope, Dispatch]:
        try:
            envelope, dispatch = decode_dispatch(data)
        except ValueError as error:
            raise InvalidRequest(f"malformed dispatch: {error}") from error
        if dispatch.node != self._stand.terms.node:
            raise NotForThisNode("the dispatch is addressed to another node")
        if dispatch.deadline <= now_ms:
            raise SignatureExpired("the dispatch's deadline has passed")
        if dispatch.deadline > now_ms + DEADLINE_AHEAD_MS_MAX:
            raise InvalidRequest(f"a deadline lies at most {DEADLINE_AHEAD_MS_MAX} ms ahead")
        return envelope, dispatch

    def _sold(self, envelope: DispatchEnvelope, dispatch: Dispatch) -> Sold:
        sold = self._stand.models.get(dispatch.model_id)
        if sold is None or model_id(envelope.model) != dispatch.model_id:
            raise ModelNotOffered("this node does not serve the model")
        if dispatch.model_digest != sold.terms.digest:
            raise ModelNotOffered("this node serves other weights under the model's name")
        if dispatch.token != self._stand.terms.token:
            raise ModelNotOffered("this node is not paid in the token")
        if dispatch.in_price < sold.terms.price.in_wei or dispatch.out_price < sold.terms.price.out_wei:
            price = sold.terms.price
            raise PriceTooLow(
                f"this node asks for {price.in_wei} and {price.out_wei} wei per million tokens in and out"
            )
        return sold

    def _check_signature(self, envelope: DispatchEnvelope, dispatch: Dispatch) -> bytes:
        dispatch_hash = dispatch.struct_hash()
        if sealed_by(self._stand.terms.domain, dispatch_hash, envelope.seal) != dispatch.gateway:
            raise InvalidSignature("the dispatch is not signed by its gateway")
        if salted_hash(envelope.salt, envelope.body) != dispatch.forwarded_hash:
            raise InvalidSignature("the body is not the one that the gateway signed")
        return dispatch_hash

    def _enter(self, dispatch: Dispatch, worst_wei: int, now_ms: int) -> None:
        """The steps that leave a trace; the last can only fail on a replay."""
        stand = self._stand
        if stand.books.behind:
            raise StorageUnavailable("the node's books cannot be written", retry_after_ms=1000)
        stand.presence.enter()
        try:
            stand.meter.reserve(dispatch.gateway, worst_wei, now_ms=now_ms)
            try:
                self._nonces.take(dispatch, now_ms=now_ms)
            except SignatureReplayed:
                stand.meter.release(dispatch.gateway, worst_wei)
                raise
        except BaseException:
            stand.presence.leave()
            raise


def room(chat: ChatRequest, sold: Sold) -> tuple[int | None, int]:
    """The prompt's tokens where they can be counted, and how many the answer may have. Raises ContextLengthExceeded."""
    turns = conversation(chat.messages)
    counted = None if sold.tokenizer is None or turns is None else sold.tokenizer.count_prompt(turns)
    left = sold.terms.context - (counted or 0)
    if left < 1:
        raise ContextLengthExceeded(
            f"the prompt has {counted} tokens; the model's context has {sold.terms.context}", param="messages"
        )
    return counted, left
