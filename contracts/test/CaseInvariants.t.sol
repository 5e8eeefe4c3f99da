// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Campaign} from "./Campaign.sol";
import {CaseActions} from "./CaseActions.sol";
import {vm} from "./Vm.sol";

/// @notice What no order of events in the courthouse can break.
/// forge-config: default.invariant.runs = 32
/// forge-config: default.invariant.depth = 60
/// forge-config: thorough.invariant.runs = 640
/// forge-config: thorough.invariant.depth = 200
contract CaseInvariantsTest is Campaign {
    CaseActions private _actions;

    function setUp() public {
        _actions = new CaseActions();
        _actions.setUp();
        _aimAt(address(_actions));
        _act(CaseActions.open.selector, 2);
        _act(CaseActions.gather.selector, 3);
        _act(CaseActions.appeal.selector, 1);
        _act(CaseActions.execute.selector, 3);
        _act(CaseActions.fixSeed.selector, 1);
        _act(CaseActions.enrol.selector, 1);
        _act(CaseActions.sealVote.selector, 1);
        _act(CaseActions.openVote.selector, 1);
        _act(CaseActions.slashSigner.selector, 2);
        _act(CaseActions.leave.selector, 1);
        _act(CaseActions.takeOut.selector, 1);
        _act(CaseActions.wait.selector, 1);
    }

    function invariant_cases_hold_the_open_bonds_and_nothing_else() external view {
        vm.assertEq(_actions.held(), _actions.bonds());
    }

    /// @notice Votes decide outcomes, each case ends once and can always end, a seat votes once, and whatever a case
    /// moves is in somebody's hands or burned.
    function invariant_every_case_ends_as_its_votes_say() external view {
        vm.assertEq(_actions.broken(), "");
    }

    function invariant_nobody_is_slashed_without_a_verdict() external view {
        if (_actions.convicted() != 0) return;
        vm.assertEq(_actions.signersSlashed(), 0);
    }

    /// @notice Whoever opens its vote whenever it sits never loses stake, whoever else sits with it.
    function invariant_honest_members_never_lose() external view {
        vm.assertEq(_actions.honestLosses(), 0);
    }
}
