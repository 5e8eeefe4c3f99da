"""What `dgrid cases` tells of a case, in words and for programs, and what it shows before it sends."""

import asyncio
from dataclasses import replace

import pytest
from tests.chain.courtroom import courtroom
from tests.chain.test_cases import EVALUATORS, disputed, posted, seen, voted
from tests.cli.conftest import Dgrid
from tests.devnet import Devnet, OnDevnet
from tests.evaluator.cases.test_planning import CASE, ENROL_UNTIL_S, JURY, OPENED_S, SEATED, case_of, view_of, windows

from dgrid.chain.case_events import Outcome
from dgrid.chain.case_view import Ending, Hearing, Vote
from dgrid.chain.funding import fund_dev
from dgrid.cli.cases import _row, _told
from dgrid.cli.court import case_data, state_of, the_case
from dgrid.cli.terminal import dgai
from dgrid.config import WalletConfig, to_toml
from dgrid.core.errors import CaseNotFound
from dgrid.core.identity import to_hex
from dgrid.core.money import WEI
from dgrid.processes.home import Home
from dgrid.settlement.hearings import terms_of


def test_a_case_says_at_each_time_what_it_waits_for() -> None:
    case = case_of(SEATED)
    view, times = view_of(case), windows(case)
    moments = (ENROL_UNTIL_S - 1, times.enrol_until_s, times.vote_until_s, times.unseal_until_s, times.appeal_until_s)
    assert [state_of(view, case, now_s=at) for at in moments] == [
        "members enrol",
        "members vote",
        "votes are opened",
        "can be appealed",
        "can be carried out",
    ]
    called = case_of(Hearing(OPENED_S * 1000))
    assert state_of(view_of(called), called, now_s=OPENED_S) == "waits for its seed"


def test_a_verdict_is_told_with_who_voted_how_and_where_the_money_went() -> None:
    votes = {JURY[0]: Vote(True, b"e" * 32), JURY[1]: Vote(True, b"f" * 32)}
    hearing = replace(SEATED, sealed=frozenset(JURY), votes=votes)
    ending = Ending(Outcome.CONVICTED, 500 * WEI, WEI, 100 * WEI, 399 * WEI, OPENED_S * 1000)
    case = replace(case_of(hearing), ending=ending)
    data = case_data(view_of(case), case, names={JURY[0]: "evaluator-1"}, now_s=OPENED_S)
    (shown,) = data["hearings"]
    assert shown["verdict"] == "guilty"
    assert [one["vote"] for one in shown["members"]] == ["guilty", "guilty", "sealed"]
    assert data["ending"]["slashed_wei"] == str(500 * WEI)
    shown["members"][0]["samples"] = {"replies": 20, "reason": None}
    told = _told({**data, "samples": {"replies": 0, "reason": "the blob holds no samples"}})
    assert "0 replies count, for the blob holds no samples" in told
    assert f"evaluator-1  guilty  {to_hex(b'e' * 32)}: 20 replies count\n" in told
    assert f"guilty  {to_hex(b'f' * 32)}\n" in told
    assert "convicted: slashed 500 DGAI, refunded 1 DGAI" in told
    assert _row(data)[4:6] == ("convicted", "2 of 3 guilty")


def test_a_case_is_found_by_the_beginning_of_its_id() -> None:
    case = case_of(SEATED)
    view = view_of(case)
    assert the_case(view, to_hex(CASE)[:8]) == case
    assert the_case(view, f"{to_hex(CASE)[:8]}…6363") == case
    for text in ("0x", "0xdead", "zz"):
        with pytest.raises(CaseNotFound):
            the_case(view, text)


def test_an_appeal_says_what_it_takes_and_sends_nothing_until_somebody_agreed(
    on_devnet: OnDevnet, dgrid: Dgrid
) -> None:
    async def main(net: Devnet) -> None:
        room = await courtroom(net, *EVALUATORS)
        await net.pass_time(3)
        case = await disputed(room, await posted(room))
        bond_wei = 2 * terms_of(room.network.watcher.finalized, case).case_bond_wei
        home = Home(net.folder / "home")
        home.make()
        wallet = WalletConfig((), home.api_key_file, home.key_file("user"), net.config)
        home.wallet_file.write_text(to_toml(wallet))
        user = home.key("user").address
        await fund_dev(net.rpc, net.contracts, address=user, dgai_wei=bond_wei)
        words = "--home", str(home.path), "cases", "appeal", to_hex(case.id)
        early = await asyncio.to_thread(dgrid, "--json", *words)
        assert early.error["code"] == "invalid_request", "what cannot be is said before anybody is asked"
        times = await voted(room, case, guilty=True)
        await room.pass_until(times.unseal_until_s)
        asked = await asyncio.to_thread(dgrid, *words)
        assert asked.code == 4
        assert f"bond {dgai(bond_wei)}" in asked.err
        assert await net.balance(user) == bond_wei
        done = await asyncio.to_thread(dgrid, "--json", *words, "--yes")
        assert done.code == 0, done.err
        assert done.data["bond_wei"] == str(bond_wei)
        assert await net.balance(user) == 0
        await seen(room, lambda view: view.cases[case.id].stage == 1)

    on_devnet(main)
