// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Cases} from "../src/Cases.sol";
import {Docket, Outcome, Stage, Subject} from "../src/Docket.sol";
import {PayoutKind, Payouts, Posted, Release} from "../src/Payouts.sol";
import {EvaluatorSignature, QualityCourt, QualityRoot} from "../src/QualityCourt.sol";
import {Role} from "../src/Types.sol";
import {Seat} from "../src/Juries.sol";
import {Row} from "./Courtroom.sol";
import {Courthouse} from "./Courthouse.sol";
import {vm} from "./Vm.sol";

/// @notice A root that most who judged have signed, and that is wrong all the same.
contract DisputesTest is Courthouse {
    uint64 private _round;
    QualityRoot private _wrong;

    /// @dev 100 DGAI for the node, of which 20 wait; the posted root gives them all to a stranger.
    function setUp() public override {
        super.setUp();
        (, _round) = _draw(100e18);
        _hear(_round, 4, 3);
        _warpToPost(_round);
        _wrong = _root(_round, _row(PayoutKind.Payer, reporter, 20e18), _release(20e18));
        _post(_wrong, _release(20e18), 2);
    }

    function _dispute() private returns (bytes32) {
        vm.prank(opener);
        return cases.open(Subject.QualityRoot, address(0), bytes32(uint256(_round)), BLOB, _noRefunds());
    }

    function _overturned() private returns (bytes32 id) {
        id = _dispute();
        _decided(id, 7, 7);
    }

    function _refused(QualityRoot memory root, bytes memory reason) private {
        vm.expectRevert(reason);
        court.post(root, new Release[](0), _signatures(root, 0));
    }

    function _slash(bytes32 id, uint256 i) private {
        cases.slashSigner(id, _evaluator(i), _signature(i, _wrong).signature);
    }

    function test_a_disputed_root_pays_nobody_until_the_jury_has_answered() public {
        vm.expectEmit();
        emit QualityCourt.Disputed(_round, _hashOf(_wrong));
        bytes32 id = _dispute();
        vm.assertEq(_case(id).disputed, _hashOf(_wrong));
        vm.warp(block.timestamp + 1000);
        vm.expectRevert(Payouts.NoFinalRoot.selector);
        court.claim(_claims(_row(PayoutKind.Payer, reporter, 20e18)));
    }

    function test_no_root_is_posted_upon_one_that_is_not_final() public {
        QualityRoot memory next = _root(_round + 1, new Row[](0), new Release[](0));
        (,,, uint256 postFrom) = court.windowsOf(_round + 1);
        uint256 finalAt = block.timestamp + 15;
        vm.warp(postFrom > finalAt ? finalAt - 1 : postFrom);
        if (block.timestamp >= postFrom) {
            _refused(next, abi.encodeWithSelector(QualityCourt.RootNotFinal.selector, _round, finalAt));
        }
        vm.warp(finalAt - 1);
        _dispute();
        vm.warp(postFrom + 1000);
        _refused(next, abi.encodeWithSelector(QualityCourt.RootDisputed.selector, _round));
    }

    function test_a_late_root_is_not_buried_under_the_next() public {
        vm.warp(block.timestamp + 5 * EPOCH);
        (, uint64 round) = _draw(1e18);
        _hear(round, 3, 3);
        _warpToPost(round);
        _post(_root(round, _row(PayoutKind.Payer, reporter, 20e18), new Release[](0)), new Release[](0), 2);
        uint256 finalAt = block.timestamp + 15;
        QualityRoot memory next = _root(round + 1, _row(PayoutKind.Payer, reporter, 20e18), new Release[](0));
        vm.warp(finalAt - 1);
        (,,, uint256 postFrom) = court.windowsOf(round + 1);
        vm.assertGt(postFrom, finalAt - 1); // a timely root is final before the next can come
        next.round = round; // whatever it says, time is asked first
        next.previous = bytes32(0);
        _refused(next, abi.encodeWithSelector(QualityCourt.RootNotFinal.selector, round, finalAt));
    }

    function test_an_overturned_root_never_counts_and_its_round_is_open_again() public {
        bytes32 id = _dispute();
        _try(id, Stage.First, 7, 7);
        _passAppeal();
        vm.expectEmit();
        emit QualityCourt.DisputeSettled(_round, _hashOf(_wrong), true);
        cases.execute(id);
        (uint64 round, bytes32 digest) = court.lastRound();
        vm.assertEq(round, 0);
        vm.assertEq(digest, bytes32(0));
        vm.assertFalse(court.disputed());
        vm.expectRevert(Payouts.NoFinalRoot.selector);
        court.claim(_claims(_row(PayoutKind.Payer, reporter, 20e18)));
        Row[] memory rows = _row(PayoutKind.Node, node, 20e18);
        _post(_root(_round, rows, _release(20e18)), _release(20e18), 2);
        _passChallenge();
        court.claim(_claims(rows));
        vm.assertEq(token.balanceOf(node), 20e18);
        vm.assertEq(token.balanceOf(reporter), 0);
    }

    /// @dev The wrong root took twenty; the true one uses these, and nothing is left to take.
    function test_what_a_wrong_root_took_is_not_taken_again() public {
        vm.assertEq(settlement.account(gateway).released, 20e18);
        _overturned();
        vm.assertEq(court.carried(gateway), 20e18);
        vm.assertEq(court.carriedTotal(), 20e18);
        _post(_root(_round, _row(PayoutKind.Node, node, 15e18), _release(15e18)), _release(15e18), 2);
        vm.assertEq(settlement.account(gateway).released, 20e18);
        vm.assertEq(court.carried(gateway), 5e18);
        vm.assertEq(court.releasesHeld(gateway), 20e18);
        _passChallenge();
        (, uint64 round) = _draw(50e18);
        _hear(round, 3, 3);
        _warpToPost(round);
        _post(_root(round, _row(PayoutKind.Node, node, 27e18), _release(12e18)), _release(12e18), 2);
        vm.assertEq(court.carried(gateway), 0);
        vm.assertEq(settlement.account(gateway).released, 27e18);
    }

    function test_carried_releases_can_be_promised_once() public {
        _overturned();
        uint128 room = settlement.releasableOf(gateway);
        QualityRoot memory root =
            _root(_round, _row(PayoutKind.Node, node, 20e18 + room + POOL_CAP + 1), _release(1e24));
        bytes memory reason = abi.encodeWithSelector(
            QualityCourt.PayoutsOutOfRange.selector, 20e18 + room + POOL_CAP + 1, 0, 20e18 + room + POOL_CAP
        );
        EvaluatorSignature[] memory signatures = _signatures(root, 2);
        vm.expectRevert(reason);
        court.post(root, _release(1e24), signatures);
    }

    /// @dev Carried money is nobody's promise, and the pool's reserve is not counted against it.
    function test_the_timelock_cannot_sweep_what_evaluators_earned_against_what_was_carried() public {
        _fund(address(court), 3e18);
        _overturned();
        vm.assertEq(court.sweepable(), 3e18);
        _post(_root(_round, _row(PayoutKind.Evaluator, _evaluator(0), 1e18), _release(0)), _release(0), 2);
        vm.assertEq(court.sweepable(), 2e18);
    }

    /// @dev A root may promise a node some of the pool; what that node takes of a later root's release, the pool owes.
    function test_the_pool_makes_good_what_was_claimed_of_an_overturned_roots_release() public {
        _passChallenge();
        _fund(address(court), 3e18);
        Row[] memory rows = new Row[](2);
        rows[0] = Row(PayoutKind.Payer, gateway, reporter, 20e18);
        rows[1] = Row(PayoutKind.Node, gateway, node, 5e17);
        _judged(100e18, rows, 0);
        _passChallenge();
        _round = _judged(100e18, rows, 20e18);
        court.claim(_claims(rows));
        _overturned();
        vm.assertEq(court.carriedTotal(), 20e18);
        vm.assertEq(court.releasesHeld(gateway), 19.5e18);
        vm.assertEq(court.sweepable(), 2.5e18);
    }

    function test_a_root_that_the_jury_upholds_pays_as_it_would_have() public {
        bytes32 id = _dispute();
        _decided(id, 7, 0);
        vm.assertFalse(court.disputed());
        court.claim(_claims(_row(PayoutKind.Payer, reporter, 20e18)));
        vm.assertEq(token.balanceOf(reporter), 20e18);
    }

    /// @dev A dispute without a jury delays a root, and by no more than a case for which nobody sits.
    function test_a_dismissed_dispute_neither_harms_a_root_nor_can_be_repeated() public {
        bytes32 id = _dispute();
        _seed(id);
        vm.warp(block.timestamp + 15);
        cases.execute(id);
        _assertOutcome(id, Outcome.Dismissed);
        vm.expectPartialRevert(QualityCourt.RootFinal.selector);
        _dispute();
        court.claim(_claims(_row(PayoutKind.Payer, reporter, 20e18)));
    }

    function test_a_final_root_cannot_be_disputed() public {
        _passChallenge();
        vm.expectRevert(abi.encodeWithSelector(QualityCourt.RootFinal.selector, _round, block.timestamp));
        _dispute();
        _assertHeld(0);
    }

    function test_a_dispute_names_the_last_round() public {
        bytes memory reason = abi.encodeWithSelector(QualityCourt.NotTheLastRound.selector, _round + 1, _round);
        vm.expectRevert(reason);
        vm.prank(opener);
        cases.open(Subject.QualityRoot, address(0), bytes32(uint256(_round + 1)), BLOB, _noRefunds());
    }

    /// @dev A word above 64 bits, or a name, would else make another matter of the same round.
    function test_a_round_is_disputed_under_one_name() public {
        bytes32 matter = bytes32(uint256(_round));
        vm.expectRevert(abi.encodeWithSelector(Docket.NotARound.selector, address(1), matter));
        cases.open(Subject.QualityRoot, address(1), matter, BLOB, _noRefunds());
        matter = bytes32(uint256(_round) | 1 << 64);
        vm.expectRevert(abi.encodeWithSelector(Docket.NotARound.selector, address(0), matter));
        cases.open(Subject.QualityRoot, address(0), matter, BLOB, _noRefunds());
    }

    /// @dev A second case about it has to wait for the first, whoever pays.
    function test_a_root_is_disputed_once_at_a_time() public {
        bytes32 id = _dispute();
        vm.expectRevert(abi.encodeWithSelector(Docket.CaseStanding.selector, id));
        _dispute();
        vm.expectRevert(abi.encodeWithSelector(QualityCourt.RootDisputed.selector, _round));
        vm.prank(address(cases));
        court.dispute(_round);
    }

    function test_only_the_jurys_contract_disputes_and_settles() public {
        vm.expectRevert(abi.encodeWithSelector(QualityCourt.OnlyCases.selector, timelock));
        vm.prank(timelock);
        court.dispute(_round);
        vm.expectRevert(abi.encodeWithSelector(QualityCourt.OnlyCases.selector, timelock));
        vm.prank(timelock);
        court.settleDispute(_round, true);
        vm.expectRevert(abi.encodeWithSelector(QualityCourt.NotDisputed.selector, _round));
        vm.prank(address(cases));
        court.settleDispute(_round, true);
    }

    function test_claims_by_the_root_before_go_on_while_the_last_is_disputed() public {
        _passChallenge();
        court.claim(_claims(_row(PayoutKind.Payer, reporter, 20e18)));
        (, uint64 round) = _draw(50e18);
        _hear(round, 3, 3);
        _warpToPost(round);
        Row[] memory rows = _row(PayoutKind.Payer, reporter, 25e18);
        _post(_root(round, rows, _release(5e18)), _release(5e18), 2);
        vm.prank(opener);
        bytes32 id = cases.open(Subject.QualityRoot, address(0), bytes32(uint256(round)), BLOB, _noRefunds());
        vm.warp(block.timestamp + 100);
        vm.assertEq(court.current().digest, _hashOf(_wrong));
        _decided(id, 7, 7);
        Posted memory current = court.current();
        vm.assertEq(current.digest, _hashOf(_wrong));
        court.claim(_claims(_row(PayoutKind.Payer, reporter, 20e18)));
        vm.assertEq(token.balanceOf(reporter), 20e18);
    }

    // Who judges it.

    function test_who_signed_a_root_has_no_seat_that_another_takes() public {
        bytes32 id = _dispute();
        _seed(id);
        _enrolAll(id);
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertFalse(court.hasSigned(_juror(id, Stage.First, i), _round));
        }
        _hearVotes(id, Stage.First, 7, 0);
        _appeal(id);
        _seed(id);
        _enrolAll(id);
        vm.assertEq(_jury(id, Stage.Appeal).seats.length, 5);
        for (uint256 i = 0; i < 5; ++i) {
            vm.assertFalse(court.hasSigned(_juror(id, Stage.Appeal, i), _round));
        }
    }

    /// @dev Else whoever keeps others away could delay a root for nothing: a case that nobody hears costs no bond.
    function test_signers_fill_the_seats_that_nobody_else_takes() public {
        bytes32 id = _dispute();
        _seed(id);
        address[3] memory takers = [_evaluator(0), _evaluator(1), _evaluator(2)]; // two that signed, one that did not
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertTrue(_enrol(id, takers[i]));
        }
        _hearVotes(id, Stage.First, 7, 0);
        _passAppeal();
        cases.execute(id);
        _assertOutcome(id, Outcome.Acquitted);
    }

    /// @dev Whatever the order: a signer keeps a seat only if it is one of those for whom nobody else came.
    function testFuzz_a_signer_yields_to_whoever_did_not_sign(uint256 order, uint256 coming) public {
        bytes32 id = _dispute();
        _seed(id);
        uint256 others;
        uint256 all;
        for (uint256 i = 0; i < JURORS; ++i) {
            uint256 other = i + (order >> (8 * i)) % (JURORS - i);
            (jurors[i], jurors[other]) = (jurors[other], jurors[i]);
            if (coming >> i & 1 == 0) continue;
            _enrol(id, jurors[i]);
            ++all;
            if (!court.hasSigned(jurors[i], _round)) ++others;
        }
        Seat[] memory seats = _jury(id, Stage.First).seats;
        vm.assertEq(seats.length, all < 3 ? all : 3);
        uint256 signers;
        for (uint256 i = 0; i < seats.length; ++i) {
            bool behind = seats[i].rank >= 1 << 95;
            vm.assertTrue(behind == court.hasSigned(seats[i].evaluator, _round));
            if (behind) ++signers;
        }
        vm.assertEq(signers, others < seats.length ? seats.length - others : 0);
    }

    /// @dev Who signed a root is nobody's business in a case about a node.
    function test_a_signer_judges_other_matters_as_everybody() public {
        bytes32 id = _accuse();
        _seed(id);
        _enrol(id, _evaluator(0));
        vm.assertTrue(_jury(id, Stage.First).seats[0].rank < 1 << 95);
    }

    // Who signed it.

    function test_signers_of_an_overturned_root_are_slashed_each_once() public {
        bytes32 id = _overturned();
        (uint128 taken, uint256 before) = (STAKE / 2, token.balanceOf(opener));
        vm.expectEmit();
        emit Cases.SignerSlashed(id, _evaluator(0), taken, taken / 5, taken - taken / 5 - CASE_BOND + 1);
        _slash(id, 0);
        vm.assertEq(_stakeOf(_evaluator(0)), STAKE - taken);
        vm.assertEq(token.balanceOf(opener), before + taken / 5);
        vm.assertEq(token.balanceOf(_juror(id, Stage.First, 0)), CASE_BOND / 3);
        bytes memory signature = _signature(0, _wrong).signature;
        vm.expectRevert(abi.encodeWithSelector(Cases.AlreadySlashed.selector, id, _evaluator(0)));
        cases.slashSigner(id, _evaluator(0), signature);
        _slash(id, 1);
        vm.assertEq(token.balanceOf(opener), before + 2 * (taken / 5));
        vm.assertEq(token.balanceOf(_juror(id, Stage.First, 0)), CASE_BOND / 3); // paid once
        _assertHeld(0);
    }

    function test_a_signer_that_unbonds_meanwhile_is_reached() public {
        vm.prank(_evaluator(0));
        registry.unbond(Role.Evaluator, STAKE);
        bytes32 id = _overturned();
        _slash(id, 0);
        vm.assertEq(registry.slashableOf(Role.Evaluator, _evaluator(0)), STAKE / 2);
    }

    /// @dev Evaluators sign again when more is known; only the very root that was posted and overturned is held against
    /// them.
    function test_another_root_of_the_round_proves_nothing() public {
        bytes32 id = _overturned();
        QualityRoot memory other = _wrong;
        other.credibilityRoot = keccak256("as it was computed");
        bytes memory signature = _signature(0, other).signature;
        vm.expectRevert(abi.encodeWithSelector(Cases.WrongRootSignature.selector, _evaluator(0)));
        cases.slashSigner(id, _evaluator(0), signature);
        signature = _signature(1, _wrong).signature;
        vm.expectRevert(abi.encodeWithSelector(Cases.WrongRootSignature.selector, _evaluator(0)));
        cases.slashSigner(id, _evaluator(0), signature);
    }

    function test_nobody_is_slashed_for_a_root_that_was_upheld_or_is_open() public {
        bytes32 id = _dispute();
        bytes memory signature = _signature(0, _wrong).signature;
        vm.expectRevert(abi.encodeWithSelector(Cases.NotConvicted.selector, id));
        cases.slashSigner(id, _evaluator(0), signature);
        _decided(id, 7, 0);
        vm.expectRevert(abi.encodeWithSelector(Cases.NotConvicted.selector, id));
        cases.slashSigner(id, _evaluator(0), signature);
    }

    function test_a_verdict_about_a_node_reaches_no_signer() public {
        bytes32 id = _accuse();
        _decided(id, 7, 7);
        bytes memory signature = _signature(0, _wrong).signature;
        vm.expectRevert(abi.encodeWithSelector(Cases.NotConvicted.selector, id));
        cases.slashSigner(id, _evaluator(0), signature);
    }
}
