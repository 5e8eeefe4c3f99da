"""What a watcher remembers and joins, without a chain."""

from pathlib import Path

from hypothesis import given, settings
from tests.settlement.books import Books
from tests.settlement.offline import EPOCH_S, GENESIS_S, LISTING, some_books
from tests.watcher.histories import Cut, History, Listing, histories

from dgrid.chain.view import Anchor
from dgrid.core.epochs import EpochClock
from dgrid.core.identity import Address, Hash
from dgrid.core.keccak import keccak
from dgrid.core.money import Price
from dgrid.settlement.audit import AuditTerms
from dgrid.settlement.closing import ClosedEpoch
from dgrid.settlement.faults import BrokenTotal, Fault, Gap, MissingPrevious
from dgrid.settlement.records import EpochRecords, open_records
from dgrid.settlement.splits import SplitTerms
from dgrid.settlement.totals import Party
from dgrid.watcher.checking import Known, examine, join_with_others, late_faults
from dgrid.watcher.memory import Memory

AROUND = 50
CUT = Cut(200, 300, AROUND)
LISTINGS: dict[int, Listing] = {1: LISTING, 2: (keccak(b"another"), 7, Price(3, 10**18))}


def records_of(closed: ClosedEpoch) -> EpochRecords:
    return open_records(Anchor(closed.root, Hash(closed.root.struct_hash()), 1, 1), closed.blob)


def terms(books: Books, epoch: int) -> AuditTerms:
    prices = {(name, version): price for name, version, price in LISTINGS.values()}
    agreed = SplitTerms(prices, (CUT.at(epoch), CUT.at(epoch - 1)), 2_000)
    return AuditTerms(books.domain, EpochClock(GENESIS_S, EPOCH_S), agreed)


def closed_epochs(history: History) -> tuple[Books, list[EpochRecords]]:
    books, found = some_books(), []
    for epoch in history.bill(books, LISTINGS, CUT):
        closed = books.close(epoch)
        assert closed is not None
        found.append(records_of(closed))
    return books, found


class Witness:
    """Sees a gateway's epochs one after the other and remembers them, as a watcher does."""

    def __init__(self, books: Books, roots: list[int], path: Path | None = None) -> None:
        self.books, self.roots, self.path = books, roots, path
        self.memory = Memory(path)

    def see(self, records: EpochRecords) -> list[Fault]:
        examined = examine(records, terms(self.books, records.anchor.root.epoch))
        gateway, epoch = Address(records.anchor.root.gateway), records.anchor.root.epoch
        joined = join_with_others(examined.checked, self.known(gateway))
        self.memory.keep(examined.checked)
        return [*examined.faults, *joined, *late_faults(self.known(gateway), epoch=epoch)]

    def known(self, gateway: Address) -> Known:
        unknown = frozenset(self.roots) - self.memory.digests(gateway).keys()
        return Known(self.memory, gateway, self.roots.__contains__, unknown)

    def restart(self) -> None:
        if self.path is not None:
            self.memory.close()
            self.memory = Memory(self.path)


@settings(max_examples=60, deadline=None)
@given(history=histories(around=AROUND))
def test_nothing_is_found_in_an_honest_history_in_whatever_order_it_comes_to_light(history: History) -> None:
    books, epochs = closed_epochs(history)
    witness = Witness(books, [records.anchor.root.epoch for records in epochs])
    for at in history.order:
        assert witness.see(epochs[at]) == []


def test_nothing_is_found_after_a_restart(tmp_path: Path) -> None:
    @settings(max_examples=15, deadline=None)
    @given(history=histories(around=AROUND))
    def holds(history: History) -> None:
        (tmp_path / "epochs.sqlite").unlink(missing_ok=True)
        books, epochs = closed_epochs(history)
        witness = Witness(books, [records.anchor.root.epoch for records in epochs], tmp_path / "epochs.sqlite")
        for at, records in enumerate(epochs):
            if at == history.restart_after:
                witness.restart()
            assert witness.see(records) == []
        witness.memory.close()

    holds()


@settings(max_examples=40, deadline=None)
@given(history=histories(around=AROUND))
def test_an_epoch_whose_sums_forget_the_past_is_found_from_either_side(history: History) -> None:
    """A gateway that begins anew in its last epoch: each party that it had paid before shows it."""
    books, epochs = closed_epochs(history)
    paid = [receipt for records in epochs[:-1] for of_lane in records.blob.receipts.values() for receipt in of_lane]
    owed = {receipt.place.lane for receipt in paid if receipt.totals.gateway}
    anew = some_books()
    last, answers = history.epochs[-1]
    list(History(((last, answers),), 0, (0,)).bill(anew, LISTINGS, CUT))
    closed = anew.close(last)
    assert closed is not None
    told = [*epochs[:-1], records_of(closed)]
    for order in (told, told[::-1]):
        witness = Witness(books, [records.anchor.root.epoch for records in told])
        faults = [fault for records in order for fault in witness.see(records)]
        assert all(isinstance(fault, BrokenTotal | Gap | MissingPrevious) for fault in faults)
        lanes = {
            fault.later.lane for fault in faults if isinstance(fault, BrokenTotal) and fault.party is Party.GATEWAY
        }
        assert lanes == owed & set(closed.tree.lanes)


def test_a_full_memory_forgets_the_older_half_and_accuses_nobody_of_it() -> None:
    @settings(max_examples=20, deadline=None)
    @given(history=histories(around=AROUND))
    def holds(history: History) -> None:
        books, epochs = closed_epochs(history)
        witness = Witness(books, [records.anchor.root.epoch for records in epochs])
        witness.memory = Memory(None, stretches_max=12)
        for records in epochs:
            assert witness.see(records) == []

    holds()
