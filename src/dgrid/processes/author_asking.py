"""Sends an author's canaries: through the SDK, with the headers and bodies that every client's requests have.

A key's request may cost all that its channel holds, and a node may ask any price for a model that it alone sells. So a
model's price is looked at first, as anybody looks at it, and what is too dear is not asked: a limit in the request
itself would tell it from others.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from dgrid.author.accounts import Account
from dgrid.author.journal import KeptCanary, Served
from dgrid.author.naming import VIRTUAL_NAMES
from dgrid.author.working import Door
from dgrid.client import ApiKey
from dgrid.client.asynchronous import AsyncClient
from dgrid.client.flow import Order
from dgrid.client.requests import chat_order
from dgrid.core.errors import CheckFailed, InsufficientBudget, NetworkUnreachable, NodeFault
from dgrid.core.money import BPS
from dgrid.wire.decoding import decode_with
from dgrid.wire.http import ClientLimits, HttpClient

TOKENS: Final = 1_000  # more than nearly all requests have
TOKENS_PRICED: Final = 10**6  # a price is for so many
PRICE_DIGITS_MAX: Final = 39
PRICE_LIMITS: Final = ClientLimits(first_byte_s=10, total_s=20, reply_bytes=4 * 1024 * 1024)  # some thousand models


def write_body(messages: list[dict[str, str]], *, model: str, streamed: bool, options: dict[str, Any]) -> bytes:
    """The body of a chat request as the SDK writes it."""
    return chat_order(messages, model=model, streamed=streamed, options=options).body


class Pricing(msgspec.Struct):
    """What the cheapest node takes for a model, and whoever listed it, as a gateway says."""

    in_price_wei: str
    out_price_wei: str
    listing_in_price_wei: str
    listing_out_price_wei: str
    margin_bps: int

    def fee_wei(self) -> int:
        """What a request of so many tokens, and an answer of as many, cost. Raises ValueError."""
        words = self.in_price_wei, self.out_price_wei, self.listing_in_price_wei, self.listing_out_price_wei
        priced = TOKENS * sum(int(word[:PRICE_DIGITS_MAX]) for word in words)
        return priced * (BPS + self.margin_bps) // BPS // TOKENS_PRICED


class ListedModel(msgspec.Struct):
    id: str
    pricing: Pricing | None = None


class Models(msgspec.Struct):
    data: list[ListedModel]


_models = msgspec.json.Decoder(Models)


@dataclass(slots=True)
class Asker:
    """One author's clients; `prices` looks at lists of models. `most_wei` is what a request of TOKENS may cost."""

    prices: HttpClient
    most_wei: Callable[[], int]
    _clients: dict[tuple[str, str], AsyncClient] = field(default_factory=dict)

    async def ask(self, door: Door, canary: KeptCanary) -> Served:
        """The answer with its checked receipt. Raises DGridError, CheckFailed; InsufficientBudget before it asks."""
        client = self._client(door.url, door.account)
        if canary.model not in VIRTUAL_NAMES:
            await self._require_price(client.terms.gateway_urls[0], canary)
        stream = client.relay(Order(canary.body, canary.model, canary.streamed, canary.idempotency_key))
        async for _ in stream:
            pass
        answer, document = stream.answer, stream.answer.document
        if document is None or document.salt is None:
            raise CheckFailed("the gateway gave no receipt that ties the answer to the request")
        place = document.receipt.place
        found = place.epoch, place.lane, place.sequence, document.salt, answer.text, answer.receipt_id
        return Served(*found, document.model)

    async def _require_price(self, url: str, canary: KeptCanary) -> None:
        try:
            reply = await self.prices.request("GET", f"{url}/v1/models")
            listed = decode_with(_models, await reply.read()).data
            fees = [one.pricing.fee_wei() for one in listed if one.id == canary.model and one.pricing]
        except NodeFault as error:
            raise NetworkUnreachable(error.message) from None
        except ValueError:
            raise CheckFailed("the gateway lists no models") from None
        if not fees:
            raise CheckFailed(f"the gateway names no price of {canary.model[:80]}")
        if max(fees) > self.most_wei():
            raise InsufficientBudget(f"{TOKENS} tokens of {canary.model[:80]} and as many to it cost {max(fees)} wei")

    async def close(self) -> None:
        """Closes all connections."""
        for client in self._clients.values():
            await client.close()

    def _client(self, url: str, account: Account) -> AsyncClient:
        name = url, account.api_key
        if name not in self._clients:
            self._clients[name] = AsyncClient([url], ApiKey(account.api_key))
        return self._clients[name]
