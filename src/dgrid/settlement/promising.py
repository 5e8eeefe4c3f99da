"""What an archive may promise to keep: records that it can be made to show, under a root that its gateway signed.

A promise binds an archive's stake: of every record under the root somebody may demand that it is shown. So an archive
takes an epoch's blob only with the signed root that its records lead to, looks at each record once, and keeps the root:
should the gateway put the same blob under another root, that one clears the archive.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from dgrid.chain.contracts import Contracts, Reverted
from dgrid.chain.demands import DemandState
from dgrid.chain.sender import Sender, TransactionRefused
from dgrid.chain.view import ChainView
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import to_hex
from dgrid.core.places import Place
from dgrid.machine.database import open_database
from dgrid.settlement.records import tree_of
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.settlement.splits import is_whole
from dgrid.wire.blob import EpochBlob, blob_id
from dgrid.wire.documents import ReceiptDocument, Record
from dgrid.wire.messages import EpochRoot
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS roots (
    blob BLOB PRIMARY KEY,
    root BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""


def require_showable(blob: bytes, signed: SignedRoot, *, domain: Domain) -> None:
    """Raises CheckFailed unless every record of the blob can be shown under the root. Takes as long as an audit."""
    root, opened = signed.root, EpochBlob.decode(blob)
    tree = tree_of(opened)
    led = tree.records.root.hash, tree.lane_count, tree.pot, blob_id(blob)
    if led != (root.records_root, root.lane_count, root.pot, root.blob_id):
        raise CheckFailed("the blob's records do not lead to the root that came with it")
    for lane, sequence, record in opened.records():
        _require_record(record, Place(root.epoch, lane, sequence), root=root, domain=domain)


def _require_record(record: Record, place: Place, *, root: EpochRoot, domain: Domain) -> None:
    try:
        document = ReceiptDocument.of(record, domain=domain)
    except ValueError as error:
        raise CheckFailed(f"malformed record at {place}: {error}") from None
    parties = document.receipt.parties
    placed = document.receipt.place.position == place and (parties.gateway, parties.token) == (root.gateway, root.token)
    if not placed or not is_whole(document):
        raise CheckFailed(f"nobody could show what stands at {place}: no promise is given for it")


class PromisedRoots:
    """The root with which each blob came. On disk before a promise is given."""

    def __init__(self, path: Path | None) -> None:
        self._db = open_database(path, _SCHEMA, durable=True)

    def close(self) -> None:
        self._db.close()

    def keep(self, signed: SignedRoot) -> None:
        """Raises CheckFailed when the blob came under another root before."""
        known = self.of(signed.root.blob_id)
        if known is not None and known.digest != signed.digest:
            raise CheckFailed("the blob came under another root before")
        values = signed.root.blob_id, signed.root.packed(), signed.signature
        self._db.execute("INSERT OR IGNORE INTO roots VALUES (?, ?, ?)", values)

    def of(self, blob: bytes) -> SignedRoot | None:
        """The root with which a blob came."""
        found = self._db.execute("SELECT root, signature FROM roots WHERE blob = ?", (blob,)).fetchone()
        return None if found is None else SignedRoot(EpochRoot.unpacked(found[0]), found[1])


@dataclass(frozen=True, slots=True)
class Excuser:
    """Clears an archive where a demand is for a root that it never promised anything for."""

    roots: PromisedRoots
    sender: Sender
    contracts: Contracts

    async def step(self, view: ChainView) -> None:
        """Raises ChainUnavailable."""
        for demand in view.demands.values():
            anchor = view.roots.get((demand.gateway, demand.place.epoch))
            if anchor is None or demand.state is DemandState.ANSWERED:
                continue
            promised = self.roots.of(anchor.root.blob_id)
            label = f"excuse:{to_hex(anchor.digest)}"
            if promised is None or promised.digest == anchor.digest or self.sender.is_sent(label):
                continue
            try:
                arguments = anchor.root, promised.root, promised.signature
                await self.sender.send(self.contracts.demands, "excuse", arguments, label=label)
            except (Reverted, TransactionRefused) as error:
                logger.warning("cannot show that the root was another's: %s", error.message)
