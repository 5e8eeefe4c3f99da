// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Economics, Rule} from "../src/Economics.sol";
import {PARAMETERS, Parameter} from "../src/Parameter.sol";
import {Bound, Parameters} from "../src/Parameters.sol";
import {Settings} from "./Settings.sol";
import {vm} from "./Vm.sol";

contract ParametersTest {
    using Settings for uint256[];

    uint64 private constant GENESIS = 1_800_000_000;
    uint64 private constant EPOCH = 20;
    address private constant TIMELOCK = address(0x71AE);

    Parameters private _parameters;

    function setUp() public {
        vm.warp(GENESIS);
        _parameters = new Parameters(TIMELOCK, GENESIS, EPOCH, Settings.dev(), _bounds());
    }

    /// @dev Wide, but for what the tests of bounds look at.
    function _bounds() private pure returns (Bound[] memory bounds) {
        bounds = Settings.wide();
        bounds[uint256(Parameter.ProtocolBps)] = Bound(100, 1_000, 50);
    }

    function _set(Parameter parameter, uint256 value) private {
        (Parameter[] memory changed, uint256[] memory values) = (new Parameter[](1), new uint256[](1));
        (changed[0], values[0]) = (parameter, value);
        vm.prank(TIMELOCK);
        _parameters.set(changed, values);
    }

    function _refused(bytes memory reason, Parameter parameter, uint256 value) private {
        (Parameter[] memory changed, uint256[] memory values) = (new Parameter[](1), new uint256[](1));
        (changed[0], values[0]) = (parameter, value);
        vm.prank(TIMELOCK);
        vm.expectRevert(reason);
        _parameters.set(changed, values);
    }

    function _unsafe(Rule rule, Parameter parameter, uint256 value) private {
        _refused(abi.encodeWithSelector(Economics.Unsafe.selector, rule), parameter, value);
        vm.expectRevert(abi.encodeWithSelector(Economics.Unsafe.selector, rule));
        new Parameters(TIMELOCK, GENESIS, EPOCH, Settings.dev().with(parameter, value), Settings.wide());
    }

    function _wait(uint64 epochs) private {
        vm.warp(block.timestamp + epochs * EPOCH);
    }

    function test_starts_with_what_it_was_given() public view {
        uint256[] memory dev = Settings.dev();
        uint256[] memory all = _parameters.all(0);
        for (uint256 i = 0; i < PARAMETERS; ++i) {
            vm.assertEq(_parameters.get(Parameter(i)), dev[i]);
            vm.assertEq(_parameters.at(Parameter(i), type(uint64).max), dev[i]);
            vm.assertEq(all[i], dev[i]);
        }
        vm.assertEq(_parameters.timelock(), TIMELOCK);
        vm.assertEq(_parameters.genesis(), GENESIS);
        vm.assertEq(_parameters.epochSeconds(), EPOCH);
        Bound memory bound = _parameters.bound(Parameter.ProtocolBps);
        vm.assertTrue(bound.minimum == 100 && bound.maximum == 1_000 && bound.maxChange == 50);
    }

    function test_tells_every_value_at_its_creation() public {
        for (uint256 i = 0; i < PARAMETERS; ++i) {
            vm.expectEmit();
            emit Parameters.ParameterSet(Parameter(i), Settings.dev()[i], 0);
        }
        new Parameters(TIMELOCK, GENESIS, EPOCH, Settings.dev(), _bounds());
    }

    function test_a_change_counts_from_the_epoch_after_the_next() public {
        _wait(7);
        vm.expectEmit();
        emit Parameters.ParameterSet(Parameter.ProtocolBps, 250, 9);
        _set(Parameter.ProtocolBps, 250);
        vm.assertEq(_parameters.get(Parameter.ProtocolBps), 200);
        vm.warp(GENESIS + 9 * EPOCH - 1);
        vm.assertEq(_parameters.get(Parameter.ProtocolBps), 200);
        vm.warp(GENESIS + 9 * EPOCH);
        vm.assertEq(_parameters.get(Parameter.ProtocolBps), 250);
        vm.assertEq(_parameters.at(Parameter.ProtocolBps, 8), 200);
    }

    function test_before_genesis_it_is_epoch_nought() public {
        vm.warp(GENESIS - 1_000);
        vm.assertEq(_parameters.epochNow(), 0);
        _set(Parameter.ProtocolBps, 250);
        vm.assertEq(_parameters.at(Parameter.ProtocolBps, 1), 200);
        vm.assertEq(_parameters.at(Parameter.ProtocolBps, 2), 250);
    }

    /// @dev Against a plain list of what was set when.
    function testFuzz_what_counted_in_an_epoch_is_known_for_ever(uint16[12] memory steps, uint8 asked) public {
        uint256[] memory expected = new uint256[](300);
        uint256 value = Settings.dev()[uint256(Parameter.JailSeconds)];
        uint64 filled = 0;
        for (uint256 i = 0; i < steps.length; ++i) {
            _wait(2 + steps[i] % 16);
            uint64 from = _parameters.epochNow() + 2;
            for (; filled < from; ++filled) {
                expected[filled] = value;
            }
            value = steps[i];
            _set(Parameter.JailSeconds, value);
        }
        for (; filled < expected.length; ++filled) {
            expected[filled] = value;
        }
        vm.assertEq(_parameters.at(Parameter.JailSeconds, asked), expected[asked]);
        vm.assertEq(_parameters.all(asked)[uint256(Parameter.JailSeconds)], expected[asked]);
        vm.assertEq(_parameters.get(Parameter.JailSeconds), expected[_parameters.epochNow()]);
    }

    function testFuzz_only_the_timelock_sets(address caller) public {
        vm.assume(caller != TIMELOCK);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(Parameters.OnlyTimelock.selector, caller));
        _parameters.set(new Parameter[](1), new uint256[](1));
    }

    function test_refuses_values_out_of_bounds() public {
        _set(Parameter.ProtocolBps, 150);
        _wait(2);
        _set(Parameter.ProtocolBps, 100);
        _wait(2);
        bytes4 reason = Parameters.OutOfBounds.selector;
        _refused(abi.encodeWithSelector(reason, Parameter.ProtocolBps, 99, 100, 1_000), Parameter.ProtocolBps, 99);
        uint256[] memory values = Settings.dev().with(Parameter.ProtocolBps, 1_001);
        vm.expectRevert(abi.encodeWithSelector(reason, Parameter.ProtocolBps, 1_001, 100, 1_000));
        new Parameters(TIMELOCK, GENESIS, EPOCH, values, _bounds());
    }

    function test_refuses_a_larger_change_than_allowed_in_either_direction() public {
        bytes4 reason = Parameters.ChangeTooLarge.selector;
        _refused(abi.encodeWithSelector(reason, Parameter.ProtocolBps, 200, 251, 50), Parameter.ProtocolBps, 251);
        _refused(abi.encodeWithSelector(reason, Parameter.ProtocolBps, 200, 149, 50), Parameter.ProtocolBps, 149);
        _set(Parameter.ProtocolBps, 250);
    }

    function test_a_change_waits_for_the_one_before_it() public {
        _set(Parameter.ProtocolBps, 250);
        bytes memory reason = abi.encodeWithSelector(Parameters.AlreadyChanging.selector, Parameter.ProtocolBps, 2);
        _refused(reason, Parameter.ProtocolBps, 200);
        _wait(1);
        _refused(reason, Parameter.ProtocolBps, 200);
        _wait(1);
        _set(Parameter.ProtocolBps, 200);
    }

    function test_all_or_nothing() public {
        (Parameter[] memory changed, uint256[] memory values) = (new Parameter[](2), new uint256[](2));
        (changed[0], changed[1], values[0], values[1]) = (Parameter.ProtocolBps, Parameter.ReporterBps, 250, 5_001);
        vm.prank(TIMELOCK);
        vm.expectRevert(abi.encodeWithSelector(Economics.Unsafe.selector, Rule.Reporter));
        _parameters.set(changed, values);
        vm.assertEq(_parameters.at(Parameter.ProtocolBps, 100), 200);
        vm.prank(TIMELOCK);
        vm.expectRevert(abi.encodeWithSelector(Parameters.WrongCount.selector, 1, 2));
        _parameters.set(changed, new uint256[](1));
        changed[1] = Parameter.ProtocolBps;
        vm.prank(TIMELOCK);
        vm.expectRevert(abi.encodeWithSelector(Parameters.AlreadyChanging.selector, Parameter.ProtocolBps, 2));
        _parameters.set(changed, values);
    }

    /// @dev Each alone is refused; together they are safe.
    function test_a_set_is_judged_as_a_whole() public {
        _unsafe(Rule.Committees, Parameter.CaseCommittee, 5);
        (Parameter[] memory changed, uint256[] memory values) = (new Parameter[](2), new uint256[](2));
        (changed[0], changed[1], values[0], values[1]) = (Parameter.CaseCommittee, Parameter.AppealCommittee, 5, 9);
        vm.prank(TIMELOCK);
        _parameters.set(changed, values);
        vm.assertEq(_parameters.at(Parameter.CaseCommittee, 2), 5);
    }

    /// @dev Two votes at once, each safe with what counts now and unsafe with the other.
    function test_a_set_is_judged_with_what_is_on_its_way() public {
        _set(Parameter.CaseCommittee, 4);
        _refused(abi.encodeWithSelector(Economics.Unsafe.selector, Rule.Committees), Parameter.AppealCommittee, 4);
    }

    function test_refuses_each_unsafe_setting() public {
        _unsafe(Rule.NodeHonesty, Parameter.IdentityBps, 0);
        _unsafe(Rule.NodeExposure, Parameter.NodeSlashBps, 5);
        _unsafe(Rule.NodeExposure, Parameter.ExposureBps, 10_001);
        _unsafe(Rule.EvaluatorHonesty, Parameter.CanaryBps, 222);
        _unsafe(Rule.EvaluatorHonesty, Parameter.EvaluatorRate, 0);
        _unsafe(Rule.EvaluatorHonesty, Parameter.EvaluatorRate, 4e17 + 1);
        _unsafe(Rule.EvaluatorHonesty, Parameter.LatePenalty, 1e18 - 1);
        _unsafe(Rule.Unbonding, Parameter.UnbondingSeconds, 172);
        _unsafe(Rule.Bond, Parameter.BondSeconds, 234);
        _unsafe(Rule.Windows, Parameter.CommitSeconds, 0);
        _unsafe(Rule.Windows, Parameter.RevealSeconds, 0);
        _unsafe(Rule.Windows, Parameter.OpenSeconds, 0);
        _unsafe(Rule.Windows, Parameter.RootSeconds, 0);
        _unsafe(Rule.Windows, Parameter.RootSeconds, EPOCH + 1);
        _unsafe(Rule.Windows, Parameter.EnrolSeconds, 0);
        _unsafe(Rule.Windows, Parameter.VoteSeconds, 0);
        _unsafe(Rule.Windows, Parameter.UnsealSeconds, 0);
        _unsafe(Rule.Windows, Parameter.AppealSeconds, 0);
        _unsafe(Rule.Windows, Parameter.QuorumBps, 4_999);
        _unsafe(Rule.Windows, Parameter.VerdictBps, 5_000);
        _unsafe(Rule.Committees, Parameter.CommitteeSize, 0);
        _unsafe(Rule.Committees, Parameter.CaseCommittee, 0);
        _unsafe(Rule.Committees, Parameter.AppealCommittee, 3);
        _unsafe(Rule.Reporter, Parameter.ReporterBps, 5_001);
        _unsafe(Rule.Weights, Parameter.CostWeight, 23);
        _unsafe(Rule.Verdicts, Parameter.CaseBond, 14.4e18 + 1);
        _unsafe(Rule.Verdicts, Parameter.NodeSlashBps, 144);
        _unsafe(Rule.Verdicts, Parameter.EvaluatorSlashBps, 124);
        _unsafe(Rule.Verdicts, Parameter.UndisclosedPenalty, 14.5e18 - 2);
        _unsafe(Rule.Verdicts, Parameter.ReporterBps, 4_201);
    }

    function test_takes_each_setting_that_is_just_safe() public {
        _set(Parameter.UnbondingSeconds, 173);
        _set(Parameter.BondSeconds, 235);
        _set(Parameter.RootSeconds, 15);
        _set(Parameter.QuorumBps, 5_000);
        _set(Parameter.VerdictBps, 5_001);
        _set(Parameter.AppealCommittee, 4);
        _set(Parameter.CanaryBps, 223);
        _set(Parameter.EvaluatorRate, 1);
        _set(Parameter.LatePenalty, 1e18);
        _set(Parameter.NodeSlashBps, 145);
        _set(Parameter.EvaluatorSlashBps, 125);
        _set(Parameter.UndisclosedPenalty, 14.5e18);
        _set(Parameter.CostWeight, 22);
        _set(Parameter.ExposureBps, 10_000);
    }

    function test_takes_a_bond_or_a_reward_that_just_leaves_a_jury_its_due() public {
        _set(Parameter.CaseBond, 14.4e18);
        _wait(2);
        _set(Parameter.CaseBond, 10e18);
        _set(Parameter.ReporterBps, 4_200);
    }

    /// @dev A reporter's half leaves a jury its due where a bond is lower.
    function test_takes_a_reporter_that_gets_half() public {
        (Parameter[] memory changed, uint256[] memory values) = (new Parameter[](2), new uint256[](2));
        (changed[0], changed[1], values[0], values[1]) = (Parameter.CaseBond, Parameter.ReporterBps, 8.4e18, 5_000);
        vm.prank(TIMELOCK);
        _parameters.set(changed, values);
        vm.assertEq(_parameters.at(Parameter.ReporterBps, 2), 5_000);
    }

    function test_nothing_checked_covers_nothing_even_where_nothing_is_at_stake() public {
        uint256[] memory values = Settings.dev().with(Parameter.RequestValueMax, 0).with(Parameter.IdentityBps, 0);
        vm.expectRevert(abi.encodeWithSelector(Economics.Unsafe.selector, Rule.NodeExposure));
        new Parameters(TIMELOCK, GENESIS, EPOCH, values, Settings.wide());
    }

    function test_weights_of_nothing_are_refused() public {
        uint256[] memory values = Settings.dev().with(Parameter.AccuracyWeight, 0).with(Parameter.CostWeight, 0);
        values.with(Parameter.ConsistencyWeight, 0).with(Parameter.FormatWeight, 0);
        vm.expectRevert(abi.encodeWithSelector(Economics.Unsafe.selector, Rule.Weights));
        new Parameters(TIMELOCK, GENESIS, EPOCH, values, Settings.wide());
    }

    /// @dev What was done under the longer windows must still be answered for.
    function test_a_delay_shrinks_only_after_what_it_outlasts() public {
        (Parameter[] memory changed, uint256[] memory values) = (new Parameter[](2), new uint256[](2));
        (changed[0], values[0]) = (Parameter.ChallengeSeconds, 10);
        (changed[1], values[1]) = (Parameter.UnbondingSeconds, 168);
        vm.prank(TIMELOCK);
        vm.expectRevert(abi.encodeWithSelector(Economics.Unsafe.selector, Rule.Unbonding));
        _parameters.set(changed, values);
        (changed[1], values[1]) = (Parameter.BondSeconds, 230);
        vm.prank(TIMELOCK);
        vm.expectRevert(abi.encodeWithSelector(Economics.Unsafe.selector, Rule.Bond));
        _parameters.set(changed, values);
        _set(Parameter.ChallengeSeconds, 10);
        _wait(2);
        _set(Parameter.UnbondingSeconds, 168);
        _set(Parameter.BondSeconds, 230);
    }

    function test_refuses_to_begin_without_timelock_clock_or_all_values() public {
        vm.expectRevert(Parameters.ZeroTimelock.selector);
        new Parameters(address(0), GENESIS, EPOCH, Settings.dev(), _bounds());
        vm.expectRevert(Parameters.ZeroEpochSeconds.selector);
        new Parameters(TIMELOCK, GENESIS, 0, Settings.dev(), _bounds());
        bytes memory reason = abi.encodeWithSelector(Parameters.WrongCount.selector, 48, PARAMETERS);
        vm.expectRevert(reason);
        new Parameters(TIMELOCK, GENESIS, EPOCH, new uint256[](48), _bounds());
        vm.expectRevert(reason);
        new Parameters(TIMELOCK, GENESIS, EPOCH, Settings.dev(), new Bound[](48));
    }

    function test_refuses_a_value_that_its_word_cannot_hold() public {
        Bound[] memory bounds = Settings.wide();
        bounds[uint256(Parameter.PoolCap)].maximum = type(uint128).max;
        uint256[] memory values = Settings.dev().with(Parameter.PoolCap, 1 << 96);
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 96, 1 << 96));
        new Parameters(TIMELOCK, GENESIS, EPOCH, values, bounds);
    }
}

/// @notice The guard says of every set in the shared file what Python's guard says of it.
contract ParameterVectorsTest {
    string private constant FILE = "test/parameter_vectors.json";
    address private constant TIMELOCK = address(0x71AE);

    function test_the_guard_and_pythons_agree() public {
        string memory json = vm.readFile(FILE);
        uint256 i = 0;
        for (; vm.keyExistsJson(json, _key(i, "name")); ++i) {
            _try(json, i);
        }
        vm.assertGe(i, 10);
    }

    function _key(uint256 i, string memory name) private pure returns (string memory) {
        return string.concat(".cases[", vm.toString(i), "].", name);
    }

    function _try(string memory json, uint256 i) private {
        uint64 epochSeconds = uint64(vm.parseJsonUint(json, _key(i, "epochSeconds")));
        uint256[] memory values = vm.parseJsonUintArray(json, _key(i, "values"));
        int256 rule = vm.parseJsonInt(json, _key(i, "rule"));
        bytes memory reason = abi.encodeWithSelector(Economics.Unsafe.selector, rule);
        if (!vm.keyExistsJson(json, _key(i, "before[0]"))) {
            if (rule >= 0) vm.expectRevert(reason);
            new Parameters(TIMELOCK, 0, epochSeconds, values, Settings.wide());
            return;
        }
        uint256[] memory before = vm.parseJsonUintArray(json, _key(i, "before"));
        Parameters parameters = new Parameters(TIMELOCK, 0, epochSeconds, before, Settings.wide());
        Parameter[] memory changed = new Parameter[](PARAMETERS);
        for (uint256 j = 0; j < PARAMETERS; ++j) {
            changed[j] = Parameter(j);
        }
        vm.prank(TIMELOCK);
        if (rule >= 0) vm.expectRevert(reason);
        parameters.set(changed, values);
    }
}
