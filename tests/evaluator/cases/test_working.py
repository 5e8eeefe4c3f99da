"""Cases from accusation to slash, on a real chain: only who is guilty is convicted, and restarts change nothing."""

import asyncio
from pathlib import Path

import pytest
from tests.evaluator.cases.courtroom import FAR, FINAL_S, NEAR, PAUSED, WEIGHTS, Courtroom, in_court
from tests.settlement.books import MODEL

from dgrid.chain import cases
from dgrid.chain.case_events import Outcome, Subject
from dgrid.chain.cases import Accusation
from dgrid.chain.events import Role
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI
from dgrid.evaluator.cases.accusing import SETS_MAX
from dgrid.evaluator.cases.journal import FixedVote
from dgrid.settlement.appealing import Appellant, BondPurse
from dgrid.settlement.cases import Flag
from dgrid.settlement.hearings import windows_of_hearing

CHANGED = {"case_committee": 2, "appeal_committee": 3}


def flag(room: Courtroom) -> Flag:
    return Flag(room.node.address, MODEL, WEIGHTS, {})


async def lie(room: Courtroom, subject: Subject = Subject.IDENTITY) -> None:
    """Somebody accuses the node, or the gateway, without proof."""
    net = room.network.net
    liar = await net.sender("liar", dgai_wei=100 * WEI)
    accused = room.node.address if subject is Subject.IDENTITY else room.network.books.key.address
    accusation = Accusation(subject, accused, WEIGHTS, keccak(b"nothing"))
    await cases.open_case(liar, net.contracts, accusation=accusation, bond_wei=10 * WEI)
    await room.until(lambda view: bool(view.open_cases()))


def stake_of(room: Courtroom) -> int:
    return room.view.members[Role.NODE, room.node.address].stake_wei


def test_a_liar_loses_its_bond_to_the_members_and_the_honest_node_nothing(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        before_wei = stake_of(room)
        await lie(room)
        await room.hear()
        case = await room.close_case()
        assert case.outcome is Outcome.ACQUITTED
        assert case.is_acquittal
        assert {vote.guilty for vote in case.hearing.votes.values()} == {False}
        assert (stake_of(room), room.view.members[Role.NODE, room.node.address].active) == (before_wei, True)
        net = room.network.net
        assert await net.balance(net.key("liar").address) == 90 * WEI
        for member in case.hearing.seats:
            assert await net.balance(member) == 10 * WEI // case.hearing.size

    in_court(tmp_path, main)


def test_a_node_that_turns_honest_when_it_is_accused_is_convicted_by_what_it_signed_before(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        before_wei = stake_of(room)
        opener = room.seats["evaluator-1"]
        room.node.evidence = FAR
        await opener.loop.accuser._ask(flag(room), await room.post())
        room.node.evidence = NEAR
        await room.until(lambda view: bool(view.cases))
        await room.hear()
        case = await room.close_case()
        assert (case.outcome, case.opener) == (Outcome.CONVICTED, opener.me)
        member = room.view.members[Role.NODE, room.node.address]
        assert (member.active, member.stake_wei) == (False, before_wei // 2)
        assert member.jailed_until_s > 0
        assert room.view.slashed[Role.NODE, room.node.address] == before_wei // 2

    in_court(tmp_path, main)


def test_a_node_that_answers_nobody_while_it_is_accused_is_convicted_all_the_same(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        room.node.evidence = FAR
        await room.seats["evaluator-1"].loop.accuser._ask(flag(room), await room.post())
        room.node.is_away = True
        await room.until(lambda view: bool(view.cases))
        await room.hear()
        assert (await room.close_case()).outcome is Outcome.CONVICTED

    in_court(tmp_path, main)


def test_no_member_counts_what_an_accuser_asked_under_a_salt_that_it_had_not_committed_to(tmp_path: Path) -> None:
    """The node signed all of it, and it would convict: but the accuser may have tried salts until it did."""

    async def main(room: Courtroom) -> None:
        accuser = room.seats["evaluator-1"].loop.accuser
        seeds = accuser._seeds(await room.post())
        assert seeds is not None
        room.node.evidence = FAR
        found = await accuser._asked(room.node.peer, (seeds[0], keccak(b"what suits it")))
        assert found is not None
        assert accuser.jury.would_convict(found)
        room.node.evidence = NEAR
        accuser._accuse(Accusation(*flag(room).charge, await accuser.jury.publish(found)))
        await room.until(lambda view: bool(view.cases))
        await room.hear()
        case = await room.close_case()
        assert (case.opener, case.outcome) == (accuser.me, Outcome.ACQUITTED)
        assert {vote.guilty for vote in case.hearing.votes.values()} == {False}
        assert not room.view.slashed

    in_court(tmp_path, main)


def test_a_restart_between_commitment_and_asking_changes_no_request(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        posted = await room.post()
        seat = room.seats["evaluator-1"]
        seeds = seat.loop.accuser._seeds(posted)
        await seat.life.aclose()
        again = await room.seat("evaluator-1")
        assert seeds is not None
        assert again.loop.accuser._seeds(posted) == seeds

    in_court(tmp_path, main)


def test_an_honest_node_that_is_flagged_is_asked_and_not_accused(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        opener = room.seats["evaluator-1"].loop
        await opener.accuser._ask(flag(room), await room.post())
        assert room.node.asked == room.view.parameters.last.case_samples
        assert not opener.accuser.accusations

    in_court(tmp_path, main)


def test_a_node_that_cheats_on_a_third_is_asked_on_and_convicted_by_all_it_signed(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        accuser, count = room.seats["evaluator-1"].loop.accuser, room.view.parameters.last.case_samples
        room.node.evidence, room.node.seldom = FAR, 16
        await accuser._ask(flag(room), await room.post())
        assert room.node.asked == 2 * count  # four of twenty do not convict, eight of forty do
        room.node.evidence = NEAR
        await room.until(lambda view: bool(view.cases))
        await room.hear()
        assert (await room.close_case()).outcome is Outcome.CONVICTED

    in_court(tmp_path, main)


def test_a_node_that_stays_in_doubt_is_asked_no_more_than_four_sets(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        accuser, count = room.seats["evaluator-1"].loop.accuser, room.view.parameters.last.case_samples
        room.node.evidence, room.node.seldom = FAR, 19
        await accuser._ask(flag(room), await room.post())
        assert room.node.asked == SETS_MAX * count
        assert not accuser.accusations

    in_court(tmp_path, main)


def test_who_is_killed_between_commitment_and_opening_opens_the_same_vote(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        await lie(room)
        await room.until(lambda view: room.case.hearing.is_complete)
        windows, killed = windows_of_hearing(room.view, room.case), ""
        await room.until(lambda view: room._have_found())
        await room.go_to(windows.enrol_until_s)
        await room.until(lambda view: len(room.case.hearing.sealed) == room.case.hearing.size)
        for name, seat in list(room.seats.items()):
            if seat.me in room.case.hearing.seats:
                killed = name
        fixed = room.seats[killed].votes.vote(room.case.id, 0)
        await room.seats[killed].life.aclose()
        await room.seat(killed)
        assert room.seats[killed].votes.vote(room.case.id, 0) == fixed
        await room.go_to(windows.vote_until_s)
        await room.until(lambda view: room.seats[killed].me in room.case.hearing.votes)
        await room.until(lambda view: len(room.case.hearing.votes) == room.case.hearing.size)
        case = await room.close_case()
        assert case.outcome is Outcome.ACQUITTED
        assert not any(room.view.slashed.get((Role.EVALUATOR, seat.me)) for seat in room.seats.values())

    in_court(tmp_path, main)


@pytest.mark.parametrize("depth", [2, 6, 12])
def test_a_reorganization_that_undoes_votes_costs_no_member_anything(tmp_path: Path, depth: int) -> None:
    """What was sent is sent again, and it is the same vote."""

    async def main(room: Courtroom) -> None:
        net, pause = room.network.net, room.network.net.folder / PAUSED
        await lie(room)
        await room.until(lambda view: room.case.hearing.is_complete)
        await room.until(lambda view: room._have_found())
        await room.go_to(windows_of_hearing(room.view, room.case).enrol_until_s)
        pause.touch()
        fixed = {seat.name: found for seat in room.seats.values() if (found := seat.votes.vote(room.case.id, 0))}
        watcher = room.network.watcher
        async with asyncio.timeout(FINAL_S):
            while len(watcher.latest.cases[room.case.id].hearing.sealed) < room.case.hearing.size:
                for seat in room.seats.values():
                    await seat.loop.step()
                await asyncio.sleep(0.05)
        await net.rpc.call("anvil_reorg", [depth, []])
        pause.unlink()
        await room.until(lambda view: len(room.case.hearing.sealed) == room.case.hearing.size)
        await room.go_to(windows_of_hearing(room.view, room.case).vote_until_s)
        await room.until(lambda view: len(room.case.hearing.votes) == room.case.hearing.size)
        assert fixed == {name: room.seats[name].votes.vote(room.case.id, 0) for name in fixed}
        case = await room.close_case()
        assert case.outcome is Outcome.ACQUITTED
        assert not room.view.slashed

    in_court(tmp_path, main, slots=8)


def test_a_convicted_node_appeals_by_itself_and_a_larger_jury_of_others_decides(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        net = room.network.net
        room.node.evidence = FAR
        await room.seats["evaluator-1"].loop.accuser._ask(flag(room), await room.post())
        await room.until(lambda view: bool(view.cases))
        await room.hear()
        sender = await net.sender("node-1", dgai_wei=0)
        purse = BondPurse(net.rpc, net.contracts, sender, True)
        appellant = Appellant(Subject.IDENTITY, purse, room.network.watcher)
        defence = asyncio.create_task(appellant.run())
        await room.until(lambda view: room.case.stage == 1)
        defence.cancel()
        assert room.case.appellant == room.node.address
        await room.hear(stage=1)
        first, second = room.case.hearings
        assert len(second.seats) == 3
        assert not set(first.seats) & set(second.seats)
        assert (await room.close_case()).outcome is Outcome.CONVICTED

    in_court(tmp_path, main, evaluators=6, changed=CHANGED)


def test_a_gateway_that_liars_convict_appeals_by_itself_and_gets_its_bond_and_its_name_back(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        net, gateway = room.network.net, room.network.books.key.address
        await lie(room, Subject.UNDISCLOSED)
        for seat in room.seats.values():  # whoever sits first lies; who hears the appeal has fixed nothing yet
            seat.votes.fix(FixedVote(room.case.id, 0, True, keccak(b"nothing"), keccak(b"salt")))
        await room.hear()
        purse = BondPurse(net.rpc, net.contracts, await net.sender("gateway", dgai_wei=20 * WEI), False)
        before_wei = room.view.members[Role.GATEWAY, gateway].stake_wei
        defence = asyncio.create_task(Appellant(Subject.UNDISCLOSED, purse, room.network.watcher).run())
        await room.until(lambda view: room.case.stage == 1)
        defence.cancel()
        assert room.case.appellant == gateway
        await room.hear(stage=1)
        assert (await room.close_case()).outcome is Outcome.ACQUITTED
        assert room.view.members[Role.GATEWAY, gateway].stake_wei == before_wei
        assert await net.balance(gateway) == 20 * WEI
        assert await net.balance(net.key("liar").address) == 90 * WEI

    in_court(tmp_path, main, evaluators=6, changed=CHANGED)


@pytest.mark.parametrize("subject", [Subject.IDENTITY, Subject.UNDISCLOSED])
def test_who_is_accused_falsely_every_day_loses_nothing_and_the_accuser_a_bond_each_time(
    tmp_path: Path, subject: Subject
) -> None:
    async def main(room: Courtroom) -> None:
        net, before = room.network.net, dict(room.view.members)
        for day in range(1, 4):
            await lie(room, subject)
            await room.hear()
            assert (await room.close_case()).outcome is Outcome.ACQUITTED
            assert await net.balance(net.key("liar").address) == (100 - 10) * WEI
            assert len(room.view.cases) == day
        assert not room.view.slashed
        stakes = {key: (member.stake_wei, member.active) for key, member in room.view.members.items()}
        assert stakes == {key: (member.stake_wei, member.active) for key, member in before.items()}

    in_court(tmp_path, main, evaluators=3)


def test_an_appeal_for_which_too_few_enrol_leaves_the_verdict(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        net = room.network.net
        room.node.evidence = FAR
        await room.seats["evaluator-1"].loop.accuser._ask(flag(room), await room.post())
        await room.until(lambda view: bool(view.cases))
        await room.hear()
        node = await net.sender("node-1", dgai_wei=20 * WEI)
        await cases.appeal(node, net.contracts, case=room.case.id, bond_wei=10 * WEI)
        await room.until(lambda view: bool(room.case.stage and room.case.hearing.seed))
        assert (await room.close_case()).outcome is Outcome.CONVICTED
        assert await net.balance(node.address) == 20 * WEI

    in_court(tmp_path, main, evaluators=3, changed=CHANGED)
