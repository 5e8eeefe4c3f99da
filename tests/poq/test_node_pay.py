from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poq.world import RULES, address

from dgrid.core.identity import model_id
from dgrid.core.keccak import keccak
from dgrid.core.money import BPS
from dgrid.poq.credibility import interval_bps, prior_counts
from dgrid.poq.evidence import DrawnEpoch, LeafFacts
from dgrid.poq.node_pay import RELEASE_MAX_WEI, Multipliers, above_base, settle, settle_all, split_refund
from dgrid.poq.rules import MICROS, PayRules
from dgrid.wire.messages import Privacy
from dgrid.wire.quality import CredibilityRow, LeafKey

MODEL = model_id("dgrid-mini")
GATEWAY = address("gateway")
PAY = RULES.pay


def leaf(
    sequence: int, node_wei: int, *, total_wei: int, payer: str = "payer", node: str = "node", fee_wei: int = -1
) -> LeafFacts:
    return LeafFacts(
        key=LeafKey(GATEWAY, 3, 0, sequence),
        receipt=keccak(bytes([sequence % 256])),
        node=address(node),
        payer=address(payer),
        channel_id=keccak(b"channel"),
        model_id=MODEL,
        model_digest=keccak(b"digest"),
        fee_wei=node_wei + 1 if fee_wei < 0 else fee_wei,
        node_wei=node_wei,
        protocol_wei=0,
        node_total_wei=total_wei,
        tokens_in=1,
        tokens_out=1,
        ttft_ms=1,
        total_ms=1,
        privacy=Privacy.COMMITTEE,
        flags=0,
    )


def running(parts: Sequence[int], *, before: int = 0, payers: Sequence[str] = ("payer",)) -> list[LeafFacts]:
    leaves, total = [], before
    for at, part in enumerate(parts):
        total += part
        leaves.append(leaf(at, part, total_wei=total, payer=payers[at % len(payers)]))
    return leaves


def epoch_of(leaves: Sequence[LeafFacts]) -> DrawnEpoch:
    return DrawnEpoch(
        gateway=GATEWAY, epoch=3, round=4, seed=bytes(32), expired=False, evaluators=(), leaves=tuple(leaves)
    )


def row(node: str, mean: float, *, task: str = "json", count: int = 200) -> CredibilityRow:
    counts = prior_counts(round(mean * BPS), replace(RULES.credibility, prior_micros=count * MICROS))
    low, high = interval_bps(counts, RULES.credibility)
    return CredibilityRow(
        address(node), MODEL, task, counts.good, counts.bad, counts.mean_bps, low, high, count, 1, counts.square
    )


def multipliers(
    rows: Sequence[CredibilityRow] = (), *, rules: PayRules = PAY, flagged: Sequence[str] = ()
) -> Multipliers:
    names = frozenset((address(name), MODEL) for name in flagged)
    return Multipliers(rows, rules, credibility=RULES.credibility, flagged=names)


PARTS = st.lists(st.integers(0, 10**24), min_size=1, max_size=12)


@given(parts=PARTS, before=st.integers(0, 10**24), base_bps=st.integers(0, BPS), flagged=st.booleans())
def test_every_unit_above_the_base_goes_to_the_node_or_its_payers(
    *, parts: list[int], before: int, base_bps: int, flagged: bool
) -> None:
    rules = replace(PAY, base_share_bps=base_bps)
    names = ["node"] if flagged else []
    draw = epoch_of(running(parts, before=before, payers=("a", "b", "c")))
    settled = settle(draw, multipliers(rules=rules, flagged=names), rules=rules)
    total = before + sum(parts)
    above = sum(parts) - (total * base_bps // BPS - before * base_bps // BPS)
    fees = sum(leaf.fee_wei for leaf in draw.leaves)
    assert sum(one.released_wei for one in settled) == min(above, fees * (BPS - base_bps) // BPS)
    for one in settled:
        assert one.released_wei == one.node_wei + sum(wei for _, wei in one.refunds)
        assert min(one.node_wei, *(wei for _, wei in one.refunds), one.released_wei) >= 0


@given(st.lists(PARTS, min_size=1, max_size=5), st.integers(0, BPS))
def test_over_many_epochs_nothing_is_lost_to_rounding(epochs: list[list[int]], base_bps: int) -> None:
    before = released = 0
    for parts in epochs:
        released += above_base(running(parts, before=before), base_bps)
        before += sum(parts)
    assert released == before - before * base_bps // BPS


PARTIES = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 3) | st.integers(0, 2**110)), min_size=1, max_size=12
)


@given(st.lists(PARTIES, min_size=1, max_size=4), st.integers(0, BPS))
def test_no_gateway_promises_more_than_the_court_will_count(epochs: list[list[tuple[str, int]]], base_bps: int) -> None:
    """However large its fees, however many its nodes: a root that promises more is refused, and with it everybody's."""
    rules = replace(PAY, base_share_bps=base_bps)
    works = [[leaf(at, wei, total_wei=wei, node=node) for at, (node, wei) in enumerate(epoch)] for epoch in epochs]
    draws = [replace(epoch_of(leaves), epoch=at) for at, leaves in enumerate(works)]
    together = settle_all(draws, multipliers(rules=rules), rules=rules)
    assert sum(one.released_wei for one in together) <= RELEASE_MAX_WEI
    assert together == settle_all(draws[::-1], multipliers(rules=rules), rules=rules)


@given(st.lists(PARTIES, min_size=1, max_size=8), st.integers(0, BPS), st.sets(st.integers(1, 7)))
def test_the_court_counts_every_unit_that_is_promised(
    epochs: list[list[tuple[str, int]]], base_bps: int, cuts: set[int]
) -> None:
    """In whatever rounds epochs are judged: with a pool cap of nothing a root that promises a unit more is refused."""
    rules, pots, released = replace(PAY, base_share_bps=base_bps), 0, 0
    for at, epoch in enumerate(epochs):
        leaves = [leaf(at, wei, total_wei=wei, node=node, fee_wei=wei) for at, (node, wei) in enumerate(epoch)]
        pots += sum(one.fee_wei for one in leaves)
        judged = [replace(epoch_of(leaves), epoch=at)] if at in cuts or not cuts else []
        promised = sum(one.released_wei for one in settle_all(judged, multipliers(rules=rules), rules=rules))
        countable = -(-pots * (BPS - base_bps) // BPS) - released  # `Settlement.releasableOf`
        assert promised <= countable
        released += promised


@given(PARTIES, st.integers(0, RELEASE_MAX_WEI))
def test_what_waits_already_leaves_so_much_less_room(epoch: list[tuple[str, int]], waiting: int) -> None:
    draw = epoch_of([leaf(at, wei, total_wei=wei, node=node) for at, (node, wei) in enumerate(epoch)])
    found = settle_all([draw], multipliers(), rules=PAY, waiting={GATEWAY: waiting, address("another"): 1})
    assert sum(one.released_wei for one in found) + waiting <= RELEASE_MAX_WEI


@given(PARTS, st.integers(0, 10**24))
def test_epochs_may_be_judged_in_any_order(parts: list[int], before: int) -> None:
    """A seed may be fixed late: what an epoch releases depends on that epoch alone."""
    assert above_base(running(parts, before=before), 8_000) == above_base(running(parts, before=before)[::-1], 8_000)


def test_a_gateway_with_broken_totals_releases_no_more_than_its_leaves_part() -> None:
    honest = running([100, 100, 100], before=1_000)
    inflated = [*honest[:2], replace(honest[2], node_total_wei=10**30)]
    assert above_base(inflated, 8_000) == above_base(honest, 8_000)
    assert above_base([*honest[:2], replace(honest[2], node_total_wei=0)], 8_000) == 0


@given(st.integers(0, 10**30), st.dictionaries(st.binary(min_size=1, max_size=3), st.integers(1, 10**20), min_size=1))
def test_a_refund_is_shared_out_to_the_last_unit(amount: int, weights: dict[bytes, int]) -> None:
    parts = split_refund(amount, weights)
    assert sum(wei for _, wei in parts) == amount
    total = sum(weights.values())
    heaviest = max(weights.values())
    for payer, wei in parts:
        exact = amount * weights[payer] // total
        assert wei == exact or (weights[payer] == heaviest and exact < wei <= exact + len(weights))


def test_who_is_like_its_peers_gets_all_and_who_is_worse_gets_less() -> None:
    rows = [row("a", 0.85), row("b", 0.84), row("worse", 0.65), row("worst", 0.3)]
    known = multipliers(rows)
    values = [known.of(address(name), MODEL) for name in ("a", "b", "worse", "worst")]
    assert values[:2] == [BPS, BPS]
    assert BPS > values[2] > values[3] == 8_000


@given(st.lists(st.floats(0.02, 0.98), min_size=1, max_size=6), st.integers(1, 10_000), st.integers(0, 10_000))
def test_m_lies_between_what_is_paid_already_and_one(means: list[float], gain: int, base: int) -> None:
    rules = replace(PAY, gain_bps=gain, base_share_bps=base)
    known = multipliers([row(f"n{at}", mean) for at, mean in enumerate(means)], rules=rules)
    for at in range(len(means)):
        assert max(8_000, base) <= known.of(address(f"n{at}"), MODEL) <= BPS


@given(st.floats(0.05, 0.9), st.floats(0.0, 0.09))
def test_the_better_node_never_has_the_smaller_multiplier(mean: float, more: float) -> None:
    peers = [row("p1", 0.8), row("p2", 0.75)]
    less, better = (multipliers([*peers, row("n", value)]).of(address("n"), MODEL) for value in (mean, mean + more))
    assert better >= less


def test_little_evidence_fines_nobody() -> None:
    assert multipliers([row("p", 0.85), row("new", 0.5, count=4)]).of(address("new"), MODEL) == BPS


def evidence(node: str, mean: float, *, task: str, count: int) -> CredibilityRow:
    """A row as it grows from the prior."""
    counts = prior_counts(RULES.credibility.prior_mean_bps, RULES.credibility)
    for at in range(count):
        counts = counts.plus(BPS if at < mean * count else 0, MICROS)
    low, high = interval_bps(counts, RULES.credibility)
    sums = counts.good, counts.bad, counts.mean_bps, low, high, count, 1, counts.square
    return CredibilityRow(address(node), MODEL, task, *sums)


def test_the_prior_hides_no_shortfall_where_each_task_has_little_evidence() -> None:
    tasks = "json", "chat", "choice", "extract", "summary"
    good = [evidence(name, 0.75, task=task, count=4) for name in ("a", "b") for task in tasks]
    bad = [evidence("worse", 0, task=task, count=4) for task in tasks]
    known = multipliers([*good, *bad])
    assert known.of(address("a"), MODEL) == BPS
    assert known.shortfall_bps(address("worse"), MODEL) < -3_000


def test_a_small_model_is_not_paid_less_for_being_small_nor_a_lone_node_compared() -> None:
    other = model_id("dgrid-nano")
    small = CredibilityRow(
        address("small"), other, *tuple(getattr(row("x", 0.5), name) for name in row("x", 0.5).__struct_fields__[2:])
    )
    known = multipliers([row("p1", 0.85), row("p2", 0.85), small])
    assert known.of(address("small"), other) == BPS
    assert known.shortfall_bps(address("small"), other) == 0


FOUND = st.integers(1, 200).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count)))  # good, of how many


def mantel_haenszel(strata: Sequence[tuple[tuple[int, int], tuple[int, int]]]) -> float:
    """What a node is below its peer, task by task, in fractions: the page's formula for answers right or wrong."""
    difference = variance = weight = 0.0
    for (good, count), (peers_good, peers_count) in strata:
        shared = count * peers_count / (count + peers_count)
        difference += shared * (good / count - peers_good / peers_count)
        for right, of in ((good, count), (peers_good, peers_count)):
            mean = (right + 2) / (of + 4)
            variance += shared**2 * mean * (1 - mean) / of
        weight += shared
    return min(0.0, (difference + 1.645 * sqrt(variance)) / weight)


@given(st.lists(st.tuples(FOUND, FOUND), min_size=1, max_size=4))
def test_tasks_weigh_as_much_as_is_known_of_both_sides(strata: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    rows = [
        evidence(name, (good - 0.5) / count, task=str(at), count=count)
        for at, sides in enumerate(strata)
        for name, (good, count) in zip(("node", "peer"), sides, strict=True)
    ]
    found = multipliers(rows).shortfall_bps(address("node"), MODEL)
    assert found == pytest.approx(mantel_haenszel(strata) * BPS, abs=10)
    assert found <= 0


@pytest.mark.parametrize(
    ("peers", "middle"), [((0.4,), 0.4), ((0.4, 0.9), 0.4), ((0.4, 0.5, 0.9), 0.5), ((0.4, 0.5, 0.8, 0.9), 0.5)]
)
def test_a_node_is_measured_against_the_middle_of_its_peers_and_no_star(peers: Sequence[float], middle: float) -> None:
    rows = [row(f"p{at}", mean) for at, mean in enumerate(peers)]
    below = row("node", 0.2)
    expected = multipliers([below, row("peer", middle)]).shortfall_bps(address("node"), MODEL)
    assert multipliers([below, *rows]).shortfall_bps(address("node"), MODEL) == expected < 0


def test_a_mix_of_hard_tasks_costs_nothing() -> None:
    hard, easy = (
        [row(name, 0.4, task="summary", count=count) for name, count in (("a", 300), ("b", 30), ("c", 30))],
        [row(name, 0.9, task="choice", count=count) for name, count in (("a", 30), ("b", 300), ("c", 300))],
    )
    assert multipliers([*hard, *easy]).of(address("a"), MODEL) == BPS


def test_who_runs_another_model_gets_the_least_whatever_its_scores() -> None:
    rows = [row("cheat", 0.95), row("p", 0.8)]
    assert multipliers(rows, flagged=["cheat"]).of(address("cheat"), MODEL) == 8_000


def test_what_m_takes_goes_to_the_payers_by_their_fees() -> None:
    leaves = running([1_000, 3_000], payers=("a", "b"))
    (settled,) = settle(epoch_of(leaves), multipliers(flagged=["node"]), rules=PAY)
    assert (settled.released_wei, settled.node_wei) == (800, 0)
    assert dict(settled.refunds) == {address("a"): 200, address("b"): 600}


@pytest.mark.parametrize(("m_bps", "kept"), [(10_000, 200), (9_000, 100), (8_000, 0)])
def test_the_node_gets_what_m_says_of_its_whole_part(m_bps: int, kept: int) -> None:
    """m of 1,000 units, of which 800 were paid with the epoch."""

    class Fixed(Multipliers):
        def of(self, node: bytes, model: bytes) -> int:
            return m_bps

    known = Fixed((), PAY, credibility=RULES.credibility, flagged=frozenset())
    (settled,) = settle(epoch_of(running([1_000])), known, rules=PAY)
    assert settled.node_wei == kept == 1_000 * m_bps // BPS - 800
