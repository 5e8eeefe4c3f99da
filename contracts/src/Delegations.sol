// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {DGAI} from "./DGAI.sol";
import {Parameter} from "./Parameter.sol";
import {Parameters} from "./Parameters.sol";
import {BPS, Role} from "./Types.sol";
import {Holding, Vault, Vaults} from "./Vaults.sol";

/// @dev What others entrusted to a member: in service, and on its way out.
struct Pool {
    Vault serving;
    Vault leaving;
}

/// @dev `units` are the votes that this delegation counts for, brought up to date whenever its delegator acts.
struct Delegation {
    Holding serving;
    Holding leaving;
    uint128 units;
    uint64 availableAt;
}

/// @dev A delegation as it stands: shares, and what they are worth.
struct Delegated {
    uint256 shares;
    uint128 amount;
    uint128 leaving;
    uint64 availableAt;
}

/// @title Stake of others, and the votes that stake keeps
/// @notice Anyone may add to a member's weight and shares its rewards and its slashes, in proportion. Stake votes as the
/// token does: own stake for the operator, delegated stake for the delegator, until it is withdrawn or slashed. A slash
/// of a pool is one write; the votes of those who delegated follow at their next call, or at anyone's `settleVotes`.
abstract contract Delegations is Votes {
    using SafeERC20 for DGAI;
    using Vaults for Vault;

    error NotRegistered(Role role, address operator);
    error ZeroAmount();
    error ZeroShares();
    error SharesTooFew(uint256 shares, uint256 wanted);
    error NothingUndelegating(Role role, address operator, address delegator);
    error StillUnbonding(uint64 availableAt);
    error CommissionTooHigh(uint16 commissionBps, uint256 maximum);
    error NoTotal();

    event PoolChanged(Role indexed role, address indexed operator, uint128 delegated, uint128 undelegating);
    event StakeDelegated(
        Role indexed role, address indexed operator, address indexed delegator, uint128 amount, uint256 shares
    );
    event Undelegating(
        Role indexed role,
        address indexed operator,
        address indexed delegator,
        uint128 amount,
        uint256 shares,
        uint64 availableAt
    );
    event DelegationWithdrawn(Role indexed role, address indexed operator, address indexed delegator, uint128 amount);
    event CommissionSet(Role indexed role, address indexed operator, uint16 commissionBps);
    event Rewarded(Role indexed role, address indexed operator, uint128 amount, uint128 commission);

    DGAI public immutable token;
    Parameters public immutable parameters;

    /// @notice What an operator keeps of a reward before its delegators share the rest.
    mapping(Role role => mapping(address operator => uint16)) public commissionOf;

    mapping(Role role => mapping(address operator => Pool)) private _pools;
    mapping(Role role => mapping(address operator => mapping(address delegator => Delegation))) private _delegations;
    mapping(address delegator => uint256) private _delegatedUnits;

    constructor(DGAI token_, Parameters parameters_) EIP712("DGrid Registry", "1") {
        (token, parameters) = (token_, parameters_);
    }

    /// @notice Entrusts stake to a member. Approve it first.
    function delegateStake(Role role, address operator, uint128 amount) external returns (uint256 shares) {
        require(_ownStake(role, operator) != 0, NotRegistered(role, operator));
        require(amount != 0, ZeroAmount());
        Delegation storage delegation = _delegations[role][operator][msg.sender];

        shares = _pools[role][operator].serving.deposit(delegation.serving, amount);
        require(shares != 0, ZeroShares());
        _follow(msg.sender);
        _settle(role, operator, msg.sender);

        emit StakeDelegated(role, operator, msg.sender, amount, shares);
        _emitPool(role, operator);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Takes shares out of service. A second call adds to the first and starts the delay again.
    function undelegateStake(Role role, address operator, uint256 shares) external returns (uint128 amount) {
        Delegation storage delegation = _delegations[role][operator][msg.sender];
        Pool storage pool = _pools[role][operator];
        uint256 held = pool.serving.sharesOf(delegation.serving);
        require(shares != 0, ZeroShares());
        require(shares <= held, SharesTooFew(held, shares));

        amount = pool.serving.redeem(delegation.serving, shares);
        pool.leaving.deposit(delegation.leaving, amount);
        uint64 availableAt = _unbondedAt();
        delegation.availableAt = availableAt;
        _settle(role, operator, msg.sender);

        emit Undelegating(role, operator, msg.sender, amount, shares, availableAt);
        _emitPool(role, operator);
    }

    /// @notice Pays out what was taken out of service, less what was slashed of it meanwhile.
    function withdrawDelegation(Role role, address operator) external returns (uint128 amount) {
        Delegation storage delegation = _delegations[role][operator][msg.sender];
        Vault storage leaving = _pools[role][operator].leaving;
        uint256 shares = leaving.sharesOf(delegation.leaving);
        require(shares != 0, NothingUndelegating(role, operator, msg.sender));
        require(block.timestamp >= delegation.availableAt, StillUnbonding(delegation.availableAt));

        amount = leaving.redeem(delegation.leaving, shares);
        _settle(role, operator, msg.sender);

        emit DelegationWithdrawn(role, operator, msg.sender, amount);
        _emitPool(role, operator);
        token.safeTransfer(msg.sender, amount);
    }

    /// @notice What the sender keeps of rewards to its delegators.
    function setCommission(Role role, uint16 commissionBps) external {
        uint256 maximum = parameters.get(Parameter.MaximumCommissionBps);
        require(_ownStake(role, msg.sender) != 0, NotRegistered(role, msg.sender));
        require(commissionBps <= maximum, CommissionTooHigh(commissionBps, maximum));

        commissionOf[role][msg.sender] = commissionBps;

        emit CommissionSet(role, msg.sender, commissionBps);
    }

    /// @notice Shares an amount of the sender's between a member and those who delegated to it: its commission, rounded
    /// down, goes to the member, the rest raises the worth of every share. Without delegators all goes to the member.
    function reward(Role role, address operator, uint128 amount) external {
        require(_ownStake(role, operator) != 0, NotRegistered(role, operator));
        require(amount != 0, ZeroAmount());
        Vault storage serving = _pools[role][operator].serving;

        uint256 bps = serving.shares == 0 ? BPS : commissionOf[role][operator];
        uint128 commission = uint128(amount * bps / BPS);
        serving.gain(amount - commission);

        emit Rewarded(role, operator, amount, commission);
        _emitPool(role, operator);
        token.safeTransferFrom(msg.sender, operator, commission);
        token.safeTransferFrom(msg.sender, address(this), amount - commission);
    }

    /// @notice Brings the votes of a delegation in line with what it is worth. Anyone may send it.
    function settleVotes(Role role, address operator, address delegator) external {
        _settle(role, operator, delegator);
    }

    function delegationOf(Role role, address operator, address delegator) external view returns (Delegated memory) {
        Pool storage pool = _pools[role][operator];
        Delegation storage found = _delegations[role][operator][delegator];
        return Delegated(
            pool.serving.sharesOf(found.serving),
            pool.serving.worthOf(found.serving),
            pool.leaving.worthOf(found.leaving),
            found.availableAt
        );
    }

    /// @notice What others entrusted to a member, in service and on its way out.
    function poolOf(Role role, address operator) external view returns (uint128 delegated, uint128 undelegating) {
        Pool storage pool = _pools[role][operator];
        return (pool.serving.assets, pool.leaving.assets);
    }

    /// @notice Who votes with an account's stake: itself, unless it chose another.
    function delegates(address account) public view override returns (address) {
        address chosen = super.delegates(account);
        return chosen == address(0) ? account : chosen;
    }

    function clock() public view override returns (uint48) {
        return Time.timestamp();
    }

    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    /// @dev The quorum is a share of DGAI's supply, so no total is kept here.
    function getPastTotalSupply(uint256) public pure override returns (uint256) {
        revert NoTotal();
    }

    /// @dev What a member has at stake of its own, in service.
    function _ownStake(Role role, address operator) internal view virtual returns (uint128);

    /// @dev All that an account has at stake of its own.
    function _ownUnits(address account) internal view virtual returns (uint256);

    function _delegatedTo(Role role, address operator) internal view returns (uint128) {
        return _pools[role][operator].serving.assets;
    }

    function _undelegatingFrom(Role role, address operator) internal view returns (uint128) {
        return _pools[role][operator].leaving.assets;
    }

    function _slashPool(Role role, address operator, uint128 amount) internal returns (uint128 slashed) {
        if (amount == 0) return 0;
        Pool storage pool = _pools[role][operator];
        slashed = pool.serving.lose(amount);
        slashed += pool.leaving.lose(amount - slashed);
        if (slashed != 0) _emitPool(role, operator);
    }

    /// @dev Whoever has not chosen here votes as with its tokens: through the delegate it has there when it stakes.
    function _follow(address account) internal {
        if (super.delegates(account) != address(0)) return;
        address followed = token.delegates(account);
        if (followed != address(0) && followed != account) _delegate(account, followed);
    }

    /// @dev Nobody's vote is lost: to choose no one is to choose oneself.
    function _delegate(address account, address delegatee) internal override {
        super._delegate(account, delegatee == address(0) ? account : delegatee);
    }

    function _gainVotes(address account, uint256 units) internal {
        _moveDelegateVotes(address(0), delegates(account), units);
    }

    function _loseVotes(address account, uint256 units) internal {
        _moveDelegateVotes(delegates(account), address(0), units);
    }

    function _unbondedAt() internal view returns (uint64) {
        return uint64(block.timestamp + parameters.get(Parameter.UnbondingSeconds));
    }

    function _getVotingUnits(address account) internal view override returns (uint256) {
        return _ownUnits(account) + _delegatedUnits[account];
    }

    function _settle(Role role, address operator, address delegator) private {
        Pool storage pool = _pools[role][operator];
        Delegation storage delegation = _delegations[role][operator][delegator];
        uint128 worth = pool.serving.worthOf(delegation.serving) + pool.leaving.worthOf(delegation.leaving);
        uint128 before = delegation.units;
        if (worth == before) return;
        delegation.units = worth;
        _delegatedUnits[delegator] = _delegatedUnits[delegator] + worth - before;
        if (worth > before) _gainVotes(delegator, worth - before);
        else _loseVotes(delegator, before - worth);
    }

    function _emitPool(Role role, address operator) private {
        Pool storage pool = _pools[role][operator];
        emit PoolChanged(role, operator, pool.serving.assets, pool.leaving.assets);
    }
}
