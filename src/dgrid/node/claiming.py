"""What a node does about a gateway that never closes an epoch: it claims by the sealed receipts in its books.

Only where the contract lets it: no root came in time, or a conviction voided it. The contract pays up to the node's
credit line and has the last word. What was paid is read from the chain, so a restart asks for nothing twice. Refuses
to claim for others: the money of listings, gateways and the protocol is not a node's business.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from dgrid.chain.contracts import Contracts
from dgrid.chain.events import Kind
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.errors import DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.node.books import Books, HeldReceipt
from dgrid.settlement.claims import claim_by_default, earned_wei, pays_by_default

logger = logging.getLogger(__name__)

LOOK_S: Final = 5


@dataclass(frozen=True, slots=True)
class OverdueReceipt:
    """A receipt whose root is missing, and what the chain says of its node's money at that gateway and lane."""

    held: HeldReceipt
    claimed_wei: int  # so far, of the running total
    due_wei: int  # at most: the rest of its base share, as far as the credit line reaches


def overdue(view: ChainView, receipts: Iterable[HeldReceipt], *, now_s: int) -> list[OverdueReceipt]:
    """Of each gateway and lane the receipt with the highest total whose root is missing, where it is worth a claim."""
    highest: dict[tuple[bytes, int], HeldReceipt] = {}
    for held in receipts:
        if pays_by_default(view, Address(held.gateway), epoch=held.epoch, now_s=now_s):
            known = highest.setdefault((held.gateway, held.lane), held)
            if held.total_wei > known.total_wei:
                highest[(held.gateway, held.lane)] = held
    return [one for one in (_overdue(view, held) for held in highest.values()) if one.due_wei > 0]


def _overdue(view: ChainView, held: HeldReceipt) -> OverdueReceipt:
    gateway, node = Address(held.gateway), Address(held.receipt.parties.node)
    earned = earned_wei(held.receipt, Kind.NODE, base_bps=view.facts.base_share_bps)
    claimed = view.claimed.get((gateway, Kind.NODE, held.lane, node), 0)
    line = view.line_amounts.get((gateway, node), 0) - view.unproven.get((gateway, node), 0)
    return OverdueReceipt(held, claimed, min(earned - claimed, line))


@dataclass(slots=True)
class DefaultClaims:
    """One node's claims against gateways that never closed."""

    books: Books
    contracts: Contracts
    watcher: ChainWatcher
    sender: Sender
    _said: set[tuple[bytes, int]] = field(default_factory=set)  # refusals, each logged once

    async def run(self) -> None:
        """Looks again and again until cancelled."""
        while True:
            try:
                await self.step()
            except DGridError as error:
                logger.debug("overdue roots cannot be looked for: %s", error.message)
            await asyncio.sleep(LOOK_S)

    async def step(self) -> None:
        """Claims what is overdue by the chain's clock. Raises ChainUnavailable."""
        for one in overdue(self.watcher.latest, self.books.receipts(), now_s=self.watcher.latest_s):
            await self._claim(one)

    async def _claim(self, one: OverdueReceipt) -> None:
        held, where = one.held, f"epoch {one.held.epoch} of gateway {to_hex(one.held.gateway)}"
        kind, receipt, seal, before = Kind.NODE, held.receipt, held.signed.seal, one.claimed_wei
        try:
            paid = await claim_by_default(
                self.sender, self.contracts, kind=kind, receipt=receipt, seal=seal, claimed_wei=before
            )
        except DGridError as error:
            self._say_once(one, f"{where} has no root, and its receipt pays nothing yet: {error.message} {error.hint}")
        else:
            paid_wei = sum(part.amount_wei for part in paid)
            logger.warning("%s has no root: claimed %d wei by its receipt", where, paid_wei)

    def _say_once(self, one: OverdueReceipt, text: str) -> None:
        key = one.held.receipt.struct_hash(), one.claimed_wei
        if key not in self._said:
            self._said.add(key)
            logger.warning(text)
