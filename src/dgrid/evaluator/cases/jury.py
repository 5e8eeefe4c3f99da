"""What one member finds in a case, by itself: fresh replies, the node's own word from before, or what all can compute.

It says guilty only where it found so itself, and not guilty where something cannot be had. So no failure of this
machine, of an archive or of a gateway convicts anybody. And it lays nothing at the archives: what it found is for
nobody to see before the votes are opened.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from dgrid.chain.case_events import Refund, Subject
from dgrid.chain.case_view import Case
from dgrid.chain.view import ChainView, PostedQuality
from dgrid.core.errors import DGridError
from dgrid.core.identity import to_hex
from dgrid.core.keccak import ZERO_HASH
from dgrid.evaluator.cases.sampling import Sampler, gaps_in
from dgrid.evaluator.rerun import Peer
from dgrid.poq.identity import convicts, sworn_evidence, threshold_of
from dgrid.poq.rules import IdentityRules
from dgrid.settlement.archives import Archives
from dgrid.settlement.cases import (
    ROOTS_READ_AGAIN,
    ChargeReader,
    Hidden,
    disputed_root,
    due_refunds,
    exceeds,
    paid_by_flag,
    roots_over,
    tables_up_to,
)
from dgrid.settlement.disputes import is_wrong
from dgrid.settlement.hearings import terms_of
from dgrid.settlement.quality import QualityReader
from dgrid.settlement.rounds import rules_of
from dgrid.settlement.samples import fresh_salt, open_sworn
from dgrid.wire.blob import blob_id
from dgrid.wire.quality import Content, Samples, encode_quality
from dgrid.wire.signatures import SigningKey

logger = logging.getLogger(__name__)

LATE: Final = "not in time"
MEASURING: Final = 0.9  # of the time for asking: for what was asked before
ROUNDS_KEPT: Final = 2 * ROOTS_READ_AGAIN  # whose hidden leaves are remembered


@dataclass(frozen=True, slots=True)
class Finding:
    """What a member found, and the blob that shows it."""

    guilty: bool
    evidence: bytes = ZERO_HASH
    blob: bytes = b""  # to be shown when the vote is opened; empty where all can have it already


@dataclass(frozen=True, slots=True)
class Bar:
    """What a member judges with."""

    key: SigningKey
    quality: QualityReader
    archives: Archives
    sampler: Sampler
    token: bytes


class Jury:
    """One evaluator's seat."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._charges = ChargeReader(bar.quality)
        self._hidden: dict[bytes, list[Hidden]] = {}  # by the root's digest

    async def find(self, case: Case, peer: Peer | None, *, salt: bytes, within_s: float) -> Finding:
        """What is to be voted. `peer` is the accused node with the model in question, where it is known; `salt` seals
        the vote; asking ends `within_s`, all of it in twice that time or so.
        """
        match case.subject:
            case Subject.IDENTITY:
                return await self._identity(case, peer, salt=salt, within_s=within_s)
            case Subject.UNDISCLOSED:
                return await self._undisclosed(case)
            case Subject.QUALITY_ROOT:
                return await self._root(case)

    # --- identity -----------------------------------------------------------------------------------------------------

    async def _identity(self, case: Case, peer: Peer | None, *, salt: bytes, within_s: float) -> Finding:
        """Does all of it whatever the fresh replies show: else what it fetches, and when it votes, would tell."""
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(self._fresh(case, peer, salt=salt, within_s=within_s))
            fetching = group.create_task(self._sworn(case, within_s=within_s))
            weighing = group.create_task(self._refunds_are_due(case))
        swore_falsely = await self._swore_falsely(case, fetching.result(), within_s=within_s * MEASURING)
        fresh, asked = asking.result(), terms_of(self.view, case).case_samples
        convicts_afresh = fresh is not None and self._convicts_afresh(fresh, asked)
        guilty = weighing.result() and (convicts_afresh or swore_falsely)
        if fresh is None:
            return Finding(guilty)
        blob = encode_quality(fresh)
        return Finding(guilty, blob_id(blob), blob)

    async def _fresh(self, case: Case, peer: Peer | None, *, salt: bytes, within_s: float) -> Samples | None:
        if peer is None:
            return None
        seeds, numbers = (case.hearing.seed, fresh_salt(salt)), range(terms_of(self.view, case).case_samples)
        return await self._bar.sampler.take(peer, seeds=seeds, numbers=numbers, within_s=within_s)

    def would_convict(self, samples: Samples) -> bool:
        """Whether every juror will convict on a set, if a case is opened on it."""
        return self._evidence(samples.model_digest, gaps_in(samples)) >= self._identity_rules.sworn_micros

    def is_worth_more(self, samples: Samples) -> bool:
        """Whether a set does not convict yet, and is likelier from a node that cheats than from an honest one."""
        return self._evidence(samples.model_digest, gaps_in(samples)) > 0 and not self.would_convict(samples)

    def _convicts_afresh(self, samples: Samples, asked: int) -> bool:
        rules, digest = self._identity_rules, samples.model_digest
        return convicts(gaps_in(samples), threshold_of(digest, rules), asked=asked, rules=rules)

    def _evidence(self, digest: bytes, gaps: list[int]) -> int:
        rules = self._identity_rules
        return sworn_evidence(gaps, threshold_of(digest, rules), rules=rules)

    async def publish(self, samples: Samples) -> bytes:
        """Lays a set at the archives; the id of its blob. Raises StorageUnavailable."""
        blob = encode_quality(samples)
        await self.lay(blob)
        return blob_id(blob)

    async def lay(self, blob: bytes, *, within_s: int | None = None) -> None:
        """Lays an encoded set at the archives. Raises StorageUnavailable."""
        await self._bar.archives.lay(blob, key=self._bar.key, what="samples", within_s=within_s)

    @property
    def _identity_rules(self) -> IdentityRules:
        """Published constants: no vote changes them."""
        return IdentityRules()

    async def _swore_falsely(self, case: Case, contents: list[Content], *, within_s: float) -> bool:
        """Whether what the node signed before the case convicts it, by this member's own measurement."""
        try:
            async with asyncio.timeout(within_s):
                gaps = await self._bar.sampler.gaps(case.matter, contents)
        except (DGridError, TimeoutError) as error:
            logger.info("case %s: the opener's samples cannot be measured: %s", to_hex(case.id), str(error) or LATE)
            return False
        return self._evidence(case.matter, gaps) >= self._identity_rules.sworn_micros

    async def _sworn(self, case: Case, *, within_s: float) -> list[Content]:
        """What the opener shows and members count; nothing where that cannot be had in time, or does not hold."""
        try:
            async with asyncio.timeout(within_s):
                blob = await self._bar.archives.fetch(case.evidence)
            return await asyncio.to_thread(open_sworn, blob, case, view=self.view, terms=self._bar.sampler.terms)
        except (DGridError, TimeoutError) as error:
            logger.info("case %s: the opener's samples count for nothing: %s", to_hex(case.id), str(error) or LATE)
            return []

    async def _refunds_are_due(self, case: Case) -> bool:
        if not case.refunds:
            return True
        try:
            return any(not exceeds(case.refunds, due) for due in await self._due(case))
        except DGridError as error:
            logger.info("case %s: who paid for it cannot be told: %s", to_hex(case.id), error.message)
            return False

    async def _due(self, case: Case) -> list[tuple[Refund, ...]]:
        """What is due by each of the last tables before the case: its opener may have read any of them."""
        last = next((one for one in self.view.newest_quality() if one.timestamp_ms <= case.opened_ms), None)
        if last is None:
            return []
        most_wei = terms_of(self.view, case).request_value_max_wei
        found = []
        for one in tables_up_to(self.view, last):
            paid = paid_by_flag(await self._charges.flags(one), case.charge)
            due = due_refunds(self.view, case.charge, paid_wei=paid, before_ms=case.opened_ms, most_wei=most_wei)
            found.append(due)
        return found

    # --- what all can compute -----------------------------------------------------------------------------------------

    async def _undisclosed(self, case: Case) -> Finding:
        most_wei = terms_of(self.view, case).request_value_max_wei
        hidden = [one for posted in roots_over(self.view, case) for one in await self.hidden(posted)]
        fits = any(one.fits(case, most_wei=most_wei) for one in hidden)
        return Finding(fits, case.evidence if fits else ZERO_HASH)

    async def hidden(self, posted: PostedQuality) -> list[Hidden]:
        """The hidden leaves of a posted round; none while it cannot be read. Remembered, for they do not change."""
        if posted.digest not in self._hidden:
            try:
                self._hidden[posted.digest] = await self._charges.hidden(posted)
            except DGridError as error:
                logger.info("round %d cannot be read again: %s", posted.root.round, error.message)
                return []
            for old in list(self._hidden)[:-ROUNDS_KEPT]:
                del self._hidden[old]
        return self._hidden[posted.digest]

    async def _root(self, case: Case) -> Finding:
        posted = disputed_root(self.view, case)
        if posted is None:
            return Finding(guilty=False)
        number = posted.root.round
        try:
            wrong = await is_wrong(self._bar.quality, number, rules=rules_of(self.view, number), token=self._bar.token)
        except DGridError as error:
            logger.info("round %d cannot be computed again: %s", number, error.message)
            wrong = False
        return Finding(wrong, posted.root.blob_id)

    @property
    def view(self) -> ChainView:
        return self._bar.quality.view
