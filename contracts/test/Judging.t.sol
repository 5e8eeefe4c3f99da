// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Judging} from "../src/Judging.sol";
import {Parameter} from "../src/Parameter.sol";
import {PayoutKind} from "../src/Payouts.sol";
import {QualityCourt} from "../src/QualityCourt.sol";
import {Courtroom} from "./Courtroom.sol";
import {vm} from "./Vm.sol";

contract JudgingTest is Courtroom {
    function test_the_court_belongs_to_the_others_and_to_the_timelock() public view {
        vm.assertEq(address(court.token()), address(token));
        vm.assertEq(address(court.registry()), address(registry));
        vm.assertEq(address(court.settlement()), address(settlement));
        vm.assertEq(court.timelock(), timelock);
        vm.assertEq(settlement.treasury(), address(court));
        vm.assertTrue(court.isAuthor(author));
    }

    function test_refuses_an_address_that_the_others_were_not_told() public {
        vm.expectRevert(abi.encodeWithSelector(Judging.WrongPrediction.selector, address(court)));
        new QualityCourt(settlement, _authors());
    }

    function test_a_round_goes_by_its_own_epochs_parameters() public {
        _decide(Parameter.RevealSeconds, 5);
        uint64 now_ = parameters.epochNow();
        (uint256 commitFrom, uint256 revealFrom, uint256 openFrom, uint256 postFrom) = court.windowsOf(now_ + 1);
        vm.assertEq(commitFrom, settlement.endOf(now_ + 1));
        vm.assertEq(revealFrom, commitFrom + 10);
        vm.assertEq(openFrom, revealFrom + 8);
        vm.assertEq(postFrom, openFrom + 8);
        (, revealFrom, openFrom,) = court.windowsOf(now_ + 2);
        vm.assertEq(openFrom, revealFrom + 5);
        vm.warp(block.timestamp + 1 days);
        (, revealFrom, openFrom,) = court.windowsOf(now_ + 1);
        vm.assertEq(openFrom, revealFrom + 8);
    }

    function test_a_root_waits_as_long_as_its_round_was_told() public {
        uint64 round = _judged(100e18, _row(PayoutKind.Node, node, 1e18), 20e18);
        uint256 postedAt = block.timestamp;
        _decide(Parameter.RootSeconds, 1);
        vm.warp(postedAt + 14);
        vm.assertEq(court.current().digest, bytes32(0));
        vm.warp(postedAt + 15);
        vm.assertEq(court.current().round, round);
    }
}
