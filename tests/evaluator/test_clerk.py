"""What goes into the blob of a round."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.making import Story, make_document

from dgrid.core.keccak import keccak
from dgrid.evaluator.clerk import bounded
from dgrid.settlement.grounds import shown
from dgrid.wire.grounds import Grounds, Method
from dgrid.wire.quality import NOT_SCORED, LeafKey, Report


def grounds_of(size: int) -> Grounds:
    answer = "x" * size
    return Grounds(Method.RULES, (shown(make_document(Story(answer=answer)), answer),))


def report(at: int, grounds: Grounds | None) -> Report:
    said = Report(LeafKey(bytes(20), 5, 0, at), keccak(bytes((at,))), 0, accuracy_bps=9_000, peers=(bytes(32),))
    return said if grounds is None else msgspec.structs.replace(said, grounds=grounds.digest())


@given(st.lists(st.none() | st.integers(0, 300), max_size=6), st.integers(0, 12_000))
def test_a_blob_never_grows_beyond_its_bound_and_no_score_is_given_whose_grounds_are_not(
    sizes: list[int | None], bytes_max: int
) -> None:
    """Whatever is shown; what nobody is to be shown is not touched."""
    grounds = [None if size is None else grounds_of(size) for size in sizes]
    reports = [report(at, one) for at, one in enumerate(grounds)]
    known = {one.digest(): one for one in grounds if one is not None}
    said, kept = bounded(reports, known, bytes_max=bytes_max)
    assert sum(len(one.encode()) for one in kept) <= bytes_max
    assert [one.grounds for one in said if one.grounds] == [one.digest() for one in kept]
    assert [one.key for one in said] == [one.key for one in reports]
    for before, after in zip(reports, said, strict=True):
        if not before.grounds or after.grounds:
            assert after == before
        else:
            assert (after.accuracy_bps, after.consistency_bps, after.peers) == (NOT_SCORED, NOT_SCORED, ())
    if sum(len(one.encode()) for one in grounds if one is not None) <= bytes_max:
        assert list(said) == reports
