// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {DGAI} from "./DGAI.sol";
import {Registry} from "./Registry.sol";
import {BPS} from "./Types.sol";

/// @dev Seconds and blocks are both waited for: a chain that stands still gives nobody time to object.
struct Config {
    uint64 challengeSeconds;
    uint64 challengeBlocks;
    uint64 defaultSeconds;
    uint64 bondDelay;
    uint16 slashBps;
    uint16 reporterBps;
    uint16 baseShareBps;
    uint16 storedQuorum;
    uint128 minimumBond;
}

/// @title What Settlement is told once and never changes
abstract contract Rules is EIP712 {
    error ZeroEpochSeconds();
    error ShareAboveWhole(uint256 bps);
    error BondDelayTooShort(uint64 bondDelay, uint64 minimum);

    DGAI public immutable token;
    Registry public immutable registry;
    uint64 public immutable genesis;
    uint64 public immutable epochSeconds;
    uint64 public immutable challengeSeconds;
    uint64 public immutable challengeBlocks;
    uint64 public immutable defaultSeconds;
    uint64 public immutable bondDelay;
    uint16 public immutable slashBps;
    uint16 public immutable reporterBps;
    uint16 public immutable baseShareBps;
    uint16 public immutable storedQuorum;
    uint128 public immutable minimumBond;

    constructor(DGAI token_, Registry registry_, uint64 genesis_, uint64 epochSeconds_, Config memory config)
        EIP712("DGrid", "1")
    {
        require(epochSeconds_ != 0, ZeroEpochSeconds());
        require(config.slashBps <= BPS, ShareAboveWhole(config.slashBps));
        require(config.reporterBps <= BPS, ShareAboveWhole(config.reporterBps));
        require(config.baseShareBps <= BPS, ShareAboveWhole(config.baseShareBps));
        // A bond must outlast the last epoch it backs: served, perhaps never closed, then claimed by default.
        uint64 longest = epochSeconds_ + config.defaultSeconds + config.challengeSeconds;
        require(config.bondDelay >= longest, BondDelayTooShort(config.bondDelay, longest));
        token = token_;
        registry = registry_;
        genesis = genesis_;
        epochSeconds = epochSeconds_;
        challengeSeconds = config.challengeSeconds;
        challengeBlocks = config.challengeBlocks;
        defaultSeconds = config.defaultSeconds;
        bondDelay = config.bondDelay;
        slashBps = config.slashBps;
        reporterBps = config.reporterBps;
        baseShareBps = config.baseShareBps;
        storedQuorum = config.storedQuorum;
        minimumBond = config.minimumBond;
    }

    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @notice The epoch of a moment in Unix milliseconds; a moment before genesis counts to epoch 0.
    function epochOf(uint64 atMs) external view returns (uint64) {
        return atMs / 1000 < genesis ? 0 : (atMs / 1000 - genesis) / epochSeconds;
    }

    /// @notice The first second after an epoch.
    function endOf(uint64 epoch) public view returns (uint256) {
        return uint256(genesis) + (uint256(epoch) + 1) * epochSeconds;
    }
}
