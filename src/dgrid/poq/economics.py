"""When honesty pays, as inequalities over a network's terms: so that nobody deploys terms under which it does not.

`violations` is the guard over a network's parameters: `Economics.sol` refuses what it names, by the same integers. A
node is weighed by `Temptation`. An evaluator that guesses loses nothing but its pay, for only silence is slashed: so
the guard asks that judging is paid and can be told from guessing, and that silence costs more than it saves. Refuses to
say what a judgement costs: that follows from the prices of the nodes that a judge asks, and no parameter bounds it.
"""

from collections.abc import Iterator
from dataclasses import replace
from enum import IntEnum

from dgrid.chain.case_events import REFUNDS_MAX
from dgrid.chain.parameters import Parameters
from dgrid.core.money import BPS
from dgrid.poq.temptation import SQUARED_BPS, Temptation

HIT_BPS = 9_000  # δ, assumed: nine of ten checked cheats are found; ε is nought, for only a jury's verdict slashes
SAVING_BPS = 8_000  # Δc: what of a price the smallest model in place of the claimed one saves
FIVE_OF_POISSON = 1_161  # hundredths: with a mean of 11.61, five detections happen with 99 %
"""Five detections, each with δ, are a bound, not the rule: a node is asked, and convicted by its own replies, once at
least five checked ones lie beyond the threshold in the mean (`identity.is_doubted`). By the gaps of the built-in
models (`tests/poq/measured_gaps.json`) three in four replies of nano under a dearer name lie beyond, of micro under
mini's 43 in a hundred. Yet whoever always swaps is asked before it has saved 0.9 of what is counted, with 99 %, at a
check of 5 % as of 20 %: nano for mini after six checked replies; micro for mini after fifteen, but that saves three
eighths of a price, not 0.8.

Who swaps every second or third reply saves less than half of it on average, but is not held to it with 99 %: nano for
mini on a third saves 1.1 times as much, micro for mini 2.8 times (`tests/poq/test_lifetimes.py`). `NODE_HONESTY` needs
no such δ: where exposure is covered it would hold with 0.08.
"""
QUORUM_BPS_MIN = 5_000
PAYABLE_TASKS = 50  # `PayRules`: what an evaluator's pay waits for, and looks back on
REPORTER_BPS_MAX = 5_000  # who reports itself must lose
COST_PARTS_MIN = 5  # cost is at most a fifth of quality: else selling a smaller model would pay for itself


class Rule(IntEnum):
    """What a network's parameters must keep (`Economics.sol`, in its order)."""

    NODE_HONESTY = 0
    NODE_EXPOSURE = 1
    EVALUATOR_HONESTY = 2
    UNBONDING = 3
    BOND = 4
    WINDOWS = 5
    COMMITTEES = 6
    REPORTER = 7
    WEIGHTS = 8
    VERDICTS = 9


def violations(parameters: Parameters, *, epoch_seconds: int, before: Parameters | None = None) -> tuple[Rule, ...]:
    """The rules that these values break together, in order; the contract names the first.

    `before` are the values that count until these do: the new delays must outlast the windows that run meanwhile, too.
    """
    found = [rule for rule, holds in _findings(parameters, epoch_seconds) if not holds]
    if before is not None:
        delays = {"unbonding_seconds": parameters.unbonding_seconds, "bond_seconds": parameters.bond_seconds}
        meanwhile = replace(before, **delays)
        found += [rule for rule, holds in _delays(meanwhile, epoch_seconds) if not holds and rule not in found]
    return tuple(found)


def request_temptation(parameters: Parameters) -> Temptation:
    """What cheating on a request of the highest worth is to a node with the least stake; amounts in 10⁻⁴ wei, so that
    nothing is rounded.
    """
    return Temptation(
        check_bps=parameters.identity_bps,
        hit_bps=HIT_BPS,
        false_bps=0,
        price_wei=parameters.request_value_max_wei * BPS,
        slash_wei=parameters.minimum_stake_wei * parameters.node_slash_bps,
        rents_wei=0,
        saving_wei=parameters.request_value_max_wei * SAVING_BPS,
    )


def requests_undetected(parameters: Parameters) -> int | None:
    """A bound from Poisson's law on the requests until five detections, with 99 %; None where none comes."""
    hit = parameters.identity_bps * HIT_BPS
    return -(-FIVE_OF_POISSON * SQUARED_BPS // (100 * hit)) if hit else None


def detection_seconds(parameters: Parameters, *, epoch_seconds: int) -> int:
    """From a fraud to the end of the last appeal: its epoch, the next, judging, the challenge, two stages of a case."""
    p = parameters
    judging = p.commit_seconds + p.reveal_seconds + p.open_seconds + p.root_seconds
    case = 2 * (p.enrol_seconds + p.vote_seconds + p.unseal_seconds) + p.appeal_seconds
    return p.challenge_seconds + judging + case + 2 * epoch_seconds


def _findings(parameters: Parameters, epoch_seconds: int) -> Iterator[tuple[Rule, bool]]:
    p = parameters
    yield Rule.NODE_HONESTY, request_temptation(p).is_resisted
    yield Rule.NODE_EXPOSURE, _covers_exposure(p)
    yield Rule.EVALUATOR_HONESTY, _tells_guessing(p) and _costs_silence(p)
    yield from _delays(p, epoch_seconds)
    yield Rule.WINDOWS, _has_windows(p, epoch_seconds)
    yield Rule.COMMITTEES, p.committee_size >= 1 and 1 <= p.case_committee < p.appeal_committee
    yield Rule.REPORTER, p.reporter_bps <= REPORTER_BPS_MAX
    yield Rule.WEIGHTS, _weighs(p)
    yield Rule.VERDICTS, _pays_verdicts_alike(p)


def _delays(parameters: Parameters, epoch_seconds: int) -> Iterator[tuple[Rule, bool]]:
    p = parameters
    longest_debt = epoch_seconds + p.default_seconds + p.challenge_seconds + p.demand_seconds
    yield Rule.UNBONDING, p.unbonding_seconds >= detection_seconds(p, epoch_seconds=epoch_seconds)
    yield Rule.BOND, p.bond_seconds >= longest_debt


def _covers_exposure(parameters: Parameters) -> bool:
    """Whether the slash is worth what an impostor saves until it is convicted."""
    requests, temptation = requests_undetected(parameters), request_temptation(parameters)
    if requests is None or parameters.exposure_bps > BPS:
        return False
    return temptation.slash_wei >= temptation.saving_wei * requests


def _tells_guessing(parameters: Parameters) -> bool:
    """Whether judging is paid, and a canary that tells it from guessing is expected among the tasks that pay waits for.

    What it is paid may be less than it costs: that, no parameter knows.
    """
    p = parameters
    return p.evaluator_rate_wei > 0 and p.canary_bps * HIT_BPS * PAYABLE_TASKS >= SQUARED_BPS


def _costs_silence(parameters: Parameters) -> bool:
    """Whether silence costs enough: whoever commits and does not open must lose what opened reports can cost at worst,
    a unit of information each, even if it reports itself; and a silent juror what it saves by taking no samples.
    """
    p = parameters
    reports_wei = p.evaluator_rate_wei * p.duty_cap
    samples_wei = p.request_value_max_wei * p.case_samples
    return _unrewarded_wei(p, p.late_penalty_wei) >= reports_wei and p.late_penalty_wei >= samples_wei


def _has_windows(parameters: Parameters, epoch_seconds: int) -> bool:
    p = parameters
    judging = p.commit_seconds, p.reveal_seconds, p.open_seconds, p.root_seconds
    case = p.enrol_seconds, p.vote_seconds, p.unseal_seconds, p.appeal_seconds
    majorities = p.quorum_bps >= QUORUM_BPS_MIN and p.verdict_bps > BPS // 2
    return all((*judging, *case)) and p.root_seconds <= epoch_seconds and majorities


def _weighs(parameters: Parameters) -> bool:
    p = parameters
    whole = p.accuracy_weight + p.consistency_weight + p.format_weight + p.cost_weight
    return whole > 0 and COST_PARTS_MIN * p.cost_weight <= whole


def _pays_verdicts_alike(parameters: Parameters) -> bool:
    """Whether a conviction leaves the jurors what an acquittal gives them: one bond.

    By the sums of `Awards.sol`: what a case takes from a member with the least stake first pays the refunds and the
    opener's reward. The signers of a wrong root refund nobody. A penalty above the stake takes all of the stake, which
    is enough wherever a node's slash is.
    """
    p = parameters
    refunds_wei = REFUNDS_MAX * p.request_value_max_wei
    of_node = p.minimum_stake_wei * p.node_slash_bps // BPS
    of_signer = p.minimum_stake_wei * p.evaluator_slash_bps // BPS
    left = (of_node, refunds_wei), (p.undisclosed_penalty_wei, refunds_wei), (of_signer, 0)
    return all(_unrewarded_wei(p, wei) >= p.case_bond_wei + first for wei, first in left)


def _unrewarded_wei(parameters: Parameters, slashed_wei: int) -> int:
    """What a slash leaves beyond the reporter's reward."""
    return max(0, slashed_wei - slashed_wei * parameters.reporter_bps // BPS)
