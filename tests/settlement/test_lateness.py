"""A table computed by the rules tells which blobs were not there: no more, no fewer."""

import asyncio
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.settlement.judged import AUTHOR, EPOCH, ROUND, a_judged_epoch, evaluators, reading, signed
from tests.wire.making import GATEWAY

from dgrid.chain.parameters import Parameters
from dgrid.core.errors import CheckFailed
from dgrid.poq.evidence import RoundEvidence
from dgrid.poq.rounds import judge
from dgrid.poq.rules import QualityRules
from dgrid.settlement.lateness import READINGS_MAX, Late, any_few, told, withheld_in, without
from dgrid.settlement.rounds import rules_of
from dgrid.wire.quality import Verdict

JUDGES = 6
REPORTS = [(ROUND, key.address) for key in evaluators(JUDGES)]
CANARIES = (AUTHOR.address, GATEWAY.address, EPOCH)


def a_round(*, silent: frozenset[int] = frozenset()) -> tuple[RoundEvidence, QualityRules]:
    """A round in which some evaluators opened reports that say nothing."""
    judged = a_judged_epoch(judges=JUDGES, parameters=Parameters(committee_size=5))
    for at, key in enumerate(evaluators(JUDGES)):
        if at in silent:
            said = judged.reports_of(key).reports
            nothing = tuple(msgspec.structs.replace(one, verdict=int(Verdict.UNDISCLOSED)) for one in said)
            judged.open(key, signed(key, ROUND, nothing))

    async def main() -> RoundEvidence:
        async with reading(judged) as found:
            return (await found.quality.collect(ROUND)).evidence

    judged.view.quality_roots.clear()
    return asyncio.run(main()), rules_of(judged.view, ROUND)


ROUNDS = [a_round(), a_round(silent=frozenset({0})), a_round(silent=frozenset({1, 4}))]
lateness = st.builds(
    lambda reports, canaries: Late(frozenset(reports), frozenset(canaries)),
    st.sets(st.sampled_from(REPORTS)),
    st.sets(st.just(CANARIES)),
)


@given(st.sampled_from(ROUNDS), lateness)
def test_a_table_tells_exactly_what_was_late(one: tuple[RoundEvidence, QualityRules], late: Late) -> None:
    evidence, rules = one
    table = judge(None, without(evidence, late), rules)
    assert list(told(table, evidence, before=None, rules=rules)) == [late]
    assert {evaluator for evaluator, duties in withheld_in(table, None, rules=rules).items() if duties} == {
        evaluator for _, evaluator in late.reports
    }


def test_where_nothing_tells_the_fewest_come_first_and_there_is_an_end() -> None:
    found = list(any_few(ROUNDS[0][0]))
    sizes = [len(late.reports) + len(late.canaries) + len(late.epochs) for late in found]
    assert found[0] == Late()
    assert sizes == sorted(sizes)
    assert len(found) == len(set(found)) <= READINGS_MAX


def test_more_choices_than_can_be_tried_convict_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, rules = ROUNDS[0]
    nodes = {leaf.key: leaf.node for draw in evidence.draws for leaf in draw.leaves}
    own = {key: replace(truth, author=nodes[key]) for key, truth in evidence.canaries.items()}
    silent = replace(evidence, canaries=own)
    table = judge(None, silent, rules)
    assert len(list(told(table, silent, before=None, rules=rules))) == 2  # its author's own canaries count nowhere
    monkeypatch.setattr("dgrid.settlement.lateness.READINGS_MAX", 1)
    with pytest.raises(CheckFailed, match="more choices"):
        list(told(table, silent, before=None, rules=rules))
