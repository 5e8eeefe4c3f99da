// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Judging} from "../src/Judging.sol";
import {Role} from "../src/Registry.sol";
import {Rounds} from "../src/Rounds.sol";
import {Courtroom} from "./Courtroom.sol";
import {vm} from "./Vm.sol";

contract RoundsTest is Courtroom {
    uint64 private constant ROUND = 4;

    function _window(uint256 step) private view returns (uint256) {
        (uint256 commitFrom, uint256 revealFrom, uint256 openFrom, uint256 postFrom) = court.windowsOf(ROUND);
        return [commitFrom, revealFrom, openFrom, postFrom][step];
    }

    function test_a_rounds_steps_follow_its_end_without_a_gap() public view {
        vm.assertEq(_window(0), settlement.endOf(ROUND));
        vm.assertEq(_window(1), settlement.endOf(ROUND) + 10);
        vm.assertEq(_window(2), settlement.endOf(ROUND) + 18);
        vm.assertEq(_window(3), settlement.endOf(ROUND) + 26);
    }

    function test_an_evaluator_commits_and_opens() public {
        vm.warp(_window(0));
        bytes32 commitment = _commitment(_evaluator(0), ROUND, _reports(0));
        vm.expectEmit();
        emit Rounds.Committed(_evaluator(0), ROUND, commitment);
        _commit(0, ROUND);
        vm.assertEq(court.commitmentOf(_evaluator(0), ROUND), commitment);
        vm.assertFalse(court.hasRevealed(_evaluator(0), ROUND));
        vm.warp(_window(1));
        vm.expectEmit();
        emit Rounds.Revealed(_evaluator(0), ROUND, _reports(0), keccak256("blob"));
        _reveal(0, ROUND);
        vm.assertTrue(court.hasRevealed(_evaluator(0), ROUND));
        vm.assertEq(court.revealedIn(ROUND), 1);
    }

    function testFuzz_commits_are_taken_in_their_window_alone(uint256 moment) public {
        moment = _window(0) - 100 + moment % 300;
        vm.warp(moment);
        if (moment < _window(0)) vm.expectRevert(abi.encodeWithSelector(Judging.TooEarly.selector, _window(0)));
        else if (moment >= _window(1)) vm.expectRevert(abi.encodeWithSelector(Judging.TooLate.selector, _window(1)));
        vm.prank(_evaluator(0));
        court.commit(ROUND, keccak256("commitment"));
    }

    function testFuzz_reveals_are_taken_in_their_window_alone(uint256 moment) public {
        vm.warp(_window(0));
        _commit(0, ROUND);
        moment = _window(1) - 10 + moment % 300;
        vm.warp(moment);
        if (moment < _window(1)) vm.expectRevert(abi.encodeWithSelector(Judging.TooEarly.selector, _window(1)));
        else if (moment >= _window(2)) vm.expectRevert(abi.encodeWithSelector(Judging.TooLate.selector, _window(2)));
        vm.prank(_evaluator(0));
        court.reveal(ROUND, _reports(0), keccak256("blob"), SALT);
    }

    function test_one_commitment_and_one_opening_a_round() public {
        vm.warp(_window(0));
        _commit(0, ROUND);
        vm.prank(_evaluator(0));
        vm.expectRevert(abi.encodeWithSelector(Rounds.AlreadyCommitted.selector, _evaluator(0), ROUND));
        court.commit(ROUND, keccak256("a better one"));
        vm.warp(_window(1));
        _reveal(0, ROUND);
        vm.prank(_evaluator(0));
        vm.expectRevert(abi.encodeWithSelector(Rounds.WrongOpening.selector, _evaluator(0), ROUND));
        court.reveal(ROUND, _reports(0), keccak256("blob"), SALT);
        vm.assertEq(court.revealedIn(ROUND), 1);
    }

    /// @dev What marks an opened commitment, a penalized one, or a signature cannot be committed to.
    function testFuzz_no_commitment_looks_like_an_opened_one(uint256 small) public {
        vm.warp(_window(0));
        bytes32 forged = bytes32(small % 4);
        vm.prank(_evaluator(0));
        vm.expectRevert(abi.encodeWithSelector(Rounds.NotACommitment.selector, forged));
        court.commit(ROUND, forged);
    }

    function test_only_active_evaluators_commit() public {
        vm.warp(_window(0));
        vm.expectRevert(abi.encodeWithSelector(Rounds.EvaluatorNotActive.selector, address(this)));
        court.commit(ROUND, keccak256("commitment"));
        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(Rounds.EvaluatorNotActive.selector, gateway));
        court.commit(ROUND, keccak256("commitment"));
        vm.prank(_evaluator(0));
        registry.unbond(Role.Evaluator, 1);
        vm.prank(_evaluator(0));
        vm.expectRevert(abi.encodeWithSelector(Rounds.EvaluatorNotActive.selector, _evaluator(0)));
        court.commit(ROUND, keccak256("commitment"));
    }

    function test_a_copied_commitment_cannot_be_opened_by_the_copier() public {
        vm.warp(_window(0));
        _commit(0, ROUND);
        bytes32 copied = court.commitmentOf(_evaluator(0), ROUND);
        vm.prank(_evaluator(1));
        court.commit(ROUND, copied);
        vm.warp(_window(1));
        _reveal(0, ROUND);
        vm.prank(_evaluator(1));
        vm.expectRevert(abi.encodeWithSelector(Rounds.WrongOpening.selector, _evaluator(1), ROUND));
        court.reveal(ROUND, _reports(0), keccak256("blob"), SALT);
    }

    function testFuzz_only_what_was_committed_to_opens(bytes32 reports, bytes32 salt) public {
        vm.assume(reports != _reports(0) || salt != SALT);
        vm.warp(_window(0));
        _commit(0, ROUND);
        vm.warp(_window(1));
        vm.prank(_evaluator(0));
        vm.expectRevert(abi.encodeWithSelector(Rounds.WrongOpening.selector, _evaluator(0), ROUND));
        court.reveal(ROUND, reports, keccak256("blob"), salt);
    }

    function test_a_commitment_opens_in_its_own_round_alone() public {
        vm.warp(_window(0));
        bytes32 other = _commitment(_evaluator(0), ROUND + 1, _reports(0));
        vm.prank(_evaluator(0));
        court.commit(ROUND, other);
        vm.warp(_window(1));
        vm.prank(_evaluator(0));
        vm.expectRevert(abi.encodeWithSelector(Rounds.WrongOpening.selector, _evaluator(0), ROUND));
        court.reveal(ROUND, _reports(0), keccak256("blob"), SALT);
    }

    function test_withholding_costs_stake_once_and_pays_the_reporter() public {
        _hear(ROUND, 2, 1);
        uint256 supply = token.totalSupply();
        vm.expectEmit();
        emit Rounds.Penalized(_evaluator(1), ROUND, PENALTY, reporter);
        vm.prank(reporter);
        court.penalize(_evaluator(1), ROUND);
        vm.assertEq(registry.stakeOf(Role.Evaluator, _evaluator(1)), STAKE - PENALTY);
        vm.assertEq(token.balanceOf(reporter), PENALTY / 5);
        vm.assertEq(supply - token.totalSupply(), PENALTY - PENALTY / 5);
        vm.assertEq(token.balanceOf(address(court)), 0);
        vm.prank(reporter);
        vm.expectRevert(abi.encodeWithSelector(Rounds.NothingWithheld.selector, _evaluator(1), ROUND));
        court.penalize(_evaluator(1), ROUND);
    }

    function test_nobody_else_is_penalized_nor_anybody_early() public {
        vm.warp(_window(0));
        _commit(0, ROUND);
        vm.warp(_window(2) - 1);
        vm.expectRevert(abi.encodeWithSelector(Judging.TooEarly.selector, _window(2)));
        court.penalize(_evaluator(0), ROUND);
        _reveal(0, ROUND);
        vm.warp(_window(2));
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Rounds.NothingWithheld.selector, _evaluator(i), ROUND));
            court.penalize(_evaluator(i), ROUND);
        }
    }

    function test_stake_on_its_way_out_pays_the_penalty_and_no_stake_none() public {
        vm.warp(_window(0));
        _commit(0, ROUND);
        _commit(1, ROUND);
        vm.prank(_evaluator(0));
        registry.unbond(Role.Evaluator, STAKE);
        vm.prank(_evaluator(1));
        registry.unbond(Role.Evaluator, STAKE);
        vm.warp(_window(2));
        court.penalize(_evaluator(0), ROUND);
        vm.assertEq(registry.member(Role.Evaluator, _evaluator(0)).unbonding, STAKE - PENALTY);
        vm.warp(block.timestamp + 300);
        vm.prank(_evaluator(1));
        registry.withdraw(Role.Evaluator);
        vm.expectEmit();
        emit Rounds.Penalized(_evaluator(1), ROUND, 0, address(this));
        court.penalize(_evaluator(1), ROUND);
    }
}
