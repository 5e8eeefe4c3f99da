// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Channel, ChannelEscrow} from "../src/ChannelEscrow.sol";
import {DGAI} from "../src/DGAI.sol";
import {ChannelConfig} from "../src/Types.sol";
import {vm} from "./Vm.sol";
import {HungryWallet, OwnedWallet} from "./Wallets.sol";

contract ChannelEscrowTest {
    uint256 private constant KEY = 0xA11CE;
    uint40 private constant DELAY = 900;
    uint128 private constant DEPOSIT = 1_000e18;
    address private constant SETTLEMENT = address(0x5E77);
    bytes32 private constant TYPE_OF_VOUCHER = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");

    DGAI private _token = new DGAI(address(this));
    ChannelEscrow private _escrow = new ChannelEscrow(_token, SETTLEMENT, DELAY);
    address private _payer = vm.addr(KEY);

    function setUp() public {
        _token.approve(address(_escrow), type(uint256).max);
    }

    function _config() private view returns (ChannelConfig memory) {
        return ChannelConfig(
            _payer, address(0), SETTLEMENT, SETTLEMENT, address(_token), DELAY, bytes32(bytes20(address(0x6A)))
        );
    }

    function _open() private returns (ChannelConfig memory config, bytes32 id) {
        config = _config();
        id = _escrow.channelId(config);
        _escrow.deposit(config, DEPOSIT);
    }

    function _voucher(uint256 key, ChannelEscrow escrow, bytes32 id, uint128 ceiling)
        private
        view
        returns (bytes memory)
    {
        bytes32 structHash = keccak256(abi.encode(TYPE_OF_VOUCHER, id, ceiling));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", escrow.domainSeparator(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _draw(ChannelConfig memory config, uint128 ceiling, uint32 lane, uint128 total) private returns (uint128) {
        bytes memory signature = _voucher(KEY, _escrow, _escrow.channelId(config), ceiling);
        vm.prank(SETTLEMENT);
        return _escrow.draw(config, ceiling, signature, lane, total);
    }

    function test_a_channel_is_named_by_the_digest_of_its_terms() public view {
        ChannelConfig memory config = _config();
        bytes32 typeHash = keccak256(
            "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
        );
        bytes32 domainType =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain = keccak256(
            abi.encode(domainType, keccak256("x402 Batch Settlement"), keccak256("1"), block.chainid, address(_escrow))
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(typeHash, config))));
        vm.assertEq(_escrow.domainSeparator(), domain);
        vm.assertEq(_escrow.channelId(config), digest);
    }

    function test_anyone_pays_in_and_deposits_add_up() public {
        (ChannelConfig memory config, bytes32 id) = _open();
        vm.expectEmit();
        emit ChannelEscrow.Deposited(id, _payer, 5, DEPOSIT + 5, config);
        _escrow.deposit(config, 5);
        vm.assertEq(_escrow.channel(id).deposited, DEPOSIT + 5);
        vm.assertEq(_token.balanceOf(address(_escrow)), DEPOSIT + 5);
    }

    function test_deposits_with_the_senders_own_permit() public {
        _token.transfer(_payer, 50);
        (uint8 v, bytes32 r, bytes32 s) = _permit(50);
        vm.prank(_payer);
        _escrow.depositWithPermit(_config(), 50, block.timestamp, v, r, s);
        vm.assertEq(_escrow.channel(_escrow.channelId(_config())).deposited, 50);
    }

    function test_a_permit_sent_ahead_by_another_does_no_harm() public {
        _token.transfer(_payer, 50);
        (uint8 v, bytes32 r, bytes32 s) = _permit(50);
        _token.permit(_payer, address(_escrow), 50, block.timestamp, v, r, s);
        vm.prank(_payer);
        _escrow.depositWithPermit(_config(), 50, block.timestamp, v, r, s);
        vm.assertEq(_escrow.channel(_escrow.channelId(_config())).deposited, 50);
    }

    function test_a_strangers_permit_cannot_be_turned_to_another_channel() public {
        _token.transfer(_payer, 50);
        (uint8 v, bytes32 r, bytes32 s) = _permit(50);
        _token.approve(address(_escrow), 0);
        vm.expectRevert();
        _escrow.depositWithPermit(_config(), 50, block.timestamp, v, r, s);
        vm.assertEq(_token.balanceOf(_payer), 50);
    }

    function _permit(uint256 value) private view returns (uint8, bytes32, bytes32) {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(typeHash, _payer, address(_escrow), value, 0, block.timestamp));
        return vm.sign(KEY, keccak256(abi.encodePacked(hex"1901", _token.DOMAIN_SEPARATOR(), structHash)));
    }

    function test_refuses_terms_that_are_not_settlements() public {
        ChannelConfig memory config = _config();
        config.receiver = address(1);
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.WrongReceiver.selector, address(1), SETTLEMENT));
        _escrow.deposit(config, 1);
        config = _config();
        config.receiverAuthorizer = address(1);
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.WrongReceiver.selector, SETTLEMENT, address(1)));
        _escrow.deposit(config, 1);
        config = _config();
        config.token = address(1);
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.WrongToken.selector, address(1)));
        _escrow.deposit(config, 1);
    }

    function test_refuses_nobody_as_payer_or_gateway() public {
        ChannelConfig memory config = _config();
        config.payer = address(0);
        vm.expectRevert(ChannelEscrow.ZeroPayer.selector);
        _escrow.deposit(config, 1);
        config = _config();
        config.salt = bytes32(uint256(type(uint96).max));
        vm.expectRevert(ChannelEscrow.ZeroGateway.selector);
        _escrow.deposit(config, 1);
    }

    function test_refuses_an_exit_too_soon_or_too_late_to_be_meant() public {
        ChannelConfig memory config = _config();
        config.withdrawDelay = DELAY - 1;
        bytes4 refusal = ChannelEscrow.WithdrawDelayOutOfRange.selector;
        vm.expectRevert(abi.encodeWithSelector(refusal, DELAY - 1, DELAY, 30 days));
        _escrow.deposit(config, 1);
        config.withdrawDelay = 30 days + 1;
        vm.expectRevert(abi.encodeWithSelector(refusal, 30 days + 1, DELAY, 30 days));
        _escrow.deposit(config, 1);
    }

    function test_refuses_a_deposit_of_nothing() public {
        vm.expectRevert(ChannelEscrow.ZeroAmount.selector);
        _escrow.deposit(_config(), 0);
    }

    function test_only_the_payer_asks_to_leave() public {
        (ChannelConfig memory config,) = _open();
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.OnlyPayer.selector, _payer, address(this)));
        _escrow.requestWithdraw(config, 1);
    }

    function test_refuses_to_promise_more_than_the_balance() public {
        (ChannelConfig memory config,) = _open();
        _draw(config, DEPOSIT, 0, 400e18);
        vm.prank(_payer);
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.AmountAboveBalance.selector, 600e18 + 1, 600e18));
        _escrow.requestWithdraw(config, 600e18 + 1);
    }

    function test_a_withdrawal_waits_and_yields_to_draws_made_meanwhile() public {
        (ChannelConfig memory config, bytes32 id) = _open();
        vm.prank(_payer);
        _escrow.requestWithdraw(config, DEPOSIT);
        uint64 availableAt = uint64(block.timestamp) + DELAY;
        vm.assertEq(_escrow.channel(id).availableAt, availableAt);
        vm.warp(availableAt - 1);
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.WithdrawNotYet.selector, availableAt));
        _escrow.finalizeWithdraw(config);
        vm.assertEq(_draw(config, DEPOSIT, 0, 300e18), 300e18);
        vm.warp(availableAt);
        _escrow.finalizeWithdraw(config);
        vm.assertEq(_token.balanceOf(_payer), 700e18);
        Channel memory channel = _escrow.channel(id);
        vm.assertEq(channel.deposited, 300e18);
        vm.assertEq(channel.drawn, 300e18);
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.NoWithdrawRequested.selector, id));
        _escrow.finalizeWithdraw(config);
    }

    function test_a_new_request_starts_the_delay_again_and_zero_calls_it_off() public {
        (ChannelConfig memory config, bytes32 id) = _open();
        vm.prank(_payer);
        _escrow.requestWithdraw(config, 1);
        vm.warp(block.timestamp + DELAY);
        vm.prank(_payer);
        _escrow.requestWithdraw(config, DEPOSIT);
        vm.expectPartialRevert(ChannelEscrow.WithdrawNotYet.selector);
        _escrow.finalizeWithdraw(config);
        vm.prank(_payer);
        _escrow.requestWithdraw(config, 0);
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.NoWithdrawRequested.selector, id));
        _escrow.finalizeWithdraw(config);
    }

    function test_only_settlement_draws() public {
        (ChannelConfig memory config, bytes32 id) = _open();
        bytes memory signature = _voucher(KEY, _escrow, id, DEPOSIT);
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.OnlySettlement.selector, address(this)));
        _escrow.draw(config, DEPOSIT, signature, 0, 1);
    }

    function test_refuses_a_voucher_of_another_hand_ceiling_or_chain() public {
        (ChannelConfig memory config, bytes32 id) = _open();
        bytes memory refusal = abi.encodeWithSelector(ChannelEscrow.WrongVoucherSignature.selector, id, DEPOSIT);
        bytes memory forged = _voucher(KEY + 1, _escrow, id, DEPOSIT);
        vm.prank(SETTLEMENT);
        vm.expectRevert(refusal);
        _escrow.draw(config, DEPOSIT, forged, 0, 1);
        bytes memory lower = _voucher(KEY, _escrow, id, DEPOSIT - 1);
        vm.prank(SETTLEMENT);
        vm.expectRevert(refusal);
        _escrow.draw(config, DEPOSIT, lower, 0, 1);
        bytes memory signature = _voucher(KEY, _escrow, id, DEPOSIT);
        vm.chainId(999);
        vm.prank(SETTLEMENT);
        vm.expectPartialRevert(ChannelEscrow.WrongVoucherSignature.selector);
        _escrow.draw(config, DEPOSIT, signature, 0, 1);
    }

    function test_an_authorizer_signs_in_the_payers_stead() public {
        ChannelConfig memory config = _config();
        config.payerAuthorizer = vm.addr(KEY + 1);
        bytes32 id = _escrow.channelId(config);
        _escrow.deposit(config, 10);
        bytes memory payers = _voucher(KEY, _escrow, id, 10);
        vm.prank(SETTLEMENT);
        vm.expectPartialRevert(ChannelEscrow.WrongVoucherSignature.selector);
        _escrow.draw(config, 10, payers, 0, 10);
        bytes memory authorizers = _voucher(KEY + 1, _escrow, id, 10);
        vm.prank(SETTLEMENT);
        vm.assertEq(_escrow.draw(config, 10, authorizers, 0, 10), 10);
    }

    function test_a_contract_wallet_pays_and_a_hostile_one_only_fails() public {
        ChannelConfig memory config = _config();
        config.payer = address(new OwnedWallet(_payer));
        _escrow.deposit(config, 10);
        vm.assertEq(_draw(config, 10, 0, 10), 10);
        config.payer = address(new HungryWallet());
        _escrow.deposit(config, 10);
        bytes memory signature = _voucher(KEY, _escrow, _escrow.channelId(config), 10);
        vm.prank(SETTLEMENT);
        vm.expectPartialRevert(ChannelEscrow.WrongVoucherSignature.selector);
        _escrow.draw(config, 10, signature, 0, 10);
    }

    function test_draws_nothing_twice() public {
        (ChannelConfig memory config, bytes32 id) = _open();
        vm.assertEq(_draw(config, DEPOSIT, 0, 10), 10);
        bytes memory signature = _voucher(KEY, _escrow, id, DEPOSIT);
        vm.prank(SETTLEMENT);
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.NothingToDraw.selector, id));
        _escrow.draw(config, DEPOSIT, signature, 0, 10);
    }

    function test_an_older_voucher_draws_no_more_than_it_said() public {
        (ChannelConfig memory config, bytes32 id) = _open();
        vm.assertEq(_draw(config, 50, 0, 80), 50);
        bytes memory older = _voucher(KEY, _escrow, id, 40);
        vm.prank(SETTLEMENT);
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.NothingToDraw.selector, id));
        _escrow.draw(config, 40, older, 0, 80);
        vm.assertEq(_draw(config, 100, 0, 80), 30);
    }

    function test_lanes_add_up_under_one_ceiling() public {
        (ChannelConfig memory config, bytes32 id) = _open();
        vm.assertEq(_draw(config, 100, 0, 60), 60);
        vm.expectEmit();
        emit ChannelEscrow.Drawn(id, 1, 40, 100);
        vm.assertEq(_draw(config, 100, 1, 60), 40);
        vm.assertEq(_draw(config, 200, 1, 60), 20);
        vm.assertEq(_escrow.drawnInLane(id, 0), 60);
        vm.assertEq(_escrow.drawnInLane(id, 1), 60);
        vm.assertEq(_escrow.channel(id).drawn, 120);
    }

    function testFuzz_a_draw_stays_below_total_ceiling_and_deposit(
        uint128[4] memory totals,
        uint128[4] memory ceilings,
        uint32[4] memory lanes
    ) public {
        (ChannelConfig memory config, bytes32 id) = _open();
        for (uint256 i = 0; i < 4; ++i) {
            (uint128 total, uint128 ceiling) = (totals[i] % (2 * DEPOSIT), ceilings[i] % (2 * DEPOSIT));
            uint32 lane = lanes[i] % 2;
            bytes memory signature = _voucher(KEY, _escrow, id, ceiling);
            uint128 before = _escrow.channel(id).drawn;
            vm.prank(SETTLEMENT);
            try _escrow.draw(config, ceiling, signature, lane, total) returns (uint128 amount) {
                vm.assertLe(_escrow.drawnInLane(id, lane), total);
                vm.assertLe(before + amount, ceiling);
            } catch {}
            Channel memory channel = _escrow.channel(id);
            vm.assertLe(channel.drawn, channel.deposited);
            vm.assertEq(channel.drawn, uint256(_escrow.drawnInLane(id, 0)) + _escrow.drawnInLane(id, 1));
            vm.assertEq(_token.balanceOf(SETTLEMENT), channel.drawn);
            vm.assertEq(_token.balanceOf(address(_escrow)), channel.deposited - channel.drawn);
        }
    }
}
