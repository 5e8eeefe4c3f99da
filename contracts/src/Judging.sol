// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {DGAI} from "./DGAI.sol";
import {Parameter} from "./Parameter.sol";
import {Parameters} from "./Parameters.sol";
import {Registry} from "./Registry.sol";
import {Settlement} from "./Settlement.sol";

/// @title What the court is told once, the clock of a round, and where it reads what the members may change
/// @notice A round is the epoch in which seeds were fixed; what is drawn in the last quarter of one belongs to the next.
/// After its end come, without a gap: commits, openings of
/// reports, openings of canaries, the root. A round goes by its own epoch's parameters, however late its root comes.
abstract contract Judging is EIP712 {
    error WrongPrediction(address predictedByRegistry);
    error OnlyTimelock(address caller);
    error TooEarly(uint256 from);
    error TooLate(uint256 until);

    DGAI public immutable token;
    Registry public immutable registry;
    Settlement public immutable settlement;

    /// @notice The Timelock: of the pool and the authors it alone disposes.
    address public immutable timelock;

    // Kept here because they never change and each look there would cost a call.
    Parameters private immutable _parameters;
    uint64 private immutable _genesis;
    uint64 private immutable _epochSeconds;

    /// @dev The registry was given this contract's address before it existed, and Settlement has it from there.
    constructor(Settlement settlement_) EIP712("DGrid Quality", "1") {
        Registry registry_ = settlement_.registry();
        Parameters parameters = registry_.parameters();
        require(registry_.court() == address(this), WrongPrediction(registry_.court()));
        (token, registry, settlement) = (settlement_.token(), registry_, settlement_);
        (timelock, _parameters) = (parameters.timelock(), parameters);
        (_genesis, _epochSeconds) = (parameters.genesis(), parameters.epochSeconds());
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
        commitFrom = _commitFrom(round);
        revealFrom = commitFrom + _at(Parameter.CommitSeconds, round);
        openFrom = revealFrom + _at(Parameter.RevealSeconds, round);
        postFrom = openFrom + _at(Parameter.OpenSeconds, round);
    }

    // The same one by one, for who needs no later one: each takes a look at the parameters.

    function _commitFrom(uint64 round) internal view returns (uint256) {
        return _startOf(round) + _epochSeconds;
    }

    function _revealFrom(uint64 round) internal view returns (uint256) {
        return _commitFrom(round) + _at(Parameter.CommitSeconds, round);
    }

    function _openFrom(uint64 round) internal view returns (uint256) {
        return _revealFrom(round) + _at(Parameter.RevealSeconds, round);
    }

    function _startOf(uint64 epoch) internal view returns (uint256) {
        return uint256(_genesis) + uint256(epoch) * _epochSeconds;
    }

    /// @dev What is drawn now must be disclosed before its round ends, and anybody may draw at any moment: so that nobody
    /// leaves a gateway no time for it.
    function _roundOfDraw() internal view returns (uint64) {
        uint64 until = uint64(block.timestamp) + _epochSeconds / 4;
        return until < _genesis ? 0 : (until - _genesis) / _epochSeconds;
    }

    /// @dev What counted in a round.
    function _at(Parameter parameter, uint64 round) internal view returns (uint256) {
        return _parameters.at(parameter, round);
    }

    function _requireTimelock() internal view {
        require(msg.sender == timelock, OnlyTimelock(msg.sender));
    }

    function _requireWindow(uint256 from, uint256 until) internal view {
        require(block.timestamp >= from, TooEarly(from));
        require(block.timestamp < until, TooLate(until));
    }
}
