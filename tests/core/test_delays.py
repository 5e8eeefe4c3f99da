"""What is put off waits twice as long each time, never for ever, and alone."""

from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.delays import KEPT, Delays


class Clock:
    def __init__(self) -> None:
        self.at_ms = 0

    def now_ms(self) -> int:
        return self.at_ms


@given(st.integers(1, 10_000), st.integers(1, 10**7), st.integers(1, 40))
def test_an_item_waits_twice_as_long_each_time_up_to_the_longest(first_ms: int, longest_ms: int, times: int) -> None:
    clock = Clock()
    delays = Delays(clock.now_ms, first_ms=first_ms, longest_ms=longest_ms)
    for time in range(times):
        delays.put_off("a")
        wait_ms = min(first_ms * 2 ** min(time, 16), longest_ms)
        clock.at_ms += wait_ms - 1
        assert not delays.is_due("a")
        clock.at_ms += 1
        assert delays.is_due("a")


def test_what_went_through_waits_as_if_for_the_first_time_and_others_never_wait() -> None:
    clock = Clock()
    delays = Delays(clock.now_ms)
    delays.put_off("a")
    delays.put_off("a")
    assert (delays.is_due("a"), delays.is_due("b")) == (False, True)
    delays.forget("a")
    assert delays.is_due("a")
    delays.put_off("a")
    clock.at_ms += delays.first_ms
    assert delays.is_due("a")


def test_what_is_put_off_is_bounded() -> None:
    delays = Delays(Clock().now_ms)
    for item in range(KEPT + 10):
        delays.put_off(item)
    assert sum(not delays.is_due(item) for item in range(KEPT + 10)) == KEPT
