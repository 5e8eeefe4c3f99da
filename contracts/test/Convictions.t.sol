// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Absence, Challenges} from "../src/Challenges.sol";
import {Convictions} from "../src/Convictions.sol";
import {Parameter} from "../src/Parameter.sol";
import {Role} from "../src/Registry.sol";
import {Kind, Leaf, Seal} from "../src/Types.sol";
import {ChallengeWorld} from "./ChallengeWorld.sol";
import {vm} from "./Vm.sol";

contract ConvictionTest is ChallengeWorld {
    function _prove(uint64 epoch) private {
        Leaf memory one = book.write(_bill(node, 1e18));
        one.place.epoch = epoch;
        Leaf memory other = book.leafAt(book.epoch(), 0, 0);
        other.place.epoch = epoch;
        other.totals.node += 1;
        (Seal memory sealOfOne, Seal memory sealOfOther) = (book.seal(one), book.seal(other));
        vm.prank(reporter);
        challenges.proveDoublePlace(one, sealOfOne, other, sealOfOther);
    }

    function test_only_the_judge_convicts() public {
        vm.expectRevert(abi.encodeWithSelector(Convictions.OnlyChallenges.selector, address(this)));
        settlement.convict(gateway, 0, 1, reporter);
    }

    function test_the_judge_is_settlements_own() public view {
        vm.assertEq(address(challenges.settlement()), address(settlement));
        vm.assertEq(challenges.token(), address(token));
    }

    function test_challenges_live_only_where_they_were_predicted() public {
        vm.expectRevert(abi.encodeWithSelector(Challenges.WrongPrediction.selector, address(challenges)));
        new Challenges(settlement, address(splits));
    }

    function test_three_more_judges_convict_through_challenges() public {
        address[3] memory judges = [challenges.splits(), challenges.demands(), challenges.cases()];
        for (uint64 i = 0; i < 3; ++i) {
            vm.prank(judges[i]);
            challenges.convictFor(gateway, 9 - i, 5, reporter);
            vm.assertTrue(settlement.isVoid(gateway, 9 - i));
        }
        _assertConvicted(7);
    }

    function test_leaving_saves_no_stake() public {
        vm.prank(gateway);
        registry.unbond(Role.Gateway, STAKE);
        _prove(3);
        vm.assertEq(registry.slashableOf(Role.Gateway, gateway), STAKE / 2);
        vm.assertEq(token.balanceOf(reporter), (BOND + STAKE) / 10);
    }

    /// @dev What was known when it was done.
    function test_a_conviction_costs_what_it_did_in_its_epoch() public {
        _decide(Parameter.GatewaySlashBps, 9_000);
        _decide(Parameter.ReporterBps, 100);
        vm.warp(GENESIS + 10 * EPOCH);
        vm.assertEq(parameters.get(Parameter.GatewaySlashBps), 9_000);
        _prove(1);
        _assertConvicted(1);
    }

    function test_one_epoch_convicts_once_and_with_it_all_later_ones() public {
        _prove(3);
        _assertConvicted(3);
        vm.assertTrue(settlement.isVoid(gateway, 4));
        vm.assertFalse(settlement.isVoid(gateway, 2));
        bytes4 refusal = Convictions.AlreadyConvicted.selector;
        vm.prank(address(challenges));
        vm.expectRevert(abi.encodeWithSelector(refusal, gateway, 3));
        settlement.convict(gateway, 3, 1, reporter);
        vm.prank(address(challenges));
        vm.expectRevert(abi.encodeWithSelector(refusal, gateway, 9));
        settlement.convict(gateway, 9, 1, reporter);
    }

    function test_an_earlier_epoch_voids_more_and_slashes_no_further() public {
        _prove(3);
        vm.prank(address(challenges));
        settlement.convict(gateway, 1, 1, address(0xBEEF));
        _assertConvicted(1);
        vm.assertEq(token.balanceOf(address(0xBEEF)), 0);
        vm.assertFalse(settlement.isVoid(gateway, 0));
    }

    function test_a_gateway_without_bond_or_stake_is_convicted_all_the_same() public {
        vm.prank(address(challenges));
        settlement.convict(address(0x60D), 0, 1, reporter);
        vm.assertTrue(settlement.isVoid(address(0x60D), 0));
        vm.assertEq(token.balanceOf(reporter), 0);
    }

    function test_earlier_roots_still_pay_after_a_conviction() public {
        book.write(_bill(node, 10e18));
        _closeAndAnchor();
        _collectOne(book.proof(0, 0, 0));
        vm.prank(address(challenges));
        settlement.convict(gateway, 1, 1, reporter);
        _passWindow();
        vm.assertEq(_claimOne(Kind.Node, book.proof(0, 0, 0)), 10e18);
    }

    function test_payees_of_a_void_epoch_are_paid_by_their_receipts() public {
        Leaf memory receipt = book.write(_bill(node, 10e18));
        Leaf memory lie = book.leafAt(0, 0, 0);
        lie.totals.node = 9_000e18;
        book.amend(lie);
        _closeAndAnchor();
        _collectOne(book.proof(0, 0, 0));
        (Seal memory seal, Absence memory absence) = (book.seal(receipt), _absence(0, 0, 0));
        _expectConvicted(0, OMITTED);
        challenges.proveOmitted(receipt, seal, absence);
        vm.assertEq(settlement.claimByDefault(_default(Kind.Node, receipt)), 10e18);
        _assertConserved();
    }
}
