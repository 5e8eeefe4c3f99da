"""No honest gateway can be convicted: over random histories on a real chain, the contracts refuse every challenge that
anybody could build from what it signed, and a watcher finds nothing.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, product
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from tests.devnet import Devnet, running_devnet
from tests.settlement.books import MODEL, Books
from tests.settlement.network import BOND_WEI, STAKE_WEI, Settling, settling
from tests.watcher.histories import Cut, History, Listing, histories
from tests.watcher.stage import Later, a_watch

from dgrid.chain.contracts import Reverted
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.chain.parameters import catalogue
from dgrid.core.identity import model_id, to_hex
from dgrid.core.money import BPS, WEI, Price
from dgrid.core.places import Place, unpack_place
from dgrid.processes.watcher import Watch
from dgrid.settlement.demands import record_arguments
from dgrid.settlement.faults import BadSplit, BrokenTotal, Gap, MissingPrevious
from dgrid.settlement.proofs import leaf_arguments
from dgrid.settlement.records import EpochRecords
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.settlement.sums import trail_to
from dgrid.settlement.totals import Line, Party, lines
from dgrid.watcher.challenges import Challenge, Prosecutor
from dgrid.watcher.evidence import HeldReceipt
from dgrid.wire.blob import decode_record
from dgrid.wire.messages import InferenceReceipt

PROTOCOL_AFTER = 300
EXAMPLES = 8
REFUSALS = ("NotEvidence", "NotIncluded", "NotAnchored", "NoSuchParty")
LOOSE = 4  # how many pairs of unrelated leaves are tried of each kind


@dataclass
class World:
    """A chain on which many gateways can settle, one for each history."""

    net: Devnet
    network: Settling
    cut: Cut
    listings: dict[int, Listing]
    numbers: Iterator[int]

    async def holds(self, history: History) -> None:
        number = next(self.numbers)
        name = f"honest-{number}"
        books = self.network.books = await self._enrolled(name)
        watch = await a_watch(self.net, self.network, Later(), name=f"watcher-{number}")
        for seen, epoch in enumerate(history.bill(books, self.listings, self.cut)):
            if seen == history.restart_after:
                watch = await a_watch(self.net, self.network, Later(), name=f"watcher-{number}")
            await self.network.anchor(epoch)
            await self._look(watch, books)
        assert watch.service.findings.latest(1) == []
        assert watch.epochs.memory.digests(books.key.address).keys() == {epoch for epoch, _ in history.epochs}
        await self._refuses_everything(books)

    async def _enrolled(self, name: str) -> Books:
        net, watcher = self.net, self.network.watcher
        enroller = Enroller(net.rpc, net.contracts, await net.sender(name, dgai_wei=0), dev=True)
        await enroller.enroll(Enrolment(Role.GATEWAY, "http://127.0.0.1:1", STAKE_WEI, margin_bps=500), watcher.latest)
        await enroller.ensure_bond(BOND_WEI)
        return Books(net.key(name), net.domain, net.contracts.dgai.address, net.genesis_s, net.epoch_seconds)

    async def _look(self, watch: Watch, books: Books) -> None:
        """The receipts' owners hand them all in, and the watcher compares and checks."""
        for row in books.rows[max(books.rows)]:
            record = decode_record(row.record)
            held = HeldReceipt(InferenceReceipt.unpacked(record.receipt), record.seal)
            watch.service.evidence.hold_receipt(held)
        block = self.network.watcher.block
        eyes = watch.side.watcher
        await eyes.until(lambda view: eyes.block >= block, timeout_s=30)
        await watch.step()
        assert watch.service.evidence.count() == 0

    async def _refuses_everything(self, books: Books) -> None:
        anchors = self.network.records.anchors(gateway=books.key.address)
        epochs = [await self.network.records.epoch(anchor) for anchor in anchors]
        prosecutor = Prosecutor(self.net.contracts, self.network.records, view=lambda: self.network.watcher.finalized)
        tried = 0
        for records in epochs:
            for challenge in await self._challenges(prosecutor, records, epochs):
                tried += 1
                with pytest.raises(Reverted) as refusal:
                    await challenge.contract.read(self.net.rpc, challenge.function, challenge.arguments)
                assert refusal.value.name in REFUSALS, challenge
        assert tried
        await self._record_can_be_shown(epochs[0])

    async def _challenges(
        self, prosecutor: Prosecutor, records: EpochRecords, epochs: list[EpochRecords]
    ) -> list[Challenge]:
        """All that an accuser could make of one epoch beside the others."""
        found: list[Challenge | None] = []
        leaves = [receipt for of_lane in records.blob.receipts.values() for receipt in of_lane]
        for receipt in leaves:
            for line in lines(receipt):
                found += await _of_totals(prosecutor, records, receipt, line)
            place = receipt.place.position
            found.append(prosecutor.bad_split(BadSplit("", place), records))
            found += [*_of_sums(prosecutor, records, receipt)]
            held = HeldReceipt(receipt, records.blob.record_at(place.lane, place.sequence).seal)
            found += [prosecutor.omitted(held, records), prosecutor.passed_over(held)]
            found.append(prosecutor.double_place(held, held))
        found += await self._of_pairs(prosecutor, records, leaves, epochs)
        return [challenge for challenge in found if challenge is not None]

    async def _of_pairs(
        self,
        prosecutor: Prosecutor,
        records: EpochRecords,
        leaves: list[InferenceReceipt],
        epochs: list[EpochRecords],
    ) -> list[Challenge | None]:
        """Leaves beside leaves that are not theirs."""
        found: list[Challenge | None] = []
        others = [one for epoch in epochs for of_lane in epoch.blob.receipts.values() for one in of_lane]
        for receipt, other in list(product(leaves, others))[:LOOSE]:
            for party in Party:
                places = receipt.place.position, other.place.position
                found.append(await prosecutor.broken_total(BrokenTotal("", party, *places), records))
                found.append(await prosecutor.gap(Gap("", party, *places), records))
        roots = [SignedRoot(one.anchor.root, self._signature(one)) for one in epochs]
        found += [prosecutor.two_roots(roots[0], other) for other in roots]
        return found

    def _signature(self, records: EpochRecords) -> bytes:
        return SignedRoot.by(self.network.books.key, records.anchor.root, domain=self.net.domain).signature

    async def _record_can_be_shown(self, records: EpochRecords) -> None:
        """Whatever is demanded of it can be answered: here nothing was, and that alone is what the contract minds."""
        lane = min(records.tree.lanes)
        arguments = record_arguments(records, Place(records.anchor.root.epoch, lane, 0), domain=self.net.domain)
        assert arguments is not None
        with pytest.raises(Reverted, match="NotDemanded"):
            await self.net.contracts.demands.read(self.net.rpc, "answer", [arguments])


async def _of_totals(
    prosecutor: Prosecutor, records: EpochRecords, receipt: InferenceReceipt, line: Line
) -> list[Challenge | None]:
    """A leaf beside its true predecessor, beside none, and with a `Previous` said to be missing."""
    place = receipt.place.position
    named = unpack_place(line.previous, lane=place.lane)
    before = Place(place.epoch, place.lane, place.sequence - 1) if place.sequence else None
    earlier = before if line.party.has_whole_lane else named
    found = [
        await prosecutor.broken_total(BrokenTotal("", line.party, place, earlier), records),
        await prosecutor.broken_total(BrokenTotal("", line.party, place, None), records),
    ]
    if earlier is not None:
        found.append(await prosecutor.missing_previous(MissingPrevious("", line.party, place, earlier), records))
        found.append(await prosecutor.gap(Gap("", line.party, place, earlier), records))
    return found


def _of_sums(prosecutor: Prosecutor, records: EpochRecords, receipt: InferenceReceipt) -> Iterator[Challenge]:
    """Every trail from a record upwards, which adds up."""
    place, root = receipt.place.position, records.anchor.root
    trail = trail_to(records.tree, receipt, at=(place.lane, place.sequence))
    anywhere = prosecutor.passed_over(HeldReceipt(receipt, records.blob.record_at(place.lane, place.sequence).seal))
    yield replace(anywhere, function="proveWrongPot", arguments=(root, trail.arguments()))
    yield replace(anywhere, function="proveWrongFee", arguments=(root, leaf_arguments(receipt), trail.arguments()))


async def a_world(net: Devnet) -> World:
    """Archives, two listings of which one was revised, and a vote that raised the protocol's share."""
    network = await settling(net)
    creator = await net.sender("creator-1")
    payees = [[net.key("creator-1").address], [BPS]]
    await creator.send(net.contracts.listings, "list", [model_id(MODEL), WEI, 2 * WEI, *payees], label="list")
    view = await network.watcher.until(lambda view: model_id(MODEL) in view.listings, timeout_s=30)
    listing = view.listings[model_id(MODEL)]
    await creator.send(net.contracts.listings, "revise", [listing.id, WEI // 3, WEI, *payees], label="revise")
    view = await network.watcher.until(lambda view: (listing.id, 2) in view.listing_versions, timeout_s=30)
    listings: dict[int, Listing] = {1: (listing.id, 1, listing.price), 2: (listing.id, 2, Price(WEI // 3, WEI))}
    from_epoch = await _voted(net, network)
    return World(net, network, Cut(200, PROTOCOL_AFTER, from_epoch), listings, count(1))


async def _voted(net: Devnet, network: Settling) -> int:
    """The Timelock raises the protocol's share; the first epoch in which it counts, long past when this returns."""
    timelock, index = to_hex(net.contracts.timelock.address), _index("protocol_bps")
    data = to_hex(net.contracts.parameters.encode("set", [[index], [PROTOCOL_AFTER]]))
    await net.rpc.call("anvil_setBalance", [timelock, hex(WEI)])
    await net.rpc.call("anvil_impersonateAccount", [timelock])
    call = {"from": timelock, "to": to_hex(net.contracts.parameters.address), "data": data}
    await net.rpc.call("eth_sendTransaction", [call])
    await network.watcher.until(lambda view: view.parameters.last.protocol_bps == PROTOCOL_AFTER, timeout_s=30)
    await net.pass_time(100)
    view = await network.watcher.until(lambda view: view.parameters.last.protocol_bps == PROTOCOL_AFTER, timeout_s=30)
    return view.parameters.first_epochs[-1]


def _index(name: str) -> int:
    return next(tunable.index for tunable in catalogue() if tunable.name == name)


@pytest.mark.timeout(300)
def test_no_challenge_that_anybody_could_build_convicts_an_honest_gateway(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        devnet = running_devnet(tmp_path)
        net = runner.run(devnet.__aenter__())
        try:
            world = runner.run(a_world(net))

            @settings(
                max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate]
            )  # shrinking takes minutes
            @given(history=histories(around=world.cut.from_epoch))
            def holds(history: History) -> None:
                runner.run(world.holds(history))

            holds()
        finally:
            runner.run(devnet.__aexit__(None, None, None))
