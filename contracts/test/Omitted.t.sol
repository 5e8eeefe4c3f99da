// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Absence, Challenges} from "../src/Challenges.sol";
import {Evidence} from "../src/Evidence.sol";
import {EpochRoot, LaneLeaf, LaneProof, Leaf, Seal, Step} from "../src/Types.sol";
import {Book} from "./Book.sol";
import {ChallengeWorld} from "./ChallengeWorld.sol";
import {Trees} from "./Trees.sol";
import {vm} from "./Vm.sol";

/// @notice What was signed and is not in the root, or elsewhere in it.
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
