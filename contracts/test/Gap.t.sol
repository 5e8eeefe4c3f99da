// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Receipts} from "../src/Receipts.sol";
import {Kind, Leaf, LeafProof, NO_PREVIOUS} from "../src/Types.sol";
import {ChallengeWorld} from "./ChallengeWorld.sol";
import {vm} from "./Vm.sol";

/// @notice A leaf passed over between a leaf and its `Previous`.
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
