// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Campaign} from "./Campaign.sol";
import {CourtActions} from "./CourtActions.sol";
import {vm} from "./Vm.sol";

/// @notice What no order of events before the court can break.
contract CourtInvariantsTest is Campaign {
    uint256 private constant EVALUATORS = 5;
    uint256 private constant STAKE = 1_000e18;

    CourtActions private _actions;

    function setUp() public {
        _actions = new CourtActions();
        _actions.setUp();
        _aimAt(address(_actions));
        _act(CourtActions.draw.selector, 4);
        _act(CourtActions.hear.selector, 4);
        _act(CourtActions.post.selector, 3);
        _act(CourtActions.claim.selector, 3);
        _act(CourtActions.wait.selector, 2);
        _act(CourtActions.serve.selector, 1);
        _act(CourtActions.collect.selector, 1);
        _act(CourtActions.claimFees.selector, 1);
        _act(CourtActions.fixSeed.selector, 1);
        _act(CourtActions.commit.selector, 2);
        _act(CourtActions.reveal.selector, 1);
        _act(CourtActions.penalize.selector, 2);
        _act(CourtActions.pull.selector, 1);
        _act(CourtActions.fund.selector, 1);
        _act(CourtActions.sweep.selector, 1);
        _act(CourtActions.stall.selector, 1);
        _act(CourtActions.dispute.selector, 2);
        _act(CourtActions.settle.selector, 2);
    }

    /// @notice Windows, once each, copies, quorum, order, the final root: the court answered as the rules say.
    function invariant_every_call_is_answered_by_the_rules() external view {
        vm.assertEq(_actions.broken(), "");
    }

    /// @notice Whatever was promised is held, or owed by Settlement, or evaluators' and within the caps of the roots.
    function invariant_the_court_is_solvent() external view {
        (uint256 balance, uint256 held, uint256 owed, uint256 paid,,) = _actions.heldByCourt();
        vm.assertLe(held, balance, "releases are here");
        vm.assertEq(held + _actions.paidFromReleases(), _actions.pulled(), "what was released is here or was paid");
        vm.assertEq(paid, _actions.paidFromReleases() + _actions.paidFromPool());
        vm.assertLe(_actions.promisedBeyond(), _actions.posts() * 1e18, "pool use within the cap");
        uint256 promised = _actions.lastTotal() - paid + _actions.paidFromPool() + _actions.releasedBeyond();
        promised += _actions.carriedOver();
        vm.assertEq(promised, held + owed + _actions.promisedBeyond(), "every promise has its cover");
    }

    function invariant_pay_outs_stay_within_what_was_promised() external view {
        (,,, uint256 paid,,) = _actions.heldByCourt();
        vm.assertLe(paid, _actions.lastTotal());
    }

    function invariant_releases_never_exceed_the_share_of_the_pots() external view {
        (,, uint256 owed,, uint256 released, uint256 cap) = _actions.heldByCourt();
        vm.assertLe(released + owed, cap);
        _actions.conserved();
    }

    /// @notice Stake is lost by withholding alone, and never by who opens what it committed to.
    function invariant_an_honest_evaluator_is_never_slashed() external view {
        vm.assertEq(_actions.honestStake(), STAKE);
        vm.assertEq(_actions.stakes() + _actions.penalties(), EVALUATORS * STAKE);
    }
}
