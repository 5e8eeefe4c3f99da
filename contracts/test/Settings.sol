// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PARAMETERS, Parameter} from "../src/Parameter.sol";
import {Bound} from "../src/Parameters.sol";

/// @notice The parameters that tests start with: the dev network's, but for a dearer evaluator and a wider pool.
library Settings {
    function dev() internal pure returns (uint256[] memory values) {
        values = new uint256[](PARAMETERS);
        _settle(values);
        _govern(values);
        _judge(values);
        _try(values);
    }

    /// @dev Within which any change is allowed, so that a test of something else can make it.
    function wide() internal pure returns (Bound[] memory bounds) {
        bounds = new Bound[](PARAMETERS);
        for (uint256 i = 0; i < PARAMETERS; ++i) {
            bounds[i] = Bound(0, type(uint96).max, type(uint96).max);
        }
    }

    function with(uint256[] memory values, Parameter parameter, uint256 value)
        internal
        pure
        returns (uint256[] memory)
    {
        values[uint256(parameter)] = value;
        return values;
    }

    function _settle(uint256[] memory values) private pure {
        with(values, Parameter.ChallengeSeconds, 15);
        with(values, Parameter.ChallengeBlocks, 2);
        with(values, Parameter.DefaultSeconds, 180);
        with(values, Parameter.BondSeconds, 300);
        with(values, Parameter.GatewaySlashBps, 5_000);
        with(values, Parameter.ReporterBps, 2_000);
        with(values, Parameter.StoredQuorum, 2);
        with(values, Parameter.MinimumBond, 1_000e18);
        with(values, Parameter.DemandSeconds, 20);
        with(values, Parameter.DemandDeposit, 1e18);
    }

    function _govern(uint256[] memory values) private pure {
        with(values, Parameter.MinimumStake, 1_000e18);
        with(values, Parameter.UnbondingSeconds, 300);
        with(values, Parameter.MaximumMarginBps, 2_000);
        with(values, Parameter.MaximumCommissionBps, 2_000);
        with(values, Parameter.JailSeconds, 60);
        with(values, Parameter.ProtocolBps, 200);
        with(values, Parameter.ExplorationBps, 2_000);
        with(values, Parameter.ExposureBps, 10_000);
    }

    function _judge(uint256[] memory values) private pure {
        with(values, Parameter.CommitSeconds, 10);
        with(values, Parameter.RevealSeconds, 8);
        with(values, Parameter.OpenSeconds, 8);
        with(values, Parameter.RootSeconds, 15);
        with(values, Parameter.CommitteeSize, 3);
        with(values, Parameter.DutyCap, 20);
        with(values, Parameter.QualityBps, 5_000);
        with(values, Parameter.IdentityBps, 2_000);
        with(values, Parameter.CanaryBps, 3_000);
        with(values, Parameter.GainBps, 1_000);
        with(values, Parameter.QuorumBps, 5_000);
        with(values, Parameter.EvaluatorRate, 1e15);
        with(values, Parameter.PoolCap, 1e18);
        with(values, Parameter.LatePenalty, 10e18);
        with(values, Parameter.AccuracyWeight, 50);
        with(values, Parameter.ConsistencyWeight, 20);
        with(values, Parameter.FormatWeight, 20);
        with(values, Parameter.CostWeight, 10);
    }

    function _try(uint256[] memory values) private pure {
        with(values, Parameter.CaseBond, 10e18);
        with(values, Parameter.EnrolSeconds, 8);
        with(values, Parameter.VoteSeconds, 15);
        with(values, Parameter.UnsealSeconds, 8);
        with(values, Parameter.AppealSeconds, 15);
        with(values, Parameter.CaseCommittee, 3);
        with(values, Parameter.AppealCommittee, 5);
        with(values, Parameter.VerdictBps, 6_666);
        with(values, Parameter.CaseSamples, 10);
        with(values, Parameter.NodeSlashBps, 5_000);
        with(values, Parameter.EvaluatorSlashBps, 5_000);
        with(values, Parameter.UndisclosedPenalty, 20e18);
        with(values, Parameter.RequestValueMax, 1e17);
    }
}
