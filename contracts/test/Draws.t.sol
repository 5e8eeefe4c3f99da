// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Draws} from "../src/Draws.sol";
import {EpochRoot} from "../src/Types.sol";
import {Courtroom} from "./Courtroom.sol";
import {vm} from "./Vm.sol";

contract DrawsTest is Courtroom {
    function test_the_seed_comes_from_the_third_block_after_the_anchor() public {
        EpochRoot memory root = _anchorEpoch(1e18);
        uint256 anchored = block.number;
        vm.roll(anchored + 4);
        vm.warp(block.timestamp + 7);
        bytes32 seed = keccak256(abi.encode(exposed.hash(root), blockhash(anchored + 3)));
        uint64 round = parameters.epochNow();
        vm.expectEmit();
        emit Draws.SeedFixed(gateway, root.epoch, round, seed, false);
        vm.prank(judge);
        court.fixSeed(gateway, root.epoch);
        (bytes32 fixedSeed, uint64 fixedRound, bool expired) = court.drawOf(gateway, root.epoch);
        vm.assertEq(fixedSeed, seed);
        vm.assertEq(fixedRound, round);
        vm.assertFalse(expired);
    }

    /// @dev Else whoever fixes a seed just before a round ends, and anybody may, would have its gateway seem to hide.
    function testFuzz_what_is_drawn_leaves_a_quarter_of_an_epoch_to_disclose_it(uint64 passed) public {
        EpochRoot memory root = _anchorEpoch(1e18);
        vm.roll(block.number + 4);
        vm.warp(block.timestamp + passed % 1_000);
        court.fixSeed(gateway, root.epoch);
        (, uint64 round,) = court.drawOf(gateway, root.epoch);
        uint256 left = settlement.endOf(round) - block.timestamp;
        uint256 quarter = parameters.epochSeconds() / 4;
        vm.assertTrue(left > quarter && left <= parameters.epochSeconds() + quarter);
    }

    function testFuzz_there_is_no_seed_before_its_block_is_known(uint256 passed) public {
        EpochRoot memory root = _anchorEpoch(1e18);
        uint256 anchored = block.number;
        vm.roll(anchored + passed % 4);
        vm.expectRevert(abi.encodeWithSelector(Draws.SeedNotYet.selector, anchored + 3));
        court.fixSeed(gateway, root.epoch);
    }

    /// @dev 256 hashes are known: the last block from which the third after the anchor is seen is 256 above it.
    function testFuzz_whenever_it_is_fixed_in_time_the_seed_is_the_same(uint256 passed) public {
        EpochRoot memory root = _anchorEpoch(1e18);
        uint256 anchored = block.number;
        vm.roll(anchored + 4);
        bytes32 chance = blockhash(anchored + 3);
        vm.roll(anchored + 4 + passed % 256);
        court.fixSeed(gateway, root.epoch);
        (bytes32 seed,, bool expired) = court.drawOf(gateway, root.epoch);
        vm.assertEq(seed, keccak256(abi.encode(exposed.hash(root), chance)));
        vm.assertFalse(expired);
    }

    function testFuzz_too_late_a_seed_draws_everything(uint32 passed) public {
        EpochRoot memory root = _anchorEpoch(1e18);
        vm.roll(block.number + 3 + 257 + passed);
        court.fixSeed(gateway, root.epoch);
        (bytes32 seed,, bool expired) = court.drawOf(gateway, root.epoch);
        vm.assertEq(seed, keccak256(abi.encode(exposed.hash(root))));
        vm.assertTrue(expired);
    }

    function test_a_seed_is_fixed_once() public {
        (uint64 epoch,) = _draw(1e18);
        vm.roll(block.number + 1_000);
        vm.expectRevert(abi.encodeWithSelector(Draws.SeedAlreadyFixed.selector, gateway, epoch));
        court.fixSeed(gateway, epoch);
    }

    function test_refuses_an_epoch_without_a_root() public {
        vm.roll(block.number + 10);
        vm.expectRevert(abi.encodeWithSelector(Draws.NotAnchored.selector, gateway, 0));
        court.fixSeed(gateway, 0);
        (bytes32 seed, uint64 round, bool expired) = court.drawOf(gateway, 0);
        vm.assertTrue(seed == bytes32(0) && round == 0 && !expired);
    }

    function test_a_gateway_discloses_once_and_only_what_was_drawn() public {
        EpochRoot memory root = _anchorEpoch(1e18);
        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(Draws.SeedNotFixed.selector, gateway, root.epoch));
        court.disclose(root.epoch, bytes32(0), keccak256("content"));
        vm.roll(block.number + 4);
        court.fixSeed(gateway, root.epoch);
        (bytes32 seed,,) = court.drawOf(gateway, root.epoch);
        vm.expectRevert(abi.encodeWithSelector(Draws.SeedNotFixed.selector, address(this), root.epoch));
        court.disclose(root.epoch, seed, keccak256("another's content"));
        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(Draws.WrongSeed.selector, seed));
        court.disclose(root.epoch, keccak256("a lost seed"), keccak256("content"));
        vm.expectEmit();
        emit Draws.Disclosed(gateway, root.epoch, keccak256("content"));
        vm.prank(gateway);
        court.disclose(root.epoch, seed, keccak256("content"));
        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(Draws.AlreadyDisclosed.selector, gateway, root.epoch));
        court.disclose(root.epoch, seed, keccak256("other content"));
    }
}
