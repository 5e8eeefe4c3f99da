// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LaneLeaf, Step} from "./Types.sol";

/// @title A Merkle tree in which every hash also commits to the sum below it
/// @notice Leaves, inner nodes and lanes are domain-separated by their first byte. An odd last node of a level is
/// promoted unchanged.
library MerkleSum {
    error IndexOutOfRange(uint256 index, uint256 count);
    error WrongPathLength();
    error SumOverflow();

    function leaf(bytes32 structHash, uint128 sum) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), structHash, sum));
    }

    function inner(bytes32 left, uint128 leftSum, bytes32 right, uint128 rightSum) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, leftSum, right, rightSum));
    }

    function laneHash(LaneLeaf memory lane) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x02), lane.lane, lane.count, lane.root, lane.fees));
    }

    /// @notice The width of a tree's level, the leaves being level 0.
    function widthAt(uint256 count, uint256 level) internal pure returns (uint256 width) {
        width = count;
        for (uint256 i = 0; i < level; ++i) {
            width = (width + 1) >> 1;
        }
    }

    /// @notice Climbs from the node at `index` of a level of `width` nodes to the tree's root.
    /// @dev The sum is wider than a leaf's so that a tree whose sums overflow can be shown to be wrong; only hashing
    /// such a sum is refused, because no tree can hold it.
    function climb(bytes32 node, uint256 sum, uint256 index, uint256 width, Step[] calldata path)
        internal
        pure
        returns (bytes32, uint256)
    {
        require(index < width, IndexOutOfRange(index, width));
        uint256 used = 0;
        while (width > 1) {
            bool odd = index & 1 == 1;
            if (odd || index != width - 1) {
                require(used < path.length, WrongPathLength());
                Step calldata sibling = path[used++];
                require(sum <= type(uint128).max, SumOverflow());
                node = odd
                    ? inner(sibling.hash, sibling.sum, node, uint128(sum))
                    : inner(node, uint128(sum), sibling.hash, sibling.sum);
                sum += sibling.sum;
            }
            index >>= 1;
            width = (width + 1) >> 1;
        }
        require(used == path.length, WrongPathLength());
        return (node, sum);
    }

    /// @notice The same climb in a tree whose sums are all zero.
    function climbFlat(bytes32 node, uint256 index, uint256 width, bytes32[] calldata path)
        internal
        pure
        returns (bytes32)
    {
        require(index < width, IndexOutOfRange(index, width));
        uint256 used = 0;
        while (width > 1) {
            bool odd = index & 1 == 1;
            if (odd || index != width - 1) {
                require(used < path.length, WrongPathLength());
                bytes32 sibling = path[used++];
                node = odd ? inner(sibling, 0, node, 0) : inner(node, 0, sibling, 0);
            }
            index >>= 1;
            width = (width + 1) >> 1;
        }
        require(used == path.length, WrongPathLength());
        return node;
    }
}
