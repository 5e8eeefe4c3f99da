// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Judging, JudgingRules} from "../src/Judging.sol";
import {QualityCourt} from "../src/QualityCourt.sol";
import {Courtroom} from "./Courtroom.sol";
import {vm} from "./Vm.sol";

/// @dev A court at another address than the one that was told is refused before anything else, so the rules are tried
/// at the address that was.
contract JudgingTest is Courtroom {
    function _refused(JudgingRules memory rules, bytes memory reason) private {
        address told = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        vm.mockCall(address(settlement), abi.encodeCall(settlement.treasury, ()), abi.encode(told));
        vm.mockCall(address(registry), abi.encodeCall(registry.court, ()), abi.encode(told));
        vm.expectRevert(reason);
        new QualityCourt(token, registry, settlement, governor, rules);
    }

    function test_the_court_publishes_what_it_was_told() public view {
        JudgingRules memory rules = court.rules();
        vm.assertEq(keccak256(abi.encode(rules)), keccak256(abi.encode(_judgingRules())));
        vm.assertEq(address(court.token()), address(token));
        vm.assertEq(address(court.registry()), address(registry));
        vm.assertEq(address(court.settlement()), address(settlement));
        vm.assertEq(court.governor(), governor);
    }

    function test_refuses_an_address_that_the_others_were_not_told() public {
        vm.expectRevert(abi.encodeWithSelector(Judging.WrongPrediction.selector, address(court), address(court)));
        new QualityCourt(token, registry, settlement, governor, _judgingRules());
    }

    function test_refuses_to_have_no_governor() public {
        governor = address(0);
        _refused(_judgingRules(), abi.encodeWithSelector(Judging.ZeroGovernor.selector));
    }

    function test_refuses_shares_above_the_whole() public {
        bytes memory reason = abi.encodeWithSelector(Judging.ShareAboveWhole.selector, 10_001);
        JudgingRules[6] memory wrong;
        for (uint256 i = 0; i < 6; ++i) {
            wrong[i] = _judgingRules();
        }
        (wrong[0].qualityBps, wrong[1].identityBps, wrong[2].canaryBps) = (10_001, 10_001, 10_001);
        (wrong[3].gainBps, wrong[4].quorumBps, wrong[5].reporterBps) = (10_001, 10_001, 10_001);
        for (uint256 i = 0; i < 6; ++i) {
            _refused(wrong[i], reason);
        }
    }

    function test_refuses_a_quorum_that_two_roots_could_reach() public {
        JudgingRules memory rules = _judgingRules();
        rules.quorumBps = 4_999;
        _refused(rules, abi.encodeWithSelector(Judging.QuorumBelowHalf.selector, 4_999));
    }

    function test_refuses_windows_and_committees_of_nothing() public {
        JudgingRules[4] memory wrong;
        for (uint256 i = 0; i < 4; ++i) {
            wrong[i] = _judgingRules();
        }
        (wrong[0].commitSeconds, wrong[1].revealSeconds, wrong[2].openSeconds) = (0, 0, 0);
        for (uint256 i = 0; i < 3; ++i) {
            _refused(wrong[i], abi.encodeWithSelector(Judging.EmptyWindow.selector));
        }
        wrong[3].committeeSize = 0;
        _refused(wrong[3], abi.encodeWithSelector(Judging.EmptyCommittee.selector));
    }

    function test_refuses_to_challenge_for_longer_than_an_epoch() public {
        JudgingRules memory rules = _judgingRules();
        rules.challengeSeconds = EPOCH + 1;
        _refused(rules, abi.encodeWithSelector(Judging.ChallengeTooLong.selector, EPOCH + 1, EPOCH));
    }
}
