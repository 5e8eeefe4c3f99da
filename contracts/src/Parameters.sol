// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Economics} from "./Economics.sol";
import {PARAMETERS, Parameter} from "./Parameter.sol";

/// @dev In the parameter's own unit. `maxChange` is the most that one change may add or take.
struct Bound {
    uint128 minimum;
    uint128 maximum;
    uint128 maxChange;
}

/// @dev The last two values and the epochs they count from, in one word: what nearly every look needs.
struct Setting {
    uint32 since;
    uint32 beforeSince;
    uint96 value;
    uint96 before;
}

/// @title Every tunable of the network, and its history
/// @notice The members own these values: only the Timelock sets them, within hard bounds that nobody can move, and never
/// so that cheating pays. A change is seen two epochs before it counts, and what counted in an epoch stays known for
/// ever: all who settle, judge or recompute an epoch use that epoch's.
contract Parameters {
    using Checkpoints for Checkpoints.Trace208;

    error ZeroEpochSeconds();
    error ZeroTimelock();
    error WrongCount(uint256 given, uint256 expected);
    error OnlyTimelock(address caller);
    error OutOfBounds(Parameter parameter, uint256 value, uint256 minimum, uint256 maximum);
    error ChangeTooLarge(Parameter parameter, uint256 from, uint256 to, uint256 maxChange);
    error AlreadyChanging(Parameter parameter, uint64 fromEpoch);

    event ParameterSet(Parameter indexed parameter, uint256 value, uint64 fromEpoch);

    /// @dev Whole epochs between a change and its effect: nobody is surprised within the one that runs.
    uint64 private constant NOTICE = 2;

    address public immutable timelock;
    uint64 public immutable genesis;
    uint64 public immutable epochSeconds;

    mapping(Parameter => Setting) private _settings;
    mapping(Parameter => Checkpoints.Trace208) private _history;
    mapping(Parameter => Bound) private _bounds;

    /// @param values what counts from epoch 0, in the order of the enum
    /// @param bounds for ever, in the same order
    constructor(
        address timelock_,
        uint64 genesis_,
        uint64 epochSeconds_,
        uint256[] memory values,
        Bound[] memory bounds
    ) {
        require(timelock_ != address(0), ZeroTimelock());
        require(epochSeconds_ != 0, ZeroEpochSeconds());
        require(values.length == PARAMETERS, WrongCount(values.length, PARAMETERS));
        require(bounds.length == PARAMETERS, WrongCount(bounds.length, PARAMETERS));
        (timelock, genesis, epochSeconds) = (timelock_, genesis_, epochSeconds_);
        for (uint256 i = 0; i < PARAMETERS; ++i) {
            Parameter parameter = Parameter(i);
            _bounds[parameter] = bounds[i];
            _push(parameter, values[i], 0);
        }
        Economics.check(values, epochSeconds_);
    }

    /// @notice Changes parameters, all or none, from the epoch after the next.
    function set(Parameter[] calldata parameters, uint256[] calldata values) external {
        require(msg.sender == timelock, OnlyTimelock(msg.sender));
        require(parameters.length == values.length, WrongCount(values.length, parameters.length));
        uint64 now_ = epochNow();
        uint256[] memory whole = all(type(uint64).max);
        (uint256 unbondingSeconds, uint256 bondSeconds) = Economics.leastDelays(whole, epochSeconds);

        for (uint256 i = 0; i < parameters.length; ++i) {
            _change(parameters[i], values[i], now_);
            whole[uint256(parameters[i])] = values[i];
        }

        Economics.check(whole, epochSeconds);
        // The windows of before run until then, and may be longer: a delay shrinks only after what it outlasts has.
        Economics.checkDelays(whole, unbondingSeconds, bondSeconds);
    }

    /// @notice The value in effect now.
    function get(Parameter parameter) external view returns (uint256) {
        return at(parameter, epochNow());
    }

    /// @notice The hard limits of a parameter.
    function bound(Parameter parameter) external view returns (Bound memory) {
        return _bounds[parameter];
    }

    /// @notice The epoch that runs; 0 before genesis.
    function epochNow() public view returns (uint64) {
        return block.timestamp < genesis ? 0 : (uint64(block.timestamp) - genesis) / epochSeconds;
    }

    /// @notice The value in effect in an epoch, past or to come as far as it is set.
    function at(Parameter parameter, uint64 epoch) public view returns (uint256) {
        Setting memory setting = _settings[parameter];
        if (epoch >= setting.since) return setting.value;
        if (epoch >= setting.beforeSince) return setting.before;
        return _history[parameter].upperLookupRecent(uint48(epoch));
    }

    /// @notice Every value of an epoch, in the order of the enum.
    function all(uint64 epoch) public view returns (uint256[] memory values) {
        values = new uint256[](PARAMETERS);
        for (uint256 i = 0; i < PARAMETERS; ++i) {
            values[i] = at(Parameter(i), epoch);
        }
    }

    function _change(Parameter parameter, uint256 value, uint64 now_) private {
        Setting memory setting = _settings[parameter];
        require(setting.since <= now_, AlreadyChanging(parameter, setting.since));
        uint256 change = value > setting.value ? value - setting.value : setting.value - value;
        uint256 maxChange = _bounds[parameter].maxChange;
        require(change <= maxChange, ChangeTooLarge(parameter, setting.value, value, maxChange));
        _push(parameter, value, now_ + NOTICE);
    }

    function _push(Parameter parameter, uint256 value, uint64 fromEpoch) private {
        Bound storage limits = _bounds[parameter];
        (uint256 minimum, uint256 maximum) = (limits.minimum, limits.maximum);
        require(value >= minimum && value <= maximum, OutOfBounds(parameter, value, minimum, maximum));
        Setting storage setting = _settings[parameter];
        (setting.beforeSince, setting.before) = (setting.since, setting.value);
        (setting.since, setting.value) = (SafeCast.toUint32(fromEpoch), SafeCast.toUint96(value));
        _history[parameter].push(uint48(fromEpoch), uint208(value));
        emit ParameterSet(parameter, value, fromEpoch);
    }
}
