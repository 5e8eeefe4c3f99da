// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FuzzSelector} from "./Invariants.t.sol";
import {RegistryActions} from "./RegistryActions.sol";
import {vm} from "./Vm.sol";

/// @notice What no order of events can break of stake and its votes.
contract RegistryInvariantsTest {
    RegistryActions private _actions;

    function setUp() public {
        _actions = new RegistryActions();
        _actions.setUp();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_actions);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](19);
        selectors[0] = RegistryActions.register.selector;
        selectors[1] = RegistryActions.register.selector;
        selectors[2] = RegistryActions.register.selector;
        selectors[3] = RegistryActions.addStake.selector;
        selectors[4] = RegistryActions.unbond.selector;
        selectors[5] = RegistryActions.withdraw.selector;
        selectors[6] = RegistryActions.delegateStake.selector;
        selectors[7] = RegistryActions.delegateStake.selector;
        selectors[8] = RegistryActions.delegateStake.selector;
        selectors[9] = RegistryActions.undelegateStake.selector;
        selectors[10] = RegistryActions.withdrawDelegation.selector;
        selectors[11] = RegistryActions.reward.selector;
        selectors[12] = RegistryActions.setCommission.selector;
        selectors[13] = RegistryActions.slash.selector;
        selectors[14] = RegistryActions.jail.selector;
        selectors[15] = RegistryActions.unjail.selector;
        selectors[16] = RegistryActions.chooseVoter.selector;
        selectors[17] = RegistryActions.settleVotes.selector;
        selectors[18] = RegistryActions.wait.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_actions), selectors);
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
