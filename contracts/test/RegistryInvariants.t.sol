// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Campaign} from "./Campaign.sol";
import {RegistryActions} from "./RegistryActions.sol";
import {vm} from "./Vm.sol";

/// @notice What no order of events can break of stake and its votes.
contract RegistryInvariantsTest is Campaign {
    RegistryActions private _actions;

    function setUp() public {
        _actions = new RegistryActions();
        _actions.setUp();
        _aimAt(address(_actions));
        _act(RegistryActions.register.selector, 3);
        _act(RegistryActions.addStake.selector, 1);
        _act(RegistryActions.unbond.selector, 1);
        _act(RegistryActions.withdraw.selector, 1);
        _act(RegistryActions.delegateStake.selector, 3);
        _act(RegistryActions.undelegateStake.selector, 1);
        _act(RegistryActions.withdrawDelegation.selector, 1);
        _act(RegistryActions.reward.selector, 1);
        _act(RegistryActions.setCommission.selector, 1);
        _act(RegistryActions.slash.selector, 1);
        _act(RegistryActions.jail.selector, 1);
        _act(RegistryActions.unjail.selector, 1);
        _act(RegistryActions.chooseVoter.selector, 1);
        _act(RegistryActions.settleVotes.selector, 1);
        _act(RegistryActions.wait.selector, 1);
    }

    function invariant_tokens_held_are_stakes_unbonding_and_pools() external view {
        uint256 balance = _actions.token().balanceOf(address(_actions.registry()));
        vm.assertEq(balance, _actions.held());
        vm.assertEq(balance + _actions.paidOut() + _actions.slashed(), _actions.paidIn());
    }

    function invariant_nobody_has_a_claim_on_what_is_not_there() external view {
        vm.assertLe(_actions.claims(), _actions.held());
    }

    /// @notice Settled, the votes are what the accounts have a claim to, to the unit; so never more than there is.
    function invariant_votes_are_stake() external {
        _actions.settleAll();
        vm.assertEq(_actions.votes(), _actions.claims());
        vm.assertLe(_actions.votes(), _actions.token().totalSupply());
    }

    /// @notice However it went, everybody can leave with all that is theirs, but for a few units of rounding, and then no
    /// votes are left.
    function afterInvariant() external {
        (uint256 claims, uint256 held) = (_actions.claims(), _actions.held());
        uint256 got = _actions.leave();
        vm.assertLe(got, held, "more than was there");
        vm.assertLe(claims, got + 100, "less than was due");
        _actions.settleAll();
        vm.assertEq(_actions.votes(), 0);
    }
}
