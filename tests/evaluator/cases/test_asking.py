"""Whom an evaluator asks, and accuses of what it answered: never so that members would not count it."""

import itertools
from dataclasses import replace

import pytest
from tests.evaluator.cases.courtroom import FAR, NEAR, write_body
from tests.evaluator.cases.office import POSTED_MS, Office, activate, run
from tests.settlement.judged import DIGEST, ROUND, Judged, a_table, evaluators, key_of
from tests.settlement.seeding import SECRET, committed
from tests.wire.making import NODE, Story, make_document

from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.events import Role
from dgrid.chain.view import Member
from dgrid.core.errors import NetworkUnreachable
from dgrid.core.identity import Address, model_id
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI
from dgrid.evaluator.cases.sampling import AskNode, Reply, as_asked
from dgrid.evaluator.rerun import Peer
from dgrid.gateway.admit import forwarded
from dgrid.settlement.samples import sample_questions
from dgrid.wire.messages import Flag
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import Change, Content, SuspicionRow

OTHER = Address(b"s" * 20)
SEEDS = bytes(32), SECRET


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

    run(Judged(), main, ask=cheating(kept_back=kept_back))


@pytest.mark.parametrize(("drift", "flag"), [(1, Flag.STREAMED), (0, Flag.PARTIAL)])
def test_no_bond_is_put_on_a_reply_under_another_seed_or_broken_off(drift: int, flag: Flag) -> None:
    """No member would count it."""

    async def ask(peer: Peer, body: bytes) -> Reply:
        story = Story(answer="Oslo", evidence=FAR, seed=given_seed(body) + drift, flags=flag)
        return Reply(make_document(story), Content(story.salt, story.sent, "Oslo", FAR))

    async def main(office: Office) -> None:
        assert await office.accuser._asked(Peer(NODE.address, "dgrid-mini", DIGEST), SEEDS) is None

    run(Judged(), main, ask=ask)


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
        story = Story(answer="Oslo", evidence=NEAR, seed=given_seed(body))
        return Reply(make_document(story), Content(story.salt, story.sent, "Oslo", NEAR))

    return ask


def test_who_is_doubted_is_asked_and_accused_of_what_it_signed() -> None:
    judged = doubting(NODE.address)
    assert asked_of(judged) == ([NODE.address] * judged.view.parameters.last.case_samples, 1)


def test_nobody_is_asked_where_no_member_would_count_the_answers() -> None:
    """Else a bond would be lost: it has not committed or opened, lost its disk, or is late."""
    judged, me = doubting(NODE.address), evaluators()[0].address
    for view in (
        replace(judged.view, commitments=ByEpoch()),
        replace(judged.view, openings=ByEpoch()),
        committed(judged.view, evaluator=me, judged_round=ROUND, secret=keccak(b"another")),
    ):
        assert asked_of(replace(judged, view=view)) == ([], 0)
    assert asked_of(judged, now_ms=POSTED_MS + 3_600_000) == ([], 0)


def test_nobody_is_asked_under_a_secret_that_an_accusation_has_shown() -> None:
    """The next node could foresee its requests; the next evaluator asks it, or this one on the next root."""
    both = sorted([NODE.address, OTHER])
    judged = doubting(NODE.address, OTHER)
    count = judged.view.parameters.last.case_samples
    assert asked_of(judged) == ([NODE.address] * count, 1)
    asked, accused = asked_of(judged, evidence=NEAR)
    assert (sorted(set(asked)), accused) == (both, 0)
