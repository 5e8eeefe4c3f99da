// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

enum Role {
    Node,
    Evaluator,
    Gateway,
    Archive
}

struct Member {
    uint128 stake;
    uint128 unbonding;
    uint64 availableAt;
    uint16 marginBps;
    bytes32 offerDigest;
    bytes32 encryptionKey;
}

/// @title Who takes part, and with how much at stake
/// @notice Entry is free to all. Stake leaves only after the unbonding delay and can be slashed until it has left.
contract Registry {
    using SafeERC20 for IERC20;

    error AlreadyRegistered(Role role, address operator);
    error NotRegistered(Role role, address operator);
    error StakeTooLow(uint128 stake, uint128 minimum);
    error MarginTooHigh(uint16 marginBps, uint16 maximum);
    error MarginNotForRole(Role role);
    error ZeroAmount();
    error NothingUnbonding(Role role, address operator);
    error StillUnbonding(uint64 availableAt);
    error MayNotSlash(Role role, address caller);
    error TooManyModels(uint256 count, uint256 maximum);

    event Registered(
        Role indexed role,
        address indexed operator,
        uint128 stake,
        string endpoint,
        bytes32 offerDigest,
        bytes32 encryptionKey,
        uint16 marginBps
    );
    event Updated(
        Role indexed role,
        address indexed operator,
        string endpoint,
        bytes32 offerDigest,
        bytes32 encryptionKey,
        uint16 marginBps
    );
    event ModelsDeclared(Role indexed role, address indexed operator, bytes32[] digests);
    event StakeChanged(Role indexed role, address indexed operator, uint128 stake);
    event Unbonding(Role indexed role, address indexed operator, uint128 amount, uint64 availableAt);
    event Withdrawn(Role indexed role, address indexed operator, uint128 amount);
    event Slashed(Role indexed role, address indexed operator, uint128 amount, address reporter);

    uint16 public constant MAX_MARGIN_BPS = 2_000;
    uint256 public constant MAX_MODELS = 64;

    IERC20 public immutable token;
    address public immutable settlement;
    address public immutable court;
    uint128 public immutable minimumStake;
    uint64 public immutable unbondingDelay;

    mapping(Role role => mapping(address operator => Member)) private _members;

    /// @param settlement_ the address that the Settlement contract will have; it refuses to deploy anywhere else
    /// @param court_ the same of the QualityCourt
    constructor(IERC20 token_, address settlement_, address court_, uint128 minimumStake_, uint64 unbondingDelay_) {
        token = token_;
        settlement = settlement_;
        court = court_;
        minimumStake = minimumStake_;
        unbondingDelay = unbondingDelay_;
    }

    /// @notice Joins under a role. Approve the stake first. The margin is the gateway's; zero for the other roles.
    function register(
        Role role,
        uint128 stake,
        string calldata endpoint,
        bytes32 offerDigest,
        bytes32 encryptionKey,
        uint16 marginBps
    ) external {
        Member storage member_ = _members[role][msg.sender];
        require(member_.stake == 0 && member_.unbonding == 0, AlreadyRegistered(role, msg.sender));
        require(stake >= minimumStake && stake != 0, StakeTooLow(stake, minimumStake));
        _checkMargin(role, marginBps);

        member_.stake = stake;
        member_.marginBps = marginBps;
        member_.offerDigest = offerDigest;
        member_.encryptionKey = encryptionKey;

        emit Registered(role, msg.sender, stake, endpoint, offerDigest, encryptionKey, marginBps);
        token.safeTransferFrom(msg.sender, address(this), stake);
    }

    /// @notice Replaces everything a member declares, all at once.
    function update(Role role, string calldata endpoint, bytes32 offerDigest, bytes32 encryptionKey, uint16 marginBps)
        external
    {
        Member storage member_ = _registered(role);
        _checkMargin(role, marginBps);

        member_.marginBps = marginBps;
        member_.offerDigest = offerDigest;
        member_.encryptionKey = encryptionKey;

        emit Updated(role, msg.sender, endpoint, offerDigest, encryptionKey, marginBps);
    }

    /// @notice Says which models, by the digests of their files, a member runs. Replaces what it said before.
    function declareModels(Role role, bytes32[] calldata digests) external {
        _registered(role);
        require(digests.length <= MAX_MODELS, TooManyModels(digests.length, MAX_MODELS));

        emit ModelsDeclared(role, msg.sender, digests);
    }

    function addStake(Role role, uint128 amount) external {
        Member storage member_ = _registered(role);
        require(amount != 0, ZeroAmount());

        member_.stake += amount;

        emit StakeChanged(role, msg.sender, member_.stake);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Takes stake out of service. A second call adds to the first and starts the delay again.
    function unbond(Role role, uint128 amount) external {
        Member storage member_ = _registered(role);
        require(amount != 0, ZeroAmount());
        require(amount <= member_.stake, StakeTooLow(member_.stake, amount));

        uint64 availableAt = uint64(block.timestamp) + unbondingDelay;
        member_.stake -= amount;
        member_.unbonding += amount;
        member_.availableAt = availableAt;

        emit StakeChanged(role, msg.sender, member_.stake);
        emit Unbonding(role, msg.sender, amount, availableAt);
    }

    function withdraw(Role role) external {
        Member storage member_ = _members[role][msg.sender];
        uint128 amount = member_.unbonding;
        require(amount != 0, NothingUnbonding(role, msg.sender));
        require(block.timestamp >= member_.availableAt, StillUnbonding(member_.availableAt));

        member_.unbonding = 0;

        emit Withdrawn(role, msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @notice Takes up to `amount` of a member's stake, the part in service first, and hands it to who takes it:
    /// Settlement, or the court from evaluators.
    /// @return slashed what there was to take
    function slash(Role role, address operator, uint128 amount, address reporter) external returns (uint128 slashed) {
        Member storage member_ = _members[role][operator];
        bool allowed = msg.sender == settlement || (msg.sender == court && role == Role.Evaluator);
        require(allowed, MayNotSlash(role, msg.sender));

        uint128 fromStake = amount < member_.stake ? amount : member_.stake;
        uint128 rest = amount - fromStake;
        uint128 fromUnbonding = rest < member_.unbonding ? rest : member_.unbonding;
        slashed = fromStake + fromUnbonding;
        member_.stake -= fromStake;
        member_.unbonding -= fromUnbonding;

        emit StakeChanged(role, operator, member_.stake);
        emit Slashed(role, operator, slashed, reporter);
        token.safeTransfer(msg.sender, slashed);
    }

    function isActive(Role role, address operator) external view returns (bool) {
        uint128 stake = _members[role][operator].stake;
        return stake != 0 && stake >= minimumStake;
    }

    function stakeOf(Role role, address operator) external view returns (uint128) {
        return _members[role][operator].stake;
    }

    function member(Role role, address operator) external view returns (Member memory) {
        return _members[role][operator];
    }

    function _registered(Role role) private view returns (Member storage member_) {
        member_ = _members[role][msg.sender];
        require(member_.stake != 0, NotRegistered(role, msg.sender));
    }

    function _checkMargin(Role role, uint16 marginBps) private pure {
        require(marginBps <= MAX_MARGIN_BPS, MarginTooHigh(marginBps, MAX_MARGIN_BPS));
        require(marginBps == 0 || role == Role.Gateway, MarginNotForRole(role));
    }
}
