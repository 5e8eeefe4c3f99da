"""Every number that the members can change by a vote: its bounds, what it is for and who reads it (`Parameters.sol`).

The record is the catalogue: its fields stand in the contract's order, their defaults are the dev network's values, and
what else is known of each lies beside it. Refuses to say what is in effect: that is `parameter_history`'s.
"""

from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from enum import StrEnum
from functools import cache, partial
from typing import Any, Final

from dgrid.core.errors import UnknownParameter
from dgrid.core.money import BPS, WEI, amount_text

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


class Unit(StrEnum):
    """What a parameter counts."""

    SECONDS = "s"
    BLOCKS = "blocks"
    BPS = "bps"
    WEI = "wei"
    COUNT = "count"
    WEIGHT = "weight"  # only ratios count


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which values a parameter stays, and the most by which one vote moves it; all in its own unit."""

    minimum: int
    maximum: int
    change_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunable:
    """What is known of one parameter; `index` is its place in the contract's enum."""

    index: int
    name: str
    unit: Unit
    about: str
    readers: str
    bounds: Bounds
    dev: int
    bsc: int

    @property
    def solidity_name(self) -> str:
        """As `Parameters.sol` spells it: without the unit of amounts, which are all in wei there."""
        return "".join(part.capitalize() for part in self.name.removesuffix("_wei").split("_"))

    @property
    def shown_unit(self) -> str:
        """What people read values in."""
        return "DGAI" if self.unit is Unit.WEI else self.unit.value

    def shown(self, value: int) -> str:
        """A value as people read it: amounts in whole DGAI with as many decimals as they need."""
        return amount_text(value) if self.unit is Unit.WEI else f"{value:,}"


def _tunable(about: str, readers: str, *, within: Bounds, dev: int, bsc: int, unit: Unit) -> Any:
    return field(default=dev, metadata={"about": about, "readers": readers, "bounds": within, "unit": unit, "bsc": bsc})


_seconds = partial(_tunable, unit=Unit.SECONDS)
_blocks = partial(_tunable, unit=Unit.BLOCKS)
_bps = partial(_tunable, unit=Unit.BPS)
_wei = partial(_tunable, unit=Unit.WEI)
_count = partial(_tunable, unit=Unit.COUNT)
_weight = partial(_tunable, unit=Unit.WEIGHT)

_DAYS = Bounds(1, 14 * DAY, 2 * DAY)
_STEP = Bounds(1, 12 * HOUR, HOUR)  # of a round: all of them together should take less than a day
_SHARE = Bounds(0, BPS, 2_000)
_WEIGHTS = Bounds(0, 1_000, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """All of them as they stand in one epoch, in the contract's order. Shares are basis points, amounts wei."""

    challenge_seconds: int = _seconds(
        "How long an epoch's root can be challenged before it pays.",
        "settlement, claims",
        within=_DAYS,
        dev=15,
        bsc=DAY,
    )
    challenge_blocks: int = _blocks(
        "How many blocks must pass in that time as well.", "settlement", within=Bounds(1, 1_000, 100), dev=2, bsc=20
    )
    default_seconds: int = _seconds(
        "How long after an epoch's end payees wait for its root before they claim without it.",
        "settlement, claims",
        within=_DAYS,
        dev=180,
        bsc=6 * HOUR,
    )
    bond_seconds: int = _seconds(
        "How long a gateway's bond stays after it asked for it back.",
        "settlement",
        within=Bounds(1, 60 * DAY, 7 * DAY),
        dev=300,
        bsc=7 * DAY,
    )
    gateway_slash_bps: int = _bps(
        "What a convicted gateway loses of its bond and of its stake.",
        "settlement",
        within=_SHARE,
        dev=5_000,
        bsc=5_000,
    )
    reporter_bps: int = _bps(
        "What whoever reports a fraud gets of the slash.",
        "settlement, court, demands, cases",
        within=Bounds(0, 5_000, 1_000),
        dev=2_000,
        bsc=2_000,
    )
    stored_quorum: int = _count(
        "How many archives must have stored an epoch's blob before its root counts.",
        "settlement, gateways",
        within=Bounds(1, 64, 4),
        dev=2,
        bsc=3,
    )
    minimum_bond_wei: int = _wei(
        "The least bond with which a gateway can anchor.",
        "settlement",
        within=Bounds(WEI, 10**7 * WEI, 50_000 * WEI),
        dev=1_000 * WEI,
        bsc=50_000 * WEI,
    )
    demand_seconds: int = _seconds(
        "How long a demanded record may stay unanswered.", "demands", within=_DAYS, dev=20, bsc=DAY
    )
    demand_deposit_wei: int = _wei(
        "What it takes to demand a record; whoever answers gets it.",
        "demands",
        within=Bounds(0, 1_000 * WEI, 10 * WEI),
        dev=WEI,
        bsc=10 * WEI,
    )
    minimum_stake_wei: int = _wei(
        "The least stake of its own with which a member is active.",
        "registry, every role",
        within=Bounds(WEI, 10**7 * WEI, 10_000 * WEI),
        dev=1_000 * WEI,
        bsc=10_000 * WEI,
    )
    unbonding_seconds: int = _seconds(
        "How long stake stays slashable after its owner asked for it back.",
        "registry",
        within=Bounds(1, 60 * DAY, 7 * DAY),
        dev=300,
        bsc=14 * DAY,
    )
    maximum_margin_bps: int = _bps(
        "The most a gateway may put on a node's price.",
        "registry, gateways",
        within=Bounds(0, 5_000, 500),
        dev=2_000,
        bsc=2_000,
    )
    maximum_commission_bps: int = _bps(
        "The most a member may keep of what its delegators earn.",
        "registry",
        within=Bounds(0, 5_000, 500),
        dev=2_000,
        bsc=2_000,
    )
    jail_seconds: int = _seconds(
        "How long a convicted member stays out.", "registry", within=Bounds(1, 90 * DAY, 7 * DAY), dev=60, bsc=7 * DAY
    )
    protocol_bps: int = _bps(
        "What the protocol takes of a node's price.",
        "gateways, nodes, auditors",
        within=Bounds(0, 1_000, 100),
        dev=200,
        bsc=200,
    )
    exploration_bps: int = _bps(
        "The share of a model's requests that goes to nodes hardly judged yet.",
        "gateways",
        within=Bounds(0, 5_000, 500),
        dev=2_000,
        bsc=1_000,
    )
    exposure_bps: int = _bps(
        "What a node may earn in epochs whose checks are not final, of its stake.",
        "gateways",
        within=Bounds(0, BPS, 1_000),
        dev=BPS,
        bsc=BPS,
    )
    commit_seconds: int = _seconds(
        "How long after a round's end evaluators commit.", "court, evaluators", within=_STEP, dev=10, bsc=30 * MINUTE
    )
    reveal_seconds: int = _seconds(
        "How long they then have to open their reports.", "court, evaluators", within=_STEP, dev=8, bsc=15 * MINUTE
    )
    open_seconds: int = _seconds(
        "How long authors then have to open their canaries.", "court, authors", within=_STEP, dev=8, bsc=15 * MINUTE
    )
    root_seconds: int = _seconds(
        "How long a quality root can be disputed before it pays.", "court, claims", within=_STEP, dev=15, bsc=HOUR
    )
    committee_size: int = _count(
        "How many evaluators judge a drawn answer.", "evaluators, gateways", within=Bounds(1, 63, 4), dev=3, bsc=15
    )
    duty_cap: int = _count(
        "How many duties an evaluator has in a round at most.",
        "evaluators, gateways",
        within=Bounds(1, 10_000, 100),
        dev=20,
        bsc=200,
    )
    quality_bps: int = _bps(
        "The share of answers whose quality is judged.", "evaluators, gateways", within=_SHARE, dev=5_000, bsc=500
    )
    identity_bps: int = _bps(
        "The share of answers run again with the claimed model.",
        "evaluators, gateways",
        within=_SHARE,
        dev=2_000,
        bsc=500,
    )
    canary_bps: int = _bps(
        "The share of traffic that authors add as known-answer tasks.",
        "authors",
        within=Bounds(0, 5_000, 1_000),
        dev=3_000,
        bsc=500,
    )
    gain_bps: int = _bps(
        "What one unit of missing quality takes from a node's pay.",
        "evaluators, auditors",
        within=Bounds(0, 5_000, 500),
        dev=1_000,
        bsc=1_000,
    )
    quorum_bps: int = _bps(
        "The share of the openers that a quality root needs more than.",
        "court, evaluators",
        within=Bounds(5_000, 9_000, 1_000),
        dev=5_000,
        bsc=5_000,
    )
    evaluator_rate_wei: int = _wei(
        "What one unit of information is worth.",
        "evaluators, auditors",
        within=Bounds(0, WEI, WEI // 100),
        dev=3 * WEI // 10_000,
        bsc=3 * WEI // 10_000,
    )
    pool_cap_wei: int = _wei(
        "The most that one round pays its evaluators.",
        "court, evaluators",
        within=Bounds(0, 10_000 * WEI, 10 * WEI),
        dev=WEI // 100,
        bsc=10 * WEI,
    )
    late_penalty_wei: int = _wei(
        "What an evaluator loses that keeps its word back.",
        "court, cases",
        within=Bounds(0, 10_000 * WEI, 100 * WEI),
        dev=10 * WEI,
        bsc=100 * WEI,
    )
    accuracy_weight: int = _weight(
        "What accuracy weighs in quality.", "evaluators, auditors", within=_WEIGHTS, dev=50, bsc=50
    )
    consistency_weight: int = _weight(
        "What consistency weighs.", "evaluators, auditors", within=_WEIGHTS, dev=20, bsc=20
    )
    format_weight: int = _weight("What form weighs.", "evaluators, auditors", within=_WEIGHTS, dev=20, bsc=20)
    cost_weight: int = _weight("What price and speed weigh.", "evaluators, auditors", within=_WEIGHTS, dev=10, bsc=10)
    case_bond_wei: int = _wei(
        "What it takes to open a case.",
        "cases",
        within=Bounds(WEI, 10**5 * WEI, 1_000 * WEI),
        dev=10 * WEI,
        bsc=500 * WEI,
    )
    enrol_seconds: int = _seconds(
        "How long evaluators have to take a seat in a case.", "cases, evaluators", within=_STEP, dev=8, bsc=HOUR
    )
    vote_seconds: int = _seconds(
        "How long a committee has to commit its votes.",
        "cases, evaluators",
        within=Bounds(1, 7 * DAY, DAY),
        dev=15,
        bsc=6 * HOUR,
    )
    unseal_seconds: int = _seconds(
        "How long it then has to open them.", "cases, evaluators", within=_STEP, dev=8, bsc=HOUR
    )
    appeal_seconds: int = _seconds("How long a first verdict can be appealed.", "cases", within=_DAYS, dev=15, bsc=DAY)
    case_committee: int = _count("How many seats decide a case.", "cases", within=Bounds(1, 63, 4), dev=3, bsc=15)
    appeal_committee: int = _count("How many seats decide an appeal.", "cases", within=Bounds(2, 127, 8), dev=5, bsc=31)
    verdict_bps: int = _bps(
        "The share of the seats that convicts.", "cases", within=Bounds(5_001, BPS, 1_000), dev=6_666, bsc=6_666
    )
    case_samples: int = _count(
        "How many fresh requests each member makes.",
        "evaluators",
        within=Bounds(16, 64, 10),  # fewer than fifteen replies convict nobody, and one may stay out
        dev=20,
        bsc=20,
    )
    node_slash_bps: int = _bps(
        "What a node loses of its stake that ran another model than it sold.",
        "cases",
        within=_SHARE,
        dev=5_000,
        bsc=1_000,
    )
    evaluator_slash_bps: int = _bps(
        "What an evaluator loses of its stake that signed a false quality root.",
        "cases",
        within=_SHARE,
        dev=5_000,
        bsc=1_000,
    )
    undisclosed_penalty_wei: int = _wei(
        "What a gateway loses that kept a drawn answer from its judges, and an archive that withheld a blob.",
        "cases, demands",
        within=Bounds(0, 10**5 * WEI, 1_000 * WEI),
        dev=20 * WEI,
        bsc=1_000 * WEI,
    )
    request_value_max_wei: int = _wei(
        "What one request is worth at most: what stakes and checks are weighed against.",
        "guard, cases",
        within=Bounds(WEI // 1_000, 1_000 * WEI, 10 * WEI),
        dev=WEI // 10,
        bsc=WEI,
    )


@cache
def catalogue() -> tuple[Tunable, ...]:
    """What is known of every parameter, in the contract's order."""
    dev = Parameters()
    return tuple(
        Tunable(index=at, name=one.name, dev=getattr(dev, one.name), **one.metadata)
        for at, one in enumerate(fields(Parameters))
    )


def tunable(name: str) -> Tunable:
    """One parameter's entry. Raises UnknownParameter."""
    found = next((one for one in catalogue() if one.name == name), None)
    if found is None:
        near = get_close_matches(name, [one.name for one in catalogue()], n=1, cutoff=0.75)
        hint = f"did you mean {near[0]}?" if near else "`dgrid gov parameters` lists them all"
        raise UnknownParameter(f"the network has no parameter {name}", hint=hint)
    return found


def bsc_parameters() -> Parameters:
    """The values that a network on BNB Smart Chain starts with, where an epoch is an hour."""
    return Parameters(**{one.name: one.bsc for one in catalogue()})
