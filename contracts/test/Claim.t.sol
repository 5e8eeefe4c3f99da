// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ChannelEscrow} from "../src/ChannelEscrow.sol";
import {Epochs} from "../src/Epochs.sol";
import {Receipts} from "../src/Receipts.sol";
import {Claim, Collection, Settlement} from "../src/Settlement.sol";
import {Kind, LeafProof} from "../src/Types.sol";
import {Bill} from "./Book.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @notice What payees get of an anchored epoch.
contract ClaimTest is World {
    function setUp() public override {
        super.setUp();
        book.write(_listedBill(node, 100e18, 6e18 + 1));
        book.write(_listedBill(otherNode, 50e18, 3e18));
        _closeAndAnchor();
    }

    function _first() private view returns (LeafProof memory) {
        return book.proof(0, 0, 0);
    }

    function _last() private view returns (LeafProof memory) {
        return book.proof(0, 0, 1);
    }

    function _collectAndWait() private {
        _collectOne(_last());
        _passWindow();
    }

    function _refused(bytes memory reason, Kind kind, LeafProof memory proof) private {
        vm.expectRevert(reason);
        settlement.claimOne(Claim(kind, proof));
    }

    function test_everyone_gets_exactly_their_share() public {
        _collectAndWait();
        vm.assertEq(_claimOne(Kind.Node, _first()), 100e18);
        vm.assertEq(_claimOne(Kind.Node, _last()), 50e18);
        vm.assertEq(_claimOne(Kind.Listing, _last()), 9e18 + 1);
        vm.assertEq(_claimOne(Kind.Gateway, _last()), 15e18);
        vm.assertEq(_claimOne(Kind.Protocol, _last()), 3e18);
        vm.assertEq(token.balanceOf(node), 100e18);
        vm.assertEq(token.balanceOf(otherNode), 50e18);
        vm.assertEq(token.balanceOf(creator), 6.3e18);
        vm.assertEq(token.balanceOf(coauthor), 2.7e18 + 1);
        vm.assertEq(token.balanceOf(gateway), 15e18);
        vm.assertEq(token.balanceOf(address(court)), 3e18);
        vm.assertEq(settlement.fundsOf(gateway), 0);
        vm.assertEq(settlement.bondOf(gateway), BOND);
        _assertConserved();
    }

    function test_the_latest_leaf_claims_what_earlier_ones_left() public {
        _collectAndWait();
        _claimOne(Kind.Node, _first());
        book.write(_bill(node, 11e18));
        book.write(_bill(node, 22e18));
        book.moveTo(2);
        book.write(_bill(node, 33e18));
        _closeAndAnchor();
        _passWindow();
        LeafProof memory proof = book.proof(2, 0, 0);
        vm.assertEq(proof.leaf.totals.node, 166e18);
        vm.expectEmit();
        emit Settlement.Claimed(gateway, node, 0, 0, 66e18, 166e18);
        vm.assertEq(_claimOne(Kind.Node, proof), 66e18);
        bytes32 key = bytes32(uint256(uint160(node)));
        vm.assertEq(settlement.claimedOf(gateway, 0, 0, key), 166e18);
    }

    function test_nothing_is_claimed_twice() public {
        _collectAndWait();
        _claimOne(Kind.Node, _first());
        bytes32 key = bytes32(uint256(uint160(node)));
        _refused(
            abi.encodeWithSelector(Settlement.NothingToClaim.selector, gateway, Kind.Node, key), Kind.Node, _first()
        );
    }

    function test_claims_wait_for_seconds_and_for_blocks() public {
        _collectOne(_last());
        (uint64 timestamp, uint64 blockNumber) =
            (settlement.anchorOf(gateway, 0).finalAt, settlement.anchorOf(gateway, 0).finalBlock);
        bytes memory refusal = abi.encodeWithSelector(Epochs.ChallengeOpen.selector, timestamp, blockNumber);
        vm.warp(timestamp);
        _refused(refusal, Kind.Node, _first());
        vm.roll(blockNumber);
        vm.warp(timestamp - 1);
        _refused(refusal, Kind.Node, _first());
        vm.warp(timestamp);
        _claimOne(Kind.Node, _first());
    }

    function test_refuses_a_payers_total_and_a_listing_that_is_not_there() public {
        _collectAndWait();
        _refused(abi.encodeWithSelector(Settlement.NotClaimable.selector, Kind.Payer), Kind.Payer, _first());
        book.moveTo(2);
        book.write(_bill(node, 1e18));
        _closeAndAnchor();
        _passWindow();
        LeafProof memory unlisted = book.proof(2, 0, 0);
        _refused(abi.encodeWithSelector(Receipts.NoSuchParty.selector, Kind.Listing), Kind.Listing, unlisted);
    }

    function test_a_void_root_pays_nobody() public {
        _collectAndWait();
        vm.prank(address(challenges));
        settlement.convict(gateway, 0, 1, reporter);
        _refused(abi.encodeWithSelector(Epochs.RootVoid.selector, gateway, 0), Kind.Node, _first());
    }

    function test_one_bad_row_never_blocks_the_others() public {
        _collectAndWait();
        Claim[] memory rows = new Claim[](4);
        rows[0] = Claim(Kind.Payer, _first());
        rows[1] = Claim(Kind.Node, _first());
        rows[2] = Claim(Kind.Node, _first());
        rows[3] = Claim(Kind.Listing, _last());
        vm.expectEmit();
        emit Settlement.RowRefused(0, abi.encodeWithSelector(Settlement.NotClaimable.selector, Kind.Payer));
        settlement.claim(rows);
        vm.assertEq(token.balanceOf(node), 100e18);
        vm.assertEq(token.balanceOf(creator), 6.3e18);
    }

    function test_a_listing_is_paid_by_the_version_of_its_receipts() public {
        address[] memory payees = new address[](1);
        uint16[] memory bps = new uint16[](1);
        (payees[0], bps[0]) = (address(0xFACE), 10_000);
        vm.prank(creator);
        listings.revise(listingId, 1, 1, payees, bps);
        _collectAndWait();
        _claimOne(Kind.Listing, _last());
        vm.assertEq(token.balanceOf(address(0xFACE)), 0);
        book.moveTo(2);
        Bill memory bill = _listedBill(node, 1e18, 2e18);
        bill.version = 2;
        book.write(bill);
        _closeAndAnchor();
        _passWindow();
        vm.assertEq(_claimOne(Kind.Listing, book.proof(2, 0, 0)), 2e18);
        vm.assertEq(token.balanceOf(address(0xFACE)), 2e18);
    }

    function test_a_payer_who_leaves_before_collection_costs_the_bond_and_not_the_nodes() public {
        vm.prank(payer);
        escrow.requestWithdraw(config, DEPOSIT);
        vm.warp(block.timestamp + DELAY);
        escrow.finalizeWithdraw(config);
        vm.assertEq(token.balanceOf(payer), DEPOSIT);
        Collection memory row = _collection(_last());
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.NothingToDraw.selector, channelId));
        settlement.collectOne(row);
        vm.roll(block.number + 2);
        vm.assertEq(_claimOne(Kind.Node, _first()), 100e18);
        vm.assertEq(_claimOne(Kind.Node, _last()), 50e18);
        vm.assertEq(_claimOne(Kind.Listing, _last()), 9e18 + 1);
        vm.assertEq(settlement.bondOf(gateway), BOND - 159e18 - 1);
        vm.assertEq(settlement.lineOf(gateway, node), LINE - 100e18);
        vm.assertEq(settlement.bond(gateway).lines, 2 * LINE - 150e18);
        bytes32 key = bytes32(uint256(uint160(gateway)));
        _refused(
            abi.encodeWithSelector(Settlement.NothingToClaim.selector, gateway, Kind.Gateway, key),
            Kind.Gateway,
            _last()
        );
        _refused(
            abi.encodeWithSelector(Settlement.NothingToClaim.selector, gateway, Kind.Protocol, bytes32(0)),
            Kind.Protocol,
            _last()
        );
        _assertConserved();
    }

    function test_gateway_and_protocol_wait_for_what_is_not_collected() public {
        Collection memory row = _collection(_last());
        uint128 missing = 10e18;
        row.maxClaimableAmount = _last().root.pot - missing;
        row.signature = _voucher(PAYER_KEY, channelId, row.maxClaimableAmount);
        settlement.collectOne(row);
        _passWindow();
        vm.assertEq(_claimOne(Kind.Gateway, _last()), 15e18 - missing);
        bytes memory refusal =
            abi.encodeWithSelector(Settlement.NothingToClaim.selector, gateway, Kind.Protocol, bytes32(0));
        _refused(refusal, Kind.Protocol, _last());
        _claimOne(Kind.Node, _first());
        _claimOne(Kind.Node, _last());
        _claimOne(Kind.Listing, _last());
        vm.assertEq(settlement.bondOf(gateway), BOND);
        _collectOne(_last());
        vm.assertEq(_claimOne(Kind.Gateway, _last()), missing);
        vm.assertEq(_claimOne(Kind.Protocol, _last()), 3e18);
        vm.assertEq(settlement.fundsOf(gateway), 0);
    }

    function test_a_node_is_made_whole_only_up_to_its_line() public {
        book.moveTo(2);
        book.write(_bill(otherNode, LINE));
        _closeAndAnchor();
        _passWindow();
        vm.assertEq(_claimOne(Kind.Node, book.proof(2, 0, 0)), LINE);
        vm.assertEq(settlement.lineOf(gateway, otherNode), 0);
        vm.assertEq(settlement.lineOf(gateway, node), LINE);
        vm.assertEq(_claimOne(Kind.Node, _first()), 100e18);
        vm.assertEq(settlement.bondOf(gateway), BOND - LINE - 100e18);
        _collectOne(_last());
        vm.assertEq(_claimOne(Kind.Node, book.proof(2, 0, 0)), 50e18);
        _assertConserved();
    }

    function test_a_creator_is_made_whole_from_what_no_line_reserves() public {
        _line(node, BOND - LINE - 4e18);
        _passWindow();
        vm.assertEq(_claimOne(Kind.Listing, _last()), 4e18);
        vm.assertEq(settlement.bondOf(gateway), settlement.bond(gateway).lines);
        _collectOne(_last());
        vm.assertEq(_claimOne(Kind.Listing, _last()), 5e18 + 1);
    }

    function test_after_a_slash_all_lines_are_worth_the_same_fraction() public {
        _line(node, BOND - LINE);
        book.moveTo(1);
        book.write(_bill(node, BOND));
        book.write(_bill(otherNode, BOND));
        _closeAndAnchor();
        _passWindow();
        vm.prank(address(challenges));
        settlement.convict(gateway, 3, 1, reporter);
        vm.assertEq(settlement.bondOf(gateway), BOND / 2);
        vm.assertEq(_claimOne(Kind.Node, book.proof(1, 0, 1)), LINE / 2);
        vm.assertEq(_claimOne(Kind.Node, book.proof(1, 0, 0)), (BOND - LINE) / 2);
        vm.assertEq(settlement.bondOf(gateway), 0);
        vm.assertEq(settlement.bond(gateway).lines, 0);
        _assertConserved();
    }
}

contract BaseShareTest is World {
    function _baseShareBps() internal pure override returns (uint16) {
        return 8_000;
    }

    function test_a_node_claims_the_base_share_of_its_lifetime_total() public {
        book.write(_bill(node, 101));
        book.write(_bill(node, 101));
        _closeAndAnchor();
        _collectOne(book.proof(0, 0, 1));
        _passWindow();
        vm.assertEq(_claimOne(Kind.Node, book.proof(0, 0, 0)), 80);
        vm.assertEq(_claimOne(Kind.Node, book.proof(0, 0, 1)), 81);
        vm.assertEq(settlement.fundsOf(gateway), book.rootAt(0).pot - 161);
    }
}
