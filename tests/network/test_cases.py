"""Who sells another model, hides a leaf or signs a wrong root is found, accused and slashed, by evaluators alone."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from openai import APIError
from tests.network.running import RunningNetwork, until
from tests.network.trial import Trial

from dgrid.chain.case_events import Outcome, Refund, Subject
from dgrid.chain.case_view import Case
from dgrid.chain.events import Role
from dgrid.chain.view import ChainView
from dgrid.config import EvaluatorConfig, GatewayConfig, NodeConfig, load_role
from dgrid.core.identity import Address, to_hex
from dgrid.core.money import WEI
from dgrid.settlement.cases import leaf_matter
from dgrid.settlement.reading import NetworkReader, reading
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.quality import PayoutKind

PORT_BASE = 17620
QUESTION = (
    "Ada {number} lives in Oslo and Tim plays the cello. Summarise it in a sentence, and say who Ada {number} is."
)
ASKED = 60
STAKE_WEI = 1_000 * WEI  # as every node of a dev home has


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Two gateways of which one hides a leaf, two honest nodes, four evaluators, and nano sold as mini.

    All is asked at once, so that the juries sit beside each other.
    """
    network = RunningNetwork(tmp_path_factory.mktemp("cases") / "home", PORT_BASE)
    trial = Trial(network, ())
    up = network.up("--gateways", "2", "--nodes", "2", "--evaluators", "4", "--no-restart")
    assert up.code == 0, up.err
    try:
        like = trial._like("node-1", NodeConfig, "impostor", PORT_BASE + 70)
        trial._join("node", "impostor", replace(like, model="dgrid-mini", appeals=False))
        network.kill("gateway-2")
        secretive = load_role(GatewayConfig, trial.home.role_file("gateway-2"), dev=True)
        trial._join("gateway", "secretive", replace(secretive, appeals=False))
        until(lambda: "impostor" in trial.serving(), what="the impostor", timeout_s=60)
        until(lambda: trial.network.active_evaluators() == 4, what="the evaluators", timeout_s=60)
        until(
            lambda: ask(trial, trial.home.key("node-1").address, count=6, gateway=1),
            what="the secretive gateway",
            timeout_s=60,
        )
        ask(trial, trial.home.key("impostor").address, count=ASKED)
        yield trial
    finally:
        trial.close()
        network.close()


def view_of(trial: Trial) -> ChainView:
    async def main() -> ChainView:
        async with reading(trial.chain) as found:
            return found.view

    return asyncio.run(main())


def ask(trial: Trial, node: Address | None = None, *, count: int, gateway: int = 0) -> bool:
    """Questions as a client would ask them, to one node or to any; whether all were answered."""
    client: Any = trial.network.openai(gateway, max_retries=0, timeout=60)
    body = {} if node is None else {"provider": {"only": [to_hex(node)]}}
    try:
        for number in range(count):
            messages = [{"role": "user", "content": QUESTION.format(number=number)}]
            client.chat.completions.create(model="dgrid-mini", messages=messages, temperature=0, extra_body=body)
    except APIError:
        return False
    return True


def cases_about(view: ChainView, subject: Subject) -> list[Case]:
    return [case for case in view.cases.values() if case.subject is subject]


@pytest.mark.timeout(300)
def test_who_sells_a_small_model_as_a_larger_one_loses_its_stake_and_its_traffic(trial: Trial) -> None:
    impostor = trial.home.key("impostor").address
    user = trial.home.key("user").address
    until(lambda: cases_about(view_of(trial), Subject.IDENTITY), what="an accusation", timeout_s=120)
    honest = trial.network.dgrid("cases", "open", "identity", "node-1", "--model", "dgrid-mini", "--yes", "--json")
    assert honest.code == 0, honest.err
    view = until(lambda: closed(trial, Subject.IDENTITY, count=2), what="both verdicts", timeout_s=120)
    convicted, acquitted = sorted(cases_about(view, Subject.IDENTITY), key=lambda case: -case.outcome)
    assert (convicted.accused, convicted.outcome) == (impostor, Outcome.CONVICTED)
    assert acquitted.outcome is Outcome.ACQUITTED
    member = view.members[Role.NODE, impostor]
    assert not member.active
    assert member.jailed_until_s > 0
    assert member.stake_wei < STAKE_WEI
    assert convicted.ending is not None
    assert user in {refund.payer for refund in convicted.refunds}
    assert 0 < convicted.ending.refunded_wei < convicted.ending.slashed_wei
    until(lambda: not ask(trial, impostor, count=1), what="the gateway to see it", timeout_s=20)
    listed = trial.network.dgrid("cases", "--json").json["cases"]
    states = {case["state"] for case in listed if case["subject"] == "identity"}
    assert states == {"convicted", "acquitted"}
    shown = [trial.network.dgrid("cases", "show", to_hex(case.id), "--json").json for case in (convicted, acquitted)]
    assert [one["samples"]["reason"] for one in shown] == [None, "the blob holds no samples"]
    assert shown[0]["samples"]["replies"] >= view.parameters.last.case_samples
    members = [member for case in shown for member in case["hearings"][0]["members"] if member["samples"]]
    assert members, "nobody shows what it found"
    assert all(member["samples"]["reason"] is None for member in members)


def convicted_of_hiding(trial: Trial, gateway: Address) -> ChainView | None:
    view = view_of(trial)
    found = [case for case in cases_about(view, Subject.UNDISCLOSED) if case.accused == gateway]
    return view if any(case.outcome is Outcome.CONVICTED for case in found) else None


def closed(trial: Trial, subject: Subject, *, count: int) -> ChainView | None:
    view = view_of(trial)
    found = cases_about(view, subject)
    return view if len(found) == count and not any(case.is_open for case in found) else None


@pytest.mark.timeout(200)
def test_who_keeps_a_drawn_leaf_from_its_judges_is_slashed_and_its_payer_refunded(trial: Trial) -> None:
    """And its epoch stands: whoever served it is paid as by what was shown of it, the impostor the least."""
    gateway = trial.home.key("gateway-2").address
    view = until(lambda: convicted_of_hiding(trial, gateway), what="the verdict", timeout_s=120)
    hidden = [one for one in cases_about(view, Subject.UNDISCLOSED) if one.accused == gateway]
    convicted = [one for one in hidden if one.outcome is Outcome.CONVICTED]
    case, penalty_wei = convicted[0], view.parameters.last.undisclosed_penalty_wei
    assert view.slashed[Role.GATEWAY, gateway] == penalty_wei * len(convicted)
    assert view.members[Role.GATEWAY, gateway].active

    async def hidden_and_paid(found: NetworkReader) -> tuple[InferenceReceipt, set[bytes]]:
        places = [place for place, anchor in found.view.roots.items() if anchor.root.blob_id == case.evidence]
        assert not found.view.is_void(*places[0])
        documents = (await found.quality.records_of(found.view.draws[places[0]])).documents
        (receipt,) = [one.receipt for key, one in documents.items() if leaf_matter(key) == case.matter]
        table = await found.quality.latest_table()
        assert table is not None
        return receipt, {row.payee for row in table.payouts if row.kind == PayoutKind.NODE and row.total_wei}

    receipt, paid = trial.read(hidden_and_paid)
    assert case.refunds == (Refund(Address(receipt.parties.payer), receipt.shares.fee),)
    assert case.ending is not None
    assert (case.ending.slashed_wei, case.ending.refunded_wei) == (penalty_wei, receipt.shares.fee)
    assert receipt.parties.node in paid | {trial.home.key("impostor").address}


@pytest.mark.timeout(300)
def test_who_signs_a_wrong_root_while_the_others_are_away_is_found_out_by_them_and_slashed(trial: Trial) -> None:
    trial._join("evaluator", "forger", trial._like("evaluator-1", EvaluatorConfig, "forger", PORT_BASE + 80))
    until(lambda: trial.network.active_evaluators() == 5, what="the forger", timeout_s=60)
    forger = trial.home.key("forger").address
    honest = [f"evaluator-{number}" for number in range(1, 5)]
    for name in honest:
        trial.network.pause(name)
    try:
        assert ask(trial, count=6)
        until(lambda: judged_alone(view_of(trial), forger), what="a round that the forger judged alone", timeout_s=60)
    finally:
        for name in honest:
            trial.network.go_on(name)
    view = until(lambda: slashed(trial, forger), what="the slash", timeout_s=150)
    (case,) = cases_about(view, Subject.QUALITY_ROOT)
    assert (case.outcome, case.appellant) == (Outcome.CONVICTED, forger)
    assert case.opener in {trial.home.key(name).address for name in honest}
    assert view.overturned.keys() == {int.from_bytes(case.matter, "big")}
    late_wei = [view.slashed.get((Role.EVALUATOR, trial.home.key(name).address), 0) for name in honest]
    assert max(late_wei) <= 3 * view.parameters.last.late_penalty_wei  # for rounds that they could not finish


def judged_alone(view: ChainView, evaluator: Address) -> bool:
    """Whether there is a round that nobody else may sign."""
    opened = {number for number, judge in view.openings if judge == evaluator}
    others = {number for number, judge in view.commitments if judge != evaluator}
    return bool(opened - others)


def slashed(trial: Trial, signer: Address) -> ChainView | None:
    view = view_of(trial)
    return view if view.slashed.get((Role.EVALUATOR, signer), 0) >= STAKE_WEI // 2 else None
