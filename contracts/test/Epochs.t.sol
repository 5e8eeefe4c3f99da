// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Anchor, Epochs} from "../src/Epochs.sol";
import {Parameter} from "../src/Parameter.sol";
import {Role} from "../src/Registry.sol";
import {Rules} from "../src/Rules.sol";
import {Settlement} from "../src/Settlement.sol";
import {EpochRoot, StoredSignature} from "../src/Types.sol";
import {Book} from "./Book.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

contract EpochsTest is World {
    EpochRoot private _root;

    function setUp() public override {
        super.setUp();
        book.write(_bill(node, 100e18));
        _root = book.close();
        _warpToEnd(0);
    }

    function _refused(bytes memory reason, EpochRoot memory root) private {
        (bytes memory signature, StoredSignature[] memory stored) = (book.signRoot(root), _stored(root.blobId, 2));
        vm.expectRevert(reason);
        settlement.anchor(root, signature, stored);
    }

    function test_anchoring_keeps_the_digest_and_tells_the_fields() public {
        bytes32 digest = exposed.hash(_root);
        (bytes memory signature, StoredSignature[] memory stored) = (book.signRoot(_root), _stored(_root.blobId, 2));
        vm.expectEmit();
        emit Epochs.Anchored(gateway, 0, digest, _root, signature, stored);
        vm.prank(address(0xABC));
        settlement.anchor(_root, signature, stored);
        vm.assertEq(settlement.digestOf(gateway, 0), digest);
        Anchor memory kept = settlement.anchorOf(gateway, 0);
        vm.assertEq(kept.digest, digest);
        vm.assertEq(kept.anchoredAt, block.timestamp);
        vm.assertEq(kept.anchoredBlock, block.number);
        vm.assertEq(settlement.account(gateway).pots, _root.pot);
        vm.assertEq(settlement.account(gateway).nextEpoch, 1);
        vm.assertEq(kept.finalAt, block.timestamp + 15);
        vm.assertEq(kept.finalBlock, block.number + 2);
    }

    function test_what_an_anchor_was_given_to_wait_no_later_vote_moves() public {
        _anchor(_root);
        uint64 finalAt = settlement.anchorOf(gateway, 0).finalAt;
        _decide(Parameter.ChallengeSeconds, 20);
        vm.warp(parameters.genesis() + 5 * EPOCH);
        vm.assertEq(settlement.anchorOf(gateway, 0).finalAt, finalAt);
        book.moveTo(4);
        book.write(_bill(node, 1e18));
        _closeAndAnchor();
        vm.assertEq(settlement.anchorOf(gateway, 4).finalAt, block.timestamp + 20);
    }

    function test_an_epoch_ends_where_the_next_begins() public view {
        vm.assertEq(settlement.endOf(0), GENESIS + 20);
        vm.assertEq(settlement.endOf(1), GENESIS + 40);
    }

    function test_a_late_root_is_welcome() public {
        vm.warp(block.timestamp + 1 days);
        _anchor(_root);
    }

    function test_refuses_another_token_and_no_lanes() public {
        EpochRoot memory root = _root;
        root.token = address(1);
        _refused(abi.encodeWithSelector(Epochs.WrongRootToken.selector, address(1)), root);
        root = _root;
        root.laneCount = 0;
        _refused(abi.encodeWithSelector(Epochs.EmptyRoot.selector), root);
    }

    function test_refuses_an_epoch_that_is_not_over() public {
        vm.warp(settlement.endOf(0) - 1);
        _refused(abi.encodeWithSelector(Epochs.EpochNotOver.selector, 0, GENESIS + 20), _root);
    }

    function test_epochs_only_go_forward() public {
        _anchor(_root);
        _refused(abi.encodeWithSelector(Epochs.EpochNotNew.selector, 0, 1), _root);
    }

    function test_a_root_names_the_one_before() public {
        _anchor(_root);
        bytes32 digest = exposed.hash(_root);
        book.moveTo(4);
        book.write(_bill(node, 1e18));
        EpochRoot memory root = book.close();
        _warpToEnd(4);
        root.previous = bytes32(uint256(1));
        _refused(abi.encodeWithSelector(Epochs.WrongPrevious.selector, root.previous, digest), root);
        root.previous = digest;
        _anchor(root);
    }

    function test_the_first_root_names_none() public {
        EpochRoot memory root = _root;
        root.previous = bytes32(uint256(1));
        _refused(abi.encodeWithSelector(Epochs.WrongPrevious.selector, root.previous, bytes32(0)), root);
    }

    function test_a_convicted_gateway_anchors_no_more() public {
        vm.prank(address(challenges));
        settlement.convict(gateway, 5, 1, reporter);
        _refused(abi.encodeWithSelector(Epochs.GatewayConvicted.selector, gateway), _root);
        _bond(gateway, 10 * BOND);
        _refused(abi.encodeWithSelector(Epochs.GatewayConvicted.selector, gateway), _root);
    }

    function test_bond_on_its_way_out_does_not_stand_behind_a_root() public {
        vm.prank(gateway);
        settlement.requestBondWithdrawal(BOND - 2 * LINE);
        _anchor(_root);
        vm.prank(gateway);
        settlement.setLine(node, 0);
        vm.prank(gateway);
        settlement.setLine(otherNode, 0);
        vm.warp(block.timestamp + 300);
        settlement.applyLine(gateway, node);
        settlement.applyLine(gateway, otherNode);
        vm.prank(gateway);
        settlement.requestBondWithdrawal(BOND - 999e18);
        book.moveTo(3);
        book.write(_bill(node, 1e18));
        EpochRoot memory root = book.close();
        _refused(abi.encodeWithSelector(Epochs.BondTooLow.selector, 999e18, 1_000e18), root);
        vm.prank(gateway);
        settlement.requestBondWithdrawal(0);
        _anchor(root);
    }

    function test_only_the_gateways_key_makes_its_root() public {
        StoredSignature[] memory stored = _stored(_root.blobId, 2);
        Book stranger = new Book(0xBAD, address(token), settlement.domainSeparator(), exposed);
        bytes memory forged = stranger.signRoot(_root);
        bytes memory otherDomain = new Book(GATEWAY_KEY, address(token), keccak256("x"), exposed).signRoot(_root);
        vm.expectRevert(abi.encodeWithSelector(Epochs.WrongRootSignature.selector, gateway));
        settlement.anchor(_root, forged, stored);
        vm.expectRevert(abi.encodeWithSelector(Epochs.WrongRootSignature.selector, gateway));
        settlement.anchor(_root, otherDomain, stored);
    }

    function test_needs_a_quorum_of_archives() public {
        bytes memory signature = book.signRoot(_root);
        StoredSignature[] memory stored = _stored(_root.blobId, 1);
        vm.expectRevert(abi.encodeWithSelector(Epochs.QuorumNotReached.selector, 1, 2));
        settlement.anchor(_root, signature, stored);
        stored = _stored(_root.blobId, 3);
        settlement.anchor(_root, signature, stored);
    }

    function test_an_archive_counts_once() public {
        bytes memory signature = book.signRoot(_root);
        StoredSignature[] memory stored = _stored(_root.blobId, 2);
        stored[1] = stored[0];
        vm.expectRevert(abi.encodeWithSelector(Epochs.ArchivesNotAscending.selector, stored[0].archive));
        settlement.anchor(_root, signature, stored);
    }

    function test_an_archive_must_be_registered() public {
        bytes memory signature = book.signRoot(_root);
        StoredSignature[] memory stored = _stored(_root.blobId, 2);
        vm.prank(stored[1].archive);
        registry.unbond(Role.Archive, 1);
        vm.expectRevert(abi.encodeWithSelector(Epochs.ArchiveNotActive.selector, stored[1].archive));
        settlement.anchor(_root, signature, stored);
    }

    function test_an_archive_signs_for_the_blob_it_holds() public {
        bytes memory signature = book.signRoot(_root);
        StoredSignature[] memory stored = _stored(keccak256("another blob"), 2);
        vm.expectRevert(abi.encodeWithSelector(Epochs.WrongStoredSignature.selector, stored[0].archive));
        settlement.anchor(_root, signature, stored);
    }

    function test_nothing_is_claimable_where_no_root_is() public view {
        vm.assertEq(settlement.anchorOf(gateway, 9).finalAt, 0);
        vm.assertFalse(settlement.isVoid(gateway, 9));
    }

    function test_settlement_lives_only_where_it_was_predicted() public {
        vm.expectRevert(
            abi.encodeWithSelector(Settlement.WrongPrediction.selector, address(settlement), address(settlement))
        );
        new Settlement(registry, escrow, listings, address(challenges), 8_000);
    }

    function test_refuses_a_base_share_above_the_whole() public {
        vm.expectRevert(abi.encodeWithSelector(Rules.ShareAboveWhole.selector, 10_001));
        new Settlement(registry, escrow, listings, address(challenges), 10_001);
    }
}
