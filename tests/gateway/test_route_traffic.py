"""Routing over time: equal nodes share whatever their first answers took, slow and failing ones lose their traffic."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.traffic import Asked, Machine, Traffic, shares_of

SEEDS = range(1, 13)
TURNS_MS = 5_000
Courses = list[list[Asked]]  # one for each seed: what chance made of the same machines
COLD_MS = st.floats(0.0, 100.0)


def courses(
    machines: Callable[[], Sequence[Machine]], *, until_ms: float, callers: int = 1, pause_ms: float = 0.0
) -> Courses:
    return [Traffic(machines(), callers, pause_ms, seed).run(until_ms) for seed in SEEDS]


def mean_shares(found: Courses, machines: int, *, first: int | None = None, since_ms: float = 0.0) -> list[float]:
    """Which part each machine got, on average: of the first few requests, or of all since then."""
    shares = [shares_of([one for one in asked if one.at_ms >= since_ms][:first], machines) for asked in found]
    return [fmean(of_one) for of_one in zip(*shares, strict=True)]


def turning(slowdown: float | None) -> Machine:
    """A node that is as good as its peers for a while, and then is not."""
    return Machine(15, slowdown=lambda at_ms: 1.0 if at_ms < TURNS_MS else slowdown)


def longest_idle_ms(asked: Sequence[Asked], machine: int, *, until_ms: float) -> float:
    return max(later - earlier for earlier, later in pairwise([0.0, *times_of(asked, machine), until_ms]))


def times_of(asked: Sequence[Asked], machine: int) -> list[float]:
    return [one.at_ms for one in asked if one.machine == machine]


@settings(max_examples=12)
@given(st.lists(COLD_MS, min_size=2, max_size=8))
def test_equal_nodes_share_evenly_whatever_their_first_answers_took(cold_ms: list[float]) -> None:
    count = len(cold_ms)
    found = courses(lambda: [Machine(15, cold) for cold in cold_ms], until_ms=3_000)
    assert min(mean_shares(found, count, first=10 * count)) > 0.4 / count
    assert min(mean_shares(found, count)) > 0.5 / count


@pytest.mark.parametrize("count", [2, 3, 8])
@pytest.mark.parametrize("callers", [8, 64])
def test_equal_nodes_share_evenly_among_many_callers(count: int, callers: int) -> None:
    found = courses(lambda: [Machine(15, cold_ms=at * 10) for at in range(count)], until_ms=1_000, callers=callers)
    assert all(0.8 / count < share < 1.2 / count for share in mean_shares(found, count))


def test_where_little_is_asked_no_equal_node_waits_for_long() -> None:
    found = courses(lambda: [Machine(15, cold_ms=100), Machine(15)], until_ms=60_000, pause_ms=300)
    assert max(longest_idle_ms(asked, at, until_ms=60_000) for asked in found for at in (0, 1)) < 25_000
    assert min(mean_shares(found, 2)) > 0.4


@pytest.mark.parametrize(("slower", "least", "most"), [(1.05, 0.4, 0.53), (1.3, 0.3, 0.5), (3.0, 0.0, 0.25)])
def test_the_slower_node_gets_less_the_slower_it_is(slower: float, least: float, most: float) -> None:
    found = courses(lambda: [Machine(15), Machine(15 * slower)], until_ms=20_000)
    assert least < mean_shares(found, 2)[1] < most


def test_of_eight_nodes_one_three_times_slower_gets_less_than_half_of_an_even_share() -> None:
    found = courses(lambda: [*(Machine(15) for _ in range(7)), Machine(45)], until_ms=20_000)
    assert mean_shares(found, 8, since_ms=5_000)[7] < 0.5 / 8


@pytest.mark.parametrize(("callers", "pause_ms"), [(1, 0.0), (1, 100.0), (8, 0.0)])
def test_a_node_that_slows_down_loses_its_traffic_within_two_seconds(callers: int, pause_ms: float) -> None:
    found = courses(
        lambda: [Machine(15), Machine(15), turning(10)], until_ms=12_000, callers=callers, pause_ms=pause_ms
    )
    assert mean_shares(found, 3, since_ms=TURNS_MS + 2_000)[2] < 0.1


@pytest.mark.parametrize("pause_ms", [0.0, 100.0])
def test_a_node_that_fails_loses_its_traffic_within_two_seconds(pause_ms: float) -> None:
    found = courses(lambda: [Machine(15), turning(None)], until_ms=20_000, pause_ms=pause_ms)
    assert mean_shares(found, 2, since_ms=TURNS_MS + 2_000)[1] < 0.05


@pytest.mark.parametrize("peers", [1, 2, 7])
def test_a_newcomer_is_tried_soon_and_gets_its_share(peers: int) -> None:
    found = courses(
        lambda: [*(Machine(15) for _ in range(peers)), Machine(15, cold_ms=60, joins_ms=2_000)], until_ms=10_000
    )
    for asked in found:
        waited = [one for one in asked if 2_000 <= one.at_ms < times_of(asked, peers)[0]]
        assert len(waited) < 8 * (peers + 1)  # with even odds once in 3,000 courses
    assert mean_shares(found, peers + 1, since_ms=3_000)[peers] > 0.5 / (peers + 1)
