// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ChannelConfig} from "./Types.sol";
import {Receipts} from "./Receipts.sol";
import {Signatures} from "./Signatures.sol";

struct Channel {
    uint128 deposited;
    uint128 drawn;
    uint128 withdrawRequested;
    uint64 availableAt;
}

/// @title Payers' deposits, one channel per payer and gateway
/// @notice Channels have the shape and the domain of x402's batch settlement. What is drawn never exceeds the running
/// total that Settlement proved, the payer's signed ceiling, or the deposit. A payer leaves alone, after a delay.
contract ChannelEscrow is EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using Receipts for ChannelConfig;

    error WrongReceiver(address receiver, address receiverAuthorizer);
    error WrongToken(address token);
    error ZeroPayer();
    error ZeroGateway();
    error WithdrawDelayOutOfRange(uint40 withdrawDelay, uint40 minimum, uint40 maximum);
    error ZeroAmount();
    error WrongAmountReceived(uint256 received, uint256 expected);
    error OnlyPayer(address payer, address caller);
    error OnlySettlement(address caller);
    error AmountAboveBalance(uint128 amount, uint128 balance);
    error NoWithdrawRequested(bytes32 channelId);
    error WithdrawNotYet(uint64 availableAt);
    error WrongVoucherSignature(bytes32 channelId, uint128 maxClaimableAmount);
    error NothingToDraw(bytes32 channelId);

    event Deposited(
        bytes32 indexed channelId, address indexed payer, uint128 amount, uint128 deposited, ChannelConfig config
    );
    event WithdrawRequested(bytes32 indexed channelId, uint128 amount, uint64 availableAt);
    event Withdrawn(bytes32 indexed channelId, uint128 amount);
    event Drawn(bytes32 indexed channelId, uint32 lane, uint128 amount, uint128 drawnTotal);

    uint40 private constant MAX_WITHDRAW_DELAY = 30 days;

    IERC20 public immutable token;
    address public immutable settlement;
    uint40 public immutable minWithdrawDelay;

    mapping(bytes32 channelId => Channel) private _channels;
    mapping(bytes32 channelId => mapping(uint32 lane => uint128 drawn)) public drawnInLane;

    /// @param settlement_ the address that the Settlement contract will have; it refuses to deploy anywhere else
    constructor(IERC20 token_, address settlement_, uint40 minWithdrawDelay_) EIP712("x402 Batch Settlement", "1") {
        token = token_;
        settlement = settlement_;
        minWithdrawDelay = minWithdrawDelay_;
    }

    /// @notice Adds to a channel, opening it if it is new. Anyone may pay in; only the payer ever gets it back.
    function deposit(ChannelConfig calldata config, uint128 amount) external nonReentrant {
        _deposit(config, amount);
    }

    /// @notice The same with the sender's own permit. A permit of the payer sent by another is not taken: it would not
    /// say which channel the money is for.
    function depositWithPermit(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        // Whoever front-runs the permit only spares us the call: the allowance is there, or the transfer fails.
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _deposit(config, amount);
    }

    /// @notice Announces a withdrawal; a new call replaces the last and starts the delay again. Zero calls it off.
    function requestWithdraw(ChannelConfig calldata config, uint128 amount) external {
        bytes32 id = channelId(config);
        Channel storage channel_ = _channels[id];
        require(msg.sender == config.payer, OnlyPayer(config.payer, msg.sender));
        uint128 balance = channel_.deposited - channel_.drawn;
        require(amount <= balance, AmountAboveBalance(amount, balance));

        uint64 availableAt = amount == 0 ? 0 : uint64(block.timestamp) + config.withdrawDelay;
        channel_.withdrawRequested = amount;
        channel_.availableAt = availableAt;

        emit WithdrawRequested(id, amount, availableAt);
    }

    /// @notice Pays a withdrawal out to the payer, less what was drawn meanwhile. Anyone may send it.
    function finalizeWithdraw(ChannelConfig calldata config) external nonReentrant {
        bytes32 id = channelId(config);
        Channel storage channel_ = _channels[id];
        uint128 amount = channel_.withdrawRequested;
        require(amount != 0, NoWithdrawRequested(id));
        require(block.timestamp >= channel_.availableAt, WithdrawNotYet(channel_.availableAt));

        amount = _min(amount, channel_.deposited - channel_.drawn);
        channel_.deposited -= amount;
        channel_.withdrawRequested = 0;
        channel_.availableAt = 0;

        emit Withdrawn(id, amount);
        token.safeTransfer(config.payer, amount);
    }

    /// @notice Draws what a lane's running total says, less what was drawn for it, as far as voucher and deposit go.
    /// @param laneTotal the payer's total in the lane, as Settlement proved it
    function draw(
        ChannelConfig calldata config,
        uint128 maxClaimableAmount,
        bytes calldata signature,
        uint32 lane,
        uint128 laneTotal
    ) external nonReentrant returns (uint128 amount) {
        bytes32 id = channelId(config);
        Channel storage channel_ = _channels[id];
        require(msg.sender == settlement, OnlySettlement(msg.sender));
        _checkVoucher(config, id, maxClaimableAmount, signature);
        uint128 drawnBefore = channel_.drawn;
        amount = _zeroFloorSub(laneTotal, drawnInLane[id][lane]);
        amount = _min(amount, _zeroFloorSub(maxClaimableAmount, drawnBefore));
        amount = _min(amount, channel_.deposited - drawnBefore);
        require(amount != 0, NothingToDraw(id));

        channel_.drawn = drawnBefore + amount;
        drawnInLane[id][lane] += amount;

        emit Drawn(id, lane, amount, drawnBefore + amount);
        token.safeTransfer(settlement, amount);
    }

    function channel(bytes32 id) external view returns (Channel memory) {
        return _channels[id];
    }

    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function channelId(ChannelConfig calldata config) public view returns (bytes32) {
        return _hashTypedDataV4(config.hash());
    }

    function _deposit(ChannelConfig calldata config, uint128 amount) private {
        bytes32 id = channelId(config);
        _checkConfig(config);
        require(amount != 0, ZeroAmount());

        uint128 deposited = _channels[id].deposited + amount;
        _channels[id].deposited = deposited;

        emit Deposited(id, config.payer, amount, deposited, config);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        require(received == amount, WrongAmountReceived(received, amount));
    }

    function _checkConfig(ChannelConfig calldata config) private view {
        bool toSettlement = config.receiver == settlement && config.receiverAuthorizer == settlement;
        require(toSettlement, WrongReceiver(config.receiver, config.receiverAuthorizer));
        require(config.token == address(token), WrongToken(config.token));
        require(config.payer != address(0), ZeroPayer());
        require(bytes20(config.salt) != bytes20(0), ZeroGateway());
        bool delayed = config.withdrawDelay >= minWithdrawDelay && config.withdrawDelay <= MAX_WITHDRAW_DELAY;
        require(delayed, WithdrawDelayOutOfRange(config.withdrawDelay, minWithdrawDelay, MAX_WITHDRAW_DELAY));
    }

    function _checkVoucher(
        ChannelConfig calldata config,
        bytes32 id,
        uint128 maxClaimableAmount,
        bytes calldata signature
    ) private view {
        address signer = config.payerAuthorizer == address(0) ? config.payer : config.payerAuthorizer;
        bytes32 digest = _hashTypedDataV4(Receipts.voucherHash(id, maxClaimableAmount));
        bool signed = Signatures.byKeyOrWallet(signer, digest, signature);
        require(signed, WrongVoucherSignature(id, maxClaimableAmount));
    }

    function _min(uint128 a, uint128 b) private pure returns (uint128) {
        return a < b ? a : b;
    }

    function _zeroFloorSub(uint128 a, uint128 b) private pure returns (uint128) {
        return a > b ? a - b : 0;
    }
}
