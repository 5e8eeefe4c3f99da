"""Behind `dgrid gov`: proposals as the chain has them now, and drafts held to the contract's rules. Sends nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from dgrid.chain import voting
from dgrid.chain.ballots import Call, columns_of
from dgrid.chain.contracts import Contract, Reverted
from dgrid.chain.parameters import Parameters, catalogue
from dgrid.chain.rpc import RpcError
from dgrid.chain.view import ChainView
from dgrid.chain.voting import Electorate
from dgrid.cli.wallet_config import chain_config
from dgrid.core.errors import DGridError, InvalidRequest
from dgrid.core.identity import Address, to_hex
from dgrid.governance.calls import drafted_call
from dgrid.governance.changes import NOTICE_EPOCHS, Change, ParameterChange, changes_of, setting_calls
from dgrid.governance.drafting import Draft, require_adoptable, unsafe
from dgrid.governance.proposals import Proposal, ProposalNotFound, ProposalState, proposals
from dgrid.governance.simulation import Simulation
from dgrid.poq.economics import Rule
from dgrid.settlement.reading import NetworkReader, reading
from dgrid.settlement.replaying import simulated

USUAL_GAS = 200_000

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Shown:
    """A proposal at one moment, with all that a reader needs."""

    number: int  # its place in the list, from 1
    proposal: Proposal
    state: ProposalState
    quorum_wei: int
    changes: tuple[Change, ...]
    in_effect_from: int | None  # the epoch; None while it is not executed
    now_s: int

    @property
    def waits(self) -> str:
        """What only time brings, and when; empty where somebody has to act, or nothing comes."""
        match self.state:
            case ProposalState.PENDING:
                return f"the vote begins in {self.proposal.proposed.vote_start_s - self.now_s + 1} s"
            case ProposalState.ACTIVE:
                return f"the vote ends in {self.proposal.vote_end_s - self.now_s + 1} s"
            case ProposalState.QUEUED:
                return f"the Timelock opens in {(self.proposal.ready_s or 0) - self.now_s} s"
            case _:
                return ""


@dataclass(frozen=True, slots=True)
class Planned:
    """What would be sent: the calls, what they change, and what it costs."""

    calls: tuple[Call, ...]
    changes: tuple[Change, ...]
    electorate: Electorate
    cost: "Cost"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one transaction takes, about."""

    gas: int
    wei: int


# --- reading ----------------------------------------------------------------------------------------------------------


def read(home: Path, work: Callable[[NetworkReader], Awaitable[Found]]) -> Found:
    """Runs something over the chain as it is now."""

    async def main() -> Found:
        async with reading(chain_config(home)) as network:
            return await work(network)

    return asyncio.run(main())


async def all_shown(network: NetworkReader) -> list[Shown]:
    """Every proposal, the oldest first. Raises ChainUnavailable."""
    block_s, governor = await network.rpc.now_s(), network.contracts.governor.address
    found = enumerate(proposals(network.view.ballots, governor=governor), start=1)
    return [await _shown(network, number, proposal=one, block_s=block_s) for number, one in found]


async def shown(network: NetworkReader, name: str) -> Shown:
    """One proposal, by its place in the list or by its id. Raises ProposalNotFound, InvalidRequest."""
    wanted, everything = _number(name), await all_shown(network)
    found = next((one for one in everything if wanted in (one.number, one.proposal.id)), None)
    if found is None:
        raise ProposalNotFound(f"there is no proposal {name}", hint="`dgrid gov list` shows all")
    return found


async def _shown(network: NetworkReader, number: int, *, proposal: Proposal, block_s: int) -> Shown:
    now_s = max(block_s, int(time.time()))  # a chain that mines on demand may stand still
    moment_s = min(proposal.proposed.vote_start_s, block_s - 1)
    quorum_wei = await voting.quorum_at(network.rpc, network.contracts, time_s=moment_s)
    before, from_epoch = _values_before(network.view, proposal)
    changes = changes_of(proposal.calls, contracts=network.contracts, before=before)
    state = proposal.state_at(now_s, quorum_wei=quorum_wei)
    return Shown(number, proposal, state, quorum_wei, tuple(changes), from_epoch, now_s)


def _values_before(view: ChainView, proposal: Proposal) -> tuple[Parameters, int | None]:
    """What a proposal replaces: of one that is executed, what counted until its values did."""
    if proposal.executed_ms is None:
        return view.parameters.last, None
    from_epoch = view.clock.epoch_at(proposal.executed_ms) + NOTICE_EPOCHS
    return view.parameters.at(from_epoch - 1), from_epoch


def _number(name: str) -> int:
    try:
        return int(name.removeprefix("#"), 0)
    except ValueError:
        raise InvalidRequest(f"{name} is no proposal: give its number or its id") from None


# --- drafting ---------------------------------------------------------------------------------------------------------


async def planned(
    network: NetworkReader, assignments: Sequence[str], *, address: Address, typed: Sequence[str] = ()
) -> Planned:
    """NAME=VALUE assignments and typed calls, held to every rule of the contracts before anything is sent.

    Raises UnknownParameter, InvalidRequest, OutOfBounds, UnsafeParameters, Reverted, ChainUnavailable.
    """
    contracts, now_s, calls = network.contracts, await network.rpc.now_s(), list[Call]()
    if assignments or not typed:
        calls += _settings(network, Draft.of(assignments), now_s=now_s)
    calls += [drafted_call(text, contracts=contracts) for text in typed]
    try:
        await voting.rehearse(network.rpc, contracts, calls=calls)
    except Reverted as error:
        raise explained(error) from None
    electorate = await voting.read_electorate(network.rpc, contracts, address=address, now_s=now_s)
    words = [*columns_of(calls), "a title of usual length"]
    cost = await cost_of(network, contracts.governor, function="propose", arguments=words, address=address)
    changes = tuple(changes_of(calls, contracts=contracts, before=network.view.parameters.last))
    return Planned(tuple(calls), changes, electorate, cost)


def _settings(network: NetworkReader, draft: Draft, *, now_s: int) -> list[Call]:
    """The call that sets a draft's values, once the contract would take them."""
    view = network.view
    epoch_seconds, epoch_now = view.facts.epoch_seconds, view.clock.epoch_at(now_s * 1000)
    require_adoptable(draft, view.parameters, epoch_now=epoch_now, epoch_seconds=epoch_seconds)
    return setting_calls(draft.values, contracts=network.contracts)


def explained(error: Reverted) -> DGridError:
    return unsafe([Rule(error.arguments["rule"])]) if error.name == "Unsafe" else error


async def cost_of(
    network: NetworkReader, contract: Contract, *, function: str, arguments: Sequence[Any], address: Address
) -> Cost:
    """What a call takes from an address; a usual figure where the chain cannot tell yet. Raises ChainUnavailable."""
    data = to_hex(contract.encode(function, arguments))
    call = {"from": to_hex(address), "to": to_hex(contract.address), "data": data}
    try:
        gas = int(await network.rpc.call("eth_estimateGas", [call]), 16)
    except RpcError:  # so far the chain would refuse it: votes that are not delegated yet, for one
        gas = USUAL_GAS
    price_wei = await network.rpc.gas_price_wei()
    return Cost(gas, gas * price_wei)


async def simulation(network: NetworkReader, words: Sequence[str], *, epochs: int) -> tuple[Simulation, list[Change]]:
    """What the last epochs would have been under NAME=VALUE words, or under a proposal. Raises as `simulated`."""
    latest, changes = network.view.parameters.last, list[Change]()
    if len(words) == 1 and "=" not in words[0]:
        changes += (await shown(network, words[0])).changes
    else:
        changes += Draft.of(words).changes(latest)
    new = {one.parameter.name: one.new for one in changes if isinstance(one, ParameterChange)}
    if not new:
        raise InvalidRequest("nothing of this can be simulated: it changes no parameter")
    proposed = Parameters(**{**asdict(latest), **new})
    return await simulated(network.quality, network.records, proposed=proposed, epochs=epochs), changes


def values_shown(view: ChainView, *, now_ms: int) -> list[dict[str, Any]]:
    """Every parameter with its value now, what comes, and its bounds."""
    epoch = view.clock.epoch_at(now_ms)
    sets = view.parameters.since(epoch)
    found = []
    for one in catalogue():
        coming = [
            (first, getattr(values, one.name))
            for (_, earlier), (first, values) in pairwise(sets)
            if getattr(values, one.name) != getattr(earlier, one.name)
        ]
        found.append(
            {
                "name": one.name,
                "value": str(getattr(view.parameters.at(epoch), one.name)),
                "unit": one.unit.value,
                "next": [{"from_epoch": first, "value": str(value)} for first, value in coming],
                "minimum": str(one.bounds.minimum),
                "maximum": str(one.bounds.maximum),
                "change_max": str(one.bounds.change_max),
                "readers": one.readers,
                "about": one.about,
            }
        )
    return found
