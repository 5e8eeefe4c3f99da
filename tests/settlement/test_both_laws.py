"""One random stream of events through Python's law and the contracts': after each of them all is equal, to the unit.

Shares, totals, draws on channels, claims, defaults, quality's pay-outs, slashes, stakes, votes. The contracts run on a
real chain with a clock of its own; Python's law is what roles compute by (`settlement`, `core.money`, `poq`, the fold
of events in `chain.view`), and where no role needs to compute, `tests.settlement.twins`.
"""

from collections.abc import Iterator
from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.devnet import key_of
from tests.settlement.books import Work
from tests.settlement.network import BASE_BPS
from tests.settlement.twins import settling
from tests.settlement.twins.cases import a_dispute
from tests.settlement.twins.chain import TwinChain
from tests.settlement.twins.judging import Judgement, draw, hear_round, judge_round, post, post_round, table_of, undrawn
from tests.settlement.twins.stream import Stream
from tests.settlement.twins.world import (
    EVALUATORS,
    Twins,
    a_world,
    address_of,
    at_the_start,
    channel_of,
    twin_parameters,
)

from dgrid.chain.events import Kind
from dgrid.core.money import WEI, Price
from dgrid.poq.turns import RELEASES_MAX
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.quality import amount_of

NOTHING_FOUND = Judgement(frozenset(), frozenset(), 0)

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
    judge_round(own, NOTHING_FOUND)
    own.check()
    gained = {node: own.laws.token.balances[address_of(node)] - wei for node, wei in before.items()}
    assert gained["node-1"] == honest.totals.node - own.laws.money.earned(honest, Kind.NODE)
    assert gained["node-2"] == 0
    assert own.laws.court.owed[address_of("gateway-2")] == cheat.totals.node - own.laws.money.earned(cheat, Kind.NODE)


def test_a_root_takes_of_as_many_gateways_as_python_puts_into_it(world: Twins) -> None:
    own = at_the_start(world)
    _drawn(own)
    judged, speaking = hear_round(own, NOTHING_FOUND)
    table = table_of(own, judged, NOTHING_FOUND)
    for count in (RELEASES_MAX + 1, RELEASES_MAX):
        releases = tuple((number.to_bytes(20, "big"), amount_of(1)) for number in range(1, count + 1))
        many = msgspec.structs.replace(table, releases=releases, payouts=())
        assert post(own, many, speaking[:3]) == (count <= RELEASES_MAX)


@pytest.mark.parametrize("seed", range(4))
def test_who_signed_a_disputed_root_judges_it_only_where_nobody_else_comes(world: Twins, seed: int) -> None:
    """Five judge, three of them sign; a jury has three seats, of which nobody keeps the other two from their own."""
    own, order = at_the_start(world), Random(seed).sample(EVALUATORS, len(EVALUATORS))
    _drawn(own)
    table = post_round(own, NOTHING_FOUND)
    assert table is not None
    signers = frozenset(EVALUATORS[:3])
    seats = a_dispute(own, table.round, tuple(order), signers=signers)
    assert len(seats) == 3
    assert set(EVALUATORS) - signers < set(seats)


def _drawn(world: Twins) -> None:
    """Something that can be judged."""
    _sold(world, "gateway-1", "node-1", WEI)
    for anchor in undrawn(world):
        draw(world, anchor)


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
