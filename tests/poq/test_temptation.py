from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poq.impostors import requests_until_convicted

from dgrid.core.money import BPS, WEI
from dgrid.poq.temptation import Temptation

WEIS = st.integers(0, 10**22)
SHARES = st.integers(0, 10_000)
PUBLISHED = Temptation(  # POQ § 5: p = 5 %, δ = 0.9, Δc = 0.8 P
    check_bps=500, hit_bps=9_000, false_bps=0, price_wei=WEI, slash_wei=0, rents_wei=0, saving_wei=8 * WEI // 10
)


@st.composite
def temptations(draw: st.DrawFn) -> Temptation:
    return Temptation(
        check_bps=draw(SHARES),
        hit_bps=draw(SHARES),
        false_bps=draw(SHARES),
        price_wei=draw(WEIS),
        slash_wei=draw(WEIS),
        rents_wei=draw(WEIS),
        saving_wei=draw(WEIS),
    )


def expected_gain(terms: Temptation, *, cheats: bool) -> Fraction:
    """What a request is worth: every outcome with its probability, honest cost taken as nought."""
    caught = terms.hit_bps if cheats else terms.false_bps
    checked = Fraction(terms.check_bps, 10_000)
    convicted = checked * Fraction(caught, 10_000)
    saved = terms.saving_wei if cheats else 0
    kept, lost = terms.price_wei + saved, saved - terms.slash_wei - terms.rents_wei
    return (1 - convicted) * kept + convicted * lost


@given(temptations())
def test_the_inequality_has_the_sign_of_the_best_response(terms: Temptation) -> None:
    assert terms.is_resisted == (expected_gain(terms, cheats=False) >= expected_gain(terms, cheats=True))


def test_an_impostor_is_convicted_within_the_published_number_of_requests() -> None:
    requests, slash_bps = requests_until_convicted(PUBLISHED, detections=5, certainty_bps=9_900), 500
    assert requests == 255
    assert requests * PUBLISHED.saving_wei == 4_080 * WEI * slash_bps // BPS  # as much stake covers what it saves


@pytest.mark.parametrize("check_bps", [100, 500, 2_500])
def test_checking_more_convicts_sooner(check_bps: int) -> None:
    seldom, often = (
        Temptation(check_bps=share, hit_bps=9_000, false_bps=0, price_wei=1, slash_wei=0, rents_wei=0, saving_wei=1)
        for share in (check_bps, 2 * check_bps)
    )
    assert requests_until_convicted(often, detections=5, certainty_bps=9_900) < requests_until_convicted(
        seldom, detections=5, certainty_bps=9_900
    )


def test_who_is_never_checked_is_refused_not_looped_over() -> None:
    never = Temptation(check_bps=0, hit_bps=9_000, false_bps=0, price_wei=1, slash_wei=0, rents_wei=0, saving_wei=1)
    with pytest.raises(ValueError, match="never convicted"):
        requests_until_convicted(never, detections=5, certainty_bps=9_900)
