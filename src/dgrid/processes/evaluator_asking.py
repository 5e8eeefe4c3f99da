"""Asks nodes for an evaluator: through gateways, paid from its purse, and believed as far as the receipt goes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from dgrid.chain.view import ChainView
from dgrid.client import ApiKey
from dgrid.client.answers import Answer
from dgrid.client.asynchronous import AsyncClient
from dgrid.client.flow import Order
from dgrid.core.errors import CheckFailed, DGridError, NoNodeAvailable
from dgrid.core.identity import Address
from dgrid.evaluator.cases.sampling import Reply
from dgrid.evaluator.purse import GatewayDoor, Purse
from dgrid.evaluator.rerun import Peer, PeerAnswer, Repeat
from dgrid.evaluator.tally import Tally
from dgrid.settlement.grounds import shown
from dgrid.wire.answers import answer_of
from dgrid.wire.messages import Privacy
from dgrid.wire.quality import decode_content


@dataclass(slots=True)
class PayingAsker:
    """One evaluator's questions to the network."""

    purse: Purse
    view: Callable[[], ChainView]
    tally: Tally
    _clients: dict[GatewayDoor, AsyncClient] = field(default_factory=dict)

    async def ask(self, repeat: Repeat) -> PeerAnswer:
        """The peer's answer by whichever gateway brings it. Raises DGridError, CheckFailed when it is another's."""
        failure: DGridError = NoNodeAvailable("no channel to any gateway yet")
        for door in self._doors(repeat):
            try:
                answer = await self._asked(door, repeat)
            except CheckFailed:
                raise
            except DGridError as error:
                failure = error
            else:
                self.tally.repeats.add()
                return answer
        raise failure

    async def reply(self, peer: Peer, body: bytes) -> Reply:
        """A node's answer with all that its hashes cover, as its payer may have it. Raises DGridError, CheckFailed."""
        failure: DGridError = NoNodeAvailable("no channel to any gateway yet")
        for door in self.purse.doors(self.view()):
            try:
                reply = await self._replied(door, peer, body)
            except DGridError as error:
                failure = error
            else:
                return reply
        raise failure

    async def _replied(self, door: GatewayDoor, peer: Peer, body: bytes) -> Reply:
        answer = await self._answered(door, body, model=peer.model)
        document, receipt_id = answer.document, answer.receipt_id
        if document is None:
            raise CheckFailed("the answer has no receipt")
        try:
            content = decode_content(await self._client(door).fetch(f"/v1/receipts/{receipt_id}/content"))
        except ValueError as error:
            raise CheckFailed(f"the gateway shows no content: {error}") from None
        return Reply(document, content)

    def _client(self, door: GatewayDoor) -> AsyncClient:
        client = self._clients.get(door)
        if client is None:
            client = self._clients[door] = AsyncClient([door.url], ApiKey(door.api_key))
        return client

    async def close(self) -> None:
        """Closes all connections."""
        for client in self._clients.values():
            await client.close()

    def _doors(self, repeat: Repeat) -> list[GatewayDoor]:
        """The gateway that served the original last: it has an interest in what is found."""
        return sorted(self.purse.doors(self.view()), key=lambda door: door.gateway == repeat.served_by)

    async def _asked(self, door: GatewayDoor, repeat: Repeat) -> PeerAnswer:
        answer = await self._answered(door, repeat.body, model=repeat.peer.model)
        return checked_answer(answer, repeat, gateway=door.gateway)

    async def _answered(self, door: GatewayDoor, body: bytes, *, model: str) -> Answer:
        """A whole answer, counted as asked of the gateway. Raises DGridError."""
        self.purse.allowance.note(door.gateway)
        stream = self._client(door).relay(Order(body, model, streamed=False))
        async for _ in stream:
            pass
        return stream.answer


def checked_answer(answer: Answer, repeat: Repeat, *, gateway: Address) -> PeerAnswer:
    """The answer, if its receipt says that this peer gave it through the gateway that was asked, and that it can never
    be drawn. Raises CheckFailed.
    """
    document = answer.document
    if document is None:
        raise CheckFailed("the answer has no receipt")
    dispatch, usage = document.dispatch, document.receipt.usage
    if (dispatch.node, dispatch.model_digest) != (repeat.peer.node, repeat.peer.digest):
        raise CheckFailed("another node or other weights answered than those asked for")
    if document.model != repeat.peer.model:
        raise CheckFailed("the answer goes by another model's name than the one asked for")
    if dispatch.gateway != gateway:
        raise CheckFailed("another gateway signed for the answer than was asked")
    if usage.privacy != Privacy.NONE:
        raise CheckFailed("the answer was given under another privacy than asked for")
    text = answer_of(answer.raw).text()
    return PeerAnswer(repeat.peer, document.receipt.request_id, text, shown(document, text))
