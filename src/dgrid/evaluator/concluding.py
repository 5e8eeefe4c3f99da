"""A round's result: computed as anybody can, signed, and posted once enough of those who judged say the same.

Each evaluator computes it alone from the final chain and the archives; only signatures are exchanged, each asked for at
its evaluator's registered door and held against the own root. Refuses to sign, gather or post anything it did not
compute. The table lies at an archive before its root is signed: whoever gathers signatures cannot post them without it,
and leave the signers unable to show that they signed what followed.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from dgrid.chain.contracts import Contracts
from dgrid.chain.court import EvaluatorSignature, Release, post_quality
from dgrid.chain.events import Role
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView, Member
from dgrid.core.delays import Delays
from dgrid.core.errors import CheckFailed, DGridError, NodeMisbehaved, NotYet, StorageUnavailable
from dgrid.core.identity import Address, to_hex
from dgrid.core.money import BPS
from dgrid.evaluator.journal import Journal, SignedRoot
from dgrid.evaluator.planning import Conclude
from dgrid.poq.rounds import judge, releases
from dgrid.settlement.archives import Archives
from dgrid.settlement.quality import QualityReader
from dgrid.settlement.rounds import canaries_in, draws_of, in_rounds, posted_before, root_of, rules_of
from dgrid.wire.decoding import decode_with
from dgrid.wire.http import HttpClient
from dgrid.wire.messages import QualityRoot
from dgrid.wire.quality import QualityTable, encode_quality
from dgrid.wire.signatures import SigningKey, recover
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

QUALITY: Final = "/v1/quality/"
PATIENCE_S: Final = 3.0
LOOKS_MS: Final = 2_000, 60_000  # between two looks for what is missing: at first, and at most
DOCUMENT_BYTES_MAX: Final = 16 * 1024


class SignatureDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an evaluator answers under /v1/quality/{round}."""

    root: dict[str, Any]
    signature: str
    blob_id: str


_decoder = msgspec.json.Decoder(SignatureDocument)


@dataclass(frozen=True, slots=True)
class Result:
    """What a round comes to, and what it was computed from: where that changes, it is computed anew."""

    basis: tuple[object, ...]
    root: QualityRoot
    table: QualityTable
    is_whole: bool  # nothing was missing: what no archive has now may still come, and others may have had it


@dataclass(frozen=True, slots=True)
class Desk:
    """What concluding works with."""

    key: SigningKey
    domain: Domain  # the court's
    journal: Journal
    archives: Archives
    sender: Sender
    contracts: Contracts
    http: HttpClient


class Concluder:
    """One evaluator's part in concluding rounds."""

    def __init__(self, desk: Desk, quality: QualityReader, *, looks: Delays) -> None:
        """`looks`: when what is missing is looked for again."""
        self._desk, self._quality, self._looks = desk, quality, looks
        self._result: Result | None = None

    async def conclude(self, step: Conclude, view: ChainView) -> None:
        """Signs the round's root, and posts it when that is this evaluator's turn.

        Raises NotYet (too few agree yet), StorageUnavailable, CheckFailed, Reverted, ChainUnavailable.
        """
        result = await self._computed(step.round, view)
        own = await self._signed(result)
        if not step.posts:
            return
        signatures = [own, *await self._gathered(result.root, view)]
        await self._post(result, quorum_of(signatures, view, number=step.round))

    async def _computed(self, number: int, view: ChainView) -> Result:
        """What the round comes to; while something is missing it is looked for again, less and less often."""
        basis = basis_of(view, number)
        known = self._result if self._result is not None and self._result.basis == basis else None
        look = hash(basis)
        if known is None or not known.is_whole:
            if self._looks.is_due(look):
                self._looks.put_off(look)
                known = self._result = await self._compute(number, view, basis=basis)
            if known is None:
                raise NotYet(f"the evidence of round {number} is not whole, and was looked for a moment ago")
        return known

    async def _compute(self, number: int, view: ChainView, *, basis: tuple[object, ...]) -> Result:
        collected = await self._quality.collect(number)
        for reason in collected.refused:
            logger.warning("round %d: %s", number, reason)
        table = await asyncio.to_thread(judge, collected.table, collected.evidence, rules_of(view, number))
        token, previous = self._desk.contracts.dgai.address, posted_before(view, number)
        is_whole = not (collected.missing or collected.unheld)
        return Result(basis, root_of(table, token=token, previous=previous), table, is_whole)

    async def _signed(self, result: Result) -> EvaluatorSignature:
        """The own signature, kept so that it can be asked for after a restart too. Raises StorageUnavailable."""
        key, journal, root = self._desk.key, self._desk.journal, result.root
        known = journal.signature(root.round)
        if known is None or known.root != root:
            await self._publish(result)
            known = SignedRoot(root, key.sign(self._desk.domain.digest(root.struct_hash())))
            journal.keep_signature(known)
            logger.info("signed the root of round %d", root.round)
        return EvaluatorSignature(key.address, known.signature)

    async def _publish(self, result: Result) -> None:
        """Lays the table at the archives. Where none takes it from this evaluator any more, another's may lie there."""
        archives = self._desk.archives
        if not await archives.put(encode_quality(result.table), key=self._desk.key):
            try:
                await archives.fetch(result.root.blob_id)
            except CheckFailed:
                raise StorageUnavailable("no archive takes the table") from None

    async def _gathered(self, root: QualityRoot, view: ChainView) -> list[EvaluatorSignature]:
        """The signatures of the others who judged the round and computed the same."""
        others = [judge for judge in view.judges_of(root.round) if judge != self._desk.key.address]
        members = [view.members.get((Role.EVALUATOR, judge)) for judge in others]
        found = await asyncio.gather(*(self._asked(member, root) for member in members if member is not None))
        return [signature for signature in found if signature is not None]

    async def _asked(self, member: Member, root: QualityRoot) -> EvaluatorSignature | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                signature = await self._fetch(member, root)
        except (DGridError, TimeoutError, ValueError) as error:
            logger.info("no signature of %s for round %d: %s", to_hex(member.address), root.round, error)
            return None
        return EvaluatorSignature(member.address, signature)

    async def _fetch(self, member: Member, root: QualityRoot) -> bytes:
        """An evaluator's signature under this root. Raises DGridError, ValueError."""
        url = f"{member.endpoint.rstrip('/')}{QUALITY}{root.round}"
        reply = await self._desk.http.request("GET", url)
        body = await reply.read()
        if reply.status != 200 or len(body) > DOCUMENT_BYTES_MAX:
            raise NodeMisbehaved(f"it answers {reply.status}")
        said = decode_with(_decoder, body)
        if QualityRoot.from_json(said.root) != root:
            raise CheckFailed("it computed another root")
        signature = bytes.fromhex(said.signature.removeprefix("0x"))
        if recover(self._desk.domain.digest(root.struct_hash()), signature) != member.address:
            raise CheckFailed("the signature is not its own")
        return signature

    async def _post(self, result: Result, signatures: Iterable[EvaluatorSignature]) -> None:
        desk = self._desk
        owed = [Release(Address(gateway), amount) for gateway, amount in releases(result.table)]
        await post_quality(desk.sender, desk.contracts, root=result.root, releases=owed, signatures=signatures)
        logger.info("posted the root of round %d", result.root.round)


def quorum_of(
    signatures: Sequence[EvaluatorSignature], view: ChainView, *, number: int
) -> Sequence[EvaluatorSignature]:
    """The first of the signatures, as many as a quorum has. The court takes no more, for whoever signed a root is the
    last to be drawn for a jury over it. Raises NotYet while they are too few.
    """
    judges = len(view.judges_of(number))
    quorum = judges * view.parameters.at(number).quorum_bps // BPS + 1
    if len(signatures) < quorum:
        raise NotYet(f"{len(signatures)} of {judges} evaluators have signed this root of round {number}")
    return signatures[:quorum]


def basis_of(view: ChainView, number: int) -> tuple[object, ...]:
    """Everything on chain that a round's result depends on."""
    draws = draws_of(view, number)
    rounds, canaries = sorted({draw.round for draw in draws}), canaries_in(view, draws)
    before = posted_before(view, number)
    return (
        number,
        None if before is None else before.digest,
        tuple((draw.gateway, draw.epoch, draw.round, draw.seed) for draw in draws),
        tuple((key, one.blob_id) for key, one in in_rounds(view.openings, rounds)),
        tuple(key for key, _ in in_rounds(view.commitments, rounds)),
        tuple(canaries),
    )
