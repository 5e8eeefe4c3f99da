"""Everything a gateway shows without serving: models, receipts, proofs, epochs, parameters, accounts. Read-only.

Public replies hold hashes, counts and addresses; a receipt's salt goes to its owner alone. Who does how well is in
`quality_views`.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from dgrid.core.epochs import EpochClock
from dgrid.core.errors import ModelNotFound, NotYet, ReceiptNotFound
from dgrid.core.identity import to_hex
from dgrid.core.merkle import TreeNode
from dgrid.core.places import Place
from dgrid.gateway.court import Court
from dgrid.gateway.credibility import CredibilityReader
from dgrid.gateway.facts import ChainFacts, Channel
from dgrid.gateway.presence import Presence
from dgrid.gateway.route import Router
from dgrid.gateway.route.market import ModelMarket
from dgrid.gateway.route.models import VIRTUAL_MODELS
from dgrid.gateway.route.standing import EVERY_TASK
from dgrid.gateway.sealing import ReceiptSealer
from dgrid.gateway.tariff import Tariff
from dgrid.store.contents import Contents
from dgrid.store.ledger import Ledger
from dgrid.store.ledger_reading import LedgerReader, ListedReceipt, StoredReceipt
from dgrid.store.ledger_rows import EpochState
from dgrid.wire.blob import epoch_tree
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import EpochRoot, InferenceReceipt
from dgrid.wire.quality import encode_content
from dgrid.wire.typed import Domain

Json = dict[str, Any]
SEAL_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Sources:
    """What the views read."""

    gateway: bytes
    domain: Domain
    token: bytes
    contracts: Mapping[str, str]
    clock: EpochClock
    tariff: Tariff
    chain: ChainFacts
    router: Router
    presence: Presence
    ledger: Ledger
    reader: LedgerReader
    contents: Contents
    sealer: ReceiptSealer
    court: Court
    credibility: CredibilityReader
    now_ms: Callable[[], int]


class Views:
    """Answers read-only questions."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources

    # --- models ---

    def models(self) -> Json:
        market = self._from.router.market
        virtual = [self._virtual(name) for name in VIRTUAL_MODELS] if market.models else []
        return {"object": "list", "data": [self._model(model) for model in market.models.values()] + virtual}

    def model(self, name: str) -> Json:
        """Raises ModelNotFound."""
        market = self._from.router.market
        if name in VIRTUAL_MODELS:
            return self._virtual(name)
        if name not in market.models:
            raise ModelNotFound(f"no node offers the model {name}", hint="`/v1/models` lists them", param="model")
        return self._model(market.models[name])

    def _model(self, market: ModelMarket) -> Json:
        cheapest, loads = market.sellers[0], self._from.router.loads
        latencies = [loads.of(seller.node).latency_ms for seller in market.sellers]
        known = [latency for latency in latencies if latency is not None]
        return {
            "id": market.model,
            "object": "model",
            "created": self._from.clock.genesis_s,
            "owned_by": "dgrid",
            "context_length": market.context,
            "nodes": len(market.sellers),
            "quality": self._quality(market.model),
            "latency_ms": round(min(known)) if known else None,
            "pricing": {
                "in_price_wei": str(cheapest.price.in_wei),
                "out_price_wei": str(cheapest.price.out_wei),
                "listing_in_price_wei": str(cheapest.listing.price.in_wei),
                "listing_out_price_wei": str(cheapest.listing.price.out_wei),
                "margin_bps": cheapest.terms.margin_bps,
            },
        }

    def _quality(self, model: str) -> Json:
        """What was published of the model, and what the network's judges found, all tasks together."""
        picture = self._from.router.picture
        found = picture.work_at(model, EVERY_TASK)
        return {
            "published_bps": picture.market.quality.get(model),
            "judged_bps": found.mean_bps if found.samples else None,
            "low_bps": found.low_bps,
            "high_bps": found.high_bps,
            "samples": found.samples,
        }

    def _virtual(self, name: str) -> Json:
        return {"id": name, "object": "model", "created": self._from.clock.genesis_s, "owned_by": "dgrid"}

    # --- receipts ---

    async def receipt(self, request_id: bytes, *, asks: Channel | None) -> bytes:
        """receipt.json, with the salt for its owner. Raises ReceiptNotFound, or NotYet while it is being signed."""
        stored = stored_receipt(self._from.reader, request_id)
        if stored.seal is None:
            await self._wait_for_seal()
            stored = stored_receipt(self._from.reader, request_id)
        if stored.seal is None:
            raise NotYet("the receipt is not signed yet", retry_after_ms=100)
        is_owner = asks is not None and asks.channel_id == stored.channel_id
        record = stored.record.sealed(stored.seal)
        return ReceiptDocument.of(record, domain=self._from.domain, salt=stored.salt if is_owner else None).encode()

    def receipt_at(self, place: Place) -> bytes:
        """The id of the receipt at a place. Raises ReceiptNotFound."""
        found = self._from.reader.at(place)
        if found is None:
            raise ReceiptNotFound(f"no receipt was written here at {'.'.join(map(str, place))}")
        return found.request_id

    async def _wait_for_seal(self) -> None:
        try:
            await asyncio.wait_for(self._from.sealer.settled(), SEAL_WAIT_S)
        except TimeoutError:
            return

    def content(self, request_id: bytes, *, asks: Channel) -> bytes:
        """What a receipt's hashes cover, as judges get it, for its owner while it is kept. Raises ReceiptNotFound."""
        stored = stored_receipt(self._from.reader, request_id)
        receipt, is_owner = InferenceReceipt.unpacked(stored.record.receipt), asks.channel_id == stored.channel_id
        kept = self._from.contents.get(receipt.place.position, receipt.struct_hash()) if is_owner else None
        if kept is None:
            raise ReceiptNotFound(
                f"no content of {to_hex(request_id)} is kept for you",
                hint="it is kept for who paid, under privacy `committee` or `public`, until it is judged",
            )
        return encode_content(kept)

    async def proof(self, request_id: bytes) -> Json:
        """The way from a receipt to its epoch's root. Raises ReceiptNotFound, NotYet before the epoch is anchored."""
        stored = stored_receipt(self._from.reader, request_id)
        row = self._from.reader.epoch(stored.epoch)
        if row is None or row.state is not EpochState.ANCHORED:
            closes_ms = self._from.clock.closes_at_ms(stored.epoch)
            raise NotYet(
                f"epoch {stored.epoch} is not anchored yet", retry_after_ms=max(1000, closes_ms - self._from.now_ms())
            )
        return await asyncio.to_thread(self._prove, stored, EpochRoot.unpacked(row.root))

    def _prove(self, stored: StoredReceipt, root: EpochRoot) -> Json:
        leaves: dict[int, list[tuple[bytes, int]]] = {}
        with closing(LedgerReader(self._from.ledger.path)) as reader:
            for place in reader.leaves(stored.epoch):
                leaves.setdefault(place.lane, []).append((place.struct_hash, place.fee_wei))
        tree = epoch_tree(leaves)
        lane = tree.lanes[stored.lane]
        return {
            "epochRoot": root.to_json(),
            "lane": {
                "lane": stored.lane,
                "count": lane.count,
                "root": to_hex(lane.root.hash),
                "fees": str(lane.root.total),
                "index": tree.lane_index(stored.lane),
            },
            "sequence": stored.sequence,
            "leafPath": steps(lane.path(stored.sequence)),
            "lanePath": steps(tree.records.path(tree.lane_index(stored.lane))),
        }

    def receipts_of(self, channel: Channel, *, limit: int) -> Json:
        return {"receipts": [self._listed(one) for one in self._from.reader.receipts_of(channel.channel_id, limit)]}

    def latest_receipts(self, limit: int) -> Json:
        return {"receipts": [self._listed(one) for one in self._from.reader.latest(limit)]}

    def _listed(self, one: ListedReceipt) -> Json:
        receipt = one.receipt
        return {
            "id": to_hex(one.request_id),
            "model": one.model,
            "node": to_hex(receipt.parties.node),
            "tokens_in": receipt.usage.tokens_in,
            "tokens_out": receipt.usage.tokens_out,
            "fee_wei": str(receipt.shares.fee),
            "epoch": one.epoch,
            "lane": one.lane,
            "sequence": one.sequence,
            "served_at_ms": receipt.usage.served_at,
            "state": self._state_of(one.epoch),
        }

    def _state_of(self, epoch: int) -> str:
        row = self._from.reader.epoch(epoch)
        return "open" if row is None else row.state.value

    # --- the network ---

    def epochs(self, limit: int) -> Json:
        return {"epochs": [self._epoch(row.epoch, row.state, row.size, row.root) for row in self._rows(limit)]}

    def _rows(self, limit: int) -> list[Any]:
        return list(self._from.reader.epochs(limit))

    def _epoch(self, epoch: int, state: EpochState, size: int, packed: bytes) -> Json:
        root = EpochRoot.unpacked(packed)
        return {
            "epoch": epoch,
            "state": state.value,
            "count": size,
            "pot_wei": str(root.pot),
            "records_root": to_hex(root.records_root),
            "blob_id": to_hex(root.blob_id),
            "digest": to_hex(root.struct_hash()),
        }

    def parameters(self) -> Json:
        source, state = self._from, self._from.chain.state
        epoch, tariff = source.clock.epoch_at(source.now_ms()), source.tariff
        counted = tariff.parameters(epoch)
        return {
            "gateway": to_hex(source.gateway),
            "chain_id": source.domain.chain_id,
            "contracts": dict(source.contracts),
            "token": to_hex(source.token),
            "epoch": {
                "genesis_s": source.clock.genesis_s,
                "length_s": source.clock.length_s,
                "number": epoch,
                "closes_at_ms": source.clock.closes_at_ms(epoch),
            },
            "protocol_bps": counted.protocol_bps,
            "margin_bps": min(tariff.margin_bps, counted.maximum_margin_bps),
            "parameters": {name: str(value) for name, value in asdict(counted).items()},
            "finalized_block": state.finalized_block,
            "degraded": state.is_degraded,
        }

    def account(self, channel: Channel) -> Json:
        """A caller's own channel."""
        money = self._from.ledger.account_state(channel.channel_id)
        return {
            "channel_id": to_hex(channel.channel_id),
            "payer": to_hex(channel.config.payer),
            "deposited_wei": str(channel.deposited_wei),
            "spent_wei": str(money.spent_wei),
            "held_wei": str(money.held_wei),
            "payer_total_wei": str(money.spent_wei),
            "available_wei": str(max(0, channel.deposited_wei - money.spent_wei - money.held_wei)),
            "ceiling_wei": str(money.ceiling_wei),
            "withdrawing": channel.is_leaving,
        }


def stored_receipt(reader: LedgerReader, request_id: bytes) -> StoredReceipt:
    """What the ledger has of a request. Raises ReceiptNotFound."""
    stored = reader.receipt(request_id)
    if stored is None:
        raise ReceiptNotFound(
            f"no receipt {to_hex(request_id)} was written here", hint="ask the gateway that gave the answer"
        )
    return stored


def steps(path: tuple[TreeNode, ...]) -> list[list[str]]:
    """A Merkle path as JSON: sibling hashes and their sums."""
    return [[to_hex(step.hash), str(step.total)] for step in path]
