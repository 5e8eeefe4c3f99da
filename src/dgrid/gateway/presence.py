"""Which nodes sell what right now: each registered node's signed offer, fetched again and again.

Trusts the chain for who is registered and at which address, the node's signature for what it offers, and nothing else.
An offer that cannot be had any more is forgotten after a few tries.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dgrid.core.errors import DGridError, NodeFault, NodeMisbehaved
from dgrid.core.identity import model_id
from dgrid.core.money import BPS, Price
from dgrid.gateway.facts import ChainFacts, Member
from dgrid.gateway.orders import Seller
from dgrid.gateway.route.market import Market
from dgrid.gateway.tariff import Tariff
from dgrid.wire.http import HttpClient
from dgrid.wire.offers import OFFER_BYTES_MAX, ModelOffer, Offer, decode_offer, offer_digest

logger = logging.getLogger(__name__)

POLL_S = 2.0
POLL_AT_START_S = 0.1
START_S = 15.0
PATIENCE_S = 1.5
MISSES_MAX = 3


@dataclass(slots=True)
class KnownNode:
    """A registered node, and what it last offered."""

    member: Member
    document: bytes = b""
    offer: Offer | None = None
    digest: bytes = b""
    misses: int = 0
    is_asked: bool = False

    @property
    def state(self) -> str:
        if not self.member.active:
            return "inactive"
        if self.offer is None:
            return "unreachable"
        return "draining" if self.offer.draining else "serving"


@dataclass(slots=True)
class Presence:
    """Keeps the market up to date."""

    chain: ChainFacts
    http: HttpClient
    chain_id: int
    tariff: Tariff
    quality: Mapping[str, int]
    publish: Callable[[Market], None]
    nodes: dict[bytes, KnownNode] = field(default_factory=dict)
    _published: tuple[Seller, ...] = ()
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Polls until cancelled: often at first, then every 2 s."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        while True:
            self._meet_members()
            for known in self.nodes.values():
                if known.member.active and not known.is_asked:
                    self._ask_soon(known)
            self._publish()
            eager = loop.time() - started_s < START_S and any(
                known.member.active and known.offer is None for known in self.nodes.values()
            )
            await asyncio.sleep(POLL_AT_START_S if eager or not self.nodes else POLL_S)

    def _meet_members(self) -> None:
        members = {member.address: member for member in self.chain.nodes()}
        for address, member in members.items():
            known = self.nodes.get(address)
            if known is None:
                self.nodes[address] = KnownNode(member)
            else:
                known.member = member
        for address in self.nodes.keys() - members.keys():
            del self.nodes[address]

    def _ask_soon(self, known: KnownNode) -> None:
        known.is_asked = True
        task = asyncio.create_task(self._ask(known))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, known: KnownNode) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._fetch(known)
            known.misses = 0
        except (DGridError, TimeoutError, ValueError) as error:
            known.misses += 1
            if isinstance(error, NodeMisbehaved) or known.misses >= MISSES_MAX:
                known.offer, known.document = None, b""
            if known.misses == MISSES_MAX:
                logger.info("node 0x%s cannot be reached: %s", known.member.address.hex(), error)
        finally:
            known.is_asked = False
            self._publish()

    async def _fetch(self, known: KnownNode) -> None:
        reply = await self.http.request("GET", known.member.endpoint + "/v1/offer")
        document = b""
        async for piece in reply.pieces():
            document += piece
            if len(document) > OFFER_BYTES_MAX:
                reply.abort()
                raise NodeMisbehaved("the offer is too long")
        if reply.status != 200:
            raise NodeFault(f"no offer: status {reply.status}")
        if document == known.document:
            return
        offer = decode_offer(document, node=known.member.address)
        if offer.chain_id != self.chain_id:
            raise NodeMisbehaved("the offer is for another chain")
        if known.offer is not None and offer.version < known.offer.version:
            raise NodeMisbehaved("the offer is older than the one before")
        known.offer, known.document, known.digest = offer, document, offer_digest(offer)

    def _publish(self) -> None:
        sellers = tuple(seller for known in self.nodes.values() for seller in self._sellers_of(known))
        if sellers != self._published:
            self._published = sellers
            self.publish(Market.of(sellers, quality=self.quality))

    def _sellers_of(self, known: KnownNode) -> list[Seller]:
        if known.offer is None or known.state != "serving":
            return []
        found = []
        for model in known.offer.models:
            try:
                found.append(self._seller(known, model, known.offer))
            except ValueError as error:
                logger.warning("node 0x%s offers nonsense: %s", known.member.address.hex(), error)
        return found

    def _seller(self, known: KnownNode, model: ModelOffer, offer: Offer) -> Seller:
        name = model_id(model.model)
        listing = self.chain.listing(name)
        price = Price(amount(model.in_price_wei), amount(model.out_price_wei))
        if model.context < 1 or offer.capacity < 1:
            raise ValueError("no context, or no capacity")
        return Seller(
            known.member.address,
            known.member.endpoint.rstrip("/"),
            model.model,
            name,
            bytes.fromhex(model.model_digest.removeprefix("0x")),
            known.digest,
            model.tokenizer,
            model.context,
            offer.capacity,
            self.tariff.offered(price, listing.price),
            listing,
            self.chain.credit_line_wei(known.member.address),
            known.member.stake_wei,
            exposure_wei(self.chain, known.member, exposure_bps=self.tariff.now.exposure_bps),
        )


def exposure_wei(chain: ChainFacts, member: Member, *, exposure_bps: int) -> int:
    """What a node may earn here in epochs whose checks are not final: this gateway's share, by credit lines, of what
    the stake in its service allows it, delegated stake included: a verdict takes a share of both. So all gateways
    together never trust it with more.
    """
    own_wei = chain.credit_line_wei(member.address)
    all_wei = max(own_wei, chain.credit_lines_wei(member.address))
    backing_wei = member.stake_wei + member.delegated_wei
    return backing_wei * exposure_bps * own_wei // (BPS * all_wei) if all_wei else 0


def amount(text: str) -> int:
    """A price as an offer writes it. Raises ValueError."""
    value = int(text)
    if not 0 <= value < 2**96:
        raise ValueError("a price is out of range")
    return value
