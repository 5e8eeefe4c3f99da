"""What a member does at the governor: lend its vote, propose, vote, queue, execute. Reads what it may do, too.

A vote counts with the DGAI and the stake that were delegated when it began; tokens that were never delegated do not
vote. Refuses nothing itself: whether a proposal is wise is `governance`'s to say, whether it may be sent the chain's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dgrid.chain.ballot_reading import BALLOT_READERS
from dgrid.chain.ballots import Call, Proposed, columns_of
from dgrid.chain.contracts import Contracts, revert_of
from dgrid.chain.moments import Moment
from dgrid.chain.rpc import Rpc, RpcError
from dgrid.chain.sender import Sender, TransactionReceipt
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import keccak


@dataclass(frozen=True, slots=True)
class Electorate:
    """What a proposal takes, and what one address has of it. Amounts in wei of DGAI."""

    votes_wei: int
    balance_wei: int
    delegate: Address  # of its DGAI; zero: its tokens do not vote
    threshold_wei: int  # to propose
    quorum_wei: int
    voting_delay_s: int
    voting_period_s: int
    timelock_s: int


async def read_electorate(rpc: Rpc, contracts: Contracts, *, address: Address, now_s: int) -> Electorate:
    """As it stood a second ago. Raises ChainUnavailable, Reverted."""
    governor, before_s = contracts.governor, now_s - 1
    return Electorate(
        votes_wei=await governor.read(rpc, "getVotes", [address, before_s]),
        balance_wei=await contracts.dgai.read(rpc, "balanceOf", [address]),
        delegate=await contracts.dgai.read(rpc, "delegates", [address]),
        threshold_wei=await governor.read(rpc, "proposalThreshold"),
        quorum_wei=await governor.read(rpc, "quorum", [before_s]),
        voting_delay_s=await governor.read(rpc, "votingDelay"),
        voting_period_s=await governor.read(rpc, "votingPeriod"),
        timelock_s=await contracts.timelock.read(rpc, "getMinDelay"),
    )


async def votes_at(rpc: Rpc, contracts: Contracts, *, address: Address, time_s: int) -> int:
    """What an address's vote weighs if it was counted at a moment in the past. Raises ChainUnavailable, Reverted."""
    found: int = await contracts.governor.read(rpc, "getVotes", [address, time_s])
    return found


async def quorum_at(rpc: Rpc, contracts: Contracts, *, time_s: int) -> int:
    """What a quorum is at a moment in the past. Raises ChainUnavailable, Reverted."""
    found: int = await contracts.governor.read(rpc, "quorum", [time_s])
    return found


async def rehearse(rpc: Rpc, contracts: Contracts, *, calls: Sequence[Call]) -> None:
    """Lets the chain say what it would do if the Timelock made each call now. Raises Reverted, ChainUnavailable.

    The governor takes calls that change it only while it carries out a proposal: those cannot be tried.
    """
    for call in (one for one in calls if one.target != contracts.governor.address):
        message = {
            "from": to_hex(contracts.timelock.address),
            "to": to_hex(call.target),
            "value": hex(call.value_wei),
            "data": to_hex(call.data),
        }
        try:
            await rpc.call("eth_call", [message, "latest"])
        except RpcError as error:
            raise revert_of(error) from None


async def propose(sender: Sender, contracts: Contracts, *, calls: Sequence[Call], description: str) -> Proposed:
    """Puts calls to the vote. Raises Reverted (GovernorInsufficientProposerVotes, …), ChainUnavailable."""
    arguments = [*columns_of(calls), description]
    name = to_hex(keccak(contracts.governor.encode("propose", arguments)))
    receipt = await sender.send(contracts.governor, "propose", arguments, label=f"propose:{name}")
    return next(found for log in receipt.logs if (found := _proposed(contracts, log)) is not None)


async def vote(sender: Sender, contracts: Contracts, *, proposal: int, support: int, reason: str) -> TransactionReceipt:
    """Casts the sender's vote. Raises Reverted (GovernorAlreadyCastVote, …), ChainUnavailable."""
    arguments = [proposal, support, reason]
    return await sender.send(contracts.governor, "castVoteWithReason", arguments, label=f"vote:{proposal}")


async def queue(sender: Sender, contracts: Contracts, *, proposal: int, arguments: Sequence[Any]) -> TransactionReceipt:
    """Hands a proposal that has passed to the Timelock. Raises Reverted, ChainUnavailable."""
    return await sender.send(contracts.governor, "queue", arguments, label=f"queue:{proposal}")


async def execute(
    sender: Sender, contracts: Contracts, *, proposal: int, arguments: Sequence[Any]
) -> TransactionReceipt:
    """Carries a queued proposal out. Raises Reverted (the called contract's own reason), ChainUnavailable."""
    return await sender.send(contracts.governor, "execute", arguments, label=f"execute:{proposal}")


async def delegate_votes(sender: Sender, contracts: Contracts, *, to: Address, now_s: int) -> TransactionReceipt:
    """Lets an address vote with the sender's DGAI from now on. Raises Reverted, ChainUnavailable."""
    label = f"delegate-votes:{to_hex(to)}:{now_s}"
    return await sender.send(contracts.dgai, "delegate", [to], label=label)


async def delegate_stake_votes(sender: Sender, contracts: Contracts, *, to: Address, now_s: int) -> TransactionReceipt:
    """The same for what the sender has at stake; the stake stays where it is. Raises Reverted, ChainUnavailable."""
    label = f"delegate-stake-votes:{to_hex(to)}:{now_s}"
    return await sender.send(contracts.registry, "delegate", [to], label=label)


def _proposed(contracts: Contracts, log: Any) -> Proposed | None:
    decoded = contracts.governor.decode_log(log)
    if decoded is None or decoded.name != "ProposalCreated":
        return None
    at = Moment(log.block_number, log.index, 0, log.transaction_hash)
    found = BALLOT_READERS[("governor", "ProposalCreated")](at, decoded.arguments)
    assert isinstance(found, Proposed)
    return found
