// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Awards} from "../src/Awards.sol";
import {Ballots} from "../src/Ballots.sol";
import {Cases} from "../src/Cases.sol";
import {Outcome, Refund, Stage, Subject} from "../src/Docket.sol";
import {Juries} from "../src/Juries.sol";
import {Registry} from "../src/Registry.sol";
import {Role} from "../src/Types.sol";
import {Courthouse} from "./Courthouse.sol";
import {vm} from "./Vm.sol";

/// @notice What a verdict does, and whose money it moves.
contract CasesTest is Courthouse {
    uint128 private constant TAKEN = STAKE / 2;
    uint128 private constant REWARD = TAKEN / 5;

    bytes32 private _id;

    function setUp() public override {
        super.setUp();
        _id = _accuse();
    }

    function _notYet(uint256 until) private {
        vm.expectRevert(abi.encodeWithSelector(Juries.TooEarly.selector, until));
        cases.execute(_id);
    }

    function _paid(Stage stage, uint256 seat) private view returns (uint256) {
        return token.balanceOf(_juror(_id, stage, seat));
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
        vm.assertEq(registry.stakeOf(Role.Gateway, gateway), STAKE - 10e18);
        vm.assertEq(token.balanceOf(opener), before + CASE_BOND + 2e18);
        vm.assertEq(_juror(id, Stage.First, 0).balance, 0);
        vm.assertEq(token.balanceOf(_juror(id, Stage.First, 0)), 8e18 / uint256(3));
        _assertHeld(CASE_BOND);
    }

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
