// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {DGAI} from "./DGAI.sol";
import {Epochs} from "./Epochs.sol";
import {Parameter} from "./Parameter.sol";
import {BPS, Role} from "./Types.sol";

/// @title What a proven challenge does
/// @notice The first conviction slashes a share of the gateway's bond and of its registered stake, rewards the reporter
/// with a part and burns the rest. It is final for that address: its roots from the convicted epoch on are void, since
/// later totals continue the wrong one, and it anchors no more; an operator begins again under a new address with a new
/// bond. Evidence of an earlier epoch voids from there, but slashes no further: what is left of the bond belongs to the
/// nodes.
abstract contract Convictions is Epochs {
    using SafeERC20 for DGAI;

    error OnlyChallenges(address caller);
    error AlreadyConvicted(address gateway, uint64 epoch);

    event Convicted(
        address indexed gateway,
        uint64 indexed epoch,
        uint8 challenge,
        address reporter,
        uint128 slashed,
        uint128 rewarded,
        uint128 burned
    );

    /// @notice The one contract whose word convicts.
    address public immutable challenges;

    /// @param challenges_ the address that it will have; it refuses to deploy anywhere else
    constructor(address challenges_) {
        challenges = challenges_;
    }

    function convict(address gateway, uint64 epoch, uint8 challenge, address reporter) external nonReentrant {
        require(msg.sender == challenges, OnlyChallenges(msg.sender));
        require(!isVoid(gateway, epoch), AlreadyConvicted(gateway, epoch));

        bool first = _accounts[gateway].voidFrom == 0;
        _accounts[gateway].voidFrom = epoch + 1;
        uint128 slashed = first ? _slash(gateway, _at(Parameter.GatewaySlashBps, epoch), reporter) : 0;
        uint128 rewarded = slashed == 0 ? 0 : uint128(slashed * _at(Parameter.ReporterBps, epoch) / BPS);
        uint128 burned = slashed - rewarded;

        emit Convicted(gateway, epoch, challenge, reporter, slashed, rewarded, burned);
        if (rewarded != 0) token.safeTransfer(reporter, rewarded);
        if (burned != 0) token.burn(burned);
    }

    /// @dev Of the stake, that on its way out as well: leaving does not save it.
    function _slash(address gateway, uint256 bps, address reporter) private returns (uint128 slashed) {
        slashed = _slashBond(gateway, bps);
        uint256 stake = registry.slashableOf(Role.Gateway, gateway);
        if (stake != 0) slashed += registry.slash(Role.Gateway, gateway, uint128(stake * bps / BPS), reporter);
    }
}
