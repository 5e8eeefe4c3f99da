"""A node that sells a small model as a larger one is found, accused, convicted and slashed, by evaluators alone."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openai import APIStatusError
from tests.network.running import RunningNetwork, until
from tests.network.trial import Trial

from dgrid.chain.case_events import Outcome, Subject
from dgrid.chain.events import Role
from dgrid.chain.view import ChainView
from dgrid.config import NodeConfig
from dgrid.core.identity import Address, to_hex
from dgrid.core.money import WEI
from dgrid.settlement.reading import reading

PORT_BASE = 17620
QUESTION = (
    "Ada {number} lives in Oslo and Tim plays the cello. Summarise it in a sentence, and say who Ada {number} is."
)
ASKED = 60
STAKE_WEI = 1_000 * WEI  # as every node of a dev home has


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    """One gateway, two honest nodes, four evaluators, and nano sold as mini."""
    network = RunningNetwork(tmp_path / "home", PORT_BASE)
    trial = Trial(network, ())
    up = network.up("--gateways", "1", "--nodes", "2", "--evaluators", "4")
    assert up.code == 0, up.err
    try:
        like = trial._like("node-1", NodeConfig, "impostor", PORT_BASE + 70)
        trial._join("node", "impostor", replace(like, model="dgrid-mini", appeals=False))
        until(lambda: "impostor" in trial.serving(), what="the impostor", timeout_s=60)
        until(lambda: trial._active_evaluators() == 4, what="the evaluators", timeout_s=60)
        yield trial
    finally:
        trial.close()
        network.close()


def view_of(trial: Trial) -> ChainView:
    async def main() -> ChainView:
        async with reading(trial.chain) as found:
            return found.view

    return asyncio.run(main())


def ask(trial: Trial, node: Address, *, count: int) -> None:
    """Questions that go to one node, as its client would ask them."""
    client: Any = trial.network.openai(max_retries=0, timeout=60)
    body = {"provider": {"only": [to_hex(node)]}}
    for number in range(count):
        messages = [{"role": "user", "content": QUESTION.format(number=number)}]
        client.chat.completions.create(model="dgrid-mini", messages=messages, temperature=0, extra_body=body)


@pytest.mark.timeout(300)
def test_who_sells_a_small_model_as_a_larger_one_loses_its_stake_and_its_traffic(trial: Trial) -> None:
    impostor = trial.home.key("impostor").address
    user = trial.home.key("user").address
    ask(trial, impostor, count=ASKED)
    until(lambda: view_of(trial).cases, what="an accusation", timeout_s=120)
    honest = trial.network.dgrid("cases", "open", "identity", "node-1", "--model", "dgrid-mini", "--yes", "--json")
    assert honest.code == 0, honest.err
    view = until(lambda: closed(trial), what="both verdicts", timeout_s=120)
    convicted, acquitted = sorted(view.cases.values(), key=lambda case: -case.outcome)
    assert (convicted.subject, convicted.accused, convicted.outcome) == (Subject.IDENTITY, impostor, Outcome.CONVICTED)
    assert acquitted.outcome is Outcome.ACQUITTED
    member = view.members[Role.NODE, impostor]
    assert not member.active
    assert member.jailed_until_s > 0
    assert member.stake_wei < STAKE_WEI
    assert convicted.ending is not None
    assert user in {refund.payer for refund in convicted.refunds}
    assert 0 < convicted.ending.refunded_wei < convicted.ending.slashed_wei
    until(lambda: is_refused(trial, impostor), what="the gateway to see it", timeout_s=20)
    listed = trial.network.dgrid("cases", "--json").json["cases"]
    assert {case["state"] for case in listed} == {"convicted", "acquitted"}


def closed(trial: Trial) -> ChainView | None:
    view = view_of(trial)
    return view if len(view.cases) == 2 and not view.open_cases() else None


def is_refused(trial: Trial, node: Address) -> bool:
    try:
        ask(trial, node, count=1)
    except APIStatusError as error:
        return error.status_code == 503
    return False
