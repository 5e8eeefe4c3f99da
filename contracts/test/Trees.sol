// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Step} from "../src/Types.sol";

/// @notice Builds sum trees level by level: written apart from the library that climbs them, so that each checks the
/// other.
library Trees {
    function parents(Step[] memory level) internal pure returns (Step[] memory next) {
        next = new Step[]((level.length + 1) / 2);
        for (uint256 i = 0; i < next.length; ++i) {
            if (2 * i + 1 == level.length) {
                next[i] = level[2 * i];
                continue;
            }
            (Step memory left, Step memory right) = (level[2 * i], level[2 * i + 1]);
            next[i].hash =
                keccak256(bytes.concat(hex"01", left.hash, bytes16(left.sum), right.hash, bytes16(right.sum)));
            next[i].sum = left.sum + right.sum;
        }
    }

    function leafOf(bytes32 structHash, uint128 sum) internal pure returns (Step memory) {
        return Step(keccak256(bytes.concat(hex"00", structHash, bytes16(sum))), sum);
    }

    function rootOf(Step[] memory level) internal pure returns (Step memory) {
        while (level.length > 1) level = parents(level);
        return level[0];
    }

    function pathOf(Step[] memory level, uint256 index) internal pure returns (Step[] memory path) {
        path = new Step[](64);
        uint256 used = 0;
        while (level.length > 1) {
            uint256 sibling = index ^ 1;
            if (sibling < level.length) path[used++] = level[sibling];
            level = parents(level);
            index /= 2;
        }
        assembly ("memory-safe") {
            mstore(path, used)
        }
    }

    function hashesOf(Step[] memory path) internal pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](path.length);
        for (uint256 i = 0; i < path.length; ++i) {
            hashes[i] = path[i].hash;
        }
    }
}
