"""A simulated proposal: exact where the past decides, and nothing changes where the values do not."""

import asyncio
from dataclasses import replace

import pytest
from tests.settlement.judged import EPOCH, PARAMETERS, ROUND, Judged, a_judged_epoch, reading
from tests.wire.making import GATEWAY, NODE

from dgrid.chain.events import Role
from dgrid.chain.parameters import Parameters
from dgrid.chain.view import Member
from dgrid.core.errors import NotYet
from dgrid.core.money import BPS, WEI
from dgrid.governance.simulation import Simulation
from dgrid.poq.rounds import judge
from dgrid.settlement.replaying import simulated
from dgrid.settlement.rounds import rules_of
from dgrid.wire.messages import InferenceReceipt


def an_honest_round() -> Judged:
    """A judged epoch whose posted table is the one that follows."""
    judged = a_judged_epoch()
    judged.view.quality_roots.clear()

    async def main() -> None:
        async with reading(judged) as found:
            collected = await found.quality.collect(ROUND)
            judged.post(judge(collected.table, collected.evidence, rules_of(judged.view, ROUND)))

    asyncio.run(main())
    return judged


def under(judged: Judged, proposed: Parameters, *, epochs: int = 10) -> Simulation:
    async def main() -> Simulation:
        async with reading(judged) as found:
            return await simulated(found.quality, found.records, proposed=proposed, epochs=epochs)

    return asyncio.run(main())


def receipts(judged: Judged) -> list[InferenceReceipt]:
    async def main() -> list[InferenceReceipt]:
        async with reading(judged) as found:
            return (await found.records.epoch(judged.view.roots[GATEWAY.address, EPOCH])).blob.receipts[0]

    return asyncio.run(main())


def test_the_values_that_counted_change_nothing() -> None:
    found = under(an_honest_round(), PARAMETERS)
    assert (found.first_epoch, found.last_epoch, found.receipts) == (EPOCH, EPOCH, 12)
    assert all(one.was_wei == one.would_wei for one in (*found.fees, *found.payouts))
    assert found.payouts
    assert found.draws.duties_was == found.draws.duties_would
    assert found.inactive == ()


def test_another_cut_moves_money_between_node_and_protocol_and_nowhere_else() -> None:
    judged = an_honest_round()
    found = {one.kind: one for one in under(judged, replace(PARAMETERS, protocol_bps=300)).fees}
    gross = [receipt.shares.node + receipt.shares.protocol for receipt in receipts(judged)]
    assert found["protocol"].would_wei == sum(one * 300 // BPS for one in gross)
    assert found["node"].party == NODE.address
    moved = found["protocol"].would_wei - found["protocol"].was_wei
    assert found["node"].was_wei - found["node"].would_wei == moved > 0
    assert found["payer"].was_wei == found["payer"].would_wei
    assert found["gateway"].was_wei == found["gateway"].would_wei


def test_a_lower_ceiling_of_margins_goes_to_payers() -> None:
    judged = an_honest_round()
    found = {one.kind: one for one in under(judged, replace(PARAMETERS, maximum_margin_bps=100)).fees}
    saved = found["gateway"].was_wei - found["gateway"].would_wei
    assert found["payer"].was_wei - found["payer"].would_wei == saved > 0


def test_fees_stay_the_sum_of_their_parts() -> None:
    proposed = replace(PARAMETERS, protocol_bps=777, maximum_margin_bps=123)
    found = under(an_honest_round(), proposed).fees
    for name in ("was_wei", "would_wei"):
        parts = sum(getattr(one, name) for one in found if one.kind != "payer")
        assert parts == sum(getattr(one, name) for one in found if one.kind == "payer")


@pytest.mark.parametrize(
    ("changes", "factor"), [({"committee_size": 1}, 1), ({"quality_bps": 0, "identity_bps": 0}, 0)]
)
def test_draws_follow_exactly(changes: dict[str, int], factor: int) -> None:
    judged = an_honest_round()
    draws = under(judged, replace(PARAMETERS, **changes)).draws
    assert sum(draws.duties_would.values()) == draws.drawn_was * factor
    assert sum(draws.duties_was.values()) == len(judged.duties())


def test_without_rate_and_gain_evaluators_and_payers_get_nothing() -> None:
    found = under(an_honest_round(), replace(PARAMETERS, evaluator_rate_wei=0, gain_bps=0)).payouts
    for one in found:
        assert one.kind != "evaluator" or one.would_wei == 0
        assert one.kind != "payer" or one.would_wei == 0


def test_members_with_too_little_stake_are_named() -> None:
    judged = an_honest_round()
    for at, stake in enumerate((1_000 * WEI, 3_000 * WEI)):
        address = bytes([at + 1]) * 20
        member = Member(Role.NODE, address, "", stake, 0, bytes(32), bytes(32), active=True)  # type: ignore[arg-type]
        judged.view.members[Role.NODE, address] = member  # type: ignore[index]
    found = under(judged, replace(PARAMETERS, minimum_stake_wei=2_000 * WEI))
    assert found.inactive == (("node", b"\x01" * 20),)


def test_where_nothing_is_anchored_nothing_is_simulated() -> None:
    with pytest.raises(NotYet):
        under(Judged(), PARAMETERS)
