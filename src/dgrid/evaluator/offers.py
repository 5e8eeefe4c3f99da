"""Which nodes serve what, from their own signed offers: an evaluator asks no gateway for it.

Refuses those without enough stake or in jail by the chain, and those flagged in the quality table, where it is told.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from dgrid.chain.events import Role
from dgrid.chain.view import ChainView, Member
from dgrid.core.errors import DGridError, NodeMisbehaved
from dgrid.core.identity import from_hex, to_hex
from dgrid.evaluator.rerun import Peer
from dgrid.wire.http import ClientLimits, HttpClient
from dgrid.wire.offers import OFFER_BYTES_MAX, decode_offer

logger = logging.getLogger(__name__)

FRESH_S: Final = 10.0
PATIENCE_S: Final = 1.5
NODES_MAX: Final = 256
LIMITS: Final = ClientLimits(first_byte_s=PATIENCE_S, total_s=PATIENCE_S, reply_bytes=OFFER_BYTES_MAX)


async def nobody() -> frozenset[bytes]:
    """For whoever asks flagged nodes too: those who judge them."""
    return frozenset()


class Offers:
    """The nodes' offers as they were a few seconds ago at most."""

    def __init__(
        self,
        http: HttpClient,
        view: Callable[[], ChainView],
        *,
        chain_id: int,
        flagged: Callable[[], Awaitable[frozenset[bytes]]] = nobody,
    ) -> None:
        self._http, self._view, self._chain_id, self._flagged = http, view, chain_id, flagged
        self._peers: tuple[Peer, ...] = ()
        self._read_s = -FRESH_S
        self._reading = asyncio.Lock()

    async def peers(self) -> tuple[Peer, ...]:
        """All nodes that take work and are not flagged, with each model they serve."""
        async with self._reading:
            now_s = asyncio.get_running_loop().time()
            if now_s - self._read_s >= FRESH_S:
                flagged, active = await self._flagged(), self._view().active(Role.NODE)
                members = [one for one in active if one.address not in flagged]
                members = sorted(members, key=lambda member: -member.stake_wei)[:NODES_MAX]
                found = await asyncio.gather(*(self._offered(member) for member in members))
                self._peers = tuple(sorted(peer for peers in found for peer in peers))
                self._read_s = now_s
            return self._peers

    async def _offered(self, member: Member) -> Sequence[Peer]:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._read(member)
        except (DGridError, TimeoutError, ValueError) as error:
            logger.info("no offer of %s: %s", to_hex(member.address), error)
            return ()

    async def _read(self, member: Member) -> Sequence[Peer]:
        reply = await self._http.request("GET", member.endpoint.rstrip("/") + "/v1/offer")
        document = await reply.read()
        if reply.status != 200:
            raise NodeMisbehaved(f"it answers {reply.status}")
        offer = decode_offer(document, node=member.address)
        if offer.chain_id != self._chain_id or offer.draining:
            return ()
        return [Peer(member.address, one.model, from_hex(one.model_digest, size=32)) for one in offer.models]
