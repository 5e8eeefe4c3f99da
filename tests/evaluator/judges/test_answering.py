"""What the product's evaluators find of true answers of the built-in models, and of nodes that cheat with them."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Protocol

import pytest
from tests.evaluator.judges.answering import AnsweredWorld, Answering, Library, held_out, library
from tests.poq.world import RULES, Evaluator, Node, honest

from dgrid.core.money import BPS
from dgrid.engines.encoder import EncoderClient
from dgrid.poq.rules import QualityRules
from dgrid.wire.quality import CredibilityRow, PayoutKind

QUESTIONS = 200
SEEDS = range(2)
NANO = Answering("nano", "dgrid-nano")
MICROS = [Answering(f"micro {number}", "dgrid-micro") for number in (1, 2)]
MINIS = [Answering(f"mini {number}", "dgrid-mini") for number in (1, 2)]
NODES: list[Node] = [NANO, *MICROS, *MINIS]
PEOPLE = [Evaluator(f"e{number}", honest()) for number in range(5)]
REPLAYER = Answering("replayer", "dgrid-micro", replayed_share=1.0)
UNCHECKED = replace(RULES, draw=replace(RULES.draw, identity_bps=0))

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def books(loop: asyncio.Runner) -> Iterator[Library]:
    found = loop.run(library(held_out(QUESTIONS)))
    yield found
    loop.run(found.forcing.stop())


class Play(Protocol):
    """Rounds of ten answers a node, with whoever cheats beside the honest ones."""

    def __call__(self, *cheats: Node, seed: int, rounds: int, rules: QualityRules = RULES) -> AnsweredWorld: ...


@pytest.fixture
def play(loop: asyncio.Runner, encoder: EncoderClient, books: Library) -> Play:
    def played(*cheats: Node, seed: int, rounds: int, rules: QualityRules = RULES) -> AnsweredWorld:
        nodes = [*NODES, *cheats]
        world = AnsweredWorld(nodes, PEOPLE, seed, rules, 10 * len(nodes), library=books, encoder=encoder, run=loop.run)
        world.play(rounds)
        return world

    return played


def believed(world: AnsweredWorld, nodes: Sequence[Node]) -> list[CredibilityRow]:
    """Each node's row over all tasks."""
    assert world.table is not None
    found = {row.node: row for row in world.table.credibility if row.task == ""}
    return [found[node.address] for node in nodes]


def paid_share(world: AnsweredWorld, node: Node) -> float:
    """What a node was paid of its whole part, base share included."""
    assert world.table is not None
    paid = {row.payee: row.total_wei for row in world.table.payouts if row.kind == PayoutKind.NODE}
    return world.rules.pay.base_share_bps / BPS + paid.get(node.address, 0) / world.earned[node.address]


@pytest.mark.parametrize("share", [1.0, 0.34])
@pytest.mark.parametrize("seed", SEEDS)
def test_who_says_old_answers_again_is_found_out_within_420_answers_of_the_network(
    play: Play, seed: int, share: float
) -> None:
    """Old answers come with old log-probabilities: under the question at hand they are off by nats."""
    world = play(replace(REPLAYER, replayed_share=share), seed=seed, rounds=7)
    (row,) = believed(world, [REPLAYER])
    assert world.flagged == {REPLAYER.name}
    assert row.high_bps < min(one.low_bps for one in believed(world, NODES))


@pytest.mark.parametrize("seed", SEEDS)
def test_where_no_identity_is_checked_old_answers_alone_cost_a_node_belief_and_pay(play: Play, seed: int) -> None:
    """Within 420 answers of the network; by agreement with others and by canaries."""
    world = play(REPLAYER, seed=seed, rounds=7, rules=UNCHECKED)
    (row,) = believed(world, [REPLAYER])
    assert not world.flagged
    assert row.high_bps < min(one.low_bps for one in believed(world, MICROS))
    assert paid_share(world, REPLAYER) < 0.95
    assert min(paid_share(world, node) for node in NODES) > 0.999


@pytest.mark.parametrize("seed", SEEDS)
def test_a_third_of_old_answers_sets_a_node_below_its_honest_peers_within_1200(play: Play, seed: int) -> None:
    world = play(replace(REPLAYER, replayed_share=0.34), seed=seed, rounds=20, rules=UNCHECKED)
    (row,) = believed(world, [REPLAYER])
    assert row.mean_bps < min(one.low_bps for one in believed(world, MICROS))


def test_old_answers_agree_with_no_other_node_of_their_model(play: Play) -> None:
    world = play(REPLAYER, seed=0, rounds=3, rules=UNCHECKED)
    old, true = (fmean(world.consistency[name]) for name in (REPLAYER.name, "mini 1"))
    assert old < 2_000
    assert true == BPS


def test_honest_nodes_end_in_the_order_of_their_models_and_cost_less_than_two_re_runs_a_judgement(play: Play) -> None:
    """Over all seeds: with 200 answers a node, canaries alone scatter by half a step between models."""
    worlds = [play(seed=seed, rounds=20) for seed in SEEDS]
    nano, micro, mini = (
        fmean(row.mean_bps for world in worlds for row in believed(world, nodes)) for nodes in ([NANO], MICROS, MINIS)
    )
    assert nano < micro < mini
    assert mini - nano > 1_500
    assert not any(world.flagged for world in worlds)
    asked = sum((world.asked for world in worlds), Counter[str]())
    assert asked["reruns"] < 2 * asked["judgements"]
