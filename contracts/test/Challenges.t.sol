// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Absence, Challenges, SumTrail} from "../src/Challenges.sol";
import {Convictions} from "../src/Convictions.sol";
import {Evidence} from "../src/Evidence.sol";
import {Receipts} from "../src/Receipts.sol";
import {Role} from "../src/Registry.sol";
import {EpochRoot, Kind, LaneLeaf, LaneProof, Leaf, LeafProof, NO_PREVIOUS, Place, Seal, Step} from "../src/Types.sol";
import {Bill, Book} from "./Book.sol";
import {Trees} from "./Trees.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

abstract contract ChallengeWorld is World {
    using Trees for Step[];

    uint8 internal constant OMITTED = 1;
    uint8 internal constant DOUBLE = 2;
    uint8 internal constant BROKEN = 3;
    uint8 internal constant POT = 4;

    /// @dev Half of bond and of stake is slashed, a fifth of that rewarded.
    function _assertConvicted(uint64 epoch) internal view {
        uint256 slashed = (BOND + STAKE) / 2;
        vm.assertTrue(settlement.isVoid(gateway, epoch));
        vm.assertEq(settlement.bondOf(gateway), BOND / 2);
        vm.assertEq(registry.stakeOf(Role.Gateway, gateway), STAKE / 2);
        vm.assertEq(token.balanceOf(reporter), slashed / 5);
        vm.assertEq(token.totalSupply(), token.SUPPLY() - slashed * 4 / 5);
        _assertConserved();
    }

    function _expectConvicted(uint64 epoch, uint8 challenge) internal {
        uint128 slashed = (BOND + STAKE) / 2;
        vm.expectEmit();
        emit Convictions.Convicted(gateway, epoch, challenge, reporter, slashed, slashed / 5, slashed - slashed / 5);
        vm.prank(reporter);
    }

    function _expectNoEvidence() internal {
        vm.expectRevert(Evidence.NotEvidence.selector);
        vm.prank(reporter);
    }

    function _none() internal pure returns (LeafProof[] memory) {
        return new LeafProof[](0);
    }

    function _one(LeafProof memory proof) internal pure returns (LeafProof[] memory proofs) {
        proofs = new LeafProof[](1);
        proofs[0] = proof;
    }

    function _idle(LaneProof memory proof) internal pure returns (LaneProof[] memory proofs) {
        proofs = new LaneProof[](1);
        proofs[0] = proof;
    }

    function _noIdle() internal pure returns (LaneProof[] memory) {
        return new LaneProof[](0);
    }

    /// @dev What the book's tree holds at a place, as an accuser reads it out of the blob.
    function _absence(uint64 epoch, uint32 lane, uint64 sequence) internal view returns (Absence memory absence) {
        absence.lane = book.laneProof(epoch, lane);
        if (sequence >= book.countAt(epoch, lane)) return absence;
        absence.found = exposed.hash(book.leafAt(epoch, lane, sequence));
        absence.foundSum = book.leafAt(epoch, lane, sequence).shares.fee;
        absence.recordPath = book.recordLevel(epoch, lane).pathOf(sequence);
    }

    /// @dev Three lanes of a few leaves in epoch 0, the middle one idle, then one more epoch.
    function _honestBook() internal {
        for (uint128 i = 1; i < 6; ++i) {
            book.write(_listedBill(i % 2 == 0 ? node : otherNode, i * 1e18, i));
        }
        Bill memory bill = _bill(node, 9e18);
        bill.lane = 2;
        book.write(bill);
        book.write(bill);
        _closeAndAnchor();
        book.write(_bill(node, 1e18));
        book.write(bill);
        book.write(_listedBill(node, 2e18, 3));
        _closeAndAnchor();
    }
}

contract OmittedTest is ChallengeWorld {
    function test_a_receipt_altered_in_its_place_convicts() public {
        book.write(_bill(node, 1e18));
        Leaf memory signed = book.write(_bill(node, 100e18));
        book.write(_bill(node, 1e18));
        Leaf memory altered = book.leafAt(0, 0, 1);
        altered.shares.node -= 1;
        book.amend(altered);
        _closeAndAnchor();
        (Seal memory seal, Absence memory absence) = (book.seal(signed, 7), _absence(0, 0, 1));
        _expectConvicted(0, OMITTED);
        challenges.proveOmitted(signed, seal, absence);
        _assertConvicted(0);
    }

    function test_a_receipt_past_the_lanes_end_convicts() public {
        book.write(_bill(node, 1e18));
        Leaf memory signed = book.write(_bill(node, 100e18));
        book.drop(0);
        _closeAndAnchor();
        (Seal memory seal, Absence memory absence) = (book.seal(signed), _absence(0, 0, 1));
        _expectConvicted(0, OMITTED);
        challenges.proveOmitted(signed, seal, absence);
        _assertConvicted(0);
    }

    function test_a_root_without_the_lane_convicts() public {
        book.write(_bill(node, 1e18));
        Leaf memory signed = book.leafAt(0, 0, 0);
        signed.place.lane = 1;
        _closeAndAnchor();
        (Seal memory seal, Absence memory absence) = (book.seal(signed), _absence(0, 1, 0));
        _expectConvicted(0, OMITTED);
        challenges.proveOmitted(signed, seal, absence);
        _assertConvicted(0);
    }

    function test_a_lane_under_another_number_convicts() public {
        Leaf memory signed = book.write(_bill(node, 1e18));
        EpochRoot memory root = book.close();
        LaneLeaf memory lane = book.laneProof(0, 0).laneLeaf;
        lane.lane = 3;
        root.recordsRoot = Trees.leafOf(exposed.laneHash(lane), lane.fees).hash;
        book.commit(root);
        _anchor(root);
        Seal memory seal = book.seal(signed);
        Absence memory absence;
        absence.lane = LaneProof(root, 0, lane, new Step[](0));
        _expectConvicted(0, OMITTED);
        challenges.proveOmitted(signed, seal, absence);
        _assertConvicted(0);
    }

    function test_an_epoch_passed_over_convicts() public {
        Leaf memory signed = book.write(_bill(node, 1e18));
        book.moveTo(1);
        book.write(_bill(node, 1e18));
        _closeAndAnchor();
        Seal memory seal = book.seal(signed);
        Absence memory unread;
        _expectConvicted(0, OMITTED);
        challenges.proveOmitted(signed, seal, unread);
        _assertConvicted(0);
    }

    function test_an_epoch_still_to_come_does_not() public {
        book.write(_bill(node, 1e18));
        _closeAndAnchor();
        Leaf memory signed = book.write(_bill(node, 1e18));
        Seal memory seal = book.seal(signed);
        Absence memory unread;
        _expectNoEvidence();
        challenges.proveOmitted(signed, seal, unread);
    }

    function test_an_honest_gateway_stands_at_every_place() public {
        _honestBook();
        for (uint32 lane = 0; lane < 3; ++lane) {
            for (uint64 i = 0; i < book.countAt(0, lane); ++i) {
                Leaf memory leaf = book.leafAt(0, lane, i);
                (Seal memory seal, Absence memory absence) = (book.seal(leaf, 3), _absence(0, lane, i));
                _expectNoEvidence();
                challenges.proveOmitted(leaf, seal, absence);
            }
        }
    }

    function test_needs_the_gateways_seal() public {
        _honestBook();
        Leaf memory leaf = book.leafAt(0, 0, 0);
        leaf.shares.node += 1;
        Book stranger = new Book(0xBAD, address(token), settlement.domainSeparator(), exposed);
        (Seal memory seal, Absence memory absence) = (stranger.seal(leaf), _absence(0, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(Challenges.NotSealed.selector, gateway));
        challenges.proveOmitted(leaf, seal, absence);
    }

    function test_needs_the_lane_and_the_record_that_the_root_holds() public {
        _honestBook();
        Leaf memory leaf = book.leafAt(0, 0, 1);
        Seal memory seal = book.seal(leaf);
        Absence memory absence = _absence(0, 0, 1);
        absence.found = keccak256("made up");
        vm.expectRevert(Evidence.NotIncluded.selector);
        challenges.proveOmitted(leaf, seal, absence);
        absence = _absence(0, 0, 1);
        absence.lane.laneLeaf.count = 1;
        vm.expectRevert(Evidence.NotIncluded.selector);
        challenges.proveOmitted(leaf, seal, absence);
        absence = _absence(0, 1, 1);
        vm.expectRevert(Evidence.NotIncluded.selector);
        challenges.proveOmitted(leaf, seal, absence);
        absence = _absence(1, 0, 1);
        vm.expectRevert(Evidence.NotIncluded.selector);
        challenges.proveOmitted(leaf, seal, absence);
        absence = _absence(0, 0, 1);
        absence.lane.root.laneCount = 0;
        vm.expectRevert(abi.encodeWithSelector(Evidence.NotAnchored.selector, gateway, 0));
        challenges.proveOmitted(leaf, seal, absence);
    }

    function test_another_token_is_another_matter() public {
        _honestBook();
        Leaf memory leaf = book.leafAt(0, 0, 1);
        leaf.parties.token = address(1);
        (Seal memory seal, Absence memory absence) = (book.seal(leaf), _absence(0, 0, 1));
        vm.expectRevert(abi.encodeWithSelector(Challenges.WrongToken.selector, address(1)));
        challenges.proveOmitted(leaf, seal, absence);
    }
}

contract DoubleTest is ChallengeWorld {
    function test_two_receipts_for_one_place_convict() public {
        Leaf memory one = book.write(_bill(node, 1e18));
        Leaf memory other = book.leafAt(0, 0, 0);
        other.totals.node += 1;
        (Seal memory sealOfOne, Seal memory sealOfOther) = (book.seal(one), book.seal(other, 4));
        _expectConvicted(0, DOUBLE);
        challenges.proveDoublePlace(one, sealOfOne, other, sealOfOther);
        _assertConvicted(0);
    }

    function test_one_receipt_sealed_twice_does_not() public {
        Leaf memory one = book.write(_bill(node, 1e18));
        (Seal memory sealOfOne, Seal memory sealOfOther) = (book.seal(one), book.seal(one, 4));
        _expectNoEvidence();
        challenges.proveDoublePlace(one, sealOfOne, one, sealOfOther);
    }

    function testFuzz_receipts_of_different_places_do_not(uint64 epoch, uint32 lane, uint64 sequence) public {
        vm.assume(epoch != 0 || lane != 0 || sequence != 0);
        Leaf memory one = book.write(_bill(node, 1e18));
        Leaf memory other = book.leafAt(0, 0, 0);
        other.place = Place(epoch, lane, sequence);
        (Seal memory sealOfOne, Seal memory sealOfOther) = (book.seal(one), book.seal(other));
        _expectNoEvidence();
        challenges.proveDoublePlace(one, sealOfOne, other, sealOfOther);
    }

    function test_a_receipt_somebody_else_sealed_does_not() public {
        Leaf memory one = book.write(_bill(node, 1e18));
        Leaf memory other = book.leafAt(0, 0, 0);
        other.totals.node += 1;
        Book stranger = new Book(0xBAD, address(token), settlement.domainSeparator(), exposed);
        (Seal memory sealOfOne, Seal memory sealOfOther) = (book.seal(one), stranger.seal(other));
        vm.expectRevert(abi.encodeWithSelector(Challenges.NotSealed.selector, gateway));
        challenges.proveDoublePlace(one, sealOfOne, other, sealOfOther);
        other.parties.gateway = stranger.gateway();
        sealOfOther = stranger.seal(other);
        _expectNoEvidence();
        challenges.proveDoublePlace(one, sealOfOne, other, sealOfOther);
    }

    function _roots() private returns (EpochRoot memory one, EpochRoot memory other) {
        book.write(_bill(node, 1e18));
        one = book.close();
        other = book.rootAt(0);
        other.pot += 1;
    }

    function test_two_roots_for_one_epoch_convict_anchored_or_not() public {
        (EpochRoot memory one, EpochRoot memory other) = _roots();
        (bytes memory signatureOfOne, bytes memory signatureOfOther) = (book.signRoot(one), book.signRoot(other));
        _expectConvicted(0, DOUBLE);
        challenges.proveTwoRoots(one, signatureOfOne, other, signatureOfOther);
        _assertConvicted(0);
    }

    function test_one_root_is_one_root() public {
        (EpochRoot memory one,) = _roots();
        bytes memory signature = book.signRoot(one);
        _expectNoEvidence();
        challenges.proveTwoRoots(one, signature, one, signature);
    }

    function test_roots_of_two_epochs_do_not_convict() public {
        (EpochRoot memory one, EpochRoot memory other) = _roots();
        other.epoch = 1;
        (bytes memory signatureOfOne, bytes memory signatureOfOther) = (book.signRoot(one), book.signRoot(other));
        _expectNoEvidence();
        challenges.proveTwoRoots(one, signatureOfOne, other, signatureOfOther);
    }

    function test_a_root_the_gateway_did_not_sign_does_not_convict() public {
        (EpochRoot memory one, EpochRoot memory other) = _roots();
        bytes memory signature = book.signRoot(one);
        vm.expectRevert(abi.encodeWithSelector(Challenges.NotSealed.selector, gateway));
        challenges.proveTwoRoots(one, signature, other, signature);
        one.token = address(1);
        vm.expectRevert(abi.encodeWithSelector(Challenges.WrongToken.selector, address(1)));
        challenges.proveTwoRoots(one, signature, other, signature);
    }
}

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

contract GapTest is ChallengeWorld {
    function _skipped(uint128 previous) private {
        book.write(_listedBill(node, 7e18, 1));
        book.write(_listedBill(node, 8e18, 1));
        book.write(_listedBill(node, 9e18, 1));
        Leaf memory leaf = book.leafAt(0, 0, 2);
        (leaf.previous.node, leaf.previous.payer, leaf.previous.listing) = (previous, previous, previous);
        book.amend(leaf);
        _closeAndAnchor();
    }

    function testFuzz_a_leaf_skipped_convicts(uint8 which, bool hidden) public {
        Kind kind = [Kind.Node, Kind.Listing, Kind.Payer][which % 3];
        _skipped(hidden ? NO_PREVIOUS : 0);
        (LeafProof memory later, LeafProof memory between) = (book.proof(0, 0, 2), book.proof(0, 0, 1));
        _expectConvicted(0, BROKEN);
        challenges.proveGap(kind, later, between);
        _assertConvicted(0);
    }

    function test_a_leaf_skipped_in_an_earlier_epoch_convicts() public {
        book.write(_bill(node, 7e18));
        _closeAndAnchor();
        book.write(_bill(node, 8e18));
        Leaf memory leaf = book.leafAt(1, 0, 0);
        (leaf.previous.node, leaf.totals.node) = (NO_PREVIOUS, leaf.shares.node);
        book.amend(leaf);
        _closeAndAnchor();
        (LeafProof memory later, LeafProof memory between) = (book.proof(1, 0, 0), book.proof(0, 0, 0));
        _expectConvicted(1, BROKEN);
        challenges.proveGap(Kind.Node, later, between);
        _assertConvicted(1);
    }

    function test_no_pair_of_honest_leaves_shows_a_gap() public {
        _honestBook();
        for (uint64 i = 0; i < 5; ++i) {
            for (uint64 j = 0; j < 5; ++j) {
                _standsApart(book.proof(0, 0, i), book.proof(0, 0, j));
            }
            _standsApart(book.proof(0, 0, i), book.proof(0, 2, 0));
            _standsApart(book.proof(1, 0, 0), book.proof(0, 0, i));
        }
    }

    function _standsApart(LeafProof memory later, LeafProof memory between) private {
        Kind[2] memory kinds = [Kind.Node, Kind.Payer];
        for (uint256 i = 0; i < 2; ++i) {
            _expectNoEvidence();
            challenges.proveGap(kinds[i], later, between);
        }
    }

    function test_gateway_and_protocol_have_no_previous_to_skip_with() public {
        _honestBook();
        (LeafProof memory later, LeafProof memory between) = (book.proof(0, 0, 2), book.proof(0, 0, 1));
        vm.expectRevert(abi.encodeWithSelector(Receipts.NoSuchParty.selector, Kind.Gateway));
        challenges.proveGap(Kind.Gateway, later, between);
    }
}

contract WrongPotTest is ChallengeWorld {
    using Trees for Step[];

    /// @dev The trail of an honest tree, from the node at `level` and `index` of a lane.
    function _trail(uint64 epoch, uint32 lane, uint8 level, uint64 index) private view returns (SumTrail memory trail) {
        Step[] memory nodes = book.recordLevel(epoch, lane);
        LaneProof memory laneProof = book.laneProof(epoch, lane);
        trail.lane = lane;
        trail.count = uint64(nodes.length);
        (trail.index, trail.level) = (index, level);
        Step[] memory below;
        for (uint8 i = 0; i < level; ++i) {
            (below, nodes) = (nodes, nodes.parents());
        }
        trail.sum = nodes[index].sum;
        trail.recordPath = nodes.pathOf(index);
        (trail.laneFees, trail.laneSum) = (laneProof.laneLeaf.fees, laneProof.laneLeaf.fees);
        trail.lanePath = laneProof.lanePath;
        if (level == 0) {
            trail.left = exposed.hash(book.leafAt(epoch, lane, index));
            return trail;
        }
        (trail.left, trail.leftSum) = (below[2 * index].hash, below[2 * index].sum);
        (trail.right, trail.rightSum) = (below[2 * index + 1].hash, below[2 * index + 1].sum);
    }

    function _anchorLie(EpochRoot memory root) private {
        book.commit(root);
        _anchor(root);
    }

    function test_a_pot_above_the_sum_convicts() public {
        book.write(_bill(node, 7e18));
        book.write(_bill(node, 8e18));
        EpochRoot memory root = book.close();
        root.pot += 1;
        SumTrail memory trail = _trail(0, 0, 0, 1);
        _anchorLie(root);
        _expectConvicted(0, POT);
        challenges.proveWrongPot(root, trail);
        _assertConvicted(0);
    }

    function test_lane_fees_that_are_not_the_lanes_sum_convict() public {
        book.write(_bill(node, 7e18));
        book.write(_bill(node, 8e18));
        EpochRoot memory root = book.close();
        LaneLeaf memory lane = book.laneProof(0, 0).laneLeaf;
        lane.fees += 5;
        Step memory leaf = Trees.leafOf(exposed.laneHash(lane), lane.fees);
        (root.recordsRoot, root.pot) = (leaf.hash, leaf.sum);
        SumTrail memory trail = _trail(0, 0, 0, 0);
        (trail.laneFees, trail.laneSum) = (lane.fees, lane.fees);
        _anchorLie(root);
        _expectConvicted(0, POT);
        challenges.proveWrongPot(root, trail);
        _assertConvicted(0);
    }

    function test_a_lane_counted_with_another_sum_than_its_fees_convicts() public {
        book.write(_bill(node, 7e18));
        EpochRoot memory root = book.close();
        LaneLeaf memory lane = book.laneProof(0, 0).laneLeaf;
        Step memory leaf = Trees.leafOf(exposed.laneHash(lane), lane.fees + 5);
        (root.recordsRoot, root.pot) = (leaf.hash, leaf.sum);
        SumTrail memory trail = _trail(0, 0, 0, 0);
        trail.laneSum = lane.fees + 5;
        _anchorLie(root);
        _expectConvicted(0, POT);
        challenges.proveWrongPot(root, trail);
        _assertConvicted(0);
    }

    /// @dev Four leaves; the tree above counts the left pair with one unit more than it holds.
    function _brokenPair() private returns (EpochRoot memory root, SumTrail memory trail) {
        for (uint256 i = 0; i < 4; ++i) {
            book.write(_bill(node, 7e18));
        }
        root = book.close();
        Step[] memory pairs = book.recordLevel(0, 0).parents();
        trail = _trail(0, 0, 1, 0);
        pairs[0].sum += 1;
        trail.sum = pairs[0].sum;
        Step memory top = pairs.rootOf();
        LaneLeaf memory lane = LaneLeaf(0, 4, top.hash, top.sum);
        root.recordsRoot = Trees.leafOf(exposed.laneHash(lane), lane.fees).hash;
        (root.pot, trail.laneFees, trail.laneSum) = (lane.fees, lane.fees, lane.fees);
    }

    function test_a_pair_counted_with_another_sum_convicts() public {
        (EpochRoot memory root, SumTrail memory trail) = _brokenPair();
        _anchorLie(root);
        _expectConvicted(0, POT);
        challenges.proveWrongPot(root, trail);
        _assertConvicted(0);
    }

    function test_a_record_counted_with_another_amount_than_its_fee_convicts() public {
        Leaf memory signed = book.write(_bill(node, 7e18));
        EpochRoot memory root = book.close();
        uint128 counted = signed.shares.fee + 3;
        Step memory leaf = Trees.leafOf(exposed.hash(signed), counted);
        LaneLeaf memory lane = LaneLeaf(0, 1, leaf.hash, counted);
        root.recordsRoot = Trees.leafOf(exposed.laneHash(lane), counted).hash;
        root.pot = counted;
        SumTrail memory trail = _trail(0, 0, 0, 0);
        (trail.sum, trail.laneFees, trail.laneSum) = (counted, counted, counted);
        _anchorLie(root);
        _expectNoEvidence();
        challenges.proveWrongPot(root, trail);
        _expectConvicted(0, POT);
        challenges.proveWrongFee(root, signed, trail);
        _assertConvicted(0);
    }

    function test_an_honest_tree_adds_up_from_every_node() public {
        _honestBook();
        EpochRoot memory root = book.rootAt(0);
        for (uint8 level = 0; level < 4; ++level) {
            for (uint64 index = 0; index < (uint64(5) >> level); ++index) {
                SumTrail memory trail = _trail(0, 0, level, index);
                _expectNoEvidence();
                challenges.proveWrongPot(root, trail);
                if (level != 0) continue;
                Leaf memory leaf = book.leafAt(0, 0, index);
                _expectNoEvidence();
                challenges.proveWrongFee(root, leaf, trail);
            }
        }
        SumTrail memory second = _trail(0, 2, 1, 0);
        _expectNoEvidence();
        challenges.proveWrongPot(root, second);
    }

    /// @dev The top of a lane's tree has no parent that binds its sum: what the accuser says of it must not count.
    function testFuzz_an_accuser_cannot_make_a_sum_up(uint128 by, uint8 field) public {
        by = 1 + by % 1e18;
        book.write(_bill(node, 7e18));
        book.write(_bill(node, 8e18));
        EpochRoot memory root = _closeAndAnchor();
        SumTrail memory trail = _trail(0, 0, 1, 0);
        if (field % 6 == 0) trail.sum += by;
        if (field % 6 == 1) trail.leftSum += by;
        if (field % 6 == 2) trail.rightSum += by;
        if (field % 6 == 3) trail.laneFees += by;
        if (field % 6 == 4) trail.laneSum += by;
        if (field % 6 == 5) trail.count += 1;
        vm.expectRevert();
        challenges.proveWrongPot(root, trail);
        vm.assertFalse(settlement.isVoid(gateway, 0));
    }

    function test_a_wrong_fee_needs_the_record_itself() public {
        book.write(_bill(node, 7e18));
        EpochRoot memory root = _closeAndAnchor();
        Leaf memory leaf = book.leafAt(0, 0, 0);
        leaf.shares.fee += 1;
        SumTrail memory trail = _trail(0, 0, 0, 0);
        _expectNoEvidence();
        challenges.proveWrongFee(root, leaf, trail);
    }
}
