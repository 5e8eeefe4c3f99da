// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Actions} from "./Actions.sol";
import {Campaign} from "./Campaign.sol";
import {vm} from "./Vm.sol";

/// @notice What no order of events can break.
contract InvariantsTest is Campaign {
    Actions private _actions;

    function setUp() public {
        _actions = new Actions();
        _actions.setUp();
        _aimAt(address(_actions));
        _act(Actions.serve.selector, 2);
        _act(Actions.deposit.selector, 1);
        _act(Actions.askBack.selector, 1);
        _act(Actions.takeBack.selector, 1);
        _act(Actions.wait.selector, 1);
        _act(Actions.close.selector, 1);
        _act(Actions.collect.selector, 2);
        _act(Actions.claim.selector, 2);
        _act(Actions.replay.selector, 1);
        _act(Actions.claimByDefault.selector, 1);
        _act(Actions.setLine.selector, 1);
        _act(Actions.applyLine.selector, 1);
        _act(Actions.bond.selector, 1);
        _act(Actions.askBond.selector, 1);
        _act(Actions.takeBond.selector, 1);
    }

    /// @notice Escrow holds what it owes; what left it was drawn or given back; what was drawn or taken from the bond is
    /// still here or was claimed. Each to the unit.
    function invariant_money_is_conserved() external view {
        (uint256 escrowed, uint256 held, uint256 funds, uint256 bond, uint256 collected,) = _actions.parts();
        vm.assertEq(escrowed, _actions.inChannels(), "escrow holds its liabilities");
        vm.assertEq(escrowed + collected + _actions.paidBack(), _actions.paidIn(), "what was paid in");
        vm.assertEq(held, funds + bond, "settlement holds its liabilities");
        uint256 fromBond = _actions.bonded() - _actions.unbonded() - bond;
        vm.assertEq(funds + _actions.claimed(), collected + fromBond, "what was claimed");
    }

    function invariant_nobody_claims_more_than_was_earned() external view {
        vm.assertFalse(_actions.overclaimed());
    }

    function invariant_lines_are_covered_by_the_bond() external view {
        (,,, uint256 bond,,) = _actions.parts();
        (uint256 promised, uint256 counted) = _actions.lines();
        vm.assertEq(promised, counted);
        vm.assertLe(promised, bond);
    }

    /// @notice A node that served within its line is covered by its own line alone, whatever payers, the gateway and
    /// other payees took out.
    function invariant_nobody_withdraws_what_a_node_can_still_claim() external view {
        for (uint256 i = 0; i < _actions.PARTIES(); ++i) {
            vm.assertLe(_actions.owedTo(_actions.nodes(i)), _actions.reservedFor(i), "owed above the line");
        }
    }

    /// @notice Whenever gateway or protocol were paid, what stayed covered every node and creator.
    function invariant_gateway_and_protocol_are_paid_last() external view {
        vm.assertFalse(_actions.juniorTookFirst());
    }

    /// @notice However it went, every node is paid in full in the end, even if no payer's money comes any more.
    function afterInvariant() external {
        vm.assertTrue(_actions.settleNodes(), "a node lost money");
    }
}
