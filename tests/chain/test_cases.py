"""A wrong quality root before a jury on a real chain: disputed, overturned, its signers slashed, and posted anew."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st
from tests.chain.courtroom import Courtroom, courtroom
from tests.chain.test_court import judge, raw
from tests.devnet import Devnet, OnDevnet
from tests.settlement.network import STAKE_WEI

from dgrid.chain import cases, court
from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.case_events import Outcome, Subject
from dgrid.chain.case_view import Case
from dgrid.chain.cases import Accusation
from dgrid.chain.contracts import Reverted
from dgrid.chain.events import Role
from dgrid.chain.view import ChainView
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI
from dgrid.settlement.cases import root_charge
from dgrid.settlement.hearings import HearingWindows, windows_of_hearing
from dgrid.wire.messages import QualityRoot

EVALUATORS = tuple(f"evaluator-{number}" for number in range(1, 5))
SIGNERS = EVALUATORS[:3]
VECTORS = Path(__file__).parents[2] / "contracts" / "test" / "case_vectors.json"
SALT, EVIDENCE = keccak(b"salt"), keccak(b"what everybody can compute")


def test_a_sealed_vote_is_the_one_that_the_contract_took() -> None:
    known = json.loads(VECTORS.read_text())["vote"]
    evaluator, case = (raw(text) for text in (known["evaluator"], json.loads(VECTORS.read_text())["case"]["id"]))
    said = {name: raw(known[name]) for name in ("evidence", "salt")}
    word = cases.vote_of(Address(evaluator), case, stage=known["stage"], guilty=known["guilty"], **said)
    assert word == raw(known["hash"])


@given(st.binary(min_size=20, max_size=20), st.integers(0, 1), st.booleans())
def test_a_sealed_vote_is_soliditys(evaluator: bytes, stage: int, guilty: bool) -> None:  # noqa: FBT001
    types = ["address", "bytes32", "uint8", "bool", "bytes32", "bytes32"]
    known = keccak(encode(types, [evaluator, b"c" * 32, stage, guilty, EVIDENCE, SALT]))
    said = {"stage": stage, "guilty": guilty, "evidence": EVIDENCE, "salt": SALT}
    assert cases.vote_of(Address(evaluator), b"c" * 32, **said) == known  # type: ignore[arg-type]


async def seen(room: Courtroom, holds: Callable[[ChainView], bool]) -> ChainView:
    return await room.network.watcher.until(holds, timeout_s=30)


async def signable(room: Courtroom) -> QualityRoot:
    """A judged round over which some root can be posted now."""
    await room.serve(100)
    draw = await room.draw(100)
    await judge(room, draw.round)
    _, _, _, posts = await room.windows(draw.round)
    await room.pass_until(posts)
    return some_root(room, draw.round)


async def posted(room: Courtroom) -> QualityRoot:
    """A round of which most evaluators signed some root."""
    root = await signable(room)
    poster = await room.net.sender("anyone", dgai_wei=100 * WEI)
    signed = room.sign(root, *SIGNERS)
    await court.post_quality(poster, room.net.contracts, root=root, releases=(), signatures=signed)
    return root


def some_root(room: Courtroom, round_: int) -> QualityRoot:
    names = round_, room.net.contracts.dgai.address, keccak(b"credibility"), bytes(32)
    return QualityRoot(*names, 0, 0, court.release_hash([]), keccak(b"table"), bytes(32))


async def heard(room: Courtroom, case: Case, *, guilty: bool) -> None:
    """A jury of three votes alike, and nobody appeals."""
    times = await voted(room, case, guilty=guilty)
    await room.pass_until(times.appeal_until_s)
    opener = await room.net.sender("anyone", dgai_wei=0)
    await cases.execute(opener, room.net.contracts, case=case.id)


async def voted(room: Courtroom, case: Case, *, guilty: bool) -> HearingWindows:
    """A jury of three votes alike, and opens its votes."""
    net, now, view = room.net, case, room.network.watcher.finalized
    opener = await net.sender("anyone", dgai_wei=0)
    await net.pass_time(0)
    await cases.fix_seed(opener, net.contracts, case=case.id, stage=0)
    for name in EVALUATORS:
        if len(now.hearing.seats) < 3:
            await cases.enrol(room.evaluators[name], net.contracts, case=case.id, stage=0)
            me = net.key(name).address
            view = await seen(room, lambda view: me in view.cases[case.id].hearing.seats)  # noqa: B023
            now = view.cases[case.id]
    times, said = windows_of_hearing(view, now), {"guilty": guilty, "evidence": EVIDENCE, "salt": SALT}
    seats = [name for name in EVALUATORS if net.key(name).address in now.hearing.seats]
    await room.pass_until(times.enrol_until_s)
    for name in seats:
        word = cases.vote_of(net.key(name).address, case.id, stage=0, **said)  # type: ignore[arg-type]
        await cases.commit_vote(room.evaluators[name], net.contracts, case=case.id, stage=0, commitment=word)
    await room.pass_until(times.vote_until_s)
    for name in seats:
        opening = guilty, EVIDENCE, SALT
        await cases.reveal_vote(room.evaluators[name], net.contracts, case=case.id, stage=0, opening=opening)
    return times


async def disputed(room: Courtroom, root: QualityRoot) -> Case:
    opener = await room.net.sender("anyone", dgai_wei=0)
    accusation = Accusation(*root_charge(root.round), root.blob_id)
    await cases.open_case(opener, room.net.contracts, accusation=accusation, bond_wei=10 * WEI)
    view = await seen(room, lambda view: bool(view.cases))
    (case,) = view.cases.values()
    assert view.disputed == {root.round}
    assert case.charge == root_charge(root.round)
    assert case.is_open
    return case


def test_an_overturned_root_does_not_count_and_costs_those_who_signed_it(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        room = await courtroom(net, *EVALUATORS)
        await net.pass_time(3)
        root = await posted(room)
        case = await disputed(room, root)
        await heard(room, case, guilty=True)
        view = await seen(room, lambda view: not view.cases[case.id].is_open)
        assert view.cases[case.id].outcome is Outcome.CONVICTED
        assert not view.quality_roots
        assert not view.disputed
        lost = view.overturned[root.round]
        assert lost.root == root
        opener = await net.sender("anyone", dgai_wei=0)
        signatures = await cases.signatures_of(net.rpc, net.contracts, posted=lost)
        assert {one.evaluator for one in signatures} == {net.key(name).address for name in SIGNERS}
        for one in signatures:
            await cases.slash_signer(
                opener, net.contracts, case=case.id, evaluator=one.evaluator, signature=one.signature
            )
        view = await seen(room, lambda view: len(view.slashed) == len(SIGNERS))
        for name in EVALUATORS:
            stake = view.members[Role.EVALUATOR, net.key(name).address].stake_wei
            assert stake == (STAKE_WEI // 2 if name in SIGNERS else STAKE_WEI)
        again = room.sign(root, *SIGNERS)
        another = await net.sender("another", dgai_wei=0)  # one sender posts one root once
        await court.post_quality(another, net.contracts, root=root, releases=(), signatures=again)
        assert root.round in (await seen(room, lambda view: bool(view.quality_roots))).quality_roots

    on_devnet(main)


def test_who_signed_a_root_is_known_also_where_a_contract_posted_it(on_devnet: OnDevnet) -> None:
    """Else whoever signs a wrong one could hide behind the contract's call."""

    async def main(net: Devnet) -> None:
        room = await courtroom(net, *EVALUATORS)
        await net.pass_time(3)
        root = await signable(room)
        signatures = sorted((one.evaluator, one.signature) for one in room.sign(root, *SIGNERS))
        await net.call_through_another(net.contracts.quality_court, "post", [root, [], signatures])
        view = await seen(room, lambda view: bool(view.quality_roots))
        assert view.quality_roots[root.round].root == root
        known = view.quality_roots[root.round]
        found = await cases.signatures_of(net.rpc, net.contracts, posted=known)
        assert [(one.evaluator, one.signature) for one in found] == signatures
        with pytest.raises(CheckFailed, match="does not show the root"):
            await cases.signatures_of(net.rpc, net.contracts, posted=replace(known, block=known.block - 1))

    on_devnet(main)


def test_a_root_that_holds_counts_after_the_dispute_and_nobody_can_be_slashed_for_it(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        room = await courtroom(net, *EVALUATORS)
        await net.pass_time(3)
        root = await posted(room)
        case = await disputed(room, root)
        await heard(room, case, guilty=False)
        view = await seen(room, lambda view: not view.cases[case.id].is_open)
        assert view.cases[case.id].is_acquittal
        assert view.quality_roots[root.round].root == root
        assert (view.disputed, view.overturned, view.slashed) == (set(), ByEpoch(), {})
        liar = await net.sender("anyone", dgai_wei=0)
        assert await net.balance(liar.address) == 90 * WEI
        (one, *_) = room.sign(root, *SIGNERS)
        with pytest.raises(Reverted, match="NotConvicted"):
            await cases.slash_signer(
                liar, net.contracts, case=case.id, evaluator=one.evaluator, signature=one.signature
            )
        assert case.subject is Subject.QUALITY_ROOT

    on_devnet(main)
