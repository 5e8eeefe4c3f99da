// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Cases} from "../src/Cases.sol";
import {Case, Docket, Outcome, Refund, Stage, Subject} from "../src/Docket.sol";
import {Parameter} from "../src/Parameter.sol";
import {QualityCourt} from "../src/QualityCourt.sol";
import {Role} from "../src/Types.sol";
import {Courthouse} from "./Courthouse.sol";
import {vm} from "./Vm.sol";

/// @notice What a jury can be asked, by whom, and how often.
contract DocketTest is Courthouse {
    function _refused(Subject subject, address accused, bytes32 evidence, Refund[] memory refunds, bytes memory reason)
        private
    {
        vm.expectRevert(reason);
        vm.prank(opener);
        cases.open(subject, accused, MODEL, evidence, refunds);
    }

    function test_a_case_takes_its_bond_and_says_what_is_alleged() public {
        Refund[] memory refunds = _refund(payer, 1e17);
        bytes32 id = keccak256(abi.encode(Subject.Identity, node, MODEL, BLOB, uint256(0)));
        vm.expectEmit();
        emit Docket.CaseOpened(id, Subject.Identity, node, MODEL, BLOB, opener, refunds);
        vm.assertEq(_accuse(refunds), id);
        Case memory found = _case(id);
        vm.assertEq(found.bond, CASE_BOND);
        vm.assertEq(found.opener, opener);
        vm.assertEq(found.refunds.length, 1);
        vm.assertEq(found.openedAt, block.timestamp);
        _assertOutcome(id, Outcome.Open);
        _assertHeld(CASE_BOND);
    }

    function test_refuses_without_evidence() public {
        _refused(Subject.Identity, node, 0, _noRefunds(), abi.encodeWithSelector(Docket.NoEvidence.selector));
    }

    function test_refuses_who_has_nothing_at_stake_in_that_role() public {
        bytes memory reason = abi.encodeWithSelector(Docket.NothingAtStake.selector, gateway);
        _refused(Subject.Identity, gateway, BLOB, _noRefunds(), reason);
        reason = abi.encodeWithSelector(Docket.NothingAtStake.selector, node);
        _refused(Subject.Undisclosed, node, BLOB, _noRefunds(), reason);
    }

    function test_whose_stake_is_on_its_way_out_can_be_accused() public {
        vm.prank(node);
        registry.unbond(Role.Node, STAKE);
        _accuse();
    }

    function test_refuses_too_many_refunds_and_any_for_a_root() public {
        Refund[] memory refunds = new Refund[](17);
        bytes memory reason = abi.encodeWithSelector(Docket.TooManyRefunds.selector, 17, 16);
        _refused(Subject.Identity, node, BLOB, refunds, reason);
        vm.expectRevert(abi.encodeWithSelector(Docket.TooManyRefunds.selector, 1, 0));
        cases.open(Subject.QualityRoot, address(0), bytes32(0), BLOB, _refund(payer, 1));
    }

    function test_refuses_a_refund_above_what_a_request_may_be_worth_or_to_nobody() public {
        bytes memory reason = abi.encodeWithSelector(Docket.RefundOutOfRange.selector, payer, 1e17 + 1, 1e17);
        _refused(Subject.Identity, node, BLOB, _refund(payer, 1e17 + 1), reason);
        reason = abi.encodeWithSelector(Docket.RefundOutOfRange.selector, address(0), 1, 1e17);
        _refused(Subject.Identity, node, BLOB, _refund(address(0), 1), reason);
    }

    function test_refuses_without_the_bond() public {
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        vm.prank(reporter);
        cases.open(Subject.Identity, node, MODEL, BLOB, _noRefunds());
    }

    function test_one_matter_has_one_open_case_at_a_time() public {
        bytes32 id = _accuse();
        _refused(
            Subject.Identity,
            node,
            keccak256("more evidence"),
            _noRefunds(),
            abi.encodeWithSelector(Docket.CaseStanding.selector, id)
        );
        _accuseGateway();
        vm.prank(opener);
        cases.open(Subject.Identity, node, keccak256("another model"), BLOB, _noRefunds());
        _assertHeld(3 * CASE_BOND);
    }

    function test_an_ended_case_leaves_room_for_a_new_one_under_another_id() public {
        bytes32 id = _accuse();
        _decided(id, 7, 0);
        bytes32 again = _accuse();
        vm.assertEq(again, keccak256(abi.encode(Subject.Identity, node, MODEL, BLOB, uint256(1))));
        _assertOutcome(again, Outcome.Open);
        _assertOutcome(id, Outcome.Acquitted);
    }

    function test_a_withheld_leaf_is_punished_once() public {
        bytes32 id = _accuseGateway();
        _decided(id, 7, 7);
        vm.expectRevert(abi.encodeWithSelector(Docket.AlreadyPunished.selector, id));
        _accuseGateway();
    }

    /// @dev Else the gateway would accuse itself first, with evidence that shows nothing.
    function test_an_acquittal_does_not_protect_for_ever() public {
        _decided(_accuseGateway(), 7, 0);
        _accuseGateway();
    }

    function test_a_case_goes_by_the_parameters_of_its_opening() public {
        bytes32 id = _accuse();
        _decide(Parameter.CaseBond, 14e18);
        _decide(Parameter.NodeSlashBps, 9_000);
        vm.warp(block.timestamp + 3 * EPOCH);
        uint256 before = token.balanceOf(opener);
        _decided(id, 7, 7);
        vm.assertEq(registry.stakeOf(Role.Node, node), STAKE / 2);
        vm.assertEq(token.balanceOf(opener), before + CASE_BOND + STAKE / 2 / 5);
    }

    function test_refuses_what_nobody_opened_and_what_has_ended() public {
        bytes memory reason = abi.encodeWithSelector(Docket.NoSuchCase.selector, BLOB);
        vm.expectRevert(reason);
        cases.fixSeed(BLOB);
        vm.expectRevert(reason);
        cases.execute(BLOB);
        bytes32 id = _accuse();
        _decided(id, 7, 7);
        reason = abi.encodeWithSelector(Docket.CaseClosed.selector, id);
        vm.expectRevert(reason);
        cases.execute(id);
        vm.expectRevert(reason);
        cases.appeal(id);
        vm.expectRevert(reason);
        cases.enrol(id);
        vm.expectRevert(reason);
        cases.commitVote(id, SALT);
    }

    function test_a_round_without_a_root_cannot_be_disputed() public {
        vm.expectRevert(abi.encodeWithSelector(QualityCourt.NotTheLastRound.selector, 3, 0));
        vm.prank(opener);
        cases.open(Subject.QualityRoot, address(0), bytes32(uint256(3)), BLOB, _noRefunds());
        _assertHeld(0);
    }

    function test_deploys_only_where_the_registry_expects_it() public {
        vm.expectRevert(abi.encodeWithSelector(Docket.WrongPrediction.selector, address(cases)));
        new Cases(court);
    }
}
