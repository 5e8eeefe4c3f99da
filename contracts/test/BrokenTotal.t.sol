// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Evidence} from "../src/Evidence.sol";
import {Receipts} from "../src/Receipts.sol";
import {Kind, LaneProof, Leaf, LeafProof, NO_PREVIOUS} from "../src/Types.sol";
import {Bill} from "./Book.sol";
import {ChallengeWorld} from "./ChallengeWorld.sol";
import {vm} from "./Vm.sol";

/// @notice Totals that do not continue those before.
contract BrokenTotalTest is ChallengeWorld {
    function _convicts(Kind kind, LeafProof memory later, LeafProof[] memory earlier, LaneProof[] memory idle) private {
        _expectConvicted(later.root.epoch, BROKEN);
        challenges.proveBrokenTotal(kind, later, earlier, idle);
        _assertConvicted(later.root.epoch);
    }

    function _stands(Kind kind, LeafProof memory later, LeafProof[] memory earlier, LaneProof[] memory idle) private {
        _expectNoEvidence();
        challenges.proveBrokenTotal(kind, later, earlier, idle);
    }

    function _amended(uint64 epoch, uint32 lane, uint64 sequence, Kind kind) private view returns (Leaf memory leaf) {
        leaf = book.leafAt(epoch, lane, sequence);
        if (kind == Kind.Node) leaf.totals.node += 1;
        if (kind == Kind.Listing) leaf.totals.listing += 1;
        if (kind == Kind.Gateway) leaf.totals.gateway += 1;
        if (kind == Kind.Protocol) leaf.totals.protocol += 1;
        if (kind == Kind.Payer) leaf.totals.payer += 1;
    }

    function testFuzz_a_total_off_by_one_convicts_whoevers_it_is(uint8 kind_) public {
        Kind kind = Kind(kind_ % 5);
        book.write(_listedBill(node, 7e18, 1e18));
        book.write(_listedBill(node, 8e18, 1e18));
        book.amend(_amended(0, 0, 1, kind));
        _closeAndAnchor();
        _convicts(kind, book.proof(0, 0, 1), _one(book.proof(0, 0, 0)), _noIdle());
    }

    function testFuzz_a_first_total_above_its_share_convicts(uint8 kind_) public {
        Kind kind = Kind(kind_ % 5);
        book.write(_listedBill(node, 7e18, 1e18));
        book.amend(_amended(0, 0, 0, kind));
        _closeAndAnchor();
        _convicts(kind, book.proof(0, 0, 0), _none(), _noIdle());
    }

    function test_a_total_broken_across_epochs_convicts() public {
        book.write(_bill(node, 7e18));
        _closeAndAnchor();
        book.moveTo(3);
        book.write(_bill(node, 7e18));
        book.amend(_amended(3, 0, 0, Kind.Node));
        _closeAndAnchor();
        _convicts(Kind.Node, book.proof(3, 0, 0), _one(book.proof(0, 0, 0)), _noIdle());
    }

    function test_a_gateways_total_broken_between_epochs_convicts() public {
        book.write(_bill(node, 7e18));
        book.write(_bill(node, 7e18));
        _closeAndAnchor();
        book.write(_bill(node, 7e18));
        book.amend(_amended(1, 0, 0, Kind.Gateway));
        _closeAndAnchor();
        LeafProof memory later = book.proof(1, 0, 0);
        _stands(Kind.Gateway, later, _one(book.proof(0, 0, 0)), _noIdle());
        _convicts(Kind.Gateway, later, _one(book.proof(0, 0, 1)), _noIdle());
    }

    function test_a_gateways_total_broken_over_an_idle_epoch_convicts() public {
        Bill memory second = _bill(node, 5e18);
        second.lane = 1;
        book.write(_bill(node, 1e18));
        book.write(second);
        _closeAndAnchor();
        book.write(_bill(node, 1e18));
        _closeAndAnchor();
        book.write(second);
        book.amend(_amended(2, 1, 0, Kind.Gateway));
        _closeAndAnchor();
        LeafProof memory later = book.proof(2, 1, 0);
        _stands(Kind.Gateway, later, _one(book.proof(0, 1, 0)), _noIdle());
        _convicts(Kind.Gateway, later, _one(book.proof(0, 1, 0)), _idle(book.laneProof(1, 1)));
    }

    function test_a_new_lane_that_begins_with_a_total_convicts() public {
        book.write(_bill(node, 1e18));
        _closeAndAnchor();
        Bill memory second = _bill(node, 5e18);
        second.lane = 1;
        book.write(second);
        book.amend(_amended(1, 1, 0, Kind.Gateway));
        _closeAndAnchor();
        _convicts(Kind.Gateway, book.proof(1, 1, 0), _none(), _idle(book.laneProof(0, 1)));
    }

    function test_an_idle_lane_must_have_been_idle() public {
        book.write(_bill(node, 1e18));
        _closeAndAnchor();
        book.write(_bill(node, 1e18));
        _closeAndAnchor();
        _stands(Kind.Gateway, book.proof(1, 0, 0), _none(), _idle(book.laneProof(0, 0)));
        _stands(Kind.Gateway, book.proof(1, 0, 0), _none(), _noIdle());
    }

    function test_a_previous_of_another_party_convicts() public {
        book.write(_bill(otherNode, 7e18));
        book.write(_bill(node, 8e18));
        Leaf memory leaf = book.leafAt(0, 0, 1);
        leaf.previous.node = 0;
        book.amend(leaf);
        _closeAndAnchor();
        _convicts(Kind.Node, book.proof(0, 0, 1), _one(book.proof(0, 0, 0)), _noIdle());
    }

    function test_a_previous_that_lies_ahead_convicts() public {
        book.write(_bill(node, 7e18));
        Leaf memory leaf = book.leafAt(0, 0, 0);
        leaf.previous.node = 0;
        book.amend(leaf);
        _closeAndAnchor();
        _convicts(Kind.Node, book.proof(0, 0, 0), _none(), _noIdle());
    }

    function test_honest_totals_stand_for_every_party_and_place() public {
        _honestBook();
        for (uint8 kind = 0; kind < 5; ++kind) {
            for (uint64 epoch = 0; epoch < 2; ++epoch) {
                for (uint32 lane = 0; lane < 3; ++lane) {
                    _standsInLane(Kind(kind), epoch, lane);
                }
            }
        }
    }

    function _standsInLane(Kind kind, uint64 epoch, uint32 lane) private {
        for (uint64 i = 0; i < book.countAt(epoch, lane); ++i) {
            LeafProof memory later = book.proof(epoch, lane, i);
            if (kind == Kind.Listing && later.leaf.parties.listingId == 0) continue;
            uint128 previous = later.leaf.previous.payer;
            if (kind == Kind.Node) previous = later.leaf.previous.node;
            if (kind == Kind.Listing) previous = later.leaf.previous.listing;
            LeafProof[] memory earlier =
                previous == NO_PREVIOUS ? _none() : _one(book.proof(uint64(previous >> 64), lane, uint64(previous)));
            _stands(kind, later, earlier, _noIdle());
        }
    }

    function test_the_leaf_before_must_be_the_one_that_previous_names() public {
        book.write(_bill(node, 7e18));
        book.write(_bill(node, 8e18));
        book.write(_bill(node, 9e18));
        _closeAndAnchor();
        _stands(Kind.Node, book.proof(0, 0, 2), _one(book.proof(0, 0, 0)), _noIdle());
        _stands(Kind.Node, book.proof(0, 0, 2), _none(), _noIdle());
        _stands(Kind.Gateway, book.proof(0, 0, 2), _one(book.proof(0, 0, 0)), _noIdle());
        _stands(Kind.Gateway, book.proof(0, 0, 2), _none(), _noIdle());
    }

    function test_another_lanes_leaf_is_no_evidence() public {
        _honestBook();
        _stands(Kind.Node, book.proof(0, 2, 1), _one(book.proof(0, 0, 0)), _noIdle());
        _stands(Kind.Gateway, book.proof(0, 2, 1), _one(book.proof(0, 0, 0)), _noIdle());
    }

    function test_a_receipt_without_a_listing_has_no_listings_total() public {
        book.write(_bill(node, 7e18));
        Leaf memory leaf = book.leafAt(0, 0, 0);
        (leaf.previous.listing, leaf.totals.listing) = (5, 5);
        book.amend(leaf);
        _closeAndAnchor();
        (LeafProof memory later, LaneProof memory lane) = (book.proof(0, 0, 0), book.laneProof(0, 0));
        vm.expectRevert(abi.encodeWithSelector(Receipts.NoSuchParty.selector, Kind.Listing));
        challenges.proveBrokenTotal(Kind.Listing, later, _none(), _noIdle());
        vm.expectRevert(abi.encodeWithSelector(Receipts.NoSuchParty.selector, Kind.Listing));
        challenges.proveMissingPrevious(Kind.Listing, later, lane);
    }

    function test_a_leaf_must_be_in_its_root() public {
        book.write(_bill(node, 7e18));
        _closeAndAnchor();
        LeafProof memory later = book.proof(0, 0, 0);
        later.leaf.totals.node += 1;
        vm.expectRevert(Evidence.NotIncluded.selector);
        challenges.proveBrokenTotal(Kind.Node, later, _none(), _noIdle());
    }

    function test_a_previous_past_the_lanes_end_convicts() public {
        book.write(_bill(otherNode, 7e18));
        _closeAndAnchor();
        book.write(_bill(node, 7e18));
        Leaf memory leaf = book.leafAt(1, 0, 0);
        (leaf.previous.node, leaf.totals.node) = (1, 1_000e18);
        book.amend(leaf);
        _closeAndAnchor();
        (LeafProof memory later, LaneProof memory lane) = (book.proof(1, 0, 0), book.laneProof(0, 0));
        _expectConvicted(1, BROKEN);
        challenges.proveMissingPrevious(Kind.Node, later, lane);
        _assertConvicted(1);
    }

    function test_a_previous_in_an_epoch_passed_over_convicts() public {
        book.moveTo(2);
        book.write(_bill(node, 7e18));
        Leaf memory leaf = book.leafAt(2, 0, 0);
        (leaf.previous.node, leaf.totals.node) = (1 << 64, 1_000e18);
        book.amend(leaf);
        _closeAndAnchor();
        LeafProof memory later = book.proof(2, 0, 0);
        LaneProof memory unread;
        _expectConvicted(2, BROKEN);
        challenges.proveMissingPrevious(Kind.Node, later, unread);
        _assertConvicted(2);
    }

    function test_a_previous_that_is_there_stands() public {
        _honestBook();
        for (uint64 i = 0; i < book.countAt(0, 0); ++i) {
            (LeafProof memory later, LaneProof memory lane) = (book.proof(0, 0, i), book.laneProof(0, 0));
            _expectNoEvidence();
            challenges.proveMissingPrevious(Kind.Payer, later, lane);
            _expectNoEvidence();
            challenges.proveMissingPrevious(Kind.Node, later, lane);
        }
        (LeafProof memory first, LaneProof memory other) = (book.proof(1, 0, 0), book.laneProof(0, 1));
        vm.expectRevert(Evidence.NotIncluded.selector);
        challenges.proveMissingPrevious(Kind.Payer, first, other);
        vm.expectRevert(abi.encodeWithSelector(Receipts.NoSuchParty.selector, Kind.Gateway));
        challenges.proveMissingPrevious(Kind.Gateway, first, other);
    }
}
