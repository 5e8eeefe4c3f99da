"""One duty from its content to its report: peers are asked, judges score, the claimed model is run where drawn.

The figures are basis points, or NOT_SCORED where nothing can be said: without peers there is no accuracy and no
consistency, without the weights no identity. A judge that fails leaves its figure out; the report goes without. Content
is data here: nothing in it is followed, and none of it is logged or kept.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from dgrid.core.errors import DGridError, RequestError
from dgrid.core.identity import Address
from dgrid.evaluator.disclosures import Shown
from dgrid.evaluator.rerun import Original, Peer, PeerAnswers, Repeater, chosen_peers
from dgrid.machine.traces import trace_of
from dgrid.poq.dimensions import cost_score
from dgrid.poq.draw import Duty
from dgrid.poq.rules import CostReference
from dgrid.poq.tasks import task_of
from dgrid.settlement.evidence import NotEvidence
from dgrid.settlement.grounds import Asked, open_compared
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.grounds import Compared, Grounds, Method
from dgrid.wire.openai import ChatRequest, decode_chat
from dgrid.wire.quality import NOT_SCORED, Content, Identity, Report, TaskType, Verdict

logger = logging.getLogger(__name__)

REPEATS_SHARE: Final = 0.3  # of a duty's time for the first peers, as much for the others; judges have the rest
MEASURED_SHARE: Final = 0.9  # of it: by then the claimed model has been run, or was not
AGREED_BPS: Final = 8_000  # a score from which more answers are not worth their fee: any from 5,000 on does as well
JUDGING_S_MAX: Final = 30.0


@dataclass(frozen=True, slots=True)
class ShownDuty:
    """A duty with what it takes to fulfil it: the leaf's receipt, and what was shown of its content."""

    duty: Duty
    document: ReceiptDocument
    shown: Shown


@dataclass(frozen=True, slots=True)
class FoundedReport:
    """A report with its grounds: the peers' answers that it rests on, where anybody may see them."""

    report: Report
    grounds: Grounds | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """What the judges say of an answer."""

    task: TaskType
    format_bps: int = NOT_SCORED
    accuracy_bps: int = NOT_SCORED
    consistency_bps: int = NOT_SCORED
    method: Method = Method.RULES

    @property
    def agreed(self) -> bool:
        """Whether another model said the same, and so did whoever else was asked."""
        said = {self.accuracy_bps, self.consistency_bps} - {NOT_SCORED}
        return self.accuracy_bps != NOT_SCORED and min(said) >= AGREED_BPS


class Judges(Protocol):
    """Who scores an answer beside those of its peers."""

    async def score(self, chat: ChatRequest, answer: str, *, peers: PeerAnswers) -> Scores:
        """Raises DGridError."""
        ...


class Measuring(Protocol):
    """Who runs the claimed model over an answer."""

    async def measure(self, digest: bytes, content: Content) -> Identity | None:
        """None where the model cannot be run here, or the evidence says too little. Raises DGridError."""
        ...


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything an evaluator judges with."""

    evaluator: Address
    repeater: Repeater
    peers: Callable[[], Awaitable[Sequence[Peer]]]
    judges: Judges
    measuring: Measuring | None
    references: Mapping[bytes, CostReference]

    async def report(self, given: ShownDuty, *, within_s: float) -> FoundedReport:
        """What is to be said of a leaf. Of a request that is none nothing more than that it was shown: who has to judge
        what a gateway made up has missed nothing.
        """
        duty, content = given.duty, given.shown.content
        said = Report(duty.leaf.key, duty.leaf.receipt, int(given.shown.verdict))
        if content is None:
            return FoundedReport(said)
        try:
            chat = decode_chat(content.request)
        except RequestError as error:
            logger.info("a leaf asks nothing: %s", error.code)
            return FoundedReport(said)
        limit_s, until_s = min(within_s, JUDGING_S_MAX), asyncio.get_running_loop().time() + within_s * MEASURED_SHARE
        scores, answers = await self._scored(given, chat, content, within_s=limit_s)
        cost = cost_score(duty.leaf, self.references)
        grounds = grounds_of(answers, scores.method) if duty.quality and duty.leaf.is_public else None
        report = Report(
            key=duty.leaf.key,
            receipt=duty.leaf.receipt,
            verdict=int(Verdict.JUDGED),
            task=scores.task,
            format_bps=scores.format_bps,
            accuracy_bps=scores.accuracy_bps,
            consistency_bps=scores.consistency_bps,
            cost_bps=NOT_SCORED if cost is None else cost,
            identity=await self._measured(given, content, until_s=until_s),
            peers=answers.request_ids,
            grounds=b"" if grounds is None else grounds.digest(),
        )
        return FoundedReport(report, grounds)

    async def _scored(
        self, given: ShownDuty, chat: ChatRequest, content: Content, *, within_s: float
    ) -> tuple[Scores, PeerAnswers]:
        """The answers of peers, and what the judges say beside them; nothing of a leaf drawn for its identity alone."""
        if not given.duty.quality:
            return Scores(task_of(chat)), PeerAnswers()
        original, lot = original_of(given, content), given.duty.leaf.receipt + self.evaluator
        scores, answers = None, PeerAnswers()
        for peers in chosen_peers(await self.peers(), original, lot=lot):
            found = await self._asked(original, peers, within_s=within_s * REPEATS_SHARE)
            answers += showable(found, given) if given.duty.leaf.is_public else found
            scores = await self._read(chat, content.answer, answers)
            if scores is None or scores.agreed:
                break
        return scores or Scores(task_of(chat)), answers

    async def _asked(self, original: Original, peers: Sequence[Peer], *, within_s: float) -> PeerAnswers:
        """A request may hold what no reader of JSON can repeat, as 1e999: then nobody is asked."""
        try:
            return await self.repeater.answers(original, peers, within_s=within_s)
        except RequestError as error:
            logger.info("a request cannot be asked again: %s", error.code)
            return PeerAnswers()

    async def _read(self, chat: ChatRequest, answer: str, answers: PeerAnswers) -> Scores | None:
        """None for a text that our judges stumble over: it costs its scores, not the report, and no more answers."""
        try:
            return await self.judges.score(chat, answer, peers=answers)
        except Exception as error:  # noqa: BLE001 (a fault of ours; its words may be the answer's)
            logger.error("an answer cannot be scored: %s", trace_of(error))
            return None

    async def _measured(self, given: ShownDuty, content: Content, *, until_s: float) -> Identity | None:
        """What takes too long costs this figure: without an end it would cost the whole report."""
        if self.measuring is None or not given.duty.identity:
            return None
        try:
            async with asyncio.timeout_at(until_s):
                return await self.measuring.measure(given.document.dispatch.model_digest, content)
        except (DGridError, TimeoutError) as error:
            logger.warning("the claimed model could not be run: %s", str(error) or "it took too long")
        except Exception as error:  # noqa: BLE001 (as above)
            logger.error("an answer cannot be measured: %s", trace_of(error))
        return None


def showable(peers: PeerAnswers, given: ShownDuty) -> PeerAnswers:
    """The answers that anybody can be shown to be what peers said to just this: no other speaks of a public leaf."""
    assert given.shown.content is not None
    asked = Asked(given.document, given.shown.content.request)
    kept = [answer for answer in peers.answers if answer.compared is not None and is_showable(answer.compared, asked)]
    return PeerAnswers.of(kept, digest=given.document.dispatch.model_digest)


def is_showable(compared: Compared, asked: Asked) -> bool:
    try:
        open_compared(compared, asked)
    except NotEvidence as error:
        logger.info("an answer proves nothing: %s", error.message)
        return False
    return compared.fits


def grounds_of(peers: PeerAnswers, method: Method) -> Grounds:
    """What the scores beside these answers rest on."""
    return Grounds(method, tuple(answer.compared for answer in peers.answers if answer.compared is not None))


def original_of(given: ShownDuty, content: Content) -> Original:
    """What is repeated for a leaf."""
    dispatch = given.document.dispatch
    gateway, node = Address(dispatch.gateway), Address(dispatch.node)
    return Original(content.request, dispatch.seed, node, gateway, dispatch.model_digest)
