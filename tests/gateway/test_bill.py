"""What a receipt's label says of an answer: its price against the cheapest, and the checks that it passed."""

from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.door import FIELDS, admission, custodial, with_key
from tests.gateway.stage import StagedChain

from dgrid.core.identity import NO_LISTING
from dgrid.core.money import FREE, Price, Terms
from dgrid.gateway.bill import checks_of, cost_position
from dgrid.gateway.orders import Listing, Seller
from dgrid.wire.messages import Flag


@dataclass
class Told:
    """What was counted of an answer."""

    text: str
    flags: int = 0
    tokens_in: int = 1
    tokens_out: int = 1
    validity: tuple[str, ...] = ("count",)
    receipt_hash: bytes = bytes(32)


def offer_at(price: Price) -> Seller:
    terms, listing = Terms(price, FREE, 200, 500), Listing(NO_LISTING, 0, FREE)
    return Seller(bytes(20), "http://1", "tiny", *(bytes(32),) * 3, "", 512, 4, terms, listing, line_wei=1)


@given(st.integers(0, 10**20), st.integers(0, 10**20), st.integers(1, 10**20))
def test_a_label_says_how_many_times_the_cheapest_price_is_paid(in_wei: int, out_wei: int, cheapest_wei: int) -> None:
    offer = offer_at(Price(in_wei, out_wei))
    assert cost_position(offer, cheapest_wei) == min(2**32, (3 * in_wei + out_wei) * 10_000 // cheapest_wei)
    assert cost_position(offer, 0) == 10_000


@pytest.mark.parametrize(
    ("text", "flags", "named"),
    [
        ('{"a": 1}', 0, True),
        ("no object", 0, False),
        ('{"a": 1}', Flag.PARTIAL, False),  # the rest of it may have been anything
        ('{"a": 1}', Flag.SUPPORT, True),
    ],
)
def test_only_a_whole_answer_of_the_asked_form_is_said_to_have_it(text: str, flags: int, *, named: bool) -> None:
    chain = StagedChain()
    custodial(chain)
    body = msgspec.json.encode({**FIELDS, "response_format": {"type": "json_object"}})
    order = admission(chain).admit(with_key(body))
    assert checks_of(order, Told(text, flags)) == (("count", "format") if named else ("count",))
    assert checks_of(admission(chain).admit(with_key()), Told(text, flags)) == ("count",)
