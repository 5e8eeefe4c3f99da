"""Records that nobody gives: demanded on chain, shown by whoever has them, or paid for by those who withhold them."""

import asyncio

import msgspec
import pytest
from tests.devnet import Devnet, OnDevnet
from tests.settlement.network import base_of
from tests.watcher.stage import EPOCHS, LIAR_EPOCH, WATCHDOG, Watched, watched

from dgrid.chain.channels import approve
from dgrid.chain.contracts import Reverted
from dgrid.chain.demands import DemandState, demand_id
from dgrid.chain.events import Kind, Role
from dgrid.chain.view import Anchor
from dgrid.core.identity import Address
from dgrid.core.merkle import SumTree, TreeNode, lane_item, leaf
from dgrid.core.money import BPS, WEI
from dgrid.core.places import Place
from dgrid.processes.life import now_ms
from dgrid.settlement.anchoring import AnchorOrder
from dgrid.settlement.claims import claim_by_default
from dgrid.settlement.closing import ClosedEpoch
from dgrid.settlement.demands import Answerer
from dgrid.settlement.promising import Excuser, PromisedRoots
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.watcher.challenges import Number
from dgrid.watcher.demanding import UNSEEN_BITS
from dgrid.watcher.findings import FindingOutcome
from dgrid.wire.blob import BLOB_BYTES_MAX, EpochBlob

DEMAND_S = 25


async def demanded(stage: Watched) -> Place:
    """The place that the watcher asked for, once its patience ended."""
    await stage.fund_deposit()
    await stage.step()
    await stage.pass_time(12)
    view = await stage.step()
    (demand,) = view.demands.values()
    assert demand.demander == stage.net.key(WATCHDOG).address
    return demand.place


async def convicted_after_its_time(stage: Watched) -> None:
    await stage.pass_time(DEMAND_S)
    view = await stage.step()
    assert view.convicted == {stage.network.books.key.address: LIAR_EPOCH}
    (found,) = (one for one in stage.watch.service.findings.latest(10) if one.outcome is FindingOutcome.CONVICTED)
    assert found.challenge == Number.WITHHELD


def archive_stakes(stage: Watched) -> dict[Address, int]:
    return {one.address: one.stake_wei for one in stage.network.watcher.finalized.active(Role.ARCHIVE)}


async def assert_that_each_was_slashed(stage: Watched, stakes: dict[Address, int]) -> None:
    """Once: archives had these stakes before."""
    penalty_wei = stage.network.watcher.finalized.parameters.last.undisclosed_penalty_wei
    for address, stake in stakes.items():
        left = await stage.net.contracts.registry.read(stage.net.rpc, "stakeOf", [Role.ARCHIVE, address])
        assert stake - left == penalty_wei


def test_withheld_records_cost_the_gateway_and_the_archives_that_promised_them(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.history()
        stage.withhold(await stage.lie("withheld"))
        assert await demanded(stage) == Place(LIAR_EPOCH, 2, 0)
        stakes = archive_stakes(stage)
        assert await stage.reward() == 0
        await convicted_after_its_time(stage)
        parameters = stage.network.watcher.finalized.parameters.last
        await assert_that_each_was_slashed(stage, stakes)
        gateways = (2000 * WEI + 1000 * WEI) * parameters.gateway_slash_bps // BPS
        rewarded = [gateways * parameters.reporter_bps // BPS]
        rewarded += [parameters.undisclosed_penalty_wei * parameters.reporter_bps // BPS] * len(stakes)
        assert await stage.reward() == parameters.demand_deposit_wei + sum(rewarded)

    on_devnet(main)


def test_who_ends_a_demand_and_names_no_archive_saves_none(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.history()
        closed = await stage.lie("withheld")
        stage.withhold(closed)
        place = await demanded(stage)
        stakes = archive_stakes(stage)
        await stage.pass_time(DEMAND_S)
        friend = await net.sender("a friend of the archives", dgai_wei=0)
        arguments = closed.root, place.lane, place.sequence, ()
        await friend.send(net.contracts.demands, "proveWithheld", arguments, label="names none")
        await stage.pass_time(1)
        name = demand_id(stage.network.books.key.address, place)
        await stage.network.watcher.until(lambda view: view.demands[name].state is DemandState.WITHHELD, timeout_s=30)
        await stage.step()
        await assert_that_each_was_slashed(stage, stakes)

    on_devnet(main)


def test_after_records_were_withheld_nodes_are_paid_what_the_ledger_says_by_their_receipts(on_devnet: OnDevnet) -> None:
    """From what the slash left of the bond, up to their lines."""

    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.history()
        stage.withhold(await stage.lie("withheld"))
        await demanded(stage)
        await convicted_after_its_time(stage)
        anyone = await net.sender("anyone", dgai_wei=0)
        latest = {(one.parties.node, one.place.lane): one for one in stage.network.books.receipts}
        for receipt in latest.values():
            seal = stage.held(receipt.place.position).seal
            await claim_by_default(anyone, net.contracts, kind=Kind.NODE, receipt=receipt, seal=seal)
        for node in {node for node, _ in latest}:
            owed = sum(base_of(receipt.totals.node) for (of, _), receipt in latest.items() if of == node)
            assert await net.balance(node) == owed > 0

    on_devnet(main)


@pytest.mark.parametrize("lie", ["unrelated", "repeated", "unsigned", "unordered"])
def test_a_record_that_cannot_be_shown_is_won_by_asking(on_devnet: OnDevnet, lie: str) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.lie(lie)
        assert await demanded(stage) in (Place(LIAR_EPOCH, 2, 0), Place(LIAR_EPOCH, 2, 3))
        archive = await answerer(stage, "archive-1")
        assert await archive.step(stage.network.watcher.finalized) == 0
        await convicted_after_its_time(stage)

    on_devnet(main)


@pytest.mark.parametrize(("lie", "lane"), [("more-idle", 1), ("longer", 4)])
def test_a_lane_without_records_that_counts_for_something_is_asked_for_and_convicts(
    on_devnet: OnDevnet, lie: str, lane: int
) -> None:
    """The gateway shows how long the lane is, and nobody takes it for an answer."""

    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.history()
        closed = await stage.lie(lie)
        place = await demanded(stage)
        assert place == Place(LIAR_EPOCH, lane, 0)
        with pytest.raises(Reverted, match="NotOfRecords"):
            await show_length(stage, closed, lane)
        await convicted_after_its_time(stage)

    on_devnet(main)


def test_an_archive_whose_blob_was_put_under_another_root_is_cleared(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        books, network = stage.network.books, stage.network
        stage.work(LIAR_EPOCH)
        closed = books.close(LIAR_EPOCH)
        assert closed is not None
        promised = SignedRoot.by(books.key, closed.root, domain=net.domain)
        promises = await network.archives.put(closed.blob, key=books.key, root=promised)
        root = msgspec.structs.replace(closed.root, records_root=bytes(31) + b"\x01")
        signature = SignedRoot.by(books.key, root, domain=net.domain).signature
        network.queue.accept(AnchorOrder(root, signature, tuple(promises)))
        await network.loop.step()
        await demanded(stage)
        roots = PromisedRoots(None)
        roots.keep(promised)
        excuser = Excuser(roots, await net.sender("archive-1", dgai_wei=0), net.contracts)
        await excuser.step(network.watcher.finalized)
        await excuser.step(network.watcher.finalized)
        stakes = {one.address: one.stake_wei for one in network.watcher.finalized.active(Role.ARCHIVE)}
        await convicted_after_its_time(stage)
        for address, stake in stakes.items():
            assert await net.contracts.registry.read(net.rpc, "stakeOf", [Role.ARCHIVE, address]) == stake

    on_devnet(main)


def test_a_demand_is_answered_once_and_its_deposit_goes_to_whoever_did(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        closed = await stage.lie("withheld")
        stage.withhold(closed)
        place = await demanded(stage)
        for store in stage.network.stores:  # they were only slow
            store.put(closed.blob_id, closed.blob)
        archives = [await answerer(stage, f"archive-{number}") for number in (1, 2)]
        before = await net.balance(net.key("archive-1").address)
        assert [await one.step(stage.network.watcher.finalized) for one in archives] == [1, 0]
        deposit = stage.network.watcher.finalized.parameters.last.demand_deposit_wei
        assert await net.balance(net.key("archive-1").address) - before == deposit
        view = await stage.step()
        assert [one.state for one in view.demands.values() if one.place == place] == [DemandState.ANSWERED]
        await stage.pass_time(DEMAND_S)
        view = await stage.step()
        assert view.convicted == {}
        assert LIAR_EPOCH in stage.watch.epochs.memory.digests(stage.network.books.key.address)
        assert stage.watch.service.findings.latest(1) == []

    on_devnet(main)


def test_a_place_beyond_its_lane_is_shown_to_be_empty(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        closed = await stage.lie("withheld")
        await stage.fund_deposit()
        anchor = stage.network.records.anchor(stage.network.books.key.address, LIAR_EPOCH)
        for place in (Place(LIAR_EPOCH, 0, 99), Place(LIAR_EPOCH, 1, 0)):
            await stage.fund_deposit()
            assert await stage.watch.epochs.demander.want(anchor, place, reason="a test asks")
        await stage.step()
        archive = await answerer(stage, "archive-1")
        assert await archive.step(stage.network.watcher.finalized) == 2
        assert closed.tree.lanes[0].count == 4

    on_devnet(main)


def test_a_burst_of_demands_is_answered_in_time_and_each_blob_is_fetched_once(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.history()
        burst = [
            (stage.network.records.anchor(stage.network.books.key.address, epoch), Place(epoch, 0, at))
            for epoch in EPOCHS
            for at in range(16)  # four stand there, the others are shown to be absent
        ]
        await demand_all(stage, burst)
        view = await stage.network.watcher.until(lambda view: len(view.demands) == len(burst), timeout_s=30)
        archives = [await answerer(stage, f"archive-{number}") for number in (1, 2)]
        fetched: list[bytes] = []

        async def fetch(blob_id: bytes) -> bytes | None:
            fetched.append(blob_id)
            return await stage.network.archives.fetch(blob_id)

        archives[0].fetch = fetch
        assert sum(await asyncio.gather(*(one.step(view) for one in archives))) == len(burst)
        assert len(fetched) == len(set(fetched)) == len(EPOCHS)
        assert await net.rpc.now_s() * 1000 < min(one.until_ms for one in view.demands.values())
        view = await stage.network.watcher.until(
            lambda view: all(one.state is DemandState.ANSWERED for one in view.demands.values()), timeout_s=30
        )

    on_devnet(main)


async def demand_all(stage: Watched, places: list[tuple[Anchor, Place]]) -> None:
    """Somebody with enough money asks for all of them at once."""
    net, deposit = stage.net, stage.network.watcher.finalized.parameters.last.demand_deposit_wei
    asker = await net.sender("asker", dgai_wei=deposit * len(places))
    await approve(asker, net.contracts, spender=net.contracts.demands.address, amount_wei=deposit * len(places))
    calls = [(anchor.root, place.lane, place.sequence) for anchor, place in places]
    await asyncio.gather(
        *(asker.send(net.contracts.demands, "demand", call, label=f"ask:{at}") for at, call in enumerate(calls))
    )


def test_who_keeps_one_record_ready_and_withholds_the_rest_is_asked_for_another_that_nobody_foresees(
    on_devnet: OnDevnet,
) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        closed = await stage.lie("withheld")
        stage.withhold(closed)
        drawn: list[int] = []

        def below(limit: int) -> int:
            drawn.append(limit)
            return limit - 1

        stage.watch.epochs.demander.below = below
        first = await demanded(stage)
        assert first == Place(LIAR_EPOCH, 2, 0)
        assert drawn == []
        await show_kept(stage, closed)
        await stage.fund_deposit()
        await stage.pass_time(4)
        await stage.step()
        await stage.pass_time(4)
        view = await stage.step()
        (second,) = (one.place for one in view.demands.values() if one.state is DemandState.OPEN)
        assert second == Place(LIAR_EPOCH, 2, (1 << UNSEEN_BITS - 1) - 1)
        assert len(drawn) == 3  # once for all, though it took a while to show on the chain
        await convicted_after_its_time(stage)
        await stage.step()
        assert stage.watch.epochs.away == {}

    on_devnet(main)


def test_who_shows_whatever_is_asked_for_is_paid_for_three_answers_and_no_more(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        closed = await stage.lie("withheld")
        stage.withhold(closed)
        await demanded(stage)
        while len(stage.network.watcher.finalized.demands) < 3:  # a place may be drawn twice
            await demanded_and_shown(stage, closed)
        for _ in range(2):
            await demanded_and_shown(stage, closed)
        view = stage.network.watcher.finalized
        assert [one.state for one in view.demands.values()] == [DemandState.ANSWERED] * 3
        assert stage.watch.epochs.away, "the epoch is still said to be away"
        assert await stage.reward() == view.parameters.last.demand_deposit_wei  # what a fourth would have taken
        await stage.pass_time(DEMAND_S)
        assert (await stage.step()).convicted == {}

    on_devnet(main)


def test_every_place_that_a_blob_has_room_for_may_be_asked_for(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        closed = await stage.lie("withheld")
        smallest = min(size for lane in EpochBlob.decode(closed.blob).header.lanes for size in lane.record_sizes)
        assert BLOB_BYTES_MAX // smallest <= 1 << UNSEEN_BITS - 1

    on_devnet(main)


async def show_length(stage: Watched, closed: ClosedEpoch, lane: int) -> None:
    """The gateway shows that a lane is empty, by the tree that its root is over."""
    leaves = [closed.tree.lane_leaf(number) for number in range(closed.root.lane_count)]
    fees = closed.root.pot - closed.tree.pot
    paid = next(at for at in range(len(leaves)) if at not in closed.tree.lanes)  # the first without records
    paid = closed.tree.lane_count if len(leaves) > closed.tree.lane_count else paid
    leaves[paid] = leaf(lane_item(paid, 0, TreeNode(bytes(32), fees)), fees)
    tree = SumTree(leaves)
    assert tree.root == (closed.root.records_root, closed.root.pot)
    empty = lane, 0, bytes(32), fees if lane == paid else 0
    gateway = await stage.net.sender("gateway", dgai_wei=0)
    arguments = (closed.root, lane, empty, tree.path(lane)), 0
    await gateway.send(stage.net.contracts.demands, "answerAbsent", arguments, label="show its length")


async def demanded_and_shown(stage: Watched, closed: ClosedEpoch) -> None:
    """One more step of a watcher that has what a demand takes; what is asked for is shown at once."""
    await stage.fund_deposit()
    await stage.pass_time(4)
    view = await stage.step()
    if any(one.state is DemandState.OPEN for one in view.demands.values()):
        await show_kept(stage, closed)


async def show_kept(stage: Watched, closed: ClosedEpoch) -> None:
    """The gateway itself shows what was asked for, and gives no archive anything."""
    archive = await answerer(stage, "archive-1")

    async def fetch(_blob_id: bytes) -> bytes:
        return closed.blob

    archive.fetch = fetch
    assert await archive.step(stage.network.watcher.finalized) == 1
    await stage.step()


def test_without_a_deposit_nothing_is_demanded_and_nothing_breaks(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        stage.withhold(await stage.lie("withheld"))
        await stage.step()
        await stage.pass_time(12)
        view = await stage.step()
        assert view.demands == {}
        assert stage.watch.epochs.metrics.demands.values == {"refused": 1}

    on_devnet(main)


async def answerer(stage: Watched, name: str) -> Answerer:
    net = stage.net
    sender = await net.sender(name, dgai_wei=0)
    return Answerer(stage.network.archives.fetch, sender, net.contracts, net.domain, now_ms)
