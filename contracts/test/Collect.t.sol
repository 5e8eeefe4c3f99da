// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ChannelEscrow} from "../src/ChannelEscrow.sol";
import {Epochs} from "../src/Epochs.sol";
import {Claim, Collection, Settlement} from "../src/Settlement.sol";
import {ChannelConfig, EpochRoot, Kind, LeafProof} from "../src/Types.sol";
import {Bill} from "./Book.sol";
import {vm} from "./Vm.sol";
import {OwnedWallet} from "./Wallets.sol";
import {World} from "./World.sol";

/// @notice Payers' channels, drawn against anchored receipts.
contract CollectTest is World {
    function _anchored() private returns (LeafProof memory) {
        book.write(_listedBill(node, 100e18, 6e18));
        book.write(_listedBill(otherNode, 50e18, 3e18));
        _closeAndAnchor();
        return book.proof(0, 0, 1);
    }

    function test_the_latest_receipt_collects_everything_before_it() public {
        LeafProof memory proof = _anchored();
        uint128 total = proof.leaf.totals.payer;
        vm.expectEmit();
        emit Settlement.Collected(gateway, channelId, 0, 0, total, total);
        vm.assertEq(_collectOne(proof), total);
        vm.assertEq(total, proof.root.pot);
        vm.assertEq(settlement.fundsOf(gateway), total);
        vm.assertEq(escrow.channel(channelId).drawn, total);
        _assertConserved();
    }

    function test_the_same_receipt_collects_once() public {
        LeafProof memory proof = _anchored();
        _collectOne(proof);
        Collection memory row = _collection(proof);
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.NothingToDraw.selector, channelId));
        settlement.collectOne(row);
        row = _collection(book.proof(0, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.NothingToDraw.selector, channelId));
        settlement.collectOne(row);
    }

    function test_never_more_than_the_voucher_says() public {
        Collection memory row = _collection(_anchored());
        row.maxClaimableAmount = 60e18;
        row.signature = _voucher(PAYER_KEY, channelId, 60e18);
        vm.assertEq(settlement.collectOne(row), 60e18);
        vm.assertGt(settlement.account(gateway).pots, settlement.account(gateway).collected);
    }

    function test_refuses_a_root_that_is_not_anchored() public {
        book.write(_bill(node, 1e18));
        book.close();
        Collection memory row = _collection(book.proof(0, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(Epochs.NotAnchored.selector, gateway, 0));
        settlement.collectOne(row);
    }

    function test_refuses_a_root_with_a_field_changed() public {
        Collection memory row = _collection(_anchored());
        row.proof.root.pot += 1;
        vm.expectRevert(abi.encodeWithSelector(Epochs.NotAnchored.selector, gateway, 0));
        settlement.collectOne(row);
    }

    function test_refuses_a_leaf_that_the_root_does_not_hold() public {
        LeafProof memory honest = _anchored();
        Collection memory row = _collection(honest);
        row.proof.leaf.totals.payer += 1;
        vm.expectRevert(Epochs.NotIncluded.selector);
        settlement.collectOne(row);
        row = _collection(book.proof(0, 0, 0));
        row.proof.inclusion.recordPath[0].sum += 1;
        vm.expectRevert(Epochs.NotIncluded.selector);
        settlement.collectOne(row);
        row = _collection(book.proof(0, 0, 0));
        row.proof.leaf.place.epoch = 1;
        vm.expectRevert(Epochs.NotIncluded.selector);
        settlement.collectOne(row);
    }

    function test_refuses_a_channel_that_the_receipt_does_not_name() public {
        Collection memory row = _collection(_anchored());
        row.config.payerAuthorizer = payer;
        vm.expectRevert(abi.encodeWithSelector(Settlement.WrongChannel.selector, channelId));
        settlement.collectOne(row);
    }

    function test_refuses_another_gateways_channel() public {
        ChannelConfig memory other = _channel(payer, address(0x0DD), 0);
        bytes32 id = escrow.channelId(other);
        _fund(payer, 10e18);
        vm.prank(payer);
        escrow.deposit(other, 10e18);
        Bill memory bill = _bill(node, 1e18);
        bill.channelId = id;
        book.write(bill);
        _closeAndAnchor();
        Collection memory row = Collection(other, 10e18, _voucher(PAYER_KEY, id, 10e18), book.proof(0, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(Settlement.ChannelOfOtherGateway.selector, address(0x0DD)));
        settlement.collectOne(row);
    }

    function test_refuses_a_void_root() public {
        Collection memory row = _collection(_anchored());
        vm.prank(address(challenges));
        settlement.convict(gateway, 0, 1, reporter);
        vm.expectRevert(abi.encodeWithSelector(Epochs.RootVoid.selector, gateway, 0));
        settlement.collectOne(row);
    }

    function test_one_bad_row_never_blocks_the_others() public {
        LeafProof memory proof = _anchored();
        Collection[] memory rows = new Collection[](4);
        for (uint256 i = 0; i < 4; ++i) {
            rows[i] = _collection(book.proof(0, 0, 1));
        }
        rows[0].signature = hex"00";
        rows[1].proof.leaf.totals.payer += 1;
        (rows[2].maxClaimableAmount, rows[2].signature) = (9e18, _voucher(PAYER_KEY, channelId, 9e18));
        vm.expectEmit();
        emit Settlement.RowRefused(
            0, abi.encodeWithSelector(ChannelEscrow.WrongVoucherSignature.selector, channelId, DEPOSIT)
        );
        vm.expectEmit();
        emit Settlement.RowRefused(1, abi.encodeWithSelector(Epochs.NotIncluded.selector));
        settlement.collect(rows);
        vm.assertEq(settlement.fundsOf(gateway), proof.leaf.totals.payer);
        _assertConserved();
    }

    /// @dev Else an estimate of the least gas that succeeds would find one with which every row is refused.
    function testFuzz_a_batch_short_of_gas_fails_whole(uint256 gas_, bool byWallet) public {
        book.write(_listedBill(node, 100e18, 6e18));
        ChannelConfig memory other = _channel(payer, gateway, 1);
        if (byWallet) other.payerAuthorizer = address(new OwnedWallet(payer));
        _fund(payer, DEPOSIT);
        vm.prank(payer);
        escrow.deposit(other, DEPOSIT);
        Bill memory bill = _bill(otherNode, 50e18);
        bill.channelId = escrow.channelId(other);
        book.write(bill);
        _closeAndAnchor();
        Collection[] memory rows = new Collection[](2);
        rows[0] = _collection(book.proof(0, 0, 0));
        bytes memory voucher = _voucher(PAYER_KEY, bill.channelId, DEPOSIT);
        rows[1] = Collection(other, DEPOSIT, voucher, book.proof(0, 0, 1));
        try settlement.collect{gas: 30_000 + gas_ % 500_000}(rows) {
            vm.assertEq(settlement.fundsOf(gateway), book.rootAt(0).pot);
        } catch {
            vm.assertEq(settlement.fundsOf(gateway), 0);
        }
    }

    /// @dev Whatever the gas, up to what suffices: a call fails with what it was short of, and with nothing else.
    function test_a_row_short_of_gas_is_not_taken_for_a_refused_one() public {
        Collection[] memory rows = new Collection[](1);
        rows[0] = _collection(_anchored());
        uint256 told = 0;
        for (uint256 gas_ = 50_000; settlement.fundsOf(gateway) == 0; gas_ += 5_000) {
            try settlement.collect{gas: gas_}(rows) {
                vm.assertEq(settlement.fundsOf(gateway), book.rootAt(0).pot);
            } catch (bytes memory reason) {
                if (reason.length == 0) continue; // not enough even to say so
                vm.assertEq(keccak256(reason), keccak256(abi.encodeWithSelector(Settlement.RowOutOfGas.selector, 0)));
                ++told;
            }
        }
        vm.assertGe(told, 5);
    }

    function test_a_malformed_row_is_refused_like_any_other() public {
        LeafProof memory proof = _anchored();
        Claim[] memory rows = new Claim[](2);
        rows[0] = Claim(Kind.Payer, proof);
        rows[1] = Claim(Kind.Node, proof);
        _collectOne(proof);
        _passWindow();
        bytes memory call_ = abi.encodeCall(Settlement.claim, (rows));
        call_[4 + 32 * 5 - 1] = 0x09; // the first row's kind, out of its range
        (bool ok,) = address(settlement).call(call_);
        vm.assertTrue(ok);
        vm.assertEq(token.balanceOf(otherNode), 50e18);
    }

    function test_an_empty_batch_does_nothing() public {
        settlement.collect(new Collection[](0));
        settlement.claim(new Claim[](0));
    }

    function test_two_lanes_are_collected_side_by_side() public {
        book.write(_bill(node, 100e18));
        Bill memory second = _bill(node, 40e18);
        second.lane = 1;
        book.write(second);
        EpochRoot memory root = _closeAndAnchor();
        _collectOne(book.proof(0, 0, 0));
        _collectOne(book.proof(0, 1, 0));
        vm.assertEq(settlement.fundsOf(gateway), root.pot);
        vm.assertEq(escrow.drawnInLane(channelId, 1), 40e18 + 40e18 / 50 + 4e18);
    }
}
