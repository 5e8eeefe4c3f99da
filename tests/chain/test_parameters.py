"""The catalogue is the contract's, in its order; what counts in an epoch is what was set for it."""

import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.devnet import Devnet, OnDevnet

from dgrid.chain.events import MemberRegistered, Moment, ParameterSet, Role, SeedFixed, StakeChanged
from dgrid.chain.facts import Facts, read_facts
from dgrid.chain.parameter_history import ParameterHistory
from dgrid.chain.parameters import Parameters, bsc_parameters, catalogue, tunable
from dgrid.chain.view import ChainView, fold
from dgrid.core.errors import NotYet, UnknownParameter
from dgrid.core.identity import Address

SOURCE = Path(__file__).parents[2] / "contracts" / "src" / "Parameter.sol"
FACTS = Facts(genesis_s=0, epoch_seconds=10, base_share_bps=8_000, withdraw_delay_s=60, treasury=bytes(20))
NODE = Address(b"\x01" * 20)


def at(epoch: int) -> Moment:
    return Moment(epoch, 0, epoch * 10_000, bytes(32))


def initial(parameters: Parameters) -> list[ParameterSet]:
    return [ParameterSet(at(0), one.index, getattr(parameters, one.name), 0) for one in catalogue()]


def vote(name: str, value: int, *, epoch: int) -> ParameterSet:
    """What a vote that was executed in an epoch says."""
    return ParameterSet(at(epoch), tunable(name).index, value, epoch + 2)


def test_the_catalogue_is_the_contracts_enum() -> None:
    body = re.search(r"enum Parameter \{(.*?)\}", SOURCE.read_text(), re.DOTALL)
    assert body is not None
    names = re.findall(r"^\s*(\w+)", re.sub(r"//.*", "", body[1]), re.MULTILINE)
    assert [one.solidity_name for one in catalogue()] == names
    assert [one.index for one in catalogue()] == list(range(len(names)))


def test_every_entry_says_what_it_is_and_who_reads_it() -> None:
    for one in catalogue():
        assert one.about.endswith(".")
        assert one.readers
        assert one.bounds.minimum < one.bounds.maximum
        assert one.bounds.change_max > 0


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(UnknownParameter) as caught:
        tunable("protocol_bsp")
    assert caught.value.hint == "did you mean protocol_bps?"
    with pytest.raises(UnknownParameter) as caught:
        tunable("nonsense")
    assert caught.value.hint == "`dgrid gov parameters` lists them all"


def test_nothing_counts_before_the_contract_was_seen() -> None:
    with pytest.raises(NotYet):
        ParameterHistory().at(0)


def test_a_vote_counts_from_its_epoch_on_and_changes_no_epoch_before() -> None:
    view = fold(ChainView(facts=FACTS), [*initial(Parameters()), vote("protocol_bps", 300, epoch=5)])
    assert [view.parameters.at(epoch).protocol_bps for epoch in (0, 5, 6, 7, 1_000)] == [200, 200, 200, 300, 300]
    assert view.parameters_at(69_999).protocol_bps == 200
    assert view.parameters_at(70_000).protocol_bps == 300


names = st.sampled_from([one.name for one in catalogue()])
votes = st.lists(st.tuples(names, st.integers(0, 2**100), st.integers(0, 3)), max_size=12)


@given(votes)
def test_every_epoch_has_what_was_last_set_for_it(changes: list[tuple[str, int, int]]) -> None:
    """Against the contract's own way of keeping it: for each parameter by itself, its last value up to an epoch."""
    history, epoch = ParameterHistory(), 0
    told: dict[str, list[tuple[int, int]]] = {one.name: [(0, one.dev)] for one in catalogue()}
    for event in initial(Parameters()):
        history = history.changed(event)
    for name, value, later in changes:
        epoch += later
        history = history.changed(vote(name, value, epoch=epoch))
        told[name].append((epoch + 2, value))
    for looked_at in range(epoch + 4):
        wanted = {name: [value for first, value in values if first <= looked_at][-1] for name, values in told.items()}
        assert asdict(history.at(looked_at)) == wanted


def test_a_least_stake_by_vote_ends_who_has_less_when_it_counts_and_not_before() -> None:
    stake = Parameters().minimum_stake_wei
    joined = MemberRegistered(at(1), Role.EVALUATOR, NODE, stake, "", bytes(32), bytes(32), 0)
    view = fold(ChainView(facts=FACTS), [*initial(Parameters()), joined, vote("minimum_stake_wei", 2 * stake, epoch=2)])
    before = fold(view, [SeedFixed(at(3), NODE, 1, 3, bytes(32), expired=False)])
    after = fold(view, [SeedFixed(at(4), NODE, 1, 4, bytes(32), expired=False)])
    assert [one.address for one in before.draws[NODE, 1].evaluators] == [NODE]
    assert after.draws[NODE, 1].evaluators == ()
    assert not after.active(Role.EVALUATOR)
    again = fold(after, [StakeChanged(at(5), Role.EVALUATOR, NODE, 2 * stake)])
    assert len(again.active(Role.EVALUATOR)) == 1


def test_the_chain_says_what_it_was_deployed_with(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        watcher, contract = await net.watcher("anyone"), net.contracts.parameters
        view = watcher.finalized
        assert view.facts == await read_facts(net.rpc, net.contracts)
        assert (view.facts.genesis_s, view.facts.base_share_bps) == (net.genesis_s, 8_000)
        assert tuple(asdict(view.parameters.at(0)).values()) == await contract.read(net.rpc, "all", [0])
        for one in catalogue():
            bounds = one.bounds.minimum, one.bounds.maximum, one.bounds.change_max
            assert tuple(await contract.read(net.rpc, "bound", [one.index])) == bounds

    on_devnet(main)


def test_networks_of_production_start_with_other_values() -> None:
    assert bsc_parameters() != Parameters()
    assert replace(bsc_parameters(), **asdict(Parameters())) == Parameters()
