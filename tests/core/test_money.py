from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.money import BPS, FREE, NOTHING, Price, Terms, split_fee, worst_case

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
