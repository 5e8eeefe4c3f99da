"""Every parameter is read by somebody, and by the epoch: change it in the history, and what its reader does changes.

Of each reader in Python the smallest thing that shows it. What only contracts read is looked for in their source, and
tried on the chain by their own tests.
"""

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.settlement.judged import BLANK, FACTS

from dgrid.author.working import plan_terms
from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.case_events import Subject
from dgrid.chain.case_view import Case, Hearing, Vote
from dgrid.chain.contracts import ARTIFACT_NAMES, Contracts
from dgrid.chain.court import EvaluatorSignature
from dgrid.chain.events import Moment, Role, StakeChanged
from dgrid.chain.parameter_history import ParameterHistory
from dgrid.chain.parameters import Parameters, catalogue, tunable
from dgrid.chain.rpc import Rpc
from dgrid.chain.view import Anchor, ChainView, Member, Opening, PostedQuality, fold
from dgrid.chain.watcher import ChainWatcher
from dgrid.config import ChainConfig
from dgrid.core.identity import Address, Hash, to_hex
from dgrid.core.money import Price
from dgrid.evaluator.concluding import quorum_of
from dgrid.gateway.tariff import Tariff
from dgrid.poq.economics import violations
from dgrid.processes.node import ChainCredit
from dgrid.settlement.claims import pays_by_default, pays_from_s
from dgrid.settlement.finality import is_checked
from dgrid.settlement.hearings import is_guilty, terms_of
from dgrid.settlement.payouts import root_pays_from_s
from dgrid.settlement.rounds import rules_of, windows_of
from dgrid.settlement.splits import SplitTerms
from dgrid.watcher.comparing import is_out_of_reach
from dgrid.watcher.demanding import deposit_wei
from dgrid.wire.http import HttpClient
from dgrid.wire.messages import EpochRoot, QualityRoot

CONTRACTS = Path(__file__).parents[2] / "contracts" / "src"
EPOCH = 10
AT_MS = FACTS.clock.opens_at_ms(EPOCH)
GATEWAY = Address(b"\x01" * 20)
URL = "http://127.0.0.1:1"

Observe = Callable[[ChainView], Any]


def _tariff(view: ChainView) -> Tariff:
    return Tariff(10_000, view.parameters.at, lambda: EPOCH)


def _terms(view: ChainView) -> Any:
    return _tariff(view).offered(Price(100, 100), Price(0, 0))


def _anchor(view: ChainView) -> int:
    root = EpochRoot(GATEWAY, EPOCH - 1, bytes(20), bytes(32), 1, bytes(32), 10, bytes(32))
    return pays_from_s(view, Anchor(root, Hash(root.struct_hash()), 1, AT_MS))


def _posted(view: ChainView) -> int:
    root = QualityRoot(EPOCH, bytes(20), bytes(32), bytes(32), 0, 0, bytes(32), bytes(32), bytes(32))
    return root_pays_from_s(view, PostedQuality(root, Hash(root.struct_hash()), 1, AT_MS))


def _doubted_s(view: ChainView) -> int:
    """How long an epoch that nobody judged is doubted."""
    return _first_s(lambda now_s: is_checked(view, (GATEWAY, EPOCH), now_s=now_s))


def _signers(view: ChainView) -> int:
    """How many of ten judges sign a root."""
    opened = {(EPOCH, Address(bytes([at]) * 20)): Opening(bytes(32), bytes(32)) for at in range(10)}
    signatures = [EvaluatorSignature(evaluator, b"") for _, evaluator in opened]
    return len(quorum_of(signatures, replace(view, openings=ByEpoch(opened)), number=EPOCH))


def _is_active(view: ChainView) -> bool:
    stake_wei = Parameters().minimum_stake_wei
    member = Member(Role.NODE, GATEWAY, "", stake_wei, 0, bytes(32), bytes(32), active=True)
    told = StakeChanged(Moment(1, 0, AT_MS, bytes(32)), Role.NODE, GATEWAY, stake_wei)
    return bool(fold(replace(view, members={(Role.NODE, GATEWAY): member}), [told]).active(Role.NODE))


def _first_s(holds: Callable[[int], bool]) -> int:
    """The seconds after the epoch's beginning from which something holds."""
    opens_s = AT_MS // 1000
    return bisect_left(range(10**7), True, key=lambda s: holds(opens_s + s))


def _defaults_s(view: ChainView) -> int:
    """As a node that no root pays counts."""
    return _first_s(lambda now_s: pays_by_default(view, GATEWAY, epoch=EPOCH, now_s=now_s))


def _is_gone(view: ChainView) -> bool:
    """Whether a watcher lets an epoch go of a gateway that left long ago."""
    return is_out_of_reach(view, GATEWAY, epoch=EPOCH - 100, now_ms=AT_MS)


def _case(**hearing: Any) -> Case:
    heard = Hearing(AT_MS, **hearing)
    return Case(bytes(32), Subject.IDENTITY, GATEWAY, bytes(32), bytes(32), GATEWAY, (), AT_MS, (heard,))


def _convicting(view: ChainView) -> int:
    """How many of a hundred members must find guilty."""
    voted = [Address(bytes([at]) * 20) for at in range(100)]
    for count in range(101):
        votes = {one: Vote(True, bytes(32)) for one in voted[:count]}
        if is_guilty(view, _case(), hearing=_case(size=100, votes=votes).hearing):
            return count
    return 101


def _credit(view: ChainView) -> ChainCredit:
    """A node's sight of the chain, whose watcher has come this far."""
    contracts = Contracts(ChainConfig((URL,), 31337, {name: to_hex(GATEWAY) for name in ARTIFACT_NAMES}))
    watcher = ChainWatcher(Rpc([URL], HttpClient()), contracts, None)
    watcher.finalized = view
    return ChainCredit(watcher, GATEWAY)


OBSERVED: dict[str, Observe] = {
    "challenge_seconds": _anchor,
    "stored_quorum": lambda view: _tariff(view).now.stored_quorum,  # as a gateway asks before it hands a root over
    "minimum_stake_wei": _is_active,
    "maximum_margin_bps": lambda view: _terms(view).margin_bps,
    "protocol_bps": lambda view: _terms(view).protocol_bps,
    "exploration_bps": lambda view: _tariff(view).now.exploration_bps,  # tests/gateway/test_governed.py shows the rest
    "exposure_bps": lambda view: _tariff(view).now.exposure_bps,  # likewise
    "commit_seconds": lambda view: windows_of(view, EPOCH).reveal_from_s,
    "reveal_seconds": lambda view: windows_of(view, EPOCH).open_from_s,
    "open_seconds": lambda view: windows_of(view, EPOCH).post_from_s,
    "root_seconds": _posted,
    "committee_size": lambda view: rules_of(view, EPOCH).draw.committee_size,
    "duty_cap": lambda view: rules_of(view, EPOCH).draw.duty_cap,
    "quality_bps": lambda view: rules_of(view, EPOCH).draw.quality_bps,
    "identity_bps": lambda view: rules_of(view, EPOCH).draw.identity_bps,
    "canary_bps": lambda view: plan_terms(view, EPOCH, accounts={}).share_bps,
    "gain_bps": lambda view: rules_of(view, EPOCH).pay.gain_bps,
    "quorum_bps": _signers,
    "evaluator_rate_wei": lambda view: rules_of(view, EPOCH).pay.evaluator_rate_wei,
    "pool_cap_wei": lambda view: rules_of(view, EPOCH).pay.pool_cap_wei,
    "accuracy_weight": lambda view: rules_of(view, EPOCH).weights.accuracy,
    "consistency_weight": lambda view: rules_of(view, EPOCH).weights.consistency,
    "format_weight": lambda view: rules_of(view, EPOCH).weights.format,
    "cost_weight": lambda view: rules_of(view, EPOCH).weights.cost,
    "enrol_seconds": _doubted_s,
    "vote_seconds": _doubted_s,
    "unseal_seconds": _doubted_s,
    "appeal_seconds": _doubted_s,
    "default_seconds": _defaults_s,
    "bond_seconds": _is_gone,
    "demand_deposit_wei": lambda view: deposit_wei(view, now_s=AT_MS // 1000),
    "case_bond_wei": lambda view: terms_of(view, _case()).case_bond_wei,
    "case_samples": lambda view: terms_of(view, _case()).case_samples,
    "request_value_max_wei": lambda view: terms_of(view, _case()).request_value_max_wei,
    "verdict_bps": _convicting,
}
OBSERVED_BESIDES: tuple[tuple[str, Observe], ...] = (
    ("protocol_bps", lambda view: _credit(view).protocol_bps(EPOCH)),  # a node, before it signs
    ("protocol_bps", lambda view: SplitTerms.of(view, EPOCH).protocol_bps[0]),  # a watcher, and whoever audits
    ("maximum_margin_bps", lambda view: SplitTerms.of(view, EPOCH).margin_bps_max),  # likewise
)
BY_CONTRACTS = {
    "challenge_blocks",
    "default_seconds",
    "bond_seconds",
    "gateway_slash_bps",
    "reporter_bps",
    "minimum_bond_wei",
    "demand_seconds",
    "demand_deposit_wei",
    "unbonding_seconds",
    "maximum_commission_bps",
    "jail_seconds",
    "late_penalty_wei",
    "case_bond_wei",
    "case_committee",
    "appeal_committee",
    "verdict_bps",
    "node_slash_bps",
    "evaluator_slash_bps",
    "undisclosed_penalty_wei",
    "request_value_max_wei",
}
READ_IN_PYTHON = ("node", "author", "watcher", "evaluator", "gateway", "settlement", "processes", "client", "web")
NOT_READERS = {"Parameter.sol", "Parameters.sol", "Economics.sol"}


def changed(name: str, *, from_epoch: int) -> ChainView:
    """The usual values, and one that another counts for later."""
    one, usual = tunable(name), BLANK.parameters.at(0)
    value = getattr(usual, name)
    other = value + one.bounds.change_max if value + one.bounds.change_max <= one.bounds.maximum else value // 2
    assert other != value
    return replace(BLANK, parameters=ParameterHistory((0, from_epoch), (usual, replace(usual, **{name: other}))))


@pytest.mark.parametrize(("name", "observe"), [*OBSERVED.items(), *OBSERVED_BESIDES])
def test_its_reader_obeys_from_the_epoch_on_and_not_before(name: str, observe: Observe) -> None:
    usual = observe(BLANK)
    assert observe(changed(name, from_epoch=EPOCH)) != usual
    assert observe(changed(name, from_epoch=EPOCH + 1)) == usual


@pytest.mark.parametrize("name", sorted(BY_CONTRACTS))
def test_a_contract_reads_it(name: str) -> None:
    wanted = re.compile(rf"Parameter\.{tunable(name).solidity_name}\b")
    readers = [path.name for path in CONTRACTS.glob("*.sol") if wanted.search(path.read_text())]
    assert set(readers) - NOT_READERS, f"nobody reads {name}"


def test_every_parameter_is_read() -> None:
    assert {*OBSERVED, *BY_CONTRACTS} == {one.name for one in catalogue()}


def test_what_a_role_reads_is_observed_here() -> None:
    names, source = {one.name for one in catalogue()}, Path(__file__).parents[2] / "src" / "dgrid"
    texts = [path.read_text() for package in READ_IN_PYTHON for path in (source / package).rglob("*.py")]
    read = {name for text in texts for name in re.findall(r"\.(\w+)\b", text) if name in names}
    assert len(read) > 20
    assert read <= OBSERVED.keys()


def test_the_guard_weighs_what_it_says_it_weighs() -> None:
    """`request_value_max_wei` protects nobody unless raising it is refused in the end."""
    worth = Parameters().request_value_max_wei
    assert violations(replace(Parameters(), request_value_max_wei=worth * 1_000), epoch_seconds=20) != ()
