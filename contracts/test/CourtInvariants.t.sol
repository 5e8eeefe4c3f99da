// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CourtActions} from "./CourtActions.sol";
import {FuzzSelector} from "./Invariants.t.sol";
import {vm} from "./Vm.sol";

/// @notice What no order of events before the court can break.
contract CourtInvariantsTest {
    uint256 private constant EVALUATORS = 5;
    uint256 private constant STAKE = 1_000e18;

    CourtActions private _actions;

    function setUp() public {
        _actions = new CourtActions();
        _actions.setUp();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_actions);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](33);
        selectors[0] = CourtActions.draw.selector;
        selectors[1] = CourtActions.draw.selector;
        selectors[2] = CourtActions.draw.selector;
        selectors[3] = CourtActions.draw.selector;
        selectors[4] = CourtActions.hear.selector;
        selectors[5] = CourtActions.hear.selector;
        selectors[6] = CourtActions.hear.selector;
        selectors[7] = CourtActions.hear.selector;
        selectors[8] = CourtActions.post.selector;
        selectors[9] = CourtActions.post.selector;
        selectors[10] = CourtActions.post.selector;
        selectors[11] = CourtActions.claim.selector;
        selectors[12] = CourtActions.claim.selector;
        selectors[13] = CourtActions.claim.selector;
        selectors[14] = CourtActions.wait.selector;
        selectors[15] = CourtActions.wait.selector;
        selectors[16] = CourtActions.serve.selector;
        selectors[17] = CourtActions.collect.selector;
        selectors[18] = CourtActions.claimFees.selector;
        selectors[19] = CourtActions.fixSeed.selector;
        selectors[20] = CourtActions.commit.selector;
        selectors[21] = CourtActions.commit.selector;
        selectors[22] = CourtActions.reveal.selector;
        selectors[23] = CourtActions.penalize.selector;
        selectors[24] = CourtActions.penalize.selector;
        selectors[25] = CourtActions.pull.selector;
        selectors[26] = CourtActions.fund.selector;
        selectors[27] = CourtActions.sweep.selector;
        selectors[28] = CourtActions.stall.selector;
        selectors[29] = CourtActions.dispute.selector;
        selectors[30] = CourtActions.dispute.selector;
        selectors[31] = CourtActions.settle.selector;
        selectors[32] = CourtActions.settle.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_actions), selectors);
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
