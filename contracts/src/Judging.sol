// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {DGAI} from "./DGAI.sol";
import {Registry} from "./Registry.sol";
import {Settlement} from "./Settlement.sol";
import {BPS} from "./Types.sol";

/// @dev Shares are basis points, amounts wei. What no contract enforces (the committee, the duties, the shares of leaves
/// drawn, the pay) is published here, so that everybody who recomputes a round uses the same.
struct JudgingRules {
    uint64 commitSeconds;
    uint64 revealSeconds;
    uint64 openSeconds;
    uint64 challengeSeconds;
    uint8 committeeSize;
    uint16 dutyCap;
    uint16 qualityBps;
    uint16 identityBps;
    uint16 canaryBps;
    uint16 gainBps;
    uint16 quorumBps;
    uint128 evaluatorRate; // per unit of information
    uint128 poolCap; // most that one root may add to what is paid out of the pool
    uint128 latePenalty;
    uint16 reporterBps;
}

/// @title What the court is told once and never changes, and the clock of a round
/// @notice A round is the epoch in which seeds were fixed. After its end come, without a gap: commits, openings of
/// reports, openings of canaries, the root.
abstract contract Judging is EIP712 {
    error WrongPrediction(address predictedBySettlement, address predictedByRegistry);
    error ZeroGovernor();
    error ShareAboveWhole(uint256 bps);
    error QuorumBelowHalf(uint16 quorumBps);
    error EmptyWindow();
    error EmptyCommittee();
    error ChallengeTooLong(uint64 challengeSeconds, uint64 epochSeconds);
    error OnlyGovernor(address caller);
    error TooEarly(uint256 from);
    error TooLate(uint256 until);

    DGAI public immutable token;
    Registry public immutable registry;
    Settlement public immutable settlement;
    address public immutable governor;

    // Settlement's own, kept here because it never changes them and each look there would cost a call.
    uint64 private immutable _genesis;
    uint64 private immutable _epochSeconds;

    JudgingRules private _rules;

    /// @dev Settlement and registry were given this contract's address before it existed.
    constructor(DGAI token_, Registry registry_, Settlement settlement_, address governor_, JudgingRules memory rules_)
        EIP712("DGrid Quality", "1")
    {
        (address bySettlement, address byRegistry) = (settlement_.treasury(), registry_.court());
        bool predicted = bySettlement == address(this) && byRegistry == address(this);
        require(predicted, WrongPrediction(bySettlement, byRegistry));
        require(governor_ != address(0), ZeroGovernor());
        _checkRules(rules_, settlement_.epochSeconds());
        token = token_;
        registry = registry_;
        settlement = settlement_;
        governor = governor_;
        _genesis = settlement_.genesis();
        _epochSeconds = settlement_.epochSeconds();
        _rules = rules_;
    }

    function rules() external view returns (JudgingRules memory) {
        return _rules;
    }

    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @notice When a round's steps begin; each lasts until the next. A root may come any time after the last.
    function windowsOf(uint64 round)
        public
        view
        returns (uint256 commitFrom, uint256 revealFrom, uint256 openFrom, uint256 postFrom)
    {
        commitFrom = _startOf(round) + _epochSeconds;
        revealFrom = commitFrom + _rules.commitSeconds;
        openFrom = revealFrom + _rules.revealSeconds;
        postFrom = openFrom + _rules.openSeconds;
    }

    function _startOf(uint64 epoch) internal view returns (uint256) {
        return uint256(_genesis) + uint256(epoch) * _epochSeconds;
    }

    function _roundNow() internal view returns (uint64) {
        return block.timestamp < _genesis ? 0 : (uint64(block.timestamp) - _genesis) / _epochSeconds;
    }

    function _judging() internal view returns (JudgingRules storage) {
        return _rules;
    }

    function _requireGovernor() internal view {
        require(msg.sender == governor, OnlyGovernor(msg.sender));
    }

    function _requireWindow(uint256 from, uint256 until) internal view {
        require(block.timestamp >= from, TooEarly(from));
        require(block.timestamp < until, TooLate(until));
    }

    function _checkRules(JudgingRules memory given, uint64 epochSeconds) private pure {
        uint16[6] memory shares =
            [given.qualityBps, given.identityBps, given.canaryBps, given.gainBps, given.quorumBps, given.reporterBps];
        for (uint256 i = 0; i < shares.length; ++i) {
            require(shares[i] <= BPS, ShareAboveWhole(shares[i]));
        }
        // With less, two roots could each have their quorum.
        require(given.quorumBps >= BPS / 2, QuorumBelowHalf(given.quorumBps));
        require(given.commitSeconds != 0 && given.revealSeconds != 0 && given.openSeconds != 0, EmptyWindow());
        require(given.committeeSize != 0, EmptyCommittee());
        // There is at most one root an epoch, and two are kept: so one of them becomes final before both are replaced.
        bool timely = given.challengeSeconds <= epochSeconds;
        require(timely, ChallengeTooLong(given.challengeSeconds, epochSeconds));
    }
}
