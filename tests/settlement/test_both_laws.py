"""One random stream of events through Python's law and the contracts': after each of them all is equal, to the unit.

Shares, totals, draws on channels, claims, defaults, quality's pay-outs, slashes, stakes, votes. The contracts run on a
real chain with a clock of its own; Python's law is what roles compute by (`settlement`, `core.money`, `poq`, the fold
of events in `chain.view`), and where no role needs to compute, `tests.settlement.twins`.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.settlement.network import BASE_BPS
from tests.settlement.twins.chain import TwinChain
from tests.settlement.twins.stream import Stream
from tests.settlement.twins.world import Twins, a_world, twin_parameters

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


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_they_do_over_many_streams(world: Twins) -> None:
    many = settings(PLAIN, max_examples=300, stateful_step_count=60)
    run_state_machine_as_test(of(world), settings=many)
