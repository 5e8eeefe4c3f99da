"""What the contracts were told when they were deployed, read once and kept: nobody can change it."""

import msgspec

from dgrid.chain.contracts import Contracts
from dgrid.chain.rpc import Rpc
from dgrid.core.epochs import EpochClock


class Facts(msgspec.Struct, frozen=True):
    """The network's immutable terms; `treasury` is an address."""

    genesis_s: int
    epoch_seconds: int
    base_share_bps: int  # of a node's part, paid with the epoch
    withdraw_delay_s: int
    treasury: bytes  # the court

    @property
    def clock(self) -> EpochClock:
        return EpochClock(self.genesis_s, self.epoch_seconds)


async def read_facts(rpc: Rpc, contracts: Contracts) -> Facts:
    """The terms of deployed contracts, as a majority reads them. Raises ChainUnavailable."""
    wanted = [
        (contracts.parameters, "genesis"),
        (contracts.parameters, "epochSeconds"),
        (contracts.settlement, "baseShareBps"),
        (contracts.channel_escrow, "minWithdrawDelay"),
    ]
    results = await rpc.views([(contract.address, contract.encode(name)) for contract, name in wanted])
    genesis_s, epoch_seconds, base_share_bps, withdraw_delay_s = (
        contract.decode_result(name, result) for (contract, name), result in zip(wanted, results, strict=True)
    )
    return Facts(genesis_s, epoch_seconds, base_share_bps, withdraw_delay_s, contracts.quality_court.address)
