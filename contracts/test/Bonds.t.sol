// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bond, Bonds, Line} from "../src/Bonds.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

contract BondsTest is World {
    uint128 private constant FREE = BOND - 2 * LINE;

    function test_a_bond_adds_up() public {
        vm.assertEq(settlement.bondOf(gateway), BOND);
        _bond(gateway, 7);
        vm.assertEq(settlement.bondOf(gateway), BOND + 7);
        vm.assertEq(settlement.bond(gateway).lines, 2 * LINE);
        _assertConserved();
    }

    function test_refuses_a_bond_of_nothing() public {
        vm.expectRevert(Bonds.ZeroBond.selector);
        settlement.depositBond(0);
    }

    function test_what_lines_reserve_cannot_be_asked_back() public {
        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(Bonds.BondReserved.selector, FREE + 1, FREE));
        settlement.requestBondWithdrawal(FREE + 1);
    }

    function test_bond_leaves_after_the_delay() public {
        vm.prank(gateway);
        settlement.requestBondWithdrawal(FREE);
        uint64 availableAt = uint64(block.timestamp) + 300;
        vm.warp(availableAt - 1);
        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(Bonds.BondWithdrawalNotYet.selector, availableAt));
        settlement.withdrawBond();
        vm.warp(availableAt);
        vm.prank(gateway);
        settlement.withdrawBond();
        vm.assertEq(token.balanceOf(gateway), FREE);
        vm.assertEq(settlement.bondOf(gateway), 2 * LINE);
        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(Bonds.NoBondWithdrawal.selector, gateway));
        settlement.withdrawBond();
    }

    function test_a_line_raised_meanwhile_goes_before_a_withdrawal() public {
        vm.prank(gateway);
        settlement.requestBondWithdrawal(FREE);
        _line(node, LINE + FREE - 5);
        vm.warp(block.timestamp + 300);
        vm.prank(gateway);
        settlement.withdrawBond();
        vm.assertEq(token.balanceOf(gateway), 5);
        vm.assertEq(settlement.bondOf(gateway), settlement.bond(gateway).lines);
    }

    function test_a_withdrawal_is_called_off_with_zero() public {
        vm.prank(gateway);
        settlement.requestBondWithdrawal(FREE);
        vm.prank(gateway);
        settlement.requestBondWithdrawal(0);
        vm.warp(block.timestamp + 300);
        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(Bonds.NoBondWithdrawal.selector, gateway));
        settlement.withdrawBond();
    }

    function test_lines_never_exceed_the_bond() public {
        vm.prank(gateway);
        vm.expectRevert(abi.encodeWithSelector(Bonds.LineAboveFreeBond.selector, FREE + 1, FREE));
        settlement.setLine(node, LINE + FREE + 1);
        vm.expectEmit();
        emit Bonds.LineChanged(gateway, node, LINE + FREE);
        _line(node, LINE + FREE);
        vm.assertEq(settlement.lineOf(gateway, node), LINE + FREE);
    }

    function test_a_lowered_line_is_counted_at_once_and_reserved_until_the_delay_is_over() public {
        _line(node, 1e18);
        uint64 availableAt = uint64(block.timestamp) + 300;
        Line memory line = settlement.line(gateway, node);
        vm.assertEq(line.amount, LINE);
        vm.assertEq(line.lowered, 1e18);
        vm.assertEq(settlement.lineOf(gateway, node), 1e18);
        vm.assertEq(settlement.bond(gateway).lines, 2 * LINE);
        vm.warp(availableAt - 1);
        vm.expectRevert(abi.encodeWithSelector(Bonds.LineLoweringNotYet.selector, availableAt));
        settlement.applyLine(gateway, node);
        vm.warp(availableAt);
        settlement.applyLine(gateway, node);
        vm.assertEq(settlement.lineOf(gateway, node), 1e18);
        vm.assertEq(settlement.bond(gateway).lines, LINE + 1e18);
        vm.expectRevert(abi.encodeWithSelector(Bonds.NoLineLowering.selector, gateway, node));
        settlement.applyLine(gateway, node);
    }

    function test_raising_a_line_again_calls_the_lowering_off() public {
        _line(node, 1e18);
        _line(node, LINE);
        vm.warp(block.timestamp + 300);
        vm.expectRevert(abi.encodeWithSelector(Bonds.NoLineLowering.selector, gateway, node));
        settlement.applyLine(gateway, node);
        vm.assertEq(settlement.lineOf(gateway, node), LINE);
    }

    function test_a_slash_takes_its_share_even_of_what_was_about_to_leave() public {
        vm.prank(gateway);
        settlement.requestBondWithdrawal(FREE);
        vm.warp(block.timestamp + 300);
        vm.prank(address(challenges));
        settlement.convict(gateway, 0, 1, reporter);
        vm.assertEq(settlement.bondOf(gateway), BOND / 2);
        vm.prank(gateway);
        settlement.withdrawBond();
        vm.assertEq(token.balanceOf(gateway), 0);
        vm.assertEq(settlement.bondOf(gateway), BOND / 2);
    }

    function testFuzz_bond_and_lines_keep_their_order(uint128[6] memory amounts, uint8[6] memory moves) public {
        for (uint256 i = 0; i < 6; ++i) {
            uint128 amount = amounts[i] % (2 * BOND);
            uint8 move = moves[i] % 5;
            vm.prank(gateway);
            if (move == 0) {
                try settlement.setLine(node, amount) {} catch {}
            } else if (move == 1) {
                try settlement.setLine(otherNode, amount) {} catch {}
            } else if (move == 2) {
                try settlement.requestBondWithdrawal(amount) {} catch {}
            } else if (move == 3) {
                try settlement.withdrawBond() {} catch {}
            } else {
                try settlement.applyLine(gateway, node) {} catch {}
            }
            vm.warp(block.timestamp + 150);
            Bond memory bond = settlement.bond(gateway);
            uint256 lines = uint256(settlement.line(gateway, node).amount) + settlement.line(gateway, otherNode).amount;
            vm.assertEq(bond.lines, lines);
            vm.assertLe(bond.lines, bond.amount);
            vm.assertEq(token.balanceOf(address(settlement)), bond.amount);
        }
    }
}
