import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.money import (
    AMOUNT_MAX,
    BPS,
    FREE,
    NOTHING,
    WEI,
    Price,
    Terms,
    amount_text,
    scaled,
    split_fee,
    worst_case,
)

prices = st.builds(Price, st.integers(0, 10**24), st.integers(0, 10**24))
shares_bps = st.integers(0, BPS)
terms = st.builds(Terms, prices, prices, shares_bps, shares_bps)
tokens = st.integers(0, 2**32 - 1)


@given(terms, tokens, tokens)
def test_every_fee_is_the_sum_of_its_parts(terms: Terms, tokens_in: int, tokens_out: int) -> None:
    split = split_fee(terms, tokens_in=tokens_in, tokens_out=tokens_out)
    assert split.fee_wei == split.node_wei + split.listing_wei + split.protocol_wei + split.gateway_wei
    assert min(split.node_wei, split.listing_wei, split.protocol_wei, split.gateway_wei) >= 0


@given(terms, tokens, tokens)
def test_node_and_protocol_share_exactly_the_price_of_the_tokens(terms: Terms, tokens_in: int, tokens_out: int) -> None:
    split = split_fee(terms, tokens_in=tokens_in, tokens_out=tokens_out)
    gross = terms.node.gross(tokens_in, tokens_out)
    assert split.node_wei + split.protocol_wei == gross
    assert split.protocol_wei * BPS <= gross * terms.protocol_bps
    assert split.gateway_wei * BPS <= gross * terms.margin_bps


@given(terms, tokens, tokens, st.integers(0, 2**20))
def test_the_hold_covers_every_shorter_answer(terms: Terms, tokens_in: int, tokens_out: int, fewer: int) -> None:
    held = worst_case(terms, tokens_in=tokens_in, tokens_out_max=tokens_out)
    used = max(0, tokens_out - fewer)
    assert split_fee(terms, tokens_in=tokens_in, tokens_out=used).fee_wei <= held


def test_a_known_fee_splits_as_written_down() -> None:
    terms = Terms(Price(1_000_000, 3_000_000), Price(0, 500_000), protocol_bps=200, margin_bps=500)
    split = split_fee(terms, tokens_in=100, tokens_out=200)
    assert (split.node_wei, split.listing_wei, split.protocol_wei, split.gateway_wei) == (686, 100, 14, 35)
    assert split.fee_wei == 835


@given(terms)
def test_no_tokens_cost_nothing(terms: Terms) -> None:
    assert split_fee(terms, tokens_in=0, tokens_out=0) == NOTHING
    assert FREE.gross(10**6, 10**6) == 0


@given(st.integers(0, AMOUNT_MAX))
def test_an_amount_is_read_exactly_as_it_is_written(wei: int) -> None:
    assert scaled(amount_text(wei).replace(",", ""), WEI) == wei
    assert amount_text(-wei) == (f"-{amount_text(wei)}" if wei else "0")


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1e3", "NaN", ".5", "1.", "1,5", "٣", "1" * 5_000, "0.0000000000000000001"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no number|too many decimals|digits"):
        scaled(text, WEI)
