"""What is done about a gateway that never closes an epoch: what its sealed receipts owe is claimed by these alone.

Only where the contract lets it: no root came in time, or a conviction voided it. The contract pays a node up to its
credit line, a listing's creators out of the bond that no line reserves, and has the last word. What was paid is read
from the chain, so a restart asks for nothing twice. A receipt proves its node's total and its creators' alike, and the
money goes to the party whoever sends the claim: so nodes, which hold the receipts, claim for both. Refuses to claim for
gateways and for the protocol, which no such claim pays.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from dgrid.chain.contracts import Contracts
from dgrid.chain.events import Kind
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.errors import DGridError
from dgrid.core.identity import NO_LISTING, Address, to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import amount_text
from dgrid.settlement.claims import (
    Party,
    claim_by_default,
    claimed_of,
    earned_wei,
    party_key,
    pays_by_default,
    total_of,
)
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.seals import Seal

logger = logging.getLogger(__name__)

LOOK_S: Final = 5
SPREAD_S: Final = 30  # within which each claims for a listing at another time, so that two seldom pay for one claim


class SealedReceipt(NamedTuple):
    """A receipt under its gateway's seal."""

    receipt: InferenceReceipt
    seal: Seal


def overdue(
    view: ChainView, receipts: Iterable[SealedReceipt], *, kinds: Iterable[Kind], now_s: int
) -> dict[Party, SealedReceipt]:
    """Of each party of these kinds the receipt with the highest total whose root is missing."""
    kinds, highest = tuple(kinds), dict[Party, SealedReceipt]()
    for sealed in receipts:
        receipt = sealed.receipt
        gateway = Address(receipt.parties.gateway)
        if not pays_by_default(view, gateway, epoch=receipt.place.epoch, now_s=now_s):
            continue
        for kind in kinds:
            if kind is Kind.LISTING and receipt.parties.listing_id == NO_LISTING:
                continue
            party = Party(gateway, kind, receipt.place.lane, party_key(receipt, kind))
            known = highest.setdefault(party, sealed)
            if total_of(receipt, kind) > total_of(known.receipt, kind):
                highest[party] = sealed
    return highest


def due_wei(view: ChainView, party: Party, *, receipt: InferenceReceipt, claimed_wei: int) -> int:
    """What a claim by an overdue receipt pays at most; not above zero where it is not worth one."""
    earned = earned_wei(receipt, party.kind, base_bps=view.facts.base_share_bps)
    return min(earned - claimed_wei, _backing_wei(view, party, Address(receipt.parties.node)))


def _backing_wei(view: ChainView, party: Party, node: Address) -> int:
    """A node's line less what is unproven; for a listing the bond that is in no line."""
    if party.kind is Kind.NODE:
        key = party.gateway, node
        return view.line_amounts.get(key, 0) - view.unproven.get(key, 0)
    lines = (amount for (gateway, _), amount in view.line_amounts.items() if gateway == party.gateway)
    return view.bonds.get(party.gateway, 0) - sum(lines)


@dataclass(slots=True)
class DefaultClaims:
    """The claims of one holder of receipts against gateways that never closed."""

    receipts: Callable[[], Iterable[SealedReceipt]]
    kinds: tuple[Kind, ...]  # whom it claims for
    rpc: Rpc
    contracts: Contracts
    watcher: ChainWatcher
    sender: Sender
    _since_s: dict[Party, int] = field(default_factory=dict)  # when each was first seen to be overdue
    _said: set[tuple[Party, bytes, int]] = field(default_factory=set)  # refusals, each logged once

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
        view, now_s = self.watcher.latest, self.watcher.latest_s
        found = overdue(view, self.receipts(), kinds=self.kinds, now_s=now_s)
        self._since_s = {party: self._since_s.get(party, now_s) for party in found}
        found = {party: one for party, one in found.items() if now_s >= self._since_s[party] + self._wait_s(party)}
        claimed = await claimed_of(self.rpc, self.contracts, parties=list(found)) if found else {}
        for party, sealed in found.items():
            if due_wei(view, party, receipt=sealed.receipt, claimed_wei=claimed[party]) > 0:
                await self._claim(party, sealed, claimed_wei=claimed[party])

    def _wait_s(self, party: Party) -> int:
        """A node claims its own at once; for a listing anybody may, so each waits another while."""
        return keccak(self.sender.address + party.key)[0] % SPREAD_S if party.kind is Kind.LISTING else 0

    async def _claim(self, party: Party, sealed: SealedReceipt, *, claimed_wei: int) -> None:
        receipt, where = sealed.receipt, f"epoch {sealed.receipt.place.epoch} of gateway {to_hex(party.gateway)}"
        of = party.kind.name.lower()
        try:
            paid = await claim_by_default(
                self.sender, self.contracts, kind=party.kind, receipt=receipt, seal=sealed.seal, claimed_wei=claimed_wei
            )
        except DGridError as error:
            key = party, receipt.struct_hash(), claimed_wei
            if key not in self._said:
                self._said.add(key)
                why = f"{error.message} {error.hint}"
                logger.warning("%s has no root, and its receipt pays the %s nothing yet: %s", where, of, why)
        else:
            paid_wei = sum(part.amount_wei for part in paid)
            logger.warning(
                "%s has no root: claimed %s DGAI for the %s by its receipt", where, amount_text(paid_wei), of
            )
