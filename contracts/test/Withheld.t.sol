// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Convictions} from "../src/Convictions.sol";
import {Demands} from "../src/Demands.sol";
import {Evidence} from "../src/Evidence.sol";
import {Parameter} from "../src/Parameter.sol";
import {EpochRoot, Role, StoredSignature} from "../src/Types.sol";
import {Demanding} from "./Demanding.sol";
import {vm} from "./Vm.sol";

/// @notice What silence costs, and whom it does not.
contract WithheldTest is Demanding {
    // Withholding.

    function test_silence_convicts_the_gateway_and_costs_its_archives() public {
        _anchored();
        bytes32 id = _demand(1);
        _passDemand();
        (uint128 slashed, uint256 before) = ((BOND + STAKE) / 2, token.balanceOf(asker));
        vm.expectEmit();
        emit Demands.Withheld(id, asker, true);
        vm.expectEmit();
        emit Convictions.Convicted(gateway, 0, 6, asker, slashed, slashed / 5, slashed - slashed / 5);
        _withheld(1, 2);
        uint256 rewards = slashed / 5 + 2 * PENALTY / 5;
        vm.assertEq(token.balanceOf(asker), before + DEMAND_DEPOSIT + rewards);
        vm.assertEq(registry.stakeOf(Role.Archive, _archive(0)), STAKE - PENALTY);
        vm.assertEq(registry.stakeOf(Role.Archive, _archive(1)), STAKE - PENALTY);
        vm.assertEq(registry.stakeOf(Role.Archive, _archive(2)), STAKE);
        vm.assertEq(token.totalSupply(), SUPPLY - (slashed - slashed / 5) - (2 * PENALTY - 2 * PENALTY / 5));
        vm.assertEq(_held(), 0);
    }

    /// @dev Else its accomplice would send the proof first, with no archives in it.
    function test_archives_left_out_are_slashed_afterwards_and_none_twice() public {
        _anchored();
        _demand(1);
        _demand(2);
        _passDemand();
        _withheld(1, 0);
        uint256 before = token.balanceOf(asker);
        _withheld(1, 1);
        _withheld(1, 3);
        vm.assertEq(token.balanceOf(asker), before + 3 * PENALTY / 5);
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(registry.stakeOf(Role.Archive, _archive(i)), STAKE - PENALTY);
        }
        _withheld(2, 3);
        vm.assertEq(registry.stakeOf(Role.Archive, _archive(0)), STAKE - PENALTY);
        vm.assertEq(_held(), 0);
    }

    function test_an_archive_that_left_is_reached_as_long_as_its_stake_is_here() public {
        _anchored();
        vm.prank(_archive(0));
        registry.unbond(Role.Archive, STAKE);
        _demand(1);
        _passDemand();
        _withheld(1, 1);
        vm.assertEq(registry.slashableOf(Role.Archive, _archive(0)), STAKE - PENALTY);
    }

    function test_who_did_not_sign_for_the_blob_is_not_slashed() public {
        _anchored();
        _demand(1);
        _passDemand();
        StoredSignature[] memory stored = _stored(keccak256("another blob"), 1);
        vm.expectRevert(abi.encodeWithSelector(Demands.WrongStoredSignature.selector, stored[0].archive));
        demands.proveWithheld(demanded, 0, 1, stored);
        stored = _stored(demanded.blobId, 1);
        stored[0].archive = _archive(2);
        vm.expectRevert(abi.encodeWithSelector(Demands.WrongStoredSignature.selector, _archive(2)));
        demands.proveWithheld(demanded, 0, 1, stored);
    }

    /// @dev Another root's blob would reach other archives.
    function test_withholding_is_proved_against_the_anchored_root() public {
        _anchored();
        _demand(1);
        _passDemand();
        demanded.blobId = keccak256("another blob");
        _notWithheld(1, 2, abi.encodeWithSelector(Evidence.NotAnchored.selector, gateway, 0));
    }

    function test_what_nobody_asked_for_is_not_withheld() public {
        _anchored();
        bytes32 id = demands.idOf(gateway, 0, 0, 1);
        _notWithheld(1, 2, abi.encodeWithSelector(Demands.NotDemanded.selector, id));
    }

    function test_a_root_voided_meanwhile_costs_nobody_more() public {
        _anchored();
        bytes32 id = _demand(1);
        _convictOtherwise();
        _passDemand();
        (uint256 before, uint256 supply) = (token.balanceOf(asker), token.totalSupply());
        vm.expectEmit();
        emit Demands.Withheld(id, asker, false);
        _withheld(1, 3);
        vm.assertEq(token.balanceOf(asker), before + DEMAND_DEPOSIT);
        vm.assertEq(token.totalSupply(), supply);
        vm.assertEq(registry.stakeOf(Role.Archive, _archive(0)), STAKE);
        _notWithheld(1, 3, abi.encodeWithSelector(Demands.NotDemanded.selector, id));
    }

    /// @dev The deposit that was paid goes back, whatever one costs by then.
    function test_a_changed_deposit_leaves_open_demands_as_they_are() public {
        _anchored();
        _decide(Parameter.DemandDeposit, 50e18);
        _demand(1);
        vm.warp(block.timestamp + 3 * EPOCH);
        uint256 before = token.balanceOf(asker);
        _withheld(1, 0);
        vm.assertEq(token.balanceOf(asker), before + DEMAND_DEPOSIT + (BOND + STAKE) / 2 / 5);
        vm.assertEq(_held(), 0);
    }

    // An archive that was cheated.

    function test_two_roots_over_one_blob_clear_its_archives() public {
        _anchored();
        _demand(1);
        EpochRoot memory other = demanded;
        other.recordsRoot = keccak256("what the blob really holds");
        bytes memory signature = book.signRoot(other);
        vm.expectEmit();
        emit Demands.Excused(gateway, 0, demanded.blobId);
        demands.excuse(demanded, other, signature);
        _passDemand();
        _withheld(1, 3);
        vm.assertTrue(settlement.isVoid(gateway, 0), "the gateway is convicted all the same");
        vm.assertEq(registry.stakeOf(Role.Archive, _archive(0)), STAKE);
    }

    function test_no_excuse_without_another_root_of_the_gateway_over_the_blob() public {
        _anchored();
        EpochRoot memory other = demanded;
        bytes memory signature = book.signRoot(other);
        vm.expectRevert(Demands.NotAnExcuse.selector);
        demands.excuse(demanded, other, signature);
        other.epoch = 5;
        vm.expectRevert(Demands.NotAnExcuse.selector);
        demands.excuse(demanded, other, signature);
        other.blobId = keccak256("another blob");
        signature = book.signRoot(other);
        vm.expectRevert(Demands.NotAnExcuse.selector);
        demands.excuse(demanded, other, signature);
        other = demanded;
        other.gateway = vm.addr(WORKER_KEY);
        signature = _sign(WORKER_KEY, settlement.domainSeparator(), exposed.hash(other));
        vm.expectRevert(Demands.NotAnExcuse.selector);
        demands.excuse(demanded, other, signature);
    }
}
