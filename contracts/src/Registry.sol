// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";
import {DGAI} from "./DGAI.sol";
import {Delegations} from "./Delegations.sol";
import {Parameter} from "./Parameter.sol";
import {Parameters} from "./Parameters.sol";
import {Role} from "./Types.sol";

/// @dev Stake is the member's own; it last grew at `raisedAt`. `jailedUntil` is zero unless it is jailed; `declaration`
/// counts the times it declared its models. What says whether it is active lies in one word.
struct Member {
    uint96 stake;
    uint96 unbonding;
    uint48 jailedUntil;
    uint16 marginBps;
    uint48 availableAt;
    uint48 registeredAt;
    uint48 raisedAt;
    uint32 declaration;
    bytes32 offerDigest;
    bytes32 encryptionKey;
}

/// @dev Who decides that a member broke its word. Told before they exist.
struct Slashers {
    address settlement;
    address court;
    address cases;
    address demands;
}

/// @title Who takes part, and with how much at stake
/// @notice Entry is free to all. Stake leaves only after the unbonding delay and can be slashed until it has left. Who is
/// jailed is out of service until it asks to be let out again; leaving and coming back does not help.
contract Registry is Delegations {
    using SafeERC20 for DGAI;
    using SafeCast for uint256;

    error AlreadyRegistered(Role role, address operator);
    error StakeTooLow(uint128 stake, uint256 minimum);
    error MarginTooHigh(uint16 marginBps, uint256 maximum);
    error MarginNotForRole(Role role);
    error NothingUnbonding(Role role, address operator);
    error MayNotSlash(Role role, address caller);
    error TooManyModels(uint256 count, uint256 maximum);
    error NotJailed(Role role, address operator);
    error StillJailed(uint64 until);

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
    event Jailed(Role indexed role, address indexed operator, uint64 until);
    event Unjailed(Role indexed role, address indexed operator);

    uint256 private constant MAX_MODELS = 64;

    address public immutable settlement;
    address public immutable court;
    address public immutable cases;
    address public immutable demands;

    mapping(Role role => mapping(address operator => Member)) private _members;

    /// @dev In which of its declarations a member last named a model.
    mapping(Role role => mapping(address operator => mapping(bytes32 digest => uint32))) private _declaredIn;

    /// @param slashers the addresses that they will have; Settlement and the court refuse to deploy anywhere else
    constructor(DGAI token_, Parameters parameters_, Slashers memory slashers) Delegations(token_, parameters_) {
        settlement = slashers.settlement;
        court = slashers.court;
        cases = slashers.cases;
        demands = slashers.demands;
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
        uint256 minimum = parameters.get(Parameter.MinimumStake);
        require(stake >= minimum && stake != 0, StakeTooLow(stake, minimum));
        _checkMargin(role, marginBps);

        _follow(msg.sender);
        (member_.stake, member_.marginBps) = (uint256(stake).toUint96(), marginBps);
        (member_.registeredAt, member_.raisedAt) = (Time.timestamp(), Time.timestamp());
        member_.offerDigest = offerDigest;
        member_.encryptionKey = encryptionKey;
        _gainVotes(msg.sender, stake);

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
        Member storage member_ = _registered(role);
        require(digests.length <= MAX_MODELS, TooManyModels(digests.length, MAX_MODELS));

        uint32 declaration = ++member_.declaration;
        for (uint256 i = 0; i < digests.length; ++i) {
            _declaredIn[role][msg.sender][digests[i]] = declaration;
        }

        emit ModelsDeclared(role, msg.sender, digests);
    }

    function addStake(Role role, uint128 amount) external {
        Member storage member_ = _registered(role);
        require(amount != 0, ZeroAmount());

        member_.stake += uint256(amount).toUint96();
        member_.raisedAt = Time.timestamp();
        _gainVotes(msg.sender, amount);

        emit StakeChanged(role, msg.sender, member_.stake);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Takes stake out of service. A second call adds to the first and starts the delay again.
    function unbond(Role role, uint128 amount) external {
        Member storage member_ = _registered(role);
        require(amount != 0, ZeroAmount());
        require(amount <= member_.stake, StakeTooLow(member_.stake, amount));

        uint64 availableAt = _unbondedAt();
        member_.stake -= uint96(amount);
        member_.unbonding += uint96(amount);
        member_.availableAt = uint48(availableAt);

        emit StakeChanged(role, msg.sender, member_.stake);
        emit Unbonding(role, msg.sender, amount, availableAt);
    }

    function withdraw(Role role) external {
        Member storage member_ = _members[role][msg.sender];
        uint128 amount = member_.unbonding;
        require(amount != 0, NothingUnbonding(role, msg.sender));
        require(block.timestamp >= member_.availableAt, StillUnbonding(member_.availableAt));

        member_.unbonding = 0;
        _loseVotes(msg.sender, amount);

        emit Withdrawn(role, msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @notice Takes up to `amount` of what stands behind a member and hands it to who takes it: its own stake first, in
    /// service and then on its way out, then what others delegated to it, all of them in proportion.
    /// @return slashed what there was to take
    function slash(Role role, address operator, uint128 amount, address reporter) external returns (uint128 slashed) {
        _requireSlasher(role);
        Member storage member_ = _members[role][operator];

        uint96 fromStake = amount < member_.stake ? uint96(amount) : member_.stake;
        uint128 rest = amount - fromStake;
        uint96 fromUnbonding = rest < member_.unbonding ? uint96(rest) : member_.unbonding;
        member_.stake -= fromStake;
        member_.unbonding -= fromUnbonding;
        _loseVotes(operator, fromStake + fromUnbonding);
        slashed = fromStake + fromUnbonding + _slashPool(role, operator, rest - fromUnbonding);

        emit StakeChanged(role, operator, member_.stake);
        emit Slashed(role, operator, slashed, reporter);
        token.safeTransfer(msg.sender, slashed);
    }

    /// @notice Takes a member out of service; those who may slash it may do so.
    function jail(Role role, address operator) external {
        _requireSlasher(role);
        uint64 until = uint64(block.timestamp + parameters.get(Parameter.JailSeconds));

        _members[role][operator].jailedUntil = uint48(until);

        emit Jailed(role, operator, until);
    }

    /// @notice A member whose time is over serves again, with enough stake.
    function unjail(Role role) external {
        Member storage member_ = _registered(role);
        require(member_.jailedUntil != 0, NotJailed(role, msg.sender));
        require(block.timestamp >= member_.jailedUntil, StillJailed(member_.jailedUntil));
        uint256 minimum = parameters.get(Parameter.MinimumStake);
        require(member_.stake >= minimum, StakeTooLow(member_.stake, minimum));

        member_.jailedUntil = 0;

        emit Unjailed(role, msg.sender);
    }

    /// @notice Whether a member serves: enough stake of its own, and not jailed.
    function isActive(Role role, address operator) external view returns (bool) {
        Member storage member_ = _members[role][operator];
        uint128 stake = member_.stake;
        return stake != 0 && member_.jailedUntil == 0 && stake >= parameters.get(Parameter.MinimumStake);
    }

    /// @notice A member's weight: its own stake and what others delegated to it, in service.
    function stakeOf(Role role, address operator) external view returns (uint128) {
        return uint128(_members[role][operator].stake) + _delegatedTo(role, operator);
    }

    /// @notice All that a slash can take: what is on its way out answers for what was done before.
    function slashableOf(Role role, address operator) external view returns (uint128) {
        Member storage member_ = _members[role][operator];
        uint128 own = member_.stake + member_.unbonding;
        return own + _delegatedTo(role, operator) + _undelegatingFrom(role, operator);
    }

    function member(Role role, address operator) external view returns (Member memory) {
        return _members[role][operator];
    }

    /// @notice Whether a member's last declaration names a model.
    function declares(Role role, address operator, bytes32 digest) external view returns (bool) {
        uint32 declaration = _members[role][operator].declaration;
        return declaration != 0 && _declaredIn[role][operator][digest] == declaration;
    }

    function _ownStake(Role role, address operator) internal view override returns (uint128) {
        return _members[role][operator].stake;
    }

    function _ownUnits(address account) internal view override returns (uint256 units) {
        for (uint256 i = 0; i <= uint256(type(Role).max); ++i) {
            Member storage member_ = _members[Role(i)][account];
            units += uint256(member_.stake) + member_.unbonding;
        }
    }

    function _registered(Role role) private view returns (Member storage member_) {
        member_ = _members[role][msg.sender];
        require(member_.stake != 0, NotRegistered(role, msg.sender));
    }

    /// @dev Each for what it decides: Settlement convicts gateways; the court keeps evaluators to their word; a jury finds
    /// against all but archives; a demand finds against archives.
    function _requireSlasher(Role role) private view {
        bool allowed = role == Role.Archive
            ? msg.sender == demands
            : msg.sender == cases || (role == Role.Gateway && msg.sender == settlement)
                || (role == Role.Evaluator && msg.sender == court);
        require(allowed, MayNotSlash(role, msg.sender));
    }

    function _checkMargin(Role role, uint16 marginBps) private view {
        if (marginBps == 0) return;
        require(role == Role.Gateway, MarginNotForRole(role));
        uint256 maximum = parameters.get(Parameter.MaximumMarginBps);
        require(marginBps <= maximum, MarginTooHigh(marginBps, maximum));
    }
}
