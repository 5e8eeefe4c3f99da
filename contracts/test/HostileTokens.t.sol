// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ChannelEscrow} from "../src/ChannelEscrow.sol";
import {ChannelConfig} from "../src/Types.sol";
import {CallingToken, MuteToken, ShrinkingToken, SilentToken, TaxingToken} from "./Tokens.sol";
import {vm} from "./Vm.sol";

/// @notice An escrow may be deployed over any token: what tokens do that break their word, and what it does then.
contract HostileTokensTest {
    uint256 private constant KEY = 0xA11CE;
    uint40 private constant DELAY = 900;
    address private constant SETTLEMENT = address(0x5E77);
    bytes32 private constant TYPE_OF_VOUCHER = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");

    ChannelEscrow private _escrow;
    ChannelConfig private _config;
    address private _payer = vm.addr(KEY);

    function _over(address token) private {
        _escrow = new ChannelEscrow(IERC20(token), SETTLEMENT, DELAY);
        _config =
            ChannelConfig(_payer, address(0), SETTLEMENT, SETTLEMENT, token, DELAY, bytes32(bytes20(address(0x6A))));
        (bool approved,) = token.call(abi.encodeCall(IERC20.approve, (address(_escrow), type(uint256).max)));
        vm.assertTrue(approved);
    }

    function _voucher(uint128 ceiling) private view returns (bytes memory) {
        bytes32 structHash = keccak256(abi.encode(TYPE_OF_VOUCHER, _escrow.channelId(_config), ceiling));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", _escrow.domainSeparator(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        return abi.encodePacked(r, s, v);
    }

    function _draw(uint128 total) private {
        bytes memory signature = _voucher(100);
        vm.prank(SETTLEMENT);
        _escrow.draw(_config, 100, signature, 0, total);
    }

    function _drawRefused(bytes memory reason, uint128 total) private {
        bytes memory signature = _voucher(100);
        vm.prank(SETTLEMENT);
        vm.expectRevert(reason);
        _escrow.draw(_config, 100, signature, 0, total);
    }

    function _askBack(uint128 amount) private {
        vm.prank(_payer);
        _escrow.requestWithdraw(_config, amount);
        vm.warp(block.timestamp + DELAY);
    }

    function _assertBooked(uint128 deposited, uint128 drawn) private view {
        bytes32 id = _escrow.channelId(_config);
        vm.assertEq(_escrow.channel(id).deposited, deposited);
        vm.assertEq(_escrow.channel(id).drawn, drawn);
    }

    function test_a_token_that_delivers_less_is_refused() public {
        _over(address(new TaxingToken()));
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.WrongAmountReceived.selector, 99, 100));
        _escrow.deposit(_config, 100);
        _assertBooked(0, 0);
    }

    function test_a_token_that_says_no_moves_no_balance() public {
        SilentToken token = new SilentToken();
        _over(address(token));
        _escrow.deposit(_config, 100);
        token.refuse(true);
        bytes memory refusal = abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token));
        vm.expectRevert(refusal);
        _escrow.deposit(_config, 100);
        _drawRefused(refusal, 10);
        _assertBooked(100, 0);
    }

    function test_a_token_that_calls_back_finds_the_door_shut() public {
        CallingToken token = new CallingToken();
        _over(address(token));
        bytes4 shut = ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        token.arm(address(_escrow), abi.encodeCall(ChannelEscrow.deposit, (_config, 1)));
        _escrow.deposit(_config, 100);
        vm.assertEq(bytes4(token.answer()), shut);
        _askBack(60);
        token.arm(address(_escrow), abi.encodeCall(ChannelEscrow.finalizeWithdraw, (_config)));
        _escrow.finalizeWithdraw(_config);
        vm.assertEq(bytes4(token.answer()), shut);
        vm.assertEq(token.balanceOf(_payer), 60);
        _assertBooked(40, 0);
    }

    /// @dev Whoever asked such a token for a yes would lock up what was paid in.
    function test_a_token_that_answers_nothing_is_moved_all_the_same() public {
        MuteToken token = new MuteToken();
        _over(address(token));
        _escrow.deposit(_config, 100);
        _draw(10);
        _askBack(60);
        _escrow.finalizeWithdraw(_config);
        vm.assertEq(token.balanceOf(SETTLEMENT), 10);
        vm.assertEq(token.balanceOf(_payer), 60);
        vm.assertEq(token.balanceOf(address(_escrow)), 30);
        _assertBooked(40, 10);
    }

    /// @dev What is gone nobody can give back; but nothing is booked that was not paid, and the rest still flows.
    function test_a_token_that_shrinks_pays_what_is_there_and_books_no_more() public {
        ShrinkingToken token = new ShrinkingToken();
        _over(address(token));
        _escrow.deposit(_config, 100);
        token.shrink(address(_escrow), 60);
        _drawRefused(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, address(_escrow), 40, 50), 50
        );
        _assertBooked(100, 0);
        _draw(40);
        _assertBooked(100, 40);
        vm.assertEq(token.balanceOf(SETTLEMENT), 40);
    }
}
