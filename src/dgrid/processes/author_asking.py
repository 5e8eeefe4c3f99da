"""Sends an author's canaries: through the SDK, with the headers and bodies that every client's requests have."""

from dataclasses import dataclass, field
from typing import Any

from dgrid.author.accounts import Account
from dgrid.author.journal import KeptCanary, Served
from dgrid.author.working import Door
from dgrid.client import ApiKey
from dgrid.client.asynchronous import AsyncClient
from dgrid.client.flow import Order
from dgrid.client.requests import chat_order
from dgrid.core.errors import CheckFailed


def write_body(messages: list[dict[str, str]], *, model: str, streamed: bool, options: dict[str, Any]) -> bytes:
    """The body of a chat request as the SDK writes it."""
    return chat_order(messages, model=model, streamed=streamed, options=options).body


@dataclass(slots=True)
class Asker:
    """One author's clients."""

    _clients: dict[tuple[str, str], AsyncClient] = field(default_factory=dict)

    async def ask(self, door: Door, canary: KeptCanary) -> Served:
        """The answer with its checked receipt. Raises DGridError, CheckFailed."""
        order = Order(canary.body, canary.model, canary.streamed, canary.idempotency_key)
        stream = self._client(door.url, door.account).relay(order)
        async for _ in stream:
            pass
        answer, document = stream.answer, stream.answer.document
        if document is None or document.salt is None:
            raise CheckFailed("the gateway gave no receipt that ties the answer to the request")
        place = document.receipt.place
        found = place.epoch, place.lane, place.sequence, document.salt, answer.text, answer.receipt_id
        return Served(*found, document.model)

    async def close(self) -> None:
        """Closes all connections."""
        for client in self._clients.values():
            await client.close()

    def _client(self, url: str, account: Account) -> AsyncClient:
        name = url, account.api_key
        if name not in self._clients:
            self._clients[name] = AsyncClient([url], ApiKey(account.api_key))
        return self._clients[name]
