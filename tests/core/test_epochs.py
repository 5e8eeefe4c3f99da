import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.epochs import EpochClock

clocks = st.builds(EpochClock, st.integers(0, 2**40), st.integers(1, 10**6))


@given(clocks, st.integers(0, 2**50))
def test_every_moment_lies_inside_its_epoch(clock: EpochClock, time_ms: int) -> None:
    epoch = clock.epoch_at(time_ms)
    assert time_ms < clock.closes_at_ms(epoch)
    assert epoch == 0 or clock.opens_at_ms(epoch) <= time_ms


@given(clocks, st.integers(0, 10**6))
def test_epochs_follow_one_another_without_a_gap(clock: EpochClock, epoch: int) -> None:
    assert clock.closes_at_ms(epoch) == clock.opens_at_ms(epoch + 1)
    assert clock.epoch_at(clock.opens_at_ms(epoch)) == epoch
    assert clock.epoch_at(clock.closes_at_ms(epoch) - 1) == epoch


def test_an_epoch_of_no_length_is_refused() -> None:
    with pytest.raises(ValueError, match="at least a second"):
        EpochClock(0, 0)
