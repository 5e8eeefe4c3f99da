// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DGAI} from "../src/DGAI.sol";
import {Delegated, Delegations} from "../src/Delegations.sol";
import {Parameters} from "../src/Parameters.sol";
import {Member, Registry, Role, Slashers} from "../src/Registry.sol";
import {Settings} from "./Settings.sol";
import {vm} from "./Vm.sol";

contract DelegationsTest {
    uint128 private constant STAKE = 1_000e18;
    uint64 private constant DELAY = 300;
    address private constant CASES = address(0xCA5E);
    address private constant REPORTER = address(0x8E90);
    address private constant OPERATOR = address(0x09E7);
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);

    /// @dev What rounding may keep in a pool.
    uint256 private constant DUST = 2;

    DGAI private _token = new DGAI(address(this));
    Registry private _registry;

    function setUp() public {
        Parameters parameters = new Parameters(address(this), 0, 20, Settings.dev(), Settings.wide());
        _registry = new Registry(_token, parameters, Slashers(address(1), address(2), CASES, address(3)));
        _give(OPERATOR, STAKE);
        vm.prank(OPERATOR);
        _registry.register(Role.Node, STAKE, "", 0, 0, 0);
    }

    function _give(address who, uint128 amount) private {
        require(_token.transfer(who, amount));
        vm.prank(who);
        _token.approve(address(_registry), type(uint256).max);
    }

    function _delegate(address who, uint128 amount) private returns (uint256 shares) {
        _give(who, amount);
        vm.prank(who);
        return _registry.delegateStake(Role.Node, OPERATOR, amount);
    }

    function _undelegate(address who, uint256 shares) private returns (uint128) {
        vm.prank(who);
        return _registry.undelegateStake(Role.Node, OPERATOR, shares);
    }

    function _withdraw(address who) private returns (uint128) {
        vm.prank(who);
        return _registry.withdrawDelegation(Role.Node, OPERATOR);
    }

    function _slash(uint128 amount) private returns (uint128) {
        vm.prank(CASES);
        return _registry.slash(Role.Node, OPERATOR, amount, REPORTER);
    }

    function _of(address who) private view returns (Delegated memory) {
        return _registry.delegationOf(Role.Node, OPERATOR, who);
    }

    function _near(uint256 got, uint256 wanted) private pure {
        vm.assertLe(got, wanted, "more than is due");
        vm.assertLe(wanted - got, DUST, "too little");
    }

    function test_delegated_stake_weighs_and_does_not_make_active() public {
        _give(ALICE, 500e18);
        vm.expectEmit();
        emit Delegations.StakeDelegated(Role.Node, OPERATOR, ALICE, 500e18, 500e24);
        vm.expectEmit();
        emit Delegations.PoolChanged(Role.Node, OPERATOR, 500e18, 0);
        vm.prank(ALICE);
        vm.assertEq(_registry.delegateStake(Role.Node, OPERATOR, 500e18), 500e24);
        vm.assertEq(_registry.stakeOf(Role.Node, OPERATOR), STAKE + 500e18);
        vm.assertEq(_registry.slashableOf(Role.Node, OPERATOR), STAKE + 500e18);
        vm.assertEq(_registry.member(Role.Node, OPERATOR).stake, STAKE);
        vm.assertEq(_of(ALICE).amount, 500e18);
        vm.prank(OPERATOR);
        _registry.unbond(Role.Node, 1);
        vm.assertFalse(_registry.isActive(Role.Node, OPERATOR));
    }

    function test_it_leaves_after_the_delay_of_the_last_call() public {
        uint256 shares = _delegate(ALICE, 500e18);
        vm.assertEq(_undelegate(ALICE, shares / 2), 250e18);
        vm.assertEq(_registry.stakeOf(Role.Node, OPERATOR), STAKE + 250e18);
        vm.warp(block.timestamp + DELAY - 1);
        uint64 availableAt = uint64(block.timestamp) + DELAY;
        vm.expectEmit();
        emit Delegations.Undelegating(Role.Node, OPERATOR, ALICE, 250e18, shares / 2, availableAt);
        _undelegate(ALICE, shares / 2);
        vm.warp(availableAt - 1);
        vm.expectRevert(abi.encodeWithSelector(Delegations.StillUnbonding.selector, availableAt));
        _withdraw(ALICE);
        vm.warp(availableAt);
        vm.expectEmit();
        emit Delegations.DelegationWithdrawn(Role.Node, OPERATOR, ALICE, 500e18);
        vm.assertEq(_withdraw(ALICE), 500e18);
        vm.assertEq(_token.balanceOf(ALICE), 500e18);
        vm.assertEq(_token.balanceOf(address(_registry)), STAKE);
        vm.expectRevert(abi.encodeWithSelector(Delegations.NothingUndelegating.selector, Role.Node, OPERATOR, ALICE));
        _withdraw(ALICE);
    }

    function test_refuses_nothing_too_much_and_strangers() public {
        vm.expectRevert(abi.encodeWithSelector(Delegations.NotRegistered.selector, Role.Node, ALICE));
        _registry.delegateStake(Role.Node, ALICE, 1);
        vm.expectRevert(Delegations.ZeroAmount.selector);
        _registry.delegateStake(Role.Node, OPERATOR, 0);
        uint256 shares = _delegate(ALICE, 500e18);
        vm.prank(ALICE);
        vm.expectRevert(Delegations.ZeroShares.selector);
        _registry.undelegateStake(Role.Node, OPERATOR, 0);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Delegations.SharesTooFew.selector, shares, shares + 1));
        _registry.undelegateStake(Role.Node, OPERATOR, shares + 1);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(Delegations.SharesTooFew.selector, 0, 1));
        _registry.undelegateStake(Role.Node, OPERATOR, 1);
    }

    function test_a_slash_takes_own_stake_then_what_is_leaving_then_delegations() public {
        vm.prank(OPERATOR);
        _registry.unbond(Role.Node, 400e18);
        uint256 shares = _delegate(ALICE, 300e18);
        _delegate(BOB, 100e18);
        _undelegate(ALICE, shares / 3);
        vm.assertEq(_slash(600e18), 600e18);
        Member memory member = _registry.member(Role.Node, OPERATOR);
        vm.assertTrue(member.stake == 0 && member.unbonding == 400e18);
        vm.assertEq(_slash(450e18), 450e18);
        _near(_of(ALICE).amount, uint256(500e18) / 3);
        _near(_of(BOB).amount, uint256(250e18) / 3);
        vm.assertEq(_of(ALICE).leaving, 100e18);
        vm.expectEmit();
        emit Delegations.PoolChanged(Role.Node, OPERATOR, 0, 50e18);
        vm.assertEq(_slash(300e18), 300e18);
        vm.assertEq(_of(ALICE).amount, 0);
        vm.assertEq(_of(BOB).amount, 0);
        _near(_of(ALICE).leaving, 50e18);
        vm.assertEq(_slash(1_000e18), 50e18);
        vm.assertEq(_slash(1_000e18), 0);
        vm.assertEq(_token.balanceOf(CASES), 1_400e18);
        vm.assertEq(_token.balanceOf(address(_registry)), 0);
    }

    function test_after_a_loss_of_everything_a_pool_begins_anew() public {
        uint256 shares = _delegate(ALICE, 300e18);
        _undelegate(ALICE, shares / 3);
        _slash(type(uint128).max);
        vm.assertEq(_of(ALICE).shares, 0);
        _give(OPERATOR, STAKE);
        vm.prank(OPERATOR);
        _registry.register(Role.Node, STAKE, "", 0, 0, 0);
        vm.assertEq(_delegate(BOB, 70e18), 70e24);
        vm.assertEq(_of(BOB).amount, 70e18);
        vm.assertEq(_of(ALICE).amount, 0);
        vm.assertEq(_delegate(ALICE, 30e18), 30e24);
        vm.assertEq(_undelegate(ALICE, 30e24), 30e18);
        vm.warp(block.timestamp + DELAY);
        vm.assertEq(_withdraw(ALICE), 30e18);
        vm.assertEq(_of(BOB).amount, 70e18);
    }

    /// @dev Shares worth a billionth of what they cost would have no room for the next.
    function test_a_loss_of_nearly_everything_counts_as_one_of_everything() public {
        _delegate(ALICE, 300e18);
        _slash(STAKE + 300e18 - 1);
        vm.assertEq(_of(ALICE).shares, 0);
        (uint128 delegated,) = _registry.poolOf(Role.Node, OPERATOR);
        vm.assertEq(delegated, 1);
    }

    function test_a_reward_is_shared_after_the_commission() public {
        vm.prank(OPERATOR);
        _registry.setCommission(Role.Node, 1_000);
        vm.assertEq(_registry.commissionOf(Role.Node, OPERATOR), 1_000);
        _delegate(ALICE, 300e18);
        _delegate(BOB, 100e18);
        _give(REPORTER, 40e18);
        vm.expectEmit();
        emit Delegations.Rewarded(Role.Node, OPERATOR, 40e18, 4e18);
        vm.prank(REPORTER);
        _registry.reward(Role.Node, OPERATOR, 40e18);
        vm.assertEq(_token.balanceOf(OPERATOR), 4e18);
        _near(_of(ALICE).amount, 327e18);
        _near(_of(BOB).amount, 109e18);
        vm.assertEq(_registry.stakeOf(Role.Node, OPERATOR), STAKE + 436e18);
    }

    function test_without_delegators_a_reward_is_the_operators() public {
        _give(REPORTER, 40e18);
        vm.prank(REPORTER);
        _registry.reward(Role.Node, OPERATOR, 40e18);
        vm.assertEq(_token.balanceOf(OPERATOR), 40e18);
        vm.expectRevert(Delegations.ZeroAmount.selector);
        _registry.reward(Role.Node, OPERATOR, 0);
        vm.expectRevert(abi.encodeWithSelector(Delegations.NotRegistered.selector, Role.Node, ALICE));
        _registry.reward(Role.Node, ALICE, 1);
    }

    function test_commission_is_bounded_and_a_members() public {
        vm.prank(OPERATOR);
        vm.expectRevert(abi.encodeWithSelector(Delegations.CommissionTooHigh.selector, 2_001, 2_000));
        _registry.setCommission(Role.Node, 2_001);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Delegations.NotRegistered.selector, Role.Node, ALICE));
        _registry.setCommission(Role.Node, 1);
        vm.expectEmit();
        emit Delegations.CommissionSet(Role.Node, OPERATOR, 2_000);
        vm.prank(OPERATOR);
        _registry.setCommission(Role.Node, 2_000);
    }

    /// @dev A share may come to be worth more than the least amount.
    function test_refuses_an_amount_that_buys_nothing() public {
        _delegate(BOB, 1);
        _give(REPORTER, 1e9);
        vm.prank(REPORTER);
        _registry.reward(Role.Node, OPERATOR, 1e9);
        _give(ALICE, 100);
        vm.prank(ALICE);
        vm.expectRevert(Delegations.ZeroShares.selector);
        _registry.delegateStake(Role.Node, OPERATOR, 100);
    }

    /// @dev Who comes first with a unit and a large reward takes nothing of the next one's stake.
    function testFuzz_nobody_raises_the_price_to_take_the_next_delegation(uint96 gift, uint96 later) public {
        uint128 amount = 1e18 + uint128(later) % 1e25;
        uint128 reward = 1 + uint128(gift) % 1e24;
        _delegate(BOB, 1);
        _give(REPORTER, reward);
        vm.prank(REPORTER);
        _registry.reward(Role.Node, OPERATOR, reward);
        uint256 most = uint256(reward) + 1 + amount;
        vm.assertTrue(_delegate(ALICE, amount) != 0);
        vm.assertGe(_of(ALICE).amount + most / 1e6 + 1, amount, "the second one loses by it");
        vm.assertLe(_of(BOB).amount, uint256(reward) + 1, "the first one gains by it");
    }

    /// @dev In and out at once gives no more than was given, whatever happened to the pool before.
    function testFuzz_coming_and_going_gains_nothing(uint96 first, uint96 loss, uint96 gain, uint96 amount) public {
        _delegate(BOB, 1e18 + uint128(first) % 1e25);
        _slash(STAKE);
        _slash(loss % 9e17);
        _give(OPERATOR, STAKE);
        vm.prank(OPERATOR);
        _registry.register(Role.Node, STAKE, "", 0, 0, 0);
        _give(REPORTER, uint128(gain) % 1e25 + 1);
        vm.prank(REPORTER);
        _registry.reward(Role.Node, OPERATOR, uint128(gain) % 1e25 + 1);
        uint128 given = 1e18 + uint128(amount) % 1e25;
        uint128 others = _of(BOB).amount;
        uint256 shares = _delegate(ALICE, given);
        vm.assertLe(_undelegate(ALICE, shares), given);
        vm.assertGe(_of(BOB).amount, others);
    }

    // Votes.

    function test_stake_votes_for_its_owner_until_it_leaves() public {
        vm.assertEq(_registry.getVotes(OPERATOR), STAKE);
        _give(OPERATOR, 5e18);
        vm.prank(OPERATOR);
        _registry.addStake(Role.Node, 5e18);
        uint256 shares = _delegate(ALICE, 300e18);
        vm.assertEq(_registry.getVotes(OPERATOR), STAKE + 5e18);
        vm.assertEq(_registry.getVotes(ALICE), 300e18);
        vm.prank(OPERATOR);
        _registry.unbond(Role.Node, 5e18);
        _undelegate(ALICE, shares);
        vm.assertEq(_registry.getVotes(OPERATOR), STAKE + 5e18);
        vm.assertEq(_registry.getVotes(ALICE), 300e18);
        vm.warp(block.timestamp + DELAY);
        vm.prank(OPERATOR);
        _registry.withdraw(Role.Node);
        _withdraw(ALICE);
        vm.assertEq(_registry.getVotes(OPERATOR), STAKE);
        vm.assertEq(_registry.getVotes(ALICE), 0);
    }

    function test_a_vote_counts_as_it_was_at_its_time() public {
        uint256 then = block.timestamp;
        vm.warp(then + 10);
        _delegate(ALICE, 300e18);
        vm.warp(then + 20);
        vm.assertEq(_registry.getPastVotes(ALICE, then), 0);
        vm.assertEq(_registry.getPastVotes(ALICE, then + 10), 300e18);
        vm.assertEq(_registry.clock(), then + 20);
        vm.assertEq(_registry.CLOCK_MODE(), "mode=timestamp");
        vm.expectRevert(Delegations.NoTotal.selector);
        _registry.getPastTotalSupply(then);
    }

    function test_stake_follows_the_tokens_delegate_until_its_owner_chooses() public {
        vm.prank(ALICE);
        _token.delegate(BOB);
        _delegate(ALICE, 300e18);
        vm.assertEq(_registry.delegates(ALICE), BOB);
        vm.assertEq(_registry.getVotes(BOB), 300e18);
        vm.prank(ALICE);
        _registry.delegate(REPORTER);
        vm.assertEq(_registry.getVotes(BOB), 0);
        vm.assertEq(_registry.getVotes(REPORTER), 300e18);
        _delegate(ALICE, 1e18);
        vm.assertEq(_registry.getVotes(REPORTER), 301e18);
        vm.prank(ALICE);
        _registry.delegate(ALICE);
        _delegate(ALICE, 1e18);
        vm.assertEq(_registry.getVotes(ALICE), 302e18);
    }

    function test_to_choose_nobody_is_to_choose_oneself() public {
        _delegate(ALICE, 300e18);
        vm.prank(ALICE);
        _registry.delegate(BOB);
        vm.prank(ALICE);
        _registry.delegate(address(0));
        vm.assertEq(_registry.delegates(ALICE), ALICE);
        vm.assertEq(_registry.getVotes(ALICE), 300e18);
        uint256 shares = _of(ALICE).shares;
        _undelegate(ALICE, shares);
        vm.warp(block.timestamp + DELAY);
        _withdraw(ALICE);
        vm.assertEq(_registry.getVotes(ALICE), 0);
    }

    function test_one_choice_moves_the_votes_of_all_roles() public {
        _give(OPERATOR, 2 * STAKE);
        vm.prank(OPERATOR);
        _registry.register(Role.Archive, STAKE, "", 0, 0, 0);
        vm.prank(OPERATOR);
        _registry.delegateStake(Role.Node, OPERATOR, STAKE);
        vm.prank(OPERATOR);
        _registry.delegate(BOB);
        vm.assertEq(_registry.getVotes(BOB), 3 * uint256(STAKE));
        vm.assertEq(_registry.getVotes(OPERATOR), 0);
    }

    function test_a_slash_takes_own_votes_at_once_and_delegated_ones_when_settled() public {
        _delegate(ALICE, 300e18);
        _slash(STAKE + 100e18);
        vm.assertEq(_registry.getVotes(OPERATOR), 0);
        vm.assertEq(_registry.getVotes(ALICE), 300e18);
        _registry.settleVotes(Role.Node, OPERATOR, ALICE);
        _near(_registry.getVotes(ALICE), 200e18);
        _registry.settleVotes(Role.Node, OPERATOR, ALICE);
        _near(_registry.getVotes(ALICE), 200e18);
    }
}
