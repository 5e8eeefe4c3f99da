// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Awards} from "../src/Awards.sol";
import {Cases} from "../src/Cases.sol";
import {Outcome, Refund, Stage, Subject} from "../src/Docket.sol";
import {Parameter} from "../src/Parameter.sol";
import {MAX_REFUNDS, Role} from "../src/Types.sol";
import {OpenCase} from "./Courthouse.sol";
import {vm} from "./Vm.sol";

/// @notice Whose money a verdict moves.
contract AwardsTest is OpenCase {
    // Refunds.

    function test_payers_get_their_part_first() public {
        _decided(_id, 7, 0);
        _id = _accuse(_refund(payer, 1e17));
        uint256 before = token.balanceOf(payer);
        _try(_id, Stage.First, 7, 7);
        _passAppeal();
        vm.expectEmit();
        emit Awards.Refunded(_id, payer, 1e17);
        cases.execute(_id);
        vm.assertEq(token.balanceOf(payer), before + 1e17);
        _assertHeld(0);
    }

    /// @dev The least that a case can take of a member in good standing, and all the refunds that one can order.
    function test_the_least_slash_leaves_the_members_a_bond_after_every_refund() public {
        _decided(_id, 7, 0);
        _decide(Parameter.UndisclosedPenalty, 14.5e18);
        vm.warp(block.timestamp + 3 * EPOCH);
        Refund[] memory refunds = new Refund[](MAX_REFUNDS);
        for (uint256 i = 0; i < MAX_REFUNDS; ++i) {
            refunds[i] = Refund(payer, 1e17);
        }
        vm.prank(opener);
        _id = cases.open(Subject.Undisclosed, gateway, keccak256("leaf"), BLOB, refunds);
        _try(_id, Stage.First, 7, 7);
        _passAppeal();
        vm.expectEmit();
        emit Cases.Executed(_id, Outcome.Convicted, 14.5e18, 1.6e18, 2.9e18, 1);
        cases.execute(_id);
        _assertHeld(0);
    }

    function test_refunds_never_exceed_what_was_slashed() public {
        vm.prank(node);
        registry.unbond(Role.Node, STAKE);
        vm.prank(address(cases));
        registry.slash(Role.Node, node, STAKE - 3e17, reporter);
        _assertHeld(CASE_BOND + STAKE - 3e17);
        vm.prank(address(cases));
        token.burn(STAKE - 3e17);
        _decided(_id, 7, 0);
        Refund[] memory refunds = new Refund[](3);
        refunds[0] = Refund(address(0xF001), 1e17);
        refunds[1] = Refund(address(0xF002), 1e17);
        refunds[2] = Refund(address(0xF003), 1e17);
        _id = _accuse(refunds);
        uint256 before = token.balanceOf(opener);
        _decided(_id, 7, 7); // takes 1.5e17
        vm.assertEq(token.balanceOf(address(0xF001)), 1e17);
        vm.assertEq(token.balanceOf(address(0xF002)), 5e16);
        vm.assertEq(token.balanceOf(address(0xF003)), 0);
        vm.assertEq(token.balanceOf(opener), before + CASE_BOND);
        _assertHeld(0);
    }

    function testFuzz_what_is_slashed_is_paid_out_or_burned(uint128 stake, uint96[] memory amounts) public {
        vm.prank(address(cases));
        uint128 taken = registry.slash(Role.Node, node, stake % STAKE, reporter);
        vm.prank(address(cases));
        token.burn(taken);
        _decided(_id, 7, 0);
        uint256 count = amounts.length > 16 ? 16 : amounts.length;
        Refund[] memory refunds = new Refund[](count);
        for (uint256 i = 0; i < count; ++i) {
            refunds[i] = Refund(address(uint160(0xF000 + i)), amounts[i] % 1e17);
        }
        _id = _accuse(refunds);
        uint256 supply = token.totalSupply();
        uint256 others = token.balanceOf(address(registry));
        _decided(_id, 7, 7);
        uint256 slashed = others - token.balanceOf(address(registry));
        vm.assertEq(slashed, uint256(STAKE - taken) / 2);
        vm.assertLe(supply - token.totalSupply(), slashed);
        _assertHeld(0);
    }

    // An acquittal.

    function test_an_opener_that_was_wrong_pays_the_members() public {
        uint256 before = token.balanceOf(opener);
        _decided(_id, 7, 1);
        _assertOutcome(_id, Outcome.Acquitted);
        vm.assertEq(registry.stakeOf(Role.Node, node), STAKE);
        vm.assertEq(token.balanceOf(opener), before);
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(_paid(Stage.First, i), CASE_BOND / 3); // also the one that voted the other way
        }
        vm.assertEq(token.totalSupply(), SUPPLY - 1);
        _assertHeld(0);
    }

    /// @dev What a member earns must not depend on its vote.
    function testFuzz_no_verdict_pays_members_better(uint8 guilty) public {
        _decided(_id, 7, guilty & 7);
        vm.assertEq(_paid(Stage.First, 0), CASE_BOND / 3);
    }

    // Members that break their word.

    function test_who_sat_and_did_not_vote_pays_and_shares_nothing() public {
        _seed(_id);
        _enrolAll(_id);
        address silent = _juror(_id, Stage.First, 2);
        _hearVotes(_id, Stage.First, 3, 3);
        _passAppeal();
        vm.expectEmit();
        emit Awards.MemberPenalized(_id, Stage.First, silent, PENALTY);
        cases.execute(_id);
        _assertOutcome(_id, Outcome.Convicted);
        vm.assertEq(_stakeOf(silent), STAKE - PENALTY);
        vm.assertEq(token.balanceOf(silent), 0);
        vm.assertEq(_paid(Stage.First, 0), CASE_BOND / 2);
        vm.assertEq(_stakeOf(_juror(_id, Stage.First, 0)), STAKE);
    }

    function test_who_sealed_a_vote_and_kept_it_pays() public {
        _seed(_id);
        _enrolAll(_id);
        address silent = _juror(_id, Stage.First, 0);
        vm.warp(_jury(_id, Stage.First).enrolUntil);
        _commitVote(_id, Stage.First, silent, true);
        vm.warp(_jury(_id, Stage.First).unsealUntil);
        _passAppeal();
        cases.execute(_id);
        vm.assertEq(_stakeOf(silent), STAKE - PENALTY);
    }

    function test_a_silent_jury_costs_the_opener_nothing() public {
        uint256 before = token.balanceOf(opener);
        _decided(_id, 0, 0);
        _assertOutcome(_id, Outcome.Acquitted);
        vm.assertEq(token.balanceOf(opener), before + CASE_BOND);
        vm.assertEq(token.totalSupply(), SUPPLY - 3 * PENALTY);
        _assertHeld(0);
    }

    function test_who_lost_its_seat_owes_nothing() public {
        _seed(_id);
        _enrolAll(_id);
        _hearVotes(_id, Stage.First, 7, 7);
        _passAppeal();
        cases.execute(_id);
        for (uint256 i = 0; i < JURORS; ++i) {
            vm.assertEq(_stakeOf(jurors[i]), STAKE);
        }
    }
}
