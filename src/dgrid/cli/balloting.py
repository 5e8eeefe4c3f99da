"""What `dgrid gov` sends, each step only when the chain will take it: else it says what is missing, and until when."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dgrid.chain import voting
from dgrid.chain.contracts import Reverted
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.sender import Sender
from dgrid.chain.voting import Electorate
from dgrid.cli.ballots import Cost, Planned, Shown, cost_of, explained, shown
from dgrid.cli.sending import sending
from dgrid.core.errors import DGridError, NotYet
from dgrid.core.identity import Address, to_hex
from dgrid.governance.proposals import ProposalState, Support
from dgrid.settlement.reading import NetworkReader

PATIENCE_S, AGAIN_S = 10.0, 0.5

Found = TypeVar("Found")


class TooFewVotes(DGridError):
    """The address has fewer votes than this takes."""

    code = "too_few_votes"
    exit_code = 4


class WrongMoment(DGridError):
    """The proposal is past the step, or was defeated, or this vote is cast: it will never be taken again."""

    code = "wrong_moment"
    exit_code = 4


def send(home: Path, work: Callable[[NetworkReader, Sender], Awaitable[Found]]) -> Found:
    """Runs something that the home's user sends."""

    async def main() -> Found:
        async with sending(home) as (network, sender):
            return await work(network, sender)

    return asyncio.run(main())


async def ensure_votes(network: NetworkReader, sender: Sender, *, needed_wei: int) -> None:
    """Sees to the sender's votes first: on the dev chain its tokens are delegated to itself when they vote for nobody.

    Raises TooFewVotes.
    """
    contracts, rpc = network.contracts, network.rpc
    found = await _electorate(network, sender.address)
    if found.votes_wei < needed_wei and not any(found.delegate) and contracts.chain_id == DEV_CHAIN_ID:
        await voting.delegate_votes(sender, contracts, to=sender.address, now_s=await rpc.now_s())
        found = await _when_counted(network, sender.address, needed_wei=min(needed_wei, found.balance_wei))
    if found.votes_wei < needed_wei:
        hint = "" if any(found.delegate) else "its tokens vote for nobody yet: `dgrid gov delegate ADDRESS`"
        raise TooFewVotes(
            f"this takes {needed_wei} wei of votes; {to_hex(sender.address)} has {found.votes_wei}", hint=hint
        )


async def _when_counted(network: NetworkReader, address: Address, *, needed_wei: int) -> Electorate:
    """The governor counts votes of the second before: on a chain that mines on demand one has to pass."""
    deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        await asyncio.sleep(AGAIN_S)
        if network.contracts.chain_id == DEV_CHAIN_ID:
            await network.rpc.call("evm_mine", [])
        found = await _electorate(network, address)
        if found.votes_wei >= needed_wei or asyncio.get_running_loop().time() > deadline_s:
            return found


async def _chain_beyond(network: NetworkReader, moment_s: int) -> None:
    """Waits for a block later than a moment that the clock has passed: until then the governor does not know it.

    Raises NotYet, ChainUnavailable.
    """
    deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
    while await network.rpc.now_s() <= moment_s:
        if asyncio.get_running_loop().time() > deadline_s:
            raise NotYet("the chain has made no block since", hint="try again in a moment")
        if network.contracts.chain_id == DEV_CHAIN_ID:
            await network.rpc.call("evm_mine", [])
        await asyncio.sleep(AGAIN_S)


async def _electorate(network: NetworkReader, address: Address) -> Electorate:
    now_s = await network.rpc.now_s()
    return await voting.read_electorate(network.rpc, network.contracts, address=address, now_s=now_s)


async def send_proposal(network: NetworkReader, sender: Sender, *, plan: Planned, title: str) -> int:
    """Proposes; the new proposal's id. Raises TooFewVotes, WrongMoment, Reverted, ChainUnavailable."""
    _require_new(network, plan=plan, title=title)
    await ensure_votes(network, sender, needed_wei=plan.electorate.threshold_wei)
    made = await voting.propose(sender, network.contracts, calls=plan.calls, description=title)
    return made.proposal


def _require_new(network: NetworkReader, *, plan: Planned, title: str) -> None:
    """The governor takes the same calls under the same title once. Raises WrongMoment."""
    for number, known in enumerate(network.view.ballots.proposals.values(), start=1):
        if (tuple(known.calls), known.description) == (tuple(plan.calls), title):
            raise WrongMoment(f"this was proposed before, as #{number}", hint="give it another --title")


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a vote says, and why."""

    support: Support
    reason: str


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """Something that may be done with a proposal now, and its cost; of a vote, what it weighs."""

    one: Shown
    cost: Cost
    weight_wei: int = 0


async def planned_vote(network: NetworkReader, name: str, *, ballot: Ballot, address: Address) -> PlannedStep:
    """Raises ProposalNotFound, NotYet, WrongMoment, TooFewVotes, ChainUnavailable."""
    one = await shown(network, name)
    require_state(one, ProposalState.ACTIVE)
    number, start_s = one.proposal.id, one.proposal.proposed.vote_start_s
    await _chain_beyond(network, start_s)
    if (cast := network.view.ballots.votes.get((number, address))) is not None:
        raise WrongMoment(f"{to_hex(address)} has voted {Support(cast.support).name.lower()} already: a vote stands")
    weight_wei = await voting.votes_at(network.rpc, network.contracts, address=address, time_s=start_s)
    if not weight_wei:
        raise TooFewVotes(
            f"{to_hex(address)} had no votes when the vote began", hint="delegate before the next one begins"
        )
    governor, words = network.contracts.governor, [number, ballot.support, ballot.reason]
    cost = await cost_of(network, governor, function="castVoteWithReason", arguments=words, address=address)
    return PlannedStep(one, cost, weight_wei)


async def send_vote(network: NetworkReader, sender: Sender, *, plan: PlannedStep, ballot: Ballot) -> None:
    """Votes. Raises Reverted (GovernorAlreadyCastVote, …), ChainUnavailable."""
    number = plan.one.proposal.id
    await voting.vote(sender, network.contracts, proposal=number, support=ballot.support, reason=ballot.reason)


async def planned_step(network: NetworkReader, name: str, *, step: str, address: Address) -> PlannedStep:
    """`step` is queue or execute. Raises ProposalNotFound, NotYet, WrongMoment, ChainUnavailable."""
    one = await shown(network, name)
    require_state(one, ProposalState.READY if step == "execute" else ProposalState.SUCCEEDED)
    await _chain_beyond(network, (one.proposal.ready_s or 0) if step == "execute" else one.proposal.vote_end_s)
    governor, words = network.contracts.governor, one.proposal.arguments()
    return PlannedStep(one, await cost_of(network, governor, function=step, arguments=words, address=address))


async def send_step(network: NetworkReader, sender: Sender, *, one: Shown, step: str) -> None:
    """Queues or executes. Raises UnsafeParameters, Reverted, ChainUnavailable."""
    send_it = voting.execute if step == "execute" else voting.queue
    try:
        await send_it(sender, network.contracts, proposal=one.proposal.id, arguments=one.proposal.arguments())
    except Reverted as error:
        raise explained(error) from None


ORDER = (
    ProposalState.PENDING,
    ProposalState.ACTIVE,
    ProposalState.SUCCEEDED,
    ProposalState.QUEUED,
    ProposalState.READY,
    ProposalState.EXECUTED,
)


def require_state(one: Shown, wanted: ProposalState) -> None:
    """Raises NotYet for a proposal that comes to the state, WrongMoment for one that never will."""
    if one.state is wanted:
        return
    name = f"proposal #{one.number} is {one.state.value}"
    if one.state in ORDER and ORDER.index(one.state) < ORDER.index(wanted):
        raise NotYet(f"{name}, not {wanted.value} yet", hint=_when(one))
    tally = one.proposal.tally
    short_wei = one.quorum_wei - tally.counted_wei
    why = f"too few voted: {short_wei} wei of votes were missing to a quorum" if short_wei > 0 else ""
    raise WrongMoment(f"{name}, so it can no longer become {wanted.value}", hint=why)


def _when(one: Shown) -> str:
    """When a proposal moves on."""
    match one.state:
        case ProposalState.PENDING | ProposalState.ACTIVE | ProposalState.QUEUED:
            return one.waits
        case ProposalState.SUCCEEDED:
            return f"`dgrid gov queue {one.number}` comes first"
        case _:
            return f"`dgrid gov execute {one.number}` comes first"


async def delegation_cost(network: NetworkReader, *, to: Address, address: Address) -> Cost:
    """Raises ChainUnavailable."""
    return await cost_of(network, network.contracts.dgai, function="delegate", arguments=[to], address=address)


async def send_delegation(network: NetworkReader, sender: Sender, *, to: Address) -> Electorate:
    """Delegates; the sender's tokens, and what it has at stake itself, then vote for `to`.

    Raises Reverted, ChainUnavailable.
    """
    now_s = await network.rpc.now_s()
    await voting.delegate_votes(sender, network.contracts, to=to, now_s=now_s)
    if any(address == sender.address and member.stake_wei for (_, address), member in network.view.members.items()):
        await voting.delegate_stake_votes(sender, network.contracts, to=to, now_s=now_s)
    return await _electorate(network, sender.address)
