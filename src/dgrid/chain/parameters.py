"""What the contracts were told when they were deployed, read once and kept: it never changes."""

from collections.abc import Sequence
from typing import Any

import msgspec

from dgrid.chain.contracts import Contract, Contracts
from dgrid.chain.rpc import Call as RpcCall
from dgrid.chain.rpc import Rpc
from dgrid.core.epochs import EpochClock
from dgrid.core.identity import to_hex


class JudgingRules(msgspec.Struct, frozen=True):
    """How quality is judged (`Judging.sol`), field for field. Shares are basis points, amounts decimal strings."""

    commit_seconds: int
    reveal_seconds: int
    open_seconds: int
    challenge_seconds: int
    committee_size: int
    duty_cap: int
    quality_bps: int
    identity_bps: int
    canary_bps: int
    gain_bps: int
    quorum_bps: int
    evaluator_rate_wei: str  # per unit of information
    pool_cap_wei: str  # most that one root may add to what the pool pays
    late_penalty_wei: str
    reporter_bps: int

    @classmethod
    def of(cls, values: Sequence[int]) -> "JudgingRules":
        """The rules as the contract gives them."""
        named = zip(cls.__struct_fields__, values, strict=True)
        given: dict[str, Any] = {name: str(value) if name.endswith("_wei") else value for name, value in named}
        return cls(**given)

    def arguments(self) -> tuple[int, ...]:
        """The rules as the contract takes them."""
        return tuple(map(int, msgspec.structs.astuple(self)))


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
    treasury: bytes  # the court
    judging: JudgingRules

    @property
    def clock(self) -> EpochClock:
        return EpochClock(self.genesis_s, self.epoch_seconds)


async def read_parameters(rpc: Rpc, contracts: Contracts) -> Parameters:
    """The terms of deployed contracts, as a majority reads them, in one round trip. Raises ChainUnavailable."""
    wanted = [
        *((contracts.settlement, name) for name in ("genesis", "epochSeconds", "challengeSeconds", "challengeBlocks")),
        *((contracts.settlement, name) for name in ("defaultSeconds", "baseShareBps", "storedQuorum", "minimumBond")),
        (contracts.registry, "minimumStake"),
        (contracts.channel_escrow, "minWithdrawDelay"),
        (contracts.settlement, "treasury"),
        (contracts.quality_court, "rules"),
    ]
    calls: list[RpcCall] = [("eth_call", [_call(contract, name), "latest"]) for contract, name in wanted]
    results = await rpc.agreed(calls, tuple, what="the contracts' terms")
    values = [
        contract.decode_result(name, bytes.fromhex(result[2:]))
        for (contract, name), result in zip(wanted, results, strict=True)
    ]
    genesis, length, challenge_s, challenge_blocks, default_s, *shares, bond, stake, delay, treasury, rules = values
    windows = genesis, length, challenge_s, challenge_blocks, default_s
    base_share, quorum = shares
    return Parameters(*windows, base_share, quorum, str(bond), str(stake), delay, treasury, JudgingRules.of(rules))


def _call(contract: Contract, function: str) -> dict[str, str]:
    return {"to": to_hex(contract.address), "data": to_hex(contract.encode(function))}
