// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Anchor} from "./Epochs.sol";
import {Judging} from "./Judging.sol";

struct Draw {
    bytes32 seed;
    uint64 round;
    bool expired;
    bool disclosed;
}

/// @title Which leaves are judged
/// @notice The seed comes from a block that did not exist when the root was anchored, so a gateway cannot choose its
/// leaves by it. If nobody fixes it while the chain still knows that block, every leaf is drawn.
abstract contract Draws is Judging {
    error NotAnchored(address gateway, uint64 epoch);
    error SeedAlreadyFixed(address gateway, uint64 epoch);
    error SeedNotYet(uint256 afterBlock);
    error SeedNotFixed(address gateway, uint64 epoch);
    error WrongSeed(bytes32 seed);
    error AlreadyDisclosed(address gateway, uint64 epoch);

    event SeedFixed(address indexed gateway, uint64 indexed epoch, uint64 indexed round, bytes32 seed, bool expired);
    event Disclosed(address indexed gateway, uint64 indexed epoch, bytes32 blobId);

    /// @dev Blocks from the anchor to the one whose hash decides.
    uint256 private constant SEED_DELAY = 3;

    mapping(address gateway => mapping(uint64 epoch => Draw)) private _draws;

    /// @notice Fixes what is drawn from an anchored epoch. Anyone may send it, once; what it says does not depend on
    /// who does.
    function fixSeed(address gateway, uint64 epoch) external {
        Draw storage draw = _draws[gateway][epoch];
        Anchor memory found = settlement.anchorOf(gateway, epoch);
        bytes32 digest = found.digest;
        require(digest != bytes32(0), NotAnchored(gateway, epoch));
        require(draw.seed == bytes32(0), SeedAlreadyFixed(gateway, epoch));
        uint256 deciding = found.anchoredBlock + SEED_DELAY;
        require(block.number > deciding, SeedNotYet(deciding));

        bytes32 chance = blockhash(deciding); // zero once 256 blocks lie on it
        bool expired = chance == bytes32(0);
        bytes32 seed = expired ? keccak256(abi.encode(digest)) : keccak256(abi.encode(digest, chance));
        uint64 round = _roundOfDraw();
        (draw.seed, draw.round, draw.expired) = (seed, round, expired);

        emit SeedFixed(gateway, epoch, round, seed, expired);
    }

    /// @notice A gateway says where the content of its drawn leaves lies, sealed for those who judge them.
    /// @param seed by which they were drawn: if the chain takes the draw back, what answers it cannot answer another
    function disclose(uint64 epoch, bytes32 seed, bytes32 blobId) external {
        Draw storage draw = _draws[msg.sender][epoch];
        require(draw.seed != bytes32(0), SeedNotFixed(msg.sender, epoch));
        require(draw.seed == seed, WrongSeed(draw.seed));
        require(!draw.disclosed, AlreadyDisclosed(msg.sender, epoch));

        draw.disclosed = true;

        emit Disclosed(msg.sender, epoch, blobId);
    }

    /// @notice Zeros while the seed is not fixed.
    function drawOf(address gateway, uint64 epoch) external view returns (bytes32 seed, uint64 round, bool expired) {
        Draw storage draw = _draws[gateway][epoch];
        return (draw.seed, draw.round, draw.expired);
    }

    function _roundOf(address gateway, uint64 epoch) internal view returns (uint64) {
        Draw storage draw = _draws[gateway][epoch];
        require(draw.seed != bytes32(0), SeedNotFixed(gateway, epoch));
        return draw.round;
    }
}
