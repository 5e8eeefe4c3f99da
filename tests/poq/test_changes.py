from dataclasses import replace

import pytest
from msgspec.structs import replace as altered
from tests.poq.world import RULES, Evaluator, Node, World, digest, honest

from dgrid.core.identity import model_id
from dgrid.poq.changes import flagged_in, suspicions_after
from dgrid.poq.credibility import ALL_TASKS, Cause
from dgrid.poq.identity import NEVER
from dgrid.poq.rounds import judge
from dgrid.wire.quality import SuspicionRow

PEOPLE = [Evaluator(f"e{number}", honest()) for number in range(4)]
CHEAT = Node("cheat", "dgrid-mini", 0.85, swapped_share=1.0, swapped_quality=0.5)
KEY = CHEAT.address, model_id(CHEAT.model)


def cheated(rounds: int) -> World:
    world = World([CHEAT, Node("mini", "dgrid-mini", 0.85)], PEOPLE, leaves_per_round=40)
    world.play(rounds)
    return world


def test_whatever_a_node_answers_that_is_found_out_counts_nothing_and_its_finding_weighs_once() -> None:
    world = cheated(1)
    tables = [world.table, judge(world.table, world.evidence(), RULES)]
    heavy = []
    for table in tables:
        assert table is not None
        assert flagged_in(table.suspicions) == {KEY}
        of_cheat = [change for change in table.changes if (change.node, change.model) == KEY]
        assert {(change.cause, change.score_bps) for change in of_cheat} == {(Cause.IDENTITY, 0)}
        assert Cause.IDENTITY not in {change.cause for change in table.changes if change.node != CHEAT.address}
        heavy.append([change.weight_micros for change in of_cheat if change.task == ALL_TASKS])
    assert heavy == [[RULES.credibility.identity_micros], []]


@pytest.mark.parametrize(
    ("flagged", "acquitted", "forgotten"),
    [
        (5, 6, True),  # since the table before
        (NEVER, 6, True),
        (4, 5, True),  # of a flag that is older than the verdict
        (5, 5, False),  # it was found out again since
        (NEVER, 5, False),  # its doubts are younger
        (5, 4, False),
        (5, None, False),
    ],
)
def test_a_verdict_forgets_what_was_said_before_it_and_nothing_later(
    flagged: int,
    acquitted: int | None,
    forgotten: bool,  # noqa: FBT001
) -> None:
    world = cheated(1)
    assert world.table is not None
    row = SuspicionRow(*KEY, (300_000,) * 5, flagged, (300_000,) * 5)
    before = altered(world.table, round=5, suspicions=(row,))
    acquittals = {} if acquitted is None else {(CHEAT.address, digest(CHEAT.model)): acquitted}
    evidence = replace(world.evidence(), round=6, acquittals=acquittals)
    after = suspicions_after(before, (), evidence=evidence, rules=RULES)
    assert after == ((SuspicionRow(*KEY, (), NEVER),) if forgotten else (row,))
