import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.settlement.offline import a_closed_epoch

from dgrid.core.errors import CheckFailed
from dgrid.core.keccak import keccak
from dgrid.core.merkle import TreeNode, lane_item, leaf, root_of_path
from dgrid.settlement.closing import Closing, ClosingRow, close_epoch
from dgrid.settlement.records import tree_of
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.wire.blob import EpochBlob, epoch_tree
from dgrid.wire.signatures import recover
from dgrid.wire.typed import dgrid_domain

DOMAIN = dgrid_domain(31337, b"\x05" * 20)
CLOSING = Closing(DOMAIN, b"\x01" * 20, 7, b"\x02" * 20, b"\x03" * 32)

fees = st.integers(0, 2**64)
lanes = st.dictionaries(st.integers(0, 6), st.lists(fees, min_size=1, max_size=9), min_size=1, max_size=4)


def rows_of(lanes: dict[int, list[int]]) -> list[ClosingRow]:
    return [
        ClosingRow(lane, sequence, b"record", keccak(bytes((lane, sequence))), fee)
        for lane, of_lane in sorted(lanes.items())
        for sequence, fee in enumerate(of_lane)
    ]


def test_an_epoch_without_leaves_has_no_root() -> None:
    assert close_epoch(CLOSING, []) is None


@given(lanes)
def test_the_pot_is_the_sum_of_all_fees_and_every_leaf_leads_to_the_root(lanes: dict[int, list[int]]) -> None:
    closed = close_epoch(CLOSING, rows_of(lanes))
    assert closed is not None
    assert closed.root.pot == sum(sum(of_lane) for of_lane in lanes.values())
    assert closed.root.lane_count == max(lanes) + 1
    for row in rows_of(lanes):
        tree = closed.tree.lanes[row.lane]
        lane_root = root_of_path(
            leaf(row.struct_hash, row.fee), index=row.sequence, count=tree.count, path=tree.path(row.sequence)
        )
        top = leaf(lane_item(row.lane, tree.count, lane_root), lane_root.total)
        path = closed.tree.records.path(row.lane)  # lane i stands at index i, as the contract climbs it
        root = root_of_path(top, index=row.lane, count=closed.root.lane_count, path=path)
        assert root == TreeNode(closed.root.records_root, closed.root.pot)


def test_a_gap_or_a_place_used_twice_is_refused() -> None:
    first, second = rows_of({0: [1, 2]})
    with pytest.raises(CheckFailed):
        close_epoch(CLOSING, [second])
    with pytest.raises(CheckFailed):
        close_epoch(CLOSING, [first, first])


def test_the_blob_leads_back_to_the_root() -> None:
    books, closed = a_closed_epoch(count=5)
    opened = EpochBlob.decode(closed.blob)
    tree = tree_of(opened)
    assert tree.records.root == TreeNode(closed.root.records_root, closed.root.pot)
    assert [receipt for of_lane in opened.receipts.values() for receipt in of_lane] == books.receipts


def test_a_root_is_signed_by_its_gateway() -> None:
    books, closed = a_closed_epoch(count=1)
    signed = SignedRoot.by(books.key, closed.root, domain=books.domain)
    assert recover(books.domain.digest(closed.root.struct_hash()), signed.signature) == books.key.address
    assert SignedRoot.from_header(signed.to_header(), domain=books.domain) == signed


def test_a_lane_number_beyond_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="lanes"):
        epoch_tree({2**31: [(bytes(32), 1)]})
