"""A gateway obeys what the members decide, from the epoch it counts in, without a restart."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.stage import API_KEY, MARGIN_BPS, PARAMETERS, PRICE, Stage, play, until

from dgrid.chain.parameter_history import ParameterHistory
from dgrid.chain.parameters import Parameters
from dgrid.core.money import BPS, FREE, Price, Terms, split_fee, worst_case
from dgrid.engines.scripted import Script
from dgrid.gateway.exposure import Exposure
from dgrid.gateway.facts import Member
from dgrid.gateway.tariff import Tariff
from dgrid.store.ledger_rows import EpochState
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import InferenceReceipt

HOUR_MS = 3600 * 1000


def voted(**changes: int) -> ParameterHistory:
    """The usual parameters in epoch 0, others from epoch 1 on."""
    return ParameterHistory((0, 1), (PARAMETERS, replace(PARAMETERS, **changes)))


def next_epoch(stage: Stage) -> None:
    stage.now_ms.ahead_ms += HOUR_MS


async def receipt_of(stage: Stage, receipt_id: str) -> InferenceReceipt:
    return ReceiptDocument.decode((await stage.get(f"/v1/receipts/{receipt_id}", key=API_KEY)).body).receipt


def split_of(receipt: InferenceReceipt) -> tuple[int, int, int]:
    shares = receipt.shares
    return shares.node, shares.protocol, shares.gateway


def expected(parameters: Parameters, *, margin_bps: int) -> tuple[int, int, int]:
    terms = Terms(PRICE, FREE, parameters.protocol_bps, margin_bps)
    split = split_fee(terms, tokens_in=4, tokens_out=4)
    return split.node_wei, split.protocol_wei, split.gateway_wei


def test_a_receipt_is_split_by_what_counts_in_its_epoch(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.chain.history = voted(protocol_bps=300, maximum_margin_bps=100)
        before = await receipt_of(stage, (await stage.ask()).receipt_id)
        next_epoch(stage)
        after = await receipt_of(stage, (await stage.ask()).receipt_id)
        assert split_of(before) == expected(stage.chain.history.at(0), margin_bps=MARGIN_BPS)
        assert split_of(after) == expected(stage.chain.history.at(1), margin_bps=100)
        assert (before.place.epoch, after.place.epoch) == (0, 1)

    play(tmp_path, scenes)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_request_that_crosses_an_epochs_end_is_split_by_the_epoch_of_its_receipt(
    tmp_path: Path, *, streamed: bool
) -> None:
    """The node takes the receipt, too: it holds its part against the same epoch."""

    async def scenes(stage: Stage) -> None:
        stage.chain.history = voted(protocol_bps=900)
        asked = asyncio.ensure_future(stage.ask(stream=streamed))
        await until(lambda: bool(stage.nodes[0].engine.requests))
        next_epoch(stage)
        answer = await asked
        assert answer.status == 200
        receipt = await receipt_of(stage, answer.receipt_id)
        assert receipt.place.epoch == 1
        assert split_of(receipt) == expected(stage.chain.history.at(1), margin_bps=MARGIN_BPS)
        assert (await stage.ask()).status == 200  # with the receipt above, which the node found right
        assert stage.service.metrics.node_faults.values == {}

    play(tmp_path, scenes, Script(first_delay_s=0.3))


def test_a_ceiling_that_falls_while_a_request_is_served_lowers_its_fee_below_the_hold(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.chain.history = voted(maximum_margin_bps=0)
        asked = asyncio.ensure_future(stage.ask())
        await until(lambda: bool(stage.nodes[0].engine.requests))
        next_epoch(stage)
        answer = await asked
        assert (await receipt_of(stage, answer.receipt_id)).shares.gateway == 0
        assert stage.account().held_wei == 0

    play(tmp_path, scenes, Script(first_delay_s=0.3))


def test_an_epoch_waits_for_as_many_archives_as_count_now(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.chain.history = voted(stored_quorum=3)
        stage.archives.down = 1
        await stage.ask()
        next_epoch(stage)
        await until(lambda: stage.service.reader.epoch(0) is not None)
        await asyncio.sleep(1.0)
        row = stage.service.reader.epoch(0)
        assert row is not None
        assert row.state is EpochState.CLOSED
        stage.archives.down = 0
        await until(lambda: bool(stage.settlers.taken))

    play(tmp_path, scenes)


def test_promises_that_no_longer_suffice_are_asked_for_again(tmp_path: Path) -> None:
    """Two archives promised while two were enough; then three are wanted, and the settler was still away."""

    async def scenes(stage: Stage) -> None:
        stage.archives.down, stage.settlers.down = 1, True
        await stage.ask()
        next_epoch(stage)
        await until(lambda: (row := stage.service.reader.epoch(0)) is not None and row.state is EpochState.STORED)
        stage.chain.history = ParameterHistory.of(replace(PARAMETERS, stored_quorum=3))
        stage.archives.down, stage.settlers.down = 0, False
        await until(lambda: bool(stage.settlers.taken))
        row = stage.service.reader.epoch(0)
        assert row is not None
        assert len(row.promises) == 3

    play(tmp_path, scenes)


def test_newcomers_get_the_share_that_counts_now(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.chain.history = voted(exploration_bps=450)
        shares = [stage.service.router.moment().new_share()]
        next_epoch(stage)
        shares.append(stage.service.router.moment().new_share())
        assert shares == [PARAMETERS.exploration_bps / BPS, 0.045]

    play(tmp_path, scenes)


def test_a_node_earns_no_more_than_its_stake_allows_until_its_work_is_checked(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        node, member = stage.nodes[0], next(iter(stage.chain.members.values()))
        share = (await receipt_of(stage, (await stage.ask()).receipt_id)).shares.node
        stage.chain.members[member.address] = replace(member, stake_wei=2 * share)
        await until(lambda: stage.service.presence.nodes[node.key.address].member.stake_wei == 2 * share)
        await until(lambda: stage.service.router.market.models["tiny"].sellers[0].exposure_wei == 2 * share)
        statuses = [(await stage.ask()).status for _ in range(3)]
        assert statuses == [200, 503, 503]
        next_epoch(stage)
        await until(lambda: bool(stage.settlers.taken))
        assert (await stage.ask()).status == 503, "anchored is not checked"
        stage.chain.checked = 0
        await until(lambda: stage.service.exposure.exposed_wei(node.key.address) == 0)
        assert (await stage.ask()).status == 200

    play(tmp_path, scenes)


def test_stake_that_others_entrusted_to_a_node_vouches_for_it_too(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        member = next(iter(stage.chain.members.values()))
        stage.chain.members[member.address] = replace(member, stake_wei=70, delegated_wei=30)
        await until(lambda: stage.service.router.market.models["tiny"].sellers[0].exposure_wei == 100)

    play(tmp_path, scenes)


def test_a_part_of_a_stake_may_be_exposed_by_vote(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        def exposures() -> list[int]:
            return [one.exposure_wei for one in stage.service.router.market.models["tiny"].sellers]

        stake_wei = next(iter(stage.chain.members.values())).stake_wei
        stage.chain.history = voted(exposure_bps=100)
        await until(lambda: exposures() == [stake_wei])
        next_epoch(stage)
        await until(lambda: exposures() == [stake_wei // 100])

    play(tmp_path, scenes)


@pytest.mark.parametrize("lines", [2, 5])
def test_gateways_share_a_nodes_exposure_by_their_lines(tmp_path: Path, lines: int) -> None:
    async def scenes(stage: Stage) -> None:
        stake_wei = next(iter(stage.chain.members.values())).stake_wei
        stage.chain.lines_wei = lines * stage.chain.line_wei
        await until(lambda: stage.service.router.market.models["tiny"].sellers[0].exposure_wei == stake_wei // lines)

    play(tmp_path, scenes)


def test_who_is_jailed_or_has_too_little_stake_is_asked_nothing(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        first, second = stage.nodes
        member: Member = stage.chain.members[first.key.address]
        stage.chain.members[first.key.address] = replace(member, active=False)
        await until(lambda: len(stage.service.router.market.models["tiny"].sellers) == 1)
        for _ in range(10):
            assert (await stage.ask()).status == 200
        assert not first.engine.requests
        assert len(second.engine.requests) == 10

    play(tmp_path, scenes, Script(), Script())


def test_a_restart_frees_no_node_of_what_it_is_exposed_to(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        node = stage.nodes[0].key.address
        for at in range(5):
            assert (await stage.ask(f"Question {at}")).status == 200
            if at in (1, 3):
                next_epoch(stage)
                await until(lambda at=at: len(stage.settlers.taken) == (at + 1) // 2)  # type: ignore[misc]
        share = stage.service.ledger.node_total(node) // 5
        assert stage.service.exposure.exposed_wei(node) == 5 * share
        await stage.restart_gateway()
        assert stage.service.exposure.exposed_wei(node) == 5 * share
        for epoch, left in ((0, 3), (1, 1)):
            stage.chain.checked = epoch
            await until(lambda left=left: stage.service.exposure.exposed_wei(node) == left * share)  # type: ignore[misc]

    play(tmp_path, scenes)


prices = st.builds(Price, st.integers(0, 2**60), st.integers(0, 2**60))
shares = st.integers(0, BPS)


@given(prices, prices, st.tuples(shares, shares, shares), st.tuples(shares, shares))
def test_no_vote_between_hold_and_bill_lifts_a_fee_above_its_hold(
    node: Price, listing: Price, margins: tuple[int, int, int], cuts: tuple[int, int]
) -> None:
    own, *ceilings = margins
    sets = [
        replace(Parameters(), protocol_bps=cut, maximum_margin_bps=ceiling)
        for cut, ceiling in zip(cuts, ceilings, strict=True)
    ]
    tariff = Tariff(own, sets.__getitem__, lambda: 0)
    planned = tariff.offered(node, listing)
    billed = split_fee(tariff.billed(planned, epoch=1), tokens_in=100, tokens_out=100)
    assert billed.fee_wei <= worst_case(planned, tokens_in=100, tokens_out_max=100)
    gross = node.gross(100, 100)
    assert billed.protocol_wei == gross * cuts[1] // BPS
    assert billed.gateway_wei <= gross * ceilings[1] // BPS


def exposure(totals: dict[bytes, int]) -> Exposure:
    return Exposure(lambda node: totals.get(node, 0), lambda: totals)


def test_a_later_epoch_does_not_vouch_for_an_earlier_one() -> None:
    totals = {b"n": 0}
    found = exposure(totals)
    assert found.exposed_wei(b"n") == 0
    for epoch in range(3):
        totals[b"n"] += 10
        found.closed(epoch)
    checked: set[int] = {1, 2}
    is_checked: Callable[[int], bool] = checked.__contains__
    found.look(is_checked)
    assert found.exposed_wei(b"n") == 30
    checked.add(0)
    found.look(is_checked)
    assert found.exposed_wei(b"n") == 0
