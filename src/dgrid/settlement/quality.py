"""Collects what a round is judged from: the chain says what counts, any archive has it, and everything is checked here.

Evaluators compute the next root from it and auditors the last one; both get the same evidence, in the same order.
Asks no gateway, no evaluator and no author. Refuses to guess: what half of the archives cannot tell is not called
absent. How a round is judged is `poq.rounds`' to say.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from dgrid.chain.case_events import Subject
from dgrid.chain.view import ChainView, Draw, Opening
from dgrid.core.errors import CheckFailed, NotYet
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import ZERO_HASH
from dgrid.poq.evidence import CanaryTruth, DrawnEpoch, EvaluatorFacts, GatewayEpoch, RoundAndEvaluator, RoundEvidence
from dgrid.settlement.archives import Archives
from dgrid.settlement.evidence import (
    CanaryPromise,
    LeafPlace,
    NotEvidence,
    NotHeld,
    documents_of,
    is_signed,
    leaf_facts,
    open_canaries,
    open_disclosure,
    open_reports,
    open_table,
)
from dgrid.settlement.records import Records
from dgrid.settlement.rounds import canaries_in, draws_of, in_rounds, posted_before
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import EvaluatorReports, Privacy
from dgrid.wire.quality import Content, DisclosedLeaf, LeafKey, QualityTable, Reports, decode_content
from dgrid.wire.typed import Domain

Documents = dict[LeafKey, ReceiptDocument]


@dataclass(frozen=True, slots=True)
class CollectedRound:
    """A round's evidence, the table it follows, and what was left out of it, each with the reason."""

    table: QualityTable | None
    evidence: RoundEvidence
    drawn: tuple["DrawnRecords", ...] = ()
    opened: Mapping[RoundAndEvaluator, Reports] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    missing: frozenset[bytes] = frozenset()  # evaluators and authors of whom no archive holds what they published
    unheld: frozenset[GatewayEpoch] = frozenset()  # draws left out because no archive holds their records


@dataclass(slots=True)
class Gathered:
    """What is left out while a round's evidence is gathered, and why."""

    refused: list[str] = field(default_factory=list)
    missing: set[bytes] = field(default_factory=set)
    unheld: set[GatewayEpoch] = field(default_factory=set)

    def refuse(self, author: bytes, error: NotEvidence, *, where: str) -> None:
        self.refused.append(f"{where}: {error.message}")
        if isinstance(error, NotHeld):
            self.missing.add(author)

    def leave_out(self, draw: Draw, error: NotEvidence) -> None:
        self.refused.append(f"epoch {draw.epoch} of gateway {to_hex(draw.gateway)}: {error.message}")
        if isinstance(error, NotHeld):
            self.unheld.add((draw.gateway, draw.epoch))


@dataclass(frozen=True, slots=True)
class DrawnRecords:
    """A draw with the epoch it is from."""

    draw: Draw
    documents: Documents

    @property
    def facts(self) -> DrawnEpoch:
        return drawn_epoch(self.draw, self.documents)

    @property
    def public(self) -> list[LeafKey]:
        """The leaves that everybody may read."""
        return [key for key, one in self.documents.items() if one.receipt.usage.privacy == Privacy.PUBLIC]

    def content(self, key: LeafKey, leaves: Mapping[LeafPlace, DisclosedLeaf]) -> Content | None:
        """What lies open of a leaf, if it is what was signed."""
        leaf = leaves.get((key.lane, key.sequence))
        if leaf is None or leaf.keys:
            return None
        try:
            content = decode_content(leaf.content)
        except ValueError:
            return None
        return content if is_signed(content, self.documents[key]) else None


def drawn_epoch(draw: Draw, documents: Documents) -> DrawnEpoch:
    """A draw as judging takes it."""
    ready = (EvaluatorFacts(one.address, one.stake_wei, frozenset(one.models)) for one in draw.evaluators)
    return DrawnEpoch(
        gateway=draw.gateway,
        epoch=draw.epoch,
        round=draw.round,
        seed=draw.seed,
        expired=draw.expired,
        evaluators=tuple(ready),
        leaves=tuple(leaf_facts(key, document) for key, document in documents.items()),
    )


def acquittals(view: ChainView, *, until: int) -> dict[tuple[bytes, bytes], int]:
    """The epochs up to one in which cases about identity found nothing, by node and model digest; the last of each."""
    found: dict[tuple[bytes, bytes], int] = {}
    for case in view.cases.values():
        if case.subject is Subject.IDENTITY and case.ending is not None and case.is_acquittal:
            key, epoch = (case.accused, case.matter), view.clock.epoch_at(case.ending.timestamp_ms)
            if epoch <= until:
                found[key] = max(epoch, found.get(key, epoch))
    return found


class QualityReader:
    """Reads the rounds of one network."""

    def __init__(self, records: Records, archives: Archives, *, domain: Domain, court: Domain) -> None:
        """`domain` is the receipts', `court` that of what evaluators sign."""
        self._records, self._archives, self._domain = records, archives, domain
        self.court = court

    @property
    def view(self) -> ChainView:
        return self._records.view

    async def collect(
        self, judged_round: int, *, taken: Collection[GatewayEpoch] | None = None, with_grounds: bool = False
    ) -> CollectedRound:
        """The evidence of a round, whether or not it was posted. Call it when the round's windows are over.

        An epoch whose records no archive holds, or that lead nowhere, is left out. `taken`: of these draws only. The
        reports' grounds are kept only where asked for: judging needs none, and they are large.
        Raises NotYet when nothing was drawn for it, NetworkUnreachable, and CheckFailed when the table before is at no
        archive.
        """
        draws, found = draws_of(self.view, judged_round), Gathered()
        if not draws:
            raise NotYet(f"nothing waits to be judged in round {judged_round}")
        wanted = [draw for draw in draws if taken is None or (draw.gateway, draw.epoch) in taken]
        drawn = await self._held(wanted, found)
        before = posted_before(self.view, judged_round)
        rounds = {one.draw.round for one in drawn}
        opened = await self._openings(rounds, found, with_grounds=with_grounds)
        canaries = await self._canaries(drawn, found)
        evidence = RoundEvidence(
            chain_id=self.court.chain_id,
            court=self.court.verifying_contract,
            round=judged_round,
            previous_table_id=ZERO_HASH if before is None else before.root.blob_id,
            draws=tuple(one.facts for one in drawn),
            openings={key: blob.reports for key, blob in opened.items()},
            committed=frozenset(key for key, _ in in_rounds(self.view.commitments, rounds)),
            canaries=canaries,
            acquittals=acquittals(self.view, until=judged_round),
        )
        table = None if before is None else await self.table(before.root.round)
        lacking = tuple(found.refused), frozenset(found.missing), frozenset(found.unheld)
        return CollectedRound(table, evidence, tuple(drawn), opened, *lacking)

    async def drawn(self, judged_round: int) -> list[DrawnRecords]:
        """The draws that a round's root takes in, with their records, by gateway and epoch. Raises as `collect`."""
        return await self._held(draws_of(self.view, judged_round), Gathered())

    async def records_of(self, draw: Draw) -> DrawnRecords:
        """A draw with its epoch's receipts. Raises NotEvidence (NotHeld where nobody has them),
        NetworkUnreachable, NotYet.
        """
        try:
            records = await self._records.held(self._records.anchor(draw.gateway, draw.epoch))
        except CheckFailed as error:
            raise NotEvidence(error.message) from None
        if records is None:
            raise NotHeld("no archive holds its records")
        return DrawnRecords(draw, await asyncio.to_thread(documents_of, records, self._domain))

    async def _held(self, draws: Sequence[Draw], gathered: Gathered) -> list[DrawnRecords]:
        found = []
        for draw in draws:
            try:
                found.append(await self.records_of(draw))
            except NotEvidence as error:
                gathered.leave_out(draw, error)
        return found

    async def table(self, judged_round: int) -> QualityTable:
        """The table that was posted for a round. Raises NotYet, CheckFailed, NetworkUnreachable."""
        posted = self.view.quality_roots.get(judged_round)
        if posted is None:
            raise NotYet(f"no quality root is posted for round {judged_round}")
        return open_table(await self._archives.fetch(posted.root.blob_id), self.court, judged_round=judged_round)

    async def latest_table(self) -> QualityTable | None:
        """The newest posted table; None before the first. Raises CheckFailed, NetworkUnreachable."""
        newest = next(self.view.newest_quality(), None)
        return None if newest is None else await self.table(newest.root.round)

    async def reports(self, judged_round: int, evaluator: Address) -> Reports:
        """What an evaluator opened in a round. Raises NotEvidence (it counts as not opened), NetworkUnreachable."""
        return await self._reports((judged_round, evaluator), self.view.openings[judged_round, evaluator])

    async def public_contents(self, drawn: DrawnRecords) -> dict[LeafKey, Content]:
        """What everybody may read of a draw: of its public leaves, as far as it was disclosed and is what was signed.

        Raises NetworkUnreachable.
        """
        blob_id = self.view.disclosures.get((drawn.draw.gateway, drawn.draw.epoch))
        if blob_id is None:
            return {}
        try:
            leaves = open_disclosure(await self._find(blob_id), self.court, draw=drawn.draw)
        except NotEvidence:
            return {}
        return {key: content for key in drawn.public if (content := drawn.content(key, leaves)) is not None}

    async def _openings(
        self, rounds: set[int], gathered: Gathered, *, with_grounds: bool
    ) -> dict[RoundAndEvaluator, Reports]:
        found: dict[RoundAndEvaluator, Reports] = {}
        for key, opening in in_rounds(self.view.openings, rounds):
            try:
                blob = await self._reports(key, opening)
                found[key] = blob if with_grounds else replace(blob, grounds=())
            except NotEvidence as error:
                gathered.refuse(key[1], error, where=f"evaluator {to_hex(key[1])}, round {key[0]}")
        return found

    async def _reports(self, key: RoundAndEvaluator, opening: Opening) -> Reports:
        said = EvaluatorReports(key[1], key[0], opening.reports_root)
        return await asyncio.to_thread(open_reports, await self._find(opening.blob_id), self.court, said=said)

    async def _canaries(self, drawn: Sequence[DrawnRecords], gathered: Gathered) -> dict[LeafKey, CanaryTruth]:
        places = {(one.draw.gateway, one.draw.epoch): one.documents for one in drawn}
        found: dict[LeafKey, CanaryTruth] = {}
        for (author, gateway, epoch), blob_id in canaries_in(self.view, [one.draw for one in drawn]):
            try:
                truths = await self._truths((author, gateway, epoch), blob_id, documents=places[gateway, epoch])
            except NotEvidence as error:
                where = f"author {to_hex(author)}, gateway {to_hex(gateway)}, epoch {epoch}"
                gathered.refuse(author, error, where=where)
            else:
                found.update((key, truth) for key, truth in truths.items() if key not in found)
        return found

    async def _truths(
        self, place: tuple[Address, Address, int], blob_id: bytes, *, documents: Documents
    ) -> dict[LeafKey, CanaryTruth]:
        author, gateway, epoch = place
        root = self.view.canary_roots.get((author, epoch))
        if root is None:
            raise NotEvidence("nothing was committed to for the epoch")
        promise = CanaryPromise(author, gateway, epoch, root)
        return open_canaries(await self._find(blob_id), self.court, promise=promise, documents=documents)

    async def _find(self, blob_id: bytes) -> bytes:
        found = await self._archives.find(blob_id)
        if found is None:
            raise NotHeld(f"no archive holds the blob {to_hex(blob_id)}")
        return found
