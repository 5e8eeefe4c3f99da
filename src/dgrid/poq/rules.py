"""Every number that judging rests on: what the chain was told, and the constants published here, each with its reason.

"Tuned" marks what was chosen by simulation (`tests/poq/test_simulation.py`), not derived. Whoever recomputes a round
must use the same numbers, so a change here is a change of the network's rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dgrid.core.identity import model_id
from dgrid.core.money import BPS, WEI, Price

MICROS = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawRules:
    """From the chain (`Parameters.sol`): which leaves are drawn, and for how many evaluators."""

    quality_bps: int
    identity_bps: int
    committee_size: int
    duty_cap: int  # duties per evaluator and round


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """From the chain: how the four dimensions combine. Only their ratios count, for missing ones are dropped.

    By default accuracy leads because it is what a caller buys. Cost stays small: at 10 %, being four times cheaper and
    faster than the reference outweighs no more than 0.055 of quality, so selling a smaller model does not pay for
    itself; no vote lifts it above a fifth (`economics.Rule.WEIGHTS`).
    """

    format: int = 20
    accuracy: int = 50
    consistency: int = 20
    cost: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReference:
    """What a model's answer should cost and take: fixed, so that no pool can move it."""

    price: Price
    ttft_ms: int
    token_ms: int  # per token of output, after the first


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRules:
    """How an evaluator's scores are read in the light of its canaries.

    The prior says what an unknown evaluator's score is worth; ten canaries weigh as much as it (tuned: fewer let chance
    flatter newcomers, more let a booster in for longer). Bias and noise are those of the built-in judges on canaries:
    form and consistency are nearly always good, right or wrong.
    """

    prior_canaries: int = 10
    prior_bias_bps: int = 2_000  # of a score, where the truth is the mean
    prior_gain_bps: int = 6_000  # slope of score on truth
    prior_noise_bps: int = 2_000  # standard deviation of a score around its line
    prior_mean_bps: int = 6_000  # of the truth, on a task without canaries yet
    prior_spread_bps: int = 3_500  # standard deviation of the truth, likewise
    gain_min_bps: int = 1_000  # below, a score says nothing; an inverted one is never turned around, for it is a choice
    known_canaries: int = 10  # an evaluator with as many counts towards the population
    forget_at: int = 256  # sums are halved there, so that old honesty does not vouch forever


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelRules:
    """How corrected scores become one."""

    members_min: int = 2  # one evaluator's word moves nobody's credibility
    clip_mads: int = 3  # three median absolute deviations: about two standard deviations of a normal law
    mad_floor_bps: int = 500  # a panel that agrees by chance must not cut off an honest score


@dataclass(frozen=True, slots=True, kw_only=True)
class CredibilityRules:
    """How evidence becomes belief."""

    prior_micros: int = 4 * MICROS  # counts that a newcomer's prior weighs: soon outweighed
    prior_mean_bps: int = 5_000  # where no population exists
    population_min: int = 4  # rows that make a quartile
    decay_bps: int = 9_900  # of the evidence, kept from one round to the next: half after 69 rounds
    judgement_bps: int = 8_000  # the most a judgement weighs against a canary's 1, however sure the panel is
    level_prior_micros: int = 2 * MICROS  # judged canaries that hold a level back (tuned: more leave models too close)
    level_miss_bps: int = 3_000  # how far panels are taken to be off the truth until canaries tell (tuned: coverage)
    level_gain_bps: int = 15_000  # of judgements to judged canaries: ρ² / (1 − ρ²), ρ = 0.77 when set, 0.71 since
    level_least_bps: int = 5_000  # of its weight, kept by each: with few canaries they tell nodes of one model apart
    spread_prior_micros: int = 10 * MICROS  # counts for which scores are taken to be as scattered as coin flips
    identity_micros: int = 50 * MICROS  # counts against a node found to run another model


# The built-in models' f16 files. Of 570 honest replies of each the mean gap is 1e-4 nats and the largest 5.4e-3;
# replies of their own q8_0 files have 5e-3 to 1e-2 in the mean, so that most nodes that save half of the memory are
# found.
F16_GAP_MICROS = 2_500
BUILT_IN_GAPS: Mapping[bytes, int] = {
    bytes.fromhex(digest): F16_GAP_MICROS
    for digest in (
        "34ebfb196e4835071d8fa7edaa20584ec47487adc3484a8bc1c053580cf96179",
        "9e263f52c3d643eda42bd145fab3486046e92928a8360ac1beb445b8c16743ea",
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRules:
    """When a node is said to run another model than it claims.

    Honest log-probabilities shift by 4e-2 nats with q8_0 (llama.cpp, by batching and CPU features) and 5.4e-3 with f16.
    Of 3,000 honest replies of the built-in models one had a mean gap above that, of 4.4e-2. Where one of these models
    answers for another, 35 in a hundred replies are above 8e-2 between micro and mini, 66 to 70 where one of the two is
    nano (`tests/poq/measured_gaps.json`).

    Three things follow, each surer than the one before. A doubt costs nothing: an evaluator asks the node itself, and
    opens a case only if its replies convict it. A flag costs credibility and pay. Only a case costs stake.
    """

    gap_micros: int = 40_000  # the mean gap that flags, where the digest is not listed
    gap_micros_of: Mapping[bytes, int] = field(default_factory=lambda: BUILT_IN_GAPS)  # by model digest
    replies_min: int = 5  # one reply tells models apart with AUC 0.95 to 1.00; who always swaps is out after 5 to 15
    window: int = 50  # latest replies; nano for mini on a third of them stands out within it, micro in 3 of 4 lives
    clip: int = 8  # thresholds that one reply counts at most
    members_min: int = 2
    agreement_bps: int = 8_000  # of the members must say the same of a reply, or it flags for neither side
    majority_bps: int = 6_000  # likewise for a doubt: two of three, so that nobody alone keeps a node from being asked
    doubts_min: int = 2  # replies above the threshold that make a doubt: one may be chance
    fresh_min: int = 15  # replies without which a case is not decided against a node
    far: int = 2  # thresholds: a fresh reply above is one that no honest model was seen to give
    far_bps: int = 2_000  # of a member's own fresh replies must be that far off to convict: four of twenty
    far_gain_micros: int = 5_298_317  # ln(0.2 / 0.001): what one far-off reply to the opener says against a node
    near_loss_micros: int = 222_143  # ln(0.999 / 0.8): what any other reply says for it
    sworn_micros: int = 25_328_436  # ln 10^11: what the opener's replies must come to for a member to convict on them


@dataclass(frozen=True, slots=True, kw_only=True)
class PayRules:
    """What nodes and evaluators are paid. The first four come from the chain."""

    base_share_bps: int  # of a node's part, paid with the epoch; quality decides on the rest
    gain_bps: int  # what one unit of shortfall takes from m
    evaluator_rate_wei: int  # for one unit of information
    pool_cap_wei: int  # the most that a round pays evaluators
    multiplier_min_bps: int = 8_000  # the least m, see `node_pay`
    unit_bps: int = 1_000  # of quality: z counts in these, half to three quarters of a step between built-in models
    window: int = 50  # tasks; over five, a random scorer keeps half of honest pay (simulated)
    payable_tasks: int = 50
    missed_micros: int = 20_000  # a duty without a report (tuned: about a third of what one earns)
    withheld_micros: int = 60_000  # likewise, after a commitment that was not opened (tuned: more than hiding can save)


# Prices as in the built-in catalogue. Times: the model card's 0.1 to 0.3 ms a token on one idle thread, times ten for a
# machine that does other things too, and what a gateway and a node need before the first token.
BUILT_IN_REFERENCES: Mapping[bytes, CostReference] = {
    model_id(name): CostReference(price=Price(in_dgai * WEI, 2 * in_dgai * WEI), ttft_ms=50, token_ms=token_ms)
    for name, in_dgai, token_ms in (("dgrid-nano", 20, 1), ("dgrid-micro", 50, 2), ("dgrid-mini", 80, 3))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRules:
    """All of them together."""

    draw: DrawRules
    pay: PayRules
    drawn_before: Mapping[int, DrawRules] = field(default_factory=dict)  # of earlier rounds that this one takes in
    weights: Weights = field(default_factory=Weights)
    references: Mapping[bytes, CostReference] = field(default_factory=lambda: BUILT_IN_REFERENCES)  # by model id
    calibration: CalibrationRules = field(default_factory=CalibrationRules)
    panel: PanelRules = field(default_factory=PanelRules)
    credibility: CredibilityRules = field(default_factory=CredibilityRules)
    identity: IdentityRules = field(default_factory=IdentityRules)

    def __post_init__(self) -> None:
        shares = self.draw.quality_bps, self.draw.identity_bps, self.pay.base_share_bps
        if not all(0 <= share <= BPS for share in shares):
            raise ValueError("shares lie between 0 and 10,000 basis points")
        if self.draw.committee_size < 1 or self.draw.duty_cap < 1:
            raise ValueError("a committee and a cap are at least 1")

    def draw_in(self, judged_round: int) -> DrawRules:
        """By which rules a round's leaves were drawn: its own, also where a later root takes them in."""
        return self.drawn_before.get(judged_round, self.draw)
