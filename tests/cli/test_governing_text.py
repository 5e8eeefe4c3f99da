"""How proposals and simulations are told: nothing strange is hidden, and programs get every figure."""

import json

from tests.governance.test_changes import CONTRACTS, STRANGER
from tests.governance.test_proposals import PROPOSED, QUORUM, told, voted

from dgrid.chain.ballots import Call
from dgrid.chain.parameters import Parameters, tunable
from dgrid.cli.ballots import Shown
from dgrid.cli.governing_text import proposal_data, proposal_text, simulation_data, simulation_text
from dgrid.core.identity import to_hex
from dgrid.core.money import WEI
from dgrid.governance.changes import Change, changes_of, setting_calls
from dgrid.governance.proposals import ProposalState, Support
from dgrid.governance.simulation import Comparison, DrawComparison, Simulation

CALLS = (
    *setting_calls([(tunable("protocol_bps"), 300)], contracts=CONTRACTS),
    Call(CONTRACTS.quality_court.address, 0, CONTRACTS.quality_court.encode("setAuthor", [STRANGER, True])),
    Call(STRANGER, 5, b"\x01\x02\x03\x04"),
)
CHANGES: tuple[Change, ...] = tuple(changes_of(CALLS, contracts=CONTRACTS, before=Parameters()))


def shown(state: ProposalState) -> Shown:
    return Shown(3, told(voted(Support.FOR, QUORUM)), state, QUORUM, CHANGES, in_effect_from=9, now_s=110)


def test_every_change_is_shown_and_a_strange_one_loudly() -> None:
    text = proposal_text(shown(ProposalState.ACTIVE))
    assert "#3  active  Pay the judges" in text
    assert "protocol_bps: 200 → 300 bps" in text
    assert "calls quality_court.setAuthor" in text
    assert f"!!! CALLS {to_hex(STRANGER)}, WHICH IS NO CONTRACT OF THIS NETWORK" in text
    assert "the vote ends in 21 s" in text


def test_programs_get_the_same_as_people() -> None:
    data = json.loads(json.dumps(proposal_data(shown(ProposalState.EXECUTED))))
    assert data["id"] == str(PROPOSED.proposal)
    assert [change["kind"] for change in data["changes"]] == ["parameter", "call", "strange_call"]
    assert data["changes"][1]["arguments"]["author"] == to_hex(STRANGER)
    assert (data["changes"][2]["target"], data["changes"][2]["contract"]) == (to_hex(STRANGER), None)
    assert (data["for_wei"], data["quorum_wei"], data["in_effect_from"]) == (str(QUORUM), str(QUORUM), 9)


def test_every_state_says_what_comes_next() -> None:
    lines = {state: proposal_text(shown(state)).splitlines()[-1] for state in ProposalState}
    assert "gov queue 3" in lines[ProposalState.SUCCEEDED]
    assert "gov execute 3" in lines[ProposalState.READY]
    assert "epoch 9" in lines[ProposalState.EXECUTED]
    assert all(lines.values())


def test_a_simulation_shows_differences_to_the_unit() -> None:
    draws = DrawComparison(5, 3, 4, {b"\x01" * 20: 3}, {b"\x01" * 20: 2, b"\x02" * 20: 2})
    fees = (Comparison("node", b"\x03" * 20, 2 * WEI, 2 * WEI - 1), Comparison("protocol", b"", 0, 1))
    found = Simulation(1, 2, 7, fees, draws, (), (("node", b"\x04" * 20),))
    text, data = simulation_text(found), json.loads(json.dumps(simulation_data(found)))
    assert "-0.000000000000000001 DGAI" in text
    assert "duties   3 → 4" in text
    assert to_hex(b"\x04" * 20) in text
    assert data["duties"] == [
        {"evaluator": to_hex(b"\x01" * 20), "was": 3, "would": 2},
        {"evaluator": to_hex(b"\x02" * 20), "was": 0, "would": 2},
    ]
    assert data["fees"][0]["would_wei"] == str(2 * WEI - 1)
