"""Every parameter that only contracts read changes what they do: one long day on a chain, with and without a vote.

Both days are the same step for step, and what chance decides (hashes, ranks) is not looked at: whatever else differs in
what the contracts say is the parameter's doing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.devnet import key_of
from tests.governance.test_consumers import BY_CONTRACTS
from tests.settlement.books import Work
from tests.settlement.network import BASE_BPS
from tests.settlement.twins import settling
from tests.settlement.twins.chain import EPOCH_SECONDS, Call, TwinChain
from tests.settlement.twins.judging import Judgement, draw, post_round, undrawn
from tests.settlement.twins.voting import carry_out
from tests.settlement.twins.world import (
    EVALUATORS,
    GATEWAYS,
    MODEL_DIGEST,
    Twins,
    a_world,
    address_of,
    at_the_start,
    channel_of,
    twin_parameters,
)

from dgrid.chain.case_events import CaseOpened, Subject
from dgrid.chain.cases import vote_of
from dgrid.chain.contracts import Contract
from dgrid.chain.events import Kind, Role
from dgrid.core.identity import ZERO_ADDRESS
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI, Price
from dgrid.settlement.proofs import leaf_arguments, seal_arguments
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.seals import seal

HONEST, CHEAT = GATEWAYS
JURY, HASH_BYTES = EVALUATORS[:3], 32
EVIDENCE, SALT = keccak(b"evidence"), keccak(b"salt")
RAISES = {
    "challenge_blocks": 3,
    "default_seconds": 5,
    "bond_seconds": 10,
    "gateway_slash_bps": 1_000,
    "reporter_bps": 500,
    "minimum_bond_wei": 1_500 * WEI,  # above what the honest gateway has
    "demand_seconds": 5,
    "demand_deposit_wei": WEI,
    "unbonding_seconds": 10,
    "maximum_commission_bps": 500,
    "jail_seconds": 10,
    "late_penalty_wei": WEI,
    "case_bond_wei": WEI,
    "case_committee": 1,
    "appeal_committee": 1,
    "verdict_bps": 1_000,  # two of three no longer convict
    "node_slash_bps": 1_000,
    "evaluator_slash_bps": 1_000,
    "undisclosed_penalty_wei": WEI,
    "request_value_max_wei": -WEI // 20,
}


@dataclass
class Day:
    """What happens, and what the contracts say to it."""

    world: Twins
    heard: list[Any] = field(default_factory=list)

    def does(self, sender: str, contract: Contract, function: str, *arguments: Any) -> Any:
        said = self.world.chain.do(Call(address_of(sender), contract, function, arguments))
        self.world.follow(said)
        self.heard.append((function, said.refusal, plain(said.told)))
        return said

    def asks(self, sender: str, contract: Contract, function: str, *arguments: Any) -> None:
        """What the contract would say against it."""
        refusal = self.world.chain.would_refuse(Call(address_of(sender), contract, function, arguments))
        self.heard.append((function, None if refusal is None else (refusal.name, plain(refusal.arguments))))


def plain(said: Any) -> Any:
    """Without what hashes decide."""
    if isinstance(said, dict):
        return {name: plain(value) for name, value in said.items() if name != "rank"}
    if isinstance(said, (tuple, list)):
        return [plain(value) for value in said]
    return None if isinstance(said, bytes) and len(said) == HASH_BYTES else said


@pytest.fixture(scope="module")
def start() -> Iterator[Twins]:
    with TwinChain(parameters=twin_parameters(), base_bps=BASE_BPS) as chain:
        yield a_world(chain)


@pytest.fixture(scope="module")
def usual(start: Twins) -> list[Any]:
    """A day after a vote for what was so before."""
    return a_day_after_a_vote(start, "jail_seconds", by=0)


@pytest.mark.parametrize("name", sorted(BY_CONTRACTS))
def test_a_vote_on_it_changes_what_the_contracts_do(start: Twins, usual: list[Any], name: str) -> None:
    assert a_day_after_a_vote(start, name, by=RAISES[name]) != usual


@pytest.mark.parametrize("name", ["exploration_bps", "cost_weight", "canary_bps"])
def test_a_vote_on_what_only_roles_read_changes_nothing_here(start: Twins, usual: list[Any], name: str) -> None:
    assert a_day_after_a_vote(start, name, by=1) == usual


def a_day_after_a_vote(start: Twins, name: str, *, by: int) -> list[Any]:
    """All that is heard from the epoch on from which the vote counts."""
    world = at_the_start(start)
    carry_out(world, name, by=by)
    world.chain.pass_until(world.chain.next_s + 3 * EPOCH_SECONDS)
    day = Day(world)
    members_move_stakes(day)
    a_gateway_settles(day)
    a_root_is_overturned(day)
    a_node_is_convicted_and_appeals(day)
    a_gateway_hid_an_answer(day)
    a_gateway_is_convicted(day)
    return day.heard


def members_move_stakes(day: Day) -> None:
    contracts = day.world.contracts
    day.does("node-2", contracts.registry, "setCommission", Role.NODE, 2_400)
    day.does("node-2", contracts.registry, "unbond", Role.NODE, WEI)
    day.does(CHEAT, contracts.settlement, "depositBond", 3_000 * WEI)
    day.world.laws.money.deposit_bond(address_of(CHEAT), 3_000 * WEI)
    day.does(CHEAT, contracts.settlement, "requestBondWithdrawal", WEI)


def a_gateway_settles(day: Day) -> None:
    """One epoch with a root, whose record somebody demands, and one without yet."""
    world, contracts = day.world, day.world.contracts
    for gateway in GATEWAYS:
        bill(world, gateway)
        settling.close(world, gateway, settling.open_epochs(world, gateway)[0])
    day.heard.append(len(world.view.roots))  # the honest gateway's bond may be too low
    anchor = world.records.anchors(gateway=address_of(CHEAT))[0]
    day.heard += plain(world.chain.read([settling.anchor_read(world, anchor)]))
    day.does("reporter", contracts.demands, "demand", anchor.root, 0, 0)
    for anchored in undrawn(world):
        draw(world, anchored)
    ask_too_early(day, bill(world, HONEST))


def ask_too_early(day: Day, receipt: InferenceReceipt) -> None:
    """By the receipt of an epoch whose root may still come."""
    (sealed,) = seal(key_of(HONEST), day.world.domain, [receipt.struct_hash()])
    row = Kind.NODE, leaf_arguments(receipt), seal_arguments(sealed)
    day.asks("reporter", day.world.contracts.settlement, "claimByDefault", row)


def bill(world: Twins, gateway: str) -> InferenceReceipt:
    channel = channel_of(world, "payer-1", gateway)
    work = Work(world.configs[channel], channel, key_of("node-1"), 10**6, 0, price=Price(WEI, 0))
    return settling.bill(world, gateway, work, lane=0)


def a_root_is_overturned(day: Day) -> None:
    world = day.world
    table = post_round(world, Judgement(frozenset(), frozenset(), 0))
    assert table is not None
    posted = world.view.quality_roots[table.round]
    case = hear(day, Subject.QUALITY_ROOT, ZERO_ADDRESS, table.round.to_bytes(32, "big"))
    signer, digest = key_of(EVALUATORS[0]), world.court_domain.digest(posted.root.struct_hash())
    day.does("reporter", world.contracts.cases, "slashSigner", case, signer.address, signer.sign(digest))


def a_node_is_convicted_and_appeals(day: Day) -> None:
    """Of whoever is on the jury one is silent; the appeal finds too few members, so the verdict stands."""
    refund = [(address_of("payer-1"), WEI // 10)]
    hear(day, Subject.IDENTITY, address_of("node-1"), MODEL_DIGEST, refunds=refund, silent=1, appeals="node-1")


def a_gateway_hid_an_answer(day: Day) -> None:
    hear(day, Subject.UNDISCLOSED, address_of(CHEAT), keccak(b"a leaf"))


def a_gateway_is_convicted(day: Day) -> None:
    """Of two roots for one epoch."""
    world = day.world
    challenge = settling.two_roots(world, world.records.anchors(gateway=address_of(CHEAT))[0], CHEAT)
    day.does("reporter", challenge.contract, challenge.function, *challenge.arguments)


def hear(
    day: Day,
    subject: Subject,
    accused: bytes,
    matter: bytes,
    *,
    refunds: Sequence[tuple[bytes, int]] = (),
    silent: int = 0,
    appeals: str = "",
) -> bytes:
    """A case from its opening to its end; all members who speak find against the accused."""
    world, cases = day.world, day.world.contracts.cases
    said = day.does("reporter", cases, "open", subject, accused, matter, EVIDENCE, refunds)
    case = next((event.case for event in said.events if isinstance(event, CaseOpened)), None)
    if case is None:  # a refund above what one request may be worth
        return bytes(32)
    world.chain.mine(3)
    day.does("reporter", cases, "fixSeed", case)
    for name in JURY:  # as many as sit, so that no rank decides
        day.does(name, cases, "enrol", case)
    hearing, parameters = world.view.cases[case].hearing, world.view.parameters.at(world.chain.epoch)
    jury = JURY[silent:] if hearing.is_complete else ()
    world.chain.pass_until(hearing.enrol_until_s)
    for name in jury:
        sealed = vote_of(address_of(name), case, stage=0, guilty=True, evidence=EVIDENCE, salt=SALT)
        day.does(name, cases, "commitVote", case, sealed)
    world.chain.pass_until(hearing.enrol_until_s + parameters.vote_seconds)
    for name in jury:
        day.does(name, cases, "revealVote", case, True, EVIDENCE, SALT)
    ends_s = hearing.enrol_until_s + parameters.vote_seconds + parameters.unseal_seconds
    world.chain.pass_until(ends_s)
    if appeals:
        day.does(appeals, cases, "appeal", case)
        world.chain.mine(3)
        day.does("reporter", cases, "fixSeed", case)
    world.chain.pass_until(ends_s + parameters.appeal_seconds + parameters.enrol_seconds)
    day.does("reporter", cases, "execute", case)
    return case
