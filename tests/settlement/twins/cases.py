"""A case about a node, in both laws: who sits, who is silent, what the verdict costs whom."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.settlement.twins.chain import Said
from tests.settlement.twins.court import Verdict, case_seed, rank, seated
from tests.settlement.twins.token import require
from tests.settlement.twins.world import MODEL_DIGEST, Twins, address_of, allowed

from dgrid.chain.case_events import CaseOpened, Outcome, Subject
from dgrid.chain.cases import vote_of
from dgrid.chain.events import Role
from dgrid.chain.parameters import Parameters
from dgrid.core.identity import ZERO_ADDRESS
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI

SEED_DELAY = 3
EVIDENCE, SALT = keccak(b"samples"), keccak(b"salt")


@dataclass(frozen=True)
class Trial:
    """Which node, in what order evaluators ask for a seat, and what each would say; who is not in `says` is silent."""

    node: str
    order: tuple[str, ...]
    says: Mapping[str, bool]
    refund_wei: int


@dataclass(frozen=True)
class Calling:
    """A drawn seed, and among whom it draws: stake counts that stood when the case was opened."""

    case: bytes
    seed: bytes
    called_s: int
    size: int
    signers: frozenset[str] = frozenset()  # of the disputed root


def a_case(world: Twins, trial: Trial) -> None:
    """From the charge to the slash."""
    parameters = world.view.parameters.at(world.chain.epoch)
    refunds = [(address_of("payer-1"), min(trial.refund_wei, parameters.request_value_max_wei))]
    node, opener = address_of(trial.node), address_of("reporter")
    called_s = world.chain.next_s
    said = world.both(
        lambda: _open(world, node, parameters),
        *("reporter", world.contracts.cases, "open", Subject.IDENTITY, node, MODEL_DIGEST, EVIDENCE, refunds),
    )
    if said.refusal is not None:
        return
    case = next(event.case for event in said.events if isinstance(event, CaseOpened))
    calling = Calling(case, _seed(world, case, said), called_s, parameters.case_committee)
    jury = _enrol(world, calling, trial.order)
    is_complete = len(jury) == parameters.case_committee
    votes = {address_of(name): trial.says[name] for name in jury if name in trial.says} if is_complete else {}
    world.chain.pass_until(world.view.cases[case].hearing.enrol_until_s)
    if is_complete:
        _vote(world, case, {name: trial.says[name] for name in jury if name in trial.says}, parameters)
    members = [address_of(name) for name in jury] if is_complete else []
    verdict = Verdict(node, opener, refunds, members, votes, parameters)
    _execute(world, case, verdict)


def a_dispute(world: Twins, judged: int, order: tuple[str, ...], *, signers: frozenset[str]) -> list[str]:
    """Who sits about a round's root, after everybody has asked in some order."""
    called_s, matter = world.chain.next_s, judged.to_bytes(32, "big")
    parameters = world.view.parameters.at(world.chain.epoch)
    said = world.both(
        lambda: world.laws.cases.open(address_of("reporter"), parameters=parameters),
        *("reporter", world.contracts.cases, "open", Subject.QUALITY_ROOT, ZERO_ADDRESS, matter, EVIDENCE, []),
    )
    case = next(event.case for event in said.events if isinstance(event, CaseOpened))
    calling = Calling(case, _seed(world, case, said), called_s, parameters.case_committee, signers)
    return _enrol(world, calling, order)


def _open(world: Twins, node: bytes, parameters: Parameters) -> None:
    require(world.laws.stakes.slashable(Role.NODE, node), "NothingAtStake")
    world.laws.cases.open(address_of("reporter"), parameters=parameters)


def _seed(world: Twins, case: bytes, said: Said) -> bytes:
    deciding = next(event.at.block for event in said.events if isinstance(event, CaseOpened)) + SEED_DELAY
    world.chain.mine(SEED_DELAY)
    world.both(allowed, "reporter", world.contracts.cases, "fixSeed", case)
    seed = case_seed(case, stage=0, chance=world.chain.hash_of_block(deciding))
    assert world.view.cases[case].hearing.seed == seed
    return seed


def _enrol(world: Twins, calling: Calling, order: tuple[str, ...]) -> list[str]:
    """Everybody asks; the lowest ranks sit, whatever the order."""
    ranks: dict[str, int] = {}
    seats: list[str] = []
    for name in order:
        world.both(
            lambda name=name: _take_seat(world, name, seats, ranks, calling),  # type: ignore[misc]
            *(name, world.contracts.cases, "enrol", calling.case),
        )
    assert set(seats) == seated(ranks, calling.size)
    assert set(world.view.cases[calling.case].hearing.seats) == {address_of(name) for name in seats}
    return seats


def _take_seat(world: Twins, name: str, seats: list[str], ranks: dict[str, int], calling: Calling) -> None:
    stake, member = world.laws.stakes.stakes[Role.EVALUATOR, address_of(name)], address_of(name)
    serves = stake.serving >= WEI and stake.raised_s < calling.called_s
    require(serves and world.view.members[Role.EVALUATOR, member].active, "NotEligible")
    named, has_signed = (calling.seed, calling.case), name in calling.signers
    ranks[name] = rank(*named, evaluator=member, stake=stake.serving, has_signed=has_signed)
    if len(seats) < calling.size:
        seats.append(name)
        return
    worst = max(seats, key=lambda seat: ranks[seat])
    require(ranks[name] < ranks[worst], "RankTooHigh")
    seats[seats.index(worst)] = name


def _vote(world: Twins, case: bytes, says: Mapping[str, bool], parameters: Parameters) -> None:
    for name, guilty in says.items():
        sealed = vote_of(address_of(name), case, stage=0, guilty=guilty, evidence=EVIDENCE, salt=SALT)
        world.both(allowed, name, world.contracts.cases, "commitVote", case, sealed)
    opens_s = world.view.cases[case].hearing.enrol_until_s + parameters.vote_seconds
    world.chain.pass_until(opens_s)
    for name, guilty in says.items():
        world.both(allowed, name, world.contracts.cases, "revealVote", case, guilty, EVIDENCE, SALT)
    world.chain.pass_until(opens_s + parameters.unseal_seconds + parameters.appeal_seconds)


def _execute(world: Twins, case: bytes, verdict: Verdict) -> None:
    now_s, jail_seconds = world.chain.next_s, world.view.parameters.at(world.chain.epoch).jail_seconds
    before = world.laws.token.burned
    world.both(
        lambda: world.laws.cases.execute(verdict, now_s=now_s, jail_seconds=jail_seconds),
        *("reporter", world.contracts.cases, "execute", case),
    )
    ending = world.view.cases[case].ending
    assert ending is not None
    assert (ending.outcome is Outcome.CONVICTED) == verdict.is_guilty, f"{ending}, by Python {verdict}"
    assert ending.burned_wei <= world.laws.token.burned - before
