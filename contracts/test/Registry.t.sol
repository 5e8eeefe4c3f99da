// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DGAI} from "../src/DGAI.sol";
import {Delegations} from "../src/Delegations.sol";
import {Parameter} from "../src/Parameter.sol";
import {Parameters} from "../src/Parameters.sol";
import {Member, Registry, Role, Slashers} from "../src/Registry.sol";
import {Settings} from "./Settings.sol";
import {vm} from "./Vm.sol";

contract RegistryTest {
    using Settings for uint256[];

    uint128 private constant MINIMUM = 100e18;
    uint64 private constant DELAY = 300;
    address private constant SETTLEMENT = address(0x5E77);
    address private constant COURT = address(0xC0047);
    address private constant CASES = address(0xCA5E);
    address private constant DEMANDS = address(0xDE3A);
    address private constant REPORTER = address(0x8E90);

    DGAI private _token = new DGAI(address(this));
    Registry private _registry = _make(MINIMUM);

    function setUp() public {
        _token.approve(address(_registry), type(uint256).max);
    }

    /// @dev A minimum of nothing is safe only where a request is worth nothing, and a jury nothing either.
    function _make(uint256 minimum) private returns (Registry) {
        uint256[] memory values = Settings.dev().with(Parameter.MinimumStake, minimum);
        if (minimum == 0) values.with(Parameter.RequestValueMax, 0).with(Parameter.CaseBond, 0);
        Parameters parameters = new Parameters(address(this), 0, 20, values, Settings.wide());
        return new Registry(_token, parameters, Slashers(SETTLEMENT, COURT, CASES, DEMANDS));
    }

    function _join() private {
        _registry.register(Role.Node, MINIMUM + 5, "http://node", keccak256("offer"), keccak256("key"), 0);
    }

    function test_a_member_is_what_it_declared() public {
        vm.expectEmit();
        emit Registry.Registered(
            Role.Gateway, address(this), MINIMUM, "http://gateway", keccak256("offer"), keccak256("key"), 1_500
        );
        _registry.register(Role.Gateway, MINIMUM, "http://gateway", keccak256("offer"), keccak256("key"), 1_500);
        Member memory member = _registry.member(Role.Gateway, address(this));
        vm.assertEq(member.stake, MINIMUM);
        vm.assertEq(member.marginBps, 1_500);
        vm.assertEq(member.offerDigest, keccak256("offer"));
        vm.assertEq(member.encryptionKey, keccak256("key"));
        vm.assertTrue(_registry.isActive(Role.Gateway, address(this)));
        vm.assertFalse(_registry.isActive(Role.Node, address(this)));
        vm.assertEq(_token.balanceOf(address(_registry)), MINIMUM);
    }

    function test_refuses_to_register_twice_under_one_role() public {
        _join();
        vm.expectRevert(abi.encodeWithSelector(Registry.AlreadyRegistered.selector, Role.Node, address(this)));
        _join();
        _registry.register(Role.Archive, MINIMUM, "", 0, 0, 0);
    }

    function test_refuses_to_register_anew_while_unbonding() public {
        _join();
        _registry.unbond(Role.Node, MINIMUM + 5);
        vm.expectRevert(abi.encodeWithSelector(Registry.AlreadyRegistered.selector, Role.Node, address(this)));
        _join();
        vm.warp(block.timestamp + DELAY);
        _registry.withdraw(Role.Node);
        _join();
    }

    function test_refuses_a_stake_below_the_minimum() public {
        vm.expectRevert(abi.encodeWithSelector(Registry.StakeTooLow.selector, MINIMUM - 1, MINIMUM));
        _registry.register(Role.Node, MINIMUM - 1, "", 0, 0, 0);
    }

    function test_refuses_no_stake_even_where_the_minimum_is_none() public {
        Registry free = _make(0);
        vm.expectRevert(abi.encodeWithSelector(Registry.StakeTooLow.selector, 0, 0));
        free.register(Role.Node, 0, "", 0, 0, 0);
        vm.assertFalse(free.isActive(Role.Node, address(this)));
    }

    function test_refuses_a_margin_above_the_cap_or_for_another_role() public {
        vm.expectRevert(abi.encodeWithSelector(Registry.MarginTooHigh.selector, 2_001, 2_000));
        _registry.register(Role.Gateway, MINIMUM, "", 0, 0, 2_001);
        vm.expectRevert(abi.encodeWithSelector(Registry.MarginNotForRole.selector, Role.Node));
        _registry.register(Role.Node, MINIMUM, "", 0, 0, 1);
        _join();
        vm.expectRevert(abi.encodeWithSelector(Registry.MarginNotForRole.selector, Role.Node));
        _registry.update(Role.Node, "", 0, 0, 1);
    }

    function test_update_replaces_what_was_declared() public {
        _join();
        vm.expectEmit();
        emit Registry.Updated(Role.Node, address(this), "http://moved", keccak256("new"), keccak256("rotated"), 0);
        _registry.update(Role.Node, "http://moved", keccak256("new"), keccak256("rotated"), 0);
        vm.assertEq(_registry.member(Role.Node, address(this)).encryptionKey, keccak256("rotated"));
    }

    function test_refuses_a_stranger() public {
        bytes memory refusal = abi.encodeWithSelector(Delegations.NotRegistered.selector, Role.Node, address(this));
        vm.expectRevert(refusal);
        _registry.update(Role.Node, "", 0, 0, 0);
        vm.expectRevert(refusal);
        _registry.addStake(Role.Node, 1);
        vm.expectRevert(refusal);
        _registry.unbond(Role.Node, 1);
        vm.expectRevert(abi.encodeWithSelector(Registry.NothingUnbonding.selector, Role.Node, address(this)));
        _registry.withdraw(Role.Node);
    }

    function test_refuses_amounts_of_nothing() public {
        _join();
        vm.expectRevert(Delegations.ZeroAmount.selector);
        _registry.addStake(Role.Node, 0);
        vm.expectRevert(Delegations.ZeroAmount.selector);
        _registry.unbond(Role.Node, 0);
    }

    function test_refuses_to_unbond_more_than_is_staked() public {
        _join();
        vm.expectRevert(abi.encodeWithSelector(Registry.StakeTooLow.selector, MINIMUM + 5, MINIMUM + 6));
        _registry.unbond(Role.Node, MINIMUM + 6);
    }

    function test_below_the_minimum_a_member_is_not_active() public {
        _join();
        _registry.unbond(Role.Node, 6);
        vm.assertFalse(_registry.isActive(Role.Node, address(this)));
        _registry.addStake(Role.Node, 1);
        vm.assertTrue(_registry.isActive(Role.Node, address(this)));
        vm.assertEq(_registry.stakeOf(Role.Node, address(this)), MINIMUM);
    }

    function test_stake_leaves_only_after_the_delay_of_the_last_call() public {
        _join();
        _registry.unbond(Role.Node, 2);
        vm.warp(block.timestamp + DELAY - 1);
        _registry.unbond(Role.Node, 3);
        uint64 availableAt = uint64(block.timestamp) + DELAY;
        vm.warp(availableAt - 1);
        vm.expectRevert(abi.encodeWithSelector(Delegations.StillUnbonding.selector, availableAt));
        _registry.withdraw(Role.Node);
        vm.warp(availableAt);
        uint256 before = _token.balanceOf(address(this));
        _registry.withdraw(Role.Node);
        vm.assertEq(_token.balanceOf(address(this)) - before, 5);
        vm.assertEq(_token.balanceOf(address(_registry)), MINIMUM);
    }

    function test_each_judge_slashes_and_jails_whom_it_decides_about() public {
        address[4] memory judges = [SETTLEMENT, COURT, CASES, DEMANDS];
        bool[4][4] memory may; // by role, then judge
        may[uint256(Role.Node)] = [false, false, true, false];
        may[uint256(Role.Evaluator)] = [false, true, true, false];
        may[uint256(Role.Gateway)] = [true, false, true, false];
        may[uint256(Role.Archive)] = [false, false, false, true];
        for (uint256 i = 0; i < 4; ++i) {
            Role role = Role(i);
            _registry.register(role, MINIMUM, "", 0, 0, 0);
            for (uint256 j = 0; j < 4; ++j) {
                bytes memory refusal = abi.encodeWithSelector(Registry.MayNotSlash.selector, role, judges[j]);
                vm.prank(judges[j]);
                if (!may[i][j]) vm.expectRevert(refusal);
                _registry.slash(role, address(this), 3, REPORTER);
                vm.prank(judges[j]);
                if (!may[i][j]) vm.expectRevert(refusal);
                _registry.jail(role, address(this));
            }
            vm.expectRevert(abi.encodeWithSelector(Registry.MayNotSlash.selector, role, address(this)));
            _registry.slash(role, address(this), 1, REPORTER);
        }
        vm.assertEq(_token.balanceOf(COURT), 3);
        vm.assertEq(_token.balanceOf(CASES), 9);
        vm.assertEq(_registry.stakeOf(Role.Evaluator, address(this)), MINIMUM - 6);
    }

    function _jail() private returns (uint64 until) {
        until = uint64(block.timestamp) + 60;
        vm.expectEmit();
        emit Registry.Jailed(Role.Node, address(this), until);
        vm.prank(CASES);
        _registry.jail(Role.Node, address(this));
    }

    function test_who_is_jailed_serves_again_when_it_asks_after_its_time() public {
        _join();
        vm.expectRevert(abi.encodeWithSelector(Registry.NotJailed.selector, Role.Node, address(this)));
        _registry.unjail(Role.Node);
        uint64 until = _jail();
        vm.assertFalse(_registry.isActive(Role.Node, address(this)));
        vm.assertEq(_registry.member(Role.Node, address(this)).jailedUntil, until);
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(Registry.StillJailed.selector, until));
        _registry.unjail(Role.Node);
        vm.warp(until);
        vm.assertFalse(_registry.isActive(Role.Node, address(this)));
        vm.expectEmit();
        emit Registry.Unjailed(Role.Node, address(this));
        _registry.unjail(Role.Node);
        vm.assertTrue(_registry.isActive(Role.Node, address(this)));
    }

    function test_who_is_jailed_needs_enough_stake_to_serve_again() public {
        _join();
        vm.warp(_jail());
        _registry.unbond(Role.Node, 6);
        vm.expectRevert(abi.encodeWithSelector(Registry.StakeTooLow.selector, MINIMUM - 1, MINIMUM));
        _registry.unjail(Role.Node);
        _registry.unbond(Role.Node, MINIMUM - 1);
        vm.expectRevert(abi.encodeWithSelector(Delegations.NotRegistered.selector, Role.Node, address(this)));
        _registry.unjail(Role.Node);
    }

    function test_leaving_and_coming_back_opens_no_jail() public {
        _join();
        uint64 until = _jail();
        _registry.unbond(Role.Node, MINIMUM + 5);
        vm.warp(block.timestamp + DELAY);
        _registry.withdraw(Role.Node);
        _join();
        vm.assertEq(_registry.member(Role.Node, address(this)).jailedUntil, until);
        vm.assertFalse(_registry.isActive(Role.Node, address(this)));
        vm.assertEq(_registry.member(Role.Node, address(this)).registeredAt, block.timestamp);
    }

    function test_all_that_has_not_left_can_be_slashed() public {
        _join();
        _registry.unbond(Role.Node, MINIMUM);
        vm.assertEq(_registry.stakeOf(Role.Node, address(this)), 5);
        vm.assertEq(_registry.slashableOf(Role.Node, address(this)), MINIMUM + 5);
    }

    function test_a_member_declares_its_models() public {
        bytes32[] memory digests = new bytes32[](2);
        (digests[0], digests[1]) = (keccak256("one model"), keccak256("another"));
        vm.expectRevert(abi.encodeWithSelector(Delegations.NotRegistered.selector, Role.Node, address(this)));
        _registry.declareModels(Role.Node, digests);
        _join();
        vm.expectEmit();
        emit Registry.ModelsDeclared(Role.Node, address(this), digests);
        vm.assertFalse(_registry.declares(Role.Node, address(this), digests[0]));
        _registry.declareModels(Role.Node, digests);
        vm.assertTrue(_registry.declares(Role.Node, address(this), digests[0]));
        vm.assertTrue(_registry.declares(Role.Node, address(this), digests[1]));
        vm.assertFalse(_registry.declares(Role.Evaluator, address(this), digests[0]));
        vm.assertFalse(_registry.declares(Role.Node, REPORTER, digests[0]));
        vm.expectRevert(abi.encodeWithSelector(Registry.TooManyModels.selector, 65, 64));
        _registry.declareModels(Role.Node, new bytes32[](65));
    }

    function test_a_declaration_replaces_the_one_before() public {
        _join();
        bytes32[] memory digests = new bytes32[](1);
        digests[0] = keccak256("one model");
        _registry.declareModels(Role.Node, digests);
        _registry.declareModels(Role.Node, new bytes32[](0));
        vm.assertFalse(_registry.declares(Role.Node, address(this), digests[0]));
        _registry.declareModels(Role.Node, digests);
        vm.assertTrue(_registry.declares(Role.Node, address(this), digests[0]));
    }

    function testFuzz_a_slash_takes_what_is_there_service_first(uint128 unbonding, uint128 amount) public {
        _join();
        uint128 all = MINIMUM + 5;
        unbonding = 1 + unbonding % all;
        _registry.unbond(Role.Node, unbonding);
        vm.prank(CASES);
        uint128 slashed = _registry.slash(Role.Node, address(this), amount, REPORTER);
        Member memory member = _registry.member(Role.Node, address(this));
        vm.assertEq(slashed, amount < all ? amount : all);
        vm.assertEq(uint256(member.stake) + member.unbonding + slashed, all);
        vm.assertTrue(member.stake == 0 || member.unbonding == unbonding);
        vm.assertEq(_token.balanceOf(CASES), slashed);
        vm.assertEq(_registry.getVotes(address(this)), all - slashed);
        vm.assertEq(_token.balanceOf(address(_registry)), all - slashed);
    }

    /// @dev A juror's weight must have stood before its case: joining and adding count, leaving does not.
    function test_remembers_when_stake_last_grew() public {
        vm.warp(1_000);
        _join();
        vm.assertEq(_registry.member(Role.Node, address(this)).raisedAt, 1_000);
        vm.warp(2_000);
        _registry.unbond(Role.Node, 1);
        vm.assertEq(_registry.member(Role.Node, address(this)).raisedAt, 1_000);
        _token.approve(address(_registry), 1);
        _registry.addStake(Role.Node, 1);
        vm.assertEq(_registry.member(Role.Node, address(this)).raisedAt, 2_000);
        vm.assertEq(_registry.member(Role.Node, address(this)).registeredAt, 1_000);
    }
}
