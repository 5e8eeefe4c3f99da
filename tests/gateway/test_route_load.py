"""What is measured of a node: ejections grow and end, latencies are believed as far as they are known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.test_route import NOW_MS, measured

from dgrid.gateway.route.load import EJECTED_MS, NodeLoad, slowness


def test_ejection_lasts_longer_each_time_and_ends_with_a_success() -> None:
    load = NodeLoad()
    for times in (1, 2, 3):
        for _ in range(3):
            load.failed(NOW_MS)
        assert load.ejected_until_ms == NOW_MS + times * EJECTED_MS
    load.succeeded(5.0, NOW_MS)
    assert load.ejections == 0


def test_a_rise_in_latency_is_believed_at_once_a_fall_only_over_time() -> None:
    load = NodeLoad()
    measured(load, 100.0, times=100)
    load.succeeded(500.0, NOW_MS + 1)
    assert load.latency_ms == 500.0
    load.succeeded(100.0, NOW_MS + 2)
    assert load.latency_ms is not None
    assert load.latency_ms > 490
    load.succeeded(100.0, NOW_MS + 60_000)
    assert load.latency_ms < 102


@given(st.lists(st.floats(1.0, 1_000.0), min_size=1, max_size=20))
def test_a_cold_first_answer_is_averaged_out(later_ms: list[float]) -> None:
    load = NodeLoad()
    for latency_ms in (1_000.0, *later_ms):
        load.succeeded(latency_ms, NOW_MS)
    assert load.latency_ms is not None
    mean_ms = (1_000.0 + sum(later_ms)) / (1 + len(later_ms))
    assert load.latency_ms >= mean_ms - 1e-6
    if later_ms == sorted(later_ms, reverse=True):
        assert load.latency_ms == pytest.approx(mean_ms)


@given(
    st.floats(0.0, 1e6), st.floats(0.0, 1e6), st.integers(0, 40), st.integers(0, 40), st.integers(-100_000, 10_000_000)
)
def test_less_known_latencies_differ_less_and_never_the_other_way(
    one_ms: float, other_ms: float, one_times: int, other_times: int, later_ms: int
) -> None:
    one, other = NodeLoad(), NodeLoad()
    measured(one, one_ms, times=one_times)
    measured(other, other_ms, times=other_times)
    now_ms = NOW_MS + later_ms
    assert 0 <= one.trust(now_ms + 1) <= one.trust(now_ms) < 1
    ratio = slowness(one, other, now_ms=now_ms)
    assert ratio * slowness(other, one, now_ms=now_ms) == pytest.approx(1)
    if one.latency_ms is None or other.latency_ms is None:
        assert ratio == 1
    else:
        low, high = sorted((1.0, one.latency_ms / other.latency_ms))
        assert low <= ratio <= high
