"""Disclosed contents as an evaluator gets them: fetched from any archive, opened, and held against the receipt.

What was not given in time, or not to this evaluator, is undisclosed; what does not hash to what was signed is altered.
Neither is judged. Refuses to believe a disclosure of another network, gateway, epoch or seed.
"""

from dataclasses import dataclass

from dgrid.chain.view import Draw
from dgrid.core.errors import CheckFailed
from dgrid.evaluator.keys import EncryptionKey, open_leaf
from dgrid.settlement.archives import Archives
from dgrid.settlement.evidence import LeafPlace, is_signed, open_disclosure
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.quality import Content, DisclosedLeaf, LeafKey, Verdict
from dgrid.wire.typed import Domain


@dataclass(frozen=True, slots=True)
class Shown:
    """What an evaluator was shown of a leaf: content only where it may be judged."""

    verdict: Verdict
    content: Content | None = None


@dataclass(frozen=True, slots=True)
class DisclosureReader:
    """One evaluator's eyes."""

    archives: Archives
    court: Domain
    key: EncryptionKey
    evaluator: bytes

    async def disclosure(self, draw: Draw, blob_id: bytes) -> dict[LeafPlace, DisclosedLeaf]:
        """The leaves that a gateway disclosed of a draw. Raises NetworkUnreachable, CheckFailed."""
        return open_disclosure(await self.archives.fetch(blob_id), self.court, draw=draw)

    def show(self, leaf: DisclosedLeaf | None, document: ReceiptDocument) -> Shown:
        """The content of a leaf, if it was given and is what was signed."""
        if leaf is None:
            return Shown(Verdict.UNDISCLOSED)
        try:
            content = open_leaf(leaf, self.key, evaluator=self.evaluator)
        except CheckFailed:
            return Shown(Verdict.UNDISCLOSED)
        return Shown(Verdict.JUDGED, content) if is_signed(content, document) else Shown(Verdict.ALTERED)


def place_of(key: LeafKey) -> LeafPlace:
    return key.lane, key.sequence
