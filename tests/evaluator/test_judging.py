import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from tests.evaluator.stage import said
from tests.wire.making import NODE, Story, make_document

from dgrid.core.errors import EngineError
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.evaluator.disclosures import Shown
from dgrid.evaluator.judges.by_rules import RuleJudges
from dgrid.evaluator.judging import Bench, Judges, Scores, ShownDuty
from dgrid.evaluator.rerun import Peer, PeerAnswer, PeerAnswers, Repeat, Repeater
from dgrid.poq.draw import Duty
from dgrid.poq.rules import BUILT_IN_REFERENCES
from dgrid.settlement.evidence import leaf_facts
from dgrid.wire.openai import ChatRequest, decode_chat
from dgrid.wire.quality import NOT_SCORED, Content, Identity, LeafKey, Report, TaskType, Verdict

ME = Address(b"\x01" * 20)
SAID = said(3)
DOCUMENT = make_document(Story(answer=SAID.answer, sent=SAID.request, salt=SAID.salt))
KEY = LeafKey(DOCUMENT.receipt.parties.gateway, 5, 0, 0)
FOUND = Identity(7, 1_000, 2_000, 0, -50_000)
PEERS = [Peer(Address(bytes((at,)) * 20), "dgrid-mini", keccak(b"weights")) for at in (3, 4)]

ANSWER = "Oslo"
SAYING = {"right": ANSWER, "as right": "Oslo.", "wrong": "Rome", "wrong too": "Rome"}  # what other models say


def others(*models: str) -> list[Peer]:
    return [Peer(Address(bytes((at,)) * 20), model, keccak(model.encode())) for at, model in enumerate(models, 10)]


PLAIN = RuleJudges()


class StumblingJudges:
    """Meet a text that nobody thought of."""

    async def score(self, chat: ChatRequest, answer: str, *, peers: PeerAnswers) -> Scores:
        raise ZeroDivisionError


class Scale:
    """Measures, or fails."""

    def __init__(self, found: Identity | None = FOUND, *, broken: Exception | None = None, hangs: bool = False) -> None:
        self.found, self.broken, self.hangs = found, broken, hangs
        self.asked: list[bytes] = []

    async def measure(self, digest: bytes, _content: Content) -> Identity | None:
        self.asked.append(digest)
        if self.hangs:
            await asyncio.Event().wait()
        if self.broken is not None:
            raise self.broken
        return self.found


def given(*, quality: bool = True, identity: bool = False, shown: Shown | None = None) -> ShownDuty:
    duty = Duty(ME, 6, leaf_facts(KEY, DOCUMENT), quality, identity)
    return ShownDuty(duty, DOCUMENT, shown or Shown(Verdict.JUDGED, SAID))


def report(
    given: ShownDuty,
    scale: Scale | None = None,
    *,
    asked: list[Repeat] | None = None,
    among: Sequence[Peer] = PEERS,
    judges: Judges = PLAIN,
    within_s: float = 5,
) -> Report:
    async def ask(repeat: Repeat) -> PeerAnswer:
        if asked is not None:
            asked.append(repeat)
        text = SAYING.get(repeat.peer.model, ANSWER)
        return PeerAnswer(repeat.peer, repeat.peer.node.rjust(32, b"\0"), text)

    async def peers() -> Sequence[Peer]:
        return [*among, Peer(NODE.address, "dgrid-mini", keccak(b"weights"))]

    bench = Bench(ME, Repeater(ask, budget_wei=9), peers, judges, scale, BUILT_IN_REFERENCES)

    async def in_time() -> Report:
        async with asyncio.timeout(within_s):
            return (await bench.report(given, within_s=within_s)).report

    return asyncio.run(in_time())


def test_a_drawn_answer_is_scored_beside_its_peers() -> None:
    asked: list[Repeat] = []
    found = report(given(), asked=asked)
    assert (found.key, found.receipt, found.verdict) == (KEY, DOCUMENT.receipt.struct_hash(), Verdict.JUDGED)
    assert (found.task, found.format_bps, found.accuracy_bps, found.consistency_bps) == (
        *(TaskType.EXTRACT, 10_000),
        *(10_000, 10_000),
    )
    assert 0 <= found.cost_bps <= 10_000
    assert {one.peer.digest for one in asked} == {peer.digest for peer in PEERS}
    assert found.peers == tuple(sorted(one.peer.node.rjust(32, b"\0") for one in asked))
    assert all(decode_chat(one.body).wanted_seed == DOCUMENT.dispatch.seed for one in asked)


def test_nobody_else_is_asked_where_another_model_says_the_same() -> None:
    asked: list[Repeat] = []
    found = report(given(), asked=asked, among=[*PEERS, *others("right", "as right")])
    assert len(asked) == len(found.peers) <= 2
    assert sum(one.peer.model != "dgrid-mini" for one in asked) == 1
    assert found.accuracy_bps == 10_000


def test_everybody_is_asked_where_another_model_says_something_else() -> None:
    asked: list[Repeat] = []
    found = report(given(), asked=asked, among=[*PEERS, *others("wrong", "wrong too")])
    assert {one.peer.model for one in asked} == {"dgrid-mini", "wrong", "wrong too"}
    assert len(asked) == len(found.peers) == 3
    assert found.accuracy_bps < 10_000


def test_identity_is_measured_where_it_was_drawn_and_nowhere_else() -> None:
    scale = Scale()
    assert report(given(), scale).identity is None
    assert scale.asked == []
    assert report(given(identity=True), scale).identity == FOUND
    assert scale.asked == [DOCUMENT.dispatch.model_digest]


def test_a_leaf_drawn_for_its_identity_alone_is_not_scored_and_costs_no_peer() -> None:
    asked: list[Repeat] = []
    found = report(given(quality=False, identity=True), Scale(), asked=asked)
    assert asked == []
    assert (found.format_bps, found.accuracy_bps, found.consistency_bps, found.peers) == (*[NOT_SCORED] * 3, ())
    assert found.identity == FOUND


@pytest.mark.parametrize("error", [EngineError("the child died"), ZeroDivisionError("a fault of ours")])
def test_a_measurement_that_fails_leaves_the_scores(error: Exception) -> None:
    found = report(given(identity=True), Scale(broken=error))
    assert (found.identity, found.accuracy_bps) == (None, 10_000)


def test_a_measurement_that_never_ends_leaves_the_scores_while_there_is_time() -> None:
    found = report(given(identity=True), Scale(hangs=True), within_s=0.5)
    assert (found.identity, found.accuracy_bps) == (None, 10_000)


def test_an_answer_that_judges_stumble_over_costs_its_scores_and_neither_the_report_nor_more_answers() -> None:
    asked: list[Repeat] = []
    among = [*PEERS, *others("wrong", "wrong too")]
    found = report(given(identity=True), Scale(), asked=asked, among=among, judges=StumblingJudges())
    assert (found.verdict, found.task, found.identity) == (Verdict.JUDGED, TaskType.EXTRACT, FOUND)
    assert {found.format_bps, found.accuracy_bps, found.consistency_bps} == {NOT_SCORED}
    assert sum(one.peer.model != "dgrid-mini" for one in asked) == 1


@pytest.mark.parametrize("verdict", [Verdict.UNDISCLOSED, Verdict.ALTERED])
def test_what_was_not_shown_is_not_judged(verdict: Verdict) -> None:
    asked: list[Repeat] = []
    found = report(given(identity=True, shown=Shown(verdict)), Scale(), asked=asked)
    assert found == Report(KEY, DOCUMENT.receipt.struct_hash(), int(verdict))
    assert asked == []


@pytest.mark.parametrize("request_", [b"noise", b"[]", b'{"model": "auto", "messages": []}', b"\xff"])
def test_who_has_to_judge_a_request_that_is_none_has_missed_nothing(request_: bytes) -> None:
    """A gateway with a node of its own can sign what it likes; a duty without a report costs its evaluator."""
    asked: list[Repeat] = []
    noise = msgspec.structs.replace(SAID, request=request_)
    found = report(given(identity=True, shown=Shown(Verdict.JUDGED, noise)), Scale(), asked=asked)
    assert found == Report(KEY, DOCUMENT.receipt.struct_hash(), int(Verdict.JUDGED))
    assert asked == []


@pytest.mark.parametrize("field", [b'"x": 1e999', b'"x": "\xff"', b'"x": ' + b"9" * 5_000])
def test_what_no_peer_can_be_asked_again_is_reported_on_without_peers(field: bytes) -> None:
    """Any client may send it, and a gateway that acts on other fields alone passes it on."""
    asked: list[Repeat] = []
    odd = msgspec.structs.replace(SAID, request=SAID.request[:-1] + b", " + field + b"}")
    found = report(given(shown=Shown(Verdict.JUDGED, odd)), asked=asked)
    assert (found.verdict, found.task, found.format_bps) == (Verdict.JUDGED, TaskType.EXTRACT, 10_000)
    assert (found.accuracy_bps, found.consistency_bps, found.peers) == (NOT_SCORED, NOT_SCORED, ())
    assert asked == []
