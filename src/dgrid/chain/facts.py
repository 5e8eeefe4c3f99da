"""What the contracts were told when they were deployed, read once and kept: nobody can change it."""

import msgspec

from dgrid.chain.contracts import Contract, Contracts
from dgrid.chain.rpc import Call, Rpc
from dgrid.core.epochs import EpochClock
from dgrid.core.identity import to_hex


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
    """The terms of deployed contracts, as a majority reads them, in one round trip. Raises ChainUnavailable."""
    wanted = [
        (contracts.parameters, "genesis"),
        (contracts.parameters, "epochSeconds"),
        (contracts.settlement, "baseShareBps"),
        (contracts.channel_escrow, "minWithdrawDelay"),
    ]
    calls: list[Call] = [("eth_call", [_call(contract, name), "latest"]) for contract, name in wanted]
    results = await rpc.agreed(calls, tuple, what="the contracts' terms")
    genesis_s, epoch_seconds, base_share_bps, withdraw_delay_s = (
        contract.decode_result(name, bytes.fromhex(result[2:]))
        for (contract, name), result in zip(wanted, results, strict=True)
    )
    return Facts(genesis_s, epoch_seconds, base_share_bps, withdraw_delay_s, contracts.quality_court.address)


def _call(contract: Contract, function: str) -> dict[str, str]:
    return {"to": to_hex(contract.address), "data": to_hex(contract.encode(function))}
