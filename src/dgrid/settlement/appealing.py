"""A member's word against a verdict: it appeals once, to a larger jury of other members.

It does so by itself, for the time to appeal is short and nobody watches at night. Who is honest gets the bond back; who
is not loses it as well. An operator that does not want that says so in its configuration.
"""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from dgrid.chain import cases
from dgrid.chain.case_events import Subject
from dgrid.chain.case_view import Case
from dgrid.chain.contracts import Contracts
from dgrid.chain.funding import fund_dev
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.errors import DGridError, InsufficientBudget
from dgrid.core.identity import Address, to_hex
from dgrid.settlement.hearings import can_be_appealed, is_guilty, terms_of

logger = logging.getLogger(__name__)

LOOK_S: Final = 1
AGAIN_S: Final = 3


def verdicts(view: ChainView, *, now_s: int) -> Iterator[Case]:
    """The cases with a first verdict of guilty that can still be appealed."""
    for case in view.open_cases():
        if can_be_appealed(view, case, now_s=now_s) and is_guilty(view, case, hearing=case.hearing):
            yield case


@dataclass(frozen=True, slots=True)
class BondPurse:
    """Where a member's bonds come from: its own money, or with `is_dev` the dev chain's first account."""

    rpc: Rpc
    contracts: Contracts
    sender: Sender
    is_dev: bool

    async def require_wei(self, wei: int) -> None:
        """Raises InsufficientBudget, ChainUnavailable."""
        address = self.sender.address
        if self.is_dev:
            await fund_dev(self.rpc, self.contracts, address=address, dgai_wei=wei)
        held: int = await self.contracts.dgai.agreed(self.rpc, "balanceOf", [address])
        if held < wei:
            raise InsufficientBudget(f"a bond takes {wei} wei, more than it holds", hint="send DGAI to its address")

    async def appeal(self, case: Case, view: ChainView) -> None:
        """Takes a verdict to the larger jury. Raises InsufficientBudget, Reverted, ChainUnavailable."""
        bond_wei = terms_of(view, case).case_bond_wei
        await self.require_wei(2 * bond_wei)
        await cases.appeal(self.sender, self.contracts, case=case.id, bond_wei=bond_wei)
        logger.warning("appealed in case %s", to_hex(case.id))


@dataclass(slots=True)
class Appellant:
    """One member's appeals in cases of one kind."""

    subject: Subject
    purse: BondPurse
    watcher: ChainWatcher
    _appealed: set[bytes] = field(default_factory=set)

    async def run(self) -> None:
        """Looks again and again until cancelled."""
        while True:
            for case in verdicts(self.watcher.finalized, now_s=self.watcher.latest_s):
                is_against = (case.subject, case.accused) == (self.subject, self.me)
                if is_against and case.id not in self._appealed:
                    await self._appeal(case)
            await asyncio.sleep(LOOK_S)

    @property
    def me(self) -> Address:
        return self.purse.sender.address

    async def _appeal(self, case: Case) -> None:
        try:
            await self.purse.appeal(case, self.watcher.finalized)
        except DGridError as error:
            logger.warning("no appeal in case %s yet: %s %s", to_hex(case.id), error.message, error.hint)
            await asyncio.sleep(AGAIN_S)
        else:
            self._appealed.add(case.id)
