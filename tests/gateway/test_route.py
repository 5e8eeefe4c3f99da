"""Routing: filters first, then the better of two; failures send away for a while, never more than half."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.identity import NO_LISTING
from dgrid.core.keccak import keccak
from dgrid.core.money import FREE, Price, Terms
from dgrid.gateway.orders import Listing, Room, Seller
from dgrid.gateway.route.choose import Moment, choose
from dgrid.gateway.route.entrants import PROVEN_SAMPLES, Field, worst_case_of
from dgrid.gateway.route.load import ENOUGH, RAMP_MS, Loads, NodeLoad
from dgrid.gateway.route.market import Market
from dgrid.gateway.route.models import Expected, ModelChoice, Wanted
from dgrid.gateway.route.picture import Picture
from dgrid.gateway.route.standing import BPS, NOTHING_KNOWN, Credibility, Standing, pooled
from dgrid.gateway.route.wishes import NO_WISHES, Wishes
from dgrid.wire.openai import decode_chat

NOW_MS = 1_000_000
NEW_SHARE = 0.2


def seller(number: int, *, price_wei: int = 100, capacity: int = 4, model: str = "tiny", line_wei: int = 1) -> Seller:
    terms = Terms(Price(price_wei, price_wei), FREE, 200, 500)
    listing = Listing(NO_LISTING, 0, FREE)
    node, name = bytes([number]) * 20, bytes(32)
    return Seller(node, f"http://{number}", model, name, name, name, "", 512, capacity, terms, listing, line_wei)


def moment_of(loads: Loads | None = None, *, owed_wei: int = 0, seed: int = 1) -> Moment:
    return Moment(loads or Loads(), NOW_MS, Random(seed), lambda _: owed_wei, lambda _: 0, new_share=lambda: NEW_SHARE)


def standing(mean: float, samples: int, *, low_bps: int | None = None, high_bps: int | None = None) -> Standing:
    known = Standing(mean * samples, (1 - mean) * samples, round(mean * 10_000), 0, 10_000, samples)
    reach = 1.645 * known.spread
    bounds = [round(max(0.0, min(1.0, mean + way * reach)) * 10_000) for way in (-1, 1)]
    low_bps, high_bps = low_bps or bounds[0], high_bps or bounds[1]
    return Standing(known.good, known.bad, known.mean_bps, low_bps, high_bps, samples, low_bps, high_bps)


def believed(*known: tuple[Seller, Standing], task: str = "") -> Credibility:
    return Credibility(3, {(one.node, one.model_id, task): what for one, what in known})


def pick(
    sellers: Sequence[Seller],
    wishes: Wishes = NO_WISHES,
    *,
    moment: Moment | None = None,
    credibility: Credibility = NOTHING_KNOWN,
    excluded: frozenset[bytes] = frozenset(),
) -> Seller | None:
    field = Field.of(tuple(sellers), credibility)
    found = choose(field, wishes, moment=moment or moment_of(), excluded=excluded)
    return None if found is None else found.seller


def shares(sellers: Sequence[Seller], credibility: Credibility, *, loads: Loads | None = None) -> dict[bytes, float]:
    """Who gets which part of 10,000 requests, by the number of the node."""
    field, now, counts = Field.of(tuple(sellers), credibility), moment_of(loads, seed=7), Counter[bytes]()
    for _ in range(10_000):
        found = choose(field, NO_WISHES, moment=now, excluded=frozenset())
        assert found is not None
        counts[found.seller.node] += 1
    return {one.node: counts[one.node] / 10_000 for one in sellers}


def test_the_same_picture_and_chance_give_the_same_choice() -> None:
    sellers = [seller(number) for number in range(1, 100)]
    known = believed(*((one, standing(0.8, at)) for at, one in enumerate(sellers, 1)))

    def choices() -> list[Seller | None]:
        return [pick(sellers, moment=moment_of(seed=at), credibility=known) for at in range(50)]

    assert choices() == choices()
    assert len(set(map(id, choices()))) > 5


def measured(load: NodeLoad, latency_ms: float, *, times: int = ENOUGH) -> None:
    for _ in range(times):
        load.succeeded(latency_ms, NOW_MS)


def shares_at(latencies_ms: Sequence[float]) -> list[float]:
    """How often each of some nodes is chosen that differ in latency alone."""
    loads, sellers = Loads(), [seller(number) for number in range(1, len(latencies_ms) + 1)]
    for one, latency_ms in zip(sellers, latencies_ms, strict=True):
        measured(loads.of(one.node), latency_ms)
    found = shares(sellers, NOTHING_KNOWN, loads=loads)
    return [found.get(one.node, 0.0) for one in sellers]


def test_nearly_equal_nodes_share_the_work() -> None:
    for share in shares_at([10.0, 10.5, 9.5, 10.2]):
        assert 0.2 < share < 0.3


def test_a_node_that_waits_longer_is_asked_less_and_one_far_behind_hardly_at_all() -> None:
    found = shares_at([10.0, 20.0, 100.0])
    assert found == sorted(found, reverse=True)
    assert found[1] < 0.4
    assert found[2] < 0.01


def test_a_node_without_credit_or_room_is_passed_over() -> None:
    loads = Loads()
    assert pick([seller(1)], moment=moment_of(owed_wei=1)) is None
    loads.of(seller(1).node).in_flight = 10_000
    assert pick([seller(1), seller(2)], moment=moment_of(loads)) == seller(2)


def test_a_node_that_comes_back_gets_its_share_again_step_by_step() -> None:
    sellers = [seller(1), seller(2)]

    def share_after(since_ms: int) -> float:
        loads = Loads()
        for one in sellers:
            loads.of(one.node).succeeded(10.0, NOW_MS - 60_000)
        loads.of(sellers[0].node).ejected_until_ms = NOW_MS - since_ms
        return shares(sellers, NOTHING_KNOWN, loads=loads).get(sellers[0].node, 0)

    back, middle, after = share_after(0), share_after(RAMP_MS // 2), share_after(RAMP_MS)
    assert 0 < back < 0.02
    assert back < middle < 0.2
    assert 0.45 < after < 0.55


def test_never_more_than_half_are_kept_away() -> None:
    loads, sellers = Loads(), [seller(number) for number in range(1, 5)]
    for one in sellers[:3]:
        loads.of(one.node).eject(NOW_MS)
    chosen = {pick(sellers, moment=moment_of(loads, seed=seed)) for seed in range(50)}
    assert len(chosen) > 1
    loads = Loads()
    for one in sellers[:2]:
        loads.of(one.node).eject(NOW_MS)
    assert {pick(sellers, moment=moment_of(loads, seed=seed)) for seed in range(50)} == set(sellers[2:])


def test_a_latency_below_what_the_clock_tells_and_a_clock_put_back_do_no_harm() -> None:
    assert shares_at([0.0, 0.0]) == pytest.approx([0.5, 0.5], abs=0.05)
    assert shares_at([-3_600_000.0, 10.0])[0] > 0.99


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
        return wanted(name, Picture.of(among, NOTHING_KNOWN), loads=loads).models[0]

    assert (first("auto", market), first("auto:best", measured)) == ("large", "small")
    assert (first("auto:cheap", market), first("auto:fast", market)) == ("small", "large")


def wanted(name: str, picture: Picture, *, loads: Loads | None = None, seed: int = 1, task: str = "extract") -> Wanted:
    chat = decode_chat(b'{"model":"%s","messages":[{"role":"user","content":"x"}]}' % name.encode())
    choice = ModelChoice(picture, loads or Loads(), task_of=lambda _: task, chance=Random(seed))
    return choice.wanted(chat)


def named(number: int, model: str) -> Seller:
    return replace(seller(number, model=model), model_id=keccak(model.encode()))


def test_auto_prefers_the_model_that_is_truly_better_at_this_kind_of_task() -> None:
    reader, talker = named(1, "reader"), named(2, "talker")
    market = Market.of([reader, talker], quality={"reader": 6_000, "talker": 9_000})  # as published, over everything
    rows = {
        (one.node, one.model_id, task): standing(mean, 60)
        for one, task, mean in (
            (reader, "extract", 0.92),
            (talker, "extract", 0.45),
            (reader, "chat", 0.3),
            (talker, "chat", 0.8),
        )
    }
    picture = Picture.of(market, Credibility(3, rows))
    for virtual in ("auto", "auto:best"):
        firsts = Counter(
            (task, wanted(virtual, picture, seed=seed, task=task).models[0])
            for seed in range(200)
            for task in ("extract", "chat")
        )
        assert firsts["extract", "reader"] > 190
        assert firsts["chat", "talker"] > 190
    assert wanted("auto:best", picture).ranking[0] == Expected("reader", 8_400, 60, 8_400)  # (55.2 + 12) / 80


def test_auto_goes_by_the_published_quality_where_little_was_judged() -> None:
    reader, talker = named(1, "reader"), named(2, "talker")
    market = Market.of([reader, talker], quality={"reader": 6_000, "talker": 9_000})
    picture = Picture.of(market, Credibility(3, {(reader.node, reader.model_id, "extract"): standing(0.99, 2)}))
    assert wanted("auto:best", picture).models == ("talker", "reader")
    assert wanted("auto:best", Picture.of(market, NOTHING_KNOWN)).models == ("talker", "reader")


def test_a_false_node_does_not_pull_its_honest_peers_model_down() -> None:
    honest, false = (replace(named(number, "reader"), line_wei=1) for number in (1, 2))
    talker = named(3, "talker")
    known = {
        (one.node, one.model_id, task): standing(mean, 200)
        for one, mean in ((honest, 0.8), (false, 0.1), (talker, 0.7))
        for task in ("", "extract")
    }
    picture = Picture.of(Market.of([honest, false, talker], quality={}), Credibility(3, known))
    assert wanted("auto:best", picture).models == ("reader", "talker")


# --- credibility among the nodes of one model ---


def test_a_doubtful_node_gets_at_most_two_percent_and_the_honest_share_the_rest() -> None:
    sellers = [seller(number) for number in range(1, 6)]
    known = believed(*((one, standing(0.85, 100)) for one in sellers[:4]), (sellers[4], standing(0.4, 100)))
    found = shares(sellers, known)
    assert 0 < found[sellers[4].node] <= 0.02
    assert all(0.15 < found[one.node] < 0.35 for one in sellers[:4])


def test_many_doubtful_nodes_get_no_more_together_than_one() -> None:
    sellers = [seller(number) for number in range(1, 61)]
    known = believed(
        *((one, standing(0.85, 100)) for one in sellers[:31]), *((one, standing(0.3, 100)) for one in sellers[31:])
    )
    found = shares(sellers, known)
    assert 0 < sum(found[one.node] for one in sellers[31:]) <= 0.02


def test_a_faster_answer_does_not_buy_a_doubtful_node_more() -> None:
    sellers, loads = [seller(1), seller(2)], Loads()
    loads.of(sellers[0].node).succeeded(500.0, NOW_MS)
    loads.of(sellers[1].node).succeeded(1.0, NOW_MS)
    known = believed((sellers[0], standing(0.85, 100)), (sellers[1], standing(0.4, 100)))
    assert shares(sellers, known, loads=loads)[sellers[1].node] <= 0.02
    for sort in ("price", "latency"):
        assert pick(sellers, Wishes(sort=sort), moment=moment_of(loads), credibility=known) == sellers[0]


def test_a_doubtful_node_serves_when_nobody_else_can_or_when_it_is_named() -> None:
    sellers, loads = [seller(1), seller(2)], Loads()
    known = believed((sellers[0], standing(0.85, 100)), (sellers[1], standing(0.4, 100)))
    assert pick(sellers, credibility=known, excluded=frozenset({sellers[0].node})) == sellers[1]
    assert pick(sellers, Wishes(order=(sellers[1].name,)), credibility=known) == sellers[1]
    loads.of(sellers[0].node).eject(NOW_MS)  # a node that has just failed is still the better choice
    chosen = Counter(pick(sellers, moment=moment_of(loads, seed=at), credibility=known) for at in range(500))
    assert chosen[sellers[1]] <= 20


def test_new_nodes_share_a_bounded_part_by_stake_so_that_splitting_gains_nothing() -> None:
    old = [seller(number) for number in range(1, 4)]
    known = believed(*((one, standing(0.85, 100)) for one in old))
    whole = [replace(seller(10), stake_wei=600), replace(seller(11), stake_wei=600)]
    split = [whole[0], *(replace(seller(20 + at), stake_wei=12) for at in range(50))]
    alone, among_many = (shares([*old, *new], known) for new in (whole, split))
    assert 0.15 < alone[whole[0].node] + alone[whole[1].node] < 0.25
    assert 0.15 < sum(among_many[one.node] for one in split) < 0.25
    assert sum(among_many[one.node] for one in split[1:]) < 1.2 * alone[whole[1].node]


def test_of_two_good_nodes_the_more_credible_gets_more_and_both_get_some() -> None:
    sellers = [seller(number) for number in range(1, 3)]
    known = believed((sellers[0], standing(0.9, 60)), (sellers[1], standing(0.82, 60)))
    found = shares(sellers, known)
    assert found[sellers[0].node] > found[sellers[1].node] > 0.05


@given(st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 1_000), st.integers(0, 40)), min_size=1, max_size=12))
def test_no_model_has_only_doubtful_nodes(bounds: list[tuple[int, int, int]]) -> None:
    sellers = [seller(number) for number in range(1, len(bounds) + 1)]
    rows = [Standing(1.0, 1.0, low, low, low + width, samples, low, low + width) for low, width, samples in bounds]
    field = Field.of(tuple(sellers), believed(*zip(sellers, rows, strict=True)))
    assert field.proven.entrants or field.new.entrants
    best = max((one for one in rows if one.samples >= PROVEN_SAMPLES), key=lambda one: one.own_high_bps, default=None)
    assert best is None or best not in [one.standing for one in field.doubtful.entrants]


def test_the_measure_of_doubt_withstands_half_of_the_nodes() -> None:
    for honest, false in ((1, 1), (2, 2), (5, 5), (1, 2)):
        sellers = [seller(number) for number in range(1, honest + false + 1)]
        rows = [standing(0.85, 100)] * honest + [standing(0.3, 100)] * false
        field = Field.of(tuple(sellers), believed(*zip(sellers, rows, strict=True)))
        assert [one.seller for one in field.doubtful.entrants] == sellers[honest:]


def test_doubt_that_all_nodes_of_a_model_share_keeps_no_false_one_among_the_proven() -> None:
    sellers = [seller(number) for number in range(1, 4)]
    alone = [standing(0.85, 100), standing(0.85, 100), standing(0.5, 100)]
    rows = [msgspec.structs.replace(one, low_bps=one.low_bps - 2_500, high_bps=BPS) for one in alone]
    field = Field.of(tuple(sellers), believed(*zip(sellers, rows, strict=True)))
    assert [one.seller for one in field.doubtful.entrants] == sellers[2:]


def test_more_nodes_narrow_what_is_their_own_and_not_what_their_model_may_be_off_by() -> None:
    apart = standing(0.5, 100)
    common = Standing(50.0, 50.0, 5_000, 3_000, 7_000, 100, 5_000, 5_000)
    one, hundred = pooled([apart]), pooled([apart] * 100)
    assert 10 * (hundred.high_bps - hundred.low_bps) == pytest.approx(one.high_bps - one.low_bps, abs=20)
    assert (pooled([common] * 100).low_bps, pooled([common] * 100).high_bps) == (3_000, 7_000)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)
def test_the_dearest_found_ahead_costs_what_the_dearest_costs(
    prices: list[tuple[int, int]], tokens_in: int, tokens_out: int
) -> None:
    sellers = tuple(
        replace(seller(at), terms=Terms(Price(in_wei, out_wei), FREE, 200, 500))
        for at, (in_wei, out_wei) in enumerate(prices, 1)
    )
    room = Room(tokens_in, tokens_out, is_counted=True)
    worst_wei = max(worst_case_of(one.terms, room) for one in sellers)
    assert Field.of(sellers, NOTHING_KNOWN).worst_wei(room) == worst_wei


def test_a_choice_among_ten_thousand_looks_at_a_handful() -> None:
    asked: list[bytes] = []

    def owed_wei(node: bytes) -> int:
        asked.append(node)
        return 0

    sellers = tuple(replace(seller(1), node=at.to_bytes(20, "big")) for at in range(10_000))
    field = Field.of(sellers, believed(*((one, standing(0.8, 50)) for one in sellers[:9_000])))
    now = Moment(Loads(), NOW_MS, Random(3), owed_wei, lambda _: 0, new_share=lambda: NEW_SHARE)
    chosen = set()
    for _ in range(200):
        asked.clear()
        found = choose(field, NO_WISHES, moment=now, excluded=frozenset())
        assert found is not None
        chosen.add(found.seller.node)
        assert len(asked) <= 16
    assert len(chosen) > 150
