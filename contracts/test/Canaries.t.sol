// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Canaries} from "../src/Canaries.sol";
import {Draws} from "../src/Draws.sol";
import {Judging} from "../src/Judging.sol";
import {Courtroom} from "./Courtroom.sol";
import {vm} from "./Vm.sol";

contract CanariesTest is Courtroom {
    uint64 private constant EPOCH_AHEAD = 9;

    function _commitCanaries(uint64 epoch) private {
        vm.prank(author);
        court.commitCanaries(epoch, keccak256("canaries"));
    }

    function test_the_timelock_alone_appoints_authors() public {
        vm.expectRevert(abi.encodeWithSelector(Judging.OnlyTimelock.selector, address(this)));
        court.setAuthor(address(this), true);
        vm.expectEmit();
        emit Canaries.AuthorSet(author, false);
        vm.prank(timelock);
        court.setAuthor(author, false);
        vm.assertFalse(court.isAuthor(author));
        vm.prank(author);
        vm.expectRevert(abi.encodeWithSelector(Canaries.OnlyAuthor.selector, author));
        court.commitCanaries(EPOCH_AHEAD, keccak256("canaries"));
    }

    function test_canaries_are_committed_once_before_their_epoch_begins() public {
        uint256 begins = settlement.endOf(EPOCH_AHEAD) - EPOCH;
        vm.warp(begins);
        vm.prank(author);
        vm.expectRevert(abi.encodeWithSelector(Judging.TooLate.selector, begins));
        court.commitCanaries(EPOCH_AHEAD, keccak256("canaries"));
        vm.warp(begins - 1);
        vm.prank(author);
        vm.expectRevert(Canaries.EmptyCanaries.selector);
        court.commitCanaries(EPOCH_AHEAD, bytes32(0));
        vm.expectEmit();
        emit Canaries.CanariesCommitted(author, EPOCH_AHEAD, keccak256("canaries"));
        _commitCanaries(EPOCH_AHEAD);
        vm.assertEq(court.canaryRootOf(author, EPOCH_AHEAD), keccak256("canaries"));
        vm.prank(author);
        vm.expectRevert(abi.encodeWithSelector(Canaries.CanariesAlreadyCommitted.selector, author, EPOCH_AHEAD));
        court.commitCanaries(EPOCH_AHEAD, keccak256("others"));
    }

    function test_canaries_are_opened_once_in_the_window_of_their_round() public {
        _commitCanaries(1);
        vm.warp(settlement.endOf(0));
        (uint64 epoch, uint64 round) = _draw(1e18);
        vm.assertEq(epoch, 1);
        (,, uint256 openFrom, uint256 postFrom) = court.windowsOf(round);
        vm.warp(openFrom - 1);
        vm.prank(author);
        vm.expectRevert(abi.encodeWithSelector(Judging.TooEarly.selector, openFrom));
        court.openCanaries(gateway, epoch, keccak256("opened"));
        vm.warp(postFrom);
        vm.prank(author);
        vm.expectRevert(abi.encodeWithSelector(Judging.TooLate.selector, postFrom));
        court.openCanaries(gateway, epoch, keccak256("opened"));
        vm.warp(postFrom - 1);
        vm.expectEmit();
        emit Canaries.CanariesOpened(author, gateway, epoch, keccak256("opened"));
        vm.prank(author);
        court.openCanaries(gateway, epoch, keccak256("opened"));
        vm.prank(author);
        vm.expectRevert(abi.encodeWithSelector(Canaries.CanariesAlreadyOpened.selector, author, gateway, epoch));
        court.openCanaries(gateway, epoch, keccak256("opened again"));
    }

    function test_only_committed_canaries_of_a_drawn_epoch_are_opened() public {
        vm.prank(author);
        vm.expectRevert(abi.encodeWithSelector(Draws.SeedNotFixed.selector, gateway, 0));
        court.openCanaries(gateway, 0, keccak256("opened"));
        (uint64 epoch, uint64 round) = _draw(1e18);
        (,, uint256 openFrom,) = court.windowsOf(round);
        vm.warp(openFrom);
        vm.prank(author);
        vm.expectRevert(abi.encodeWithSelector(Canaries.NoCanaries.selector, author, epoch));
        court.openCanaries(gateway, epoch, keccak256("opened"));
        vm.expectRevert(abi.encodeWithSelector(Canaries.OnlyAuthor.selector, address(this)));
        court.openCanaries(gateway, epoch, keccak256("opened"));
    }
}
