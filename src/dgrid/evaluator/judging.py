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
from dgrid.evaluator.reading import Shown
from dgrid.evaluator.rerun import Original, Panel, Peer, Repeater, chosen_peers
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

REPEATS_SHARE: Final = (
    0.3  # of the time for a duty goes to the first peers, as much to the others; judges have the rest
)
MEASURED_SHARE: Final = 0.9  # of the time for a duty: by then its model has been run, or was not
AGREED_BPS: Final = 8_000  # a score from which more answers are not worth their fee: any from 5,000 on does as well
JUDGING_S_MAX: Final = 30.0


@dataclass(frozen=True, slots=True)
class Case:
    """A duty with what judging it needs."""

    duty: Duty
    document: ReceiptDocument
    shown: Shown


@dataclass(frozen=True, slots=True)
class Finding:
    """A report, and what it rests on where anybody may see that."""

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

    async def score(self, chat: ChatRequest, answer: str, *, panel: Panel) -> Scores:
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

    async def report(self, case: Case, *, within_s: float) -> Finding:
        """What is to be said of a leaf. Of a request that is none nothing more than that it was shown: who has to judge
        what a gateway made up has missed nothing.
        """
        duty, content = case.duty, case.shown.content
        said = Report(duty.leaf.key, duty.leaf.receipt, int(case.shown.verdict))
        if content is None:
            return Finding(said)
        try:
            chat = decode_chat(content.request)
        except RequestError as error:
            logger.info("a leaf asks nothing: %s", error.code)
            return Finding(said)
        limit_s, until_s = min(within_s, JUDGING_S_MAX), asyncio.get_running_loop().time() + within_s * MEASURED_SHARE
        scores, panel = await self._scored(case, chat, content, within_s=limit_s)
        cost = cost_score(duty.leaf, self.references)
        grounds = grounds_of(panel, scores.method) if duty.quality and duty.leaf.is_public else None
        report = Report(
            key=duty.leaf.key,
            receipt=duty.leaf.receipt,
            verdict=int(Verdict.JUDGED),
            task=scores.task,
            format_bps=scores.format_bps,
            accuracy_bps=scores.accuracy_bps,
            consistency_bps=scores.consistency_bps,
            cost_bps=NOT_SCORED if cost is None else cost,
            identity=await self._measured(case, content, until_s=until_s),
            peers=panel.request_ids,
            grounds=b"" if grounds is None else grounds.digest(),
        )
        return Finding(report, grounds)

    async def _scored(
        self, case: Case, chat: ChatRequest, content: Content, *, within_s: float
    ) -> tuple[Scores, Panel]:
        """The answers of peers, and what the judges say beside them; nothing of a leaf drawn for its identity alone."""
        if not case.duty.quality:
            return Scores(task_of(chat)), Panel()
        original, lot = original_of(case, content), case.duty.leaf.receipt + self.evaluator
        scores, panel = Scores(task_of(chat)), Panel()
        for peers in chosen_peers(await self.peers(), original, lot=lot):
            if not scores.agreed:
                found = await self._asked(original, peers, within_s=within_s * REPEATS_SHARE)
                panel += showable(found, case) if case.duty.leaf.is_public else found
                scores = await self._read(chat, content.answer, panel)
        return scores, panel

    async def _asked(self, original: Original, peers: Sequence[Peer], *, within_s: float) -> Panel:
        """A request may hold what no reader of JSON can repeat, as 1e999: then nobody is asked."""
        try:
            return await self.repeater.panel(original, peers, within_s=within_s)
        except RequestError as error:
            logger.info("a request cannot be asked again: %s", error.code)
            return Panel()

    async def _read(self, chat: ChatRequest, answer: str, panel: Panel) -> Scores:
        """A text that our judges stumble over costs its scores: not the report, and no second round of answers."""
        try:
            return await self.judges.score(chat, answer, panel=panel)
        except Exception as error:  # noqa: BLE001 (a fault of ours; its words may be the answer's)
            logger.error("an answer cannot be scored: %s", type(error).__name__)
            return Scores(task_of(chat))

    async def _measured(self, case: Case, content: Content, *, until_s: float) -> Identity | None:
        """What takes too long costs this figure: without an end it would cost the whole report."""
        if self.measuring is None or not case.duty.identity:
            return None
        try:
            async with asyncio.timeout_at(until_s):
                return await self.measuring.measure(case.document.dispatch.model_digest, content)
        except (DGridError, TimeoutError) as error:
            logger.warning("the claimed model could not be run: %s", str(error) or "it took too long")
            return None


def showable(panel: Panel, case: Case) -> Panel:
    """The answers that anybody can be shown to be what peers said to just this: no other speaks of a public leaf."""
    assert case.shown.content is not None
    asked = Asked(case.document, case.shown.content.request)
    kept = [answer for answer in panel.answers if answer.compared is not None and is_showable(answer.compared, asked)]
    return Panel.of(kept, digest=case.document.dispatch.model_digest)


def is_showable(compared: Compared, asked: Asked) -> bool:
    try:
        open_compared(compared, asked)
    except NotEvidence as error:
        logger.info("an answer proves nothing: %s", error.message)
        return False
    return compared.fits


def grounds_of(panel: Panel, method: Method) -> Grounds:
    """What the scores beside a panel rest on."""
    return Grounds(method, tuple(answer.compared for answer in panel.answers if answer.compared is not None))


def original_of(case: Case, content: Content) -> Original:
    """What is repeated for a leaf."""
    dispatch = case.document.dispatch
    gateway, node = Address(dispatch.gateway), Address(dispatch.node)
    return Original(content.request, dispatch.seed, node, gateway, dispatch.model_digest)
