// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Challenges} from "../src/Challenges.sol";
import {EpochRoot, Leaf, Place, Seal} from "../src/Types.sol";
import {Book} from "./Book.sol";
import {ChallengeWorld} from "./ChallengeWorld.sol";
import {vm} from "./Vm.sol";

/// @notice Two receipts for one place, two roots for one epoch.
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
