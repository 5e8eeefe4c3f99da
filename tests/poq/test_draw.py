from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poq.world import RULES, Evaluator, Node, World, address, honest

from dgrid.core.keccak import keccak
from dgrid.core.money import WEI
from dgrid.poq.draw import committee, duties, is_drawn
from dgrid.poq.evidence import DrawnEpoch, EvaluatorFacts
from dgrid.wire.messages import Flag, Privacy


def drawn_epoch(*, evaluators: int = 6, leaves: int = 60, seed: int = 0) -> DrawnEpoch:
    nodes = [Node("n1", "dgrid-mini", 0.8), Node("n2", "dgrid-micro", 0.7)]
    people = [Evaluator(f"e{number}", honest()) for number in range(evaluators)]
    return World(nodes, people, seed=seed, leaves_per_round=leaves).evidence().draws[0]


def test_a_leaf_is_drawn_by_the_stated_hash_and_nothing_else() -> None:
    draw = drawn_epoch()
    for leaf in draw.leaves:
        number = int.from_bytes(keccak(draw.seed + b"quality" + leaf.receipt), "big")
        assert is_drawn(leaf, draw, purpose=b"quality", share_bps=3_000) == (number * 10_000 < 3_000 * 2**256)


def test_about_the_stated_share_is_drawn_and_the_two_purposes_are_independent() -> None:
    draw = drawn_epoch(leaves=4_000)
    quality = [is_drawn(leaf, draw, purpose=b"quality", share_bps=3_000) for leaf in draw.leaves]
    identity = [is_drawn(leaf, draw, purpose=b"identity", share_bps=3_000) for leaf in draw.leaves]
    both = sum(a and b for a, b in zip(quality, identity, strict=True))
    assert 1_100 < sum(quality) < 1_300
    assert 290 < both < 430


def test_nothing_is_drawn_at_zero_and_everything_at_the_whole_or_when_the_seed_expired() -> None:
    draw = drawn_epoch()
    assert not any(is_drawn(leaf, draw, purpose=b"quality", share_bps=0) for leaf in draw.leaves)
    assert all(is_drawn(leaf, draw, purpose=b"quality", share_bps=10_000) for leaf in draw.leaves)
    late = replace(draw, expired=True)
    assert all(is_drawn(leaf, late, purpose=b"identity", share_bps=0) for leaf in late.leaves)


@pytest.mark.parametrize(
    "hidden",
    [{"privacy": Privacy.NONE}, {"privacy": Privacy.SEALED}, {"flags": Flag.CACHED}, {"flags": Flag.SUPPORT | 1}],
)
def test_what_nobody_may_read_or_nobody_worked_for_is_never_drawn(hidden: dict[str, int]) -> None:
    draw = replace(drawn_epoch(), expired=True)
    leaf = replace(draw.leaves[0], **hidden)  # type: ignore[arg-type]
    assert not is_drawn(leaf, draw, purpose=b"quality", share_bps=10_000)


def test_a_committee_holds_only_those_who_declared_the_model_and_no_party() -> None:
    draw = drawn_epoch()
    leaf = draw.leaves[0]
    able = EvaluatorFacts(address("able"), WEI, frozenset({leaf.model_digest}))
    others = (
        EvaluatorFacts(address("other model"), 10**9 * WEI, frozenset({keccak(b"other")})),
        EvaluatorFacts(leaf.node, 10**9 * WEI, frozenset({leaf.model_digest})),
        EvaluatorFacts(leaf.payer, 10**9 * WEI, frozenset({leaf.model_digest})),
        EvaluatorFacts(draw.gateway, 10**9 * WEI, frozenset({leaf.model_digest})),
    )
    assert committee(leaf, replace(draw, evaluators=(able, *others)), size=3) == (able,)


@pytest.mark.parametrize("stakes", [(1, 1, 2), (1_000, 1_000, 2_000)])
def test_twice_the_stake_is_drawn_about_twice_as_often(stakes: tuple[int, ...]) -> None:
    draw = drawn_epoch(leaves=3_000)
    models = draw.evaluators[0].models
    people = tuple(EvaluatorFacts(address(f"s{at}"), stake * WEI, models) for at, stake in enumerate(stakes))
    chosen = Counter(committee(leaf, replace(draw, evaluators=people), size=1)[0].address for leaf in draw.leaves)
    heavy = chosen[people[2].address] / 3_000
    assert 0.5 < heavy < 0.65  # the lowest of three lots, one of them over two: 7/12


def test_no_stake_at_all_is_no_division_by_zero() -> None:
    draw = drawn_epoch()
    poor = EvaluatorFacts(address("poor"), 0, draw.evaluators[0].models)
    assert committee(draw.leaves[0], replace(draw, evaluators=(poor,)), size=1) == (poor,)


@given(cap=st.integers(1, 40), size=st.integers(1, 6), seed=st.integers(0, 50))
def test_nobody_has_more_duties_than_the_cap_and_no_leaf_more_members_than_its_committee(
    cap: int, size: int, seed: int
) -> None:
    rules = replace(RULES.draw, duty_cap=cap, committee_size=size)
    found = duties([drawn_epoch(seed=seed)], rules)
    assert all(count <= cap for count in Counter(duty.evaluator for duty in found).values())
    assert all(count <= size for count in Counter(duty.leaf.key for duty in found).values())
    assert len({(duty.evaluator, duty.leaf.key) for duty in found}) == len(found)


def test_the_cap_keeps_the_lowest_lots() -> None:
    draw = drawn_epoch()
    every = duties([draw], replace(RULES.draw, duty_cap=1_000))
    few = duties([draw], replace(RULES.draw, duty_cap=4))
    for evaluator in draw.evaluators:
        lots = {
            duty.leaf.key: keccak(draw.seed + duty.leaf.receipt + evaluator.address)
            for duty in every
            if duty.evaluator == evaluator.address
        }
        kept = {duty.leaf.key for duty in few if duty.evaluator == evaluator.address}
        assert kept == set(sorted(lots, key=lambda key: lots[key])[:4])


def test_the_cap_holds_over_all_gateways_of_a_round() -> None:
    first = drawn_epoch()
    second = replace(first, gateway=address("second"), seed=keccak(b"second"))
    found = duties([first, second], replace(RULES.draw, duty_cap=5))
    assert max(Counter(duty.evaluator for duty in found).values()) == 5


def test_the_order_of_leaves_evaluators_and_draws_does_not_matter() -> None:
    first = drawn_epoch()
    second = replace(drawn_epoch(seed=1), gateway=address("second"), seed=keccak(b"second"))
    expected = duties([first, second], RULES.draw)
    rng = Random(5)

    def mixed(draw: DrawnEpoch) -> DrawnEpoch:
        people, leaves = list(draw.evaluators), list(draw.leaves)
        rng.shuffle(people)
        rng.shuffle(leaves)
        return replace(draw, evaluators=tuple(people), leaves=tuple(leaves))

    assert duties([mixed(second), mixed(first)], RULES.draw) == expected


def test_quality_and_identity_of_one_leaf_are_one_duty() -> None:
    found = duties([replace(drawn_epoch(), expired=True)], RULES.draw)
    assert found
    assert all(duty.quality and duty.identity for duty in found)
