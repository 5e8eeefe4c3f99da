"""What judging comes to on a live network: who is good is seen to be, who cheats loses by it, and anybody can check.

One network for all of it, with every dishonest build at once; the tests follow one another.
"""

import itertools
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median

import pytest
from tests.conftest import ROOT
from tests.network.running import RunningNetwork, until
from tests.network.stranger import Books, books, canaries, public_requests, rescored, stranger_home
from tests.network.trial import (
    CHEATING_EVALUATORS,
    CHEATING_NODES,
    HONEST_EVALUATORS,
    SMALLER,
    Facts,
    Trial,
    least_of_median,
    live_table,
    started,
    worth,
)

from dgrid.core.identity import Address, address_from_hex
from dgrid.poq.credibility import Cause
from dgrid.poq.dimensions import overall
from dgrid.poq.rules import Weights
from dgrid.settlement.reading import NetworkReader
from dgrid.settlement.recomputing import RoundAudit, recompute

PORT_BASE = 17720
FIRST, SECOND, PUBLIC, SWAPPED, LONG = 400, 800, 40, 300, 1_000  # requests
FAIR = 0.8
SEED = 1
STEP = 0.1  # in published quality: models nearer to each other need not be told apart
PEERS = {"dgrid-mini": ("node-1", "node-4"), "dgrid-micro": ("node-2", "node-5")}

pytestmark = [pytest.mark.soak, pytest.mark.timeout(480)]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    lines = (ROOT / "models" / "heldout.jsonl").read_text().splitlines()
    questions = Random(SEED).sample([json.loads(line) for line in lines], len(lines))
    found = started(tmp_path_factory.mktemp("trial"), PORT_BASE, questions)
    try:
        yield found
    finally:
        found.close()
        found.network.close()
        shutil.rmtree(found.network.home, ignore_errors=True)


@pytest.fixture(scope="module")
def first(trial: Trial) -> Facts:
    """After the first hundreds of requests."""
    trial.ask(FIRST)
    return trial.judged()


@pytest.fixture(scope="module")
def second(trial: Trial, first: Facts) -> Facts:
    """After some hundreds more, of which everybody may read some."""
    trial.ask(SECOND - PUBLIC, models=SMALLER)
    trial.ask(PUBLIC, models=SMALLER, body={"dgrid": {"privacy": "public"}})
    facts = trial.judged()
    sys.stdout.write(live_table(trial, facts, heading=heading(len(trial.asked))))  # shown with -s
    return facts


def heading(asked: int) -> str:
    """Under which circumstances a run was made."""
    load, processors = os.getloadavg()[1], os.cpu_count() or 1
    state = "busy" if load > 1.5 * processors else "quiet"
    return f"{datetime.now(UTC).date()}, seed {SEED}, {asked} requests, {processors} {state} cores (load {load:.0f})"


def test_requests_are_answered_whoever_cheats(trial: Trial, first: Facts) -> None:
    assert len(trial.failures) <= FIRST // 100, trial.failures


def test_a_downgraded_node_lies_below_every_honest_one(first: Facts) -> None:
    rows = first.rows("dgrid-mini")
    assert "impostor" in first.flagged()
    assert rows["impostor"].high_bps < min(rows[peer].low_bps for peer in PEERS["dgrid-mini"])


@pytest.mark.parametrize("cheat", CHEATING_NODES)
def test_a_cheating_node_ends_below_every_honest_peer(cheat: str, first: Facts) -> None:
    model = CHEATING_NODES[cheat]
    rows, peers = first.rows(model), PEERS[model]
    is_less_believed = cheat in rows and rows[cheat].mean_bps < min(rows[peer].mean_bps for peer in peers)
    assert is_less_believed or first.paid_wei(cheat) < min(first.paid_wei(peer) for peer in peers)


def test_who_claims_more_tokens_than_it_serves_is_sent_away_and_paid_less_than_any_honest_peer(
    trial: Trial, first: Facts
) -> None:
    """The gateway counts for itself, bills what it counted, and asks elsewhere: no judge is needed."""
    asked = Counter(one.node for one in trial.asked[:FIRST])
    peers = PEERS[CHEATING_NODES["overbiller"]]
    assert trial.faults("overcounted") > 0
    assert asked["overbiller"] <= 0.02 * FIRST
    assert first.paid_wei("overbiller") < min(first.paid_wei(peer) for peer in peers)


@pytest.mark.parametrize("cheat", CHEATING_EVALUATORS)
def test_a_cheating_evaluator_is_worth_less_than_every_honest_one_and_paid_less(
    cheat: str, first: Facts, second: Facts
) -> None:
    soon, later = first.balances(), second.balances()
    assert soon[cheat].balance_micros < min(soon[honest].balance_micros for honest in HONEST_EVALUATORS)
    assert later[cheat].paid_wei < min(later[honest].paid_wei for honest in HONEST_EVALUATORS)


def test_who_withholds_is_penalized_and_no_honest_one_is(second: Facts) -> None:
    assert second.withheld["withholder"] > 1
    assert not second.withheld.keys() & set(HONEST_EVALUATORS)


def test_a_downgraded_node_is_hardly_asked_any_more(trial: Trial, second: Facts) -> None:
    later = trial.asked[-SECOND:]
    assert sum(asked.node == "impostor" for asked in later) <= 0.02 * len(later)


def test_no_honest_node_gets_less_than_four_fifths_of_its_peers(second: Facts) -> None:
    for peers in PEERS.values():
        paid = {peer: second.paid_wei(peer) for peer in peers}
        assert least_of_median(paid) >= FAIR, paid
        assert least_of_median({peer: paid[peer] / second.work_wei[peer] for peer in peers}) >= FAIR


def test_no_honest_evaluator_is_worth_less_than_four_fifths_of_its_peers_beyond_chance(second: Facts) -> None:
    """Judgements tell as much as they are paid for, but one tells little: two standard errors are chance."""
    balances = second.balances()
    found = {honest: worth(balances[honest]) for honest in HONEST_EVALUATORS}
    middle = median(mean for mean, _ in found.values())
    assert middle > 0
    assert all(mean + 2 * error >= FAIR * middle for mean, error in found.values()), found
    assert all(balances[honest].paid_wei > 0 for honest in HONEST_EVALUATORS)


def test_models_that_differ_clearly_are_told_apart_in_the_order_of_their_accuracy(trial: Trial, second: Facts) -> None:
    """Models one step apart take some thousand requests more."""
    published, believed = published_quality(), trial.believed()
    assert pairs_apart(published, 2 * STEP)
    for worse, better in pairs_apart(published, 2 * STEP):
        assert believed[worse]["high_bps"] < believed[better]["low_bps"], believed


@pytest.mark.timeout(1_200)
def test_in_the_long_run_the_intervals_of_all_models_are_apart(trial: Trial, second: Facts) -> None:
    trial.ask(LONG, models=tuple(published_quality()))
    trial.judged()
    published, believed = published_quality(), trial.believed()
    for worse, better in pairs_apart(published, STEP):
        assert believed[worse]["high_bps"] < believed[better]["low_bps"], believed


def published_quality() -> dict[str, float]:
    catalog = json.loads((ROOT / "models" / "catalog.json").read_text())
    return {model["id"]: model["quality"] for model in catalog}


def pairs_apart(published: dict[str, float], step: float) -> list[tuple[str, str]]:
    """(worse, better) of all models that differ by more than a step."""
    pairs = itertools.permutations(published, 2)
    return [(worse, better) for worse, better in pairs if published[worse] + step < published[better]]


def test_swapping_two_nodes_weights_swaps_their_ranks(trial: Trial, second: Facts) -> None:
    sold = {"node-1": "dgrid-mini", "node-3": "dgrid-nano"}
    assert ranked(second, sold) == ["node-1", "node-3"]
    trial.stop("impostor")  # evaluators would compare true answers of mini with its own
    swapped = {"node-1": "dgrid-nano", "node-3": "dgrid-mini"}
    for node, model in swapped.items():
        trial.sell(node, model)
    only = {"provider": {"only": [trial.network.address(node) for node in swapped]}}
    asked = trial.ask(SWAPPED, models=tuple(swapped.values()), body=only)
    assert {one.node for one in asked} == swapped.keys()
    assert ranked(trial.judged(), swapped) == ["node-3", "node-1"]


def ranked(facts: Facts, sold: dict[str, str]) -> list[str]:
    """Nodes by what is believed of their work with the model they sell, the best first."""
    return sorted(sold, key=lambda node: -facts.rows(sold[node])[node].mean_bps)


def test_money_comes_out_even_to_the_last_unit(trial: Trial, second: Facts) -> None:
    """Deposits are where balances and payments say, and fees whose records and tables say: at any final block.

    Evaluators and the author go on asking meanwhile, so nothing ever rests.
    """
    before = trial.read(books)
    assert_even(before)
    assert before.due_wei > 0

    def paid() -> Books | None:
        trial.network.dgrid("claim", "--yes", timeout_s=120)
        found = trial.read(books)
        assert_even(found)
        return found if found.paid_wei > before.paid_wei else None

    after = until(paid, what="the claims to be final", timeout_s=120)
    assert after.deposited_wei >= before.deposited_wei


def assert_even(found: Books) -> None:
    assert found.held_wei == found.deposited_wei, found
    assert found.owed_wei == found.anchored_wei, found
    assert min(found.escrow_wei, found.settlement_wei, found.court_wei) >= 0, found


def test_a_stranger_recomputes_everything_while_the_gateway_is_stopped(
    trial: Trial, second: Facts, tmp_path: Path
) -> None:
    trial.network.pause("gateway-1")
    try:
        audits = trial.read(recomputed)
        stranger = RunningNetwork(stranger_home(tmp_path / "stranger", trial.chain), 0)
        judged_epochs = sorted({epoch for _, epoch in second.table.judged})
        audited = stranger.dgrid("audit", "--epoch", str(judged_epochs[-1]), "--json", timeout_s=90)
        seen, truths = trial.read(canaries)
        opened = trial.read(public_requests)
        again = trial.read(rescored)
    finally:
        trial.network.go_on("gateway-1")
    assert len(audits) > 5
    assert all(audit.ok and audit.is_posted for audit in audits)
    assert audited.code == 0, audited.out + audited.err
    assert all(one["recomputes"] for one in audited.json["quality"])
    changes = [change for audit in audits for change in audit.table.changes if change.cause == Cause.CANARY]
    assert changes
    costs = {one.key: one.cost_bps for one in seen}
    assert {change.score_bps for change in changes} <= {
        overall(truths[change.key], costs[change.key], weights=Weights()) for change in changes
    }
    assert opened
    honest = {address_from_hex(trial.network.address(name)) for name in HONEST_EVALUATORS}
    assert any(one.reports for one in opened)
    assert [fault for one in (*seen, *opened) for fault in one.faults(honest)] == []
    assert sum(one.reports for one in again) > 0
    liars = {trial.home.key(name).address for name in ("lazy", "copycat")}
    named = {Address(lie.evaluator) for one in again for lie in one.unfounded}
    assert named == liars & {evaluator for one in opened for evaluator in one.reports}


async def recomputed(found: NetworkReader) -> list[RoundAudit]:
    """Every posted round, from its reports."""
    token = found.contracts.dgai.address
    return [await recompute(found.quality, number, token=token) for number in found.view.quality_roots]
