"""A gateway that lies when it closes an epoch: `python -m tests.network.dishonest.gateway LIE CONFIG`.

It answers, bills and signs receipts as it should; then it settles something else. Each lie is the product's own closing
with one thing changed, told once, of the last receipt of the epoch's last lane (or of the root). `withheld` also needs
archives that hold nothing of what they signed, so it is a test's to arrange.

`secretive` settles what it should, and keeps the first drawn leaf of one epoch from those who judge it.
"""

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dgrid.chain.view import Draw
from dgrid.config import GatewayConfig, load_role
from dgrid.core.merkle import SumTree, TreeNode, lane_item, leaf
from dgrid.core.places import NO_PLACE
from dgrid.gateway import closing as gateway_closing
from dgrid.gateway import disclosing as gateway_disclosing
from dgrid.poq.evidence import LeafFacts
from dgrid.poq.rules import DrawRules
from dgrid.processes import gateway
from dgrid.processes.roles import log_to_stderr
from dgrid.settlement.closing import ClosedEpoch, Closing, ClosingRow, close_epoch
from dgrid.settlement.totals import Party
from dgrid.wire.blob import SignedVoucher, decode_record, encode_record
from dgrid.wire.messages import EpochRoot, InferenceReceipt
from dgrid.wire.seals import seal
from dgrid.wire.signatures import SigningKey

Change = Callable[[InferenceReceipt], InferenceReceipt]
Rows = list[ClosingRow]
replace = msgspec.structs.replace


@dataclass(frozen=True)
class Liar:
    """Closes epochs as `close_epoch` does, and tells one lie with the first that `matches`."""

    lie: str
    key: SigningKey
    told: list[int]  # epochs

    def close(
        self, closing: Closing, rows: Sequence[ClosingRow], *, vouchers: Sequence[SignedVoucher] = ()
    ) -> ClosedEpoch | None:
        rows = list(rows)
        if self.told and self.told[0] != closing.epoch:
            return close_epoch(closing, rows, vouchers=vouchers)
        self.told.append(closing.epoch)
        if (of_rows := ROW_LIES.get(self.lie)) is not None:
            return close_epoch(closing, of_rows(self, closing, rows), vouchers=vouchers)
        closed = close_epoch(closing, rows, vouchers=vouchers)
        assert closed is not None
        return ROOT_LIES[self.lie](closed, rows)

    def sealed(self, closing: Closing, row: ClosingRow, change: Change) -> ClosingRow:
        """The row with another receipt, which the gateway's own key seals."""
        record = decode_record(row.record)
        receipt = change(InferenceReceipt.unpacked(record.receipt))
        (resealed,) = seal(self.key, closing.domain, [receipt.struct_hash()])
        record = replace(record, receipt=receipt.packed(), seal=resealed)
        return ClosingRow(row.lane, row.sequence, encode_record(record), receipt.struct_hash(), receipt.shares.fee)


# --- lies about receipts ----------------------------------------------------------------------------------------------


def omitted(liar: Liar, closing: Closing, rows: Rows) -> Rows:
    return rows[:-1]


def last_changed(change: Change, liar: Liar, closing: Closing, rows: Rows) -> Rows:
    return [*rows[:-1], liar.sealed(closing, rows[-1], change)]


def altered(receipt: InferenceReceipt) -> InferenceReceipt:
    """Every sum is right; but it is not what the client holds."""
    return replace(receipt, hashes=replace(receipt.hashes, wire=bytes(32)))


def underpaid(party: Party, receipt: InferenceReceipt) -> InferenceReceipt:
    name = party.name.lower()
    return replace(receipt, totals=replace(receipt.totals, **{name: getattr(receipt.totals, name) - 1}))


def forgetful(party: Party, receipt: InferenceReceipt) -> InferenceReceipt:
    """As if all that the party earned in this lane had never been."""
    name = party.name.lower()
    share = receipt.shares.fee if party is Party.PAYER else getattr(receipt.shares, name)
    previous = replace(receipt.previous, **{name: NO_PLACE})
    return replace(receipt, totals=replace(receipt.totals, **{name: share}), previous=previous)


def pointing_nowhere(receipt: InferenceReceipt) -> InferenceReceipt:
    return replace(receipt, previous=replace(receipt.previous, node=(receipt.place.epoch - 1) << 64 | 10**6))


def pointing_ahead(receipt: InferenceReceipt) -> InferenceReceipt:
    return replace(receipt, previous=replace(receipt.previous, payer=receipt.place.position.packed()))


def badly_split(receipt: InferenceReceipt) -> InferenceReceipt:
    """The gateway keeps the protocol's part."""
    shares, totals, part = receipt.shares, receipt.totals, receipt.shares.protocol
    shares = replace(shares, protocol=0, gateway=shares.gateway + part)
    totals = replace(totals, protocol=totals.protocol - part, gateway=totals.gateway + part)
    return replace(receipt, shares=shares, totals=totals)


def mispriced(by_wei: int, receipt: InferenceReceipt) -> InferenceReceipt:
    """The listing's share alone is wrong, and the fee with it: node, protocol and gateway have theirs."""
    shares, totals = receipt.shares, receipt.totals
    shares = replace(shares, fee=shares.fee + by_wei, listing=shares.listing + by_wei)
    totals = replace(totals, payer=totals.payer + by_wei, listing=totals.listing + by_wei)
    return replace(receipt, shares=shares, totals=totals)


def misplaced(receipt: InferenceReceipt) -> InferenceReceipt:
    """It stands where it should, signed for a place further on."""
    return replace(receipt, place=replace(receipt.place, sequence=receipt.place.sequence + 100))


def unsigned(liar: Liar, closing: Closing, rows: Rows) -> Rows:
    """The node never signed what it is said to have done."""
    return [*rows[:-1], recorded(rows[-1], node_seal=decode_record(rows[-1].record).seal)]


def repeated(liar: Liar, closing: Closing, rows: Rows) -> Rows:
    """One receipt stands twice, where another should."""
    last, before = rows[-1], rows[-2]
    return [*rows[:-1], ClosingRow(last.lane, last.sequence, before.record, before.struct_hash, before.fee)]


def unordered(liar: Liar, closing: Closing, rows: Rows) -> Rows:
    """The order that the node's receipt speaks of is not the one in the record."""
    return [*rows[:-1], recorded(rows[-1], dispatch=decode_record(rows[0].record).dispatch)]


def recorded(row: ClosingRow, **changes: Any) -> ClosingRow:
    record = encode_record(replace(decode_record(row.record), **changes))
    return ClosingRow(row.lane, row.sequence, record, row.struct_hash, row.fee)


# --- lies about the root ----------------------------------------------------------------------------------------------


def signed(closed: ClosedEpoch, **changes: Any) -> ClosedEpoch:
    return ClosedEpoch(replace(closed.root, **changes), closed.blob, closed.blob_id, closed.tree)


def more_pot(closed: ClosedEpoch, rows: Rows) -> ClosedEpoch:
    return signed(closed, pot=closed.root.pot + 1)


def lanes_counted(closed: ClosedEpoch, lane: int, *, counted: TreeNode, count: int) -> ClosedEpoch:
    """The root over the honest lanes, but for one."""
    leaves = []
    for index in range(closed.tree.lane_count):
        tree = closed.tree.lanes.get(index)
        root, leaves_of = (TreeNode(bytes(32), 0), 0) if tree is None else (tree.root, tree.count)
        root, leaves_of = (counted, count) if index == lane else (root, leaves_of)
        leaves.append(leaf(lane_item(index, leaves_of, root), root.total))
    top = SumTree(leaves).root
    return signed(closed, records_root=top.hash, pot=top.total)


def more_fee(closed: ClosedEpoch, rows: Rows) -> ClosedEpoch:
    """The last record counts for one unit more than its fee."""
    lane = rows[-1].lane
    of_lane = [row for row in rows if row.lane == lane]
    leaves = [leaf(row.struct_hash, row.fee + (row is rows[-1])) for row in of_lane]
    return lanes_counted(closed, lane, counted=SumTree(leaves).root, count=len(leaves))


def more_lane(closed: ClosedEpoch, rows: Rows) -> ClosedEpoch:
    """The last lane counts for one unit more than its records."""
    lane = rows[-1].lane
    tree = closed.tree.lanes[lane]
    return lanes_counted(closed, lane, counted=TreeNode(tree.root.hash, tree.root.total + 1), count=tree.count)


def more_idle(closed: ClosedEpoch, rows: Rows) -> ClosedEpoch:
    """A lane that wrote nothing counts for one unit."""
    idle = next(lane for lane in range(closed.tree.lane_count) if lane not in closed.tree.lanes)
    return lanes_counted(closed, idle, counted=TreeNode(bytes(32), 1), count=0)


def longer(closed: ClosedEpoch, rows: Rows) -> ClosedEpoch:
    """Two lanes more, which wrote nothing; the first counts for one unit."""
    lane = closed.tree.lane_count
    leaves = [closed.tree.lane_leaf(index) for index in range(lane + 2)]
    leaves[lane] = leaf(lane_item(lane, 0, TreeNode(bytes(32), 1)), 1)
    top = SumTree(leaves).root
    return signed(closed, records_root=top.hash, pot=top.total, lane_count=len(leaves))


def unrelated(closed: ClosedEpoch, rows: Rows) -> ClosedEpoch:
    """A root over records that nobody ever sees."""
    return signed(closed, records_root=bytes(31) + b"\x01")


def honest_once_more(closed: ClosedEpoch, rows: Rows) -> ClosedEpoch:
    return closed


def second_root(root: EpochRoot) -> EpochRoot:
    """Another root for the same epoch."""
    return replace(root, pot=root.pot + 1)


ROW_LIES: dict[str, Callable[[Liar, Closing, Rows], Rows]] = {
    "omitted": omitted,
    "repeated": repeated,
    "unsigned": unsigned,
    "unordered": unordered,
    "altered": functools.partial(last_changed, altered),
    "pointing-nowhere": functools.partial(last_changed, pointing_nowhere),
    "pointing-ahead": functools.partial(last_changed, pointing_ahead),
    "badly-split": functools.partial(last_changed, badly_split),
    "less-for-listing": functools.partial(last_changed, functools.partial(mispriced, -1)),
    "more-for-listing": functools.partial(last_changed, functools.partial(mispriced, +1)),
    "misplaced": functools.partial(last_changed, misplaced),
    **{
        f"underpaid-{party.name.lower()}": functools.partial(last_changed, functools.partial(underpaid, party))
        for party in Party
    },
    **{
        f"forgetful-{party.name.lower()}": functools.partial(last_changed, functools.partial(forgetful, party))
        for party in Party
        if not party.has_whole_lane
    },
}
ROOT_LIES: dict[str, Callable[[ClosedEpoch, Rows], ClosedEpoch]] = {
    "more-pot": more_pot,
    "more-fee": more_fee,
    "more-lane": more_lane,
    "more-idle": more_idle,
    "longer": longer,
    "unrelated": unrelated,
    "withheld": honest_once_more,
}


# --- what is not shown ------------------------------------------------------------------------------------------------

HIDING_EPOCHS = 3
honest_drawings = gateway_disclosing.drawings_of


@dataclass(frozen=True)
class Secretive:
    """Discloses as it should, but for one leaf of each of some epochs: judges at their cap have no duty to miss one."""

    hidden: list[int]  # epochs

    def drawings_of(self, draw: Draw, leaves: list[LeafFacts], *, rules: DrawRules) -> list[gateway_disclosing.Drawing]:
        found = honest_drawings(draw, leaves, rules=rules)
        if found and draw.epoch not in self.hidden and len(self.hidden) < HIDING_EPOCHS:
            self.hidden.append(draw.epoch)
        return found[1:] if draw.epoch in self.hidden else found


def main(lie: str, config_file: Path) -> None:
    """Runs the gateway until it is told to stop."""
    config = load_role(GatewayConfig, config_file, dev=True)
    config.folder.mkdir(parents=True, exist_ok=True)
    if lie == "secretive":
        vars(gateway_disclosing).update(drawings_of=Secretive([]).drawings_of)
    elif lie in {*ROW_LIES, *ROOT_LIES}:
        vars(gateway_closing).update(close_epoch=Liar(lie, config.key(), []).close)
    else:
        raise SystemExit(f"no such lie: {lie}")
    log_to_stderr()
    gateway.run(config)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
