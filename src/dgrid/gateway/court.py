"""The quality court as a gateway meets it: draws of its epochs as the finalized chain has them, and its two deeds."""

from typing import Protocol

from dgrid.chain import court
from dgrid.chain.contracts import Contracts
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView, Draw
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.identity import Address
from dgrid.wire.typed import Domain, court_domain


class Court(Protocol):
    """What disclosing and the views ask."""

    @property
    def view(self) -> ChainView:
        """The chain as finalized; never waits."""
        ...

    @property
    def domain(self) -> Domain:
        """Of what the judging roles sign."""
        ...

    async def fix_seed(self, epoch: int) -> None:
        """Fixes what is drawn of one of this gateway's epochs. Raises Reverted, ChainUnavailable."""
        ...

    async def disclose(self, draw: Draw, blob_id: bytes) -> None:
        """Says where the content of the drawn leaves lies. Raises Reverted, ChainUnavailable."""
        ...


class WatchedCourt:
    """The court behind one gateway's watcher and sender."""

    def __init__(self, watcher: ChainWatcher, contracts: Contracts, *, sender: Sender) -> None:
        self._watcher, self._contracts, self._sender = watcher, contracts, sender
        self.domain = court_domain(contracts.chain_id, contracts.quality_court.address)

    @property
    def view(self) -> ChainView:
        return self._watcher.finalized

    async def fix_seed(self, epoch: int) -> None:
        await court.fix_seed(self._sender, self._contracts, gateway=Address(self._sender.address), epoch=epoch)

    async def disclose(self, draw: Draw, blob_id: bytes) -> None:
        await court.disclose(self._sender, self._contracts, draw=draw, blob_id=blob_id)
