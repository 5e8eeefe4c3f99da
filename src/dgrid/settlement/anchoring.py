"""Roots on their way to the chain: journaled before anyone is told they were taken, sent until they stand there.

Refuses roots that their gateway did not sign. Whether archives and bond suffice is the contract's to say.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from dgrid.chain.contracts import Contracts
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView
from dgrid.core.errors import ChainUnavailable, DGridError, IdempotencyConflict, InvalidRequest
from dgrid.core.identity import Address, address_from_hex, to_hex
from dgrid.machine.database import open_database
from dgrid.settlement.archives import Promise, PromiseJson
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.wire.messages import EpochRoot
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

PROMISES_MAX = 64
RETRY_S = 2

_SCHEMA = """
CREATE TABLE IF NOT EXISTS anchors (
    gateway BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    root BLOB NOT NULL,
    signature BLOB NOT NULL,
    stored BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'anchored', 'refused')),
    reason TEXT NOT NULL,
    PRIMARY KEY (gateway, epoch)
) STRICT, WITHOUT ROWID;
"""


class AnchorState(StrEnum):
    """How far a root has come."""

    WAITING = "waiting"
    ANCHORED = "anchored"
    REFUSED = "refused"  # for good: another root stands at its place, or the gateway went on without it


@dataclass(frozen=True, slots=True)
class AnchorOrder:
    """A signed root with the archives' promises."""

    root: EpochRoot
    signature: bytes
    stored: tuple[Promise, ...]

    @property
    def digest(self) -> bytes:
        return self.root.struct_hash()

    def to_json(self) -> dict[str, Any]:
        promises = [promise.to_json() for promise in self.stored]
        return {"root": self.root.to_json(), "signature": to_hex(self.signature), "stored": promises}

    @classmethod
    def from_json(cls, data: bytes, *, domain: Domain) -> "AnchorOrder":
        """An order as a gateway posts it. Raises InvalidRequest, InvalidSignature."""
        signed = SignedRoot.from_json(data, domain=domain)
        try:
            said = msgspec.json.decode(data, type=_OrderJson)
            stored = tuple(
                Promise(address_from_hex(one.archive), bytes.fromhex(one.signature.removeprefix("0x")))
                for one in said.stored[:PROMISES_MAX]
            )
        except ValueError as error:
            raise InvalidRequest(f"malformed anchor: {error}") from None
        ordered = {promise.archive: promise for promise in stored}
        return cls(signed.root, signed.signature, tuple(ordered[archive] for archive in sorted(ordered)))

    def arguments(self) -> list[Any]:
        """What `Settlement.anchor` takes; archives in ascending order."""
        return [self.root, self.signature, [(promise.archive, promise.signature) for promise in self.stored]]


class _OrderJson(msgspec.Struct, forbid_unknown_fields=True):
    root: dict[str, Any]
    signature: str
    stored: list[PromiseJson]


@dataclass(frozen=True, slots=True)
class AnchorRow:
    """An order and what became of it."""

    order: AnchorOrder
    state: AnchorState
    reason: str


class AnchorQueue:
    """All roots a settler has taken. An accepted one survives a crash."""

    def __init__(self, path: Path) -> None:
        self._db = open_database(path, _SCHEMA, durable=True)

    def accept(self, order: AnchorOrder) -> AnchorRow:
        """Takes a root; the same again changes nothing. Raises IdempotencyConflict on another for the same epoch."""
        known = self.row(Address(order.root.gateway), order.root.epoch)
        if known is not None and known.order.digest != order.digest:
            raise IdempotencyConflict("another root of this gateway for this epoch was taken before")
        if known is None or len(known.order.stored) < len(order.stored):
            stored = msgspec.msgpack.encode([(promise.archive, promise.signature) for promise in order.stored])
            values = (order.root.gateway, order.root.epoch, order.root.packed(), order.signature, stored)
            state = AnchorState.WAITING if known is None else known.state
            self._db.execute("INSERT OR REPLACE INTO anchors VALUES (?, ?, ?, ?, ?, ?, '')", (*values, state))
            known = AnchorRow(order, state, "")
        return known

    def row(self, gateway: Address, epoch: int) -> AnchorRow | None:
        """What became of a gateway's root."""
        found = self._rows("WHERE gateway = ? AND epoch = ?", (gateway, epoch))
        return found[0] if found else None

    def waiting(self) -> list[AnchorRow]:
        """Roots that do not stand on chain yet, each gateway's in order of epochs."""
        return self._rows("WHERE state = 'waiting' ORDER BY gateway, epoch", ())

    def anchored(self) -> list[AnchorRow]:
        """Roots that stood on chain when last looked at, the latest first."""
        return self._rows("WHERE state = 'anchored' ORDER BY epoch DESC LIMIT 64", ())

    def set_state(self, row: AnchorRow, state: AnchorState, *, reason: str = "") -> None:
        root = row.order.root
        key = state, reason, root.gateway, root.epoch
        self._db.execute("UPDATE anchors SET state = ?, reason = ? WHERE gateway = ? AND epoch = ?", key)

    def close(self) -> None:
        self._db.close()

    def _rows(self, where: str, values: Sequence[object]) -> list[AnchorRow]:
        columns = "root, signature, stored, state, reason"
        found = self._db.execute(f"SELECT {columns} FROM anchors {where}", tuple(values)).fetchall()  # noqa: S608
        return [
            AnchorRow(AnchorOrder(EpochRoot.unpacked(root), signature, _promises(stored)), AnchorState(state), reason)
            for root, signature, stored, state, reason in found
        ]


def _promises(stored: bytes) -> tuple[Promise, ...]:
    pairs = msgspec.msgpack.decode(stored, type=list[tuple[bytes, bytes]])
    return tuple(Promise(Address(archive), signature) for archive, signature in pairs)


class Anchorer:
    """Sends what waits, one gateway's epochs in order."""

    def __init__(self, queue: AnchorQueue, sender: Sender, contracts: Contracts) -> None:
        self._queue, self._sender, self._contracts = queue, sender, contracts
        self._again_s: dict[bytes, int] = {}  # gateways whose next root was refused just now
        self._mined_in: dict[bytes, int] = {}  # roots that are to become final, by digest: the block that was told

    def reconcile(self, view: ChainView) -> None:
        """Takes the chain's word for what stands there; a root that a chain lost waits again."""
        for row in self._queue.waiting():
            root = row.order.root
            gateway = Address(root.gateway)
            standing = view.roots.get((gateway, root.epoch))
            if standing is not None and standing.digest == row.order.digest:
                self._queue.set_state(row, AnchorState.ANCHORED)
            elif standing is not None:
                self._queue.set_state(row, AnchorState.REFUSED, reason="another root stands at its place")
            elif view.last_epochs.get(gateway, -1) > root.epoch:
                self._queue.set_state(row, AnchorState.REFUSED, reason="a later epoch is anchored already")
            else:
                continue
            self._mined_in.pop(row.order.digest, None)
        for row in self._queue.anchored():
            if (Address(row.order.root.gateway), row.order.root.epoch) not in view.roots:
                self._queue.set_state(row, AnchorState.WAITING)

    async def send_waiting(self, view: ChainView) -> None:
        """Sends each gateway's oldest waiting roots, up to the first that is refused. Raises ChainUnavailable."""
        self.reconcile(view)
        now_s = int(time.monotonic())
        stuck = {gateway for gateway, again_s in self._again_s.items() if now_s < again_s}
        for row in self._queue.waiting():
            root = row.order.root
            if root.gateway in stuck:
                continue
            label = f"anchor:{to_hex(root.gateway)}:{root.epoch}:{to_hex(row.order.digest)}"
            try:
                receipt = await self._sender.send(
                    self._contracts.settlement, "anchor", row.order.arguments(), label=label
                )
            except ChainUnavailable:
                raise
            except DGridError as error:  # whatever one gateway's root is refused for is nothing to the others'
                stuck.add(root.gateway)
                self._again_s[root.gateway] = now_s + RETRY_S
                if error.message != row.reason:
                    logger.warning("epoch %d of %s waits: %s", root.epoch, to_hex(root.gateway), error.message)
                self._queue.set_state(row, AnchorState.WAITING, reason=error.message)
            else:
                self._tell(row, receipt.block_number)

    def _tell(self, row: AnchorRow, block: int) -> None:
        """Says where a root was mined: once, and again where a reorganization moved it."""
        if self._mined_in.get(row.order.digest) != block:
            self._mined_in[row.order.digest] = block
            root = row.order.root
            logger.info("anchored epoch %d of %s in block %d", root.epoch, to_hex(root.gateway), block)
