"""Scores of public leaves, computed again by a stranger: honest ones follow, and every lie is named."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluator.public import Peers
from tests.settlement.judged import ROUND, Judged, content_of, evaluators, reading, signed
from tests.wire.making import GATEWAY, NODE, TOKEN

from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.events import Role
from dgrid.chain.view import Member
from dgrid.core.errors import EngineError
from dgrid.core.identity import Address
from dgrid.engines.encoder import Encoder, EncoderClient, Vectors
from dgrid.evaluator.disclosures import Shown
from dgrid.evaluator.judges.by_encoder import EncoderJudges
from dgrid.evaluator.judges.by_rules import RuleJudges
from dgrid.evaluator.judging import Bench, FoundedReport, Judges, ShownDuty
from dgrid.evaluator.rerun import Repeater
from dgrid.evaluator.rescoring import DENIES, LEAKS, TOLERANCE_BPS, Rescored, Rescorer, Said, bare
from dgrid.poq.rules import BUILT_IN_REFERENCES
from dgrid.settlement.evidence import documents_of
from dgrid.settlement.recomputing import recompute
from dgrid.settlement.rounds import windows_of
from dgrid.wire.grounds import Method
from dgrid.wire.quality import NOT_SCORED, Report, Verdict

PUBLIC = frozenset(range(1, 12, 2))
SAYING = {"dgrid-mini": "Oslo", "dgrid-micro": "Ada lives in Oslo.", "dgrid-nano": "in the city of Rome"}
Change = Callable[[FoundedReport], FoundedReport]


class NoEncoder:
    """For whoever judges by rules."""

    async def vectors(self, texts: Sequence[str]) -> Vectors:
        raise EngineError("there is none here")


class StumblingEncoder:
    """Meets a text that nobody thought of; its words hold it."""

    async def vectors(self, texts: Sequence[str]) -> Vectors:
        raise ZeroDivisionError(texts[0])


@dataclass
class Round:
    """A judged epoch with public leaves, and what its evaluators found."""

    judged: Judged
    reports: dict[bytes, list[FoundedReport]]

    def open(self, change: Change = lambda one: one, *, liar: bytes = b"") -> None:
        """All evaluators open their reports, the liar what it made of its own."""
        for key in evaluators():
            found = [change(one) if key.address == liar else one for one in self.reports[key.address]]
            grounds = tuple(one.grounds for one in found if one.grounds is not None)
            self.judged.open(key, signed(key, ROUND, tuple(one.report for one in found), grounds))


async def a_round(peers: Peers, judges: Judges, *, public: frozenset[int] = PUBLIC) -> Round:
    """Every evaluator judges as the product does; only the network between it and its peers is left out."""
    judged = Judged(public=public)
    judged.anchor()
    judged.draw()
    judged.disclose()
    for role, addresses in ((Role.NODE, {NODE.address, *peers.keys}), (Role.GATEWAY, {GATEWAY.address})):
        for address in addresses:
            member = Member(role, Address(address), "", 1, 0, bytes(32), bytes(32), active=True)
            judged.view.members[role, Address(address)] = member
    async with reading(judged) as found:
        anchor = judged.view.roots[Address(GATEWAY.address), 5]
        documents = documents_of(await found.records.epoch(anchor), found.quality._domain)
    reports: dict[bytes, list[FoundedReport]] = {key.address: [] for key in evaluators()}
    for duty in judged.duties():
        key = duty.leaf.key
        me = Address(duty.evaluator)
        bench = Bench(me, Repeater(peers.ask, budget_wei=9), peers.all, judges, None, BUILT_IN_REFERENCES)
        given = ShownDuty(duty, documents[key], Shown(Verdict.JUDGED, content_of(key.sequence)))
        reports[duty.evaluator].append(await bench.report(given, within_s=5))
    for found_by in reports.values():
        found_by.sort(key=lambda one: one.report.key)
    return Round(judged, reports)


async def rescored(judged: Judged, encoder: Encoder, *, tolerance_bps: int = TOLERANCE_BPS) -> Rescored:
    async with reading(judged) as found:
        audit = await recompute(found.quality, ROUND, token=TOKEN)
        return await Rescorer(found.quality, encoder, BUILT_IN_REFERENCES, tolerance_bps).rescore(audit)


@pytest.fixture(scope="module")
def by_rules() -> Round:
    return asyncio.run(a_round(Peers(SAYING), RuleJudges()))


def public_reports(found: Round, evaluator: bytes) -> list[FoundedReport]:
    return [one for one in found.reports[evaluator] if one.report.key.sequence in PUBLIC]


def test_honest_scores_follow_to_the_unit_in_another_encoder(loop: asyncio.Runner, encoder: EncoderClient) -> None:
    from tests.evaluator.judges.conftest import client

    async def main() -> None:
        found = await a_round(Peers(SAYING), EncoderJudges(encoder, RuleJudges()))
        found.open()
        async with client() as another:
            again = await rescored(found.judged, another, tolerance_bps=0)
        assert again.unfounded == ()
        assert again.reports == sum(len(public_reports(found, key.address)) for key in evaluators()) > 0
        methods = {one.grounds.method for all_of in found.reports.values() for one in all_of if one.grounds}
        assert methods == {Method.ENCODER}
        scores = {one.report.accuracy_bps for all_of in found.reports.values() for one in all_of}
        assert len(scores) > 2

    loop.run(main())


def test_a_score_beyond_the_tolerance_is_named_and_one_within_is_not(
    loop: asyncio.Runner, encoder: EncoderClient
) -> None:
    liar = evaluators()[0].address

    def by(amount: int) -> Change:
        def change(one: FoundedReport) -> FoundedReport:
            told = one.report.accuracy_bps
            moved = told - amount if told >= amount else told + amount
            return FoundedReport(msgspec.structs.replace(one.report, accuracy_bps=moved), one.grounds)

        return change

    async def main() -> None:
        found = await a_round(Peers(SAYING), EncoderJudges(encoder, RuleJudges()))
        found.open(by(TOLERANCE_BPS), liar=liar)
        assert (await rescored(found.judged, encoder)).unfounded == ()
        found.open(by(TOLERANCE_BPS + 1), liar=liar)
        lies = (await rescored(found.judged, encoder)).unfounded
        quality = [one for one in public_reports(found, liar) if one.grounds is not None]
        assert {one.evaluator for one in lies} == {liar}
        assert len(lies) == len(quality) > 0
        assert all("accuracy" in one.reason for one in lies)

    loop.run(main())


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_an_honest_evaluator_is_never_named_and_a_changed_score_always(data: st.DataObject) -> None:
    texts = st.sampled_from(["Oslo", "Rome", "Ada lives in Oslo.", "Oslo, not Rome", "I cannot answer.", "x" * 300])
    peers = Peers({model: data.draw(texts) for model in SAYING if data.draw(st.booleans())})
    found = asyncio.run(a_round(peers, RuleJudges()))
    found.open()
    assert asyncio.run(rescored(found.judged, NoEncoder())).unfounded == ()
    liar = data.draw(st.sampled_from(evaluators())).address
    name = data.draw(st.sampled_from(["format_bps", "accuracy_bps", "consistency_bps", "cost_bps"]))
    amount = data.draw(st.integers(1, 9_999))

    def change(one: FoundedReport) -> FoundedReport:
        told = getattr(one.report, name)
        return FoundedReport(msgspec.structs.replace(one.report, **{name: (told + amount) % 10_001}), one.grounds)

    found.open(change, liar=liar)
    lies = asyncio.run(rescored(found.judged, NoEncoder())).unfounded
    assert {(one.evaluator, one.key) for one in lies} == {(liar, one.report.key) for one in public_reports(found, liar)}


def test_a_score_without_grounds_is_named(by_rules: Round) -> None:
    liar = evaluators()[1].address
    by_rules.open(lambda one: FoundedReport(msgspec.structs.replace(one.report, grounds=b"")), liar=liar)
    lies = asyncio.run(rescored(by_rules.judged, NoEncoder())).unfounded
    assert {one.evaluator for one in lies} == {liar}


def test_who_says_that_open_content_was_altered_is_named(by_rules: Round) -> None:
    liar = evaluators()[2].address

    def change(one: FoundedReport) -> FoundedReport:
        return FoundedReport(Report(one.report.key, one.report.receipt, int(Verdict.ALTERED)))

    by_rules.open(change, liar=liar)
    lies = asyncio.run(rescored(by_rules.judged, NoEncoder())).unfounded
    assert {one.evaluator for one in lies} == {liar}
    assert all("what was signed" in one.reason for one in lies)


def undisclosed(one: FoundedReport) -> FoundedReport:
    return FoundedReport(Report(one.report.key, one.report.receipt, int(Verdict.UNDISCLOSED)))


def test_who_says_undisclosed_of_what_most_others_read_is_named(by_rules: Round) -> None:
    liar = evaluators()[2].address
    by_rules.open(undisclosed, liar=liar)
    lies = asyncio.run(rescored(by_rules.judged, NoEncoder())).unfounded
    assert {(one.evaluator, one.key, one.reason) for one in lies} == {
        (liar, one.report.key, DENIES) for one in public_reports(by_rules, liar)
    }
    assert lies


def test_nobody_is_named_for_undisclosed_where_the_disclosure_came_too_late(by_rules: Round) -> None:
    """A gateway that shows it to the others beforehand must not get the one named that it kept it from."""
    late = windows_of(by_rules.judged.view, ROUND).commit_from_s
    by_rules.open(undisclosed, liar=evaluators()[2].address)
    by_rules.judged.disclose(at_s=late)
    try:
        again = asyncio.run(rescored(by_rules.judged, NoEncoder()))
    finally:
        by_rules.judged.disclose()
    assert again.unfounded == ()
    assert again.unread > 0


def test_nobody_is_named_for_undisclosed_where_most_say_so(by_rules: Round) -> None:
    """The blob may have come to the archives after they looked, which leaves no trace on chain."""
    by_rules.open()
    for key in evaluators()[:-1]:
        found = tuple(undisclosed(one).report for one in by_rules.reports[key.address])
        by_rules.judged.open(key, signed(key, ROUND, found))
    again = asyncio.run(rescored(by_rules.judged, NoEncoder()))
    assert again.unfounded == ()
    assert again.unread > 0


def test_answers_of_nodes_that_nobody_knows_are_grounds_for_nothing(by_rules: Round) -> None:
    by_rules.open()
    strange = replace(by_rules.judged, view=replace(by_rules.judged.view, members={}))
    lies = asyncio.run(rescored(strange, NoEncoder())).unfounded
    assert lies
    assert all("that never registered" in one.reason for one in lies)


def test_without_an_encoder_what_rests_on_one_is_left_open(loop: asyncio.Runner, encoder: EncoderClient) -> None:
    found = loop.run(a_round(Peers(SAYING), EncoderJudges(encoder, RuleJudges())))
    found.open()
    again = loop.run(rescored(found.judged, NoEncoder()))
    assert again.unfounded == ()
    assert again.unread > 0


def test_what_our_own_judges_stumble_over_is_held_against_nobody_and_the_rest_is_scored(
    loop: asyncio.Runner, encoder: EncoderClient, caplog: pytest.LogCaptureFixture
) -> None:
    found = loop.run(a_round(Peers(SAYING), EncoderJudges(encoder, RuleJudges())))
    by_encoder = [
        one
        for key in evaluators()
        for one in public_reports(found, key.address)
        if one.grounds is not None and one.grounds.answers
    ]
    liar = public_reports(found, evaluators()[0].address)[0].report.key

    def change(one: FoundedReport) -> FoundedReport:
        lie = msgspec.structs.replace(one.report, verdict=int(Verdict.ALTERED))
        return FoundedReport(bare(lie)) if one.report.key == liar else one

    found.open(change, liar=evaluators()[0].address)
    again = loop.run(rescored(found.judged, StumblingEncoder()))
    assert [one.key for one in again.unfounded] == [liar], "who lies of what needs no encoder is named all the same"
    assert len(by_encoder) - 1 <= again.unread <= len(by_encoder)
    assert "ZeroDivisionError < test_rescoring.py" in caplog.text
    assert not any(text in caplog.text for text in SAYING.values())


def test_whom_its_encoder_made_stumble_is_not_named_by_those_who_do_not() -> None:
    """What it says by rules instead follows for everybody."""
    found = asyncio.run(a_round(Peers(SAYING), EncoderJudges(StumblingEncoder(), RuleJudges())))
    found.open()
    again = asyncio.run(rescored(found.judged, NoEncoder()))
    assert again.unfounded == ()
    assert again.reports == sum(len(public_reports(found, key.address)) for key in evaluators()) > 0


def test_a_leaf_that_nobody_disclosed_is_left_open(by_rules: Round) -> None:
    by_rules.open()
    view = replace(by_rules.judged.view, disclosures=ByEpoch())
    again = asyncio.run(rescored(replace(by_rules.judged, view=view), NoEncoder()))
    assert (again.reports, again.unfounded) == (0, ())
    assert again.unread > 0


def test_no_blob_holds_a_word_of_a_private_request_or_of_what_peers_said_to_it() -> None:
    peers = Peers(SAYING)
    found = asyncio.run(a_round(peers, RuleJudges()))
    found.open()
    reports = [one.report for all_of in found.reports.values() for one in all_of]
    private = [report for report in reports if report.key.sequence not in PUBLIC]
    secrets = [peers.said[name] for report in private for name in report.peers]
    public = [peers.said[name] for report in reports if report not in private for name in report.peers]
    blobs = b"".join(found.judged.blobs.values())
    assert len(secrets) > 5
    assert [text for text in secrets if text.encode() in blobs] == []
    assert [text for text in public if text.encode() not in blobs] == []
    nobody = asyncio.run(a_round(Peers(SAYING), RuleJudges(), public=frozenset()))
    nobody.open()
    everything = b"".join(nobody.judged.blobs.values())
    assert any(report.accuracy_bps != NOT_SCORED for report in private)
    assert [word for word in (b"Ada", b"Oslo", b"Rome", b"Where does") if word in everything] == []


def test_who_shows_answers_to_a_request_that_is_not_public_is_named(by_rules: Round) -> None:
    liar = evaluators()[0].address
    shown = next(one.grounds for one in public_reports(by_rules, liar) if one.grounds is not None)

    def change(one: FoundedReport) -> FoundedReport:
        if one.report.key.sequence in PUBLIC:
            return one
        return FoundedReport(msgspec.structs.replace(one.report, grounds=shown.digest()), shown)

    by_rules.open(change, liar=liar)
    lies = asyncio.run(rescored(by_rules.judged, NoEncoder())).unfounded
    assert {(one.evaluator, one.reason) for one in lies} == {(liar, LEAKS)}
    assert all(one.key.sequence not in PUBLIC for one in lies)


def test_of_a_request_that_is_none_the_bare_report_follows_and_no_score(by_rules: Round) -> None:
    async def reasons(report: Report) -> list[str]:
        content = msgspec.structs.replace(content_of(key.sequence), request=b"noise")
        async with reading(by_rules.judged) as found:
            anchor = by_rules.judged.view.roots[Address(GATEWAY.address), 5]
            document = documents_of(await found.records.epoch(anchor), found.quality._domain)[key]
            rescorer = Rescorer(found.quality, NoEncoder(), BUILT_IN_REFERENCES)
            return await rescorer._reasons(Said(duty, report, None, document, content))

    duty = next(one for one in by_rules.judged.duties() if one.leaf.is_public and one.quality)
    key = duty.leaf.key
    bare = Report(key, duty.leaf.receipt, int(Verdict.JUDGED))
    assert asyncio.run(reasons(bare)) == []
    assert asyncio.run(reasons(msgspec.structs.replace(bare, format_bps=10_000))) != []
