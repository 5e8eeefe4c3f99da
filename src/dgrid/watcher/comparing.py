"""Holds what gateways signed, and somebody showed us, against what they anchored: challenges 1 and 2, half of 5."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

from dgrid.chain.anchor_signatures import anchor_signatures
from dgrid.chain.contracts import Contracts
from dgrid.chain.events import Role
from dgrid.chain.rpc import Rpc
from dgrid.chain.view import Anchor, ChainView
from dgrid.core.errors import CheckFailed, NetworkUnreachable
from dgrid.core.identity import Address, to_hex
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.watcher.backing_off import Backoff
from dgrid.watcher.challenges import Challenge, Prosecutor
from dgrid.watcher.evidence import Evidence, HeldReceipt
from dgrid.watcher.overcharges import Overcharge
from dgrid.watcher.sending import Accuser
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Comparer:
    """Goes through what waits."""

    evidence: Evidence
    prosecutor: Prosecutor
    accuser: Accuser
    rpc: Rpc
    contracts: Contracts
    domain: Domain
    backoff: Backoff

    async def step(self, view: ChainView) -> None:
        """Compares what can be compared by now; drops only what it is done with. Raises ChainUnavailable."""
        for gateway, epoch in self.evidence.epochs():
            item = "receipts", gateway, epoch
            if self.backoff.is_due(item):
                with self.backoff.trying(item, f"receipts of epoch {epoch} of {to_hex(gateway)} wait"):
                    await self._compare_receipts(gateway, epoch, view=view)
        for (gateway, epoch), roots in groupby(self.evidence.roots(), lambda held: (held.gateway, held.root.epoch)):
            item = "roots", gateway, epoch
            if self.backoff.is_due(item):
                with self.backoff.trying(item, f"roots of epoch {epoch} of {to_hex(gateway)} wait"):
                    await self._compare_roots(list(roots), view)

        for document in self.evidence.overcharges():
            if self.backoff.is_due(document):
                with self.backoff.trying(document, "a request that cost more than allowed waits"):
                    await self._compare_overcharge(document, view)

    async def _compare_overcharge(self, document: bytes, view: ChainView) -> None:
        found = Overcharge.from_json(document, domain=self.domain)
        if not self._is_of_no_use(found.gateway, found.epoch, view=view):
            if view.last_epochs.get(found.gateway, -1) < found.epoch:
                return
            if (challenge := await self.prosecutor.above_maximum(found)) is not None:
                await self.accuser.accuse(challenge)
        self.evidence.drop_overcharge(found.gateway, document)

    async def _compare_receipts(self, gateway: Address, epoch: int, *, view: ChainView) -> None:
        if await self._is_done_with(gateway, epoch, view=view):
            self.evidence.drop_receipts(gateway, epoch)

    async def _compare_roots(self, held: list[SignedRoot], view: ChainView) -> None:
        gateway, epoch = held[0].gateway, held[0].root.epoch
        is_useless = self._is_of_no_use(gateway, epoch, view=view)
        if is_useless or await self._are_done_with(held, view.roots.get((gateway, epoch))):
            for one in held:
                self.evidence.drop_root(one)

    def _is_of_no_use(self, gateway: Address, epoch: int, *, view: ChainView) -> bool:
        """Whether an epoch does not count any more, or is old and its gateway gone with all that could be taken."""
        if view.is_void(gateway, epoch) or self.accuser.is_convicted(gateway, epoch):
            return True
        return is_out_of_reach(view, gateway, epoch=epoch, now_ms=self.backoff.now_ms())

    async def _is_done_with(self, gateway: Address, epoch: int, *, view: ChainView) -> bool:
        """Whether an epoch's receipts need not be kept: compared, or of an epoch that does not count."""
        if self._is_of_no_use(gateway, epoch, view=view):
            return True
        held = list(self.evidence.receipts(gateway, epoch))
        if await self._convicts(self._doubles(held)):
            return True
        if view.last_epochs.get(gateway, -1) < epoch:
            return False
        if (gateway, epoch) not in view.roots:
            await self.accuser.accuse(self.prosecutor.passed_over(held[0]))
            return True
        try:
            records = await self.prosecutor.epoch_at(gateway, epoch)
        except (CheckFailed, NetworkUnreachable) as error:
            logger.debug("receipts of %s wait for epoch %d: %s", to_hex(gateway), epoch, error.message)
            return False
        found = (self.prosecutor.omitted(one, records) for one in held)
        await self._convicts(challenge for challenge in found if challenge is not None)
        return True

    def _doubles(self, held: list[HeldReceipt]) -> Iterator[Challenge]:
        for one, other in pairwise(held):
            if one.place == other.place:
                yield self.prosecutor.double_place(one, other)

    async def _convicts(self, challenges: Iterable[Challenge]) -> bool:
        for challenge in challenges:
            if await self.accuser.accuse(challenge):
                return True
        return False

    async def _are_done_with(self, held: list[SignedRoot], anchor: Anchor | None) -> bool:
        """Whether an epoch's roots need not be kept."""
        if len(held) > 1:
            await self.accuser.accuse(self.prosecutor.two_roots(held[0], held[1]))
            return True
        if anchor is None:
            return False
        if anchor.digest != held[0].root.struct_hash():
            signed = await anchor_signatures(self.rpc, self.contracts, anchor=anchor)
            await self.accuser.accuse(self.prosecutor.two_roots(held[0], SignedRoot(anchor.root, signed.gateway)))
        return True


def is_out_of_reach(view: ChainView, gateway: Address, *, epoch: int, now_ms: int) -> bool:
    """Whether an epoch is old and its gateway gone, with its bond and its stake."""
    member = view.members.get((Role.GATEWAY, gateway))
    if view.bonds.get(gateway, 0) or (member is not None and member.stake_wei):
        return False
    return now_ms > view.clock.closes_at_ms(epoch) + 1000 * view.parameters_at(now_ms).bond_seconds
