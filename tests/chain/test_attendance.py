"""What a role can testify to: the time in which it followed the chain."""

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from dgrid.chain.attendance import ALWAYS, KEPT, LOOKS_APART_S_MAX, Attendance


def looks(*moments: int) -> Attendance:
    """One look a second, except where a moment is far from the one before."""
    found = Attendance()
    for moment_s in moments:
        found = found.looked(moment_s, wall_s=float(moment_s))
    return found


def test_who_looked_on_all_the_while_saw_it() -> None:
    assert looks(*range(100, 130)).saw(110, 120)
    assert ALWAYS.saw(0, 10)


def test_who_never_looked_or_came_after_the_beginning_saw_nothing_of_it() -> None:
    assert not Attendance().saw(110, 120)
    assert not looks(*range(111, 130)).saw(110, 120)
    assert looks(*range(110, 130)).saw(110, 120)


def test_half_may_be_missed_and_no_more() -> None:
    assert looks(*range(100, 113), *range(117, 130)).saw(110, 120)
    assert not looks(*range(100, 113), *range(118, 130)).saw(110, 120)
    assert looks(*range(100, 113), *range(115, 117), *range(119, 130)).saw(110, 120)  # between them it could be opened


def test_whose_every_look_takes_seconds_sees_a_window_of_many_minutes() -> None:
    assert looks(*range(0, 3_600, 4)).saw(2_000, 2_900)


def test_a_chain_whose_clock_leaps_while_it_is_looked_at_was_followed() -> None:
    """A test moves the dev chain's clock; nobody was away."""
    followed = Attendance().looked(100, wall_s=0.0).looked(500, wall_s=LOOKS_APART_S_MAX)
    assert followed.saw(110, 120)


def test_a_machine_that_slept_was_away() -> None:
    slept = Attendance().looked(100, wall_s=0.0).looked(500, wall_s=400.0)
    assert not slept.saw(110, 120)
    assert slept.looked(520, wall_s=401.0).saw(500, 510)


def test_what_it_forgot_it_did_not_see() -> None:
    long_ago = looks(*range(0, 10 * (KEPT + 1), 10))
    assert len(long_ago.away) == KEPT
    assert long_ago.saw(0, 0)
    one_more = long_ago.looked(10 * (KEPT + 1), wall_s=10.0 * (KEPT + 1))
    assert len(one_more.away) == KEPT
    assert not one_more.saw(0, 0)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60), st.integers(0, 300), st.integers(1, 50))
def test_it_saw_what_began_after_it_came_unless_half_of_the_seconds_passed_between_two_looks(
    steps: list[int], from_s: int, length_s: int
) -> None:
    moments = list(accumulate(steps))
    far = [(one, other) for one, other in pairwise(moments) if other - one > LOOKS_APART_S_MAX]
    missed = [sum(one <= second < other for second in range(from_s, from_s + length_s)) for one, other in far]
    is_seen = looks(*moments).saw(from_s, from_s + length_s)
    assert is_seen == (moments[0] <= from_s and 2 * max(missed, default=0) <= length_s)
