"""What the contracts were told when they were deployed, read once and kept: it never changes."""

import msgspec

from dgrid.chain.contracts import Contract, Contracts
from dgrid.chain.rpc import Rpc
from dgrid.core.epochs import EpochClock
from dgrid.core.identity import to_hex


class Parameters(msgspec.Struct, frozen=True):
    """The network's immutable terms. Amounts are decimal strings, addresses bytes."""

    genesis_s: int
    epoch_seconds: int
    challenge_seconds: int
    challenge_blocks: int
    default_seconds: int
    base_share_bps: int
    stored_quorum: int
    minimum_bond_wei: str
    minimum_stake_wei: str
    withdraw_delay_s: int
    treasury: bytes

    @property
    def clock(self) -> EpochClock:
        return EpochClock(self.genesis_s, self.epoch_seconds)


async def read_parameters(rpc: Rpc, contracts: Contracts) -> Parameters:
    """The terms of deployed contracts, in one round trip. Raises ChainUnavailable."""
    wanted = [
        *((contracts.settlement, name) for name in ("genesis", "epochSeconds", "challengeSeconds", "challengeBlocks")),
        *((contracts.settlement, name) for name in ("defaultSeconds", "baseShareBps", "storedQuorum", "minimumBond")),
        (contracts.registry, "minimumStake"),
        (contracts.channel_escrow, "minWithdrawDelay"),
        (contracts.settlement, "treasury"),
    ]
    results = await rpc.batch([("eth_call", [_call(contract, name), "latest"]) for contract, name in wanted])
    values = [
        contract.decode_result(name, bytes.fromhex(result[2:]))
        for (contract, name), result in zip(wanted, results, strict=True)
    ]
    genesis, length, challenge_s, challenge_blocks, default_s, base_share, quorum, bond, stake, delay, treasury = values
    windows = genesis, length, challenge_s, challenge_blocks, default_s
    return Parameters(*windows, base_share, quorum, str(bond), str(stake), delay, treasury)


def _call(contract: Contract, function: str) -> dict[str, str]:
    return {"to": to_hex(contract.address), "data": to_hex(contract.encode(function))}
