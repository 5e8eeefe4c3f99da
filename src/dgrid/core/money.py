"""Fees as integers: what a request costs, who gets which part, and the law that nothing is lost.

All amounts are in the token's smallest unit; prices are per million tokens; every division rounds down, and what
rounding leaves stays inside the sum it came from.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

TOKENS_PER_PRICE = 10**6
BPS = 10**4
WEI = 10**18
AMOUNT_MAX = 2**128 - 1

_DECIMAL = re.compile(r"[0-9][0-9_]*(?:\.[0-9]+)?")


def scaled(text: str, factor: int) -> int:
    """A decimal number as people write it times a factor, exactly. Raises ValueError where the product is not whole."""
    if _DECIMAL.fullmatch(text) is None:
        raise ValueError(f"{text} is no number")
    product = Fraction(text.replace("_", "")) * factor
    if product.denominator != 1:
        raise ValueError(f"{text} has too many decimals")
    return product.numerator


def amount_text(wei: int) -> str:
    """An amount in whole tokens, with as many decimals as it needs."""
    sign, whole, part = "-" if wei < 0 else "", *divmod(abs(wei), WEI)
    decimals = f"{part:018}".rstrip("0")
    return f"{sign}{whole:,}{'.' + decimals if decimals else ''}"


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost, in and out."""

    in_wei: int
    out_wei: int

    def gross(self, tokens_in: int, tokens_out: int) -> int:
        """⌊(in · price + out · price) / 10⁶⌋."""
        return (tokens_in * self.in_wei + tokens_out * self.out_wei) // TOKENS_PER_PRICE


FREE = Price(0, 0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a fee is computed from: the node's offer, the creator's price, the protocol's cut, the gateway's margin."""

    node: Price
    listing: Price
    protocol_bps: int
    margin_bps: int

    def __post_init__(self) -> None:
        if not 0 <= self.protocol_bps <= BPS or not 0 <= self.margin_bps <= BPS:
            raise ValueError("basis points lie between 0 and 10,000")


class Split(NamedTuple):
    """One fee and its parts; `fee_wei` is always their sum."""

    fee_wei: int
    node_wei: int
    listing_wei: int
    protocol_wei: int
    gateway_wei: int


NOTHING = Split(0, 0, 0, 0, 0)


def split_fee(terms: Terms, *, tokens_in: int, tokens_out: int) -> Split:
    """The fee of a request and its parts (PROTOCOL: protocol from the node's part, creators uncut, margin on top)."""
    node, creator = terms.node, terms.listing
    gross = (tokens_in * node.in_wei + tokens_out * node.out_wei) // TOKENS_PER_PRICE  # `Price.gross`, without the call
    listing = (tokens_in * creator.in_wei + tokens_out * creator.out_wei) // TOKENS_PER_PRICE
    protocol, gateway = gross * terms.protocol_bps // BPS, gross * terms.margin_bps // BPS
    return Split(gross + listing + gateway, gross - protocol, listing, protocol, gateway)


def worst_case(terms: Terms, *, tokens_in: int, tokens_out_max: int) -> int:
    """The most a request can cost: what is held before any byte leaves."""
    return split_fee(terms, tokens_in=tokens_in, tokens_out=tokens_out_max).fee_wei
