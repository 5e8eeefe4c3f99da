"""Scores public leaves again from what their evaluators show, and names whoever says what does not follow.

Request and answer of a public leaf lie open, and its evaluators show the peers' signed answers: with the published
encoder everything that they say of it but the identity follows. Needs nobody's help but the chain, the archives and an
encoder. Refuses to judge whom an evaluator asked: answers that were left out leave no trace. Refuses to name whoever
may have looked before anything lay open: "undisclosed" is only held against those few who say it of what came in time.
What our own judges stumble over is held against nobody.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dgrid.chain.events import Role
from dgrid.core.errors import DGridError, EngineError, RequestError
from dgrid.core.identity import Address
from dgrid.engines.encoder import Encoder
from dgrid.evaluator.judges.by_encoder import EncoderJudges
from dgrid.evaluator.judges.by_rules import RuleJudges
from dgrid.evaluator.judging import Scores
from dgrid.evaluator.rerun import OTHER_MODELS_MAX, SAME_MODEL_MAX, Peer, PeerAnswer, PeerAnswers
from dgrid.machine.traces import trace_of
from dgrid.poq.dimensions import cost_score
from dgrid.poq.draw import Duty
from dgrid.poq.panels import panels
from dgrid.poq.rules import CostReference
from dgrid.poq.tasks import task_of
from dgrid.settlement.evidence import NotEvidence
from dgrid.settlement.grounds import Asked, open_all_compared
from dgrid.settlement.quality import CollectedRound, QualityReader
from dgrid.settlement.recomputing import RoundAudit
from dgrid.settlement.rounds import rules_of, windows_of
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.grounds import Compared, Grounds, Method
from dgrid.wire.openai import ChatRequest, decode_chat
from dgrid.wire.quality import NOT_SCORED, Content, LeafKey, Report, Reports, Verdict

logger = logging.getLogger(__name__)

TOLERANCE_BPS: Final = 200
"""Other processors multiply otherwise. Between two ways of one of them a cosine differed by up to 0.006 (5,000 pairs),
of which a scale makes at most 150. On one kind of processor nothing differs.
"""

LEAKS: Final = "it shows answers to a request that is not public"
DENIES: Final = "it says undisclosed of what lies open, came in time, and was judged by most who had to"


@dataclass(frozen=True, slots=True)
class Unfounded:
    """Something an evaluator says that does not follow from what it shows, or shows and must not."""

    round: int
    evaluator: bytes
    key: LeafKey
    reason: str


@dataclass(frozen=True, slots=True)
class Rescored:
    """What became of the reports on public leaves. A score within the tolerance is taken to follow."""

    reports: int  # scored again
    unread: int  # that could not be: not open, or perhaps late; no encoder answers, or our own judges stumble
    unfounded: tuple[Unfounded, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """One report on a public leaf, with what there is to hold it against."""

    duty: Duty
    report: Report
    grounds: Grounds | None
    document: ReceiptDocument
    content: Content


@dataclass(frozen=True, slots=True)
class Rescorer:
    """Holds reports against their grounds."""

    reader: QualityReader
    encoder: Encoder
    references: Mapping[bytes, CostReference]
    tolerance_bps: int = TOLERANCE_BPS

    async def rescore(self, audit: RoundAudit) -> Rescored:
        """All reports of a round on public leaves that were their evaluators' duties. Raises NetworkUnreachable."""
        contents, lying_open = await self._contents(audit.collected), self._lying_open(audit)
        unread, unfounded, reports = 0, list[Unfounded](), 0
        for duty, report, grounds in _reported(audit):
            key = duty.leaf.key
            if not duty.leaf.is_public:
                reasons = [LEAKS] if report.grounds else []
            else:
                is_open = key in contents and (report.verdict != Verdict.UNDISCLOSED or key in lying_open)
                found = await self._read(Said(duty, report, grounds, *contents[key])) if is_open else None
                if found is None:
                    unread += 1
                    continue
                reasons, reports = found, reports + 1
            if reasons:
                unfounded.append(Unfounded(duty.round, duty.evaluator, key, "; ".join(reasons)))
        return Rescored(reports, unread, tuple(unfounded))

    def _lying_open(self, audit: RoundAudit) -> set[LeafKey]:
        """The leaves that nobody can have been kept from: disclosed in time, and judged by most who had to."""
        view, evidence = self.reader.view, audit.collected.evidence
        ends_ms = {draw.round: windows_of(view, draw.round).commit_from_s * 1000 for draw in evidence.draws}
        timely = {
            (draw.gateway, draw.epoch)
            for draw in evidence.draws
            if view.disclosed_ms.get((Address(draw.gateway), draw.epoch), ends_ms[draw.round]) < ends_ms[draw.round]
        }
        judged = (panel.leaf.key for panel in panels(evidence, rules_of(view, audit.round)) if panel.is_judged)
        return {key for key in judged if (key.gateway, key.epoch) in timely}

    async def _contents(self, collected: CollectedRound) -> dict[LeafKey, tuple[ReceiptDocument, Content]]:
        found = {}
        for drawn in collected.drawn:
            if drawn.public:
                contents = await self.reader.public_contents(drawn)
                found.update({key: (drawn.documents[key], content) for key, content in contents.items()})
        return found

    async def _read(self, said: Said) -> list[str] | None:
        """Why a report does not follow; None where that cannot be said."""
        try:
            return await self._reasons(said)
        except EngineError:
            return None
        except Exception as error:  # noqa: BLE001 (a fault of ours; its words may be the answer's)
            logger.error("a report cannot be scored again: %s", trace_of(error))
            return None

    async def _reasons(self, said: Said) -> list[str]:
        """Why a report does not follow; empty when it does. Raises EngineError."""
        if said.report.verdict == Verdict.UNDISCLOSED:
            return [DENIES]
        if said.report.verdict == Verdict.ALTERED:
            return ["the content that lies open is what was signed"]
        try:
            chat = decode_chat(said.content.request)
        except RequestError:
            return [] if said.report == bare(said.report) else ["what is no request has no score"]
        try:
            peers = self._peers(said)
        except DGridError as error:
            return [error.message]
        scores = await self._scores(said, chat, peers)
        return list(self._differences(said, scores, peers))

    def _peers(self, said: Said) -> PeerAnswers:
        """The answers that were shown. Raises NotEvidence."""
        if said.grounds is None:
            return PeerAnswers()
        answers, asked = said.grounds.answers, Asked(said.document, said.content.request)
        nodes, gateways = self._registered(Role.NODE), self._registered(Role.GATEWAY)
        documents = open_all_compared(answers, asked, nodes=nodes, gateways=gateways)
        peers = PeerAnswers.of(map(_answer, documents, answers), digest=said.document.dispatch.model_digest)
        others = {(one.peer.digest, one.peer.model) for one in peers.other_models}
        if len(peers.same_model) > SAME_MODEL_MAX or not len(others) == len(peers.other_models) <= OTHER_MODELS_MAX:
            raise NotEvidence("more answers of one model are shown than are asked for")
        return peers

    def _registered(self, wanted: Role) -> set[bytes]:
        return {address for role, address in self.reader.view.members if role is wanted}

    async def _scores(self, said: Said, chat: ChatRequest, peers: PeerAnswers) -> Scores:
        if not said.duty.quality:
            return Scores(task_of(chat))
        answer, by_rules = said.content.answer, RuleJudges()
        if said.grounds is not None and said.grounds.method is Method.ENCODER:
            return await EncoderJudges(self.encoder, by_rules).score_by_encoder(chat, answer, peers=peers)
        return await by_rules.score(chat, answer, peers=peers)

    def _differences(self, said: Said, scores: Scores, peers: PeerAnswers) -> Iterator[str]:
        report, cost = said.report, cost_score(said.duty.leaf, self.references)
        exact = {
            "task": (report.task, scores.task),
            "peers": (report.peers, peers.request_ids),
            "format": (report.format_bps, scores.format_bps),
            "cost": (report.cost_bps, NOT_SCORED if cost is None else cost),
        }
        for name, (told, follows) in exact.items():
            if told != follows:
                yield f"its {name} is not what follows" if name == "peers" else f"{name} {told}; {follows} follows"
        judged = {
            "accuracy": (report.accuracy_bps, scores.accuracy_bps),
            "consistency": (report.consistency_bps, scores.consistency_bps),
        }
        slack = self.tolerance_bps if scores.method is Method.ENCODER else 0
        for name, (told, follows) in judged.items():
            if told != follows and (NOT_SCORED in (told, follows) or abs(told - follows) > slack):
                yield f"{name} {told}; {follows} follows"


def bare(report: Report) -> Report:
    """What is left of a report where nothing can be said but that the content was shown."""
    return Report(report.key, report.receipt, report.verdict)


def _reported(audit: RoundAudit) -> Iterator[tuple[Duty, Report, Grounds | None]]:
    """The duties that an opened report answers, each with its grounds."""
    by_leaf = {key: _by_leaf(opened) for key, opened in audit.collected.opened.items()}
    for duty in audit.duties:
        said = by_leaf.get((duty.round, duty.evaluator), {}).get(duty.leaf.key)
        if said is not None:
            yield duty, *said


def _by_leaf(opened: Reports) -> dict[LeafKey, tuple[Report, Grounds | None]]:
    shown = iter(opened.grounds)
    return {report.key: (report, next(shown) if report.grounds else None) for report in opened.reports}


def _answer(document: ReceiptDocument, compared: Compared) -> PeerAnswer:
    dispatch = document.dispatch
    peer = Peer(Address(dispatch.node), document.model, dispatch.model_digest)
    return PeerAnswer(peer, document.receipt.request_id, compared.answer, compared)
