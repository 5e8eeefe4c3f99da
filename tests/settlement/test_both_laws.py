"""One random stream of events through Python's law and the contracts': after each of them all is equal, to the unit.

Shares, totals, draws on channels, claims, defaults, quality's pay-outs, slashes, stakes, votes. The contracts run on a
real chain with a clock of its own; Python's law is what roles compute by (`settlement`, `core.money`, `poq`, the fold
of events in `chain.view`), and where no role needs to compute, `tests.settlement.twins`.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.devnet import key_of
from tests.settlement.books import Work
from tests.settlement.network import BASE_BPS
from tests.settlement.twins import settling
from tests.settlement.twins.chain import TwinChain
from tests.settlement.twins.judging import Judgement, draw, judge_round, undrawn
from tests.settlement.twins.stream import Stream
from tests.settlement.twins.world import Twins, a_world, address_of, at_the_start, channel_of, twin_parameters

from dgrid.chain.events import Kind
from dgrid.core.money import WEI, Price
from dgrid.wire.messages import InferenceReceipt

# A history that fails is shown as it was found: to shrink one takes minutes.
PLAIN = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate], database=None)


@pytest.fixture(scope="module")
def world() -> Iterator[Twins]:
    with TwinChain(parameters=twin_parameters(), base_bps=BASE_BPS) as chain:
        yield a_world(chain)


def of(world: Twins) -> type[Stream]:
    """Histories that all begin in one world."""

    class FromThere(Stream):
        def __init__(self) -> None:
            super().__init__(world)

    return FromThere


@pytest.mark.timeout(300)
def test_python_and_the_contracts_come_to_the_same_over_any_stream_of_events(world: Twins) -> None:
    few = settings(PLAIN, max_examples=20, stateful_step_count=40, derandomize=True)
    run_state_machine_as_test(of(world), settings=few)


def test_what_nobody_paid_for_is_paid_out_of_nobody_elses_purse(world: Twins) -> None:
    """A cheat's payer has next to nothing: what a true root credits its node stays owed; honest nodes have theirs."""
    own = at_the_start(world)
    honest, cheat = _sold(own, "gateway-1", "node-1", WEI), _sold(own, "gateway-2", "node-2", 500 * WEI)
    settling.collect(own)
    own.chain.pass_until(own.chain.next_s + 20)
    settling.claim(own, [one for one in settling.accounts(own) if one.due_wei])
    before = {node: own.laws.token.balances[address_of(node)] for node in ("node-1", "node-2")}
    for anchor in undrawn(own):
        draw(own, anchor)
    judge_round(own, Judgement(frozenset(), frozenset(), 0))
    own.check()
    gained = {node: own.laws.token.balances[address_of(node)] - wei for node, wei in before.items()}
    assert gained["node-1"] == honest.totals.node - own.laws.money.earned(honest, Kind.NODE)
    assert gained["node-2"] == 0
    assert own.laws.court.owed[address_of("gateway-2")] == cheat.totals.node - own.laws.money.earned(cheat, Kind.NODE)


def _sold(world: Twins, gateway: str, node: str, price_wei: int) -> InferenceReceipt:
    """A million tokens to a payer whose channel holds ten DGAI, settled."""
    name = channel_of(world, "payer-1", gateway)
    work = Work(world.configs[name], name, key_of(node), 10**6, 0, price=Price(price_wei, 0))
    receipt = settling.bill(world, gateway, work, lane=0)
    settling.close(world, gateway, receipt.place.epoch)
    return receipt


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_they_do_over_many_streams(world: Twins) -> None:
    many = settings(PLAIN, max_examples=300, stateful_step_count=60)
    run_state_machine_as_test(of(world), settings=many)
