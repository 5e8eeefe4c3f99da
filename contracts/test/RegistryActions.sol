// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DGAI} from "../src/DGAI.sol";
import {Delegated} from "../src/Delegations.sol";
import {Parameters} from "../src/Parameters.sol";
import {Member, Registry, Role, Slashers} from "../src/Registry.sol";
import {Settings} from "./Settings.sol";
import {vm} from "./Vm.sol";

/// @notice What members, those who delegate to them and those who judge them may do to stake, in any order: three
/// accounts, each a member under two roles and each delegating to all.
contract RegistryActions {
    uint256 public constant ACCOUNTS = 3;
    uint256 public constant ROLES = 2;
    uint128 private constant LOT = 10_000e18;
    address private constant CASES = address(0xCA5E);

    DGAI public token;
    Registry public registry;

    uint256 public paidIn;
    uint256 public paidOut;
    uint256 public slashed;

    function setUp() external {
        vm.warp(1_800_000_000);
        token = new DGAI(address(this));
        Parameters parameters = new Parameters(address(this), 0, 20, Settings.dev(), Settings.wide());
        registry = new Registry(token, parameters, Slashers(address(1), address(2), CASES, address(3)));
        token.approve(address(registry), type(uint256).max);
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            require(token.transfer(account(i), 100_000_000e18));
            vm.prank(account(i));
            token.approve(address(registry), type(uint256).max);
        }
    }

    function account(uint256 who) public pure returns (address) {
        return address(uint160(0xACC0 + who % ACCOUNTS));
    }

    /// @dev Nodes and evaluators: a jury can slash both.
    function role(uint256 which) public pure returns (Role) {
        return Role(which % ROLES);
    }

    // What happens.

    function register(uint256 which, uint256 who, uint128 stake) external {
        stake = 1_000e18 + stake % LOT;
        vm.prank(account(who));
        try registry.register(role(which), stake, "", 0, 0, 0) {
            paidIn += stake;
        } catch {}
    }

    function addStake(uint256 which, uint256 who, uint128 amount) external {
        amount = 1 + amount % LOT;
        vm.prank(account(who));
        try registry.addStake(role(which), amount) {
            paidIn += amount;
        } catch {}
    }

    function unbond(uint256 which, uint256 who, uint128 amount) external {
        vm.prank(account(who));
        try registry.unbond(role(which), amount % LOT) {} catch {}
    }

    function withdraw(uint256 which, uint256 who) external {
        uint256 before = token.balanceOf(account(who));
        vm.prank(account(who));
        try registry.withdraw(role(which)) {
            paidOut += token.balanceOf(account(who)) - before;
        } catch {}
    }

    function delegateStake(uint256 which, uint256 to, uint256 who, uint128 amount) external {
        amount = 1 + amount % LOT;
        vm.prank(account(who));
        try registry.delegateStake(role(which), account(to), amount) {
            paidIn += amount;
        } catch {}
    }

    function undelegateStake(uint256 which, uint256 from, uint256 who, uint256 part) external {
        uint256 held = registry.delegationOf(role(which), account(from), account(who)).shares;
        if (held == 0) return;
        vm.prank(account(who));
        registry.undelegateStake(role(which), account(from), 1 + part % held);
    }

    function withdrawDelegation(uint256 which, uint256 from, uint256 who) external {
        vm.prank(account(who));
        try registry.withdrawDelegation(role(which), account(from)) returns (uint128 amount) {
            paidOut += amount;
        } catch {}
    }

    function reward(uint256 which, uint256 to, uint128 amount) external {
        amount = 1 + amount % LOT;
        uint256 before = token.balanceOf(address(registry));
        try registry.reward(role(which), account(to), amount) {
            paidIn += token.balanceOf(address(registry)) - before;
        } catch {}
    }

    function setCommission(uint256 which, uint256 who, uint16 bps) external {
        vm.prank(account(who));
        try registry.setCommission(role(which), bps % 2_001) {} catch {}
    }

    /// @dev Now and then of everything.
    function slash(uint256 which, uint256 whom, uint128 amount) external {
        vm.prank(CASES);
        amount = amount % 8 == 0 ? type(uint128).max : amount % LOT;
        slashed += registry.slash(role(which), account(whom), amount, address(this));
    }

    function jail(uint256 which, uint256 whom) external {
        vm.prank(CASES);
        registry.jail(role(which), account(whom));
    }

    function unjail(uint256 which, uint256 who) external {
        vm.prank(account(who));
        try registry.unjail(role(which)) {} catch {}
    }

    /// @dev A fourth time: for nobody.
    function chooseVoter(uint256 who, uint256 voter) external {
        address chosen = voter % 4 == 3 ? address(0) : account(voter);
        vm.prank(account(who));
        if (who % 2 == 0) registry.delegate(chosen);
        else token.delegate(chosen);
    }

    function settleVotes(uint256 which, uint256 to, uint256 who) external {
        registry.settleVotes(role(which), account(to), account(who));
    }

    function wait(uint16 seconds_) external {
        vm.warp(block.timestamp + 1 + seconds_ % 400);
    }

    // What is asked afterwards.

    /// @dev All stakes, all that unbonds, all pools.
    function held() external view returns (uint256 sum) {
        for (uint256 i = 0; i < ACCOUNTS * ROLES; ++i) {
            Member memory member = registry.member(role(i / ACCOUNTS), account(i));
            (uint128 delegated, uint128 undelegating) = registry.poolOf(role(i / ACCOUNTS), account(i));
            sum += uint256(member.stake) + member.unbonding + delegated + undelegating;
        }
    }

    /// @dev What the accounts could take out by and by: no more than their pools hold.
    function claims() public view returns (uint256 sum) {
        for (uint256 i = 0; i < ACCOUNTS * ROLES; ++i) {
            Member memory member = registry.member(role(i / ACCOUNTS), account(i));
            sum += uint256(member.stake) + member.unbonding;
            for (uint256 j = 0; j < ACCOUNTS; ++j) {
                Delegated memory found = registry.delegationOf(role(i / ACCOUNTS), account(i), account(j));
                sum += uint256(found.amount) + found.leaving;
            }
        }
    }

    function votes() external view returns (uint256 sum) {
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            sum += registry.getVotes(account(i));
        }
    }

    function settleAll() external {
        for (uint256 i = 0; i < ACCOUNTS * ROLES * ACCOUNTS; ++i) {
            registry.settleVotes(role(i / (ACCOUNTS * ACCOUNTS)), account(i / ACCOUNTS), account(i));
        }
    }

    /// @dev Everybody leaves with everything. Returns what all of them got.
    function leave() external returns (uint256 got) {
        uint256 before = _balances();
        for (uint256 i = 0; i < ACCOUNTS * ROLES; ++i) {
            (Role as_, address member) = (role(i / ACCOUNTS), account(i));
            uint128 stake = registry.member(as_, member).stake;
            vm.startPrank(member);
            if (stake != 0) registry.unbond(as_, stake);
            vm.stopPrank();
            for (uint256 j = 0; j < ACCOUNTS; ++j) {
                uint256 shares = registry.delegationOf(as_, member, account(j)).shares;
                if (shares == 0) continue;
                vm.prank(account(j));
                registry.undelegateStake(as_, member, shares);
            }
        }
        vm.warp(block.timestamp + 300);
        for (uint256 i = 0; i < ACCOUNTS * ROLES; ++i) {
            (Role as_, address member) = (role(i / ACCOUNTS), account(i));
            vm.startPrank(member);
            try registry.withdraw(as_) {} catch {}
            vm.stopPrank();
            for (uint256 j = 0; j < ACCOUNTS; ++j) {
                vm.startPrank(account(j));
                try registry.withdrawDelegation(as_, member) {} catch {}
                vm.stopPrank();
            }
        }
        return _balances() - before;
    }

    function _balances() private view returns (uint256 sum) {
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            sum += token.balanceOf(account(i));
        }
    }
}
