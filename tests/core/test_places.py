from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.places import NO_PLACE, Place, unpack_place

whole = st.integers(0, 2**64 - 1)


@given(st.integers(0, 2**64 - 2), st.integers(0, 2**32 - 1), whole)
def test_a_packed_place_comes_back_whole(epoch: int, lane: int, sequence: int) -> None:
    place = Place(epoch, lane, sequence)
    assert place.packed() < NO_PLACE
    assert unpack_place(place.packed(), lane=lane) == place


@given(whole, whole, whole, whole)
def test_packed_places_of_a_lane_keep_their_order(epoch: int, sequence: int, later: int, other: int) -> None:
    left, right = Place(epoch, 0, sequence), Place(later, 0, other)
    assert (left.packed() < right.packed()) == (left < right)


def test_no_earlier_leaf_is_no_place() -> None:
    assert unpack_place(NO_PLACE, lane=3) is None
