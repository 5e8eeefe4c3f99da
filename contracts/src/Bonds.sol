// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {DGAI} from "./DGAI.sol";
import {Parameter} from "./Parameter.sol";
import {Rules} from "./Rules.sol";
import {BPS} from "./Types.sol";

struct Bond {
    uint128 amount;
    uint128 lines;
    uint128 withdrawing;
    uint64 availableAt;
}

struct Line {
    uint128 amount;
    uint128 lowered;
    uint64 availableAt;
}

/// @title Gateways' bonds, and the credit lines they allot to nodes
/// @notice A line reserves a part of the bond for one node; the lines' sum never exceeds the bond when one is raised.
/// Bond and lines shrink only after a delay, or by paying. What the bond pays for a node is taken off its line, so one
/// node never draws on what is reserved for another. A slash may leave less than the lines promise; then all lines are
/// worth the same fraction.
abstract contract Bonds is Rules, ReentrancyGuardTransient {
    using SafeERC20 for DGAI;

    error ZeroBond();
    error BondReserved(uint128 amount, uint128 free);
    error NoBondWithdrawal(address gateway);
    error BondWithdrawalNotYet(uint64 availableAt);
    error LineAboveFreeBond(uint128 raise, uint128 free);
    error NoLineLowering(address gateway, address node);
    error LineLoweringNotYet(uint64 availableAt);

    event BondChanged(address indexed gateway, uint128 bond);
    event BondWithdrawalRequested(address indexed gateway, uint128 amount, uint64 availableAt);
    event LineChanged(address indexed gateway, address indexed node, uint128 line);
    event LineLowering(address indexed gateway, address indexed node, uint128 line, uint64 availableAt);
    event UnprovenChanged(address indexed gateway, address indexed node, uint128 unproven);

    mapping(address gateway => Bond) private _bonds;
    mapping(address gateway => mapping(address node => Line)) private _lines;

    /// @notice What a node got by default out of the gateway's funds and no root has shown yet. It uses its line up.
    mapping(address gateway => mapping(address node => uint128)) public unprovenOf;

    function depositBond(uint128 amount) external nonReentrant {
        Bond storage bond_ = _bonds[msg.sender];
        require(amount != 0, ZeroBond());

        bond_.amount += amount;

        emit BondChanged(msg.sender, bond_.amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Announces a withdrawal of bond that no line reserves. It stays slashable until it has left.
    function requestBondWithdrawal(uint128 amount) external {
        Bond storage bond_ = _bonds[msg.sender];
        uint128 free = _free(bond_);
        require(amount <= free, BondReserved(amount, free));

        uint64 availableAt = amount == 0 ? 0 : _releasedAt();
        bond_.withdrawing = amount;
        bond_.availableAt = availableAt;

        emit BondWithdrawalRequested(msg.sender, amount, availableAt);
    }

    /// @notice Pays out what was announced, as far as no line, payment or slash has taken it meanwhile.
    function withdrawBond() external nonReentrant {
        Bond storage bond_ = _bonds[msg.sender];
        uint128 amount = bond_.withdrawing;
        require(amount != 0, NoBondWithdrawal(msg.sender));
        require(block.timestamp >= bond_.availableAt, BondWithdrawalNotYet(bond_.availableAt));

        uint128 free = _free(bond_);
        if (amount > free) amount = free;
        bond_.amount -= amount;
        bond_.withdrawing = 0;
        bond_.availableAt = 0;

        emit BondChanged(msg.sender, bond_.amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @notice Raises a node's line at once, or announces that it will be lowered; each call replaces an announcement.
    function setLine(address node, uint128 amount) external {
        Bond storage bond_ = _bonds[msg.sender];
        Line storage line_ = _lines[msg.sender][node];
        if (amount < line_.amount) {
            line_.lowered = amount;
            line_.availableAt = _releasedAt();
            emit LineLowering(msg.sender, node, amount, line_.availableAt);
            return;
        }
        uint128 raise = amount - line_.amount;
        uint128 free = _free(bond_);
        require(raise <= free, LineAboveFreeBond(raise, free));

        bond_.lines += raise;
        (line_.amount, line_.lowered, line_.availableAt) = (amount, 0, 0);

        emit LineChanged(msg.sender, node, amount);
    }

    /// @notice Carries out an announced lowering. Anyone may send it.
    function applyLine(address gateway, address node) external {
        Line storage line_ = _lines[gateway][node];
        require(line_.availableAt != 0, NoLineLowering(gateway, node));
        require(block.timestamp >= line_.availableAt, LineLoweringNotYet(line_.availableAt));

        uint128 amount = line_.lowered < line_.amount ? line_.lowered : line_.amount;
        _bonds[gateway].lines -= line_.amount - amount;
        (line_.amount, line_.lowered, line_.availableAt) = (amount, 0, 0);

        emit LineChanged(gateway, node, amount);
    }

    function bondOf(address gateway) external view returns (uint128) {
        return _bonds[gateway].amount;
    }

    function bond(address gateway) external view returns (Bond memory) {
        return _bonds[gateway];
    }

    /// @notice What a node may count on, and serves up to: a lowering counts from the moment it is announced, and what
    /// is not proven yet counts as used.
    function lineOf(address gateway, address node) external view returns (uint128) {
        Line storage line_ = _lines[gateway][node];
        uint128 amount = line_.availableAt != 0 && line_.lowered < line_.amount ? line_.lowered : line_.amount;
        uint128 unproven = unprovenOf[gateway][node];
        return amount > unproven ? amount - unproven : 0;
    }

    function line(address gateway, address node) external view returns (Line memory) {
        return _lines[gateway][node];
    }

    /// @dev What stands behind the next root: not what is about to leave.
    function _bondStaying(address gateway) internal view returns (uint128) {
        Bond storage bond_ = _bonds[gateway];
        return bond_.amount > bond_.withdrawing ? bond_.amount - bond_.withdrawing : 0;
    }

    function _lineAmount(address gateway, address node) internal view returns (uint128) {
        return _lines[gateway][node].amount;
    }

    /// @dev Pays up to `wanted` out of what the node's line is worth, and takes it off the line, rounded up.
    function _payFromLine(address gateway, address node, uint128 wanted) internal returns (uint128 paid) {
        Bond storage bond_ = _bonds[gateway];
        Line storage line_ = _lines[gateway][node];
        (uint256 amount, uint256 lines) = (bond_.amount, bond_.lines);
        bool whole = lines <= amount;
        uint256 worth = whole ? line_.amount : line_.amount * amount / lines;
        paid = wanted < worth ? wanted : uint128(worth);
        if (paid == 0) return 0;

        uint256 used = whole ? paid : (paid * lines + amount - 1) / amount;
        line_.amount -= uint128(used);
        bond_.lines -= uint128(used);
        bond_.amount -= paid;

        emit LineChanged(gateway, node, line_.amount);
        emit BondChanged(gateway, bond_.amount);
    }

    /// @dev Pays up to `wanted` out of the bond that no line reserves.
    function _payFromFree(address gateway, uint128 wanted) internal returns (uint128 paid) {
        Bond storage bond_ = _bonds[gateway];
        uint128 free = _free(bond_);
        paid = wanted < free ? wanted : free;
        if (paid == 0) return 0;
        bond_.amount -= paid;
        emit BondChanged(gateway, bond_.amount);
    }

    function _setUnproven(address gateway, address node, uint128 amount) internal {
        unprovenOf[gateway][node] = amount;
        emit UnprovenChanged(gateway, node, amount);
    }

    function _slashBond(address gateway, uint256 bps) internal returns (uint128 slashed) {
        Bond storage bond_ = _bonds[gateway];
        slashed = uint128(bond_.amount * bps / BPS);
        bond_.amount -= slashed;
        emit BondChanged(gateway, bond_.amount);
    }

    function _releasedAt() private view returns (uint64) {
        return uint64(block.timestamp + _now(Parameter.BondSeconds));
    }

    function _free(Bond storage bond_) private view returns (uint128) {
        return bond_.amount > bond_.lines ? bond_.amount - bond_.lines : 0;
    }
}
