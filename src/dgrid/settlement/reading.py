"""The network read from outside: the chain and any archive, nothing else. Where audits, wallets and claims begin."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dgrid.chain.contracts import Contracts
from dgrid.chain.rpc import Rpc
from dgrid.chain.view import ChainView
from dgrid.chain.watcher import ChainWatcher
from dgrid.config import ChainConfig
from dgrid.core.identity import Address
from dgrid.settlement import claims
from dgrid.settlement.archives import LIMITS, Archives, doors_of
from dgrid.settlement.audit import Auditor
from dgrid.settlement.claims import Claimable
from dgrid.settlement.payouts import Payouts, payouts, unjudged_wei
from dgrid.settlement.quality import QualityReader
from dgrid.settlement.records import Records
from dgrid.wire.http import HttpClient
from dgrid.wire.typed import Domain, court_domain, dgrid_domain


@dataclass(frozen=True, slots=True)
class NetworkReader:
    """One moment's chain, and the way to its epochs' records."""

    rpc: Rpc
    contracts: Contracts
    view: ChainView  # the latest blocks included
    archives: Archives
    records: Records

    @property
    def domain(self) -> Domain:
        return dgrid_domain(self.contracts.chain_id, self.contracts.settlement.address)

    @property
    def auditor(self) -> Auditor:
        return Auditor(self.records, self.archives, domain=self.domain)

    @property
    def quality(self) -> QualityReader:
        court = court_domain(self.contracts.chain_id, self.contracts.quality_court.address)
        return QualityReader(self.records, self.archives, domain=self.domain, court=court)

    async def payouts(self, *, now_s: int, payees: Collection[bytes] | None = None) -> Payouts:
        """See `payouts.payouts`."""
        return await payouts(self.quality, now_s=now_s, payees=payees)

    async def unjudged_wei(self) -> dict[Address, int]:
        """See `payouts.unjudged_wei`."""
        return await unjudged_wei(self.records, domain=self.domain, base_share_bps=self.view.facts.base_share_bps)

    async def claimable(self, *, now_s: int, address: Address | None = None) -> list[Claimable]:
        """See `claims.claimable`."""
        return await claims.claimable(self.records, self.rpc, contracts=self.contracts, now_s=now_s, address=address)


@asynccontextmanager
async def reading(chain: ChainConfig) -> AsyncIterator[NetworkReader]:
    """Reads the chain up to now, and asks the archives that are registered on it. Raises ChainUnavailable."""
    http = HttpClient(LIMITS)
    rpc, contracts = Rpc.of(chain, http), Contracts(chain)
    watcher = ChainWatcher(rpc, contracts, None)
    try:
        watcher.load()
        await watcher.poll()
        view = watcher.latest
        domain = dgrid_domain(chain.chain_id, contracts.settlement.address)
        archives = Archives(http, lambda: doors_of(view), domain=domain)
        records = Records(lambda: view, archives)
        yield NetworkReader(rpc, contracts, view, archives, records)
    finally:
        await watcher.stop()
        await http.close()
