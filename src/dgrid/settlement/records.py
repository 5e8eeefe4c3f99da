"""Anchored epochs with their records: what the chain says, and the blob that proves it, from any archive."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dgrid.chain.view import Anchor, ChainView
from dgrid.core.errors import CheckFailed, NotYet
from dgrid.core.identity import Address
from dgrid.core.places import Place
from dgrid.settlement.archives import Archives
from dgrid.settlement.proofs import LeafProof
from dgrid.wire.blob import EpochBlob, EpochTree, epoch_tree
from dgrid.wire.messages import InferenceReceipt

KEPT_EPOCHS = 4
NO_ROOT_YET = "without receipts an epoch has no root; else it comes within a minute of the epoch's end"


@dataclass(frozen=True, slots=True)
class EpochRecords:
    """An anchored epoch whose blob leads to its root."""

    anchor: Anchor
    blob: EpochBlob
    tree: EpochTree

    def proof(self, receipt: InferenceReceipt) -> LeafProof:
        """The way from a receipt of this epoch to its root. Raises CheckFailed when it is signed for another place."""
        try:
            return LeafProof.of(self.anchor.root, self.tree, receipt=receipt)
        except (KeyError, IndexError):
            raise CheckFailed(f"no leaf of the epoch is at {receipt.place.position}") from None

    def standing(self) -> Iterator[tuple[int, list[InferenceReceipt]]]:
        """(lane, its receipts) without those that stand where they are not signed for: nothing is owed by them."""
        epoch = self.anchor.root.epoch
        for lane, receipts in self.blob.receipts.items():
            placed = enumerate(receipts)
            yield lane, [one for at, one in placed if one.place.position == Place(epoch, lane, at)]

    def find(self, request_id: bytes) -> InferenceReceipt | None:
        """A request's receipt in this epoch."""
        for receipts in self.blob.receipts.values():
            for receipt in receipts:
                if receipt.request_id == request_id:
                    return receipt
        return None


def open_records(anchor: Anchor, blob: bytes) -> EpochRecords:
    """An epoch's records, checked to be those under its root. Raises CheckFailed."""
    opened = EpochBlob.decode(blob)
    tree = tree_of(opened)
    if tree.records.root.hash != anchor.root.records_root or tree.pot != anchor.root.pot:
        raise CheckFailed("the blob's records do not lead to the root on chain")
    return EpochRecords(anchor, opened, tree)


def tree_of(blob: EpochBlob) -> EpochTree:
    """The trees over a blob's receipts. Raises CheckFailed."""
    leaves = {
        lane: [(receipt.struct_hash(), receipt.shares.fee) for receipt in receipts]
        for lane, receipts in blob.receipts.items()
    }
    try:
        return epoch_tree(leaves)
    except (ValueError, OverflowError) as error:
        raise CheckFailed(f"the blob's records form no tree: {error}") from None


class Records:
    """All anchored epochs as `view` has them, blobs fetched when asked for."""

    def __init__(self, view: Callable[[], ChainView], archives: Archives) -> None:
        self._view, self._archives = view, archives
        self._known: OrderedDict[bytes, EpochRecords] = OrderedDict()

    @property
    def view(self) -> ChainView:
        return self._view()

    def anchors(self, *, gateway: Address | None = None, since: int = 0) -> list[Anchor]:
        """All roots that stand, of the epochs from `since` on, newest epoch first."""
        view = self.view
        found = [
            anchor
            for (of, epoch), anchor in view.roots.between(since)
            if gateway in (None, of) and not view.is_void(of, epoch)
        ]
        return sorted(found, key=lambda anchor: (-anchor.root.epoch, anchor.root.gateway))

    def anchor(self, gateway: Address, epoch: int) -> Anchor:
        """A gateway's root of an epoch. Raises NotYet."""
        found = self.view.roots.get((gateway, epoch))
        if found is None:
            raise NotYet(f"epoch {epoch} is not anchored", hint=NO_ROOT_YET)
        return found

    async def epoch(self, anchor: Anchor) -> EpochRecords:
        """The records under a root. Raises CheckFailed, NetworkUnreachable."""
        if (known := self._known.get(anchor.digest)) is not None:
            return known
        return await self._opened(anchor, await self._archives.fetch(anchor.root.blob_id))

    async def held(self, anchor: Anchor) -> EpochRecords | None:
        """The records under a root; None when more than half of all archives say that they do not have them.

        Raises CheckFailed (what they have leads elsewhere), NetworkUnreachable.
        """
        if (known := self._known.get(anchor.digest)) is not None:
            return known
        blob = await self._archives.find(anchor.root.blob_id)
        return None if blob is None else await self._opened(anchor, blob)

    async def _opened(self, anchor: Anchor, blob: bytes) -> EpochRecords:
        """In a thread: a large epoch takes seconds, in which others wait for this process's answers."""
        records = await asyncio.to_thread(open_records, anchor, blob)
        self._known[anchor.digest] = records
        if len(self._known) > KEPT_EPOCHS:
            self._known.popitem(last=False)
        return records
