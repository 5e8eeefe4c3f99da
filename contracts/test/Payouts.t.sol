// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Judging} from "../src/Judging.sol";
import {PayoutClaim, PayoutKind, Payouts} from "../src/Payouts.sol";
import {Role} from "../src/Registry.sol";
import {Settlement} from "../src/Settlement.sol";
import {Kind, LeafProof} from "../src/Types.sol";
import {Bill} from "./Book.sol";
import {Courtroom, Row} from "./Courtroom.sol";
import {vm} from "./Vm.sol";

contract PayoutsTest is Courtroom {
    address private _judge = address(0x1D6E);

    /// @dev The node keeps 15 of the 20 that waited, its payer gets 5 back; an evaluator earns half a DGAI.
    function _table() private view returns (Row[] memory rows) {
        rows = new Row[](3);
        rows[0] = Row(PayoutKind.Node, gateway, node, 15e18);
        rows[1] = Row(PayoutKind.Payer, gateway, payer, 5e18);
        rows[2] = Row(PayoutKind.Evaluator, address(0), _judge, 5e17);
    }

    function _paidRound() private returns (Row[] memory rows) {
        rows = _table();
        _fund(address(court), 1e18);
        _judged(100e18, rows, 20e18);
    }

    function test_each_payee_gets_what_the_final_root_says_and_nothing_twice() public {
        Row[] memory rows = _paidRound();
        _passChallenge();
        uint256 before = token.balanceOf(payer);
        PayoutClaim[] memory claims = _claims(rows);
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectEmit();
            emit Payouts.PayoutClaimed(rows[i].payee, rows[i].kind, rows[i].gateway, rows[i].total, rows[i].total);
        }
        court.claim(claims);
        vm.assertEq(token.balanceOf(node), 15e18);
        vm.assertEq(token.balanceOf(payer) - before, 5e18);
        vm.assertEq(token.balanceOf(_judge), 5e17);
        vm.assertEq(court.claimedOf(PayoutKind.Node, gateway, node), 15e18);
        vm.assertEq(court.paidTotal(), 20.5e18);
        vm.assertEq(court.releasesHeld(gateway), 0);
        court.claim(claims);
        vm.assertEq(token.balanceOf(node), 15e18);
        vm.assertEq(token.balanceOf(address(court)), 5e17);
    }

    function test_a_payee_that_is_node_and_payer_has_two_accounts() public {
        Row[] memory rows = new Row[](2);
        rows[0] = Row(PayoutKind.Node, gateway, node, 15e18);
        rows[1] = Row(PayoutKind.Payer, gateway, node, 5e18);
        _judged(100e18, rows, 20e18);
        _passChallenge();
        court.claim(_claims(rows));
        vm.assertEq(token.balanceOf(node), 20e18);
    }

    function test_nothing_is_paid_before_the_window_is_over() public {
        Row[] memory rows = _paidRound();
        PayoutClaim[] memory claims = _claims(rows);
        vm.assertEq(court.current().digest, bytes32(0));
        vm.expectRevert(Payouts.NoFinalRoot.selector);
        court.claim(claims);
        vm.warp(block.timestamp + 14);
        vm.expectRevert(Payouts.NoFinalRoot.selector);
        court.claim(claims);
        vm.warp(block.timestamp + 1);
        court.claim(claims);
        (, bytes32 digest) = court.lastRound();
        vm.assertEq(court.current().digest, digest);
    }

    function test_while_a_root_is_young_the_one_before_pays() public {
        Row[] memory rows = _paidRound();
        Row[] memory grown = _table();
        grown[0].total += 2e18;
        _judged(10e18, grown, 2e18);
        vm.assertEq(court.current().payoutsTotal, 20.5e18);
        PayoutClaim[] memory claims = _claims(grown);
        vm.expectRevert(abi.encodeWithSelector(Payouts.NotIncluded.selector, PayoutKind.Node, gateway, node));
        court.claim(claims);
        court.claim(_claims(rows));
        vm.assertEq(token.balanceOf(node), 15e18);
        _passChallenge();
        court.claim(claims);
        vm.assertEq(token.balanceOf(node), 17e18);
        claims = _claims(rows);
        vm.expectRevert(abi.encodeWithSelector(Payouts.NotIncluded.selector, PayoutKind.Node, gateway, node));
        court.claim(claims);
    }

    function testFuzz_only_rows_of_the_root_pay(uint8 kind, address other, address payee, uint128 total, uint64 index)
        public
    {
        Row[] memory rows = _paidRound();
        _passChallenge();
        PayoutClaim[] memory claims = new PayoutClaim[](1);
        claims[0] = _claimOf(rows, index % 3);
        bytes32 before = keccak256(abi.encode(claims));
        (claims[0].kind, claims[0].gateway, claims[0].payee) = (PayoutKind(kind % 3), other, payee);
        claims[0].total = total;
        vm.assume(keccak256(abi.encode(claims)) != before);
        uint256 held = token.balanceOf(address(court));
        (bool paid,) = address(court).call(abi.encodeCall(court.claim, (claims)));
        vm.assertFalse(paid);
        vm.assertEq(token.balanceOf(address(court)), held);
    }

    function test_evaluators_never_live_on_what_was_released() public {
        Row[] memory rows = _table();
        _judged(100e18, rows, 20e18); // the pool is empty
        _passChallenge();
        court.claim(_claims(rows));
        vm.assertEq(token.balanceOf(_judge), 0);
        vm.assertEq(token.balanceOf(node), 15e18);
        _fund(address(court), 2e17);
        court.claim(_claims(rows));
        vm.assertEq(token.balanceOf(_judge), 2e17);
        _fund(address(court), 1e18);
        court.claim(_claims(rows));
        vm.assertEq(token.balanceOf(_judge), 5e17);
        vm.assertEq(court.claimedOf(PayoutKind.Evaluator, address(0), _judge), 5e17);
    }

    function test_nodes_and_payers_never_live_on_the_pool() public {
        _fund(address(court), 100e18);
        (uint64 epoch, uint64 round) = _drawUncollected(100e18);
        _hear(round, 3, 3);
        _warpToPost(round);
        Row[] memory rows = _table();
        _post(_root(round, rows, _release(20e18)), _release(20e18), 2);
        vm.assertEq(court.owed(gateway), 20e18);
        _passChallenge();
        court.claim(_claims(rows));
        vm.assertEq(token.balanceOf(node), 0);
        vm.assertEq(token.balanceOf(_judge), 5e17);
        _collectOne(book.proof(epoch, 0, 0));
        vm.expectEmit();
        emit Payouts.Pulled(gateway, 20e18, 0);
        vm.assertEq(court.pull(gateway), 20e18);
        vm.assertEq(court.pull(gateway), 0);
        court.claim(_claims(rows));
        vm.assertEq(token.balanceOf(node), 15e18);
    }

    /// @dev Its payers have no deposit, so Settlement never has what a true root says of it.
    function test_a_gateway_whose_payers_paid_nothing_takes_nothing_of_anothers_releases() public {
        Row[] memory rows = new Row[](2);
        rows[1] = Row(PayoutKind.Node, gateway, node, 20e18);
        _judged(100e18, _row(PayoutKind.Node, node, 20e18), 20e18);
        address honest = gateway;
        _openGateway(0x6A7F);
        rows[0] = Row(PayoutKind.Node, gateway, otherNode, 20e18);
        (, uint64 round) = _drawUncollected(100e18);
        _hear(round, 3, 3);
        _warpToPost(round);
        _post(_root(round, rows, _release(20e18)), _release(20e18), 2);
        _passChallenge();
        court.claim(_claims(rows));
        vm.assertEq(token.balanceOf(otherNode), 0);
        vm.assertEq(token.balanceOf(node), 20e18);
        vm.assertEq(court.owed(gateway), 20e18);
        vm.assertEq(court.owed(honest), 0);
        vm.assertEq(court.releasesHeldTotal(), 0);
    }

    function _drawUncollected(uint128 toNode) private returns (uint64 epoch, uint64 round) {
        epoch = _anchorEpoch(toNode).epoch;
        vm.roll(block.number + 4);
        court.fixSeed(gateway, epoch);
        (, round,) = court.drawOf(gateway, epoch);
    }

    /// @dev What SECURITY.md says that it does not prevent, and how far it goes: the gateway's own node, whose payer has
    /// next to nothing, empties the funds by its base share. No row of the root could undo that: the base of an honest
    /// node is its line's to make whole, its fifth has nothing behind it.
    function test_a_gateway_that_dilutes_its_purse_costs_its_nodes_no_more_than_their_fifth() public {
        book.moveTo(parameters.epochNow());
        book.write(_bill(node, 100e18));
        Bill memory unfunded = _bill(otherNode, 400e18);
        unfunded.channelId = keccak256("a channel that nobody fills");
        book.write(unfunded);
        uint64 epoch = _closeAndAnchor().epoch;
        _collectOne(book.proof(epoch, 0, 0));
        _passWindow();
        vm.assertEq(_claimOne(Kind.Node, book.proof(epoch, 0, 1)), 320e18);
        vm.assertEq(_claimOne(Kind.Node, book.proof(epoch, 0, 0)), 80e18);
        vm.roll(block.number + 4);
        court.fixSeed(gateway, epoch);
        (, uint64 round,) = court.drawOf(gateway, epoch);
        _hear(round, 3, 3);
        _warpToPost(round);
        Row[] memory rows = _row(PayoutKind.Node, node, 20e18); // of the other node nothing is credited
        _post(_root(round, rows, _release(20e18)), _release(20e18), 2);
        _passChallenge();
        court.claim(_claims(rows));
        vm.assertEq(token.balanceOf(node), 80e18);
        vm.assertEq(court.owed(gateway), 20e18);
    }

    /// @dev A dishonest root that takes a row away and gives it to another is still paid within its total.
    function test_what_was_claimed_is_not_paid_again_to_another() public {
        Row[] memory rows = _paidRound();
        _passChallenge();
        court.claim(_claims(rows));
        Row[] memory moved = _table();
        (moved[0].payee, moved[0].total) = (otherNode, 15e18 + 1e18);
        _judged(100e18, moved, 1e18);
        _passChallenge();
        court.claim(_claims(moved));
        vm.assertEq(token.balanceOf(otherNode), 1e18);
        vm.assertEq(court.paidTotal(), 21.5e18);
    }

    function test_protocol_fees_flow_into_the_pool_and_the_timelock_sweeps_the_rest() public {
        Row[] memory rows = _table();
        _judged(100e18, rows, 20e18);
        LeafProof memory proof = book.proof(book.epoch() - 1, 0, 0);
        _passChallenge();
        vm.roll(block.number + 2);
        _claimOne(Kind.Protocol, proof);
        vm.assertEq(court.pool(), 2e18);
        vm.assertEq(court.sweepable(), 1.5e18);
        vm.prank(timelock);
        vm.expectRevert(abi.encodeWithSelector(Payouts.PoolReserved.selector, 1.5e18 + 1, 1.5e18));
        court.sweep(address(0x5AFE), 1.5e18 + 1);
        vm.expectRevert(abi.encodeWithSelector(Judging.OnlyTimelock.selector, address(this)));
        court.sweep(address(this), 1);
        vm.expectEmit();
        emit Payouts.Swept(address(0x5AFE), 1.5e18);
        vm.prank(timelock);
        court.sweep(address(0x5AFE), 1.5e18);
        court.claim(_claims(rows));
        vm.assertEq(token.balanceOf(_judge), 5e17);
        vm.assertEq(token.balanceOf(node), 15e18);
        vm.assertEq(court.sweepable(), 0);
    }
}

contract ReleaseTest is Courtroom {
    function test_only_the_court_takes_releases() public {
        vm.expectRevert(abi.encodeWithSelector(Settlement.OnlyCourt.selector, address(this)));
        settlement.releaseQuality(gateway, 1);
        vm.prank(timelock);
        vm.expectRevert(abi.encodeWithSelector(Settlement.OnlyCourt.selector, timelock));
        settlement.releaseQuality(gateway, 1);
    }

    function testFuzz_what_is_taken_never_exceeds_the_share_or_the_funds(uint128 toNode, uint128 a, uint128 b) public {
        toNode = 1 + toNode % 1_000e18;
        _draw(toNode);
        uint128 pot = settlement.account(gateway).pots;
        uint256 most = (uint256(pot) * 2_000 + 9_999) / 10_000;
        vm.prank(address(court));
        uint128 first = settlement.releaseQuality(gateway, a);
        vm.prank(address(court));
        uint128 second = settlement.releaseQuality(gateway, b);
        vm.assertEq(first, a < most ? a : most);
        vm.assertEq(second, b < most - first ? b : most - first);
        vm.assertEq(settlement.account(gateway).released, uint256(first) + second);
        vm.assertEq(settlement.releasableOf(gateway), most - first - second);
        vm.assertEq(token.balanceOf(address(court)), uint256(first) + second);
        _assertConserved();
    }

    /// @dev The node's base is covered by its line, whatever the court took of the funds.
    function test_a_release_takes_nothing_of_what_a_node_can_claim() public {
        (uint64 epoch,) = _draw(1_000e18);
        uint128 share = settlement.releasableOf(gateway);
        vm.prank(address(court));
        settlement.releaseQuality(gateway, share);
        _passWindow();
        LeafProof memory proof = book.proof(epoch, 0, 0);
        vm.assertEq(_claimOne(Kind.Node, proof), 800e18);
        _assertConserved();
    }

    function test_a_payer_that_paid_nothing_leaves_nothing_to_release() public {
        uint64 epoch = _anchorEpoch(100e18).epoch;
        vm.prank(address(court));
        vm.assertEq(settlement.releaseQuality(gateway, 20e18), 0);
        _collectOne(book.proof(epoch, 0, 0));
        vm.prank(address(court));
        vm.assertEq(settlement.releaseQuality(gateway, 20e18), 20e18);
    }
}
