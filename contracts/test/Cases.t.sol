// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Awards} from "../src/Awards.sol";
import {Ballots} from "../src/Ballots.sol";
import {Cases} from "../src/Cases.sol";
import {Outcome, Refund, Stage, Subject} from "../src/Docket.sol";
import {Juries} from "../src/Juries.sol";
import {Registry} from "../src/Registry.sol";
import {Role} from "../src/Types.sol";
import {OpenCase} from "./Courthouse.sol";
import {vm} from "./Vm.sol";

/// @notice What a verdict does, and when.
contract CasesTest is OpenCase {
    uint128 private constant TAKEN = STAKE / 2;
    uint128 private constant REWARD = TAKEN / 5;

    function _notYet(uint256 until) private {
        vm.expectRevert(abi.encodeWithSelector(Juries.TooEarly.selector, until));
        cases.execute(_id);
    }

    // A conviction.

    function test_a_guilty_node_loses_half_and_is_jailed() public {
        uint256 before = token.balanceOf(opener);
        _try(_id, Stage.First, 7, 7);
        _passAppeal();
        vm.expectEmit();
        emit Registry.Jailed(Role.Node, node, uint64(block.timestamp) + 60);
        vm.expectEmit();
        emit Cases.Executed(_id, Outcome.Convicted, TAKEN, 0, REWARD, TAKEN - REWARD - CASE_BOND + 1);
        cases.execute(_id);
        vm.assertEq(registry.stakeOf(Role.Node, node), STAKE - TAKEN);
        vm.assertFalse(registry.isActive(Role.Node, node));
        vm.assertEq(token.balanceOf(opener), before + CASE_BOND + REWARD);
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(_paid(Stage.First, i), CASE_BOND / 3);
        }
        vm.assertEq(token.totalSupply(), SUPPLY - (TAKEN - REWARD - CASE_BOND + 1));
        _assertHeld(0);
    }

    /// @dev An accused that leaves when it hears of its case is slashed on its way out.
    function test_unbonding_saves_nothing() public {
        vm.prank(node);
        registry.unbond(Role.Node, STAKE);
        _decided(_id, 7, 7);
        vm.assertEq(registry.slashableOf(Role.Node, node), STAKE - TAKEN);
        vm.expectRevert();
        vm.prank(node);
        registry.withdraw(Role.Node);
    }

    function test_who_has_left_altogether_blocks_nobody_and_pays_nothing() public {
        vm.prank(node);
        registry.unbond(Role.Node, STAKE);
        vm.warp(block.timestamp + 300);
        vm.prank(node);
        registry.withdraw(Role.Node);
        uint256 before = token.balanceOf(opener);
        _decided(_id, 7, 7);
        vm.assertEq(token.balanceOf(opener), before + CASE_BOND);
        _assertHeld(0);
    }

    function test_a_withheld_leaf_costs_the_gateway_the_penalty() public {
        bytes32 id = _accuseGateway();
        uint256 before = token.balanceOf(opener);
        _decided(id, 7, 7);
        vm.assertEq(registry.stakeOf(Role.Gateway, gateway), STAKE - 20e18);
        vm.assertEq(token.balanceOf(opener), before + CASE_BOND + 4e18);
        vm.assertEq(_juror(id, Stage.First, 0).balance, 0);
        vm.assertEq(token.balanceOf(_juror(id, Stage.First, 0)), CASE_BOND / 3);
        _assertHeld(CASE_BOND);
    }

    // Too few.

    function test_a_case_for_which_too_few_sit_is_dismissed() public {
        uint256 before = token.balanceOf(opener);
        _seed(_id);
        _enrol(_id, jurors[0]);
        _enrol(_id, jurors[1]);
        uint256 until = _jury(_id, Stage.First).enrolUntil;
        _notYet(until);
        vm.warp(until);
        vm.expectEmit();
        emit Cases.Executed(_id, Outcome.Dismissed, 0, 0, 0, 0);
        cases.execute(_id);
        vm.assertEq(token.balanceOf(opener), before + CASE_BOND);
        vm.assertEq(_stakeOf(jurors[0]), STAKE);
        vm.assertEq(token.balanceOf(jurors[0]), 0);
        _assertHeld(0);
    }

    function test_a_case_without_a_seed_cannot_be_executed() public {
        vm.expectRevert(abi.encodeWithSelector(Juries.SeedNotFixed.selector, _id));
        cases.execute(_id);
    }

    function test_an_incomplete_jury_has_no_verdict_to_appeal() public {
        _seed(_id);
        _enrol(_id, jurors[0]);
        vm.warp(_jury(_id, Stage.First).unsealUntil);
        vm.expectRevert(abi.encodeWithSelector(Ballots.JuryIncomplete.selector, 1, 3));
        _appeal(_id);
    }

    // Appeals.

    function test_no_verdict_is_carried_out_while_it_can_be_appealed() public {
        _try(_id, Stage.First, 7, 7);
        _notYet(block.timestamp + 15);
        vm.warp(block.timestamp + 14);
        _appeal(_id);
    }

    function test_an_appeal_comes_in_its_window_and_once() public {
        _seed(_id);
        _enrolAll(_id);
        uint256 until = _jury(_id, Stage.First).unsealUntil;
        vm.expectRevert(abi.encodeWithSelector(Juries.TooEarly.selector, until));
        _appeal(_id);
        vm.warp(until);
        _appeal(_id);
        _assertHeld(3 * CASE_BOND);
        vm.expectRevert(abi.encodeWithSelector(Cases.AlreadyAppealed.selector, _id));
        _appeal(_id);
    }

    function test_a_late_appeal_is_refused() public {
        _try(_id, Stage.First, 7, 7);
        _passAppeal();
        vm.expectRevert(abi.encodeWithSelector(Juries.TooLate.selector, block.timestamp));
        _appeal(_id);
    }

    function test_an_appeal_that_overturns_a_conviction_saves_the_node() public {
        (uint256 ofOpener, uint256 ofAppellant) = (token.balanceOf(opener), token.balanceOf(appellant));
        _try(_id, Stage.First, 7, 7);
        vm.expectEmit();
        emit Cases.Appealed(_id, appellant, true);
        _appeal(_id);
        _try(_id, Stage.Appeal, 31, 7); // three of five do not convict
        cases.execute(_id);
        _assertOutcome(_id, Outcome.Acquitted);
        vm.assertEq(registry.stakeOf(Role.Node, node), STAKE);
        vm.assertTrue(registry.isActive(Role.Node, node));
        vm.assertEq(token.balanceOf(opener), ofOpener);
        vm.assertEq(token.balanceOf(appellant), ofAppellant);
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(_paid(Stage.First, i), CASE_BOND / 8);
        }
        vm.assertEq(_paid(Stage.Appeal, 4), CASE_BOND / 8);
        _assertHeld(0);
    }

    function test_an_appeal_that_overturns_an_acquittal_convicts() public {
        (uint256 ofOpener, uint256 ofAppellant) = (token.balanceOf(opener), token.balanceOf(appellant));
        _try(_id, Stage.First, 7, 0);
        _appeal(_id);
        _try(_id, Stage.Appeal, 31, 15);
        cases.execute(_id);
        _assertOutcome(_id, Outcome.Convicted);
        vm.assertEq(token.balanceOf(opener), ofOpener + CASE_BOND + REWARD);
        vm.assertEq(token.balanceOf(appellant), ofAppellant);
        vm.assertEq(_paid(Stage.First, 0), CASE_BOND / 8);
        _assertHeld(0);
    }

    function test_an_appeal_in_vain_pays_both_juries() public {
        uint256 before = token.balanceOf(appellant);
        _try(_id, Stage.First, 7, 7);
        _appeal(_id);
        _try(_id, Stage.Appeal, 31, 31);
        cases.execute(_id);
        _assertOutcome(_id, Outcome.Convicted);
        vm.assertEq(token.balanceOf(appellant), before - 2 * CASE_BOND);
        vm.assertEq(_paid(Stage.First, 0), 3 * CASE_BOND / 8);
        vm.assertEq(_paid(Stage.Appeal, 0), 3 * CASE_BOND / 8);
        _assertHeld(0);
    }

    function test_opener_and_appellant_both_lose_a_case_acquitted_twice() public {
        (uint256 ofOpener, uint256 ofAppellant) = (token.balanceOf(opener), token.balanceOf(appellant));
        _try(_id, Stage.First, 7, 0);
        _appeal(_id);
        _try(_id, Stage.Appeal, 31, 0);
        cases.execute(_id);
        vm.assertEq(token.balanceOf(opener), ofOpener);
        vm.assertEq(token.balanceOf(appellant), ofAppellant - 2 * CASE_BOND);
        vm.assertEq(_paid(Stage.Appeal, 0), 3 * CASE_BOND / 8);
        _assertHeld(0);
    }

    /// @dev Else a convicted node on a small network escapes by appealing.
    function test_an_appeal_that_finds_no_jury_leaves_the_verdict_standing() public {
        (uint256 ofOpener, uint256 ofAppellant) = (token.balanceOf(opener), token.balanceOf(appellant));
        _try(_id, Stage.First, 7, 7);
        _appeal(_id);
        vm.expectRevert(abi.encodeWithSelector(Juries.SeedNotFixed.selector, _id));
        cases.execute(_id);
        _seed(_id);
        for (uint256 i = 0; _jury(_id, Stage.Appeal).seats.length < 4; ++i) {
            _enrol(_id, jurors[i]);
        }
        uint256 until = _jury(_id, Stage.Appeal).enrolUntil;
        _notYet(until);
        vm.warp(until);
        cases.execute(_id);
        _assertOutcome(_id, Outcome.Convicted);
        vm.assertEq(registry.stakeOf(Role.Node, node), STAKE - TAKEN);
        vm.assertEq(token.balanceOf(opener), ofOpener + CASE_BOND + REWARD);
        vm.assertEq(token.balanceOf(appellant), ofAppellant);
        for (uint256 i = 0; i < JURORS; ++i) {
            vm.assertEq(_stakeOf(jurors[i]), STAKE);
        }
        _assertHeld(0);
    }

    function test_an_appeal_is_not_carried_out_before_its_votes_are_open() public {
        _try(_id, Stage.First, 7, 7);
        _appeal(_id);
        _seed(_id);
        _enrolAll(_id);
        uint256 until = _jury(_id, Stage.Appeal).unsealUntil;
        vm.warp(until - 1);
        _notYet(until);
    }

    // Nobody without a verdict.

    function test_an_open_case_slashes_nobody() public {
        _try(_id, Stage.First, 7, 7);
        vm.assertEq(registry.slashableOf(Role.Node, node), STAKE);
        vm.assertTrue(registry.isActive(Role.Node, node));
        vm.expectRevert(abi.encodeWithSelector(Cases.NotConvicted.selector, _id));
        cases.slashSigner(_id, jurors[0], hex"00");
    }
}
