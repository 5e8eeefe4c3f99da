"""Nobody learns what a member found before the votes are opened, whatever breaks; then everybody can see it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.evaluator.cases.courtroom import FAR, NEAR, WEIGHTS, ByEvidence, Courtroom, CourtSeat, in_court
from tests.evaluator.cases.office import POSTED_MS, SALT, Office, run, taking
from tests.evaluator.cases.test_asking import cheating, honest
from tests.settlement.books import MODEL
from tests.settlement.judged import DIGEST, Judged
from tests.wire.making import NODE

from dgrid.chain import cases
from dgrid.chain.case_events import Outcome, Subject
from dgrid.chain.case_view import Case, Hearing
from dgrid.chain.cases import Accusation, vote_of
from dgrid.chain.contracts import Reverted
from dgrid.chain.events import Role
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI
from dgrid.evaluator.cases.journal import FixedVote
from dgrid.evaluator.cases.planning import Unseal
from dgrid.evaluator.rerun import Peer
from dgrid.processes.archive import ArchiveService
from dgrid.settlement.cases import Flag
from dgrid.settlement.hearings import windows_of_hearing
from dgrid.settlement.samples import open_fresh
from dgrid.wire.quality import Samples, decode_quality
from dgrid.wire.server import Reply, Request, Server

EVIDENCE = keccak(b"what an accuser names")


async def accused(room: Courtroom, evidence: bytes = FAR) -> None:
    """A case about a node that answers its members as it does anybody."""
    room.node.evidence = evidence
    net = room.network.net
    anyone = await net.sender("anyone", dgai_wei=100 * WEI)
    accusation = Accusation(Subject.IDENTITY, room.node.address, WEIGHTS, keccak(b"nothing"))
    await cases.open_case(anyone, net.contracts, accusation=accusation, bond_wei=10 * WEI)
    await room.until(lambda view: bool(view.open_cases()) and room.case.hearing.is_complete)
    await room.until(lambda view: room._have_found())


async def sealed(room: Courtroom) -> None:
    """All members have voted, and no vote is opened."""
    await room.go_to(windows_of_hearing(room.view, room.case).enrol_until_s)
    await room.until(lambda view: len(room.case.hearing.sealed) == room.case.hearing.size)


async def opened(room: Courtroom) -> None:
    """All members have opened their votes."""
    await room.go_to(windows_of_hearing(room.view, room.case).vote_until_s)
    await room.until(lambda view: len(room.case.hearing.votes) == room.case.hearing.size)


def members(room: Courtroom) -> list[CourtSeat]:
    return [seat for seat in room.seats.values() if seat.me in room.case.hearing.seats]


def fixed(room: Courtroom, seat: CourtSeat) -> FixedVote:
    found = seat.votes.vote(room.case.id, room.case.stage)
    assert found is not None
    return found


def shown(room: Courtroom) -> dict[bytes, Samples]:
    """All samples that the archives hold, by their blobs' names."""
    found = {}
    for store in room.network.stores:
        for name in store.ids():
            try:
                blob = decode_quality(store.get(name) or b"")
            except CheckFailed:
                continue
            if isinstance(blob, Samples):
                found[name] = blob
    return found


def counted(room: Courtroom) -> list[str]:
    """What evaluators tell everybody about their votes."""
    lines = [line for seat in room.seats.values() for line in seat.loop.tally.text().decode().splitlines()]
    return [line for line in lines if line.startswith("dgrid_evaluator_votes_total")]


# --- what is seen -----------------------------------------------------------------------------------------------------


def test_while_votes_are_taken_no_archive_holds_and_no_count_tells_what_anybody_found(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        await accused(room)
        assert all(fixed(room, seat).guilty for seat in members(room))
        for look in (sealed, None, opened):
            assert (shown(room), counted(room)) == ({}, [])
            if look is not None:
                await look(room)
        blobs = shown(room)
        votes = {seat.me: fixed(room, seat) for seat in members(room)}
        assert {vote.evidence for vote in votes.values()} == set(blobs)
        assert {one: vote.evidence for one, vote in votes.items()} == {
            Address(blob.author): name for name, blob in blobs.items()
        }
        assert sum("guilty" in line for line in counted(room)) == len(votes)
        terms = members(room)[0].loop.jury._bar.sampler.terms
        for name, blob in blobs.items():
            data = room.network.stores[0].get(name)
            assert data is not None
            held = open_fresh(data, room.case, member=Address(blob.author), view=room.view, stage=0, terms=terms)
            assert len(held) == room.view.parameters.last.case_samples

    in_court(tmp_path, main)


def test_no_value_in_a_blob_opens_the_vote_that_names_it(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        await accused(room)
        await sealed(room)
        await opened(room)
        for name, blob in shown(room).items():
            seat = next(one for one in members(room) if one.me == blob.author)
            vote = fixed(room, seat)
            word = vote_of(seat.me, vote.case, stage=0, guilty=vote.guilty, evidence=name, salt=vote.salt)
            for salt in (blob.salt, blob.seed, keccak(blob.salt), keccak(blob.seed + blob.salt)):
                for guilty in (False, True):
                    assert vote_of(seat.me, vote.case, stage=0, guilty=guilty, evidence=name, salt=salt) != word

    in_court(tmp_path, main)


def test_nothing_is_shown_or_opened_by_a_member_whose_clock_is_ahead(tmp_path: Path) -> None:
    """The contract still takes votes, so it refuses the opening; and evidence waits for it to accept that."""

    async def main(room: Courtroom) -> None:
        await accused(room)
        await sealed(room)
        for seat in members(room):
            with pytest.raises(Reverted, match="TooEarly"):
                await seat.loop._unseal(Unseal(room.case.id, 0))
            assert (room.case.id, 0) in seat.votes.unshown()
        assert not shown(room)

    in_court(tmp_path, main)


@pytest.mark.parametrize("cheats", [True, False])
def test_what_a_member_fetches_does_not_tell_what_its_own_replies_were(cheats: bool) -> None:  # noqa: FBT001
    """It needs the accuser's replies only where its own do not convict."""
    asked: list[str] = []

    async def archive(request: Request) -> Reply:
        asked.append(f"{request.method} {request.path}")
        return await taking(request)

    async def main(office: Office) -> None:
        named, nobody = (Subject.IDENTITY, NODE.address, DIGEST, EVIDENCE), Address(bytes(20))
        case = Case(b"c" * 32, *named, nobody, (), POSTED_MS, (Hearing(POSTED_MS, keccak(b"seed")),))
        found = await office.jury.find(case, Peer(NODE.address, "dgrid-mini", DIGEST), salt=SALT, within_s=5)
        assert (found.guilty, bool(found.blob)) == (cheats, True)

    run(Judged(), main, ask=cheating() if cheats else honest(), archive=archive)
    assert asked == [f"GET /v1/blobs/{to_hex(EVIDENCE)}"]


@pytest.mark.parametrize("evidence", [FAR, NEAR])
def test_when_a_vote_comes_does_not_tell_what_the_members_own_replies_were(tmp_path: Path, evidence: bytes) -> None:
    """It measures what the accuser shows also where its own replies convict, which takes as long."""

    async def main(room: Courtroom) -> None:
        room.node.evidence = FAR
        opener = room.seats["evaluator-1"]
        flag = Flag(room.node.address, MODEL, WEIGHTS, {})
        assert await opener.loop.accuser._ask(flag, await room.post())
        room.node.evidence = evidence
        await room.until(lambda view: bool(view.cases) and room.case.hearing.is_complete)
        await room.until(lambda view: room._have_found())
        measuring = [seat.loop.jury._bar.sampler.measuring for seat in members(room)]
        count = room.view.parameters.last.case_samples
        assert measuring == [ByEvidence(2 * count)] * len(measuring)
        assert all(fixed(room, seat).guilty for seat in members(room))

    in_court(tmp_path, main)


# --- what breaks ------------------------------------------------------------------------------------------------------


async def _lay_only(seat: CourtSeat, case: bytes) -> None:
    blob = seat.votes.blob(case, 0)
    assert blob is not None
    await seat.loop.jury.lay(blob, within_s=5)


async def _show(seat: CourtSeat, case: bytes) -> None:
    await seat.loop._show((case, 0), within_s=5)


async def _unseal(seat: CourtSeat, case: bytes) -> None:
    await seat.loop._unseal(Unseal(case, 0))


async def _nothing(seat: CourtSeat, case: bytes) -> None:
    """It is killed before it comes to that."""


@pytest.mark.parametrize("deed", [_nothing, _lay_only, _show, _unseal])
def test_who_is_killed_while_it_opens_its_vote_opens_the_same_and_shows_what_it_named(
    tmp_path: Path, deed: Callable[[CourtSeat, bytes], Awaitable[None]]
) -> None:
    async def main(room: Courtroom) -> None:
        await accused(room)
        await sealed(room)
        await room.go_to(windows_of_hearing(room.view, room.case).vote_until_s)
        for seat in members(room):
            before = fixed(room, seat)
            await deed(seat, room.case.id)
            await seat.life.aclose()
            assert fixed(room, await room.seat(seat.name)) == before
        await opened(room)
        said = {one: (vote.guilty, vote.evidence) for one, vote in room.case.hearing.votes.items()}
        assert said == {seat.me: (True, fixed(room, seat).evidence) for seat in members(room)}
        assert {evidence for _, evidence in said.values()} == set(shown(room))
        assert not any(seat.votes.unshown() for seat in members(room))
        assert (await room.close_case()).outcome is Outcome.CONVICTED
        assert not any(room.view.slashed.get((Role.EVALUATOR, seat.me)) for seat in room.seats.values())

    in_court(tmp_path, main)


def test_who_is_killed_before_it_votes_votes_and_shows_what_it_had_found(tmp_path: Path) -> None:
    async def main(room: Courtroom) -> None:
        await accused(room)
        before = {seat.name: fixed(room, seat) for seat in members(room)}
        room.node.evidence = NEAR  # what would be found now is something else
        for name in before:
            await room.seats[name].life.aclose()
            await room.seat(name)
        await sealed(room)
        await opened(room)
        assert before == {seat.name: fixed(room, seat) for seat in members(room)}
        assert {vote.evidence for vote in before.values()} == set(shown(room))
        assert all(vote.guilty for vote in room.case.hearing.votes.values())

    in_court(tmp_path, main)


async def _hang(request: Request) -> Reply:
    await asyncio.sleep(3600)
    raise AssertionError("nobody waits so long")


@pytest.mark.parametrize("hangs", [False, True], ids=["away", "silent"])
def test_a_vote_whose_evidence_no_archive_takes_is_opened_in_time_and_shown_when_one_does(
    tmp_path: Path,
    hangs: bool,  # noqa: FBT001
) -> None:
    """It counts; nobody can check it meanwhile; and nobody is slashed for silence, or acquitted by the archives."""

    async def main(room: Courtroom) -> None:
        network, net = room.network, room.network.net
        await accused(room)
        await sealed(room)
        ports = [server.port for server in network.servers]
        for server in network.servers:
            await server.stop()
        silent = [Server(_hang, host="127.0.0.1", port=port) for port in ports if hangs]
        for server in silent:
            await server.start()
        await opened(room)
        assert {vote.guilty for vote in room.case.hearing.votes.values()} == {True}
        assert all(seat.votes.unshown() for seat in members(room))
        for server in silent:
            await server.stop()
        for number, port in enumerate(ports):
            key, court = net.key(f"archive-{number + 1}"), net.contracts.quality_court.address
            service = ArchiveService(network.stores[number], key, network.watcher, net.domain, court)
            network.servers[number] = Server(service.handle, host="127.0.0.1", port=port)
            await network.servers[number].start()
            net.stack.push_async_callback(network.servers[number].stop)
        await room.until(lambda view: not any(seat.votes.unshown() for seat in members(room)))
        assert {vote.evidence for vote in room.case.hearing.votes.values()} == set(shown(room))
        assert (await room.close_case()).outcome is Outcome.CONVICTED
        assert not any(room.view.slashed.get((Role.EVALUATOR, seat.me)) for seat in room.seats.values())

    in_court(tmp_path, main)
