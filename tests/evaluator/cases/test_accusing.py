"""Whoever hid a leaf stays accused of it, and a wrong root is disputed in time, whatever its friends do."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import msgspec
import pytest
from tests.evaluator.cases.courtroom import FAR, ByEvidence, write_body
from tests.settlement.judged import (
    COURT,
    DIGEST,
    DOMAIN,
    EPOCH,
    ROUND,
    Judged,
    a_judged_epoch,
    a_table,
    evaluators,
    key_of,
    reading,
    signed,
)
from tests.settlement.seeding import SECRET, committed
from tests.wire.making import GATEWAY, NODE, TOKEN, Story, make_document

from dgrid.chain.case_events import Outcome, Refund, Subject
from dgrid.chain.case_view import Case, Ending, Hearing, Vote
from dgrid.chain.cases import Accusation
from dgrid.chain.events import Role
from dgrid.chain.view import Member, PostedQuality
from dgrid.core.errors import CheckFailed, DGridError, NetworkUnreachable
from dgrid.core.identity import Address, Hash, from_hex, model_id, to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI
from dgrid.evaluator.cases import accusing
from dgrid.evaluator.cases.accusing import Accuser
from dgrid.evaluator.cases.jury import Bar, Jury
from dgrid.evaluator.cases.sampling import AskNode, Reply, Sampler, as_asked
from dgrid.evaluator.rerun import Peer
from dgrid.evaluator.rounds import APART_S, place_in_turn
from dgrid.gateway.admit import forwarded
from dgrid.settlement.archives import ArchiveDoor, Archives, stored_digest
from dgrid.settlement.cases import root_charge
from dgrid.settlement.samples import SampleTerms, sample_questions
from dgrid.wire.http import HttpClient
from dgrid.wire.messages import Flag
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import Change, Content, SuspicionRow, Verdict
from dgrid.wire.server import Reply as HttpReply
from dgrid.wire.server import Request, Server
from dgrid.wire.signatures import SigningKey

FRIEND, STRANGER = Address(b"f" * 20), Address(b"s" * 20)
POSTED_MS = 1_700_000_180_000
SALT = bytes(32)
SEEDS = bytes(32), SECRET


async def taking(request: Request) -> HttpReply:
    """An archive that keeps whatever it is given."""
    key, name = SigningKey(keccak(b"archive")), from_hex(request.path.removeprefix("/v1/blobs/"), size=32)
    promise = key.sign(stored_digest(DOMAIN, key.address, blob_id=name))
    return HttpReply(201, msgspec.json.encode({"archive": to_hex(key.address), "signature": to_hex(promise)}))


async def unreachable(peer: Peer, body: bytes) -> Reply:
    raise NetworkUnreachable("nobody is asked here")


@dataclass
class Office:
    """One evaluator that reads a judged round, and what others signed of it."""

    judged: Judged
    accuser: Accuser
    jury: Jury
    signers: frozenset[Address] = frozenset()

    @property
    def posted(self) -> PostedQuality:
        return self.judged.view.quality_roots[ROUND]

    async def accusations(self) -> list[Accusation]:
        """What it accuses of when it reads the last root."""
        self.accuser.accusations.clear()
        await self.accuser._accuse_hidden(self.posted)
        return list(self.accuser.accusations.values())

    async def says_guilty(self, case: Case) -> bool:
        return (await self.jury.find(case, None, salt=SALT, within_s=1)).guilty


@contextlib.asynccontextmanager
async def office(judged: Judged, *, me: int, agrees: bool, ask: AskNode = unreachable) -> AsyncIterator[Office]:
    key = evaluators()[me]
    async with reading(judged) as found, contextlib.AsyncExitStack() as stack:
        http = HttpClient()
        stack.push_async_callback(http.close)
        sampler = Sampler(key.address, ask, ByEvidence(), SampleTerms(DOMAIN, COURT, write_body), WEI)
        archive = Server(taking, host="127.0.0.1", port=0)
        await archive.start()
        stack.push_async_callback(archive.stop)
        door = ArchiveDoor(f"http://127.0.0.1:{archive.port}")
        jury = Jury(Bar(key, found.quality, Archives(http, lambda: [door], domain=DOMAIN), sampler, TOKEN))

        async def signers(_: PostedQuality) -> frozenset[Address]:
            return made.signers

        accuser = Accuser(key.address, jury._bar, jury, lambda _: agrees, signers, lambda _: SECRET)
        made = Office(judged, accuser, jury)
        yield made


def run(
    judged: Judged,
    main: Callable[[Office], Awaitable[None]],
    *,
    me: int = 0,
    agrees: bool = True,
    ask: AskNode = unreachable,
) -> None:
    async def whole() -> None:
        async with office(judged, me=me, agrees=agrees, ask=ask) as made:
            await main(made)

    asyncio.run(whole())


def activate(judged: Judged, count: int) -> None:
    for key in evaluators()[:count]:
        member = Member(Role.EVALUATOR, key.address, "http://a", 10**21, 0, bytes(32), bytes(32), True)
        judged.view.members[Role.EVALUATOR, key.address] = member


def hiding() -> Judged:
    """A judged epoch in which none of the drawn leaves was shown; one evaluator is active."""
    judged = Judged()
    judged.anchor()
    judged.draw()
    for key in evaluators():
        found = tuple(
            msgspec.structs.replace(one, verdict=int(Verdict.UNDISCLOSED)) for one in judged.reports_of(key).reports
        )
        judged.open(key, signed(key, ROUND, found))
    judged.post(a_table())
    activate(judged, 1)
    return judged


def opened(accusation: Accusation, *, at_ms: int, opener: Address = FRIEND) -> Case:
    named = accusation.subject, accusation.accused, accusation.matter, accusation.evidence
    return Case(opener + bytes(12), *named, opener, accusation.refunds, at_ms, (Hearing(at_ms),))


def ended(judged: Judged, case: Case, outcome: Outcome, *, heard: bool = True) -> None:
    hearing = replace(case.hearing, votes={STRANGER: Vote(outcome is Outcome.CONVICTED, bytes(32))} if heard else {})
    ending = Ending(outcome, 0, 0, 0, 0, case.opened_ms + 1)
    judged.view.cases[case.id] = replace(case, hearings=(hearing,), ending=ending)


def test_of_each_gateway_one_hidden_leaf_is_accused_and_its_payer_gets_back_what_it_paid() -> None:
    async def main(office: Office) -> None:
        (found,) = await office.accusations()
        assert (found.subject, found.accused) == (Subject.UNDISCLOSED, GATEWAY.address)
        assert len(found.refunds) == 1
        assert await office.says_guilty(opened(found, at_ms=POSTED_MS))

    run(hiding(), main)


def too_early(case: Case) -> Case:
    return replace(case, opened_ms=POSTED_MS - 1)


def greedy(case: Case) -> Case:
    return replace(case, refunds=(*case.refunds, Refund(FRIEND, 1)))


def stingy(case: Case) -> Case:
    return replace(case, refunds=())


def elsewhere(case: Case) -> Case:
    return replace(case, evidence=b"e" * 32)


@pytest.mark.parametrize("spoiled", [too_early, greedy, stingy, elsewhere])
def test_a_friend_does_not_clear_a_hidden_leaf_by_accusing_it_badly(spoiled: Callable[[Case], Case]) -> None:
    judged = hiding()

    async def main(office: Office) -> None:
        (before,) = await office.accusations()
        bad = spoiled(opened(before, at_ms=POSTED_MS))
        assert spoiled is too_early or not await office.says_guilty(bad)
        judged.view.cases[bad.id] = bad
        assert await office.accusations() == []  # the contract takes one case at a time
        ended(judged, bad, Outcome.ACQUITTED)
        assert await office.accusations() == [before]

    run(judged, main)


def test_whoever_was_acquitted_after_a_later_root_stood_is_read_again() -> None:
    judged = hiding()
    blank = replace(judged.view.quality_roots[ROUND], digest=b"later")  # type: ignore[arg-type]

    async def main(office: Office) -> None:
        (before,) = await office.accusations()
        later = replace(blank, root=msgspec.structs.replace(blank.root, round=ROUND + 1))
        judged.view.quality_roots[ROUND + 1] = later
        assert await office.jury.hidden(later) == []
        office.accuser.accusations.clear()
        await office.accuser._accuse_hidden(later)
        assert not office.accuser.accusations
        ended(judged, greedy(opened(before, at_ms=POSTED_MS)), Outcome.ACQUITTED)
        await office.accuser._accuse_hidden(later)
        assert list(office.accuser.accusations.values()) == [before]

    run(judged, main)


@pytest.mark.parametrize("outcome", [Outcome.ACQUITTED, Outcome.CONVICTED])
def test_what_was_heard_in_earnest_is_not_accused_again(outcome: Outcome) -> None:
    judged = hiding()

    async def main(office: Office) -> None:
        (before,) = await office.accusations()
        ended(judged, opened(before, at_ms=POSTED_MS), outcome)
        bad = replace(greedy(opened(before, at_ms=POSTED_MS + 5)), id=b"a later one")
        ended(judged, bad, Outcome.ACQUITTED)
        assert await office.accusations() == []

    run(judged, main)


def test_a_case_without_a_jury_or_without_a_vote_answers_nothing() -> None:
    judged = hiding()

    async def main(office: Office) -> None:
        (before,) = await office.accusations()
        for outcome in (Outcome.DISMISSED, Outcome.ACQUITTED):
            ended(judged, opened(before, at_ms=POSTED_MS), outcome, heard=False)
            assert await office.accusations() == [before]

    run(judged, main)


def test_a_wrong_root_is_disputed_without_waiting_for_those_who_signed_it() -> None:
    judged = a_judged_epoch()  # its table follows from nothing
    activate(judged, 4)
    lot = root_charge(ROUND)[2]
    names = [key.address for key in evaluators()]
    last = max(range(4), key=lambda at: place_in_turn(names, names[at], lot=lot))

    async def main(office: Office) -> None:
        office.signers = frozenset(names) - {names[last]}
        async with asyncio.timeout(APART_S):
            await office.accuser._dispute(office.posted)
        assert list(office.accuser.accusations) == [root_charge(ROUND)]

    run(judged, main, me=last, agrees=False)


def test_a_leaf_stays_hidden_though_its_blob_is_anchored_under_an_earlier_epoch_too() -> None:
    judged = hiding()
    view, place, earlier = judged.view, (GATEWAY.address, EPOCH), (GATEWAY.address, EPOCH - 1)

    async def main(office: Office) -> None:
        (found,) = await office.accusations()
        anchor = view.roots[place]
        view.roots[earlier] = replace(anchor, root=msgspec.structs.replace(anchor.root, epoch=EPOCH - 1))
        view.draws[earlier] = replace(view.draws[place], epoch=EPOCH - 1, round=ROUND - 1)
        before = msgspec.structs.replace(office.posted.root, round=ROUND - 1)
        view.quality_roots[ROUND - 1] = replace(office.posted, root=before, digest=Hash(before.struct_hash()))
        assert await office.says_guilty(opened(found, at_ms=POSTED_MS))

    run(judged, main)


def test_a_root_is_disputed_while_gateways_wait_for_their_accusers() -> None:
    judged = hiding()
    activate(judged, 4)

    async def main(office: Office) -> None:
        (found,) = (await office.jury.hidden(office.posted))[:1]
        names = [key.address for key in evaluators()]
        assert place_in_turn(names, office.accuser.me, lot=found.charge[2])
        office.signers = frozenset(names) - {office.accuser.me}
        office.accuser.advance(judged.view, 0)
        await asyncio.sleep(0.2)
        assert not office.accuser.accusations  # it waits for its turn against the gateway
        office.accuser.agrees = lambda _: False
        anew = replace(office.posted, digest=Hash(b"a" * 32))
        judged.view.quality_roots[ROUND] = anew
        office.accuser.advance(judged.view, 0)
        async with asyncio.timeout(APART_S):
            while root_charge(ROUND) not in office.accuser.accusations:
                await asyncio.sleep(0.05)
        await office.accuser.close()

    run(judged, main, me=last_in_turn(judged))


def last_in_turn(judged: Judged) -> int:
    """Which evaluator is the last to accuse of the hidden leaf that is accused first."""
    found: list[int] = []

    async def main(office: Office) -> None:
        hidden = (await office.jury.hidden(office.posted))[0]
        names = [key.address for key in evaluators()]
        found.append(max(range(4), key=lambda at: place_in_turn(names, names[at], lot=hidden.charge[2])))

    run(judged, main)
    return found[0]


def given_seed(body: bytes) -> int:
    """What an honest gateway dispatches."""
    return decode_chat(body).wanted_seed or 0


def cheating(*, kept_back: int | None = None) -> AskNode:
    """A node that answers as another model does, all but one request of each ten."""
    numbers = itertools.count()

    async def ask(peer: Peer, body: bytes) -> Reply:
        number = next(numbers)
        if number % 10 == kept_back:
            raise NetworkUnreachable("no answer")
        story = Story(answer="Oslo", evidence=FAR, request_id=number.to_bytes(32, "big"), seed=given_seed(body))
        return Reply(make_document(story), Content(story.salt, story.sent, "Oslo", FAR))

    return ask


@pytest.mark.parametrize(("kept_back", "is_counted"), [(None, True), (3, False)])
def test_no_bond_is_put_on_a_part_of_a_set_which_no_member_would_count(kept_back: int | None, is_counted: bool) -> None:  # noqa: FBT001
    async def main(office: Office) -> None:
        found = await office.accuser._asked(Peer(NODE.address, "dgrid-mini", DIGEST), SEEDS)
        assert (found is not None and office.jury.would_convict(found)) is is_counted

    run(hiding(), main, ask=cheating(kept_back=kept_back))


@pytest.mark.parametrize(("drift", "flag"), [(1, Flag.STREAMED), (0, Flag.PARTIAL)])
def test_no_bond_is_put_on_a_reply_under_another_seed_or_broken_off(drift: int, flag: Flag) -> None:
    """No member would count it."""

    async def ask(peer: Peer, body: bytes) -> Reply:
        story = Story(answer="Oslo", evidence=FAR, seed=given_seed(body) + drift, flags=flag)
        return Reply(make_document(story), Content(story.salt, story.sent, "Oslo", FAR))

    async def main(office: Office) -> None:
        assert await office.accuser._asked(Peer(NODE.address, "dgrid-mini", DIGEST), SEEDS) is None

    run(hiding(), main, ask=ask)


def test_a_node_does_not_tell_a_sample_from_any_other_request() -> None:
    question = next(sample_questions(SEEDS, model="dgrid-mini", numbers=range(1), write=write_body))
    asked = as_asked(question, Peer(NODE.address, "dgrid-mini", DIGEST), budget_wei=WEI)
    assert (given_seed(asked), forwarded(decode_chat(asked), asked)) == (question.seed, question.body)


def doubting(*nodes: Address) -> Judged:
    """A table that flags nodes, and evaluators of which the first had committed to its secret; they can ask on it."""
    judged = Judged()
    judged.anchor()
    judged.draw()
    model = model_id("dgrid-mini")
    flagged = tuple(SuspicionRow(node, model, (), ROUND) for node in nodes)
    seen = tuple(Change(node, model, "", "", key_of(0), 0, 0) for node in nodes)
    judged.post(a_table(suspicions=flagged, changes=seen))
    activate(judged, 1)
    me = evaluators()[0].address
    judged.view.declared[Role.EVALUATOR, me] = (DIGEST,)
    for node in nodes:
        judged.view.members[Role.NODE, node] = Member(Role.NODE, node, "", 1, 0, bytes(32), bytes(32), True)
    judged.view = committed(judged.view, evaluator=me, judged_round=ROUND, secret=SECRET)
    return judged


def asked_of(judged: Judged, *, evidence: bytes = FAR, now_ms: int = POSTED_MS + 30_000) -> tuple[list[Address], int]:
    """Whom an evaluator asks when it reads the chain at a moment, one after the other, and how many it accuses."""
    answering, found = cheating() if evidence == FAR else honest(), []

    async def ask(peer: Peer, body: bytes) -> Reply:
        found.append(peer.node)
        return await answering(peer, body)

    accused = 0

    async def main(office: Office) -> None:
        nonlocal accused
        office.accuser.advance(judged.view, now_ms // 1000)
        if (task := office.accuser._tasks.get("models")) is not None:
            await task
        accused = len(office.accuser.accusations)
        await office.accuser.close()

    run(judged, main, ask=ask)
    return found, accused


def honest() -> AskNode:
    async def ask(peer: Peer, body: bytes) -> Reply:
        story = Story(answer="Oslo", evidence=b"near", seed=given_seed(body))
        return Reply(make_document(story), Content(story.salt, story.sent, "Oslo", b"near"))

    return ask


def test_who_is_doubted_is_asked_and_accused_of_what_it_signed() -> None:
    judged = doubting(NODE.address)
    assert asked_of(judged) == ([NODE.address] * judged.view.parameters.last.case_samples, 1)


def test_nobody_is_asked_where_no_member_would_count_the_answers() -> None:
    """Else a bond would be lost: it has not committed or opened, lost its disk, or is late."""
    judged, me = doubting(NODE.address), evaluators()[0].address
    for view in (
        replace(judged.view, commitments={}),
        replace(judged.view, openings={}),
        committed(judged.view, evaluator=me, judged_round=ROUND, secret=keccak(b"another")),
    ):
        assert asked_of(replace(judged, view=view)) == ([], 0)
    assert asked_of(judged, now_ms=POSTED_MS + 3_600_000) == ([], 0)


def test_nobody_is_asked_under_a_secret_that_an_accusation_has_shown() -> None:
    """The next node could foresee its requests; the next evaluator asks it, or this one on the next root."""
    both = sorted([NODE.address, STRANGER])
    judged = doubting(NODE.address, STRANGER)
    count = judged.view.parameters.last.case_samples
    assert asked_of(judged) == ([NODE.address] * count, 1)
    asked, accused = asked_of(judged, evidence=b"near")
    assert (sorted(set(asked)), accused) == (both, 0)


@pytest.mark.parametrize(("failure", "tries"), [(NetworkUnreachable("no archive answers"), 2), (CheckFailed("no"), 1)])
def test_a_root_is_read_again_where_archives_did_not_answer(
    failure: DGridError, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accusing, "AGAIN_S", 0.01)
    tried: list[PostedQuality] = []

    async def work(posted: PostedQuality) -> None:
        tried.append(posted)
        if len(tried) == 1:
            raise failure

    async def main(office: Office) -> None:
        for _ in range(4):
            office.accuser._begin("root", office.posted, work)
            await office.accuser._tasks["root"]
        assert tried == [office.posted] * tries

    run(hiding(), main)
