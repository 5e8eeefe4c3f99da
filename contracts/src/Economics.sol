// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Parameter} from "./Parameter.sol";
import {BPS, MAX_REFUNDS} from "./Types.sol";

/// @dev What a set of parameters can break, in the order in which it is looked for.
enum Rule {
    NodeHonesty,
    NodeExposure,
    EvaluatorHonesty,
    Unbonding,
    Bond,
    Windows,
    Committees,
    Reporter,
    Weights,
    Verdicts
}

/// @title Which settings keep honesty the best course
/// @notice Inequalities over integers, cross-multiplied so that nothing is rounded away, or rounded as what they speak of
/// is. A detector finds what it looks for nine times in ten; a cheat saves at most four fifths of a request's worth; five
/// detections convict; an evaluator is paid nothing before fifty tasks.
library Economics {
    error Unsafe(Rule rule);

    uint256 internal constant DETECTION_BPS = 9_000;
    uint256 internal constant SAVED_BPS = 8_000;

    /// @dev Requests until five are detected with 99 % certainty are 11.61 / (p · δ): the Poisson bound, here in 1e-10,
    /// as p and δ are basis points each.
    uint256 internal constant FIVE_DETECTIONS = 1_161_000_000;

    /// @dev Tasks that an evaluator's pay waits for, and looks back on.
    uint256 internal constant PAYABLE_TASKS = 50;

    /// @param values every parameter, in the order of the enum
    function check(uint256[] memory values, uint256 epochSeconds) internal pure {
        require(_isNodeHonest(values), Unsafe(Rule.NodeHonesty));
        require(_isExposureCovered(values), Unsafe(Rule.NodeExposure));
        require(_isEvaluatorHonest(values), Unsafe(Rule.EvaluatorHonesty));
        (uint256 unbondingSeconds, uint256 bondSeconds) = leastDelays(values, epochSeconds);
        checkDelays(values, unbondingSeconds, bondSeconds);
        require(_areWindowsOpen(values, epochSeconds), Unsafe(Rule.Windows));
        require(_areCommitteesSound(values), Unsafe(Rule.Committees));
        require(_of(values, Parameter.ReporterBps) <= BPS / 2, Unsafe(Rule.Reporter)); // to report oneself must lose
        require(_areWeightsSound(values), Unsafe(Rule.Weights));
        require(_doVerdictsPayAlike(values), Unsafe(Rule.Verdicts));
    }

    /// @notice Stake and bond must stay for as long as a set of parameters asks, be it this one or the one before.
    function checkDelays(uint256[] memory values, uint256 unbondingSeconds, uint256 bondSeconds) internal pure {
        require(_of(values, Parameter.UnbondingSeconds) >= unbondingSeconds, Unsafe(Rule.Unbonding));
        require(_of(values, Parameter.BondSeconds) >= bondSeconds, Unsafe(Rule.Bond));
    }

    /// @notice For how long stake must answer (detection, a case, its appeal, two epochs), and a bond stand behind what
    /// was served: perhaps never closed, then claimed by default, or demanded.
    function leastDelays(uint256[] memory values, uint256 epochSeconds)
        internal
        pure
        returns (uint256 unbondingSeconds, uint256 bondSeconds)
    {
        uint256 challenge = _of(values, Parameter.ChallengeSeconds);
        uint256 judging = _of(values, Parameter.CommitSeconds) + _of(values, Parameter.RevealSeconds)
            + _of(values, Parameter.OpenSeconds) + _of(values, Parameter.RootSeconds);
        uint256 trial = _of(values, Parameter.EnrolSeconds) + _of(values, Parameter.VoteSeconds)
            + _of(values, Parameter.UnsealSeconds);
        unbondingSeconds = challenge + judging + 2 * trial + _of(values, Parameter.AppealSeconds) + 2 * epochSeconds;
        bondSeconds =
            epochSeconds + _of(values, Parameter.DefaultSeconds) + challenge + _of(values, Parameter.DemandSeconds);
    }

    /// @dev p · δ · (P + σS) ≥ 0.8 · P
    function _isNodeHonest(uint256[] memory values) private pure returns (bool) {
        uint256 worth = _of(values, Parameter.RequestValueMax);
        uint256 lost = worth * BPS + _slashedStake(values);
        uint256 caught = _of(values, Parameter.IdentityBps) * DETECTION_BPS;
        return caught * lost >= SAVED_BPS * worth * BPS * BPS;
    }

    /// @dev σS ≥ 0.8 · P · n, where n requests are certain to convict; none are where nothing is checked.
    function _isExposureCovered(uint256[] memory values) private pure returns (bool) {
        uint256 caught = _of(values, Parameter.IdentityBps) * DETECTION_BPS;
        if (caught == 0) return false;
        uint256 requests = (FIVE_DETECTIONS + caught - 1) / caught;
        bool covered = _slashedStake(values) >= SAVED_BPS * _of(values, Parameter.RequestValueMax) * requests;
        return covered && _of(values, Parameter.ExposureBps) <= BPS;
    }

    /// @dev Who guesses loses its pay and nothing else: so there must be pay, and h · δ · 50 ≥ 1, a canary that tells it
    /// from who judges among the tasks that pay waits for. What a judgement costs, nobody here can know. Who is silent
    /// loses the late penalty, but for the reward if it reports itself: that is no less than what opened reports can
    /// cost at the worst, a unit of information each. A juror's is burned whole, and is no less than what it saves that
    /// asks for none of its samples.
    function _isEvaluatorHonest(uint256[] memory values) private pure returns (bool) {
        uint256 caught = _of(values, Parameter.CanaryBps) * DETECTION_BPS;
        bool told = _of(values, Parameter.EvaluatorRate) != 0 && caught * PAYABLE_TASKS >= BPS * BPS;
        uint256 penalty = _of(values, Parameter.LatePenalty);
        uint256 reports = _of(values, Parameter.EvaluatorRate) * _of(values, Parameter.DutyCap);
        bool opens = _unrewarded(values, penalty) >= reports;
        bool asks = penalty >= _of(values, Parameter.CaseSamples) * _of(values, Parameter.RequestValueMax);
        return told && opens && asks;
    }

    function _areWindowsOpen(uint256[] memory values, uint256 epochSeconds) private pure returns (bool) {
        bool judging = _of(values, Parameter.CommitSeconds) != 0 && _of(values, Parameter.RevealSeconds) != 0
            && _of(values, Parameter.OpenSeconds) != 0 && _of(values, Parameter.RootSeconds) != 0;
        bool trial = _of(values, Parameter.EnrolSeconds) != 0 && _of(values, Parameter.VoteSeconds) != 0
            && _of(values, Parameter.UnsealSeconds) != 0 && _of(values, Parameter.AppealSeconds) != 0;
        // No root is posted before the last is final: with a longer window roots would fall behind the rounds.
        bool timely = _of(values, Parameter.RootSeconds) <= epochSeconds;
        // With a smaller quorum two roots could each have theirs.
        bool decided = _of(values, Parameter.QuorumBps) >= BPS / 2 && _of(values, Parameter.VerdictBps) > BPS / 2;
        return judging && trial && timely && decided;
    }

    function _areCommitteesSound(uint256[] memory values) private pure returns (bool) {
        uint256 first = _of(values, Parameter.CaseCommittee);
        return _of(values, Parameter.CommitteeSize) != 0 && first != 0 && first < _of(values, Parameter.AppealCommittee);
    }

    /// @dev Cost may weigh at most a fifth: else a cheaper, worse model would gain by it.
    function _areWeightsSound(uint256[] memory values) private pure returns (bool) {
        uint256 cost = _of(values, Parameter.CostWeight);
        uint256 sum = _of(values, Parameter.AccuracyWeight) + _of(values, Parameter.ConsistencyWeight)
            + _of(values, Parameter.FormatWeight) + cost;
        return sum != 0 && 5 * cost <= sum;
    }

    /// @dev Jurors share one bond: the opener's if they acquit, else what a slash leaves beyond refunds and reward. So
    /// the least that any kind of case takes of a member with the least stake must leave a bond, by the sums of `Awards`;
    /// else they would be paid better for the other verdict. A wrong root's signers refund nobody. A penalty above the
    /// stake takes all of it, which by the first line is enough.
    function _doVerdictsPayAlike(uint256[] memory values) private pure returns (bool) {
        uint256 bond = _of(values, Parameter.CaseBond);
        uint256 refunds = MAX_REFUNDS * _of(values, Parameter.RequestValueMax);
        uint256 stake = _of(values, Parameter.MinimumStake);
        return _unrewarded(values, stake * _of(values, Parameter.NodeSlashBps) / BPS) >= refunds + bond
            && _unrewarded(values, _of(values, Parameter.UndisclosedPenalty)) >= refunds + bond
            && _unrewarded(values, stake * _of(values, Parameter.EvaluatorSlashBps) / BPS) >= bond;
    }

    function _unrewarded(uint256[] memory values, uint256 slashed) private pure returns (uint256) {
        uint256 rewarded = slashed * _of(values, Parameter.ReporterBps) / BPS;
        return rewarded < slashed ? slashed - rewarded : 0;
    }

    /// @dev In 1e-4 wei.
    function _slashedStake(uint256[] memory values) private pure returns (uint256) {
        return _of(values, Parameter.MinimumStake) * _of(values, Parameter.NodeSlashBps);
    }

    function _of(uint256[] memory values, Parameter parameter) private pure returns (uint256) {
        return values[uint256(parameter)];
    }
}
