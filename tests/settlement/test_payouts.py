"""What judging owes: due by the final root, waiting by the newest, unjudged at most; to the unit."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.settlement.judged import (
    DOMAIN,
    EPOCH,
    FACTS,
    PARAMETERS,
    ROUND,
    Judged,
    a_judged_epoch,
    a_table,
    reading,
)
from tests.wire.making import GATEWAY, NODE, PAYER

from dgrid.chain.view import PostedQuality
from dgrid.core.identity import ZERO_ADDRESS, Address
from dgrid.core.keccak import keccak
from dgrid.core.merkle import leaf, root_of_path
from dgrid.core.money import BPS
from dgrid.poq.rounds import judge
from dgrid.settlement.payouts import Payouts, payouts, unjudged_wei
from dgrid.settlement.rounds import rules_of
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.quality import PayoutAccount, PayoutKind, PayoutRow, amount_of, payout_item

POSTED_S = 1_700_000_180
CHALLENGE_S = PARAMETERS.root_seconds
FINAL_S = POSTED_S + CHALLENGE_S


def owed(judged: Judged, *, now_s: int = FINAL_S, payees: Iterable[bytes] | None = None) -> Payouts:
    async def main() -> Payouts:
        wanted = None if payees is None else list(payees)
        async with reading(judged) as found:
            return await payouts(found.quality, now_s=now_s, payees=wanted)

    return asyncio.run(main())


def unjudged(judged: Judged) -> dict[Address, int]:
    async def main() -> dict[Address, int]:
        async with reading(judged) as found:
            return await unjudged_wei(found.records, domain=DOMAIN, base_share_bps=FACTS.base_share_bps)

    return asyncio.run(main())


def test_nothing_is_owed_before_the_first_root() -> None:
    judged = a_judged_epoch()
    judged.view.quality_roots.clear()
    assert owed(judged) == Payouts((), ())


def test_a_root_pays_when_its_window_is_over() -> None:
    judged = a_judged_epoch()
    (node, _) = owed(judged, now_s=FINAL_S - 1).accounts
    assert (node.due_wei, node.waiting_wei, node.total_due_wei) == (0, 700, 700)
    assert owed(judged, now_s=FINAL_S - 1).claims == ()
    found = owed(judged)
    assert [(one.account.kind, one.due_wei, one.waiting_wei) for one in found.accounts] == [
        (PayoutKind.NODE, 700, 0),
        (PayoutKind.PAYER, 50, 0),
    ]
    assert len(found.claims) == 2


def test_until_a_newer_root_is_final_the_one_before_pays() -> None:
    judged = a_judged_epoch()
    richer = tuple(msgspec.structs.replace(row, total=amount_of(row.total_wei + 30)) for row in a_table().payouts)
    judged.post(msgspec.structs.replace(a_table(ROUND + 1), payouts=richer))
    judged.view.quality_roots[ROUND + 1] = reposted(judged, ROUND + 1, seconds=POSTED_S + 20)
    (node, _) = owed(judged).accounts
    assert (node.due_wei, node.waiting_wei) == (700, 30)
    (node, _) = owed(judged, now_s=FINAL_S + 20).accounts
    assert (node.due_wei, node.waiting_wei) == (730, 0)


def test_what_the_newest_root_leaves_to_the_next_waits() -> None:
    judged = a_judged_epoch()
    node, other = PayoutRow(PayoutKind.NODE, GATEWAY.address, NODE.address, amount_of(9)), keccak(b"other")[:20]
    left = (node, PayoutRow(PayoutKind.NODE, other, NODE.address, amount_of(4)))
    judged.post(msgspec.structs.replace(a_table(), waiting=left))
    found = {
        one.account.gateway: (one.due_wei, one.waiting_wei) for one in owed(judged, payees=[NODE.address]).accounts
    }
    assert found == {GATEWAY.address: (700, 9), other: (0, 4)}


def reposted(judged: Judged, number: int, *, seconds: int) -> PostedQuality:
    return replace(judged.view.quality_roots[number], timestamp_ms=seconds * 1000)


def test_what_was_claimed_is_not_due_again() -> None:
    judged = a_judged_epoch()
    judged.view.paid_out[PayoutAccount(PayoutKind.NODE, GATEWAY.address, NODE.address)] = 700
    found = owed(judged)
    assert [one.due_wei for one in found.accounts] == [0, 50]
    assert [row.account.kind for row in found.claims] == [PayoutKind.PAYER]


def test_only_the_payees_asked_for_are_shown() -> None:
    found = owed(a_judged_epoch(), payees=[NODE.address])
    assert [one.account.payee for one in found.accounts] == [NODE.address]
    assert [row.account.payee for row in found.claims] == [NODE.address]


@settings(max_examples=20)
@given(amounts=st.lists(st.integers(0, 2**100), min_size=1, max_size=9))
def test_every_claim_leads_to_the_root_and_sum_on_chain(amounts: list[int]) -> None:
    judged = a_judged_epoch()
    rows = tuple(
        PayoutRow(PayoutKind.EVALUATOR, ZERO_ADDRESS, keccak(bytes((at,)))[:20], amount_of(amount))
        for at, amount in enumerate(amounts)
    )
    root = judged.post(msgspec.structs.replace(a_table(ROUND + 1), payouts=rows))
    for claim in owed(judged).claims:
        start = leaf(payout_item(claim.account), claim.total_wei)
        top = root_of_path(start, index=claim.index, count=root.payouts_count, path=claim.path)
        assert top == (root.payouts_root, root.payouts_total)


def test_what_is_not_judged_yet_is_the_part_above_the_base_share() -> None:
    judged = a_judged_epoch()
    assert unjudged(judged) == {}
    judged.view.quality_roots.clear()
    earned = earned_wei(judged)
    assert 0 < unjudged(judged)[NODE.address] <= earned - earned * FACTS.base_share_bps // BPS


def earned_wei(judged: Judged) -> int:
    async def main() -> list[InferenceReceipt]:
        async with reading(judged) as found:
            records = await found.records.epoch(judged.view.roots[GATEWAY.address, EPOCH])
            return list(records.blob.receipts[0])

    return sum(receipt.shares.node for receipt in asyncio.run(main()))


def test_an_epoch_whose_seed_was_never_fixed_is_not_judged() -> None:
    judged = a_judged_epoch()
    judged.view.draws.clear()
    assert unjudged(judged)[NODE.address] > 0


def test_base_share_quality_and_refunds_are_all_that_the_node_and_its_payers_get() -> None:
    """Judged by the real rules: what is released of a node's part is what node and payers are credited, to the unit."""
    judged = a_judged_epoch()
    judged.view.quality_roots.clear()
    before = unjudged(judged)

    async def main() -> None:
        async with reading(judged) as found:
            collected = await found.quality.collect(ROUND)
            judged.post(judge(collected.table, collected.evidence, rules_of(judged.view, ROUND)))

    asyncio.run(main())
    credited = owed(judged).accounts
    from_leaves = sum(one.credited_wei for one in credited if one.account.kind is not PayoutKind.EVALUATOR)
    assert from_leaves == sum(before.values()) > 0
    assert {one.account.payee for one in credited if one.account.kind is PayoutKind.PAYER} <= {PAYER.address}
    assert unjudged(judged) == {}
