"""Gives the committees what they must judge, step by step, each durable before the next: drawn → sealed → disclosed →
over.

drawn: the seed of an anchored epoch is final on chain; if nobody has fixed it after a moment, this gateway does. It
waits longer while no evaluator can be drawn, as when a network starts: who joins later has no part in an epoch's draw.
sealed: the drawn leaves' contents, closed for their committees, are one blob on disk. disclosed: archives promised to
keep the blob, and the chain names it. over: the round has ended, content would come too late, all that was kept is
deleted. Killed anywhere, it goes on with the same blob: an epoch is sealed once and disclosed once.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import closing as ending
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dgrid.chain.view import Draw
from dgrid.core.epochs import EpochClock
from dgrid.core.errors import CheckFailed, DGridError
from dgrid.core.identity import Address
from dgrid.core.places import Place
from dgrid.gateway.closing import Archives
from dgrid.gateway.court import Court
from dgrid.gateway.envelopes import enclose
from dgrid.poq.draw import duties
from dgrid.poq.evidence import DrawnEpoch, EvaluatorFacts, LeafFacts
from dgrid.poq.rules import DrawRules
from dgrid.settlement.evidence import leaf_facts
from dgrid.settlement.rounds import draw_rules
from dgrid.store.contents import Contents
from dgrid.store.ledger_reading import LedgerReader
from dgrid.store.ledger_rows import EpochState
from dgrid.wire.blob import blob_id
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.quality import Content, DisclosedLeaf, Disclosure, LeafKey, decode_quality, encode_quality
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

LOOK_S = 0.25
AGAIN_MS = 1000
PATIENCE_MS = 1000  # after an anchor, for others to fix its seed
EMPTY_PATIENCE_MS = 30_000  # while no evaluator can be drawn: then nobody would judge
CONTENTS_KEPT_S = 7 * 24 * 3600  # at most, where no seed is ever fixed
RECENT_EPOCHS = 64


class Disclosed(StrEnum):
    """How far an epoch has come."""

    DRAWN = "drawn"  # the seed is fixed by this gateway
    SEALED = "sealed"
    DISCLOSED = "disclosed"
    NOTHING = "nothing"  # no leaf is anybody's duty, or nothing was kept of those that are
    OVER = "over"
    LATE = "late"  # the round ended before the disclosure


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn leaf, and who judges it with which key."""

    leaf: LeafFacts
    members: dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Bureau:
    """What disclosing needs."""

    key: SigningKey
    domain: Domain
    clock: EpochClock
    quorum: Callable[[], int]  # now
    folder: Path
    ledger: Path
    now_ms: Callable[[], int]


class Discloser:
    """Discloses one gateway's epochs."""

    def __init__(self, contents: Contents, *, bureau: Bureau, court: Court, archives: Archives) -> None:
        self.on_step: Callable[[int, Disclosed], None] = lambda epoch, step: None
        self._contents, self._bureau, self._court, self._archives = contents, bureau, court, archives
        self._reader = LedgerReader(bureau.ledger)
        self._folder = bureau.folder / "disclosures"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._done: set[int] = set()
        self._not_before_ms: dict[int, int] = {}

    async def run(self) -> None:
        """Looks again and again until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Moves every epoch that waits to be judged one step, oldest first."""
        rows = self._reader.epochs(RECENT_EPOCHS)
        self._done &= {row.epoch for row in rows}
        for epoch in sorted(row.epoch for row in rows if row.state is EpochState.ANCHORED):
            if epoch in self._done or self._bureau.now_ms() < self._not_before_ms.get(epoch, 0):
                continue
            try:
                await self._step(epoch)
            except DGridError as error:
                self._not_before_ms[epoch] = self._bureau.now_ms() + AGAIN_MS
                logger.info("epoch %d cannot be disclosed yet: %s", epoch, error.message)
        self._forget_old()

    def close(self) -> None:
        self._reader.close()

    async def _step(self, epoch: int) -> None:
        view, gateway = self._court.view, Address(self._bureau.key.address)
        draw, is_disclosed = view.draws.get((gateway, epoch)), (gateway, epoch) in view.disclosures
        if draw is None:
            await self._fix_seed(epoch)
        elif self._bureau.now_ms() >= self._ends_ms(draw):
            is_late = not is_disclosed and epoch in self._contents.epochs()
            self._finish(epoch, Disclosed.LATE if is_late else Disclosed.OVER)
        elif not is_disclosed:
            await self._disclose(draw)

    # --- drawn ---

    async def _fix_seed(self, epoch: int) -> None:
        """As soon as it may."""
        view, now_ms = self._court.view, self._bureau.now_ms()
        anchor = view.roots.get((Address(self._bureau.key.address), epoch))
        patience_ms = PATIENCE_MS if view.drawable() else EMPTY_PATIENCE_MS
        if anchor is None or now_ms < anchor.timestamp_ms + patience_ms:
            return
        self._not_before_ms[epoch] = now_ms + AGAIN_MS
        await self._court.fix_seed(epoch)
        self._reached(epoch, Disclosed.DRAWN)

    def _ends_ms(self, draw: Draw) -> int:
        """When content is late: the end of the round."""
        return self._bureau.clock.closes_at_ms(draw.round)

    # --- sealed, disclosed ---

    async def _disclose(self, draw: Draw) -> None:
        blob = self._sealed(draw) or await self._seal(draw)
        if not blob:
            return
        half_ms = (draw.timestamp_ms + self._ends_ms(draw)) // 2
        wanted = self._bureau.quorum() if self._bureau.now_ms() < half_ms else 1  # better one archive than too late
        promises = await self._archives.put(blob, key=self._bureau.key, enough=wanted)
        if len(promises) < wanted:
            raise CheckFailed(f"{len(promises)} of {wanted} archives keep the disclosure")
        self._not_before_ms[draw.epoch] = self._bureau.now_ms() + AGAIN_MS
        await self._court.disclose(draw, blob_id(blob))
        self._reached(draw.epoch, Disclosed.DISCLOSED)

    async def _seal(self, draw: Draw) -> bytes:
        """The blob of a draw, on disk; empty where there is nothing to disclose."""
        drawings = await asyncio.to_thread(self._drawings, draw)
        found = [(drawing, self._content(drawing.leaf)) for drawing in drawings]
        kept = [(drawing, content) for drawing, content in found if content is not None]
        if len(kept) < len(found):
            logger.error("epoch %d: of %d drawn leaves no content is here", draw.epoch, len(found) - len(kept))
        if not kept:
            self._finish(draw.epoch, Disclosed.NOTHING)
            return b""
        blob = await asyncio.to_thread(self._write, draw, kept)
        self._reached(draw.epoch, Disclosed.SEALED)
        return blob

    def _content(self, leaf: LeafFacts) -> Content | None:
        key = leaf.key
        return self._contents.get(Place(key.epoch, key.lane, key.sequence), leaf.receipt)

    def _drawings(self, draw: Draw) -> list[Drawing]:
        """In a thread, with a connection of its own."""
        with ending(LedgerReader(self._bureau.ledger)) as reader:
            leaves = [
                leaf_facts(
                    LeafKey(draw.gateway, draw.epoch, one.leaf.lane, one.leaf.sequence),
                    ReceiptDocument.of(one.record, domain=self._bureau.domain),
                )
                for one in reader.records(draw.epoch)
            ]
        rules = draw_rules(self._court.view.parameters.at(draw.round))
        return drawings_of(draw, leaves, rules=rules)

    def _write(self, draw: Draw, kept: list[tuple[Drawing, Content]]) -> bytes:
        """In a thread."""
        court = self._court.domain
        leaves: tuple[DisclosedLeaf, ...] = tuple(
            enclose(content, one.leaf.key, privacy=one.leaf.privacy, members=one.members) for one, content in kept
        )
        chain_id, address = court.chain_id, court.verifying_contract
        disclosure = Disclosure(chain_id, address, draw.gateway, draw.epoch, draw.seed, leaves)
        blob = encode_quality(disclosure)
        write_whole(self._path(draw.epoch), blob)
        return blob

    def _sealed(self, draw: Draw) -> bytes:
        """What an earlier step, perhaps of an earlier process, has sealed for this draw."""
        try:
            blob = self._path(draw.epoch).read_bytes()
            found = decode_quality(blob)
        except (OSError, CheckFailed):
            return b""
        return blob if isinstance(found, Disclosure) and found.seed == draw.seed else b""

    def _path(self, epoch: int) -> Path:
        return self._folder / str(epoch)

    # --- over ---

    def _finish(self, epoch: int, step: Disclosed) -> None:
        """Nobody may ask for the contents any more."""
        self._contents.forget(epoch)
        self._path(epoch).unlink(missing_ok=True)
        self._not_before_ms.pop(epoch, None)
        self._done.add(epoch)
        self._reached(epoch, step)

    def _forget_old(self) -> None:
        for epoch in self._contents.epochs():
            if self._bureau.now_ms() < self._bureau.clock.closes_at_ms(epoch) + 1000 * CONTENTS_KEPT_S:
                return
            self._finish(epoch, Disclosed.OVER)

    def _reached(self, epoch: int, step: Disclosed) -> None:
        self.on_step(epoch, step)
        logger.log(
            logging.WARNING if step is Disclosed.LATE else logging.INFO, "disclosure of epoch %d: %s", epoch, step.value
        )


def drawings_of(draw: Draw, leaves: list[LeafFacts], *, rules: DrawRules) -> list[Drawing]:
    """The drawn leaves in order of their places, each with whoever may have the duty to judge it.

    An evaluator's cap holds over all gateways, whose leaves this one does not know: what is sealed for it here may be
    more than its duties, never less.
    """
    keys = {one.address: one.encryption_key for one in draw.evaluators}
    evaluators = tuple(EvaluatorFacts(one.address, one.stake_wei, frozenset(one.models)) for one in draw.evaluators)
    drawn = DrawnEpoch(
        gateway=draw.gateway,
        epoch=draw.epoch,
        round=draw.round,
        seed=draw.seed,
        expired=draw.expired,
        evaluators=evaluators,
        leaves=tuple(leaves),
    )
    found: dict[LeafKey, Drawing] = {}
    for duty in duties([drawn], rules):
        drawing = found.setdefault(duty.leaf.key, Drawing(duty.leaf, {}))
        drawing.members[duty.evaluator] = keys[Address(duty.evaluator)]
    return [found[key] for key in sorted(found)]


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that it is there whole or not at all, also after a power cut."""
    draft = path.with_suffix(".draft")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
