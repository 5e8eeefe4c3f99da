// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleSum} from "../src/MerkleSum.sol";
import {Step} from "../src/Types.sol";
import {Exposed} from "./Exposed.sol";
import {Trees} from "./Trees.sol";
import {vm} from "./Vm.sol";

contract MerkleSumTest {
    using Trees for Step[];

    Exposed private _exposed = new Exposed();

    function _level(uint256 count, uint256 seed) private pure returns (Step[] memory level) {
        level = new Step[](count);
        for (uint256 i = 0; i < count; ++i) {
            level[i] = Trees.leafOf(keccak256(abi.encode(seed, i)), uint96(uint256(keccak256(abi.encode(i, seed)))));
        }
    }

    function testFuzz_every_path_climbs_to_root_and_sum(uint256 count, uint256 index, uint256 seed) public view {
        count = 1 + count % 70;
        index %= count;
        Step[] memory level = _level(count, seed);
        Step memory top = level.rootOf();
        (bytes32 root, uint256 sum) =
            _exposed.climb(level[index].hash, level[index].sum, index, count, level.pathOf(index));
        vm.assertEq(root, top.hash);
        vm.assertEq(sum, top.sum);
        uint256 expected = 0;
        for (uint256 i = 0; i < count; ++i) {
            expected += level[i].sum;
        }
        vm.assertEq(sum, expected);
    }

    function testFuzz_a_flat_path_climbs_like_one_whose_sums_are_zero(uint256 count, uint256 index) public view {
        count = 1 + count % 70;
        index %= count;
        Step[] memory level = _level(count, 1);
        for (uint256 i = 0; i < count; ++i) {
            level[i].sum = 0;
        }
        Step[] memory path = level.pathOf(index);
        bytes32 root = _exposed.climbFlat(level[index].hash, index, count, path.hashesOf());
        vm.assertEq(root, level.rootOf().hash);
    }

    function testFuzz_another_sum_on_the_way_leads_elsewhere(uint256 count, uint256 index, uint128 by) public view {
        count = 2 + count % 30;
        index %= count;
        Step[] memory level = _level(count, 2);
        Step[] memory path = level.pathOf(index);
        vm.assume(path.length != 0 && by % 1e9 != 0);
        bytes32 honest = level.rootOf().hash;
        path[by % path.length].sum += by % 1e9;
        (bytes32 root,) = _exposed.climb(level[index].hash, level[index].sum, index, count, path);
        vm.assertNotEq(root, honest);
    }

    function testFuzz_another_index_or_count_never_proves_the_same_root(uint256 count, uint256 index, uint256 other)
        public
        view
    {
        count = 2 + count % 30;
        index %= count;
        other %= count;
        vm.assume(other != index);
        Step[] memory level = _level(count, 3);
        try _exposed.climb(level[index].hash, level[index].sum, other, count, level.pathOf(index)) returns (
            bytes32 root, uint256
        ) {
            vm.assertNotEq(root, level.rootOf().hash);
        } catch {}
    }

    function test_refuses_an_index_outside_the_tree() public {
        Step[] memory none = new Step[](0);
        vm.expectRevert(abi.encodeWithSelector(MerkleSum.IndexOutOfRange.selector, 1, 1));
        _exposed.climb(bytes32(uint256(1)), 1, 1, 1, none);
        vm.expectRevert(abi.encodeWithSelector(MerkleSum.IndexOutOfRange.selector, 0, 0));
        _exposed.climb(bytes32(uint256(1)), 1, 0, 0, none);
        vm.expectRevert(abi.encodeWithSelector(MerkleSum.IndexOutOfRange.selector, 3, 3));
        _exposed.climbFlat(bytes32(uint256(1)), 3, 3, new bytes32[](0));
    }

    function test_refuses_a_path_of_another_length() public {
        Step[] memory level = _level(5, 4);
        vm.expectRevert(MerkleSum.WrongPathLength.selector);
        _exposed.climb(level[0].hash, level[0].sum, 0, 5, new Step[](2));
        vm.expectRevert(MerkleSum.WrongPathLength.selector);
        _exposed.climb(level[0].hash, level[0].sum, 0, 5, new Step[](4));
        vm.expectRevert(MerkleSum.WrongPathLength.selector);
        _exposed.climbFlat(level[4].hash, 4, 5, new bytes32[](2));
        vm.expectRevert(MerkleSum.WrongPathLength.selector);
        _exposed.climbFlat(level[4].hash, 4, 5, new bytes32[](0));
    }

    function test_a_sum_too_large_to_hash_is_refused_and_one_at_the_top_is_told() public {
        Step[] memory path = new Step[](1);
        path[0] = Step(bytes32(uint256(2)), type(uint128).max);
        (, uint256 sum) = _exposed.climb(bytes32(uint256(1)), 1, 0, 2, path);
        vm.assertEq(sum, uint256(type(uint128).max) + 1);
        path = new Step[](2);
        (path[0], path[1]) = (Step(bytes32(uint256(2)), type(uint128).max), Step(bytes32(uint256(3)), 0));
        vm.expectRevert(MerkleSum.SumOverflow.selector);
        _exposed.climb(bytes32(uint256(1)), 1, 0, 4, path);
    }
}
