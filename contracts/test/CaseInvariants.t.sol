// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CaseActions} from "./CaseActions.sol";
import {FuzzSelector} from "./Invariants.t.sol";
import {vm} from "./Vm.sol";

/// @notice What no order of events in the courthouse can break.
/// forge-config: default.invariant.runs = 32
/// forge-config: default.invariant.depth = 60
contract CaseInvariantsTest {
    uint256 private constant STAKE = 1_000e18;

    CaseActions private _actions;

    function setUp() public {
        _actions = new CaseActions();
        _actions.setUp();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_actions);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](18);
        selectors[0] = CaseActions.open.selector;
        selectors[1] = CaseActions.open.selector;
        selectors[2] = CaseActions.gather.selector;
        selectors[3] = CaseActions.gather.selector;
        selectors[4] = CaseActions.gather.selector;
        selectors[5] = CaseActions.appeal.selector;
        selectors[6] = CaseActions.execute.selector;
        selectors[7] = CaseActions.execute.selector;
        selectors[8] = CaseActions.execute.selector;
        selectors[9] = CaseActions.fixSeed.selector;
        selectors[10] = CaseActions.enrol.selector;
        selectors[11] = CaseActions.sealVote.selector;
        selectors[12] = CaseActions.openVote.selector;
        selectors[13] = CaseActions.slashSigner.selector;
        selectors[14] = CaseActions.slashSigner.selector;
        selectors[15] = CaseActions.leave.selector;
        selectors[16] = CaseActions.takeOut.selector;
        selectors[17] = CaseActions.wait.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_actions), selectors);
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
