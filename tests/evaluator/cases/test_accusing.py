"""Whoever hid a leaf stays accused of it, and a wrong root is disputed in time, whatever its friends do."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from tests.evaluator.cases.office import POSTED_MS, Office, activate, run
from tests.settlement.judged import (
    EPOCH,
    ROUND,
    Judged,
    a_judged_epoch,
    a_table,
    evaluators,
    signed,
)
from tests.wire.making import GATEWAY

from dgrid.chain.case_events import Outcome, Refund, Subject
from dgrid.chain.case_view import Case, Ending, Hearing, Vote
from dgrid.chain.cases import Accusation
from dgrid.chain.view import PostedQuality
from dgrid.core.errors import CheckFailed, NetworkUnreachable
from dgrid.core.identity import Address, Hash
from dgrid.evaluator.cases import accusing
from dgrid.evaluator.taking_turns import APART_S, place_in_turn
from dgrid.settlement.cases import root_charge
from dgrid.wire.quality import Verdict

FRIEND, STRANGER = Address(b"f" * 20), Address(b"s" * 20)


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


def test_a_wrong_root_whose_signers_cannot_be_told_is_disputed_all_the_same() -> None:
    judged = a_judged_epoch()
    activate(judged, 1)

    async def unseen(_: PostedQuality) -> frozenset[Address]:
        raise CheckFailed("block 30 does not show the root")

    async def main(office: Office) -> None:
        office.accuser.signers = unseen
        async with asyncio.timeout(APART_S):
            await office.accuser._dispute(office.posted)
        assert list(office.accuser.accusations) == [root_charge(ROUND)]

    run(judged, main, agrees=False)


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


FAILURES = [(NetworkUnreachable("no archive answers"), 2), (OSError("the disk is full"), 2), (CheckFailed("no"), 1)]


@pytest.mark.parametrize(("failure", "tries"), FAILURES)
def test_a_root_is_read_again_where_archives_did_not_answer_or_a_fault_may_pass(
    failure: Exception, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("AGAIN_S", "FAULT_AGAIN_S"):
        monkeypatch.setattr(accusing, pause, 0.01)
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
