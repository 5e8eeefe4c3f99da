"""A proposal's whole way on a real chain: what is refused and why, and that the chain says the same of its state."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.devnet import Devnet, OnDevnet

from dgrid.chain import voting
from dgrid.chain.ballots import Call
from dgrid.chain.contracts import Reverted
from dgrid.chain.funding import fund_dev
from dgrid.chain.sender import Sender
from dgrid.cli.balloting import (
    Ballot,
    TooFewVotes,
    WrongMoment,
    ensure_votes,
    planned_step,
    planned_vote,
    send_proposal,
    send_step,
    send_vote,
)
from dgrid.cli.ballots import Shown, all_shown, planned, shown, values_shown
from dgrid.core.errors import DGridError, InvalidRequest, NotYet
from dgrid.core.identity import to_hex
from dgrid.core.money import WEI
from dgrid.governance.changes import StrangeCall
from dgrid.governance.drafting import UnsafeParameters
from dgrid.governance.proposals import ProposalNotFound, ProposalState, Support, operation_id
from dgrid.settlement.reading import NetworkReader, reading

QUORUM_WEI = 40_000_000 * WEI
STATES = {  # as the governor numbers them
    0: {ProposalState.PENDING},
    1: {ProposalState.ACTIVE},
    2: {ProposalState.CANCELLED},
    3: {ProposalState.DEFEATED},
    4: {ProposalState.SUCCEEDED},
    5: {ProposalState.QUEUED, ProposalState.READY},
    7: {ProposalState.EXECUTED},
}


@asynccontextmanager
async def now(net: Devnet) -> AsyncIterator[NetworkReader]:
    await net.rpc.call("anvil_mine", ["0x1"])
    async with reading(net.config) as network:
        yield network


async def first(net: Devnet) -> Shown:
    """The first proposal; its state is the one that the chain says."""
    async with now(net) as network:
        found = await shown(network, "1")
        told = await network.contracts.governor.read(network.rpc, "state", [found.proposal.id])
        assert found.state in STATES[told]
        return found


async def proposed(net: Devnet, sender: Sender, *values: str, calls: Sequence[str] = (), title: str = "A title") -> int:
    async with now(net) as network:
        plan = await planned(network, values, address=sender.address, typed=calls)
        return await send_proposal(network, sender, plan=plan, title=title)


async def cast(net: Devnet, sender: Sender, support: Support) -> None:
    ballot = Ballot(support, "for a reason")
    async with now(net) as network:
        plan = await planned_vote(network, "1", ballot=ballot, address=sender.address)
        await send_vote(network, sender, plan=plan, ballot=ballot)


async def step(net: Devnet, sender: Sender, name: str) -> None:
    async with now(net) as network:
        plan = await planned_step(network, "1", step=name, address=sender.address)
        await send_step(network, sender, one=plan.one, step=name)


async def refused(net: Devnet, sender: Sender, name: str) -> type[DGridError]:
    with pytest.raises((NotYet, WrongMoment)) as caught:
        await step(net, sender, name)
    assert caught.value.hint
    return caught.type


def test_a_proposal_goes_its_way_and_the_parameter_changes_two_epochs_later(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        member = await net.sender("member", dgai_wei=QUORUM_WEI + WEI)
        number = await proposed(net, member, "protocol_bps=3%", "quality_bps=4000")
        assert (await first(net)).state is ProposalState.PENDING
        with pytest.raises(WrongMoment, match="proposed before, as #1"):
            await proposed(net, member, "protocol_bps=3%", "quality_bps=4000")
        with pytest.raises(NotYet):
            await cast(net, member, Support.FOR)
        await net.pass_time(6)
        assert await refused(net, member, "queue") is NotYet
        await cast(net, member, Support.FOR)
        with pytest.raises(WrongMoment, match="has voted for already"):
            await cast(net, member, Support.AGAINST)
        one = await first(net)
        assert one.state is ProposalState.ACTIVE
        assert (one.proposal.id, one.proposal.tally.for_wei, one.quorum_wei) == (number, QUORUM_WEI + WEI, QUORUM_WEI)
        assert [str(change) for change in one.changes] == [
            "protocol_bps: 200 → 300 bps (read by gateways, nodes, auditors)",
            "quality_bps: 5,000 → 4,000 bps (read by evaluators, gateways)",
        ]
        await net.pass_time(45)
        assert (await first(net)).state is ProposalState.SUCCEEDED
        assert await refused(net, member, "execute") is NotYet
        await step(net, await net.sender("anyone", dgai_wei=0), "queue")
        assert (await first(net)).state is ProposalState.QUEUED
        await net.pass_time(11)
        assert (await first(net)).state is ProposalState.READY
        await step(net, await net.sender("anyone", dgai_wei=0), "execute")
        one = await first(net)
        assert one.state is ProposalState.EXECUTED
        assert await refused_for_good(net, member) is WrongMoment
        await in_effect(net, one)

    on_devnet(main)


def test_the_members_pay_from_the_timelock_by_a_call(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        member, auditor = await net.sender("member", dgai_wei=QUORUM_WEI + WEI), net.key("auditor").address
        call = f"dgai.transfer {to_hex(auditor)} 2.5DGAI"
        async with now(net) as network:
            with pytest.raises(Reverted, match="ERC20InsufficientBalance"):
                await planned(network, (), address=member.address, typed=[call])
        await fund_dev(net.rpc, net.contracts, address=net.contracts.timelock.address, dgai_wei=3 * WEI)
        await proposed(net, member, "protocol_bps=3%", calls=[call])
        shown_now = [str(change) for change in (await first(net)).changes]
        assert shown_now[1:] == [f"calls dgai.transfer(to={to_hex(auditor)}, value=2.5 DGAI)"]
        assert shown_now[0].startswith("protocol_bps: 200 → 300 bps")
        await carried(net, member)
        assert await net.contracts.dgai.read(net.rpc, "balanceOf", [auditor]) == 5 * WEI // 2

    on_devnet(main)


def test_what_changes_the_governor_itself_is_not_tried_before_it_passes(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        member = await net.sender("member", dgai_wei=QUORUM_WEI + WEI)
        await proposed(net, member, calls=["governor.setVotingPeriod 45"])
        await carried(net, member)
        assert await net.contracts.governor.read(net.rpc, "votingPeriod") == 45

    on_devnet(main)


async def carried(net: Devnet, member: Sender) -> None:
    """The first proposal, from its vote to its execution."""
    await net.pass_time(6)
    await cast(net, member, Support.FOR)
    await net.pass_time(45)
    await step(net, member, "queue")
    await net.pass_time(11)
    await step(net, member, "execute")


async def refused_for_good(net: Devnet, sender: Sender) -> type[DGridError]:
    with pytest.raises(WrongMoment) as caught:
        await step(net, sender, "queue")
    return caught.type


async def in_effect(net: Devnet, one: Shown) -> None:
    """The view's history is the contract's, around the change."""
    assert one.in_effect_from is not None
    async with now(net) as network:
        view, contract = network.view, network.contracts.parameters
        for epoch in (0, one.in_effect_from - 1, one.in_effect_from, one.in_effect_from + 100):
            told = await contract.read(network.rpc, "at", [15, epoch])
            assert view.parameters.at(epoch).protocol_bps == told == (300 if epoch >= one.in_effect_from else 200)
        coming: list[dict[str, Any]] = values_shown(view, now_ms=view.clock.opens_at_ms(one.in_effect_from - 1))
        assert {row["name"]: row["next"] for row in coming}["protocol_bps"] == [
            {"from_epoch": one.in_effect_from, "value": "300"}
        ]
        assert str(one.changes[0]).startswith("protocol_bps: 200 → 300 bps")


def test_too_few_votes_are_said_before_and_after(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        poor, rich = await net.sender("poor", dgai_wei=5 * WEI), await net.sender("rich", dgai_wei=QUORUM_WEI - WEI)
        with pytest.raises(TooFewVotes):
            await proposed(net, poor, "protocol_bps=300")
        await proposed(net, rich, "protocol_bps=300")
        await net.pass_time(6)
        late = await net.sender("late", dgai_wei=WEI)
        with pytest.raises(TooFewVotes, match="no votes when the vote began"):
            await cast(net, late, Support.FOR)
        await cast(net, rich, Support.FOR)
        await net.pass_time(31)
        assert (await first(net)).state is ProposalState.DEFEATED
        with pytest.raises(WrongMoment) as caught:
            await step(net, rich, "queue")
        assert caught.value.hint == f"too few voted: {WEI} wei of votes were missing to a quorum"

    on_devnet(main)


def test_whoever_executes_at_the_timelock_itself_executes_the_proposal(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        member = await net.sender("member", dgai_wei=QUORUM_WEI)
        await proposed(net, member, "protocol_bps=300")
        await net.pass_time(6)
        await cast(net, member, Support.FOR)
        await net.pass_time(45)
        await step(net, member, "queue")
        await net.pass_time(11)
        one, contracts = await first(net), net.contracts
        columns: Sequence[Any] = one.proposal.arguments()
        governor, description = contracts.governor.address, columns[3]
        salt = bytes(a ^ b for a, b in zip(governor + bytes(12), description, strict=True))
        batch = [*columns[:3], bytes(32), salt]
        named = await contracts.timelock.read(net.rpc, "hashOperationBatch", batch)
        assert operation_id(one.proposal.proposed, governor=governor) == named
        await member.send(contracts.timelock, "executeBatch", batch, label="direct")
        assert (await first(net)).state is ProposalState.EXECUTED

    on_devnet(main)


def test_a_strange_call_is_shouted_out_and_what_is_unsafe_never_sent(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        member = await net.sender("member", dgai_wei=QUORUM_WEI)
        async with now(net) as network:
            with pytest.raises(UnsafeParameters, match="Bond"):
                await planned(network, ["bond_seconds=20"], address=member.address)
            with pytest.raises(ProposalNotFound):
                await shown(network, "1")
            with pytest.raises(InvalidRequest):
                await shown(network, "the first")
            await ensure_votes(network, member, needed_wei=WEI)
            calls = [Call(net.key("stranger").address, 0, b"\x01\x02\x03\x04")]
            await voting.propose(member, network.contracts, calls=calls, description="Fund the garden")
        async with now(net) as network:
            (one,) = await all_shown(network)
            assert one.proposal.title == "Fund the garden"
            (change,) = one.changes
            assert isinstance(change, StrangeCall)

    on_devnet(main)


def test_a_vote_that_has_begun_is_not_refused_by_a_chain_that_mines_on_demand(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        member = await net.sender("member", dgai_wei=QUORUM_WEI + WEI)
        await proposed(net, member, "protocol_bps=3%")
        start_s = (await first(net)).proposal.proposed.vote_start_s
        await asyncio.sleep(max(0.0, start_s + 1.2 - time.time()))  # the clock goes on, and no block is made
        ballot = Ballot(Support.FOR, "")
        async with reading(net.config) as network:
            plan = await planned_vote(network, "1", ballot=ballot, address=member.address)
            await send_vote(network, member, plan=plan, ballot=ballot)
        assert (await first(net)).proposal.tally.for_wei == QUORUM_WEI + WEI

    on_devnet(main)
