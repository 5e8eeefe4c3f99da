"""What travels along the pipeline: who asks for what, who may serve it at which price, and what came of it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from dgrid.core.money import Price, Terms
from dgrid.store.ledger_rows import Funds, IdempotencyKey, OrderDigest
from dgrid.wire.messages import Grade, Privacy
from dgrid.wire.openai import ChatRequest

if TYPE_CHECKING:  # routing is made of sellers, and a plan of what routing found
    from dgrid.gateway.route.choose import Moment
    from dgrid.gateway.route.entrants import Entrant, Field
    from dgrid.gateway.route.models import Wanted
    from dgrid.gateway.route.standing import Standing

ANY_FEE = 2**128 - 1


class Order(msgspec.Struct, frozen=True, gc=False):
    """An admitted request: the caller is known, the body is understood. Nothing is held yet."""

    request_id: bytes
    funds: Funds
    chat: ChatRequest
    body: bytes  # as the node gets it
    salt: bytes
    request_hash: bytes  # over the body as it was received
    forwarded_hash: bytes
    received_ms: int
    max_fee_wei: int = ANY_FEE
    privacy: Privacy = Privacy.COMMITTEE
    grade: Grade = Grade.SIGNED
    signed: OrderDigest | None = None
    idempotency: IdempotencyKey | None = None

    @property
    def streamed(self) -> bool:
        return bool(self.chat.stream)

    @property
    def choices(self) -> int:
        return self.chat.n or 1

    @property
    def receipt_id(self) -> str:
        return "0x" + self.request_id.hex()


@dataclass(frozen=True, slots=True)
class Listing:
    """A creator's price for a model; it carries no cut."""

    listing_id: bytes
    version: int
    price: Price


@dataclass(frozen=True, slots=True)
class Seller:
    """A node that offers a model, at its price and the shares that apply."""

    node: bytes
    endpoint: str
    model: str
    model_id: bytes
    model_digest: bytes
    offer_digest: bytes
    tokenizer: str
    context: int
    capacity: int
    terms: Terms
    listing: Listing
    line_wei: int
    stake_wei: int = 0
    exposure_wei: int = ANY_FEE  # what it may earn here in epochs whose checks are not final
    name: str = field(init=False)  # the node's address in hex
    blended_wei: int = field(init=False)  # one figure to compare prices by: three tokens in for each token out

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", "0x" + self.node.hex())
        object.__setattr__(self, "blended_wei", 3 * self.price.in_wei + self.price.out_wei)

    @property
    def price(self) -> Price:
        return self.terms.node


class Room(msgspec.Struct, frozen=True, gc=False):
    """How many tokens a request has and may get, as this gateway counts."""

    tokens_in: int
    tokens_out_max: int  # of all choices together
    is_counted: bool  # whether `tokens_in` is exact, or only a bound from the body's size


class Plan(msgspec.Struct, frozen=True, gc=False):
    """Where a request may go: one model, its sellers in reach, and the most it can cost."""

    model: str
    field: "Field"
    room: Room
    amount_wei: int
    wanted: "Wanted"
    moment: "Moment"  # when it was made: the first node is chosen by it, too
    first: "Entrant | None" = None  # that node, where it was chosen before the prompt and the price left some out

    @property
    def sellers(self) -> tuple[Seller, ...]:
        return self.field.sellers


class Decision(msgspec.Struct, frozen=True, gc=False):
    """One choice of a node, what was believed of it then, and what it is recorded by."""

    seller: Seller
    standing: "Standing"
    route_hash: bytes
    document: bytes
