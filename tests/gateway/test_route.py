"""Routing: filters first, then the better of two; failures send away for a while, never more than half."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.identity import NO_LISTING
from dgrid.core.money import FREE, Price, Terms
from dgrid.gateway.orders import Listing, Seller
from dgrid.gateway.route.choose import Moment, choose, two_choices
from dgrid.gateway.route.load import EJECTED_MS, Loads, NodeLoad
from dgrid.gateway.route.market import Market
from dgrid.gateway.route.models import wanted_models
from dgrid.gateway.route.wishes import NO_WISHES, Wishes
from dgrid.wire.openai import decode_chat

NOW_MS = 1_000_000


def seller(number: int, *, price_wei: int = 100, capacity: int = 4, model: str = "tiny", line_wei: int = 1) -> Seller:
    terms = Terms(Price(price_wei, price_wei), FREE, 200, 500)
    listing = Listing(NO_LISTING, 0, FREE)
    node, name = bytes([number]) * 20, bytes(32)
    return Seller(node, f"http://{number}", model, name, name, name, "", 512, capacity, terms, listing, line_wei)


def moment(loads: Loads | None = None, *, owed_wei: int = 0, seed: int = 1) -> Moment:
    return Moment(loads or Loads(), NOW_MS, Random(seed), lambda _: owed_wei)


def pick(sellers: Sequence[Seller], wishes: Wishes = NO_WISHES, **more: object) -> Seller | None:
    given_moment = more.get("moment") or moment()
    assert isinstance(given_moment, Moment)
    return choose(sellers, wishes, moment=given_moment, excluded=frozenset())


def test_the_same_picture_and_chance_give_the_same_choice() -> None:
    sellers = [seller(number) for number in range(1, 9)]
    assert [two_choices(sellers, moment(seed=at)) for at in range(20)] == [
        two_choices(sellers, moment(seed=at)) for at in range(20)
    ]


@given(st.integers(2, 12), st.integers(0, 10**6))
def test_the_slowest_of_all_is_never_chosen_over_another(count: int, seed: int) -> None:
    loads, sellers = Loads(), [seller(number) for number in range(1, count + 1)]
    for at, one in enumerate(sellers):
        loads.of(one.node).succeeded(10.0 * (at + 1), NOW_MS)
    assert two_choices(sellers, moment(loads, seed=seed)) != sellers[-1]


def test_a_node_without_credit_or_room_is_passed_over() -> None:
    loads = Loads()
    assert pick([seller(1)], moment=moment(owed_wei=1)) is None
    loads.of(seller(1).node).in_flight = 10_000
    assert pick([seller(1), seller(2)], moment=moment(loads)) == seller(2)


def test_ejection_lasts_longer_each_time_and_ends_with_a_success() -> None:
    load = NodeLoad()
    for times in (1, 2, 3):
        for _ in range(3):
            load.failed(NOW_MS)
        assert load.ejected_until_ms == NOW_MS + times * EJECTED_MS
    load.succeeded(5.0, NOW_MS)
    assert load.ejections == 0


def test_never_more_than_half_are_kept_away() -> None:
    loads, sellers = Loads(), [seller(number) for number in range(1, 5)]
    for one in sellers[:3]:
        loads.of(one.node).eject(NOW_MS)
    chosen = {pick(sellers, moment=moment(loads, seed=seed)) for seed in range(50)}
    assert len(chosen) > 1
    loads = Loads()
    for one in sellers[:2]:
        loads.of(one.node).eject(NOW_MS)
    assert {pick(sellers, moment=moment(loads, seed=seed)) for seed in range(50)} == set(sellers[2:])


def test_a_rise_in_latency_is_believed_at_once_a_fall_only_over_time() -> None:
    load = NodeLoad()
    load.succeeded(100.0, 0)
    load.succeeded(500.0, 1)
    assert load.latency_ms == 500.0
    load.succeeded(100.0, 2)
    assert load.latency_ms is not None
    assert load.latency_ms > 490
    load.succeeded(100.0, 60_000)
    assert load.latency_ms < 102


@pytest.mark.parametrize(
    ("wishes", "refused"),
    [
        (Wishes(only=frozenset({seller(2).name})), "only"),
        (Wishes(ignore=frozenset({seller(1).name})), "ignore"),
        (Wishes(in_price_wei_max=99), "max_price"),
        (Wishes(out_price_wei_max=99), "max_price"),
        (Wishes(order=(seller(2).name,), allow_fallbacks=False), "order"),
        (NO_WISHES, ""),
    ],
)
def test_wishes_rule_out_by_name(wishes: Wishes, refused: str) -> None:
    assert wishes.refusal(seller(1)) == refused


def test_an_order_is_followed_and_a_sort_by_price_takes_the_cheapest() -> None:
    sellers = [seller(1, price_wei=100), seller(2, price_wei=90), seller(3, price_wei=110)]
    assert pick(sellers, Wishes(order=(sellers[2].name,))) == sellers[2]
    assert pick(sellers, Wishes(sort="price")) == sellers[1]


def test_one_absurd_price_does_not_decide_what_everybody_holds() -> None:
    market = Market.of([seller(1), seller(2, price_wei=10**30)], quality={})
    assert market.in_band["tiny"] == (seller(1),)
    assert len(market.models["tiny"].sellers) == 2


def test_auto_takes_the_best_the_cheapest_or_the_fastest() -> None:
    small, large = seller(1, model="small", price_wei=10), seller(2, model="large", price_wei=50)
    loads = Loads()
    loads.of(small.node).succeeded(50.0, 0)
    loads.of(large.node).succeeded(10.0, 0)
    market = Market.of([small, large], quality={})
    measured = replace(market, quality={"small": 9_000, "large": 8_000})

    def first(name: str, among: Market) -> str:
        chat = decode_chat(b'{"model":"%s","messages":[{"role":"user","content":"x"}]}' % name.encode())
        return wanted_models(chat, among, loads=loads)[0]

    assert (first("auto", market), first("auto:best", measured)) == ("large", "small")
    assert (first("auto:cheap", market), first("auto:fast", market)) == ("small", "large")
