"""A seed of an epoch's last quarter draws for the next round: by rules that no vote can change any more.

A vote counts from the epoch after the next, a late draw belongs to the next one. So whatever is carried out before the
draw, with it or after it, whoever seals the drawn leaves and whoever judges them later go by the same values.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.devnet import key_of
from tests.settlement.books import Work
from tests.settlement.network import BASE_BPS
from tests.settlement.twins import settling
from tests.settlement.twins.chain import EPOCH_SECONDS, GENESIS_S, TwinChain
from tests.settlement.twins.judging import draw, undrawn
from tests.settlement.twins.voting import carry_out
from tests.settlement.twins.world import GATEWAYS, Twins, a_world, at_the_start, channel_of, twin_parameters

from dgrid.chain.view import Draw
from dgrid.core.money import WEI, Price
from dgrid.gateway.disclosing import drawings_of
from dgrid.poq.panels import all_duties
from dgrid.settlement.evidence import documents_of, leaf_facts
from dgrid.settlement.quality import Documents, drawn_epoch
from dgrid.settlement.rounds import draw_rules, rules_of
from dgrid.wire.quality import LeafKey

GATEWAY = GATEWAYS[0]
LEAVES = 12
USUAL = 3  # evaluators of a leaf


@pytest.fixture(scope="module")
def start() -> Iterator[Twins]:
    every_leaf = replace(twin_parameters(), quality_bps=10_000, committee_size=USUAL)
    with TwinChain(parameters=every_leaf, base_bps=BASE_BPS) as chain:
        yield a_world(chain)


def anchored(world: Twins) -> None:
    """An epoch with a root, in the middle of the one after it."""
    channel = channel_of(world, "payer-1", GATEWAY)
    work = Work(world.configs[channel], channel, key_of("node-1"), 10**6, 0, price=Price(WEI // 1_000, 0))
    epoch = world.chain.epoch
    for _ in range(LEAVES):
        settling.bill(world, GATEWAY, work, lane=0)
    settling.close(world, GATEWAY, epoch)


def to_the_last_quarter(world: Twins) -> None:
    epoch = world.chain.epoch
    world.chain.pass_until(GENESIS_S + (epoch + 1) * EPOCH_SECONDS - EPOCH_SECONDS // 4 + 1)
    assert (world.chain.epoch, world.chain.round_of_draw) == (epoch, epoch + 1)


def documents(world: Twins, drawn: Draw) -> Documents:
    records = world.chain.run(world.records.epoch(world.view.roots[drawn.gateway, drawn.epoch]))
    return documents_of(records, world.domain)


def sealed_for(world: Twins, drawn: Draw) -> dict[LeafKey, set[bytes]]:
    """Whom the gateway seals each leaf for, as soon as it sees the draw."""
    leaves = [leaf_facts(key, document) for key, document in documents(world, drawn).items()]
    drawings = drawings_of(drawn, leaves, rules=draw_rules(world.view.parameters.at(drawn.round)))
    return {one.leaf.key: set(one.members) for one in drawings}


def judged_by(world: Twins, drawn: Draw) -> dict[LeafKey, set[bytes]]:
    """Whose duty each leaf is, as everybody computes it when the round is over."""
    found: dict[LeafKey, set[bytes]] = {}
    facts = drawn_epoch(drawn, documents(world, drawn))
    for duty in all_duties([facts], rules_of(world.view, drawn.round)):
        found.setdefault(duty.leaf.key, set()).add(duty.evaluator)
    return found


@pytest.mark.parametrize(
    ("carried_out", "members"), [("the epoch before", USUAL + 1), ("before", USUAL), ("after", USUAL)]
)
def test_a_late_draw_is_judged_by_whom_it_was_sealed_for_whenever_a_vote_is_carried_out(
    start: Twins, carried_out: str, members: int
) -> None:
    world = at_the_start(start)
    if carried_out == "the epoch before":  # it counts from the next epoch on, which is the round of the draw
        carry_out(world, "committee_size", by=1)
    anchored(world)
    to_the_last_quarter(world)
    if carried_out == "before":
        carry_out(world, "committee_size", by=1)
    (anchor,) = undrawn(world)
    drawn = draw(world, anchor)
    sealed = sealed_for(world, drawn)
    assert len(sealed) == LEAVES
    assert {len(one) for one in sealed.values()} == {members}
    if carried_out == "after":
        carry_out(world, "committee_size", by=1)
    world.chain.pass_until(GENESIS_S + (drawn.round + 2) * EPOCH_SECONDS)
    assert world.view.parameters.at(drawn.round + 1).committee_size == USUAL + 1
    assert judged_by(world, drawn) == sealed == sealed_for(world, drawn)
