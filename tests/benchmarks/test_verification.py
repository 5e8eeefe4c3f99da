"""The arithmetic behind the price of judging, on trials whose costs are known."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from benchmarks.accounts import CANARIES, EVALUATORS, USERS, Accounts
from benchmarks.asking import Crowd, Questions
from benchmarks.identity import CheckCost
from benchmarks.meters import descendants
from benchmarks.roles import IDENTITY, ROLES, SUPERVISOR, Reading
from benchmarks.verification import PRODUCTION, Settings, Trial, Verification, Window
from benchmarks.verification_page import verification_lines

MEASURED = Settings(quality=0.5, identity=0.2, canaries=0.3, committee=3)
REQUESTS = 50


def trial(at: int, *, is_judged: bool, scale: float = 1.0) -> Trial:
    """Idle 1 % of a core in each role; nodes 10 ms a request, with judges 30; evaluators 20, identity 5, author 2."""
    cost_ms = dict.fromkeys(ROLES, 0.0) | {"node": 30.0 if is_judged else 10.0, "gateway": 2.0}
    if is_judged:
        cost_ms |= {"evaluator": 20.0, IDENTITY: 5.0, "author": 2.0}
    idle = Window(20.0, dict.fromkeys(ROLES, 0.2))
    paced = Window(100.0, {role: 1.0 + scale * ms * REQUESTS / 1e3 for role, ms in cost_ms.items()})
    accounts = Accounts(
        {USERS: REQUESTS, EVALUATORS: 200, CANARIES: 15},
        {USERS: 10**18, EVALUATORS: 4 * 10**18, CANARIES: 3 * 10**17},
        reruns=200,
        gas={"evaluator": 1_000_000},
    )
    return Trial(at, is_judged, REQUESTS, idle, paced, Crowd(8, 100, 10.0, 80.0), accounts, 0.5)


@pytest.fixture
def found() -> Verification:
    trials = [
        trial(at, is_judged=judged, scale=scale) for at, scale in enumerate((1.0, 3.0, 1.0)) for judged in (False, True)
    ]
    return Verification(MEASURED, 1.5, trials, [CheckCost("a", 10, 100, 10.0, 7.0), CheckCost("b", 10, 100, 30.0, 9.0)])


def test_costs_are_above_idling_and_the_median_of_rounds(found: Verification) -> None:
    assert found.inference_ms == pytest.approx(10.0)
    assert found.serving_ms == pytest.approx(12.0)
    assert found.judging_ms == pytest.approx(20.0 + 20.0 + 5.0 + 2.0)


def test_the_settings_of_the_run_give_back_what_was_measured(found: Verification) -> None:
    assert found.judging_ms_at(MEASURED) == pytest.approx(found.judging_ms)


def test_each_part_shrinks_with_what_causes_it(found: Verification) -> None:
    judgements, checks = (0.05 * 1.05) / (0.5 * 1.3), (0.05 * 1.05) / (0.2 * 1.3)
    requests = (4.0 * judgements + 0.05) / (4.0 + 0.3)
    expected = 20.0 * judgements + 5.0 * checks + 2.0 * (0.05 / 0.3) + 20.0 * requests
    assert found.judging_ms_at(PRODUCTION) == pytest.approx(expected)
    assert found.reruns_at(PRODUCTION) == pytest.approx(4.0 * judgements)


def test_a_committee_of_twice_the_size_doubles_duties_checks_and_re_runs(found: Verification) -> None:
    requests = (2 * 4.0 + 0.3) / (4.0 + 0.3)
    expected = 2 * (20.0 + 5.0) + 2.0 + 20.0 * requests
    assert found.judging_ms_at(replace(MEASURED, committee=6)) == pytest.approx(expected)


def test_one_check_is_promised_and_a_committee_is_stated(found: Verification) -> None:
    one, committee = found.targets()
    assert one.measured == pytest.approx(5 * 16.0 / 40.0)
    assert one.met
    assert committee.measured == pytest.approx(3 * 2.0)
    assert not committee.met


def test_the_page_names_every_role_and_payer(found: Verification) -> None:
    page = "\n".join(verification_lines(found))
    assert all(f"| {role} " in page for role in set(ROLES) - {IDENTITY, "node"})
    assert "| evaluators, for re-runs | 600 | 12.0000 | 4.00 |" in page
    assert "3.92 × that of the whole network without judges" in page


def test_both_networks_are_asked_the_same_questions() -> None:
    ours, theirs = Questions(3), Questions(3)
    assert [ours.next().body for _ in range(20)] == [theirs.next().body for _ in range(20)]
    assert Questions(3).next().body != Questions(4).next().body


@pytest.fixture
def family() -> Iterator[tuple[int, int]]:
    """A process that sleeps and its child that does, as an evaluator and what checks identities for it."""
    leader = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'], stdin=sys.stdin)"
    process = subprocess.Popen([sys.executable, "-c", leader], stdin=subprocess.PIPE)
    assert process.stdin is not None
    while len(pids := descendants(process.pid)) < 2:
        pass
    yield process.pid, pids[1]
    process.stdin.close()
    process.wait()


def test_an_evaluators_children_are_its_identity_checks(family: tuple[int, int]) -> None:
    parent, child = family
    status = {"processes": [{"role": "evaluator", "pid": parent}, {"role": "chain", "pid": 0}]}
    reading = Reading.of(status, os.getpid())
    assert reading.by_pid[parent][0] == "evaluator"
    assert reading.by_pid[child][0] == IDENTITY
    assert reading.by_pid[os.getpid()][0] == SUPERVISOR
    begun = Reading({parent: ("evaluator", 0), child: (IDENTITY, 0)})
    assert reading.since(begun)["evaluator"] == pytest.approx(reading.by_pid[parent][1] / 1e9)
    assert reading.since(reading) == dict.fromkeys(ROLES, 0.0)
