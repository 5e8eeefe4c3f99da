// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {DGAI} from "./DGAI.sol";
import {Parameter} from "./Parameter.sol";
import {Parameters} from "./Parameters.sol";
import {Registry} from "./Registry.sol";
import {BPS} from "./Types.sol";

/// @title What Settlement is told once, and where it reads what the members may change
abstract contract Rules is EIP712 {
    error ShareAboveWhole(uint256 bps);

    DGAI public immutable token;
    Registry public immutable registry;
    uint16 public immutable baseShareBps;

    // Kept here because they never change and each look there would cost a call.
    Parameters private immutable _parameters;
    uint64 private immutable _genesis;
    uint64 private immutable _epochSeconds;

    constructor(Registry registry_, uint16 baseShareBps_) EIP712("DGrid", "1") {
        require(baseShareBps_ <= BPS, ShareAboveWhole(baseShareBps_));
        (registry, token, baseShareBps) = (registry_, registry_.token(), baseShareBps_);
        _parameters = registry_.parameters();
        (_genesis, _epochSeconds) = (_parameters.genesis(), _parameters.epochSeconds());
    }

    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @notice The first second after an epoch.
    function endOf(uint64 epoch) public view returns (uint256) {
        return uint256(_genesis) + (uint256(epoch) + 1) * _epochSeconds;
    }

    /// @dev What counts now.
    function _now(Parameter parameter) internal view returns (uint256) {
        return _parameters.get(parameter);
    }

    /// @dev What counted in an epoch.
    function _at(Parameter parameter, uint64 epoch) internal view returns (uint256) {
        return _parameters.at(parameter, epoch);
    }
}
