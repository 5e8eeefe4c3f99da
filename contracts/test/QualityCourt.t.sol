// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Judging} from "../src/Judging.sol";
import {PayoutKind, Payouts, Release} from "../src/Payouts.sol";
import {EvaluatorSignature, QualityCourt, QualityRoot} from "../src/QualityCourt.sol";
import {Rounds} from "../src/Rounds.sol";
import {MAX_RELEASES} from "../src/Types.sol";
import {Courtroom, Row} from "./Courtroom.sol";
import {vm} from "./Vm.sol";

contract QualityCourtTest is Courtroom {
    uint64 private _round;

    /// @dev 100 DGAI for the node, of which 20 wait; three evaluators have judged.
    function setUp() public override {
        super.setUp();
        (, _round) = _draw(100e18);
        _hear(_round, 4, 3);
        _warpToPost(_round);
    }

    function _simple() private view returns (QualityRoot memory root, Release[] memory releases) {
        releases = _release(20e18);
        root = _root(_round, _row(PayoutKind.Node, node, 20e18), releases);
    }

    function _refused(QualityRoot memory root, Release[] memory releases, bytes memory reason) private {
        EvaluatorSignature[] memory signatures = _signatures(root, 2);
        vm.expectRevert(reason);
        court.post(root, releases, signatures);
    }

    function _refusedWith(EvaluatorSignature[] memory signatures, bytes memory reason) private {
        (QualityRoot memory root, Release[] memory releases) = _simple();
        vm.expectRevert(reason);
        court.post(root, releases, signatures);
    }

    function test_a_root_signed_by_most_of_those_who_judged_is_taken() public {
        (QualityRoot memory root, Release[] memory releases) = _simple();
        bytes32 digest = _hashOf(root);
        EvaluatorSignature[] memory signatures = _signatures(root, 2);
        vm.expectEmit();
        emit QualityCourt.QualityPosted(_round, digest, judge, root, signatures);
        vm.expectEmit();
        emit Payouts.Pulled(gateway, 20e18, 0);
        vm.prank(judge);
        court.post(root, releases, signatures);
        (uint64 round, bytes32 last) = court.lastRound();
        vm.assertEq(round, _round);
        vm.assertEq(last, digest);
        vm.assertEq(court.releasesHeld(gateway), 20e18);
        vm.assertEq(token.balanceOf(address(court)), 20e18);
        vm.assertEq(settlement.account(gateway).released, 20e18);
        _assertConserved();
    }

    /// @dev Neither fewer nor more: a root that all had signed would leave nobody to judge it.
    function testFuzz_just_over_half_of_the_openings_are_a_quorum(uint256 opened, uint256 signed) public {
        opened = 1 + opened % EVALUATORS;
        signed = signed % (opened + 1);
        vm.warp(block.timestamp + EPOCH);
        (, uint64 round) = _draw(1e18);
        _hear(round, EVALUATORS, opened);
        _warpToPost(round);
        QualityRoot memory root = _root(round, new Row[](0), new Release[](0));
        EvaluatorSignature[] memory signatures = _signatures(root, signed);
        uint256 quorum = opened / 2 + 1;
        if (signed != quorum) {
            vm.expectRevert(abi.encodeWithSelector(QualityCourt.NotTheQuorum.selector, signed, quorum));
        }
        court.post(root, new Release[](0), signatures);
        for (uint256 i = 0; i < opened; ++i) {
            vm.assertTrue(court.hasSigned(_evaluator(i), round) == (signed == quorum && i < signed));
            vm.assertTrue(court.hasRevealed(_evaluator(i), round));
        }
    }

    /// @dev What a signature leaves of a commitment is no commitment that somebody withheld.
    function test_who_signed_owes_no_penalty() public {
        (QualityRoot memory root, Release[] memory releases) = _simple();
        _post(root, releases, 2);
        vm.assertEq(uint256(court.commitmentOf(_evaluator(0), _round)), 3);
        vm.expectRevert(abi.encodeWithSelector(Rounds.NothingWithheld.selector, _evaluator(0), _round));
        court.penalize(_evaluator(0), _round);
    }

    /// @dev So a root never costs more than a transaction holds; the rest waits for the next.
    function test_refuses_releases_of_more_gateways_than_a_transaction_holds() public {
        Release[] memory releases = new Release[](MAX_RELEASES + 1);
        QualityRoot memory root = _root(_round, new Row[](0), releases);
        bytes memory reason = abi.encodeWithSelector(Payouts.TooManyReleases.selector, MAX_RELEASES + 1, MAX_RELEASES);
        _refused(root, releases, reason);
        releases = new Release[](MAX_RELEASES);
        _post(_root(_round, new Row[](0), releases), releases, 2);
    }

    function test_a_round_that_nobody_judged_has_no_root_and_a_later_one_covers_it() public {
        QualityRoot memory root = _root(_round + 1, new Row[](0), new Release[](0));
        _warpToPost(_round + 1);
        EvaluatorSignature[] memory none = new EvaluatorSignature[](0);
        vm.expectRevert(abi.encodeWithSelector(QualityCourt.NotTheQuorum.selector, 0, 1));
        court.post(root, new Release[](0), none);
        (, uint64 later) = _draw(1e18);
        vm.assertGt(later, _round + 1);
        _hear(later, 3, 3);
        _warpToPost(later);
        _post(_root(later, new Row[](0), new Release[](0)), new Release[](0), 2);
    }

    function test_refuses_a_signer_that_did_not_open_or_is_none() public {
        (QualityRoot memory root,) = _simple();
        EvaluatorSignature[] memory signatures = _signatures(root, 2);
        signatures[1] = _signature(3, root);
        _refusedWith(signatures, abi.encodeWithSelector(QualityCourt.NotRevealed.selector, _evaluator(3), _round));
        signatures[1] = _signature(4, root);
        _refusedWith(signatures, abi.encodeWithSelector(QualityCourt.NotRevealed.selector, _evaluator(4), _round));
    }

    function test_refuses_a_signature_twice_or_out_of_order() public {
        (QualityRoot memory root,) = _simple();
        EvaluatorSignature[] memory signatures = _signatures(root, 2);
        (signatures[0], signatures[1]) = (signatures[1], signatures[0]);
        bytes memory reason = abi.encodeWithSelector(QualityCourt.EvaluatorsNotAscending.selector, _evaluator(0));
        _refusedWith(signatures, reason);
        signatures[0] = signatures[1];
        _refusedWith(signatures, reason);
    }

    function test_refuses_another_roots_signature_and_anothers_hand() public {
        (QualityRoot memory root,) = _simple();
        EvaluatorSignature[] memory signatures = _signatures(root, 2);
        root.credibilityRoot = keccak256("another");
        bytes memory reason = abi.encodeWithSelector(QualityCourt.WrongRootSignature.selector, _evaluator(0));
        EvaluatorSignature[] memory others = _signatures(root, 2);
        _refusedWith(others, reason);
        signatures[0].signature = signatures[1].signature;
        _refusedWith(signatures, reason);
        signatures[0].signature = hex"00";
        _refusedWith(signatures, reason);
    }

    function test_refuses_a_root_before_all_was_opened() public {
        (QualityRoot memory root, Release[] memory releases) = _simple();
        (,,, uint256 postFrom) = court.windowsOf(_round);
        vm.warp(postFrom - 1);
        _refused(root, releases, abi.encodeWithSelector(Judging.TooEarly.selector, postFrom));
    }

    function test_rounds_only_go_forward_and_each_root_names_the_one_before() public {
        (QualityRoot memory root, Release[] memory releases) = _simple();
        _post(root, releases, 2);
        bytes32 last = _hashOf(root);
        _passChallenge();
        _refused(root, releases, abi.encodeWithSelector(QualityCourt.RoundNotNew.selector, _round, _round + 1));
        (, uint64 round) = _draw(1e18);
        _hear(round, 3, 3);
        _warpToPost(round);
        root = _root(round, _row(PayoutKind.Node, node, 20e18), new Release[](0));
        root.previous = bytes32(0);
        bytes memory reason = abi.encodeWithSelector(QualityCourt.WrongPrevious.selector, bytes32(0), last);
        _refused(root, new Release[](0), reason);
        root.previous = last;
        _post(root, new Release[](0), 2);
    }

    function test_the_first_root_names_none() public {
        (QualityRoot memory root, Release[] memory releases) = _simple();
        root.previous = keccak256("one that was not");
        bytes memory reason = abi.encodeWithSelector(QualityCourt.WrongPrevious.selector, root.previous, bytes32(0));
        _refused(root, releases, reason);
    }

    function test_refuses_another_token_and_other_releases_than_were_signed() public {
        (QualityRoot memory root, Release[] memory releases) = _simple();
        root.token = address(1);
        _refused(root, releases, abi.encodeWithSelector(QualityCourt.WrongRootToken.selector, address(1)));
        (root,) = _simple();
        releases[0].amount += 1;
        bytes32 found = keccak256(abi.encode(releases));
        _refused(root, releases, abi.encodeWithSelector(QualityCourt.WrongReleases.selector, found));
    }

    /// @dev Below the last total a payee could be owed less than it claimed; above what was released and the cap, more
    /// than there is.
    function testFuzz_pay_outs_grow_within_what_is_released_and_the_cap(uint128 total, uint128 released) public {
        released %= 21e18;
        uint128 most = released + POOL_CAP;
        total %= most + 10e18;
        Release[] memory releases = _release(released);
        QualityRoot memory root = _root(_round, _row(PayoutKind.Node, node, total), releases);
        EvaluatorSignature[] memory signatures = _signatures(root, 2);
        if (total > most) {
            vm.expectRevert(abi.encodeWithSelector(QualityCourt.PayoutsOutOfRange.selector, total, 0, most));
        }
        court.post(root, releases, signatures);
    }

    function test_pay_outs_never_fall() public {
        (QualityRoot memory root, Release[] memory releases) = _simple();
        _post(root, releases, 2);
        (, uint64 round) = _draw(1e18);
        _hear(round, 3, 3);
        _warpToPost(round);
        root = _root(round, _row(PayoutKind.Node, node, 20e18 - 1), new Release[](0));
        bytes memory reason =
            abi.encodeWithSelector(QualityCourt.PayoutsOutOfRange.selector, 20e18 - 1, 20e18, 20e18 + POOL_CAP);
        _refused(root, new Release[](0), reason);
    }

    /// @dev What Settlement will never pay does not count, so no quorum can promise the pool away with it.
    function test_releases_above_the_pots_share_count_only_up_to_it() public {
        uint128 room = settlement.releasableOf(gateway);
        vm.assertEq(room, (uint256(settlement.account(gateway).pots) * 2_000 + 9_999) / 10_000);
        Release[] memory releases = new Release[](3);
        releases[0] = Release(gateway, type(uint128).max);
        releases[1] = Release(gateway, 1e18);
        releases[2] = Release(address(0xDEAD), type(uint128).max);
        QualityRoot memory root = _root(_round, _row(PayoutKind.Node, node, room + POOL_CAP + 1), releases);
        bytes memory reason =
            abi.encodeWithSelector(QualityCourt.PayoutsOutOfRange.selector, room + POOL_CAP + 1, 0, room + POOL_CAP);
        _refused(root, releases, reason);
        _post(_root(_round, _row(PayoutKind.Node, node, room), releases), releases, 2);
        vm.assertEq(settlement.account(gateway).released, room);
        vm.assertEq(settlement.releasableOf(gateway), 0);
        vm.assertEq(court.owed(gateway), 0);
        vm.assertEq(court.owedTotal(), 0);
    }
}
